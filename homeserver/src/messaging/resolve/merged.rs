//! Several states as one, for the event that stands on all of them.
//!
//! A room remembers its newest ones: events that stand on the same states share one snapshot, and a snapshot is written as what is
//! different from the nearest that is there. Otherwise each event on a fork would write all that the branches do not agree on.

use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard, PoisonError},
};

use super::resolve;
use crate::{
    messaging::{Engine, Error, Room, state::Lineage},
    storage::Id,
};

/// Most that a room remembers.
const REMEMBERED_MAX: usize = 8;

/// A state that one or several others came to.
#[derive(Debug, Clone)]
pub(in crate::messaging) struct Merged {
    pub state: Lineage,
    /// The snapshots of the others, where they are several.
    pub of: Vec<Id>,
}

impl Merged {
    /// `states` with a snapshot each, no two with the same; `None`: there is none.
    pub(in crate::messaging) async fn of(
        engine: &Engine,
        room: &Room,
        states: Vec<Lineage>,
    ) -> Result<Option<Self>, Error> {
        let of: Vec<Id> = states.iter().filter_map(Lineage::id).collect();
        debug_assert_eq!(of.len(), states.len(), "each has a snapshot");
        let Some(first) = states.first() else { return Ok(None) };
        if states.len() == 1 {
            return Ok(Some(Self { state: first.clone(), of: Vec::new() }));
        }
        if let Some(state) = room.merges.find(&of) {
            return Ok(Some(Self { state, of }));
        }
        let changes = resolve(engine, room, &states).await?;
        let state = room.merges.on_nearest(&first.clone().with_changes(changes), states);
        Ok(Some(Self { state, of }))
    }
}

/// The newest merges of a room that are in the database or on their way there.
#[derive(Debug, Default)]
pub(in crate::messaging) struct Merges(Mutex<VecDeque<Merged>>);

impl Merges {
    fn lock(&self) -> MutexGuard<'_, VecDeque<Merged>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn find(&self, of: &[Id]) -> Option<Lineage> {
        self.lock().iter().find(|merged| merged.of == of).map(|merged| merged.state.clone())
    }

    /// Remembers one whose state has a snapshot that stays.
    pub(in crate::messaging) fn note(&self, merged: Merged) {
        let mut kept = self.lock();
        kept.retain(|known| known.of != merged.of);
        kept.push_front(merged);
        kept.truncate(REMEMBERED_MAX);
    }

    /// `state` as what is different from the nearest of `bases` and of those that are remembered.
    fn on_nearest(&self, state: &Lineage, mut bases: Vec<Lineage>) -> Lineage {
        bases.extend(self.lock().iter().map(|merged| merged.state.clone()));
        let apart = bases.into_iter().map(|base| (base.changes_to(state), base));
        let nearest = apart.min_by_key(|(changes, _)| changes.len());
        nearest.map_or_else(|| state.clone(), |(changes, base)| base.with_changes(changes))
    }
}

#[cfg(test)]
mod tests {
    use super::{Merged, Merges, REMEMBERED_MAX};
    use crate::messaging::state::{Lineage, StateMap};

    fn state(slots: std::ops::Range<i64>, id: i64) -> Lineage {
        let changes = slots.map(|slot| (slot, id)).collect();
        Lineage::default().with_changes(changes).attach(id).0
    }

    #[test]
    fn a_merge_is_written_as_what_is_different_from_the_nearest_that_is_there() {
        let (merges, one, other) = (Merges::default(), state(0..100, 1_000), state(0..100, 2_000));
        let half = one.clone().with_changes((0..50).map(|slot| (slot, 2_000)).collect());
        let first = merges.on_nearest(&half, vec![one.clone(), other.clone()]);
        let (first, row) = first.attach(3_000);
        assert_eq!(row.unwrap().delta.len(), 50 * 16);
        merges.note(Merged { state: first.clone(), of: vec![1_000, 2_000] });
        assert_eq!(merges.find(&[1_000, 2_000]).unwrap().id(), Some(3_000));

        let more = first.state().into_iter().chain([(7, 7)]).collect::<StateMap>();
        let more = Lineage::default().with_changes(more);
        let second = merges.on_nearest(&more, vec![one, other]);
        let (second, row) = second.attach(4_000);
        assert_eq!((row.unwrap().parent, second.get(7)), (Some(3_000), Some(7)));
        assert_eq!(second.state(), more.state());
        assert_eq!(
            merges.on_nearest(&first, vec![second]).id(),
            Some(3_000),
            "no row for an equal"
        );
    }

    #[test]
    fn only_the_newest_merges_are_remembered() {
        let merges = Merges::default();
        for of in 0..100 {
            merges.note(Merged { state: state(0..1, of + 1), of: vec![of, of + 1] });
            merges.note(Merged { state: state(0..1, of + 1), of: vec![of, of + 1] });
        }
        assert_eq!(merges.lock().len(), REMEMBERED_MAX);
        assert!(merges.find(&[99, 100]).is_some() && merges.find(&[50, 51]).is_none());
    }
}
