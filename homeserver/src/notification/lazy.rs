//! Which members a device was told of, so that lazy loading does not repeat them.
//!
//! Memory only, and only a saving: what is forgotten is told again. A telling counts once the client came back with a
//! token that covers it, so a lost answer costs nothing.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use crate::storage::{Id, Position};

const DEVICES_MAX: usize = 10_000;
const MEMBERS_MAX: usize = 2_000;

/// Member events by device, with the position of the answer that told them.
#[derive(Debug, Default)]
pub(super) struct Told(Mutex<HashMap<Id, HashMap<Id, Position>>>);

impl Told {
    /// Whether an answer at or before `since` told `device` of this member event.
    pub(super) fn knows(&self, device: Id, event: Id, since: Position) -> bool {
        let told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        told.get(&device).and_then(|events| events.get(&event)).is_some_and(|at| *at <= since)
    }

    /// Remembers that the answer at `position` tells `device` of `events`.
    pub(super) fn note(&self, device: Id, events: impl Iterator<Item = Id>, position: Position) {
        let mut events = events.peekable();
        if events.peek().is_none() {
            return;
        }
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if told.len() >= DEVICES_MAX && !told.contains_key(&device) {
            told.clear();
        }
        let known = told.entry(device).or_default();
        if known.len() >= MEMBERS_MAX {
            known.clear();
        }
        for event in events {
            known.entry(event).or_insert(position);
        }
    }

    /// Forgets a device: it starts over.
    pub(super) fn forget(&self, device: Id) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&device);
    }
}

#[cfg(test)]
mod tests {
    use super::Told;

    #[test]
    fn a_telling_counts_when_the_client_has_it() {
        let told = Told::default();
        told.note(1, [7].into_iter(), 20);
        assert!(!told.knows(1, 7, 19), "the answer may be lost");
        assert!(told.knows(1, 7, 20));
        assert!(!told.knows(2, 7, 20), "another device");
        told.forget(1);
        assert!(!told.knows(1, 7, 20));
    }
}
