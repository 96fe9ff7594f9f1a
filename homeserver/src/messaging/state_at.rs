//! A room's state at one of its events, read from shared snapshots: one slot without building the map, or all of it.
//!
//! Called by `visibility`, `client_event` and `sync_view`. Writing snapshots is `build`'s.

use std::{
    collections::{BTreeSet, HashMap},
    sync::{Arc, Mutex, PoisonError},
};

use super::{
    Engine, Error,
    state::{self, Lineage, Link, NOTHING, StateMap},
};
use crate::storage::{self, Id, rooms};

/// Entries (16 bytes and their tree) the cache holds before it forgets the older half.
const CACHE_ENTRIES_MAX: usize = 400_000;

/// The snapshots a state is read from, newest first; none for the empty state.
#[derive(Debug, Clone, Default)]
pub struct StateAt(Vec<Arc<Link>>);

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

impl StateAt {
    /// The same as a lineage to go on from.
    pub fn into_lineage(self) -> Lineage {
        Lineage::new(self.0)
    }

    /// The snapshot's id; `None` for the empty state.
    pub fn id(&self) -> Option<Id> {
        self.0.first().map(|link| link.id)
    }

    /// The event in one slot.
    pub fn get(&self, slot: Id) -> Option<Id> {
        let found = self.0.iter().find_map(|link| link.delta.get(&slot).copied());
        found.filter(|event| *event != NOTHING)
    }

    /// The whole state.
    pub fn all(&self) -> StateMap {
        let mut state = StateMap::new();
        for link in self.0.iter().rev() {
            state.extend(&link.delta);
        }
        state.retain(|_, event| *event != NOTHING);
        state
    }

    /// The slots that `before` has and `self` has not. Only a resolution of the room's branches takes state away.
    pub fn deleted_since(&self, before: &Self) -> Vec<Id> {
        let mut slots = BTreeSet::new();
        for (one, other) in [(self, before), (before, self)] {
            let shared = |link: &&Arc<Link>| other.0.iter().any(|other| other.id == link.id);
            let own = one.0.iter().filter(|link| !shared(link));
            slots.extend(own.flat_map(|link| link.delta.keys().copied()));
        }
        let is_gone = |slot: &Id| before.get(*slot).is_some() && self.get(*slot).is_none();
        slots.into_iter().filter(is_gone).collect()
    }

    /// The slots in which `self` differs from `before`, with what `self` has there. Slots that `self` no longer has are
    /// left out: v3 has no word for them.
    pub fn changes_since(&self, before: &Self) -> StateMap {
        if self.id() == before.id() {
            return StateMap::new();
        }
        // What both chains share is at their ends and equal by construction; only what is above it can differ.
        let shared = |link: &Arc<Link>| before.0.iter().any(|other| other.id == link.id);
        let mut touched = StateMap::new();
        for link in self.0.iter().rev().filter(|link| !shared(link)) {
            touched.extend(&link.delta);
        }
        for link in before.0.iter().filter(|link| !self.0.iter().any(|other| other.id == link.id)) {
            for slot in link.delta.keys() {
                if let Some(event) = self.get(*slot) {
                    touched.insert(*slot, event);
                }
            }
        }
        touched.retain(|slot, event| *event != NOTHING && before.get(*slot) != Some(*event));
        touched
    }
}

impl Engine {
    /// As [`Engine::state_at`], for a snapshot that may have been dropped since: then the empty state.
    pub async fn known_state_at(&self, snapshot: Option<Id>) -> Result<StateAt, Error> {
        match self.state_at(snapshot).await {
            Err(Error::Storage(storage::Error::Damaged { .. })) => Ok(StateAt::default()),
            other => other,
        }
    }

    /// The state that `snapshot` stands for.
    pub async fn state_at(&self, snapshot: Option<Id>) -> Result<StateAt, Error> {
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
        Ok(StateAt(links))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::{StateAt, StateMap};
    use crate::messaging::state::Link;

    fn chain(links: &[(i64, &[(i64, i64)])]) -> StateAt {
        let link = |(id, delta): &(i64, &[(i64, i64)])| {
            Arc::new(Link { id: *id, version: *id, delta: delta.iter().copied().collect() })
        };
        StateAt(links.iter().map(link).collect())
    }

    #[test]
    fn changes_are_what_differs_whichever_chain_says_it() {
        let before = chain(&[(3, &[(1, 30)]), (2, &[(1, 10), (2, 20)])]);
        let after = chain(&[(4, &[(1, 10), (2, 20), (3, 40)])]);
        assert_eq!(after.changes_since(&before), StateMap::from([(1, 10), (3, 40)]));
        assert_eq!(before.changes_since(&after), StateMap::from([(1, 30)]));
        assert_eq!(after.changes_since(&after), StateMap::new());
    }

    #[test]
    fn what_only_the_earlier_state_has_is_deleted() {
        let before = chain(&[(3, &[(1, 30), (3, 31)]), (2, &[(2, 20)])]);
        let after = chain(&[(4, &[(1, 10)]), (2, &[(2, 20)])]);
        assert_eq!(after.deleted_since(&before), [3]);
        let emptied = chain(&[(9, &[(1, 0)]), (2, &[(1, 10), (2, 20)])]);
        assert_eq!(emptied.deleted_since(&chain(&[(2, &[(1, 10), (2, 20)])])), [1]);
        assert!(before.deleted_since(&after).is_empty() && after.deleted_since(&after).is_empty());
    }

    #[test]
    fn a_shared_base_is_not_a_change() {
        let before = chain(&[(2, &[(1, 10), (2, 20)])]);
        let after = chain(&[(3, &[(1, 30)]), (2, &[(1, 10), (2, 20)])]);
        assert_eq!(after.changes_since(&before), StateMap::from([(1, 30)]));
        assert_eq!(before.changes_since(&after), StateMap::from([(1, 10)]));
    }
}
