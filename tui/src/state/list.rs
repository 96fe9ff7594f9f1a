//! A list to choose from, with a line to type in: members, people, rooms, sessions, messages.

use super::field::TextField;
use crate::backend::{AccountId, ChatId, Item, Listed};
use crate::fuzzy;

/// A list on the screen.
#[derive(Debug, Clone, PartialEq)]
pub struct List {
    pub of: Listed,
    pub title: String,
    /// What narrows the list, or what the server is asked for.
    pub query: TextField,
    pub items: Vec<Item>,
    pub selected: usize,
    /// From how many accounts an answer is awaited.
    pub awaited: usize,
    /// The account it is about; set when it is shown.
    pub account: Option<AccountId>,
    /// More accounts that are asked; what they find stands among the rest.
    pub others: Vec<AccountId>,
}

impl List {
    /// The chat it is about.
    pub fn chat(&self) -> Option<&ChatId> {
        match &self.of {
            Listed::Members(chat) | Listed::Rights(chat) | Listed::Space(chat) => Some(chat),
            _ => None,
        }
    }

    /// An empty one that waits for its items.
    pub fn new(of: Listed, title: impl Into<String>) -> List {
        let typed = match &of {
            Listed::People(text) | Listed::Directory(text) | Listed::Messages(text) => text.clone(),
            _ => String::new(),
        };
        let query = TextField::new(typed);
        let (items, title) = (Vec::new(), title.into());
        let (selected, awaited, account, others) = (0, 1, None, Vec::new());
        List { of, title, query, items, selected, awaited, account, others }
    }

    /// Whether an account is asked for its items.
    pub fn is_of(&self, account: AccountId) -> bool {
        self.account == Some(account) || self.others.contains(&account)
    }

    /// The list for what is typed now, where somebody else does the searching.
    pub fn asks(&self) -> Option<Listed> {
        let text = self.query.text().trim().to_owned();
        match self.of {
            Listed::People(_) => Some(Listed::People(text)),
            Listed::Directory(_) => Some(Listed::Directory(text)),
            Listed::Messages(_) => Some(Listed::Messages(text)),
            _ => None,
        }
    }

    /// The items that match what is typed.
    pub fn shown(&self) -> Vec<&Item> {
        if self.asks().is_some() || self.query.is_empty() {
            return self.items.iter().collect();
        }
        let matches = |item: &&Item| {
            let (text, more) = name_of(item);
            let query = self.query.text();
            fuzzy::score(query, &text).or_else(|| fuzzy::score(query, &more)).is_some()
        };
        self.items.iter().filter(matches).collect()
    }

    /// The item that Enter chooses.
    pub fn chosen(&self) -> Option<&Item> {
        self.shown().get(self.selected).copied()
    }
}

/// What an item is searched by: name and id.
fn name_of(item: &Item) -> (String, String) {
    match item {
        Item::Member(member) => (member.name.clone(), member.user.clone()),
        Item::Right(right) => (right_name(right.what).to_owned(), String::new()),
        Item::Person(person) => (person.name.clone().unwrap_or_default(), person.user.clone()),
        Item::Room(room) => (room.name.clone(), room.address.clone()),
        Item::Session(session) => (session.name.clone(), session.id.clone()),
        Item::Ignored(user) => (user.clone(), String::new()),
        Item::Message(hit) => (hit.text.clone(), hit.sender.clone()),
    }
}

/// What a right allows, in words.
pub fn right_name(right: crate::backend::RightName) -> &'static str {
    use crate::backend::RightName;
    match right {
        RightName::Write => "write messages",
        RightName::Invite => "invite people",
        RightName::Remove => "remove people",
        RightName::Ban => "ban people",
        RightName::DeleteOthers => "delete others' messages",
        RightName::Rename => "change the name",
        RightName::SetTopic => "change the topic",
        RightName::OtherSettings => "change other settings",
    }
}

/// A power level as the role that has it.
pub fn role_name(level: Option<i64>) -> String {
    match level {
        None => "creator".to_owned(),
        Some(100) => "admin".to_owned(),
        Some(50) => "moderator".to_owned(),
        Some(0) => "member".to_owned(),
        Some(level) => format!("level {level}"),
    }
}
