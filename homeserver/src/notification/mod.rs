//! How people learn of it: sync, as v3, as sliding windows, and pushed over a socket.
//!
//! Not here: rooms and events themselves (`messaging`). Called by the doors. Its state is [`Sync`]: what only this
//! process knows of its clients.

mod account_data;
mod ahead;
mod devices;
mod ephemeral;
mod fields;
mod filter;
mod lazy;
mod presence;
pub mod response;
mod room;
mod sliding;
pub mod socket;
mod summary;
mod sync;
mod wait;

use std::sync::Arc;

use crate::{
    account::AccountError,
    messaging::{Engine, tokens::SyncToken},
    storage::Kept,
};

pub use filter::stored_filter;
pub use sliding::{Answer as SlidingAnswer, Request as SlidingRequest, sliding_sync, wire};
pub use sync::{SyncRequest, sync};

/// Devices that are kept in mind.
const DEVICES_MAX: usize = 20_000;

/// The state of this floor. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Sync(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    /// Tells the tokens of this process from those of an earlier one: serials of what passes begin anew.
    boot: u32,
    lazy: lazy::Told,
    connections: sliding::Connections,
    rules: sliding::SharedRules,
    sockets: socket::Sockets,
    /// What devices have left of their keys, and which have messages waiting.
    keys: Kept<Arc<devices::Keys>>,
    queues: Kept<bool>,
}

impl Sync {
    /// The floor as it is at a start. `boot`: [`crate::storage::Database::boot`].
    pub fn new(boot: u32) -> Self {
        Self(Arc::new(Inner {
            boot,
            lazy: lazy::Told::default(),
            connections: sliding::Connections::default(),
            rules: sliding::SharedRules::default(),
            sockets: socket::Sockets::default(),
            keys: Kept::new(DEVICES_MAX),
            queues: Kept::new(DEVICES_MAX),
        }))
    }
}

impl Sync {
    /// The newest token: everything up to it is committed and in memory.
    async fn now(&self, engine: &Engine) -> SyncToken {
        // The serial first: a change after it is told by the next sync too, never by none.
        let serial = engine.serial();
        let position = engine.settled_position().await;
        let epoch = engine.app().db.epoch().to_owned();
        SyncToken { epoch, position, to_device: position, boot: self.0.boot, serial }
    }

    /// The token if it is one that this database can continue from.
    fn known(&self, engine: &Engine, text: &str, now: &SyncToken) -> Option<SyncToken> {
        let token = SyncToken::parse(text)?;
        let db = &engine.app().db;
        let has_told = db.has_told(Some(token.boot), token.position);
        if token.epoch != db.epoch() || token.position > now.position || !has_told {
            return None;
        }
        if token.boot != self.0.boot {
            return Some(SyncToken { boot: self.0.boot, serial: 0, ..token });
        }
        Some(token)
    }
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The `pos` is not one this connection can continue from.
    #[error("this position has expired, start again without one")]
    UnknownPos,
    /// A parameter of the request is not valid.
    #[error("{0}")]
    InvalidParam(String),
    #[error("no such filter")]
    UnknownFilter,
    #[error(transparent)]
    Account(#[from] AccountError),
    #[error(transparent)]
    Messaging(#[from] crate::messaging::Error),
    #[error(transparent)]
    Storage(#[from] crate::storage::Error),
}

impl Error {
    /// Whether asking again may help; other errors belong to one room and must not fail the rest.
    fn is_passing(&self) -> bool {
        use crate::{messaging, storage};

        let (Self::Storage(error)
        | Self::Account(AccountError::Storage(error))
        | Self::Messaging(messaging::Error::Storage(error))) = self
        else {
            return false;
        };
        !matches!(error, storage::Error::Damaged { .. })
    }
}
