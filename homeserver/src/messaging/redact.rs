//! Taking events back: who may, and what is left.

use std::sync::Arc;

use ruma::{CanonicalJsonObject, OwnedEventId, canonical_json, events::TimelineEventType};

use super::{
    Engine, Error, Room,
    backfill::Past,
    build::{AuthState, Building},
    import,
    pdu::Pdu,
};
use crate::storage::{EventBatch, Id, Redaction, Relation, relations};

/// Whether the sender of `redaction` may take its target back: with the room's `redact` power, or its own event.
///
/// Only the sending server checks this; others accept the event and decide when they have both (see [`apply`], [`apply_waiting`] and [`of_history`]).
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

/// Prunes the target of a redaction that is being stored, if the redaction is allowed. Of a target that is not here the relation by
/// which it will find its redaction.
pub(super) async fn apply(
    building: &mut Building<'_>,
    redaction: &Pdu,
) -> Result<Option<Relation>, Error> {
    let Some(name) = &redaction.redacts else { return Ok(None) };
    let target = building.engine.find_pdu(&building.room, name).await?;
    let Some(target) = target.filter(|target| !import::is_missing(target)) else {
        return Ok(Some(waiting(redaction, name)));
    };
    let auth = building.auth_state(redaction).await?;
    if may(&building.room, redaction, &target, &auth)
        && let Some(pruned) = pruned(&target, redaction.id, &building.room.rules)
    {
        building.prune(pruned, redaction.id);
    }
    Ok(None)
}

/// Prunes an event that is being stored, if a redaction of it came before.
pub(super) async fn apply_waiting(building: &mut Building<'_>, target: &Pdu) -> Result<(), Error> {
    let (engine, room) = (building.engine, building.room.clone());
    for redaction in list_waiting(engine, &room, std::slice::from_ref(&target.event_id)).await? {
        if may_now(engine, &room, &redaction, target).await?
            && let Some(pruned) = pruned(target, redaction.id, &room.rules)
        {
            building.prune(pruned, redaction.id);
            return Ok(());
        }
    }
    Ok(())
}

/// Prunes, in the batch that stores them, events of the history that are taken back by others of it or by what is here, and what is here
/// that they take back. Returns the pruned.
pub(super) async fn of_history(
    engine: &Engine,
    room: &Room,
    placed: &[Past],
    batch: &mut EventBatch,
) -> Result<Vec<Arc<Pdu>>, Error> {
    let fetched: Vec<OwnedEventId> = placed.iter().map(|past| past.pdu.event_id.clone()).collect();
    let is_redaction = |past: &&Past| {
        past.pdu.event_type == TimelineEventType::RoomRedaction && past.pdu.place.order.is_some()
    };
    let mut redactions: Vec<Arc<Pdu>> =
        placed.iter().filter(is_redaction).map(|past| Arc::new(past.pdu.clone())).collect();
    redactions.extend(list_waiting(engine, room, &fetched).await?);
    let named: Vec<OwnedEventId> =
        redactions.iter().filter_map(|redaction| redaction.redacts.clone()).collect();
    let mut here = engine.find_pdus(room, &named).await?;
    here.retain(|pdu| !import::is_missing(pdu) && !fetched.contains(&pdu.event_id));
    here.extend(placed.iter().map(|past| Arc::new(past.pdu.clone())));
    let mut taken_back: Vec<Arc<Pdu>> = Vec::new();
    for redaction in redactions {
        let Some(name) = &redaction.redacts else { continue };
        let Some(target) = here.iter().find(|target| target.event_id == *name) else {
            batch.relations.retain(|relation| relation.child != redaction.id);
            batch.relations.push(waiting(&redaction, name));
            continue;
        };
        let is_done = target.place.redacted_by.is_some()
            || taken_back.iter().any(|pruned| pruned.id == target.id);
        if is_done || !may_now(engine, room, &redaction, target).await? {
            continue;
        }
        let Some(pruned) = pruned(target, redaction.id, &room.rules) else { continue };
        let json = pruned.json.to_vec();
        batch.redactions.push(Redaction { event: pruned.id, redaction: redaction.id, json });
        taken_back.push(Arc::new(pruned));
    }
    Ok(taken_back)
}

/// Whether a redaction takes its target back as the room stands: its sender may have had the power when it was made and may not now, but
/// of the past a server can tell what it likes.
async fn may_now(
    engine: &Engine,
    room: &Room,
    redaction: &Pdu,
    target: &Pdu,
) -> Result<bool, Error> {
    let is_own = target.sender.server_name() == redaction.sender.server_name();
    Ok(is_own || super::power::of_room(engine, room).await?.may_redact(&redaction.sender))
}

/// Whether a redaction takes its target back: with the power to, or from the target's own server.
fn may(room: &Room, redaction: &Pdu, target: &Pdu, auth: &AuthState) -> bool {
    target.sender.server_name() == redaction.sender.server_name()
        || super::power::of_auth_state(room, auth).may_redact(&redaction.sender)
}

fn waiting(redaction: &Pdu, target: &OwnedEventId) -> Relation {
    let rel_type = relations::WAITING_REDACTION.to_owned();
    Relation { child: redaction.id, parent_event_id: target.to_string(), rel_type }
}

/// The redactions of these events that came before they did.
async fn list_waiting(
    engine: &Engine,
    room: &Room,
    targets: &[OwnedEventId],
) -> Result<Vec<Arc<Pdu>>, Error> {
    let names: Vec<&str> = targets.iter().map(AsRef::as_ref).collect();
    let ids = relations::list_waiting_redactions(&engine.app().db, room.id, &names).await?;
    let mut found = engine.pdus(room, &ids).await?;
    // Anybody may call a relation so.
    found.retain(|pdu| {
        pdu.event_type == TimelineEventType::RoomRedaction
            && pdu.place.order.is_some()
            && pdu.redacts.as_ref().is_some_and(|target| targets.contains(target))
    });
    Ok(found)
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
