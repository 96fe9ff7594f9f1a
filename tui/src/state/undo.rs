//! What was just done and can be taken back.

use crate::backend::{ChatId, MessageKey};

/// Messages that are about to be deleted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Undo {
    pub chat: ChatId,
    pub messages: Vec<MessageKey>,
}
