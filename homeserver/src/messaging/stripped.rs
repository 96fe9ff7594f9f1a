//! Stripped state: the little that somebody outside a room is shown of it ([spec]).
//!
//! [spec]: https://spec.matrix.org/v1.19/client-server-api/#stripped-state

use std::sync::Arc;

use ruma::{UserId, api::federation::membership::RawStrippedState};
use serde_json::{Value, json};

use super::{Engine, Error, Pdu, Room};

/// The state events worth showing, in this order.
const SHOWN: [&str; 8] = [
    "m.room.create",
    "m.room.join_rules",
    "m.room.name",
    "m.room.avatar",
    "m.room.topic",
    "m.room.canonical_alias",
    "m.room.encryption",
    "m.room.history_visibility",
];

/// An event reduced to sender, type, state key and content.
pub fn event(pdu: &Pdu) -> Value {
    json!({
        "sender": pdu.sender, "type": pdu.event_type.to_string(), "state_key": pdu.state_key,
        "content": pdu.content, "origin_server_ts": pdu.origin_server_ts, "event_id": pdu.event_id,
    })
}

/// The events of a room that describe it to outsiders; for who is invited, with the membership of `inviter`, whose name an
/// invitation shows.
pub async fn events(
    engine: &Engine,
    room: &Room,
    inviter: Option<&UserId>,
) -> Result<Vec<Arc<Pdu>>, Error> {
    let mut events = Vec::with_capacity(SHOWN.len() + 1);
    for event_type in SHOWN {
        events.extend(engine.state_event(room, event_type, "").await?);
    }
    if let Some(inviter) = inviter {
        events.extend(engine.state_event(room, "m.room.member", inviter.as_str()).await?);
    }
    Ok(events)
}

/// The stripped state of a room.
pub async fn state(engine: &Engine, room: &Room) -> Result<Vec<Value>, Error> {
    Ok(events(engine, room, None).await?.iter().map(|pdu| event(pdu)).collect())
}

/// What an inviting server shows of its room, as stripped state for clients: lenient, item by item, bounded.
pub(super) fn of_another_server(given: &[RawStrippedState], invite: &Pdu) -> Vec<Value> {
    const ITEMS_MAX: usize = 100;
    let mut shown: Vec<Value> = given.iter().take(ITEMS_MAX).filter_map(strip).collect();
    shown.push(event(invite));
    shown
}

fn strip(given: &RawStrippedState) -> Option<Value> {
    const BYTES_MAX: usize = 65_536;
    let json = json_of(given).filter(|json| json.len() <= BYTES_MAX)?;
    let event: Value = serde_json::from_str(json).ok()?;
    let text = |name: &str| event.get(name).filter(|value| value.is_string()).cloned();
    let mut shown = json!({
        "type": text("type")?, "state_key": text("state_key")?, "sender": text("sender")?,
        "content": event.get("content").filter(|content| content.is_object())?,
    });
    // Of whole events clients may know the date too; of the create event they must.
    if let Some(at) = event.get("origin_server_ts").filter(|at| at.is_u64()) {
        shown.as_object_mut()?.insert("origin_server_ts".to_owned(), at.clone());
    }
    Some(shown)
}

#[expect(deprecated, reason = "servers of before Matrix 1.16 send stripped events")]
fn json_of(given: &RawStrippedState) -> Option<&str> {
    match given {
        RawStrippedState::Stripped(raw) => Some(raw.json().get()),
        RawStrippedState::Pdu(raw) => Some(raw.get()),
        _ => None,
    }
}
