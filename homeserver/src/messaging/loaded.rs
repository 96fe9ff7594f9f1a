//! The rooms in memory, bounded by what they weigh: the least recently used ones that nobody holds go first.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
};

use ruma::{OwnedRoomId, RoomId};
use tokio::sync::OwnedMutexGuard;

use super::room::Room;
use crate::generations::{SLACK, drop_aside};

/// The rooms in memory.
#[derive(Debug)]
pub(super) struct Loaded {
    rooms: Mutex<Rooms>,
    bytes_max: usize,
    /// Rooms that somebody is joining by way of another server.
    pub(super) joining: Turns,
    /// Rooms of which what comes from other servers is being stored: that the room is here, or how users of ours stand outside of it.
    pub(super) storing: Turns,
}

/// One at a time for each room.
#[derive(Debug, Default)]
pub(super) struct Turns(Mutex<HashMap<OwnedRoomId, Weak<tokio::sync::Mutex<()>>>>);

impl Turns {
    /// Waits for the room's turn, which lasts as long as what is returned.
    pub(super) async fn take(&self, room_id: &RoomId) -> OwnedMutexGuard<()> {
        let turn = {
            let mut turns = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            turns.retain(|_, turn| turn.strong_count() > 0);
            let turn = turns.get(room_id).and_then(Weak::upgrade).unwrap_or_default();
            turns.insert(room_id.to_owned(), Arc::downgrade(&turn));
            turn
        };
        turn.lock_owned().await
    }
}

#[derive(Debug, Default)]
struct Rooms {
    by_id: HashMap<OwnedRoomId, Kept>,
    /// What all of them weigh.
    bytes: usize,
    /// Counts uses: the higher a room's, the more recent its last.
    uses: u64,
    /// How many there were when rooms that nobody uses were last let go.
    uses_before: u64,
}

#[derive(Debug)]
struct Kept {
    room: Arc<Room>,
    bytes: usize,
    used: u64,
}

