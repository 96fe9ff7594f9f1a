//! From a draft to an event: what it names, what authorises it, its hash and our signature.
//!
//! Called by `build` and `merge`. Nothing here checks whether the event is allowed.

use std::{cmp::Reverse, sync::Arc};

use ruma::{
    CanonicalJsonObject, CanonicalJsonValue, events::TimelineEventType, int,
    room_version_rules::RoomVersionRules, state_res::auth_types_for_event,
};
use serde_json::value::RawValue;

use super::{
    Building, Draft, Error,
    pdu::{self, Pdu},
    room::Extremity,
    state::Lineage,
};
use crate::app::App;

/// Most prev events of a new event ([spec]).
///
/// [spec]: https://spec.matrix.org/v1.19/rooms/v12/#event-format-1
pub(super) const PREV_EVENTS_MAX: usize = 20;

/// The largest depth canonical JSON can say.
const MAX_DEPTH: i64 = 9_007_199_254_740_991;

impl Building<'_> {
    /// Builds and signs an event on the room's extremities.
    pub(super) async fn signed(&self, draft: Draft) -> Result<Pdu, Error> {
        let mut ends = self.next().extremities.clone();
        ends.sort_by_key(|end| Reverse(end.depth));
        ends.truncate(PREV_EVENTS_MAX);
        self.signed_on(draft, &ends, None).await
    }

    /// Builds and signs an event on some of the room's extremities. `before`: the state there, if it is not the room's.
    pub(super) async fn signed_on(
        &self,
        mut draft: Draft,
        ends: &[Extremity],
        before: Option<&Lineage>,
    ) -> Result<Pdu, Error> {
        let app = self.engine.app();
        let rules = &self.room.rules;
        let in_content = rules.redaction.content_field_redacts;
        if let Some(redacts) = draft.redacts.take_if(|_| in_content) {
            draft.content.insert("redacts".to_owned(), redacts.to_string().into());
        }
        let auth = self.authors(&draft, before).await?;
        let names = |names: Vec<String>| {
            CanonicalJsonValue::Array(names.into_iter().map(CanonicalJsonValue::String).collect())
        };
        let auth_events = auth.iter().map(|pdu| pdu.event_id.to_string()).collect();
        let prev_events = ends.iter().map(|end| end.event_id.to_string()).collect();
        let depth = ends.iter().map(|end| end.depth.saturating_add(1)).max();
        let depth = depth.unwrap_or(1).min(MAX_DEPTH);
        let at_ms = draft.at_ms.unwrap_or_else(|| app.clock.now_ms());
        let integer =
            |number: i64| CanonicalJsonValue::Integer(number.try_into().unwrap_or(int!(0)));
        let is_create = draft.event_type == TimelineEventType::RoomCreate;
        let mut object = CanonicalJsonObject::from([
            ("type".to_owned(), draft.event_type.to_string().into()),
            ("sender".to_owned(), draft.sender.to_string().into()),
            ("content".to_owned(), CanonicalJsonValue::Object(draft.content)),
            ("origin_server_ts".to_owned(), integer(at_ms)),
            ("depth".to_owned(), integer(depth)),
            ("prev_events".to_owned(), names(prev_events)),
            ("auth_events".to_owned(), names(auth_events)),
        ]);
        if !(is_create && rules.authorization.room_create_event_id_as_room_id) {
            object.insert("room_id".to_owned(), self.room.room_id.to_string().into());
        }
        if let Some(state_key) = draft.state_key {
            object.insert("state_key".to_owned(), state_key.into());
        }
        if let Some(redacts) = draft.redacts {
            object.insert("redacts".to_owned(), redacts.to_string().into());
        }
        let mut pdu = sign(app, object, rules)?;
        pdu.sender_id = app.db.user(pdu.sender.as_str()).await?;
        pdu.auth_ids = auth.iter().map(|pdu| pdu.id).collect();
        Ok(pdu)
    }

    /// The events that authorise what a draft becomes, from the state it builds on.
    async fn authors(
        &self,
        draft: &Draft,
        before: Option<&Lineage>,
    ) -> Result<Vec<Arc<Pdu>>, Error> {
        let content = serde_json::to_string(&draft.content).map_err(Error::bad_event)?;
        let content = RawValue::from_string(content).map_err(Error::bad_event)?;
        let wanted = auth_types_for_event(
            &draft.event_type,
            &draft.sender,
            draft.state_key.as_deref(),
            &content,
            &self.room.rules.authorization,
        )
        .map_err(Error::BadEvent)?;
        let db = &self.engine.app().db;
        let mut auth = Vec::with_capacity(wanted.len());
        for (event_type, state_key) in wanted {
            let event_type = event_type.to_string();
            let Some(before) = before else {
                auth.extend(self.state_event(&event_type, &state_key).await?);
                continue;
            };
            if let Some(id) = before.get(db.state_key(&event_type, &state_key).await?) {
                auth.push(self.engine.pdu(&self.room, id).await?);
            }
        }
        Ok(auth)
    }
}

/// Adds hash and signature and reads the result.
pub(super) fn sign(
    app: &App,
    mut object: CanonicalJsonObject,
    rules: &RoomVersionRules,
) -> Result<Pdu, Error> {
    app.signing
        .hash_and_sign_event(&app.server_name, &mut object, rules)
        .map_err(Error::bad_event)?;
    let event_id = pdu::event_id_of(&object, rules)?;
    let json = serde_json::to_vec(&object).map_err(Error::bad_event)?;
    let pdu = Pdu::parse(event_id, json.into(), rules)?;
    pdu.check_sizes()?;
    Ok(pdu)
}
