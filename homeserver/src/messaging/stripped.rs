//! Stripped state: the little that somebody outside a room is shown of it ([spec]).
//!
//! [spec]: https://spec.matrix.org/v1.19/client-server-api/#stripped-state

use std::sync::Arc;

use ruma::UserId;
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
