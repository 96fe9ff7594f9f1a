//! Room state as snapshots: one small row a change, chains of logarithmic depth.
//!
//! A snapshot stores what changed since its *base*, an earlier snapshot. A new one takes over what the snapshots before it store, newest
//! first, as long as that is less than twice what it has gathered, so that each row of a chain has at least twice the entries of the next:
//!
//! ```text
//! change:   1    2    3      4    5      6      7        8
//! rows:     1    2    1 2    4    1 4    2 4    1 2 4    8      the newest first, in entries
//! ```
//!
//! So reading a snapshot walks at most log2 of its entries in rows, and N changes store about N·log2(N)/2 entries of 16 bytes, whatever
//! the room's size: the state that a room was joined with is written again only after as many changes. A fork simply continues its own
//! lineage; the chain of its first snapshot is its predecessor's. One that goes on from right before a large row is due writes that row
//! too, at most what changed since the next larger one.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use crate::storage::{Id, NewSnapshot};

/// A room's state: slot (interned type and state key) → event.
pub type StateMap = BTreeMap<Id, Id>;

/// In a delta, in place of an event: the slot is empty from here on.
pub const NOTHING: Id = 0;

/// Makes `changes` ([`NOTHING`] empties a slot) in a state.
pub fn apply(state: &mut StateMap, changes: &StateMap) {
    for (slot, event) in changes {
        if *event == NOTHING {
            state.remove(slot);
        } else {
            state.insert(*slot, *event);
        }
    }
}

/// The rows a snapshot is read from, newest first: the snapshot itself, its base, that one's base … They are shared, so that a
/// copy costs its few links and not the state.
#[derive(Debug, Clone, Default)]
pub struct Lineage {
    links: Vec<Arc<Link>>,
    /// What is different in a state that has no snapshot of its own yet.
    changes: StateMap,
}

/// One snapshot row.
#[derive(Debug, Clone)]
pub struct Link {
    pub id: Id,
    pub version: i64,
    pub delta: StateMap,
}

impl Lineage {
    /// From the rows of a chain, newest first.
    pub fn new(links: Vec<Arc<Link>>) -> Self {
        Self { links, changes: StateMap::new() }
    }

    /// The state after `changes` ([`NOTHING`] empties a slot), without a snapshot of its own until it is attached.
    #[must_use]
    pub fn with_changes(mut self, changes: StateMap) -> Self {
        self.changes.extend(changes);
        self
    }

    /// Gives the state a snapshot of its own, under the new id `id`; returns the row, if one was needed.
    #[must_use]
    pub fn attach(mut self, id: Id) -> (Self, Option<NewSnapshot>) {
        if self.changes.is_empty() {
            return (self, None);
        }
        let changes = std::mem::take(&mut self.changes);
        let row = self.advance(id, &changes);
        (self, Some(row))
    }

    /// The snapshot this is the lineage of; `None` for the empty state and for one without a snapshot.
    pub fn id(&self) -> Option<Id> {
        if !self.changes.is_empty() {
            return None;
        }
        self.links.first().map(|link| link.id)
    }

    /// The newest row, with the id of its base.
    pub fn newest(&self) -> Option<(Arc<Link>, Option<Id>)> {
        let (first, rest) = self.links.split_first()?;
        Some((first.clone(), rest.first().map(|base| base.id)))
    }

    /// The whole state.
    pub fn state(&self) -> StateMap {
        let mut state = StateMap::new();
        for link in self.links.iter().rev() {
            state.extend(&link.delta);
        }
        state.extend(&self.changes);
        state.retain(|_, event| *event != NOTHING);
        state
    }

    /// The event in one slot.
    pub fn get(&self, slot: Id) -> Option<Id> {
        let changed = self.changes.get(&slot);
        let found = changed.or_else(|| self.links.iter().find_map(|link| link.delta.get(&slot)));
        found.copied().filter(|event| *event != NOTHING)
    }

