//! Rooms and events: how events enter rooms, how state is kept, who may see what.
//!
//! Not here: how people learn of it (`notification`). Called by the doors. It may use storage, auth, media, account.
//! Its state is [`Engine`]: the rooms in memory.

mod acl;
mod announce;
mod applied;
mod backfill;
mod build;
mod engine;
mod exceptions;
mod funnel;
mod import;
mod inbound;
mod introduction;
mod invite_permission;
mod load;
mod loaded;
mod merge;
mod readings;
mod redact;
pub mod remote;
mod resolve;
mod sent;
mod serial;

pub mod aliases;
pub mod by_time;
pub mod check;
pub mod client_event;
pub mod create_room;
mod draft;
pub mod event_filter;
pub mod federation_reads;
pub mod history;
pub mod jobs;
pub mod keys;
pub mod membership;
pub mod notified;
pub mod pdu;
pub mod power;
pub mod presence;
pub mod receipts;
pub mod reception;
pub mod relations;
pub mod resident;
pub mod room;
pub mod search;
pub mod send;
pub mod shares;
mod signed;
pub mod spaces;
pub mod state;
pub mod state_at;
pub mod state_checks;
pub mod stripped;
pub mod summary;
pub mod sync_view;
pub mod threads;
pub mod tokens;
pub mod typing;
pub mod unread;
pub mod upgrade;
pub mod visibility;
pub mod wishes;

pub use build::Building;
pub use draft::{Draft, Transaction};
pub use engine::Engine;
pub use load::Ahead;
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
    /// Only who is out of a room may forget it.
    #[error("leave the room before forgetting it")]
    StillIn,
    /// The user takes no invitations.
    #[error("that user takes no invitations")]
    InviteBlocked,
    #[error("the alias is taken")]
    AliasTaken,
    #[error("{0} does not lead to this room")]
    BadAlias(String),
    #[error("this server does not support room version {0}")]
    UnsupportedRoomVersion(String),
    /// A join for which we cannot tell whether the user is in one of the rooms whose members may.
    #[error("this server cannot tell whether that user may join")]
    UnableToAuthoriseJoin,
    /// A join that nobody of ours may vouch for.
    #[error("nobody of this server may let that user in")]
    UnableToGrantJoin,
    /// The other server cannot take part in a room of this version.
    #[error("the room has version {0}")]
    IncompatibleRoomVersion(ruma::RoomVersionId),
    /// Another server refused or did not answer.
    #[error("{server}: {reason}")]
    Remote { server: String, reason: String },
    #[error(transparent)]
    Storage(#[from] storage::Error),
}

impl Error {
    /// Whether the same may work later: another server, or our own database, was not to be had.
    pub(crate) fn may_pass(&self) -> bool {
        matches!(self, Self::Remote { .. } | Self::Storage(_))
    }

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
