//! The one way in for events that others made: `Untrusted → Verified → Authorized → appended`.
//!
//! ```text
//! Untrusted   JSON from a transaction, an answer, a join
//!   │ verify      signatures, content hash (wrong: redacted), format, sizes, the room it says
//! Verified
//!   │ authorize   auth events · state before it · (soft fail) the room's current state
//! Authorized
//!   │ append      in the room's turn, one commit
//! ```
//!
//! Spec: <https://spec.matrix.org/v1.19/server-server-api/#checks-performed-on-receipt-of-a-pdu>.

use std::sync::Arc;

use ruma::{
    CanonicalJsonObject, EventId, OwnedEventId, room_version_rules::RoomVersionRules,
    state_res::check_state_independent_auth_rules,
};

use tern_federation::{EventError, KeyError};

use super::{
    Building, Engine, Error, Pdu, Room,
    build::{self, AuthState},
    pdu::{self, Place},
    resolve,
    room::Extremity,
    state::{Lineage, StateMap},
};
use crate::{
    app::App,
    storage::{self, Id, events},
};

/// An event whose signatures and format were checked.
#[derive(Debug, Clone)]
pub(super) struct Verified(Pdu);

impl Verified {
    pub(super) fn pdu(&self) -> &Pdu {
        &self.0
    }

    pub(super) fn into_pdu(self) -> Pdu {
        self.0
    }
}

/// Checks signatures, hash and format of many events of one room version; the bad ones come back as errors.
pub(super) async fn verify_all(
    app: &App,
    objects: Vec<CanonicalJsonObject>,
    rules: &RoomVersionRules,
) -> Vec<Result<Verified, Error>> {
    let results = app.key_ring.verify_events(objects, rules).await;
    results
        .into_iter()
        .map(|result| {
            let verified = result.map_err(unbelieved)?;
            read(verified.into_json(), rules)
        })
        .collect()
}

/// [`verify_all`] for one event.
pub(super) async fn verify(
    app: &App,
    object: CanonicalJsonObject,
    rules: &RoomVersionRules,
) -> Result<Verified, Error> {
    let verified = app.key_ring.verify_event(object, rules).await;
    read(verified.map_err(unbelieved)?.into_json(), rules)
}

/// Checks what can be seen without any key: the fields, the sizes, the numbers of prev and auth events.
pub(super) fn check_format(
    object: &CanonicalJsonObject,
    rules: &RoomVersionRules,
) -> Result<(), Error> {
    read(object.clone(), rules).map(drop)
}

fn unbelieved(error: EventError) -> Error {
    match error {
        EventError::Malformed(_) => Error::BadEvent(error.to_string()),
        // Nothing is said about the event: the keys may be had later.
        EventError::Keys(
            KeyError::Unavailable { server, reason } | KeyError::BadDocument { server, reason },
        ) => Error::Remote { server: server.to_string(), reason },
        EventError::Interrupted => Error::Storage(storage::Error::Stopping),
        _ => Error::Forbidden(error.to_string()),
    }
}

fn read(mut object: CanonicalJsonObject, rules: &RoomVersionRules) -> Result<Verified, Error> {
    // What a sender says of itself outside the signature is not ours to keep.
    object.remove("unsigned");
    object.remove("event_id");
    let event_id = pdu::event_id_of(&object, rules)?;
    let json = serde_json::to_vec(&object).map_err(Error::bad_event)?;
    let pdu = Pdu::parse(event_id, json.into(), rules)?;
    pdu.check_sizes()?;
    if pdu.prev_events.len() > 20 || pdu.auth_events.len() > 10 {
        return Err(Error::BadEvent("more than 20 prev events or 10 auth events".to_owned()));
    }
    if pdu.depth < 0 {
        return Err(Error::BadEvent("a negative depth".to_owned()));
    }
    Ok(Verified(pdu))
}

/// What the rules say of an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict {
    Accepted,
    /// Kept out of timeline and state for good.
    Rejected(String),
    /// Kept for the graph, not shown.
    SoftFailed(String),
}

