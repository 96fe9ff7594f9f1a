//! Reading rooms: state, members, pages of history, single events and their surroundings.
//!
//! Everything passes `visibility`, so that who may see what is decided in one place.

use std::sync::Arc;

use ruma::{EventId, RoomId};

use super::{
    Engine, Error, Membership, Pdu, Room, sync_view,
    visibility::{self, Sight},
};
use crate::{
    auth::Requester,
    storage::{
        Id, Position,
        events::{self, StoredEvent},
        rooms,
    },
};

/// Most events of a page.
pub const PAGE_MAX: u64 = 1_000;

/// A room the requester is or was in, and their standing there.
///
/// # Errors
/// [`Error::Forbidden`] for all others, whether the room exists or not.
pub async fn readable_room(
    engine: &Engine,
    requester: &Requester,
    room_id: &RoomId,
) -> Result<(Arc<Room>, Membership), Error> {
    let not_in = || Error::Forbidden("you are not in this room".to_owned());
    let room = engine.find_room(room_id).await?.ok_or_else(not_in)?;
    let standing = room.seen().membership(requester.user);
    match standing {
        Some(Membership::Join) => Ok((room, Membership::Join)),
        Some(membership @ (Membership::Leave | Membership::Ban))
            if !is_forgotten(engine, requester, &room).await? =>
        {
            Ok((room, membership))
        }
        _ if visibility::is_world_readable(engine, &room).await? => Ok((room, Membership::Leave)),
        _ => Err(not_in()),
    }
}

/// Whether the requester has asked to hear no more of the room.
async fn is_forgotten(engine: &Engine, requester: &Requester, room: &Room) -> Result<bool, Error> {
    let db = &engine.app().db;
    let standing = rooms::find_membership(db, requester.user, room.id).await?;
    Ok(standing.is_some_and(|standing| standing.forgotten))
}

/// The room's state as the requester may see it: now, or when they left.
pub async fn state(
    engine: &Engine,
    requester: &Requester,
    room_id: &RoomId,
) -> Result<(Arc<Room>, Vec<Arc<Pdu>>), Error> {
    let (room, membership) = readable_room(engine, requester, room_id).await?;
    let ids: Vec<Id> = match membership {
        Membership::Join => room.seen().state.values().copied().collect(),
        _ => state_at_leave(engine, &room, requester).await?,
    };
    let events = engine.pdus(&room, &ids).await?;
    Ok((room, events))
}

/// The room's state at an earlier position of the requester's sync, as far as they could see it then.
pub async fn state_at_position(
    engine: &Engine,
    requester: &Requester,
    room_id: &RoomId,
    position: Position,
) -> Result<(Arc<Room>, Vec<Arc<Pdu>>), Error> {
    let (room, membership) = readable_room(engine, requester, room_id).await?;
    if membership != Membership::Join {
        return state(engine, requester, room_id).await;
    }
    let last = sync_view::last_event_at(engine, &room, position).await?;
    let then = sync_view::state_after(engine, last.as_deref()).await?;
    let ids: Vec<Id> = then.state().into_values().collect();
    let events = engine.pdus(&room, &ids).await?;
    Ok((room, events))
}

/// The room's state at a place in its timeline, as far as the requester may see it. Before everything it is the state with which the
/// history here begins; the room's own beginning is its creator's join, for no room is nobody's.
pub async fn state_at_place(
    engine: &Engine,
    requester: &Requester,
    room_id: &RoomId,
    order: i64,
) -> Result<(Arc<Room>, Vec<Arc<Pdu>>), Error> {
    let (room, membership) = readable_room(engine, requester, room_id).await?;
    if membership != Membership::Join {
        return state(engine, requester, room_id).await;
    }
    let before = timeline(engine, &room, Some(order), true, 1).await?.pop();
    let snapshot = match before {
        Some(before) => before.state_after,
        None => {
            let first = timeline(engine, &room, None, false, 2).await?;
            let begins = |event: &StoredEvent| event.state_before.is_some();
            let known = first.first().filter(|first| begins(first));
            known.map_or_else(
                || first.last().and_then(|second| second.state_after),
                |first| first.state_before,
            )
        }
    };
    let ids: Vec<Id> = engine.state_at(snapshot).await?.state().into_values().collect();
    let events = engine.pdus(&room, &ids).await?;
    Ok((room, events))
}

