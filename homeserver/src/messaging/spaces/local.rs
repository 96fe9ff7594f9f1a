//! Rooms that are here, as a tree of rooms shows them.

use std::sync::Arc;

use ruma::{OwnedRoomId, RoomId, ServerName};

use super::{Entry, access};
use crate::{
    messaging::{
        Engine, Error, Room, stripped,
        summary::{Summary, summary},
    },
    storage::Id,
};

/// Most children of a space that another server is told of at once.
const TOLD_MAX: usize = 100;

/// A room of which this server knows the state of today.
pub(super) async fn room(engine: &Engine, room_id: &RoomId) -> Result<Option<Arc<Room>>, Error> {
    let room = engine.find_room(room_id).await?;
    Ok(room.filter(|room| room.is_resident()))
}

/// A room with its children.
pub(super) async fn entry(
    engine: &Engine,
    room: &Room,
    summary: Summary,
    suggested_only: bool,
) -> Result<Entry, Error> {
    if !summary.is_space() {
        return Ok(Entry::new(summary, Vec::new(), suggested_only));
    }
    let slots: Vec<(Id, Id)> =
        room.seen().state.iter().map(|(slot, event)| (*slot, *event)).collect();
    let mut ids = Vec::new();
    for (slot, event) in slots {
        if engine.app().db.state_key_name(slot).await?.event_type == "m.space.child" {
            ids.push(event);
        }
    }
    let events = engine.pdus(room, &ids).await?;
    let events = events.iter().map(|pdu| stripped::event(pdu)).collect();
    Ok(Entry::new(summary, events, suggested_only))
}

/// What another server is told of a room and what lies right below it.
#[derive(Debug)]
pub struct ForServer {
    pub room: Entry,
    pub children: Vec<Summary>,
    /// Children that are here and that the other server may not know of, so that it need not ask on.
    pub inaccessible: Vec<OwnedRoomId>,
}

/// A room and its children, as far as they are here and `origin` may know of them.
///
/// # Errors
/// [`Error::RoomNotFound`], also where `origin` may not know of the room.
pub async fn for_server(
    engine: &Engine,
    origin: &ServerName,
    room_id: &RoomId,
    suggested_only: bool,
) -> Result<ForServer, Error> {
    let top = room(engine, room_id).await?.ok_or(Error::RoomNotFound)?;
    let described = summary(engine, &top).await?;
    if !access::server_may_know(engine, origin, &top, &described).await? {
        return Err(Error::RoomNotFound);
    }
    let top = entry(engine, &top, described, suggested_only).await?;
    let (mut children, mut inaccessible) = (Vec::new(), Vec::new());
    for child in top.children.iter().take(TOLD_MAX) {
        let Some(room) = room(engine, &child.room_id).await? else { continue };
        let described = summary(engine, &room).await?;
        if access::server_may_know(engine, origin, &room, &described).await? {
            children.push(described);
        } else {
            inaccessible.push(child.room_id.clone());
        }
    }
    Ok(ForServer { room: top, children, inaccessible })
}