/// Authorises a verified event whose prev and auth events are all here, and appends it.
///
/// `flags`: [`events::LOCAL`] for events that this server sends on.
pub(super) async fn append(
    engine: &Engine,
    room: &Arc<Room>,
    verified: Verified,
    flags: i64,
) -> Result<Verdict, Error> {
    let mut pdu = verified.into_pdu();
    if pdu.room_id != room.room_id {
        return Err(Error::BadEvent("an event of another room".to_owned()));
    }
    pdu.sender_id = engine.app().db.user(pdu.sender.as_str()).await?;
    let known = engine.find_pdu(room, &pdu.event_id).await?;
    if known
        .as_ref()
        .is_some_and(|known| known.place.state_before.is_some() || known.place.order.is_some())
    {
        return Ok(Verdict::Accepted);
    }
    let auth = engine.find_pdus(room, &pdu.auth_events).await?;
    pdu.auth_ids = ids_in_order(&pdu.auth_events, &auth);
    let prevs = engine.find_pdus(room, &pdu.prev_events).await?;
    let missing: Vec<String> = prevs
        .iter()
        .filter(|prev| prev.place.flags & events::STAND_IN != 0)
        .map(|prev| prev.event_id.to_string())
        .collect();
    let before = state_before(engine, room, &pdu, &prevs).await?;
    let mut verdict = match against_auth_events(room, &pdu, &auth, engine).await? {
        Err(reason) => Verdict::Rejected(reason),
        Ok(()) => match allowed_in(engine, room, &pdu, &before).await? {
            Err(reason) => Verdict::Rejected(reason),
            Ok(()) => Verdict::Accepted,
        },
    };
    let mut building = Building::begin(engine, room).await?;
    if verdict == Verdict::Accepted {
        let current = building.auth_state(&pdu).await?;
        if let Err(reason) = build::allowed(room, &pdu, &current) {
            verdict = Verdict::SoftFailed(reason);
        }
    }
    if let Some(outlier) = known {
        pdu.id = outlier.id;
    }
    let flags = flags
        | match verdict {
            Verdict::Accepted => 0,
            Verdict::Rejected(_) => events::REJECTED,
            Verdict::SoftFailed(_) => events::SOFT_FAILED,
        };
    building.place_received(pdu, before, flags, missing).await?;
    building.commit().await?;
    Ok(verdict)
}

/// The state before an event: its prev events' states, resolved.
async fn state_before(
    engine: &Engine,
    room: &Room,
    pdu: &Pdu,
    prevs: &[Arc<Pdu>],
) -> Result<Lineage, Error> {
    let mut snapshots: Vec<Id> = prevs.iter().filter_map(|prev| prev.place.state_after).collect();
    snapshots.sort_unstable();
    snapshots.dedup();
    let Some((first, others)) = snapshots.split_first() else {
        return Err(Error::BadEvent(format!(
            "nothing is known of what came before {}",
            pdu.event_id
        )));
    };
    let lineage = engine.state_at(Some(*first)).await?;
    if others.is_empty() {
        return Ok(lineage);
    }
    let mut states = vec![lineage.clone()];
    for snapshot in others {
        states.push(engine.state_at(Some(*snapshot)).await?);
    }
    let changes = resolve::resolve(engine, room, &states).await?;
    Ok(lineage.with_changes(changes))
}

/// The interned ids of `names`, as far as they are among `pdus`.
fn ids_in_order(names: &[OwnedEventId], pdus: &[Arc<Pdu>]) -> Vec<Id> {
    let id = |name: &OwnedEventId| pdus.iter().find(|pdu| pdu.event_id == *name).map(|pdu| pdu.id);
    names.iter().filter_map(id).collect()
}

/// The first half of the rules, and the second against the event's own auth events.
async fn against_auth_events(
    room: &Room,
    pdu: &Pdu,
    auth: &[Arc<Pdu>],
    engine: &Engine,
) -> Result<Result<(), String>, Error> {
    let mut by_id: Vec<Arc<Pdu>> = auth.to_vec();
    if let Some(create) = engine.state_event(room, "m.room.create", "").await? {
        by_id.push(create);
    }
    Ok(check_auth(room, pdu, &by_id))
}

/// Both halves of the rules against a given set of auth events (and the create event).
pub(super) fn check_auth(room: &Room, pdu: &Pdu, auth: &[Arc<Pdu>]) -> Result<(), String> {
    let find = |event_id: &EventId| auth.iter().find(|pdu| pdu.event_id == event_id).cloned();
    check_state_independent_auth_rules(&room.rules.authorization, pdu, find)?;
    let state: AuthState = auth
        .iter()
        .filter_map(|pdu| {
            Some(((pdu.event_type.to_string().into(), pdu.state_key.clone()?), pdu.clone()))
        })
        .collect();
    build::allowed(room, pdu, &state)
}

