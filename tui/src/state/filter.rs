//! Which part of the chat list is shown.

use super::State;
use crate::backend::{Chat, ChatId, ChatKind, account_of};
use std::sync::Arc;

/// A tab of the chat list.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Filter {
    /// All but the archive.
    #[default]
    All,
    Unread,
    People,
    Groups,
    /// The chats of one space.
    Space(ChatId),
    Archive,
}

impl Filter {
    fn shows(&self, chat: &Chat) -> bool {
        let invited = chat.invited_by.is_some();
        let space = chat.kind == ChatKind::Space && !invited;
        match self {
            Filter::All => !chat.archived && !space,
            Filter::Unread => {
                !chat.archived && !space && (chat.unread > 0 || chat.marked_unread || invited)
            }
            Filter::People => !chat.archived && chat.kind == ChatKind::Direct,
            Filter::Groups => !chat.archived && chat.kind == ChatKind::Group,
            Filter::Space(space) => chat.id == *space || chat.spaces.contains(space),
            Filter::Archive => chat.archived,
        }
    }
}

impl State {
    /// The chats of the tab, in the list's order. What is open stays, also when it has just been read.
    pub fn listed(&self) -> Vec<&Chat> {
        let shown = |chat: &&Chat| {
            self.is_of_chosen(chat)
                && (self.filter.shows(chat)
                    || (self.filter == Filter::Unread && self.is_open(&chat.id)))
        };
        let mut listed: Vec<&Chat> = self.chats.iter().map(Arc::as_ref).filter(shown).collect();
        if let Filter::Space(space) = &self.filter {
            listed.sort_by_key(|chat| chat.id != *space);
        }
        listed
    }

    fn is_of_chosen(&self, chat: &Chat) -> bool {
        self.chosen.is_none_or(|chosen| account_of(&chat.id) == chosen)
    }

    /// What stands above the list: the account whose chats alone are shown, and the tab, where it is not all of them.
    pub fn list_title(&self) -> Option<String> {
        let account = self.chosen.and_then(|chosen| self.account(chosen));
        match (account, &self.filter) {
            (None, Filter::All) => None,
            (None, _) => Some(self.filter_name()),
            (Some(account), Filter::All) => Some(account.user().to_owned()),
            (Some(account), _) => Some(format!("{} {}", self.filter_name(), account.user())),
        }
    }

    /// The tabs there are, in their order.
    pub fn filters(&self) -> Vec<Filter> {
        let spaces = self
            .chats
            .iter()
            .filter(|chat| chat.kind == ChatKind::Space && chat.invited_by.is_none())
            .filter(|chat| self.is_of_chosen(chat))
            .map(|chat| Filter::Space(chat.id.clone()));
        let mut filters = vec![Filter::All, Filter::Unread, Filter::People, Filter::Groups];
        filters.extend(spaces);
        filters.push(Filter::Archive);
        filters
    }

    /// What the tab is called.
    pub fn filter_name(&self) -> String {
        match &self.filter {
            Filter::All => "All".to_owned(),
            Filter::Unread => "Unread".to_owned(),
            Filter::People => "People".to_owned(),
            Filter::Groups => "Groups".to_owned(),
            Filter::Space(space) => {
                self.find_chat(space).map_or_else(|| space.clone(), |space| space.name.clone())
            }
            Filter::Archive => "Archive".to_owned(),
        }
    }
}
