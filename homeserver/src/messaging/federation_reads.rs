//! What other servers may read: one check, [`readable`], that takes the asking server, the room and the event.
//!
//! A wrong room and a missing event get the same answer.

use std::{collections::HashSet, sync::Arc};

use ruma::{EventId, OwnedEventId, RoomId, ServerName};

use super::{
    Engine, Error, Membership, Pdu, Room, acl, build, by_time, import::is_missing, pdu::Place,
    visibility,
};
use crate::storage::{Id, events};

/// Most events of one backfill or of one gap.
const EVENTS_MAX: usize = 100;
/// Most events of an auth chain.
const CHAIN_MAX: usize = 50_000;

/// A room that `origin` has users in and is not denied in.
async fn shared_room(
    engine: &Engine,
    origin: &ServerName,
    room_id: &RoomId,
) -> Result<Arc<Room>, Error> {
    let denied = || Error::Forbidden("your server is not in this room".to_owned());
    let room = engine.find_room(room_id).await?.ok_or_else(denied)?;
    let shared = room.seen().servers.contains_key(origin);
    if shared && acl::allows(engine, &room, origin).await? { Ok(room) } else { Err(denied()) }
}

/// Whether `origin` may read `pdu`: the history setting at the event decides, as for users, with any of its users in place
/// of the one.
async fn readable(
    engine: &Engine,
    origin: &ServerName,
    room: &Room,
    pdu: &Pdu,
) -> Result<bool, Error> {
    if pdu.is_state() && pdu.sender.server_name() == origin || pdu.place.state_before.is_none() {
        return Ok(true);
    }
    let state = engine.state_at(pdu.place.state_before).await?;
    match visibility::setting_at(engine, room, &state).await? {
        visibility::Setting::WorldReadable | visibility::Setting::Shared => Ok(true),
        setting => {
            let users: Vec<(Id, String)> = {
                let seen = room.seen();
                let theirs = seen
                    .members
                    .iter()
                    .filter(|(_, member)| member.user_id.server_name() == origin);
                theirs.map(|(user, member)| (*user, member.user_id.to_string())).collect()
            };
            for (_, user_id) in users {
                let slot = engine.app().db.state_key("m.room.member", &user_id).await?;
                let Some(event) = state.get(slot) else { continue };
                let standing = build::standing(&*engine.pdu(room, event).await?);
                let invited =
                    setting == visibility::Setting::Invited && standing == Some(Membership::Invite);
                if invited || standing == Some(Membership::Join) {
                    return Ok(true);
                }
            }
            Ok(false)
        }
    }
}

/// An event of a room that has its place in the graph.
async fn placed_event(engine: &Engine, room: &Room, event_id: &EventId) -> Result<Arc<Pdu>, Error> {
    let pdu = engine.find_pdu(room, event_id).await?.ok_or(Error::EventNotFound)?;
    if pdu.place.state_before.is_some() && is_real(&pdu) {
        Ok(pdu)
    } else {
        Err(Error::EventNotFound)
    }
}

/// Whether we have the event itself and not only its name.
fn is_real(pdu: &Pdu) -> bool {
    !is_missing(pdu)
}

/// One event by its id, pruned when `origin` may not see what it says.
pub async fn event(
    engine: &Engine,
    origin: &ServerName,
    event_id: &EventId,
) -> Result<Arc<Pdu>, Error> {
    let stored = events::find_event(&engine.app().db, event_id.as_str())
        .await?
        .ok_or(Error::EventNotFound)?;
    let room = crate::storage::rooms::find_room_by_id(&engine.app().db, stored.room)
        .await?
        .ok_or(Error::EventNotFound)?;
    let room_id = RoomId::parse(room.room_id).map_err(|_| Error::EventNotFound)?;
    let room = shared_room(engine, origin, &room_id).await.map_err(|_| Error::EventNotFound)?;
    let pdu = engine
        .find_pdu(&room, event_id)
        .await?
        .filter(|pdu| is_real(pdu))
        .ok_or(Error::EventNotFound)?;
    shown(engine, origin, &room, pdu).await
}

async fn shown(
    engine: &Engine,
    origin: &ServerName,
    room: &Room,
    pdu: Arc<Pdu>,
) -> Result<Arc<Pdu>, Error> {
    if readable(engine, origin, room, &pdu).await? {
        return Ok(pdu);
    }
    super::redact::pruned(&pdu, 0, &room.rules).map(Arc::new).ok_or(Error::EventNotFound)
}

/// The state before an event, and the auth chain of that state.
pub(super) async fn state_before(
    engine: &Engine,
    room: &Room,
    pdu: &Pdu,
) -> Result<(Vec<Arc<Pdu>>, Vec<Arc<Pdu>>), Error> {
    let ids: Vec<Id> =
        engine.state_at(pdu.place.state_before).await?.state().into_values().collect();
    let state = engine.pdus(room, &ids).await?;
    let chain = auth_chain(engine, room, &state).await?;
    Ok((state, chain))
}

