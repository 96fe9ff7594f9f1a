//! Transactions from other servers. What is cheap to judge is judged and answered event by event; the rest is stored as it
//! came, answered for, and worked off room by room.
//!
//! A crash between the answer and the work loses nothing: what is staged is worked off at the next start. What has to be
//! fetched from a server that does not answer now is tried again with growing pauses, and the other events go on meanwhile.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use ruma::{
    CanonicalJsonObject, OwnedEventId, OwnedRoomId, OwnedServerName, RoomId, RoomVersionId,
    ServerName, UserId, room_version_rules::RoomVersionRules,
};
use serde_json::value::RawValue;
use tokio::task::JoinHandle;

use super::{Engine, Error, Room, acl, create_room, funnel, inbound, merge, pdu, remote};
use crate::storage::{
    Id, rooms,
    staging::{self, Settled, Staged},
};

/// Staged events read at once.
const BATCH: u64 = 50;
/// The pause after the first failure; it doubles up to [`PAUSE_MAX_MS`].
const PAUSE_MIN_MS: i64 = 2_000;
const PAUSE_MAX_MS: i64 = 3_600_000;
/// An event that failed this often is given up, about twelve hours after it came.
const ATTEMPTS_MAX: i64 = 23;
/// How often the staged events that wait are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// What the sender is told of each event that has a name.
pub type Results = BTreeMap<OwnedEventId, Result<(), String>>;

/// A transaction's events, taken.
#[derive(Debug)]
pub struct Received {
    pub results: Results,
    /// The work on them, a task a room.
    pub work: Vec<JoinHandle<()>>,
}

/// An event whose name is known.
struct Named {
    event_id: OwnedEventId,
    room_id: OwnedRoomId,
    room: Id,
    rules: RoomVersionRules,
    /// The room's memory, where users of ours are in it.
    resident: Option<Arc<Room>>,
    object: CanonicalJsonObject,
}

/// What becomes of an event after the first look.
enum Judgement {
    /// Nothing is left to do.
    Done,
    /// To be worked off; at once (0) or not before a time.
    Stage(i64),
}

/// Judges a transaction's events, stores those that are to be worked off, and starts the work.
///
/// An event gets no answer only if it cannot be named: it is no canonical JSON, or of a room nobody here has heard of.
pub async fn receive(
    engine: &Engine,
    origin: &ServerName,
    pdus: &[Box<RawValue>],
) -> Result<Received, Error> {
    let (mut results, mut staged) = (Results::new(), Vec::new());
    let mut rooms: BTreeMap<Id, OwnedRoomId> = BTreeMap::new();
    for raw in pdus {
        let Some(named) = name(engine, raw).await? else {
            tracing::info!(%origin, "an event without a name was dropped");
            continue;
        };
        let result = match judge(engine, origin, &named).await {
            Ok(Judgement::Done) => Ok(()),
            Ok(Judgement::Stage(retry_at_ms)) => {
                let json = raw.get().to_owned();
                let (origin, room) = (origin.to_string(), named.room);
                staged.push(Staged { id: 0, origin, room, json, attempts: 0, retry_at_ms });
                if retry_at_ms == 0 {
                    rooms.insert(room, named.room_id);
                }
                Ok(())
            }
            Err(Error::Storage(error)) => return Err(error.into()),
            Err(error) => {
                tracing::info!(event.id = %named.event_id, %origin, %error, "an event was refused");
                Err(error.to_string())
            }
        };
        results.insert(named.event_id, result);
    }
    if !staged.is_empty() {
        staging::insert_staged(&engine.app().db, staged).await?;
    }
    let work = rooms.into_iter().map(|(room, room_id)| start(engine, room, room_id)).collect();
    Ok(Received { results, work })
}

/// Finds out an event's id, for which the room's version must be known.
async fn name(engine: &Engine, raw: &RawValue) -> Result<Option<Named>, Error> {
    let Ok(object) = serde_json::from_str::<CanonicalJsonObject>(raw.get()) else {
        return Ok(None);
    };
    let room_id = object.get("room_id").and_then(|id| id.as_str()).map(RoomId::parse);
    let Some(Ok(room_id)) = room_id else { return Ok(None) };
    let resident = engine.find_room(&room_id).await?;
    let resident = resident.filter(|room| room.is_resident());
    let (room, rules) = match &resident {
        Some(room) => (room.id, room.rules.clone()),
        None => {
            let Some(stored) = rooms::find_room(&engine.app().db, room_id.as_str()).await? else {
                return Ok(None);
            };
            let version = RoomVersionId::try_from(stored.version.as_str());
            let Ok(Ok(rules)) = version.map(|version| create_room::joinable(&version)) else {
                return Ok(None);
            };
            (stored.id, rules)
        }
    };
    let Ok(event_id) = pdu::event_id_of(&object, &rules) else { return Ok(None) };
    Ok(Some(Named { event_id, room_id, room, rules, resident, object }))
}

/// The first look: everything that costs no request to another server.
async fn judge(engine: &Engine, origin: &ServerName, named: &Named) -> Result<Judgement, Error> {
    let Some(room) = &named.resident else {
        let taken =
            remote::receive_removal(engine, origin, &named.room_id, named.object.clone()).await;
        return match taken {
            Ok(true) => Ok(Judgement::Done),
            Ok(false) => Err(Error::Forbidden("this server is not in that room".to_owned())),
            Err(error) if error.may_pass() => {
                Ok(Judgement::Stage(engine.app().clock.now_ms() + PAUSE_MIN_MS))
            }
            Err(error) => Err(error),
        };
    };
    if !acl::allows(engine, room, origin).await? {
        return Err(Error::Forbidden("your server is denied in this room".to_owned()));
    }
    funnel::check_format(&named.object, &named.rules)?;
    let sender = named.object.get("sender").and_then(|sender| sender.as_str());
    let of_origin = sender
        .and_then(|sender| <&UserId>::try_from(sender).ok())
        .is_some_and(|sender| sender.server_name() == origin);
    // The origin's keys are at hand, for it has just signed the request. Others' may have to be fetched: later.
    if of_origin {
        match funnel::verify(engine.app(), named.object.clone(), &named.rules).await {
            Err(error) if !error.may_pass() => return Err(error),
            _ => {}
        }
    }
    Ok(Judgement::Stage(0))
}

