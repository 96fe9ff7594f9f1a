//! What the host keeps for this crate, in memory: an outbox and a key store.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Mutex, MutexGuard, PoisonError},
};

use async_trait::async_trait;
use ruma::{OwnedServerName, ServerName, api::federation::transactions::edu::Edu, serde::Raw};
use serde_json::value::RawValue;
use tokio::sync::watch;

use crate::{
    key_ring::{KeyStore, KeyStoreError, ServerKeys},
    outbound::{Batch, Cursor, Outbox, OutboxError, Owed, Retry},
};

/// One entry of the log: owed to one destination.
#[derive(Debug, Clone)]
enum Entry {
    Pdu(Box<RawValue>),
    Edu(Raw<Edu>),
}

/// An outbox in memory: one log, one cursor per destination.
#[derive(Debug, Default)]
pub struct MemoryOutbox {
    state: Mutex<OutboxState>,
    changed: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct OutboxState {
    log: Vec<(OwnedServerName, Entry)>,
    cursors: HashMap<OwnedServerName, usize>,
    retries: BTreeMap<OwnedServerName, Retry>,
}

impl MemoryOutbox {
    /// Appends a PDU for `destination`. Waking the sender is the caller's.
    pub fn owe_pdu(&self, destination: &ServerName, pdu: Box<RawValue>) {
        self.state().log.push((destination.to_owned(), Entry::Pdu(pdu)));
    }

    /// Appends an EDU that must arrive.
    pub fn owe_edu(&self, destination: &ServerName, edu: Raw<Edu>) {
        self.state().log.push((destination.to_owned(), Entry::Edu(edu)));
    }

    /// What was remembered of a destination that did not answer.
    pub fn retry(&self, destination: &ServerName) -> Option<Retry> {
        self.state().retries.get(destination).copied()
    }

    /// Returns once `destination` has everything.
    pub async fn until_settled(&self, destination: &ServerName) {
        self.until(|state| state.debts(destination).next().is_none()).await;
    }

    /// Returns once `failures` failures in a row were remembered for `destination`.
    pub async fn until_failed(&self, destination: &ServerName, failures: u32) {
        self.until(|state| {
            state.retries.get(destination).is_some_and(|retry| retry.failures >= failures)
        })
        .await;
    }

    async fn until(&self, done: impl Fn(&OutboxState) -> bool) {
        let mut changed = self.changed.subscribe();
        while !done(&self.state()) {
            // The sender lives in `self`, so the channel cannot be closed.
            let _open = changed.changed().await;
        }
    }

    fn state(&self) -> MutexGuard<'_, OutboxState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note_change(&self) {
        self.changed.send_modify(|changes| *changes += 1);
    }
}

impl OutboxState {
    /// The entries owed to `destination` after its cursor, with their positions.
    fn debts<'a>(
        &'a self,
        destination: &'a ServerName,
    ) -> impl Iterator<Item = (usize, &'a Entry)> + 'a {
        let from = self.cursors.get(destination).copied().unwrap_or_default();
        let entries = self.log.iter().enumerate().skip(from);
        entries.filter(move |(_, (owed_to, _))| owed_to == destination).map(|(at, (_, e))| (at, e))
    }
}

#[async_trait]
impl Outbox for MemoryOutbox {
    async fn destinations_with_debts(&self) -> Result<Vec<OwnedServerName>, OutboxError> {
        let state = self.state();
        let mut destinations: Vec<_> = state.log.iter().map(|(to, _)| to.clone()).collect();
        destinations.sort();
        destinations.dedup();
        destinations.retain(|destination| state.debts(destination).next().is_some());
        Ok(destinations)
    }

    async fn owed(
        &self,
        destination: &ServerName,
        limit: Owed,
    ) -> Result<Option<Batch>, OutboxError> {
        let state = self.state();
        let mut batch = Batch { pdus: Vec::new(), edus: Vec::new(), upto: Cursor(String::new()) };
        for (position, entry) in state.debts(destination) {
            match entry {
                Entry::Pdu(pdu) if batch.pdus.len() < limit.pdus_max => {
                    batch.pdus.push(pdu.clone());
                }
                Entry::Edu(edu) if batch.edus.len() < limit.edus_max => {
                    batch.edus.push(edu.clone());
                }
                _ => break,
            }
            batch.upto = Cursor((position + 1).to_string());
        }
        Ok((!batch.upto.0.is_empty()).then_some(batch))
    }

    async fn delivered(&self, destination: &ServerName, upto: &Cursor) -> Result<(), OutboxError> {
        let upto = upto.0.parse().map_err(|_| OutboxError("not our cursor".to_owned()))?;
        let mut state = self.state();
        state.cursors.insert(destination.to_owned(), upto);
        state.retries.remove(destination);
        drop(state);
        self.note_change();
        Ok(())
    }

    async fn record_failure(
        &self,
        destination: &ServerName,
        retry: Retry,
    ) -> Result<(), OutboxError> {
        self.state().retries.insert(destination.to_owned(), retry);
        self.note_change();
        Ok(())
    }

    async fn load_retry(&self, destination: &ServerName) -> Result<Option<Retry>, OutboxError> {
        Ok(self.state().retries.get(destination).copied())
    }
}

/// A key store in memory.
#[derive(Debug, Default)]
pub struct MemoryKeyStore {
    keys: Mutex<HashMap<OwnedServerName, ServerKeys>>,
}

#[async_trait]
impl KeyStore for MemoryKeyStore {
    async fn load(&self, server: &ServerName) -> Result<Option<ServerKeys>, KeyStoreError> {
        Ok(self.keys.lock().unwrap_or_else(PoisonError::into_inner).get(server).cloned())
    }

    async fn save(&self, keys: &ServerKeys) -> Result<(), KeyStoreError> {
        let mut all = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        all.insert(keys.server_name.clone(), keys.clone());
        Ok(())
    }
}
