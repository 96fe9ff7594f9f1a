//! Events as clients see them: the client format, what is only for the viewer, and what aggregates to them.
//!
//! Every door that answers with room events builds them here. Spec:
//! <https://spec.matrix.org/v1.19/client-server-api/#room-event-format>.

use std::sync::Arc;

use ruma::{
    EventId, MilliSecondsSinceUnixEpoch, OwnedEventId, RoomId, UserId, events::TimelineEventType,
};
use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};

use super::{
    Engine, Error, Membership, Pdu, Room,
    relations::{self, Bundle},
    sent,
    visibility::Sight,
};
use crate::{
    auth::Requester,
    storage::{self, Id, events},
};

/// A whole room's state longer than this comes without the content that each event replaced.
const EXPLAINED_MAX: usize = 200;

/// Where the event goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// With its room's id.
    Client,
    /// In a sync response, which names the room already.
    Sync,
}

#[derive(Serialize)]
struct Wire<'a> {
    #[serde(rename = "type")]
    event_type: &'a TimelineEventType,
    sender: &'a UserId,
    content: &'a RawValue,
    origin_server_ts: MilliSecondsSinceUnixEpoch,
    event_id: &'a EventId,
    #[serde(skip_serializing_if = "Option::is_none")]
    room_id: Option<&'a RoomId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    state_key: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    redacts: Option<&'a EventId>,
    unsigned: Unsigned,
}

#[derive(Serialize, Default)]
struct Unsigned {
    age: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    transaction_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    membership: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    prev_content: Option<Box<RawValue>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    prev_sender: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    replaces_state: Option<OwnedEventId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    redacted_because: Option<Box<RawValue>>,
    #[serde(rename = "m.relations", skip_serializing_if = "Option::is_none")]
    relations: Option<Bundle>,
}

/// Events with their room's id, as `viewer` sees them, in the order given.
///
/// Whether they may see them is asked before (see `visibility`).
pub async fn list(
    engine: &Engine,
    room: &Room,
    viewer: &Requester,
    pdus: &[Arc<Pdu>],
) -> Result<Vec<Box<RawValue>>, Error> {
    if pdus.len() > EXPLAINED_MAX && pdus.iter().all(|pdu| pdu.is_state()) {
        let now_ms = engine.app().clock.now_ms();
        return pdus.iter().map(|pdu| plain_event(room, pdu, Form::Client, now_ms)).collect();
    }
    let sight = Sight::new(engine, room, viewer.user);
    list_for(&sight, viewer.device, pdus, Form::Client).await
}

/// As [`list`], for a sight that is at hand.
pub async fn list_for(
    sight: &Sight<'_>,
    device: Id,
    pdus: &[Arc<Pdu>],
    form: Form,
) -> Result<Vec<Box<RawValue>>, Error> {
    let mut bundles = relations::bundle(sight, pdus, form).await?;
    let mut events = Vec::with_capacity(pdus.len());
    for pdu in pdus {
        let mut unsigned = unsigned(sight, device, pdu, form).await?;
        unsigned.relations = bundles.remove(&pdu.id);
        events.push(write(sight.room, pdu, form, unsigned)?);
    }
    Ok(events)
}

/// An event alone: for state, and for events inside others. `now_ms` gives it its age.
pub fn plain_event(
    room: &Room,
    pdu: &Pdu,
    form: Form,
    now_ms: i64,
) -> Result<Box<RawValue>, Error> {
    write(room, pdu, form, Unsigned { age: age(pdu, now_ms), ..Unsigned::default() })
}

/// An event as servers send it to each other: as signed, or pruned once it is redacted.
pub fn raw_event(pdu: &Pdu) -> Result<Box<RawValue>, Error> {
    serde_json::from_slice(&pdu.json)
        .map_err(|_| Error::Storage(storage::Error::Damaged { what: "event" }))
}

fn age(pdu: &Pdu, now_ms: i64) -> i64 {
    now_ms.saturating_sub(i64::from(pdu.origin_server_ts.0)).max(0)
}

async fn unsigned(sight: &Sight<'_>, device: Id, pdu: &Pdu, form: Form) -> Result<Unsigned, Error> {
    let (engine, room) = (sight.engine, sight.room);
    let app = engine.app();
    let now_ms = app.clock.now_ms();
    let mut unsigned = Unsigned {
        age: age(pdu, now_ms),
        membership: sight.membership_at(pdu).await?.map(Membership::as_str),
        ..Unsigned::default()
    };
    // Only the device that sent it has a use for its transaction id, and only it may know it.
    if pdu.sender_id == sight.user && pdu.place.flags & events::LOCAL != 0 {
        unsigned.transaction_id = sent::txn_id(engine, device, pdu.id).await?;
    }
    if let Some(redaction) = pdu.place.redacted_by {
        let redaction = engine.pdu(room, redaction).await?;
        unsigned.redacted_because = Some(plain_event(room, &redaction, form, now_ms)?);
    }
    if let Some(state_key) = &pdu.state_key
        && pdu.place.state_before.is_some()
    {
        let slot = app.db.state_key(&pdu.event_type.to_string(), state_key).await?;
        let before = engine.state_at(pdu.place.state_before).await?;
        if let Some(id) = before.get(slot) {
            let previous = engine.pdu(room, id).await?;
            unsigned.prev_content = Some(previous.content.clone());
            unsigned.prev_sender = Some(previous.sender.to_string());
            unsigned.replaces_state = Some(previous.event_id.clone());
        }
    }
    Ok(unsigned)
}

fn write(room: &Room, pdu: &Pdu, form: Form, unsigned: Unsigned) -> Result<Box<RawValue>, Error> {
    let with_target = redaction_content(room, pdu);
    let wire = Wire {
        event_type: &pdu.event_type,
        sender: &pdu.sender,
        content: with_target.as_deref().unwrap_or(&pdu.content),
        origin_server_ts: pdu.origin_server_ts,
        event_id: &pdu.event_id,
        room_id: (form == Form::Client).then_some(&*pdu.room_id),
        state_key: pdu.state_key.as_deref(),
        redacts: pdu.redacts.as_deref(),
        unsigned,
    };
    to_raw_value(&wire).map_err(|_| Error::Storage(storage::Error::Damaged { what: "event" }))
}

/// The content of an old room's redaction with its target in it, where newer clients look for it
/// ([spec](https://spec.matrix.org/v1.19/rooms/v11/#moving-the-redacts-property-of-mroomredaction-events-to-a-content-property)).
fn redaction_content(room: &Room, pdu: &Pdu) -> Option<Box<RawValue>> {
    if room.rules.redaction.content_field_redacts {
        return None;
    }
    let redacts = pdu.redacts.as_ref()?;
    let mut content: serde_json::Map<String, serde_json::Value> = pdu.content_as()?;
    content.insert("redacts".to_owned(), redacts.as_str().into());
    to_raw_value(&content).ok()
}
