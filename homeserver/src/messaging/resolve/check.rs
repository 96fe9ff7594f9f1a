//! The iterative auth checks: candidates enter a state one after the other, if the rules allow it.
//!
//! Spec: <https://spec.matrix.org/v1.19/rooms/v2/#definitions>.

use std::sync::Arc;

use ruma::{
    events::{StateEventType, TimelineEventType},
    room_version_rules::AuthorizationRules,
    state_res::{auth_types_for_event, check_state_dependent_auth_rules},
};

use super::{
    super::{Pdu, build::AuthState},
    Candidate,
};
use crate::storage::events;

/// The slots that the rules look at when they judge `pdu`; none for one that does not read.
pub(super) fn looked_at(rules: &AuthorizationRules, pdu: &Pdu) -> Vec<(StateEventType, String)> {
    let state_key = pdu.state_key.as_deref();
    auth_types_for_event(&pdu.event_type, &pdu.sender, state_key, &pdu.content, rules)
        .unwrap_or_default()
}

/// Lets `candidates` into `state`, in their order. Where `state` has nothing to judge one by, its own auth events stand in.
pub(super) fn apply(
    rules: &AuthorizationRules,
    create: Option<&Arc<Pdu>>,
    candidates: Vec<&Candidate>,
    state: &mut AuthState,
) {
    for Candidate { pdu, auth } in candidates {
        let key = |pdu: &Pdu| Some((pdu.event_type.to_string().into(), pdu.state_key.clone()?));
        let Some(slot) = key(pdu) else { continue };
        let mut by: AuthState = auth
            .iter()
            .filter(|auth| auth.place.flags & events::REJECTED == 0)
            .filter_map(|auth| Some((key(auth)?, auth.clone())))
            .collect();
        // Since version 12 no event names the create event: its id is the room's.
        if rules.room_create_event_id_as_room_id && pdu.event_type != TimelineEventType::RoomCreate
        {
            let create = create.map(|create| ((StateEventType::RoomCreate, String::new()), create));
            by.extend(create.map(|(key, create)| (key, create.clone())));
        }
        for key in looked_at(rules, pdu) {
            if let Some(standing) = state.get(&key) {
                by.insert(key, standing.clone());
            }
        }
        let find = |event_type: &StateEventType, state_key: &str| {
            by.get(&(event_type.clone(), state_key.to_owned())).cloned()
        };
        if check_state_dependent_auth_rules(rules, &**pdu, find).is_ok() {
            state.insert(slot, pdu.clone());
        }
    }
}
