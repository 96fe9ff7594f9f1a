//! The change index: when each thing that a sync asks about last changed, so that only what changed is read.
//!
//! In memory, since the start. A note is made inside its transaction, before the commit: somebody may look in vain, nobody looks too
//! late. What is not in it did not change since the floor, which begins where the server did.

use std::{
    collections::HashMap,
    sync::{PoisonError, RwLock},
};

use super::{Id, Position};

/// Notes that are kept; beyond them the floor rises, and who is behind it asks the database.
const NOTES_MAX: usize = 100_000;

/// What changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Topic {
    /// A user's account data, of any room.
    AccountData(Id),
    /// The queue of messages to a device.
    ToDevice(Id),
    /// A user's one-time and fallback keys.
    Keys(Id),
    /// Where a user stands, in any room.
    Memberships(Id),
    /// Anybody's devices, or signatures on them.
    DeviceLists,
    /// A room's events, or anybody's standing in it.
    Room(Id),
    /// Anybody's standing in a room.
    Members(Id),
    /// The receipts of a room.
    Receipts(Id),
    /// What counts for a user in a room: the room, then the user.
    Reading(Id, Id),
    /// Which events of a room were taken back.
    Redactions(Id),
    /// Where history of a room is missing.
    Gaps(Id),
}

/// The newest change of each topic.
#[derive(Debug)]
pub struct Changes(RwLock<Notes>);

#[derive(Debug)]
struct Notes {
    newest: HashMap<Topic, Position>,
    floor: Position,
}

impl Changes {
    /// Nothing is known of what changed up to `floor`.
    pub(super) fn new(floor: Position) -> Self {
        Self(RwLock::new(Notes { newest: HashMap::new(), floor }))
    }

    /// `topic` changes with the commit that holds `position`.
    pub(super) fn note(&self, topic: Topic, position: Position) {
        let mut notes = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if notes.newest.len() >= NOTES_MAX && !notes.newest.contains_key(&topic) {
            notes.floor = notes.newest.values().copied().max().unwrap_or_default().max(notes.floor);
            notes.newest = HashMap::new();
        }
        let newest = notes.newest.entry(topic).or_insert(position);
        *newest = position.max(*newest);
    }

    /// Whether `topic` may have changed after `since`.
    pub fn any_since(&self, topic: Topic, since: Position) -> bool {
        let notes = self.0.read().unwrap_or_else(PoisonError::into_inner);
        since < notes.floor || notes.newest.get(&topic).is_some_and(|newest| *newest > since)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_changed_before_the_start_is_not_known() {
        let changes = Changes::new(10);
        assert!(changes.any_since(Topic::Room(1), 9));
        assert!(!changes.any_since(Topic::Room(1), 10));
    }

    #[test]
    fn a_change_is_one_of_its_topic_only() {
        let changes = Changes::new(0);
        changes.note(Topic::Room(1), 5);
        changes.note(Topic::Room(1), 4);
        assert!(changes.any_since(Topic::Room(1), 4));
        assert!(!changes.any_since(Topic::Room(1), 5));
        assert!(!changes.any_since(Topic::Room(2), 4));
        assert!(!changes.any_since(Topic::Receipts(1), 4));
    }

    #[test]
    fn more_changes_than_are_kept_make_everybody_behind_them_look() {
        let changes = Changes::new(0);
        let count = i64::try_from(NOTES_MAX).unwrap();
        for topic in 1..=count + 1 {
            changes.note(Topic::Room(topic), topic);
        }
        assert!(changes.any_since(Topic::Receipts(7), count - 1));
        assert!(!changes.any_since(Topic::Receipts(7), count));
        assert!(changes.any_since(Topic::Room(count + 1), count));
    }
}
