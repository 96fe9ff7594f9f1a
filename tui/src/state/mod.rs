//! What the client knows and shows, as plain data. `update/` changes it, `screens/` draws it.

pub mod accounts;
pub mod album;
pub mod completion;
pub mod composer;
pub mod conversation;
pub mod field;
pub mod filter;
pub mod finder;
pub mod form;
pub mod geometry;
pub mod layout;
pub mod link_previews;
pub mod list;
pub mod picker;
mod presence;
pub mod seen;
pub mod taken;
pub mod transfers;
pub mod undo;
pub mod view;
pub mod welcome;

use crate::action::Command;
use crate::backend::{AccountId, Chat, ChatId, MessageKey, Presence, Ticks, UserId};
use crate::fuzzy;
use crate::keymap::Focus;
use crate::links::Links;
use crate::pictures::Mode;
use crate::settings::Settings;
use crate::snapshot::Outgoing;
use crate::theme::ThemeName;
use crate::zone::Zone;
use accounts::Account;
use completion::{Completion, People};
use composer::Composer;
use conversation::Conversation;
use field::TextField;
use filter::Filter;
use form::Form;
use link_previews::LinkPreviews;
use list::List;
use picker::Picker;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use taken::Taken;
use transfers::Transfer;
use undo::Undo;
use welcome::Welcome;

/// Everything.
#[derive(Debug, Clone, Default)]
pub struct State {
    /// The first-run screens, while there is no session or another one is being begun.
    pub welcome: Option<Welcome>,
    /// Those that are logged in.
    pub accounts: BTreeMap<AccountId, Account>,
    /// The one whose chats alone are shown; `None` shows all.
    pub chosen: Option<AccountId>,
    /// The highest number an account has had.
    pub last_account: Option<AccountId>,
    /// Where the links on the screen lead.
    pub links: Links,
    /// In the order of the list: invitations, pinned, then newest first.
    pub chats: Vec<Arc<Chat>>,
    /// What each account's backend said of its chats last.
    pub taken: BTreeMap<AccountId, Taken>,
    pub selected: Option<ChatId>,
    /// Which of them the list shows.
    pub filter: Filter,
    /// The first row shown of the list.
    pub list_top: usize,
    pub open: Option<Conversation>,
    /// The chat that was open before.
    pub previous: Option<ChatId>,
    /// What is being written in chats that are not open.
    pub drafts: HashMap<ChatId, Composer>,
    /// Sent, and not yet kept by the backend.
    pub outgoing: Vec<Outgoing>,
    /// Stands for what was last written down of drafts and outgoing messages.
    pub written_mark: u64,
    /// They will be written soon.
    pub written_due: bool,
    pub pane: Pane,
    /// The lock screen: nothing else is shown or takes keys.
    pub lock: Option<Form>,
    pub has_passcode: bool,
    /// From bottom to top.
    pub popups: Vec<Popup>,
    /// The leader was pressed.
    pub leader: bool,
    pub notice: Option<Notice>,
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
    /// What can still be taken back.
    pub undo: Option<Undo>,
    /// This machine has a screen with a browser on it.
    pub opens_links: bool,
    pub settings: Arc<Settings>,
    pub theme: ThemeName,
    /// Fewer and smaller frames.
    pub slow_link: bool,
    /// What the terminal has got so far.
    pub bytes_written: u64,
    /// Files on their way here, newest last.
    pub transfers: Vec<Transfer>,
    /// The clipboard is being read.
    pub reading_clipboard: Option<ReadingClipboard>,
    /// How pictures are drawn.
    pub picture_mode: Mode,
    /// The last one was called so.
    pub picture_id: u8,
    /// What pages say of themselves, as far as it was asked for.
    pub link_previews: LinkPreviews,
    /// Words on offer above the composer.
    pub completion: Option<Completion>,
    /// Stands for the text that was last looked at for them, and whether it was being written.
    pub completion_mark: (bool, u64),
    /// Where the word begins that is to stay as it is typed.
    pub left_word: Option<usize>,
    pub people: People,
    /// The chat whose people were last asked for.
    pub people_asked: Option<ChatId>,
    /// Sent, and waiting so that it can be taken back.
    pub held: Vec<Held>,
    /// The newest message and the mentions of each chat that the user has been told of.
    pub told: HashMap<ChatId, (u64, u64)>,
    /// A chat was just asked for in this account, to be opened when it is ready.
    pub awaited_chat: Option<AccountId>,
    /// The person of the open chat.
    pub presence: Option<(UserId, Presence)>,
}

