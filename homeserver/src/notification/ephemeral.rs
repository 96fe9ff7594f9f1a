//! What passes by in a room: who types, who has read how far.

use std::collections::{BTreeMap, HashMap};

use ruma::RoomId;
use serde::Serialize;
use serde_json::{
    Map, Value, json,
    value::{RawValue, to_raw_value},
};

use super::{Error, response::Event};
use crate::{
    messaging::Engine,
    storage::{Id, Position, unread, unread::ToldReceipt},
};

/// An `m.typing` event if typing changed in the room after `since`.
pub(super) fn typing(engine: &Engine, room_id: &RoomId, since: Option<u64>) -> Option<Event> {
    event("m.typing", &typing_content(engine, room_id, since)?)
}

/// The content of an `m.typing` event if typing changed in the room after `since`.
pub(super) fn typing_content(
    engine: &Engine,
    room_id: &RoomId,
    since: Option<u64>,
) -> Option<Box<RawValue>> {
    let users = engine.typing().changed_since(room_id, since.unwrap_or_default())?;
    // Somebody who never heard that anybody types need not hear that nobody does.
    if users.is_empty() && since.is_none() {
        return None;
    }
    to_raw_value(&json!({ "user_ids": users })).ok()
}

/// An `m.receipt` event; `None` for no receipts.
pub(super) fn receipts(told: &[ToldReceipt]) -> Option<Event> {
    event("m.receipt", &receipt_content(told)?)
}

/// The content of an `m.receipt` event; `None` for no receipts.
pub(super) fn receipt_content(told: &[ToldReceipt]) -> Option<Box<RawValue>> {
    if told.is_empty() {
        return None;
    }
    let mut content: BTreeMap<&str, BTreeMap<&str, Map<String, Value>>> = BTreeMap::new();
    for receipt in told {
        let data = if receipt.thread.is_empty() {
            json!({ "ts": receipt.at_ms })
        } else {
            json!({ "ts": receipt.at_ms, "thread_id": receipt.thread })
        };
        let readers = content.entry(&receipt.event_id).or_default().entry(&receipt.kind);
        let readers = readers.or_default();
        // An unthreaded receipt says more than a threaded one of the same event.
        if receipt.thread.is_empty() || !readers.contains_key(&receipt.user_id) {
            readers.insert(receipt.user_id.clone(), data);
        }
    }
    to_raw_value(&content).ok()
}

fn event(event_type: &str, content: &RawValue) -> Option<Event> {
    #[derive(Serialize)]
    struct Ephemeral<'a> {
        #[serde(rename = "type")]
        event_type: &'a str,
        content: &'a RawValue,
    }
    to_raw_value(&Ephemeral { event_type, content }).ok()
}

/// The receipts that are new to `user` in `(since, upto]`, by room.
pub(super) async fn receipts_since(
    engine: &Engine,
    user: Id,
    span: (Position, Position),
) -> Result<HashMap<Id, Vec<ToldReceipt>>, Error> {
    let mut rooms: HashMap<Id, Vec<ToldReceipt>> = HashMap::new();
    for receipt in unread::list_receipts_for(&engine.app().db, user, span).await? {
        rooms.entry(receipt.room).or_default().push(receipt);
    }
    Ok(rooms)
}
