//! Read receipts and the fully-read marker: the newest per room, user, kind and thread, and never backwards.

use ruma::{EventId, OwnedEventId, OwnedUserId, RoomId, ServerName};
use serde_json::json;

use super::{Engine, Error, Room, acl, pdu::FIELD_BYTES_MAX};
use crate::{
    account,
    auth::Requester,
    storage::receipts::{self, Receipt},
};

/// Sets a receipt (`m.read`, `m.read.private`) or the `m.fully_read` marker of the requester.
///
/// `thread` is empty for unthreaded, `main`, or a thread's root event.
pub async fn set(
    engine: &Engine,
    requester: &Requester,
    room_id: &RoomId,
    kind: &str,
    thread: &str,
    event_id: &EventId,
) -> Result<(), Error> {
    let app = engine.app();
    let not_in = || Error::Forbidden("you are not in this room".to_owned());
    let room = engine.find_room(room_id).await?.ok_or_else(not_in)?;
    if !room.seen().is_joined(requester.user) {
        return Err(not_in());
    }
    match kind {
        "m.fully_read" => {
            let content = json!({ "event_id": event_id });
            let room_id = room_id.as_str();
            account::set_room_account_data(app, requester.user, room_id, kind, &content).await?;
            return Ok(());
        }
        "m.read" | "m.read.private" => {}
        _ => return Err(Error::InvalidParam(format!("{kind} is no receipt type"))),
    }
    let order = engine.find_pdu(&room, event_id).await?.and_then(|pdu| pdu.place.order);
    let receipt = Receipt {
        room: room.id,
        user: requester.user,
        kind: kind.to_owned(),
        thread: thread.to_owned(),
        event_id: event_id.to_string(),
        timeline_order: order,
        at_ms: app.clock.now_ms(),
        position: 0,
    };
    if !receipts::upsert_receipt(&app.db, receipt).await? {
        return Ok(());
    }
    if kind == "m.read" {
        app.bell.ring_users(room.seen().local_joined.iter().copied());
        engine.announce_receipt(&room, &requester.user_id, event_id, thread);
    } else {
        app.bell.ring_users([requester.user]);
    }
    Ok(())
}

/// A receipt as another server reports it for one of its users.
#[derive(Debug, Clone)]
pub struct Reported {
    pub user_id: OwnedUserId,
    /// As for [`set`].
    pub thread: String,
    pub event_id: OwnedEventId,
    pub at_ms: i64,
}

/// Takes receipts that `origin` reports for its users in a room. Unknown rooms, users not in them, and what the room's ACL
/// denies are ignored.
pub async fn receive(
    engine: &Engine,
    origin: &ServerName,
    room_id: &RoomId,
    reported: Vec<Reported>,
) -> Result<(), Error> {
    let app = engine.app();
    let Some(room) = engine.find_room(room_id).await? else { return Ok(()) };
    if !acl::allows(engine, &room, origin).await? {
        return Ok(());
    }
    let mut news = false;
    for Reported { user_id, thread, event_id, at_ms } in reported {
        let user = app.db.find_user(user_id.as_str()).await?;
        let Some(user) = user.filter(|user| room.seen().is_joined(*user)) else { continue };
        if user_id.server_name() != origin || thread.len() > FIELD_BYTES_MAX {
            continue;
        }
        let order = engine.find_pdu(&room, &event_id).await?.and_then(|pdu| pdu.place.order);
        let receipt = Receipt {
            room: room.id,
            user,
            kind: "m.read".to_owned(),
            thread,
            event_id: event_id.to_string(),
            timeline_order: order,
            at_ms,
            position: 0,
        };
        news |= receipts::upsert_receipt(&app.db, receipt).await?;
        if order.is_none() {
            // It may have come between the two.
            arrived(engine, &room, &event_id).await?;
        }
    }
    if news {
        app.bell.ring_users(room.seen().local_joined.iter().copied());
    }
    Ok(())
}

/// An event came, or got its place: what was said to be read up to it now is.
pub(super) async fn arrived(engine: &Engine, room: &Room, event_id: &EventId) -> Result<(), Error> {
    let app = engine.app();
    // Nearly always none: the event itself need not be read then.
    let waiting = receipts::list_waiting_receipts(&app.db, room.id, event_id.as_str()).await?;
    if waiting.is_empty() {
        return Ok(());
    }
    let timeline_order = engine.find_pdu(room, event_id).await?.and_then(|pdu| pdu.place.order);
    if timeline_order.is_none() {
        return Ok(());
    }
    let mut news = false;
    for receipt in waiting {
        let receipt = Receipt { timeline_order, ..receipt };
        news |= receipts::upsert_receipt(&app.db, receipt).await?;
    }
    if news {
        app.bell.ring_users(room.seen().local_joined.iter().copied());
    }
    Ok(())
}