/// The second half of the rules against a whole state.
async fn allowed_in(
    engine: &Engine,
    room: &Room,
    pdu: &Pdu,
    state: &Lineage,
) -> Result<Result<(), String>, Error> {
    let mut auth = AuthState::new();
    for (event_type, state_key) in build::auth_slots(pdu, room)? {
        let slot = engine.app().db.state_key(&event_type.to_string(), &state_key).await?;
        if let Some(id) = state.get(slot) {
            auth.insert((event_type, state_key), engine.pdu(room, id).await?);
        }
    }
    Ok(build::allowed(room, pdu, &auth))
}

impl Building<'_> {
    /// Gives a received event its place: in the timeline when it is accepted, in the graph in any case. `missing`: those of its
    /// prev events that are known by name only.
    async fn place_received(
        &mut self,
        mut pdu: Pdu,
        mut before: Lineage,
        flags: i64,
        missing: Vec<String>,
    ) -> Result<(), Error> {
        // Resolved to what the room goes on from anyway: one snapshot is enough.
        if before.id() != self.next().lineage.id()
            && before.different_slots(&self.next().lineage).is_empty()
        {
            before = self.next().lineage.clone();
        }
        let at_head = before.id().is_some() && before.id() == self.next().lineage.id();
        if at_head {
            self.stand_on_head();
        }
        let on_head =
            self.next().extremities.iter().all(|end| pdu.prev_events.contains(&end.event_id));
        let accepted = flags & (events::REJECTED | events::SOFT_FAILED) == 0;
        if accepted && at_head && on_head {
            self.place(pdu, flags).await?;
            return Ok(());
        }
        let db = &self.engine.app().db;
        if pdu.id == 0 {
            pdu.id = db.new_id();
        }
        let (mut lineage, detached) = before.attach(db.new_id());
        self.batch_mut().snapshots.extend(detached);
        pdu.place = Place { state_before: lineage.id(), flags, ..Place::default() };
        if let (true, Some(state_key)) = (flags & events::REJECTED == 0, &pdu.state_key) {
            let slot = db.state_key(&pdu.event_type.to_string(), state_key).await?;
            let snapshot = lineage.advance(db.new_id(), &StateMap::from([(slot, pdu.id)]));
            self.batch_mut().snapshots.push(snapshot);
        }
        pdu.place.state_after = lineage.id();
        if !accepted {
            self.record(pdu).await?;
            return Ok(());
        }
        if !missing.is_empty() {
            pdu.place.flags |= events::AFTER_GAP;
        }
        self.count(&mut pdu);
        let order = pdu.place.order.unwrap_or_default();
        self.batch_mut().gaps.extend(missing.into_iter().map(|prev| (prev, order)));
        let (end, prevs, after) = (Extremity::from(&pdu), pdu.prev_events.clone(), lineage);
        self.own_event(&pdu).await?;
        self.advance_fork(end, &prevs, after).await?;
        self.record(pdu).await?;
        Ok(())
    }

    /// The room goes on from a fork: the new end takes the place of what it follows, and the states of all ends are resolved.
    async fn advance_fork(
        &mut self,
        end: Extremity,
        prevs: &[OwnedEventId],
        after: Lineage,
    ) -> Result<(), Error> {
        let ends = self.next().extremities.iter();
        let mut ends: Vec<Extremity> =
            ends.filter(|end| !prevs.contains(&end.event_id)).cloned().collect();
        let mut states = vec![after];
        for other in &ends {
            if let Some(snapshot) = other.state_after {
                states.push(self.lineage_of(snapshot).await?);
            }
        }
        ends.push(end);
        let (engine, room) = (self.engine, self.room.clone());
        let changes = resolve::resolve(engine, &room, &states).await?;
        let [after, ..] = states.as_slice() else { return Ok(()) };
        let resolved = after.clone().with_changes(changes);
        let changes = self.next().lineage.changes_to(&resolved);
        self.go_on_from(ends, &changes);
        self.refresh_memberships(&changes).await
    }
}
