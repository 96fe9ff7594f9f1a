//! Reading rooms: state, members, pages of history, single events and their surroundings.
//!
//! Everything passes `visibility`, so that who may see what is decided in one place.

use std::sync::Arc;

use ruma::{EventId, RoomId};

use super::{Engine, Error, Membership, Pdu, Room, sync_view, visibility};
use crate::{
    auth::Requester,
    storage::{
        Id, Position,
        events::{self, StoredEvent},
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
        Some(membership @ (Membership::Join | Membership::Leave | Membership::Ban)) => {
            Ok((room, membership))
        }
        _ if visibility::is_world_readable(engine, &room).await? => Ok((room, Membership::Leave)),
        _ => Err(not_in()),
    }
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
    }
    let stored = timeline(engine, &room, from, backwards, limit).await?;
    let next = match stored.last() {
        Some(last) if stored.len() as u64 == limit => {
            last.timeline_order.map(|order| if backwards { order } else { order + 1 })
        }
        _ => None,
    };
    let mut events = Vec::with_capacity(stored.len());
    for event in stored {
        let pdu = engine.read(event, &room)?;
        if visibility::may_see(engine, &room, requester.user, &pdu).await? {
            events.push(pdu);
        }
    }
    Ok(Page { room, events, next })
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
    let half = (limit / 2).min(PAGE_MAX);
    let mut sides = [Vec::new(), Vec::new()];
    for (side, backwards) in sides.iter_mut().zip([true, false]) {
        if half == 0 {
            continue;
        }
        let from = if backwards { order } else { order.saturating_add(1) };
        for stored in timeline(engine, &room, Some(from), backwards, half).await? {
            let pdu = engine.read(stored, &room)?;
            if visibility::may_see(engine, &room, requester.user, &pdu).await? {
                side.push(pdu);
            }
        }
    }
    let [before, after] = sides;
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

async fn event_in_timeline(
    engine: &Engine,
    requester: &Requester,
    room_id: &RoomId,
    event_id: &EventId,
) -> Result<(Arc<Room>, Arc<Pdu>), Error> {
    let (room, pdu) = event(engine, requester, room_id, event_id).await?;
    if pdu.place.order.is_some() { Ok((room, pdu)) } else { Err(Error::EventNotFound) }
}

/// The children of an event, newest first, before `from`, at most `limit`.
pub async fn relations(
    engine: &Engine,
    requester: &Requester,
    (room_id, event_id): (&RoomId, &EventId),
    kind: Kind<'_>,
    (from, limit): (Option<i64>, u64),
) -> Result<Page, Error> {
    let (room, _) = event(engine, requester, room_id, event_id).await?;
    let limit = limit.clamp(1, PAGE_MAX);
    let before = from.unwrap_or(i64::MAX);
    let stored =
        events::list_relations(&engine.app().db, event_id.as_str(), kind.rel_type, before, limit)
            .await?;
    let next =
        stored.last().filter(|_| stored.len() as u64 == limit).and_then(|last| last.timeline_order);
    let mut children = Vec::with_capacity(stored.len());
    for child in stored.into_iter().filter(|child| child.room == room.id) {
        let pdu = engine.read(child, &room)?;
        let wanted = kind.event_type.is_none_or(|wanted| pdu.event_type.to_string() == wanted);
        if wanted && visibility::may_see(engine, &room, requester.user, &pdu).await? {
            children.push(pdu);
        }
    }
    Ok(Page { room, events: children, next })
}

/// Which children are asked for.
#[derive(Debug, Clone, Copy, Default)]
pub struct Kind<'a> {
    pub rel_type: Option<&'a str>,
    pub event_type: Option<&'a str>,
}
