//! Who is typing where: in memory only, on a per-boot counter, never in a position.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use ruma::{OwnedRoomId, OwnedUserId, RoomId, ServerName, UserId};

use super::{Engine, Error, acl, presence, serial::Serial};
use crate::auth::Requester;

/// The longest a client may say that somebody types; after it they stop by themselves.
pub const TYPING_MAX: Duration = Duration::from_secs(120);
/// Rooms with typing state before the longest idle is forgotten.
const ROOMS_MAX: usize = 10_000;

/// Typing in all rooms.
#[derive(Debug)]
pub struct Typing {
    /// Counts changes since the start of the process.
    serial: Arc<Serial>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    rooms: HashMap<OwnedRoomId, RoomTyping>,
    /// The last change of any room.
    newest: u64,
}

#[derive(Debug, Default)]
struct RoomTyping {
    /// Until when, in milliseconds since the epoch.
    until_ms: BTreeMap<OwnedUserId, i64>,
    changed: u64,
}

impl Typing {
    /// Nobody types; changes are counted on `serial`.
    pub(super) fn new(serial: Arc<Serial>) -> Self {
        Self { serial, state: Mutex::default() }
    }

    /// Waits for a change that is being made, so that a serial read meanwhile counts only finished ones.
    pub(super) fn hold(&self) -> impl Drop + '_ {
        self.state()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sets (`until_ms`) or ends (`None`) a user's typing; tells whether anything changed.
    pub fn set(&self, room_id: &RoomId, user_id: &UserId, until_ms: Option<i64>) -> bool {
        let mut state = self.state();
        if state.rooms.len() >= ROOMS_MAX && !state.rooms.contains_key(room_id) {
            let idle = state
                .rooms
                .iter()
                .min_by_key(|(_, room)| room.changed)
                .map(|(room_id, _)| room_id.clone());
            idle.and_then(|room_id| state.rooms.remove(&room_id));
        }
        let room = state.rooms.entry(room_id.to_owned()).or_default();
        let changed = match until_ms {
            Some(until) => room.until_ms.insert(user_id.to_owned(), until).is_none(),
            None => room.until_ms.remove(user_id).is_some(),
        };
        if changed {
            room.changed = self.serial.next();
            state.newest = room.changed;
        }
        changed
    }

    /// Ends what has run out and tells in which rooms.
    pub fn expire(&self, now_ms: i64) -> Vec<OwnedRoomId> {
        let mut state = self.state();
        let mut expired = Vec::new();
        let mut newest = state.newest;
        for (room_id, room) in &mut state.rooms {
            let before = room.until_ms.len();
            room.until_ms.retain(|_, until| *until > now_ms);
            if room.until_ms.len() != before {
                room.changed = self.serial.next();
                newest = room.changed;
                expired.push(room_id.clone());
            }
        }
        state.newest = newest;
        expired
    }

    /// Whether typing changed in any room after `since`.
    pub fn any_since(&self, since: u64) -> bool {
        self.state().newest > since
    }

    /// Who types in a room, if that changed after `since`.
    pub fn changed_since(&self, room_id: &RoomId, since: u64) -> Option<Vec<OwnedUserId>> {
        let state = self.state();
        let room = state.rooms.get(room_id).filter(|room| room.changed > since)?;
        Some(room.until_ms.keys().cloned().collect())
    }

    /// When the next typing runs out, in milliseconds since the epoch.
    pub fn next_end_ms(&self) -> Option<i64> {
        self.state().rooms.values().flat_map(|room| room.until_ms.values()).min().copied()
    }
}

/// Ends typing that has run out, and tells who looks, for ever.
pub async fn expire(engine: Engine) {
    const LOOK_EVERY: Duration = Duration::from_secs(1);
    let app = engine.app();
    loop {
        app.clock.sleep(LOOK_EVERY).await;
        let now_ms = app.clock.now_ms();
        if engine.typing().next_end_ms().is_none_or(|end| end > now_ms) {
            continue;
        }
        for room_id in engine.typing().expire(now_ms) {
            if let Ok(Some(room)) = engine.find_room(&room_id).await {
                app.bell.ring_users(room.seen().local_joined.iter().copied());
            }
        }
    }
}

/// Says that the requester types in a room for `timeout`, or stopped.
pub async fn set(
    engine: &Engine,
    requester: &Requester,
    room_id: &RoomId,
    timeout: Option<Duration>,
) -> Result<(), Error> {
    let not_in = || Error::Forbidden("you are not in this room".to_owned());
    let room = engine.find_room(room_id).await?.ok_or_else(not_in)?;
    if !room.seen().is_joined(requester.user) {
        return Err(not_in());
    }
    let app = engine.app();
    let timeout = timeout
        .map(|timeout| i64::try_from(timeout.min(TYPING_MAX).as_millis()).unwrap_or_default());
    let until_ms = timeout.map(|timeout| app.clock.now_ms() + timeout);
    presence::act(engine, requester.user).await;
    if engine.typing().set(room_id, &requester.user_id, until_ms) {
        app.bell.ring_users(room.seen().local_joined.iter().copied());
        engine.announce_typing(&room, &requester.user_id, until_ms.is_some());
    }
    Ok(())
}

/// Takes `origin`'s word that one of its users types; ignored for users not in the room and where the room's ACL denies.
pub async fn receive(
    engine: &Engine,
    origin: &ServerName,
    room_id: &RoomId,
    user_id: &UserId,
    typing: bool,
) -> Result<(), Error> {
    let app = engine.app();
    let Some(room) = engine.find_room(room_id).await? else { return Ok(()) };
    let Some(user) = app.db.find_user(user_id.as_str()).await? else { return Ok(()) };
    if user_id.server_name() != origin || !acl::allows(engine, &room, origin).await? {
        return Ok(());
    }
    // Servers repeat typing well within half a minute; a lost stop must not last.
    let until_ms = typing.then(|| app.clock.now_ms() + 30_000);
    if room.seen().is_joined(user) && engine.typing().set(room_id, user_id, until_ms) {
        app.bell.ring_users(room.seen().local_joined.iter().copied());
    }
    Ok(())
}
