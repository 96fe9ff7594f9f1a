//! Lists that are asked for and shown to choose from: members, people, rooms, sessions, messages.

use super::{ChatId, UserId};

/// Which list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Listed {
    /// Everybody in a chat, and who was banned from it or asks to be let in.
    Members(ChatId),
    /// Who may do what in a chat.
    Rights(ChatId),
    /// People with this name, email address or id.
    People(String),
    /// Public rooms of one's own server, or of the one named after `@`.
    Directory(String),
    /// The rooms of a space.
    Space(ChatId),
    /// One's own sessions.
    Sessions,
    /// Whom one ignores.
    Ignored,
    /// Messages with these words, in all chats.
    Messages(String),
}

/// One row of a list.
#[derive(Debug, Clone, PartialEq)]
pub enum Item {
    Member(Member),
    Right(Right),
    Person(Person),
    Room(PublicRoom),
    Session(DeviceInfo),
    Ignored(UserId),
    Message(FoundMessage),
}

/// Somebody in a chat.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    pub user: UserId,
    pub name: String,
    pub membership: Membership,
    /// Power level; `None`: above all levels, the room's creator.
    pub level: Option<i64>,
    pub can: MemberPowers,
    pub verified: bool,
}

/// What the user may do to a member.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct MemberPowers {
    pub remove: bool,
    pub ban: bool,
    pub invite: bool,
    pub set_role: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Membership {
    Joined,
    Invited,
    /// Asks to be let in.
    Knocking,
    Banned,
}

/// Something one needs a power level for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Right {
    pub what: RightName,
    pub level: i64,
    /// The user may change it.
    pub can_set: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RightName {
    Write,
    Invite,
    Remove,
    Ban,
    DeleteOthers,
    Rename,
    SetTopic,
    OtherSettings,
}

/// Somebody found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    pub user: UserId,
    pub name: Option<String>,
}

/// A room in a directory or a space.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicRoom {
    /// What joining takes: its alias, else its id.
    pub address: String,
    pub id: ChatId,
    pub name: String,
    pub topic: Option<String>,
    pub members: u64,
    pub space: bool,
    pub joined: bool,
}

/// One of the user's own sessions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceInfo {
    pub id: String,
    pub name: String,
    pub seen_ms: Option<u64>,
    pub ip: Option<String>,
    pub verified: bool,
    /// This very session.
    pub own: bool,
}

/// A message found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundMessage {
    pub chat: ChatId,
    pub event: String,
    pub sender: String,
    pub text: String,
    pub at_ms: u64,
}
