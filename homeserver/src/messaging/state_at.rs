//! A room's state at one of its events, read from snapshots that are shared and kept for a while.
//!
//! Called by `visibility`, `client_event` and `sync_view`. Writing snapshots is `build`'s.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use super::{
    Engine, Error,
    state::{self, Lineage, Link},
};
use crate::storage::{self, Id, rooms};

/// Entries (16 bytes and their tree) the cache holds before it forgets the older half.
const CACHE_ENTRIES_MAX: usize = 400_000;

/// Two generations of recently read snapshots: the older is dropped when the newer is full.
#[derive(Debug, Default)]
pub(super) struct SnapshotCache(Mutex<Generations>);

#[derive(Debug, Default)]
struct Generations {
    young: HashMap<Id, (Arc<Link>, Option<Id>)>,
    old: HashMap<Id, (Arc<Link>, Option<Id>)>,
    young_entries: usize,
}

impl SnapshotCache {
    fn get(&self, id: Id) -> Option<(Arc<Link>, Option<Id>)> {
        let mut cache = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = cache.young.get(&id) {
            return Some(found.clone());
        }
        let found = cache.old.remove(&id)?;
        cache.insert(found.clone());
        Some(found)
    }

    pub(super) fn keep(&self, link: (Arc<Link>, Option<Id>)) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(link);
    }
}

impl Generations {
    fn insert(&mut self, link: (Arc<Link>, Option<Id>)) {
        self.young_entries += link.0.delta.len() + 8;
        self.young.insert(link.0.id, link);
        if self.young_entries > CACHE_ENTRIES_MAX / 2 {
            self.old = std::mem::take(&mut self.young);
            self.young_entries = 0;
        }
    }
}

impl Engine {
    /// As [`Engine::state_at`], for a snapshot that may have been dropped since: then the empty state.
    pub async fn known_state_at(&self, snapshot: Option<Id>) -> Result<Lineage, Error> {
        match self.state_at(snapshot).await {
            Err(Error::Storage(storage::Error::Damaged { .. })) => Ok(Lineage::default()),
            other => other,
        }
    }

    /// The state that `snapshot` stands for.
    pub async fn state_at(&self, snapshot: Option<Id>) -> Result<Lineage, Error> {
        let damaged = || Error::Storage(storage::Error::Damaged { what: "state snapshot" });
        let (mut links, mut next) = (Vec::new(), snapshot);
        while let Some(id) = next {
            let (link, parent) = match self.snapshots().get(id) {
                Some(found) => found,
                None => {
                    let stored =
                        rooms::find_snapshot(&self.app().db, id).await?.ok_or_else(damaged)?;
                    let delta = state::unpack(&stored.delta).ok_or_else(damaged)?;
                    let link = Arc::new(Link { id, version: stored.version, delta });
                    self.snapshots().keep((link.clone(), stored.parent));
                    (link, stored.parent)
                }
            };
            links.push(link);
            next = parent;
        }
        Ok(Lineage::new(links))
    }
}