/// Everything that authorises `from`, without `from`.
async fn auth_chain(
    engine: &Engine,
    room: &Room,
    from: &[Arc<Pdu>],
) -> Result<Vec<Arc<Pdu>>, Error> {
    let mut seen: HashSet<OwnedEventId> = HashSet::new();
    let mut chain = Vec::new();
    let mut open: Vec<OwnedEventId> =
        from.iter().flat_map(|pdu| pdu.auth_events.iter().cloned()).collect();
    while !open.is_empty() && chain.len() < CHAIN_MAX {
        open.retain(|event_id| seen.insert(event_id.clone()));
        let found = engine.find_pdus(room, &std::mem::take(&mut open)).await?;
        open.extend(found.iter().flat_map(|pdu| pdu.auth_events.iter().cloned()));
        chain.extend(found);
    }
    Ok(chain)
}

/// `/state` and `/state_ids`: the state before an event and its auth chain.
pub async fn state(
    engine: &Engine,
    origin: &ServerName,
    room_id: &RoomId,
    event_id: &EventId,
) -> Result<(Vec<Arc<Pdu>>, Vec<Arc<Pdu>>), Error> {
    let room = shared_room(engine, origin, room_id).await?;
    let pdu = placed_event(engine, &room, event_id).await?;
    if !pdu.place.has_state() {
        return Err(Error::EventNotFound);
    }
    state_before(engine, &room, &pdu).await
}

/// `/event_auth`: what authorises an event, directly or not.
pub async fn event_auth(
    engine: &Engine,
    origin: &ServerName,
    room_id: &RoomId,
    event_id: &EventId,
) -> Result<Vec<Arc<Pdu>>, Error> {
    let room = shared_room(engine, origin, room_id).await?;
    let pdu = engine
        .find_pdu(&room, event_id)
        .await?
        .filter(|pdu| is_real(pdu))
        .ok_or(Error::EventNotFound)?;
    auth_chain(engine, &room, std::slice::from_ref(&pdu)).await
}

/// `/backfill`: the events `from` and what comes before them, newest first.
pub async fn backfill(
    engine: &Engine,
    origin: &ServerName,
    room_id: &RoomId,
    from: &[OwnedEventId],
    limit: usize,
) -> Result<Vec<Arc<Pdu>>, Error> {
    let room = shared_room(engine, origin, room_id).await?;
    let walk = Walk { from: from.to_vec(), limit, ..Walk::default() };
    walk.run(engine, origin, &room).await
}

/// `/get_missing_events`: what lies between `latest` (without them) and `earliest`, oldest first.
pub async fn missing_events(
    engine: &Engine,
    origin: &ServerName,
    room_id: &RoomId,
    (earliest, latest): (&[OwnedEventId], &[OwnedEventId]),
    (min_depth, limit): (i64, usize),
) -> Result<Vec<Arc<Pdu>>, Error> {
    let room = shared_room(engine, origin, room_id).await?;
    let latest = engine.find_pdus(&room, latest).await?;
    let from = latest.iter().flat_map(|pdu| pdu.prev_events.iter().cloned()).collect();
    let stop: HashSet<OwnedEventId> = earliest.iter().cloned().collect();
    let walk = Walk { from, stop, min_depth, limit };
    let mut events = walk.run(engine, origin, &room).await?;
    events.sort_by_key(|pdu| pdu.depth);
    Ok(events)
}

/// A walk backwards through the graph, breadth first.
#[derive(Default)]
struct Walk {
    from: Vec<OwnedEventId>,
    /// Events it does not go through and leaves out.
    stop: HashSet<OwnedEventId>,
    min_depth: i64,
    limit: usize,
}

impl Walk {
    async fn run(
        self,
        engine: &Engine,
        origin: &ServerName,
        room: &Room,
    ) -> Result<Vec<Arc<Pdu>>, Error> {
        let limit = self.limit.min(EVENTS_MAX);
        let (mut seen, mut open, mut found) = (self.stop, self.from, Vec::new());
        while !open.is_empty() && found.len() < limit {
            open.retain(|event_id| seen.insert(event_id.clone()));
            let mut layer = engine.find_pdus(room, &std::mem::take(&mut open)).await?;
            layer.sort_by_key(|pdu| std::cmp::Reverse(pdu.depth));
            for pdu in layer {
                let placed = pdu.place != Place::default() && is_real(&pdu);
                if !placed || pdu.depth < self.min_depth || found.len() >= limit {
                    continue;
                }
                open.extend(pdu.prev_events.iter().cloned());
                found.push(shown(engine, origin, room, pdu).await?);
            }
        }
        Ok(found)
    }
}

/// `/timestamp_to_event`: the nearest event that `origin` may read.
pub async fn event_by_time(
    engine: &Engine,
    origin: &ServerName,
    room_id: &RoomId,
    at_ms: i64,
    forward: bool,
) -> Result<Arc<Pdu>, Error> {
    let room = shared_room(engine, origin, room_id).await?;
    let nearest = by_time::nearest_here(engine, &room, at_ms, forward).await?;
    for moment in nearest.into_iter().take(EVENTS_MAX) {
        let pdu = engine.pdu(&room, moment.id).await?;
        if readable(engine, origin, &room, &pdu).await? {
            return Ok(pdu);
        }
    }
    Err(Error::EventNotFound)
}
