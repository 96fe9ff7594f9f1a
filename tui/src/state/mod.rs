//! What the client knows and shows, as plain data. `update/` changes it, `screens/` draws it.

pub mod composer;
pub mod conversation;
pub mod field;
pub mod form;
pub mod geometry;
pub mod layout;
pub mod welcome;

use crate::action::Command;
use crate::backend::{Chat, ChatId, Connection, Encryption, Ticks, UserId};
use crate::fuzzy;
use crate::keymap::{self, Focus};
use crate::zone::Zone;
use composer::Composer;
use conversation::Conversation;
use field::TextField;
use form::Form;
use std::collections::HashMap;
use welcome::Welcome;

/// Everything.
#[derive(Debug, Clone, Default)]
pub struct State {
    /// The first-run screens, while there is no session.
    pub welcome: Option<Welcome>,
    pub me: Option<Me>,
    pub connection: Option<Connection>,
    /// In the order of the list: invitations, pinned, then newest first.
    pub chats: Vec<Chat>,
    pub selected: Option<ChatId>,
    /// The first row shown of the list.
    pub list_top: usize,
    pub open: Option<Conversation>,
    /// The chat that was open before.
    pub previous: Option<ChatId>,
    /// What is being written in chats that are not open.
    pub drafts: HashMap<ChatId, Composer>,
    pub pane: Pane,
    /// From bottom to top.
    pub popups: Vec<Popup>,
    /// The leader was pressed.
    pub leader: bool,
    pub notice: Option<Notice>,
    pub encryption: Option<Encryption>,
    /// This login is new: set-up is offered without being asked for.
    pub fresh_login: bool,
    /// The room `--open` asked for, until it is there.
    pub wanted: Option<String>,
    /// The terminal window is in front.
    pub unfocused: bool,
    /// Columns and rows.
    pub size: (u16, u16),
    pub zone: Zone,
    /// When the last action happened, milliseconds since the Unix epoch.
    pub now_ms: u64,
    /// When the others were last told that the user types.
    pub typing_told_ms: Option<u64>,
    /// The title last set.
    pub title: String,
    /// A snapshot will be written soon.
    pub snapshot_due: bool,
    /// The chat that was just asked for, to be opened when it is ready.
    pub awaited_chat: bool,
}

/// Who is logged in.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Me {
    pub user: UserId,
    pub server: String,
    pub device: String,
}

/// The pane with the focus.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Pane {
    #[default]
    List,
    History,
    Composer,
}

/// What stands above the screen and takes the keys.
#[derive(Debug, Clone, PartialEq)]
pub enum Popup {
    Form(Form),
    Switcher { query: TextField, selected: usize },
    Help { top: usize },
}

/// A line for a moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    pub text: String,
    pub error: bool,
}

/// One row of the switcher.
#[derive(Debug, Clone, PartialEq)]
pub enum Found {
    Chat(ChatId),
    Command(Command, &'static str),
}

impl State {
    /// Where keys go.
    pub fn focus(&self) -> Focus {
        match self.popups.last() {
            Some(Popup::Form(_)) => return Focus::Form,
            Some(Popup::Switcher { .. }) => return Focus::Switcher,
            Some(Popup::Help { .. }) => return Focus::Help,
            None => {}
        }
        match (&self.welcome, self.leader, self.pane) {
            (Some(_), _, _) => Focus::Form,
            (None, true, _) => Focus::Leader,
            (None, false, Pane::List) => Focus::List,
            (None, false, Pane::History) => Focus::History,
            (None, false, Pane::Composer) => Focus::Composer,
        }
    }

    /// The form that takes the keys.
    pub fn form(&self) -> Option<&Form> {
        match self.popups.last() {
            Some(Popup::Form(form)) => Some(form),
            Some(_) => None,
            None => self.welcome.as_ref().map(|welcome| &welcome.form),
        }
    }

    /// The form that takes the keys, to change it.
    pub fn form_mut(&mut self) -> Option<&mut Form> {
        match self.popups.last_mut() {
            Some(Popup::Form(form)) => Some(form),
            Some(_) => None,
            None => self.welcome.as_mut().map(|welcome| &mut welcome.form),
        }
    }

    pub fn find_chat(&self, id: &str) -> Option<&Chat> {
        self.chats.iter().find(|chat| chat.id == id)
    }

    pub fn index_of_selected(&self) -> Option<usize> {
        let selected = self.selected.as_ref()?;
        self.chats.iter().position(|chat| chat.id == *selected)
    }

    pub fn is_open(&self, id: &str) -> bool {
        self.open.as_ref().is_some_and(|open| open.chat == id)
    }

    /// Something of one's own has not reached the server.
    pub fn has_unsent(&self) -> bool {
        let waiting = |ticks: Option<Ticks>| matches!(ticks, Some(Ticks::Sending));
        let in_list =
            self.chats.iter().any(|chat| waiting(chat.last.as_ref().and_then(|last| last.ticks)));
        in_list
            || self
                .open
                .as_ref()
                .is_some_and(|open| open.messages.iter().any(|message| waiting(message.ticks)))
    }

    /// What the switcher offers for `query`, best first. `>` asks for commands.
    pub fn find(&self, query: &str) -> Vec<Found> {
        const FOUND_MAX: usize = 50;
        if let Some(query) = query.strip_prefix('>') {
            return commands(query.trim());
        }
        let mut found: Vec<(i64, ChatId)> = self
            .chats
            .iter()
            .filter_map(|chat| {
                let by_name = fuzzy::score(query, &chat.name);
                let by_peer = chat.peer.as_ref().and_then(|peer| fuzzy::score(query, peer));
                Some((by_name.max(by_peer)?, chat.id.clone()))
            })
            .collect();
        if !query.trim().is_empty() {
            found.sort_by_key(|(score, _)| std::cmp::Reverse(*score));
        }
        found.into_iter().take(FOUND_MAX).map(|(_, id)| Found::Chat(id)).collect()
    }
}

/// The commands of the leader's table that match.
fn commands(query: &str) -> Vec<Found> {
    let mut found: Vec<(i64, Found)> = keymap::BINDINGS
        .iter()
        .filter(|row| row.focus == Focus::Leader && row.command != Command::Switcher)
        .filter_map(|row| {
            Some((fuzzy::score(query, row.label)?, Found::Command(row.command, row.label)))
        })
        .collect();
    if !query.is_empty() {
        found.sort_by_key(|(score, _)| std::cmp::Reverse(*score));
    }
    found.into_iter().map(|(_, found)| found).collect()
}
