//! Filling a transaction: at most 50 PDUs and 100 EDUs, and an id that a repeated attempt has again. Pure.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::{SystemTime, UNIX_EPOCH},
};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use ruma::{
    MilliSecondsSinceUnixEpoch, OwnedServerName, OwnedTransactionId,
    api::federation::transactions::{edu::Edu, send_transaction_message::v1},
    serde::Raw,
};
use serde_json::value::RawValue;
use sha2::{Digest as _, Sha256};

use super::outbox::{Batch, Cursor};
use crate::inbound::EDUS_MAX;

/// EDUs that must arrive, in one transaction; the rest of the hundred is for typing, receipts and presence.
pub(super) const PERSISTED_EDUS_MAX: usize = EDUS_MAX - 20;

/// One transaction, ready to be sent as often as it takes.
#[derive(Debug, Clone)]
pub(super) struct Transaction {
    pub(super) id: OwnedTransactionId,
    pdus: Vec<Box<RawValue>>,
    edus: Vec<Raw<Edu>>,
    /// Sent in the first attempt only: an old "is typing" is worth nothing.
    ephemerals: Vec<Raw<Edu>>,
    /// What to report when it has arrived; nothing for one of several pieces.
    pub(super) upto: Option<Cursor>,
}

/// Names for transactions that hold nothing that must arrive.
#[derive(Debug)]
pub(super) struct Counter {
    started_ms: u128,
    next: AtomicU64,
}

impl Counter {
    pub(super) fn new(now: SystemTime) -> Self {
        let started_ms = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
        Self { started_ms, next: AtomicU64::new(0) }
    }
}

impl Transaction {
    /// A batch of debts with what is passing by. The id depends on the debts alone, so that it stays the same in a second
    /// attempt, after a restart too; different debts never share one.
    pub(super) fn of_debts(batch: Batch, ephemerals: Vec<Raw<Edu>>) -> Self {
        let mut hash = Sha256::new();
        let items = batch.pdus.iter().map(|pdu| pdu.get());
        for item in items.chain(batch.edus.iter().map(|edu| edu.json().get())) {
            hash.update(item.len().to_le_bytes());
            hash.update(item);
        }
        hash.update(&batch.upto.0);
        let id = URL_SAFE_NO_PAD.encode(hash.finalize()).into();
        Self { id, pdus: batch.pdus, edus: batch.edus, ephemerals, upto: Some(batch.upto) }
    }

    /// A transaction of ephemeral EDUs only: sent once, never again.
    pub(super) fn of_ephemerals(ephemerals: Vec<Raw<Edu>>, counter: &Counter) -> Self {
        let number = counter.next.fetch_add(1, Ordering::Relaxed);
        let id = format!("e{}-{number}", counter.started_ms).into();
        Self { id, pdus: Vec::new(), edus: Vec::new(), ephemerals, upto: None }
    }

    /// Whether there is anything to send.
    pub(super) fn is_empty(&self) -> bool {
        self.pdus.is_empty() && self.edus.is_empty() && self.ephemerals.is_empty()
    }

    /// Whether losing it loses anything.
    pub(super) fn must_arrive(&self) -> bool {
        self.upto.is_some() || !self.pdus.is_empty() || !self.edus.is_empty()
    }

    /// Ready for another attempt.
    pub(super) fn drop_ephemerals(&mut self) {
        self.ephemerals.clear();
    }

    /// Whether it holds more than one thing that must arrive.
    pub(super) fn can_be_split(&self) -> bool {
        self.pdus.len() + self.edus.len() > 1
    }

    /// One transaction for each debt, so that one item that the other side cannot stand does not take others with it.
    pub(super) fn split(self) -> Vec<Self> {
        let upto = self.upto.clone().unwrap_or_else(|| Cursor(String::new()));
        let pdus = self.pdus.into_iter().map(|pdu| (vec![pdu], Vec::new()));
        let edus = self.edus.into_iter().map(|edu| (Vec::new(), vec![edu]));
        let mut pieces: Vec<Self> = pdus
            .chain(edus)
            .map(|(pdus, edus)| {
                let piece = Batch { pdus, edus, upto: upto.clone() };
                Self { upto: None, ..Self::of_debts(piece, Vec::new()) }
            })
            .collect();
        if let Some(last) = pieces.last_mut() {
            last.upto = self.upto;
        }
        pieces
    }

    /// As it goes over the wire.
    pub(super) fn to_request(
        &self,
        origin: OwnedServerName,
        now: MilliSecondsSinceUnixEpoch,
    ) -> v1::Request {
        let mut request = v1::Request::new(self.id.clone(), origin, now);
        request.pdus.clone_from(&self.pdus);
        request.edus = self.edus.iter().chain(&self.ephemerals).cloned().collect();
        request
    }
}
