//! What the host owes to other servers: the trait [`Outbox`], and the words it speaks in.

use std::time::SystemTime;

use async_trait::async_trait;
use ruma::{OwnedServerName, ServerName, api::federation::transactions::edu::Edu, serde::Raw};
use serde_json::value::RawValue;

/// How far a destination has everything. Minted and read by the host only; positions of its log, written as it likes.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Cursor(pub String);

/// The most that [`Outbox::owed`] may return.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Owed {
    pub pdus_max: usize,
    pub edus_max: usize,
}

/// The oldest part of what a destination is owed, in the order of the log.
#[derive(Debug, Clone)]
pub struct Batch {
    /// Events as they are sent, byte for byte.
    pub pdus: Vec<Box<RawValue>>,
    /// To-device messages, device list updates: EDUs that must arrive.
    pub edus: Vec<Raw<Edu>>,
    /// What to report once exactly this has arrived.
    pub upto: Cursor,
}

/// A destination that did not answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retry {
    /// Attempts that failed in a row; 0 when it answered again.
    pub failures: u32,
    /// No attempt before this.
    pub retry_at: SystemTime,
}

/// The host's log could not be read or written. Tried again later.
#[derive(Debug, thiserror::Error)]
#[error("the outbox failed: {0}")]
pub struct OutboxError(pub String);

/// What we owe to whom. The host keeps it; nothing in it is forgotten before it was delivered.
#[async_trait]
pub trait Outbox: Send + Sync + 'static {
    /// Every server that is owed something; asked once, at start.
    async fn destinations_with_debts(&self) -> Result<Vec<OwnedServerName>, OutboxError>;

    /// The oldest debts after the destination's cursor; nothing if it has everything.
    ///
    /// A batch may be empty and still carry an `upto` (the log moved, none of it concerned the destination): it is
    /// reported as delivered without being sent.
    async fn owed(
        &self,
        destination: &ServerName,
        limit: Owed,
    ) -> Result<Option<Batch>, OutboxError>;

    /// Moves the destination's cursor and forgets its failures.
    async fn delivered(&self, destination: &ServerName, upto: &Cursor) -> Result<(), OutboxError>;

    /// Remembers that `destination` did not answer, so that a restart does not knock at once on every dead door.
    async fn record_failure(
        &self,
        destination: &ServerName,
        retry: Retry,
    ) -> Result<(), OutboxError>;

    /// What [`Outbox::record_failure`] remembered since the last delivery.
    async fn load_retry(&self, destination: &ServerName) -> Result<Option<Retry>, OutboxError>;
}
