//! A list over the screen to choose from: pinned messages, threads, what a search found, chats to forward to, links, the
//! parts of a message to quote.

use super::field::TextField;
use crate::backend::{AccountId, ChatId, Hit, Listing, Message, MessageKey, Shared};
use std::collections::BTreeSet;

/// What choosing does.
#[derive(Debug, Clone, PartialEq)]
pub enum Purpose {
    /// Goes to the message.
    Jump { chat: ChatId, listing: Listing },
    /// Sends messages to the chat.
    Forward { chat: ChatId, messages: Vec<MessageKey> },
    /// Quotes the part, or all that are marked.
    Quote(Box<Message>),
    /// Opens or copies the address.
    Link,
    /// Does with the accounts what the row says.
    Accounts(Vec<Choice>),
}

/// What a row of the accounts stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Choice {
    All,
    One(AccountId),
    Add,
    LogOut(AccountId),
}

/// One row.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Row {
    pub text: String,
    /// What else is said of it, in a quieter colour.
    pub quiet: String,
    /// What it stands for: an event, a chat, an address.
    pub value: String,
}

/// The list.
#[derive(Debug, Clone, PartialEq)]
pub struct Picker {
    pub purpose: Purpose,
    pub title: String,
    /// What is typed; where nothing can be, it stays empty.
    pub query: TextField,
    pub rows: Vec<Row>,
    pub selected: usize,
    pub marked: BTreeSet<usize>,
    /// More rows may come.
    pub busy: bool,
    /// What to say when there are none.
    pub empty: &'static str,
}

impl Picker {
    /// An empty one.
    pub fn new(purpose: Purpose, title: impl Into<String>, empty: &'static str) -> Picker {
        Picker {
            purpose,
            title: title.into(),
            query: TextField::default(),
            rows: Vec::new(),
            selected: 0,
            marked: BTreeSet::new(),
            busy: false,
            empty,
        }
    }

    /// Whether something can be typed.
    pub fn takes_text(&self) -> bool {
        matches!(
            self.purpose,
            Purpose::Forward { .. } | Purpose::Jump { listing: Listing::Search(_), .. }
        )
    }

    /// The kind of what was shared that it lists.
    pub fn shared(&self) -> Option<Shared> {
        match self.purpose {
            Purpose::Jump { listing: Listing::Shared(what), .. } => Some(what),
            _ => None,
        }
    }

    /// Whether rows can be marked.
    pub fn marks(&self) -> bool {
        matches!(self.purpose, Purpose::Quote(_))
    }
}

/// A message of a list as a row; `when` is its day and time.
pub fn row_of(hit: &Hit, when: &str) -> Row {
    let note = hit.note.as_ref().map(|note| format!(", {note}")).unwrap_or_default();
    Row {
        text: format!("{}: {}", hit.sender_name, hit.text.lines().next().unwrap_or_default()),
        quiet: format!("{when}{note}"),
        value: hit.event.clone(),
    }
}

/// A text in the parts one may want to quote: its lines, long ones sentence by sentence.
pub fn parts(text: &str) -> Vec<String> {
    text.lines()
        .flat_map(|line| line.split_inclusive(['.', '!', '?', '。', '！', '？']))
        .map(str::trim)
        .filter(|part| !part.is_empty())
        .fold(Vec::new(), |mut parts: Vec<String>, part| {
            // A number or an abbreviation ends no sentence.
            match parts.last_mut() {
                Some(last) if part.chars().count() < 4 => last.push_str(part),
                _ => parts.push(part.to_owned()),
            }
            parts
        })
}

#[cfg(test)]
mod tests {
    use super::parts;

    #[test]
    fn a_text_is_quoted_by_sentences_and_lines() {
        let text = "Come at eight. Bring bread!\nAnd what about tea?";
        assert_eq!(parts(text), ["Come at eight.", "Bring bread!", "And what about tea?"]);
        assert_eq!(parts("日本語。はい。"), ["日本語。はい。"]);
    }
}
