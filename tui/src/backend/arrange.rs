//! How one arranges one's own chat list: what the server keeps for the user and nobody else sees.

use super::ChatId;
use serde::{Deserialize, Serialize};

/// A change to one's own chat list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Arrange {
    /// These are pinned, in this order.
    Pin {
        chats: Vec<ChatId>,
    },
    Unpin {
        chat: ChatId,
    },
    /// Out of the list into the archive, or back.
    Archive {
        chat: ChatId,
        archived: bool,
    },
    /// `None`: as the account's rules have it.
    Notify {
        chat: ChatId,
        level: Option<NotifyLevel>,
    },
    /// Whether links in the chat have previews.
    Previews {
        chat: ChatId,
        shown: bool,
    },
    /// Shown as unread until it is opened.
    MarkUnread {
        chat: ChatId,
    },
}

/// What of a chat one wants to hear of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum NotifyLevel {
    Everything,
    Mentions,
    Nothing,
}
