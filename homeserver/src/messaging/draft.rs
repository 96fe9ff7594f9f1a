//! `Draft`: an event before it is one.

use ruma::{CanonicalJsonObject, OwnedEventId, OwnedUserId, events::TimelineEventType};

use crate::storage::Id;

/// What a user of this server wants to send, before it is an event.
#[derive(Debug, Clone)]
pub struct Draft {
    pub sender: OwnedUserId,
    pub event_type: TimelineEventType,
    pub state_key: Option<String>,
    pub content: CanonicalJsonObject,
    pub redacts: Option<OwnedEventId>,
    /// Milliseconds since the epoch, where an application service says when it was.
    pub at_ms: Option<i64>,
    /// The device's request that this answers.
    pub transaction: Option<Transaction>,
}

/// A device's request, by which a repeated one is known. Its id counts for one endpoint, path included
/// ([spec](https://spec.matrix.org/v1.19/client-server-api/#transaction-identifiers)).
#[derive(Debug, Clone)]
pub struct Transaction {
    pub device: Id,
    pub endpoint: String,
    pub txn_id: String,
}

impl Draft {
    /// A draft of a message-like event.
    pub fn message(
        sender: OwnedUserId,
        event_type: TimelineEventType,
        content: CanonicalJsonObject,
    ) -> Self {
        Self {
            sender,
            event_type,
            state_key: None,
            content,
            redacts: None,
            at_ms: None,
            transaction: None,
        }
    }

    /// A draft of a state event.
    pub fn state(
        sender: OwnedUserId,
        event_type: impl Into<TimelineEventType>,
        state_key: impl Into<String>,
        content: CanonicalJsonObject,
    ) -> Self {
        Self {
            state_key: Some(state_key.into()),
            ..Self::message(sender, event_type.into(), content)
        }
    }
}
