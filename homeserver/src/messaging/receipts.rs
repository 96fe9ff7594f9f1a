//! Read receipts and the fully-read marker: the newest per room, user, kind and thread, and never backwards.

use ruma::{EventId, RoomId};
use serde_json::json;

use super::{Engine, Error};
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

/// Takes a receipt that another server reports for one of its users; unknown rooms and users not in them are ignored.
pub async fn receive(
    engine: &Engine,
    room_id: &RoomId,
    user_id: &ruma::UserId,
    thread: &str,
    event_id: &EventId,
    at_ms: i64,
) -> Result<(), Error> {
    let app = engine.app();
    let Some(room) = engine.find_room(room_id).await? else { return Ok(()) };
    let Some(user) = app.db.find_user(user_id.as_str()).await? else { return Ok(()) };
    if !room.seen().is_joined(user) {
        return Ok(());
    }
    let timeline_order = engine.find_pdu(&room, event_id).await?.and_then(|pdu| pdu.place.order);
    let (kind, thread) = ("m.read".to_owned(), thread.to_owned());
    let event_id = event_id.to_string();
    let receipt =
        Receipt { room: room.id, user, kind, thread, event_id, timeline_order, at_ms, position: 0 };
    if receipts::upsert_receipt(&app.db, receipt).await? {
        app.bell.ring_users(room.seen().local_joined.iter().copied());
    }
    Ok(())
}