/// A message that can still be taken back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    pub chat: ChatId,
    pub text: String,
    pub reply_to: Option<MessageKey>,
    pub edits: Option<MessageKey>,
}

/// Where the user was when the clipboard was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadingClipboard {
    pub chat: ChatId,
    /// What stood in the composer.
    pub typed: String,
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
    List(List),
    Switcher { query: TextField, selected: usize },
    Help { top: usize },
    Picker(Picker),
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
    /// An emoji and how it is called.
    Emoji(&'static str, &'static str),
}

impl State {
    /// Where keys go.
    pub fn focus(&self) -> Focus {
        if self.lock.is_some() {
            return Focus::Form;
        }
        match self.popups.last() {
            Some(Popup::Form(_)) => return Focus::Form,
            Some(Popup::List(_) | Popup::Picker(_)) => return Focus::Picker,
            Some(Popup::Switcher { .. }) => return Focus::Switcher,
            Some(Popup::Help { .. }) => return Focus::Help,
            None => {}
        }
        match (&self.welcome, self.leader, self.pane) {
            (Some(_), _, _) => Focus::Form,
            (None, true, _) => Focus::Leader,
            (None, false, Pane::List) => Focus::List,
            (None, false, Pane::History) => Focus::History,
            (None, false, Pane::Composer) if self.completion.is_some() => Focus::Completion,
            (None, false, Pane::Composer) => Focus::Composer,
        }
    }

    /// The form that takes the keys.
    pub fn form(&self) -> Option<&Form> {
        if self.lock.is_some() {
            return self.lock.as_ref();
        }
        match self.popups.last() {
            Some(Popup::Form(form)) => Some(form),
            Some(_) => None,
            None => self.welcome.as_ref().map(|welcome| &welcome.form),
        }
    }

    /// The form that takes the keys, to change it.
    pub fn form_mut(&mut self) -> Option<&mut Form> {
        if self.lock.is_some() {
            return self.lock.as_mut();
        }
        match self.popups.last_mut() {
            Some(Popup::Form(form)) => Some(form),
            Some(_) => None,
            None => self.welcome.as_mut().map(|welcome| &mut welcome.form),
        }
    }

    pub fn find_chat(&self, id: &str) -> Option<&Chat> {
        self.chats.iter().map(Arc::as_ref).find(|chat| chat.id == id)
    }

    pub fn index_of_selected(&self) -> Option<usize> {
        let selected = self.selected.as_ref()?;
        self.listed().iter().position(|chat| chat.id == *selected)
    }

    pub fn is_open(&self, id: &str) -> bool {
        self.open.as_ref().is_some_and(|open| open.chat == id)
    }

    /// Something of one's own has not reached the server.
    pub fn has_unsent(&self) -> bool {
        let waiting =
            |ticks: Option<Ticks>| matches!(ticks, Some(Ticks::Sending | Ticks::Uploading(_)));
        let in_list =
            self.chats.iter().any(|chat| waiting(chat.last.as_ref().and_then(|last| last.ticks)));
        in_list
            || !self.held.is_empty()
            || self
                .open
                .as_ref()
                .is_some_and(|open| open.messages.iter().any(|message| waiting(message.ticks)))
    }

    /// What the switcher offers for `query`, best first. `>` asks for commands.
    pub fn find(&self, query: &str) -> Vec<Found> {
        const FOUND_MAX: usize = 50;
        if let Some(query) = query.strip_prefix('>') {
            return finder::commands(&self.settings.keymap, query.trim());
        }
        if let Some(query) = query.strip_prefix(':') {
            return completion::find_emoji(query).take(FOUND_MAX).collect();
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