    /// The slots in which two states of one room differ. What both chains share is equal by construction and is not looked at.
    pub fn different_slots(&self, other: &Self) -> BTreeSet<Id> {
        let mut slots: BTreeSet<Id> =
            self.changes.keys().chain(other.changes.keys()).copied().collect();
        for (one, another) in [(self, other), (other, self)] {
            let shared = |link: &&Arc<Link>| another.links.iter().any(|other| other.id == link.id);
            for link in one.links.iter().filter(|link| !shared(link)) {
                slots.extend(link.delta.keys());
            }
        }
        slots.retain(|slot| self.get(*slot) != other.get(*slot));
        slots
    }

    /// What has to change in `self` to make it `other`; [`NOTHING`] where a slot becomes empty.
    pub fn changes_to(&self, other: &Self) -> StateMap {
        let slots = self.different_slots(other).into_iter();
        slots.map(|slot| (slot, other.get(slot).unwrap_or(NOTHING))).collect()
    }

    /// The slots in which `self` differs from `before`, with what `self` has there. Slots that `self` no longer has are left out: v3 sync
    /// has no word for them.
    pub fn changes_since(&self, before: &Self) -> StateMap {
        let slots = self.different_slots(before).into_iter();
        slots.filter_map(|slot| Some((slot, self.get(slot)?))).collect()
    }

    /// The slots that `before` has and `self` has not. Only a resolution of the room's branches takes state away.
    pub fn deleted_since(&self, before: &Self) -> Vec<Id> {
        let slots = self.different_slots(before).into_iter();
        slots.filter(|slot| self.get(*slot).is_none()).collect()
    }

    /// Adds a snapshot in which `changes` were made, under the new id `id`.
    pub fn advance(&mut self, id: Id, changes: &StateMap) -> NewSnapshot {
        let version = self.links.first().map_or(1, |link| link.version + 1);
        let (mut taken, mut entries) = (0, changes.len());
        for link in &self.links {
            if link.delta.len() >= 2 * entries {
                break;
            }
            (taken, entries) = (taken + 1, entries + link.delta.len());
        }
        let mut delta = StateMap::new();
        for link in self.links.drain(..taken).rev() {
            delta.extend(&link.delta);
        }
        delta.extend(changes);
        let parent = self.links.first().map(|link| link.id);
        if parent.is_none() {
            delta.retain(|_, event| *event != NOTHING);
        }
        let row = NewSnapshot { id, version, parent, delta: pack(&delta) };
        self.links.insert(0, Arc::new(Link { id, version, delta }));
        row
    }
}

/// `(slot, event)` pairs as 16 bytes each, big-endian.
pub fn pack(delta: &StateMap) -> Vec<u8> {
    delta
        .iter()
        .flat_map(|(slot, event)| slot.to_be_bytes().into_iter().chain(event.to_be_bytes()))
        .collect()
}

/// The inverse of [`pack`]; `None` when the bytes are no such pairs.
pub fn unpack(bytes: &[u8]) -> Option<StateMap> {
    let number = |bytes: &[u8]| bytes.try_into().map(i64::from_be_bytes).ok();
    bytes
        .chunks(16)
        .map(|pair| {
            let (slot, event) = pair.split_at_checked(8)?;
            Some((number(slot)?, number(event)?))
        })
        .collect()
}

/// Ids as 8 bytes each, big-endian.
pub fn pack_ids(ids: impl IntoIterator<Item = Id>) -> Vec<u8> {
    ids.into_iter().flat_map(Id::to_be_bytes).collect()
}

