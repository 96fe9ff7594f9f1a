//! `Pdu`: an event as this server keeps it, parsed once and shared.

use std::sync::Arc;

use ruma::{
    CanonicalJsonObject, EventId, MilliSecondsSinceUnixEpoch, OwnedEventId, OwnedRoomId,
    OwnedUserId, RoomId, UInt, UserId,
    events::TimelineEventType,
    room_version_rules::{RoomIdFormatVersion, RoomVersionRules},
};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::storage::{Id, Position, events};

/// Most bytes an event may have as canonical JSON ([spec]): 65,536 passes, 65,537 does not.
///
/// [spec]: https://spec.matrix.org/v1.19/client-server-api/#size-limits
pub const EVENT_BYTES_MAX: usize = 65_536;
/// Most bytes of each of `event_id`, `room_id`, `sender`, `state_key` and `type`, as above.
pub const FIELD_BYTES_MAX: usize = 255;

/// An event, its ids and its place.
#[derive(Debug, Clone)]
pub struct Pdu {
    /// The interned event.
    pub id: Id,
    /// The interned sender.
    pub sender_id: Id,
    pub event_id: OwnedEventId,
    pub room_id: OwnedRoomId,
    /// The event itself carries its room's id; create events do not since version 12.
    pub names_room: bool,
    pub sender: OwnedUserId,
    pub event_type: TimelineEventType,
    pub state_key: Option<String>,
    pub origin_server_ts: MilliSecondsSinceUnixEpoch,
    pub depth: i64,
    pub prev_events: Vec<OwnedEventId>,
    pub auth_events: Vec<OwnedEventId>,
    /// The interned auth events, where whoever made this had them at hand: only while it is on its way into the database.
    pub auth_ids: Vec<Id>,
    pub redacts: Option<OwnedEventId>,
    pub content: Box<RawValue>,
    /// The whole event as canonical JSON, as signed (or pruned, once redacted).
    pub json: Arc<[u8]>,
    pub place: Place,
}

/// Where an event stands here; unlike the rest, this server's own knowledge.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Place {
    /// `None` until committed, and for outliers.
    pub position: Option<Position>,
    /// Live events upward from 0, the history before our join downward, with room left in gaps; `None` for outliers.
    pub order: Option<i64>,
    pub state_before: Option<Id>,
    pub state_after: Option<Id>,
    /// The running total of countable events of the main timeline, this one included.
    pub countable: i64,
    /// The thread the event is in; `None`: the main timeline.
    pub thread: Option<Id>,
    /// The thread's running total, this one included; `None` for what was fetched later.
    pub thread_countable: Option<i64>,
    pub flags: i64,
    /// The redaction that took this event back.
    pub redacted_by: Option<Id>,
}

impl Place {
    /// Whether the event came to this server as it happened: only then do positions and order agree.
    pub fn is_live(&self) -> bool {
        self.flags & events::HISTORY == 0 && self.order.is_some_and(|order| order >= 0)
    }

    /// Whether the state it stood on is known, and not only that of the gap it was fetched into.
    pub fn has_state(&self) -> bool {
        self.state_after.is_some() && !self.has_assumed_state()
    }

    /// Whether the state is only that of the gap that the event was fetched into.
    pub fn has_assumed_state(&self) -> bool {
        self.flags & (events::HISTORY | events::TRUE_STATE) == events::HISTORY
    }

    /// Whether what came right before the event was missing when it came.
    pub fn is_after_gap(&self) -> bool {
        self.flags & events::AFTER_GAP != 0
    }
}

/// Why JSON is no event of this room version.
#[derive(Debug, Clone, thiserror::Error)]
pub enum PduError {
    #[error("the event does not read: {0}")]
    Malformed(String),
    #[error("the event has {bytes} bytes; the limit is {EVENT_BYTES_MAX}")]
    TooLarge { bytes: usize },
    #[error("{field} has more than {FIELD_BYTES_MAX} bytes")]
    FieldTooLong { field: &'static str },
}

/// The fields of an event on the wire that this server reads.
#[derive(Deserialize)]
struct Wire<'a> {
    room_id: Option<OwnedRoomId>,
    sender: OwnedUserId,
    #[serde(rename = "type")]
    event_type: TimelineEventType,
    state_key: Option<String>,
    origin_server_ts: UInt,
    #[serde(default)]
    depth: i64,
    prev_events: Vec<OwnedEventId>,
    auth_events: Vec<OwnedEventId>,
    redacts: Option<OwnedEventId>,
    #[serde(borrow)]
    content: &'a RawValue,
}

