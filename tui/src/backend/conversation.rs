//! What belongs to conversations only: messages, how they hang together, and the ways to look at a chat besides its newest end.

use super::{MessageKey, Ticks, UserId};
use serde::{Deserialize, Serialize};

/// An event id such as `$abc`, as text.
pub type EventId = String;

/// One item of a conversation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Message {
    pub key: MessageKey,
    /// Milliseconds since the Unix epoch, the sender's clock.
    pub at_ms: u64,
    pub sender: UserId,
    pub sender_name: String,
    pub own: bool,
    pub body: Body,
    pub edited: bool,
    /// Name and first line of what this replies to.
    pub reply: Option<(String, String)>,
    /// Reaction, how many, one's own among them.
    pub reactions: Vec<(String, u32, bool)>,
    pub ticks: Option<Ticks>,
    /// Names of the others whose receipt stands on this message.
    pub read_by: Vec<String>,
    /// What is doubtful about its encryption, in words; `None` is fine.
    pub warning: Option<String>,
    #[serde(default)]
    pub relations: Relations,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Body {
    /// Plain text; `html` is the sanitised formatted body, where there is one.
    Text {
        text: String,
        html: Option<String>,
    },
    Emote(String),
    Notice(String),
    /// An attachment: what it is, its name, its size.
    File {
        kind: FileKind,
        name: String,
        bytes: Option<u64>,
        caption: Option<String>,
        /// Width and height of a picture, as its sender says.
        #[serde(default)]
        pixels: Option<(u32, u32)>,
        /// What a picture looks like from afar.
        #[serde(default)]
        blurhash: Option<String>,
    },
    Deleted,
    /// Could not be decrypted: why, and what the user can do.
    Undecryptable {
        reason: String,
    },
    /// Joins, names, topics: one quiet line.
    Service(String),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum FileKind {
    Image,
    Video,
    Audio,
    File,
    Sticker,
}

/// How a message hangs together with others.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Relations {
    /// Its own id, once the server has given it one.
    pub event: Option<EventId>,
    /// What it replies to.
    pub reply_to: Option<EventId>,
    /// The message its thread began with.
    pub thread: Option<EventId>,
    /// It is pinned.
    pub pinned: bool,
}

/// What a page that a message links to says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LinkPreview {
    pub title: Option<String>,
    /// What the page calls its site.
    pub site: Option<String>,
    pub description: Option<String>,
}

/// Which part of a chat is looked at.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum View {
    /// The newest messages.
    #[default]
    Newest,
    /// The messages around this one.
    Around(EventId),
    /// The thread that began with this message.
    Thread(EventId),
}

/// What a list of messages has in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Listing {
    Pinned,
    Threads,
    Search(String),
    Shared(Shared),
}

/// A kind of what people have shared in a chat.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shared {
    /// Pictures and videos.
    Pictures,
    /// Files, music and voices among them.
    Files,
    Links,
}

/// A message in a list.
#[derive(Debug, Clone, PartialEq)]
pub struct Hit {
    pub event: EventId,
    pub sender_name: String,
    /// Milliseconds since the Unix epoch.
    pub at_ms: u64,
    pub text: String,
    /// What else is to be said of it, such as how many replies.
    pub note: Option<String>,
}