async fn state_at_leave(
    engine: &Engine,
    room: &Room,
    requester: &Requester,
) -> Result<Vec<Id>, Error> {
    let left = room.seen().members.get(&requester.user).map(|member| member.event);
    let after = match left {
        Some(event) => engine.pdu(room, event).await?.place.state_after,
        None => None,
    };
    match after {
        Some(snapshot) => {
            Ok(engine.state_at(Some(snapshot)).await?.state().into_values().collect())
        }
        None => Ok(room.seen().state.values().copied().collect()),
    }
}

/// One event, if the requester may see it.
pub async fn event(
    engine: &Engine,
    requester: &Requester,
    room_id: &RoomId,
    event_id: &EventId,
) -> Result<(Arc<Room>, Arc<Pdu>), Error> {
    let room = engine.find_room(room_id).await?.ok_or(Error::EventNotFound)?;
    let pdu = engine.find_pdu(&room, event_id).await?.ok_or(Error::EventNotFound)?;
    if pdu.place.order.is_none() && !pdu.is_state()
        || !visibility::may_see(engine, &room, requester.user, &pdu).await?
    {
        return Err(Error::EventNotFound);
    }
    Ok((room, pdu))
}

/// A page of history.
#[derive(Debug)]
pub struct Page {
    pub room: Arc<Room>,
    /// In the order asked for.
    pub events: Vec<Arc<Pdu>>,
    /// Where the next page goes on: the [place](super::tokens::TimelineToken) behind the last event looked at. `None`:
    /// nothing more.
    pub next: Option<i64>,
}

/// A page of a room's timeline from the [place](super::tokens::TimelineToken) `from`, backwards or forwards, by position in the
/// timeline, not by what is visible: a page may be short, or empty, and still have a next one.
pub async fn page(
    engine: &Engine,
    requester: &Requester,
    room_id: &RoomId,
    from: Option<i64>,
    backwards: bool,
    limit: u64,
) -> Result<Page, Error> {
    let (room, _) = readable_room(engine, requester, room_id).await?;
    let limit = limit.clamp(1, PAGE_MAX);
    if backwards {
        super::backfill::fill_before(engine, &room, from.unwrap_or(i64::MAX), limit).await;
    } else {
        super::backfill::fill_after(engine, &room, from.unwrap_or(i64::MIN), limit).await;
    }
    let pdus = if backwards {
        pdus_before(engine, &room, from.unwrap_or(i64::MAX), limit).await?
    } else {
        let stored = timeline(engine, &room, from, backwards, limit).await?;
        stored.into_iter().map(|event| engine.read(event, &room)).collect::<Result<_, _>>()?
    };
    // Whether there is more shows only when it is asked for: history may be filled in meanwhile.
    let last = pdus.last().and_then(|last| last.place.order);
    let next = last.map(|order| if backwards { order } else { order + 1 });
    let events = Sight::new(engine, &room, requester.user).filter(pdus).await?;
    Ok(Page { room, events, next })
}

/// Up to `limit` events before a place, newest first: from memory as far as they are there.
async fn pdus_before(
    engine: &Engine,
    room: &Room,
    before: i64,
    limit: u64,
) -> Result<Vec<Arc<Pdu>>, Error> {
    let count = usize::try_from(limit).unwrap_or(usize::MAX);
    {
        let seen = room.seen();
        let mut recent = Vec::with_capacity(count.min(seen.recent.len()));
        for pdu in seen.recent.iter().rev() {
            if pdu.place.order < Some(before) {
                recent.push(pdu.clone());
            }
            if recent.len() == count {
                return Ok(recent);
            }
            // What was fetched since to go before it is not among them.
            if pdu.place.is_after_gap() {
                break;
            }
        }
    }
    let ids = events::list_ids_before(&engine.app().db, room.id, before, limit).await?;
    engine.pdus(room, &ids).await
}

async fn timeline(
    engine: &Engine,
    room: &Room,
    from: Option<i64>,
    backwards: bool,
    limit: u64,
) -> Result<Vec<StoredEvent>, Error> {
    let db = &engine.app().db;
    Ok(if backwards {
        events::list_timeline_before(db, room.id, from.unwrap_or(i64::MAX), limit).await?
    } else {
        let after = from.map_or(i64::MIN, |from| from.saturating_sub(1));
        events::list_timeline_after(db, room.id, after, limit).await?
    })
}