/// The part of a redaction's content that names its target since room version 11.
#[derive(Deserialize)]
struct RedactionContent {
    redacts: Option<OwnedEventId>,
}

impl Pdu {
    /// Reads canonical JSON. Ids are 0 and the place empty until the caller fills them.
    pub fn parse(
        event_id: OwnedEventId,
        json: Arc<[u8]>,
        rules: &RoomVersionRules,
    ) -> Result<Self, PduError> {
        let wire: Wire<'_> = serde_json::from_slice(&json)
            .map_err(|error| PduError::Malformed(error.to_string()))?;
        let names_room = wire.room_id.is_some();
        let is_create = wire.event_type == TimelineEventType::RoomCreate;
        let room_id = match wire.room_id {
            Some(room_id) => room_id,
            // Since version 12 the create event's own id is the room's.
            None if is_create && rules.room_id_format == RoomIdFormatVersion::V2 => {
                RoomId::new_v2(event_id.localpart())
                    .map_err(|error| PduError::Malformed(error.to_string()))?
            }
            None => return Err(PduError::Malformed("missing field `room_id`".to_owned())),
        };
        let redacts = if wire.event_type != TimelineEventType::RoomRedaction {
            None
        } else if rules.redaction.content_field_redacts {
            serde_json::from_str::<RedactionContent>(wire.content.get())
                .ok()
                .and_then(|content| content.redacts)
        } else {
            wire.redacts
        };
        Ok(Self {
            id: 0,
            sender_id: 0,
            event_id,
            room_id,
            names_room,
            sender: wire.sender,
            event_type: wire.event_type,
            state_key: wire.state_key,
            origin_server_ts: MilliSecondsSinceUnixEpoch(wire.origin_server_ts),
            depth: wire.depth,
            prev_events: wire.prev_events,
            auth_events: wire.auth_events,
            auth_ids: Vec::new(),
            redacts,
            content: wire.content.to_owned(),
            json,
            place: Place::default(),
        })
    }

    /// Reads the content as `T`; `None` when it is not of that shape.
    pub fn content_as<'a, T: Deserialize<'a>>(&'a self) -> Option<T> {
        serde_json::from_str(self.content.get()).ok()
    }

    /// Whether this is a state event.
    pub fn is_state(&self) -> bool {
        self.state_key.is_some()
    }

    /// Whether this event fills the state slot `(event_type, state_key)`.
    pub fn fills(&self, event_type: &str, state_key: &str) -> bool {
        self.state_key.as_deref() == Some(state_key) && self.event_type.to_string() == event_type
    }

    /// Whether it counts as unread for those who have not seen it: as the push rules that everybody has judge it, mentions
    /// apart.
    pub fn is_countable(&self) -> bool {
        #[derive(Deserialize)]
        struct Content<'a> {
            #[serde(borrow)]
            msgtype: Option<std::borrow::Cow<'a, str>>,
            #[serde(rename = "m.relates_to")]
            relates_to: Option<RelatesTo>,
        }
        let counts = matches!(
            self.event_type.to_string().as_str(),
            "m.room.message"
                | "m.room.encrypted"
                | "m.call.invite"
                | "org.matrix.msc3381.poll.start"
                | "org.matrix.msc3381.poll.end"
        );
        if !counts || self.is_state() {
            return false;
        }
        // What is of another shape is no notice and no edit.
        let Some(content) = self.content_as::<Content<'_>>() else { return true };
        content.msgtype.is_none_or(|msgtype| !msgtype.eq_ignore_ascii_case("m.notice"))
            && content.relates_to.is_none_or(|to| to.rel_type.as_deref() != Some("m.replace"))
    }

    /// `m.relates_to`, where there is one.
    pub fn relation(&self) -> Option<RelatesTo> {
        #[derive(Deserialize)]
        struct Content {
            #[serde(rename = "m.relates_to")]
            relates_to: Option<RelatesTo>,
        }
        self.content_as::<Content>()?.relates_to
    }

    /// Checks the limits of the specification ([spec]) on sizes; the SDK's crates in the same build lift ruma's own.
    ///
    /// [spec]: https://spec.matrix.org/v1.19/client-server-api/#size-limits
    pub fn check_sizes(&self) -> Result<(), PduError> {
        let bytes = self.json.len();
        if bytes > EVENT_BYTES_MAX {
            return Err(PduError::TooLarge { bytes });
        }
        let event_type = self.event_type.to_string();
        let fields = [
            ("room_id", self.room_id.as_str()),
            ("sender", self.sender.as_str()),
            ("event_id", self.event_id.as_str()),
            ("state_key", self.state_key.as_deref().unwrap_or_default()),
            ("type", &event_type),
        ];
        match fields.into_iter().find(|(_, value)| value.len() > FIELD_BYTES_MAX) {
            Some((field, _)) => Err(PduError::FieldTooLong { field }),
            None => Ok(()),
        }
    }
}

