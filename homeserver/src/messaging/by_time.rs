//! Jumping to a date: the event next to a time, here or, where a gap may hide it, at another server.

use std::sync::Arc;

use ruma::{
    MilliSecondsSinceUnixEpoch, OwnedServerName, RoomId, UInt,
    api::{Direction, federation::event::get_event_by_timestamp},
};

use super::{Engine, Error, Pdu, Room, backfill, history};
use crate::{
    auth::Requester,
    storage::{
        events::{self, StoredEvent},
        gaps,
    },
};

/// Servers asked, one after the other.
const SERVERS_MAX: usize = 3;
/// How often the gap is filled further on the way to an event that another server named.
const ROUNDS_MAX: u64 = 10;
/// Events a round fills at least.
const ROUND: u64 = 100;

/// The event that stands next to a time, and that the requester may see.
pub async fn event_by_time(
    engine: &Engine,
    requester: &Requester,
    room_id: &RoomId,
    at_ms: i64,
    direction: Direction,
) -> Result<Arc<Pdu>, Error> {
    let (room, _) = history::readable_room(engine, requester, room_id).await?;
    let found = nearest(engine, &room, at_ms, direction).await?;
    let found = found.ok_or(Error::EventNotFound)?;
    let event_id = found.event_id.as_str().try_into().map_err(|_| Error::EventNotFound)?;
    history::event(engine, requester, room_id, event_id).await.map(|(_, pdu)| pdu)
}

/// The nearest event that is here, after the gap that may hide a nearer one was filled as far as another server says it takes.
async fn nearest(
    engine: &Engine,
    room: &Arc<Room>,
    at_ms: i64,
    direction: Direction,
) -> Result<Option<StoredEvent>, Error> {
    let db = &engine.app().db;
    let forward = direction == Direction::Forward;
    let here = events::find_event_by_time(db, room.id, at_ms, forward).await?;
    let Some(above) = gap_at(engine, room, here.as_ref(), forward).await? else { return Ok(here) };
    let Some(named) = ask(engine, room, at_ms, direction).await else { return Ok(here) };
    let (event_id, named_ms) = (named.event_id, i64::from(named.origin_server_ts.0));
    let on_its_side = if forward { named_ms >= at_ms } else { named_ms <= at_ms };
    let is_nearer =
        here.as_ref().is_none_or(|here| distance(named_ms, at_ms) < distance(here.at_ms, at_ms));
    if !on_its_side || !is_nearer {
        return Ok(here);
    }
    for round in 1..=ROUNDS_MAX {
        backfill::fill_before(engine, room, above, ROUND * round).await;
        let placed = engine.find_pdu(room, &event_id).await?;
        if placed.is_some_and(|pdu| pdu.place.order.is_some()) {
            break;
        }
    }
    Ok(events::find_event_by_time(db, room.id, at_ms, forward).await?)
}

fn distance(one: i64, other: i64) -> u64 {
    one.abs_diff(other)
}

/// Where in the timeline a gap lies between the nearest event that is here and the time; `None`: nothing is missing there.
async fn gap_at(
    engine: &Engine,
    room: &Room,
    here: Option<&StoredEvent>,
    forward: bool,
) -> Result<Option<i64>, Error> {
    let db = &engine.app().db;
    // A gap is noted at the event that follows it.
    let follower = match here.and_then(|here| here.timeline_order) {
        Some(order) if forward => Some(order),
        Some(order) => first_after(engine, room, order).await?,
        // Nothing is that new, and what comes after our newest event comes to us by itself.
        None if forward => None,
        None => first_after(engine, room, i64::MIN).await?,
    };
    let Some(follower) = follower else { return Ok(None) };
    Ok(gaps::is_gap(db, room.id, follower).await?.then_some(follower))
}

async fn first_after(engine: &Engine, room: &Room, order: i64) -> Result<Option<i64>, Error> {
    let next = events::list_timeline_after(&engine.app().db, room.id, order, 1).await?;
    Ok(next.first().and_then(|next| next.timeline_order))
}

/// What another server says is nearest.
async fn ask(
    engine: &Engine,
    room: &Room,
    at_ms: i64,
    direction: Direction,
) -> Option<get_event_by_timestamp::v1::Response> {
    let app = engine.app();
    let at = MilliSecondsSinceUnixEpoch(UInt::try_from(at_ms).ok()?);
    let servers: Vec<OwnedServerName> = {
        let seen = room.seen();
        let others = seen.servers.keys().filter(|server| !app.is_ours(server));
        others.take(SERVERS_MAX).cloned().collect()
    };
    for server in servers {
        let request = get_event_by_timestamp::v1::Request::new(room.room_id.clone(), at, direction);
        match app.federation.send(&server, request).await {
            Ok(answer) => return Some(answer),
            Err(error) => tracing::debug!(%server, %error, "no event by its time"),
        }
    }
    None
}
