//! What one does to a chat, the people in it and one's own account, beside talking.

use super::{ChatId, RightName, Secret, UserId};
use std::path::PathBuf;

/// A change that others see, or that the account keeps. Done, the list it belongs to is reported anew.
#[derive(Debug, Clone, PartialEq)]
pub enum Manage {
    Remove {
        chat: ChatId,
        user: UserId,
    },
    Ban {
        chat: ChatId,
        user: UserId,
    },
    Unban {
        chat: ChatId,
        user: UserId,
    },
    SetLevel {
        chat: ChatId,
        user: UserId,
        level: i64,
    },
    SetRight {
        chat: ChatId,
        right: RightName,
        level: i64,
    },
    /// Name and topic (`None` leaves it as it is).
    Describe {
        chat: ChatId,
        name: Option<String>,
        topic: Option<String>,
    },
    NewChannel {
        name: String,
        topic: String,
        public: bool,
    },
    NewSpace {
        name: String,
    },
    /// Puts a chat into a space.
    AddToSpace {
        space: ChatId,
        chat: ChatId,
    },
    /// Asks to be let into a room.
    Knock {
        chat: String,
        reason: String,
    },
    /// The chat with oneself: the one there is, or a new one.
    OpenSaved,
    RenameSession {
        device: String,
        name: String,
    },
    /// Ends another session of one's own; servers want the password for it.
    EndSession {
        device: String,
        password: Secret,
    },
    Ignore {
        user: UserId,
        ignored: bool,
    },
    /// Tells the server's owner about a message, or about a whole chat.
    Report {
        chat: ChatId,
        message: Option<String>,
        reason: String,
    },
    /// A new recovery key in place of the old one.
    RotateRecovery,
    /// New signing keys and a new backup: for who has lost recovery key and all verified sessions.
    ResetIdentity {
        password: Secret,
    },
    ExportKeys {
        path: PathBuf,
        passphrase: Secret,
    },
    ImportKeys {
        path: PathBuf,
        passphrase: Secret,
    },
    /// The changed identity of somebody has been seen: warn no more.
    AcceptIdentity {
        user: UserId,
    },
}