/// Goes on with what an earlier run left staged, and with what waited long enough.
pub async fn resume(engine: &Engine) -> Result<(), Error> {
    let app = engine.app();
    for (room, room_id) in staging::list_due_rooms(&app.db, app.clock.now_ms()).await? {
        let Ok(room_id) = RoomId::parse(room_id) else { continue };
        let loaded = engine.find_room(&room_id).await?;
        let busy = loaded.is_some_and(|room| room.receiving.try_lock().is_err());
        if !busy {
            start(engine, room, room_id);
        }
    }
    Ok(())
}

/// Looks after the events that wait, for ever.
pub async fn run(engine: Engine) {
    loop {
        engine.app().clock.sleep(LOOK_EVERY).await;
        if let Err(error) = resume(&engine).await {
            tracing::warn!(%error, "staged events could not be read");
        }
    }
}

/// The work outlives the request it came with. Cut off by a stop, it is done again.
fn start(engine: &Engine, room: Id, room_id: OwnedRoomId) -> JoinHandle<()> {
    let work = work_off(engine.clone(), room, room_id);
    engine.app().tasks.start_interruptible("a room's received events", work)
}

async fn work_off(engine: Engine, room: Id, room_id: OwnedRoomId) {
    let loaded = match engine.find_room(&room_id).await {
        Ok(loaded) => loaded,
        Err(error) => {
            return tracing::error!(room.id = %room_id, %error, "a room could not be read");
        }
    };
    let _turn = match &loaded {
        Some(room) => Some(room.receiving.lock().await),
        None => None,
    };
    let db = &engine.app().db;
    loop {
        let now_ms = engine.app().clock.now_ms();
        let staged = match staging::list_staged(db, room, now_ms, BATCH).await {
            Ok(staged) if staged.is_empty() => return,
            Ok(staged) => staged,
            Err(error) => {
                return tracing::error!(room.id = %room_id, %error, "staged events could not be read");
            }
        };
        let mut settled = Vec::with_capacity(staged.len());
        for event in &staged {
            let outcome = work_one(&engine, &room_id, event).await;
            settled.push(settle(&engine, &room_id, event, outcome));
        }
        if let Err(error) = staging::settle(db, settled).await {
            return tracing::error!(%error, "staged events could not be removed");
        }
        if let Err(error) = merge_ends(&engine, &room_id).await {
            tracing::info!(room.id = %room_id, %error, "the room's ends could not be merged");
        }
    }
}

async fn merge_ends(engine: &Engine, room_id: &RoomId) -> Result<(), Error> {
    let Some(room) = engine.find_room(room_id).await? else { return Ok(()) };
    merge::merge_ends(engine, &room).await
}

fn settle(
    engine: &Engine,
    room_id: &RoomId,
    event: &Staged,
    outcome: Result<(), Error>,
) -> Settled {
    let (id, attempts) = (event.id, event.attempts + 1);
    match outcome {
        Ok(()) => Settled::Done(id),
        Err(error) if error.may_pass() && attempts < ATTEMPTS_MAX => {
            tracing::info!(room.id = %room_id, origin = event.origin, attempts, %error, "a received event waits");
            Settled::Later(id, engine.app().clock.now_ms() + pause_ms(attempts))
        }
        Err(error) => {
            tracing::info!(room.id = %room_id, origin = event.origin, %error, "a received event was dropped");
            Settled::Done(id)
        }
    }
}

fn pause_ms(attempts: i64) -> i64 {
    let doublings = u32::try_from(attempts.clamp(1, 16) - 1).unwrap_or_default();
    (PAUSE_MIN_MS << doublings).min(PAUSE_MAX_MS)
}

async fn work_one(engine: &Engine, room_id: &RoomId, staged: &Staged) -> Result<(), Error> {
    let origin = OwnedServerName::try_from(staged.origin.as_str()).map_err(Error::bad_event)?;
    let object: CanonicalJsonObject =
        serde_json::from_str(&staged.json).map_err(Error::bad_event)?;
    // A commit that failed has dropped the room from memory: go on with the room as it is now.
    let room = engine.find_room(room_id).await?;
    match room.filter(|room| room.is_resident()) {
        Some(room) => inbound::take(engine, &room, &origin, object).await,
        None => remote::receive_removal(engine, &origin, room_id, object).await.map(drop),
    }
}

#[cfg(test)]
mod tests {
    use super::{ATTEMPTS_MAX, PAUSE_MAX_MS, pause_ms};

    #[test]
    fn pauses_double_up_to_an_hour_and_end_after_half_a_day() {
        let pauses: Vec<i64> = (1..ATTEMPTS_MAX).map(pause_ms).collect();
        assert_eq!(pauses[..4], [2_000, 4_000, 8_000, 16_000]);
        assert_eq!(pauses.last(), Some(&PAUSE_MAX_MS));
        let hours = pauses.iter().sum::<i64>() / 3_600_000;
        assert!((10..15).contains(&hours), "{hours} hours");
    }
}
