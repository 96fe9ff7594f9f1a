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
    storage::{Id, Position, Topic, unread, unread::ToldReceipt},
};

/// Receipts of a user's rooms that are read at once.
const RECEIPTS_MAX: usize = 2_000;

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

/// `m.receipt` events, one a thread: a user may have read the same event in one thread and in all.
pub(super) fn receipts(told: Vec<ToldReceipt>) -> Vec<Event> {
    let mut threads: BTreeMap<String, Vec<ToldReceipt>> = BTreeMap::new();
    for receipt in told {
        threads.entry(receipt.thread.clone()).or_default().push(receipt);
    }
    let contents = threads.into_values().filter_map(|told| receipt_content(&told));
    contents.filter_map(|content| event("m.receipt", &content)).collect()
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

/// All receipts that `user` is told of up to `upto`, by room; `None` when there are too many to read them at once.
pub(super) async fn all_receipts(
    engine: &Engine,
    user: Id,
    upto: Position,
) -> Result<Option<HashMap<Id, Vec<ToldReceipt>>>, Error> {
    let all = unread::list_all_receipts_for(&engine.app().db, user, upto, RECEIPTS_MAX + 1).await?;
    if all.len() > RECEIPTS_MAX {
        return Ok(None);
    }
    let mut rooms: HashMap<Id, Vec<ToldReceipt>> = HashMap::new();
    for receipt in all {
        rooms.entry(receipt.room).or_default().push(receipt);
    }
    Ok(Some(rooms))
}

/// The receipts that are new to `user` in `(since, upto]`, by room.
pub(super) async fn receipts_since(
    engine: &Engine,
    user: Id,
    span: (Position, Position),
) -> Result<HashMap<Id, Vec<ToldReceipt>>, Error> {
    let mut rooms: HashMap<Id, Vec<ToldReceipt>> = HashMap::new();
    let db = &engine.app().db;
    let standings = engine.standings(user).await?;
    let mut joined = standings.iter().filter(|standing| standing.membership == "join");
    if !joined.any(|standing| db.changes().any_since(Topic::Receipts(standing.room), span.0)) {
        return Ok(rooms);
    }
    for receipt in unread::list_receipts_for(db, user, span).await? {
        rooms.entry(receipt.room).or_default().push(receipt);
    }
    Ok(rooms)
}