/// How an event relates to another.
#[derive(Debug, Clone, Deserialize)]
pub struct RelatesTo {
    pub rel_type: Option<String>,
    pub event_id: Option<OwnedEventId>,
    pub key: Option<String>,
}

/// The event id of a signed event: its reference hash. Spec: room versions 4 and up.
pub fn event_id_of(
    object: &CanonicalJsonObject,
    rules: &RoomVersionRules,
) -> Result<OwnedEventId, PduError> {
    let malformed = |error: String| PduError::Malformed(error);
    let hash = ruma::signatures::reference_hash(object, rules)
        .map_err(|error| malformed(error.to_string()))?;
    EventId::new_v2_or_v3(&hash).map_err(|error| malformed(error.to_string()))
}

impl ruma::state_res::Event for Pdu {
    type Id = OwnedEventId;

    fn event_id(&self) -> &OwnedEventId {
        &self.event_id
    }

    fn room_id(&self) -> Option<&RoomId> {
        self.names_room.then_some(&self.room_id)
    }

    fn sender(&self) -> &UserId {
        &self.sender
    }

    fn origin_server_ts(&self) -> MilliSecondsSinceUnixEpoch {
        self.origin_server_ts
    }

    fn event_type(&self) -> &TimelineEventType {
        &self.event_type
    }

    fn content(&self) -> &RawValue {
        &self.content
    }

    fn state_key(&self) -> Option<&str> {
        self.state_key.as_deref()
    }

    fn prev_events(&self) -> Box<dyn DoubleEndedIterator<Item = &OwnedEventId> + '_> {
        Box::new(self.prev_events.iter())
    }

    fn auth_events(&self) -> Box<dyn DoubleEndedIterator<Item = &OwnedEventId> + '_> {
        Box::new(self.auth_events.iter())
    }

    fn redacts(&self) -> Option<&OwnedEventId> {
        self.redacts.as_ref()
    }

    fn rejected(&self) -> bool {
        self.place.flags & events::REJECTED != 0
    }
}

#[cfg(test)]
mod tests {
    use ruma::{
        RoomVersionId, push::FlattenedJson, push::PushConditionRoomCtx, room_id, serde::Raw,
        user_id,
    };
    use serde_json::{Value, json};

    use super::Pdu;
    use crate::account::judge_by_defaults;

    fn event(event_type: &str, content: &Value) -> Value {
        json!({
            "type": event_type, "sender": "@bob:example.org", "room_id": "!a:example.org", "content": content,
            "origin_server_ts": 1, "depth": 1, "prev_events": [], "auth_events": [],
        })
    }

    #[tokio::test]
    async fn what_counts_is_what_the_rules_that_everybody_has_tell_of() {
        let rules = RoomVersionId::V11.rules().unwrap();
        let edit = json!({ "m.relates_to": { "rel_type": "m.replace", "event_id": "$a" } });
        let reply = json!({ "m.relates_to": { "m.in_reply_to": { "event_id": "$a" } } });
        let contents = [json!({}), json!({ "msgtype": "m.notice" }), edit, reply, json!([1])];
        let types = [
            "m.room.message",
            "m.room.encrypted",
            "m.sticker",
            "m.reaction",
            "m.call.invite",
            "m.call.answer",
            "m.poll.start",
            "org.matrix.msc3381.poll.start",
            "org.matrix.msc3381.poll.response",
            "org.matrix.msc3381.poll.end",
            "org.example.other",
        ];
        for members in [2, 3_u8] {
            let context = PushConditionRoomCtx::new(
                room_id!("!a:example.org").to_owned(),
                members.into(),
                user_id!("@alice:example.org").to_owned(),
                String::new(),
            );
            for (event_type, content) in
                types.iter().flat_map(|one| contents.iter().map(move |content| (one, content)))
            {
                let event = event(event_type, content);
                let json: std::sync::Arc<[u8]> = serde_json::to_vec(&event).unwrap().into();
                let pdu = Pdu::parse(ruma::event_id!("$b").to_owned(), json, &rules).unwrap();
                let flat = FlattenedJson::from_raw(&Raw::new(&event).unwrap());
                let told = judge_by_defaults(&flat, &context).await;
                assert_eq!(pdu.is_countable(), told.notify, "{event_type} {content}");
            }
        }
    }
}
