//! The memory of the server: one database, SQLite or PostgreSQL, behind functions in domain words.
//!
//! Only this floor knows sea-orm. Reads go to [`Database::read`]; every write goes through the one writer
//! ([`Database::write`] for anything, [`Database::append`] for events), which commits in groups and answers after the
//! commit. Rows stay in here; a list always has an order and a limit.

mod append;
mod boots;
mod changes;
mod checkpoint;
mod entity;
mod event_ids;
mod ids;
mod insert;
mod kept;
mod migration;
mod names;
mod open;
mod outbox;
mod search_file;
mod sql;
mod writer;

pub mod account_data;
pub mod accounts;
pub mod cross_signing;
pub mod device_keys;
pub mod device_lists;
pub mod devices;
pub mod emails;
pub mod events;
pub mod gaps;
pub mod jobs;
pub mod key_backup;
pub mod loading;
pub mod media;
pub mod moments;
pub mod mutual_rooms;
pub mod one_time_keys;
pub mod outbound_edus;
pub mod profiles;
pub mod purge;
pub mod receipts;
pub mod relations;
pub mod reports;
pub mod retention;
pub mod rooms;
pub mod search;
pub mod threads;
pub mod to_device;
pub mod tokens;

mod server_keys;
pub mod staging;
pub mod unread;

pub use append::{
    EventBatch, Membership, NewAuth, NewEvent, NewRoom, NewSnapshot, Redaction, Relation,
    RoomUpdate, Thread, TransactionKey, UserAction,
};
pub use changes::{Changes, Topic};
pub(crate) use insert::insert;
pub use kept::Kept;
pub use names::{Names, StateKey};
pub use open::Database;
pub use sql::{Row, row};
pub use writer::{Txn, Written};

pub(crate) use sql::{execute, query_all, query_one, values};

/// An interned id: of an event, room, user, server, device, state key or snapshot. Never compared for order.
pub type Id = i64;
/// A place in the one order of commits. What sync and federation read.
pub type Position = i64;

/// Why the database would not answer.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// The database refused or failed; the text is its own.
    #[error("database: {0}")]
    Database(String),
    /// No room left on the disk: reads go on, writes fail until there is some.
    #[error("the disk is full")]
    DiskFull,
    /// What this builds on could not be stored; tried again, it builds on what is.
    #[error("an earlier event of this room could not be stored")]
    Undone,
    /// A stored value does not read as what it must be.
    #[error("stored {what} is damaged")]
    Damaged { what: &'static str },
    /// The file or database cannot be used by this program.
    #[error("{0}")]
    Unusable(String),
    /// The server is stopping.
    #[error("the server is stopping")]
    Stopping,
}

impl From<sea_orm::DbErr> for Error {
    fn from(error: sea_orm::DbErr) -> Self {
        Self::from_text(error.to_string())
    }
}

impl Error {
    /// By what the database says.
    fn from_text(text: String) -> Self {
        if says_full(&text) { Self::DiskFull } else { Self::Database(text) }
    }
}

/// Whether what a database says means that the disk is full.
fn says_full(text: &str) -> bool {
    // 4874: SQLite could not make the index of its log (SHMSIZE) larger.
    const SIGNS: [&str; 4] =
        ["database or disk is full", "(code: 4874)", "No space left", "could not extend file"];
    SIGNS.iter().any(|sign| text.contains(sign))
}
