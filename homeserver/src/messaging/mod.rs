//! Rooms and events: how events enter rooms, how state is kept, who may see what.
//!
//! Not here: how people learn of it (`notification`). Called by the doors. It may use storage, auth, media, account.
//! Its state is [`Engine`]: the rooms in memory.

mod applied;
mod build;
mod engine;
mod highlights;
mod redact;
mod remote;

pub mod create_room;
pub mod membership;
pub mod pdu;
pub mod power;
pub mod room;
pub mod send;
pub mod state;
pub mod stripped;
pub mod typing;

pub use build::{Building, Draft};
pub use engine::Engine;
pub use pdu::Pdu;
pub use room::{Member, Membership, Room};

use crate::storage;

/// Why a room would not do what was asked.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    #[error("this server does not know that room")]
    RoomNotFound,
    #[error("no such event")]
    EventNotFound,
    /// The room's rules, or the user's standing, do not allow it; the text says which.
    #[error("{0}")]
    Forbidden(String),
    /// The event is not one the specification allows.
    #[error("{0}")]
    BadEvent(String),
    /// A parameter of the request is not valid.
    #[error("{0}")]
    InvalidParam(String),
    #[error("the event is too large: {0}")]
    TooLarge(String),
    #[error("the alias is taken")]
    AliasTaken,
    #[error("this server does not support room version {0}")]
    UnsupportedRoomVersion(String),
    /// Another server refused or did not answer.
    #[error("{server}: {reason}")]
    Remote { server: String, reason: String },
    #[error(transparent)]
    Storage(#[from] storage::Error),
}

impl Error {
    pub(crate) fn bad_event(error: impl std::fmt::Display) -> Self {
        Self::BadEvent(error.to_string())
    }
}

impl From<pdu::PduError> for Error {
    fn from(error: pdu::PduError) -> Self {
        match error {
            pdu::PduError::Malformed(text) => Self::BadEvent(text),
            other => Self::TooLarge(other.to_string()),
        }
    }
}
