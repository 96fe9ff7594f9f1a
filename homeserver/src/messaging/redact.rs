//! Taking events back: who may, and what is left.

use ruma::{CanonicalJsonObject, canonical_json};

use super::{
    Error,
    build::{AuthState, Building},
    pdu::Pdu,
};
use crate::storage::Id;

/// Whether the sender of `redaction` may take its target back: with the room's `redact` power, or its own event.
///
/// Only the sending server checks this; others accept the event and decide when they have both (see [`apply`]).
/// Spec: <https://spec.matrix.org/v1.19/rooms/v12/#handling-redactions>.
pub(super) async fn check(
    building: &Building<'_>,
    redaction: &Pdu,
    auth: &AuthState,
) -> Result<(), Error> {
    let Some(target) = &redaction.redacts else {
        return Err(Error::BadEvent("a redaction must name the event it redacts".to_owned()));
    };
    let Some(target) = building.engine.find_pdu(&building.room, target).await? else {
        return Ok(());
    };
    if target.sender == redaction.sender
        || super::power::of_auth_state(&building.room, auth).may_redact(&redaction.sender)
    {
        Ok(())
    } else {
        Err(Error::Forbidden(
            "redacting another's event needs more power than the sender has".to_owned(),
        ))
    }
}

/// Prunes the target of a redaction that is being stored, if it is here and the redaction is allowed.
pub(super) async fn apply(building: &mut Building<'_>, redaction: &Pdu) -> Result<(), Error> {
    let Some(target) = &redaction.redacts else { return Ok(()) };
    let Some(target) = building.engine.find_pdu(&building.room, target).await? else {
        return Ok(());
    };
    let auth = building.auth_state(redaction).await?;
    let own = target.sender.server_name() == redaction.sender.server_name();
    if !own && !super::power::of_auth_state(&building.room, &auth).may_redact(&redaction.sender) {
        return Ok(());
    }
    if let Some(pruned) = pruned(&target, redaction.id, &building.room.rules) {
        building.prune(pruned, redaction.id);
    }
    Ok(())
}

/// What is left of an event; `None` when its JSON does not read.
pub(super) fn pruned(
    target: &Pdu,
    redaction: Id,
    rules: &ruma::room_version_rules::RoomVersionRules,
) -> Option<Pdu> {
    let object: CanonicalJsonObject = serde_json::from_slice(&target.json).ok()?;
    let object = canonical_json::redact(object, &rules.redaction, None).ok()?;
    let json = serde_json::to_vec(&object).ok()?;
    let mut pruned = Pdu::parse(target.event_id.clone(), json.into(), rules).ok()?;
    (pruned.id, pruned.sender_id, pruned.place) = (target.id, target.sender_id, target.place);
    pruned.place.redacted_by = Some(redaction);
    Some(pruned)
}