/// An event and what stands around it.
#[derive(Debug)]
pub struct Context {
    pub room: Arc<Room>,
    pub event: Arc<Pdu>,
    /// Newest first.
    pub before: Vec<Arc<Pdu>>,
    /// Oldest first.
    pub after: Vec<Arc<Pdu>>,
    /// The state at the last event of the context.
    pub state: Vec<Arc<Pdu>>,
}

/// Up to `limit` events around one.
pub async fn context(
    engine: &Engine,
    requester: &Requester,
    room_id: &RoomId,
    event_id: &EventId,
    limit: u64,
) -> Result<Context, Error> {
    let (room, event) = event_in_timeline(engine, requester, room_id, event_id).await?;
    let Some(order) = event.place.order else { return Err(Error::EventNotFound) };
    let (before, after) =
        around(engine, requester.user, &room, order, (limit / 2, limit / 2)).await?;
    let last = after.last().unwrap_or(&event);
    let state = match last.place.state_after {
        Some(snapshot) => {
            let ids: Vec<Id> =
                engine.state_at(Some(snapshot)).await?.state().into_values().collect();
            engine.pdus(&room, &ids).await?
        }
        None => Vec::new(),
    };
    Ok(Context { room, event, before, after, state })
}

/// What stands right before and right after a place in the timeline, as far as `user` may see it; nearest first.
pub(super) async fn around(
    engine: &Engine,
    user: Id,
    room: &Room,
    order: i64,
    (before, after): (u64, u64),
) -> Result<(Vec<Arc<Pdu>>, Vec<Arc<Pdu>>), Error> {
    let mut sides = [Vec::new(), Vec::new()];
    let wanted = [(true, order, before), (false, order.saturating_add(1), after)];
    for (side, (backwards, from, limit)) in sides.iter_mut().zip(wanted) {
        if limit == 0 {
            continue;
        }
        let page = timeline(engine, room, Some(from), backwards, limit.min(PAGE_MAX)).await?;
        for stored in page {
            let pdu = engine.read(stored, room)?;
            if visibility::may_see(engine, room, user, &pdu).await? {
                side.push(pdu);
            }
        }
    }
    let [before, after] = sides;
    Ok((before, after))
}

async fn event_in_timeline(
    engine: &Engine,
    requester: &Requester,
    room_id: &RoomId,
    event_id: &EventId,
) -> Result<(Arc<Room>, Arc<Pdu>), Error> {
    let (room, pdu) = event(engine, requester, room_id, event_id).await?;
    if pdu.place.order.is_some() { Ok((room, pdu)) } else { Err(Error::EventNotFound) }
}

/// How far away an event may be that `recurse` finds.
pub const RECURSION_DEPTH: i64 = 3;

/// Which children of an event are asked for, and which page of them.
#[derive(Debug, Clone, Default)]
pub struct Children {
    pub rel_type: Option<String>,
    pub event_type: Option<String>,
    /// Children's children too, [`RECURSION_DEPTH`] deep.
    pub recurse: bool,
    pub backwards: bool,
    /// [Places](super::tokens::TimelineToken).
    pub from: Option<i64>,
    pub to: Option<i64>,
    pub limit: u64,
}

/// A page of what relates to an event.
pub async fn relations(
    engine: &Engine,
    requester: &Requester,
    (room_id, event_id): (&RoomId, &EventId),
    asked: Children,
) -> Result<Page, Error> {
    let (room, _) = event(engine, requester, room_id, event_id).await?;
    let limit = asked.limit.clamp(1, PAGE_MAX);
    let (low, high) = if asked.backwards { (asked.to, asked.from) } else { (asked.from, asked.to) };
    let related = events::Related {
        room: room.id,
        parent_event_id: event_id.to_string(),
        rel_type: asked.rel_type,
        event_type: asked.event_type,
        depth: if asked.recurse { RECURSION_DEPTH } else { 1 },
        span: (low.unwrap_or(i64::MIN), high.unwrap_or(i64::MAX)),
        newest_first: asked.backwards,
    };
    let stored = events::list_related(&engine.app().db, related, limit).await?;
    let last = stored.last().filter(|_| stored.len() as u64 == limit);
    let next = last.and_then(|last| last.timeline_order);
    let next = next.map(|order| if asked.backwards { order } else { order + 1 });
    let mut children = Vec::with_capacity(stored.len());
    for child in stored {
        let pdu = engine.read(child, &room)?;
        if visibility::may_see(engine, &room, requester.user, &pdu).await? {
            children.push(pdu);
        }
    }
    Ok(Page { room, events: children, next })
}
