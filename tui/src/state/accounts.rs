//! The accounts in this client: how each stands, which one is in front, and how they are told apart on the screen.

use super::welcome::Welcome;
use super::{Me, Popup, State};
use crate::backend::{AccountId, Connection, Encryption, account_of};
use crate::wrap::cut;

/// The mark of an account beside other things is not longer.
const MARK_COLUMNS: usize = 12;

/// One of them.
#[derive(Debug, Clone, Default)]
pub struct Account {
    /// Who it is; `None` until its session has been opened.
    pub me: Option<Me>,
    pub connection: Option<Connection>,
    pub encryption: Option<Encryption>,
    /// This login is new: set-up is offered without being asked for.
    pub fresh_login: bool,
    /// Its chats have come once: what is new from now on is news.
    pub news_begun: bool,
    /// When its session began.
    pub began_ms: u64,
    /// It can't go on before the user has been here, and waits for that while the others go on.
    pub entrance: Option<Welcome>,
}

impl Account {
    /// What its user is called; empty while that is not known.
    pub fn user(&self) -> &str {
        self.me.as_ref().map_or("", |me| &me.user)
    }

    /// How it is, in words.
    pub fn words(&self) -> &'static str {
        match (&self.entrance, self.connection) {
            (Some(_), _) => "waits for you",
            (None, Some(Connection::Online)) => "online",
            (None, Some(Connection::Offline)) => "offline",
            (None, Some(Connection::Connecting) | None) => "connecting",
        }
    }
}

impl State {
    /// The account that things are about which belong to no chat: the chosen one, else that of the open chat, else the first.
    pub fn front(&self) -> AccountId {
        let open = || self.open.as_ref().map(|open| account_of(&open.chat));
        let first = || self.accounts.keys().next().copied();
        self.chosen.or_else(open).or_else(first).unwrap_or_default()
    }

    /// The account that what the user does now is about: that of the popup on top, of the first-run screen, or the one in front.
    pub fn asker(&self) -> AccountId {
        let of_popup = match self.popups.last() {
            Some(Popup::Form(form)) => form.account,
            Some(Popup::List(list)) => list.account,
            _ => None,
        };
        let of_welcome = || self.welcome.as_ref().map(|welcome| welcome.account);
        of_popup.or_else(of_welcome).unwrap_or_else(|| self.front())
    }

    /// An account by its number.
    pub fn account(&self, account: AccountId) -> Option<&Account> {
        self.accounts.get(&account)
    }

    /// Who is logged in there.
    pub fn me(&self, account: AccountId) -> Option<&Me> {
        self.account(account)?.me.as_ref()
    }

    /// Whether somebody is logged in at all.
    pub fn has_session(&self) -> bool {
        self.accounts.values().any(|account| account.me.is_some())
    }

    /// Whether any account but this one needs nothing to go on.
    pub fn others_go_on(&self, account: AccountId) -> bool {
        self.accounts.iter().any(|(other, of)| *other != account && of.entrance.is_none())
    }

    /// The short name of an account where there are several: the user's own part of the id, or the server's where that is the same.
    pub fn mark(&self, account: AccountId) -> Option<String> {
        if self.accounts.len() < 2 {
            return None;
        }
        let of = |account: &Account| {
            let id = account.user().trim_start_matches('@').to_owned();
            id.split_once(':').map(|(name, server)| (name.to_owned(), server.to_owned()))
        };
        let (name, server) = of(self.account(account)?)?;
        let same = self.accounts.values().filter_map(of).filter(|(other, _)| *other == name);
        Some(cut(if same.count() > 1 { &server } else { &name }, MARK_COLUMNS))
    }

    /// `title`, with the account where there are several.
    pub fn marked(&self, title: &str, account: AccountId) -> String {
        self.mark(account).map_or_else(|| title.to_owned(), |mark| format!("{title} · {mark}"))
    }

    /// The number of the next account: none that was anybody's in this run, as its last words may still be on their way.
    pub fn next_account(&self) -> AccountId {
        let last = self.accounts.keys().next_back().copied();
        last.max(self.last_account).map_or(AccountId::FIRST, |AccountId(last)| AccountId(last + 1))
    }
}