impl Loaded {
    pub(super) fn new(bytes_max: usize) -> Self {
        Self {
            rooms: Mutex::default(),
            bytes_max,
            joining: Turns::default(),
            storing: Turns::default(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Rooms> {
        self.rooms.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The room, if it is here and sound. Counts as a use.
    pub(super) fn find(&self, room_id: &RoomId) -> Option<Arc<Room>> {
        let mut rooms = self.lock();
        rooms.uses += 1;
        let now = rooms.uses;
        let kept = rooms.by_id.get_mut(room_id).filter(|kept| !kept.room.is_broken())?;
        kept.used = now;
        Some(kept.room.clone())
    }

    /// Takes a room in, and lets others go if it takes too much.
    pub(super) fn keep(&self, room: Arc<Room>) {
        // Before the lock: a weight waits for who reads the room, and who reads the room may be waiting for the lock.
        let bytes = room.weight();
        let mut rooms = self.lock();
        rooms.uses += 1;
        let used = rooms.uses;
        let before = rooms.remove(&room.room_id);
        rooms.bytes += bytes;
        rooms.by_id.insert(room.room_id.clone(), Kept { room, bytes, used });
        let gone = rooms.shrink(self.bytes_max);
        drop(rooms);
        drop(before);
        let_go(gone);
    }

    /// A room has changed, and what it weighs with it.
    pub(super) fn reweigh(&self, room: &Room) {
        let bytes = room.weight();
        let mut rooms = self.lock();
        let Some(kept) = rooms.by_id.get_mut(&room.room_id) else { return };
        if !std::ptr::eq(Arc::as_ptr(&kept.room), room) {
            return;
        }
        let before = std::mem::replace(&mut kept.bytes, bytes);
        rooms.bytes = rooms.bytes.saturating_sub(before) + bytes;
        let gone = rooms.shrink(self.bytes_max);
        drop(rooms);
        let_go(gone);
    }

    /// Lets this very room go: another may have been loaded in its place.
    pub(super) fn remove(&self, room: &Room) {
        let mut rooms = self.lock();
        let kept = rooms.by_id.get(&room.room_id);
        let is_it = kept.is_some_and(|kept| std::ptr::eq(Arc::as_ptr(&kept.room), room));
        let removed = if is_it { rooms.remove(&room.room_id) } else { None };
        drop(rooms);
        drop(removed);
    }

    /// Called now and then: while the rooms weigh more than [`SLACK`] of what they may, those that were not used since the last call go.
    pub(super) fn age(&self) {
        let mut rooms = self.lock();
        let before = rooms.uses_before;
        rooms.uses_before = rooms.uses;
        let gone = rooms.take_idle(self.bytes_max / SLACK, before);
        drop(rooms);
        let_go(gone);
    }

    /// How many rooms are here, and what they weigh together.
    pub(super) fn size(&self) -> (usize, usize) {
        let rooms = self.lock();
        (rooms.by_id.len(), rooms.bytes)
    }
}

/// Without the lock: whoever needs a room waits for that.
fn let_go(rooms: Vec<Kept>) {
    if !rooms.is_empty() {
        drop_aside(rooms);
    }
}

impl Rooms {
    fn remove(&mut self, room_id: &RoomId) -> Option<Kept> {
        let kept = self.by_id.remove(room_id)?;
        self.bytes = self.bytes.saturating_sub(kept.bytes);
        Some(kept)
    }

    /// Takes rooms out until there is some air again, if they are too many.
    #[must_use]
    fn shrink(&mut self, bytes_max: usize) -> Vec<Kept> {
        if self.bytes <= bytes_max {
            return Vec::new();
        }
        self.take_idle(bytes_max / 10 * 9, u64::MAX)
    }

    /// Takes the least recently used idle rooms out, down to `bytes`, as far as their last use is none after `used_before`. A room that
    /// somebody holds is writing, waiting or being read, and must stay the only one; one that nobody holds can be loaded again.
    #[must_use]
    fn take_idle(&mut self, bytes: usize, used_before: u64) -> Vec<Kept> {
        let mut gone = Vec::new();
        if self.bytes <= bytes {
            return gone;
        }
        let is_idle = |kept: &&Kept| Arc::strong_count(&kept.room) == 1 && kept.used <= used_before;
        let idle = self.by_id.values().filter(is_idle);
        let mut idle: Vec<(u64, OwnedRoomId)> =
            idle.map(|kept| (kept.used, kept.room.room_id.clone())).collect();
        idle.sort_unstable();
        for (_, room_id) in idle {
            if self.bytes <= bytes {
                break;
            }
            gone.extend(self.remove(&room_id));
        }
        gone
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use ruma::{OwnedRoomId, RoomVersionId};

    use super::{Loaded, SLACK};
    use crate::messaging::room::{Head, Room, Seen};

    fn room(name: &str) -> Arc<Room> {
        let version = RoomVersionId::V12;
        let rules = version.rules().unwrap();
        let room_id = OwnedRoomId::try_from(format!("!{name}:example.org")).unwrap();
        Arc::new(Room::new(1, room_id, version, rules, Head::default(), Seen::default()))
    }

    fn id(name: &str) -> OwnedRoomId {
        OwnedRoomId::try_from(format!("!{name}:example.org")).unwrap()
    }

    #[test]
    fn the_least_recently_used_idle_room_goes_and_one_in_use_stays() {
        let one = room("0").weight();
        let loaded = Loaded::new(one * 4 + one / 2);
        let held = room("0");
        loaded.keep(held.clone());
        for name in ["1", "2", "3"] {
            loaded.keep(room(name));
        }
        assert!(loaded.find(&id("1")).is_some(), "used again");
        loaded.keep(room("4"));
        assert!(loaded.find(&id("0")).is_some(), "somebody holds it");
        assert!(loaded.find(&id("1")).is_some(), "used lately");
        assert!(loaded.find(&id("2")).is_none(), "used least lately");
        assert!(loaded.find(&id("4")).is_some(), "just loaded");
        let (count, bytes) = loaded.size();
        assert!(
            bytes <= one * 4 + one / 2 && bytes == count * one,
            "{count} rooms of {bytes} bytes"
        );
    }

    #[test]
    fn rooms_that_nobody_uses_go_with_time_unless_they_are_few() {
        let one = room("0").weight();
        let loaded = Loaded::new(one * SLACK * 2);
        for name in ["0", "1", "2", "3"] {
            loaded.keep(room(name));
        }
        loaded.age();
        assert_eq!(loaded.size().0, 4, "used since the last call");
        loaded.find(&id("0"));
        loaded.age();
        assert!(loaded.find(&id("0")).is_some(), "used meanwhile");
        assert_eq!(loaded.size().0, 2, "as many as may stay unused");
        loaded.age();
        loaded.age();
        assert_eq!(loaded.size().0, 2);
    }
}