/// The inverse of [`pack_ids`].
pub fn unpack_ids(bytes: &[u8]) -> Option<Vec<Id>> {
    bytes.chunks(8).map(|id| id.try_into().map(i64::from_be_bytes).ok()).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::{Lineage, Link, NOTHING, StateMap, pack, unpack};

    #[test]
    fn a_lineage_reads_back_every_state_it_went_through() {
        let (mut lineage, mut expected) = (Lineage::default(), StateMap::new());
        for step in 1..=1_000 {
            let change = StateMap::from([(step % 37, step)]);
            expected.extend(&change);
            lineage.advance(10_000 + step, &change);
            assert_eq!(lineage.state(), expected, "after {step} changes");
            assert_eq!(lineage.get(step % 37), Some(step));
        }
    }

    #[test]
    fn chains_stay_short_and_rows_small_however_long_the_history() {
        let (mut lineage, mut bytes) = (Lineage::default(), 0);
        let changes = 4_096;
        for step in 1..=changes {
            bytes += lineage.advance(step, &StateMap::from([(step, step)])).delta.len();
            assert!(
                lineage.links.len() <= 13,
                "{} links after {step} changes",
                lineage.links.len()
            );
        }
        // 16 bytes an entry, half of log2(4096) = 12 of them a change, and the change itself.
        assert!(bytes <= 4_096 * 16 * 7, "{bytes} bytes");
    }

    #[test]
    fn a_fork_keeps_both_histories() {
        let mut trunk = Lineage::default();
        for step in 1..=5 {
            trunk.advance(step, &StateMap::from([(step, step)]));
        }
        let mut fork = trunk.clone();
        trunk.advance(100, &StateMap::from([(1, 100)]));
        fork.advance(200, &StateMap::from([(2, 200)]));
        assert_eq!((trunk.get(1), trunk.get(2)), (Some(100), Some(2)));
        assert_eq!((fork.get(1), fork.get(2)), (Some(1), Some(200)));
    }

    #[test]
    fn an_emptied_slot_stays_empty_and_two_states_know_where_they_differ() {
        let mut trunk = Lineage::default();
        for step in 1..=6 {
            trunk.advance(step, &StateMap::from([(step, step)]));
        }
        let mut fork = trunk.clone();
        fork.advance(100, &StateMap::from([(3, NOTHING), (4, 40)]));
        assert_eq!((fork.get(3), fork.state().get(&3)), (None, None));
        assert_eq!(trunk.different_slots(&fork), [3, 4].into());
        assert_eq!(trunk.changes_to(&fork), StateMap::from([(3, NOTHING), (4, 40)]));
        let (same, row) = trunk.clone().with_changes(trunk.changes_to(&fork)).attach(200);
        assert!(row.is_some() && same.different_slots(&fork).is_empty());
        for step in 7..=40 {
            fork.advance(100 + step, &StateMap::from([(step, step)]));
            assert_eq!(fork.get(3), None);
        }
    }

    #[test]
    fn the_state_a_room_was_joined_with_is_written_once_and_no_fork_writes_it_again() {
        let mut lineage = Lineage::default();
        lineage.advance(1, &(0..10_000).map(|slot| (slot, slot + 1)).collect());
        let mut bytes = 0;
        for step in 1..=1_000 {
            let change = StateMap::from([(step, 20_000 + step)]);
            let fork = lineage.clone().advance(50_000 + step, &change).delta.len();
            assert!(fork <= 16 * usize::try_from(step).unwrap(), "{fork} bytes at {step}");
            bytes += lineage.advance(20_000 + step, &change).delta.len();
        }
        assert!(bytes <= 1_000 * 16 * 6, "{bytes} bytes");
        assert_eq!((lineage.get(0), lineage.get(1_000)), (Some(1), Some(21_000)));
    }

    #[test]
    fn packing_is_reversible_and_damage_is_seen() {
        let map = StateMap::from([(1, 2), (i64::MAX, 7)]);
        assert_eq!(unpack(&pack(&map)), Some(map));
        assert_eq!(unpack(&[0; 15]), None);
    }

    fn chain(links: &[(i64, &[(i64, i64)])]) -> Lineage {
        let link = |(id, delta): &(i64, &[(i64, i64)])| {
            Arc::new(Link { id: *id, version: *id, delta: delta.iter().copied().collect() })
        };
        Lineage::new(links.iter().map(link).collect())
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
