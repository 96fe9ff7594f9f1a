//! Jumping to a date: the event next to a time, here or, where a gap may hide it, at another server.

use std::sync::Arc;

use ruma::{
    MilliSecondsSinceUnixEpoch, OwnedServerName, RoomId, UInt,
    api::{Direction, federation::event::get_event_by_timestamp},
};

use super::{Engine, Error, Pdu, Room, backfill, history, visibility::Sight};
use crate::{
    auth::Requester,
    storage::{
        Database, Id, events, gaps,
        moments::{self, Moment, Near},
    },
};

/// Servers asked, one after the other.
const SERVERS_MAX: usize = 3;
/// How often the gap is filled further on the way to an event that another server named.
const ROUNDS_MAX: u64 = 10;
/// Events a round fills at least.
const ROUND: u64 = 100;
/// Events on either side of the time's place in the timeline among which the nearest is looked for.
const REACH: i64 = 5_000;
/// How exact that place is, in places.
const BLUR: i64 = 1_000;
/// Events whose middle one says when a place in the timeline was: most clocks are right.
const WITNESSES: i64 = 15;
/// Events that are tried, nearest first, until the requester may see one.
const LOOKS_MAX: i64 = 1_000;
/// Events that are read at once for it.
const LOOKS: usize = 50;

/// The event nearest to a time, on one side of it, that the requester may see ([spec]).
///
/// Times are what senders say, and the timeline is not ordered by them. Among the 10,000 events around the time's place in the
/// timeline the answer is exact; one that claims a time far from its place is not found in a room with more.
///
/// [spec]: https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv1roomsroomidtimestamp_to_event
pub async fn event_by_time(
    engine: &Engine,
    requester: &Requester,
    room_id: &RoomId,
    at_ms: i64,
    direction: Direction,
) -> Result<Arc<Pdu>, Error> {
    let (room, _) = history::readable_room(engine, requester, room_id).await?;
    let nearest = nearest(engine, &room, at_ms, direction).await?;
    let sight = Sight::new(engine, &room, requester.user);
    for moments in nearest.chunks(LOOKS) {
        let ids: Vec<Id> = moments.iter().map(|moment| moment.id).collect();
        for pdu in engine.pdus(&room, &ids).await? {
            if sight.sees(&pdu).await? {
                return Ok(pdu);
            }
        }
    }
    Err(Error::EventNotFound)
}

/// The nearest events that are here, nearest first, after the gap that may hide a nearer one was filled as far as another server says it
/// takes.
async fn nearest(
    engine: &Engine,
    room: &Arc<Room>,
    at_ms: i64,
    direction: Direction,
) -> Result<Vec<Moment>, Error> {
    let forward = direction == Direction::Forward;
    let here = nearest_here(engine, room, at_ms, forward).await?;
    let first = here.first().copied();
    let Some(above) = gap_at(engine, room, first, forward).await? else { return Ok(here) };
    let Some(named) = ask(engine, room, at_ms, direction).await else { return Ok(here) };
    let (event_id, named_ms) = (named.event_id, i64::from(named.origin_server_ts.0));
    let on_its_side = if forward { named_ms >= at_ms } else { named_ms <= at_ms };
    let is_nearer =
        first.is_none_or(|first| distance(named_ms, at_ms) < distance(first.at_ms, at_ms));
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
    nearest_here(engine, room, at_ms, forward).await
}

/// The events of the timeline that are nearest to a time on one side of it, nearest first, whoever may see them.
pub(super) async fn nearest_here(
    engine: &Engine,
    room: &Room,
    at_ms: i64,
    forward: bool,
) -> Result<Vec<Moment>, Error> {
    let db = &engine.app().db;
    let place = place_of(db, room.id, at_ms).await?;
    let near = Near { room: room.id, at_ms, forward, place, reach: REACH };
    Ok(moments::list_near(db, near, LOOKS_MAX).await?)
}

/// About where in the timeline the time was, by halves: an index by time would cost every event a page to write.
async fn place_of(db: &Database, room: Id, at_ms: i64) -> Result<i64, Error> {
    let Some((mut low, mut high)) = moments::find_span(db, room).await? else { return Ok(0) };
    while high.saturating_sub(low) > BLUR {
        let middle = low.midpoint(high);
        let mut witnesses = moments::list_from(db, room, middle, WITNESSES).await?;
        witnesses.sort_unstable_by_key(|moment| moment.at_ms);
        match witnesses.get(witnesses.len() / 2) {
            Some(witness) if witness.at_ms < at_ms => low = middle,
            _ => high = middle,
        }
    }
    Ok(low)
}

fn distance(one: i64, other: i64) -> u64 {
    one.abs_diff(other)
}

/// Where in the timeline a gap lies between the nearest event that is here and the time; `None`: nothing is missing there.
async fn gap_at(
    engine: &Engine,
    room: &Room,
    here: Option<Moment>,
    forward: bool,
) -> Result<Option<i64>, Error> {
    let db = &engine.app().db;
    // A gap is noted at the event that follows it.
    let follower = match here.map(|here| here.order) {
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
