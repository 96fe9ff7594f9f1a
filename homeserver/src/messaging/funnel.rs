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

use std::{collections::BTreeSet, sync::Arc};

use ruma::{
    CanonicalJsonObject, CanonicalJsonValue, EventId, OwnedEventId,
    room_version_rules::RoomVersionRules, state_res::check_state_independent_auth_rules,
};

use serde_json::value::RawValue;
use tern_federation::{EventError, KeyError, VerifiedEvent};

use super::{
    Building, Engine, Error, Pdu, Room,
    build::{self, AuthState},
    inbound::pdus_ahead,
    pdu::{self, Place},
    redact,
    resolve::{self, Merged},
    room::Extremity,
    state::{Lineage, StateMap},
};
use crate::{
    app::App,
    storage::{self, Id, events},
};

/// Most events below an event that are looked at for ends which it follows.
const FOLLOWED_MAX: usize = 200;

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

/// An event as it came, with the id that its hash gives it. Nothing is checked yet.
#[derive(Debug)]
pub(super) struct Named {
    pub event_id: OwnedEventId,
    object: CanonicalJsonObject,
}

impl Named {
    /// The events that it says it follows.
    pub(super) fn prev_events(&self) -> Vec<OwnedEventId> {
        let prevs = self.object.get("prev_events").and_then(CanonicalJsonValue::as_array);
        let names = prevs.into_iter().flatten().filter_map(CanonicalJsonValue::as_str);
        names.filter_map(|name| name.try_into().ok()).collect()
    }

    /// `None`: no canonical JSON, or nothing that could be hashed.
    pub(super) fn from_object(
        object: CanonicalJsonObject,
        rules: &RoomVersionRules,
    ) -> Option<Self> {
        let event_id = if object.contains_key("event_id") {
            // As it will be kept: see `read_named`.
            let mut object = object.clone();
            object.remove("event_id");
            pdu::event_id_of(&object, rules)
        } else {
            pdu::event_id_of(&object, rules)
        };
        Some(Self { event_id: event_id.ok()?, object })
    }
}

/// Reads many events, on all cores; `None` where there is none.
pub(super) async fn name_all(
    raw: Vec<Box<RawValue>>,
    rules: &RoomVersionRules,
) -> Result<Vec<Option<Named>>, Error> {
    let rules = rules.clone();
    let name = move |raw: Box<RawValue>| {
        let object = serde_json::from_str(raw.get()).ok()?;
        Named::from_object(object, &rules)
    };
    tern_federation::on_all_cores(raw, name).await.map_err(|_| interrupted())
}

/// Checks signatures, hash and format of many events of one room version, on all cores; the bad ones come back as errors.
pub(super) async fn verify_named(
    app: &App,
    events: Vec<Named>,
    rules: &RoomVersionRules,
) -> Result<Vec<Result<Verified, Error>>, Error> {
    let events = events.into_iter().map(|event| (event.event_id, event.object)).collect();
    let read_rules = rules.clone();
    let read = move |event_id, verified: Result<VerifiedEvent, EventError>| {
        read_named(event_id, verified.map_err(unbelieved)?.into_json(), &read_rules)
    };
    app.key_ring.verify_events_into(events, rules, read).await.map_err(unbelieved)
}

/// [`verify_named`] for events that have no name yet; those that cannot get one are left out.
pub(super) async fn verify_all(
    app: &App,
    raw: Vec<Box<RawValue>>,
    rules: &RoomVersionRules,
) -> Result<Vec<Result<Verified, Error>>, Error> {
    let named = name_all(raw, rules).await?.into_iter().flatten().collect();
    verify_named(app, named, rules).await
}

fn interrupted() -> Error {
    Error::Storage(storage::Error::Stopping)
}

/// Checks one event.
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
        EventError::Interrupted => interrupted(),
        _ => Error::Forbidden(error.to_string()),
    }
}

fn read(mut object: CanonicalJsonObject, rules: &RoomVersionRules) -> Result<Verified, Error> {
    object.remove("event_id");
    let event_id = pdu::event_id_of(&object, rules)?;
    read_named(event_id, object, rules)
}

fn read_named(
    event_id: OwnedEventId,
    mut object: CanonicalJsonObject,
    rules: &RoomVersionRules,
) -> Result<Verified, Error> {
    // What a sender says of itself outside the signature is not ours to keep.
    object.remove("unsigned");
    object.remove("event_id");
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
    let auth = pdus_ahead(engine, room, &pdu.auth_events).await?;
    pdu.auth_ids = ids_in_order(&pdu.auth_events, &auth);
    let prevs = pdus_ahead(engine, room, &pdu.prev_events).await?;
    let is_here = |name: &&OwnedEventId| {
        let prev = prevs.iter().find(|prev| prev.event_id == **name);
        prev.is_some_and(|prev| prev.place.flags & events::STAND_IN == 0)
    };
    let missing: Vec<String> =
        pdu.prev_events.iter().filter(|name| !is_here(name)).map(ToString::to_string).collect();
    let before = state_before(engine, room, &pdu, &prevs).await?;
    let followed = followed(engine, room, &pdu.prev_events, &prevs).await?;
    let is_assumed = prevs.iter().any(|prev| prev.place.has_assumed_state());
    let mut verdict = match against_auth_events(room, &pdu, &auth, engine).await? {
        Err(reason) => Verdict::Rejected(reason),
        Ok(()) => match allowed_in(engine, room, &pdu, &before.state).await? {
            // It stands on history of which nobody told the state: that is not enough to reject it for good.
            Err(reason) if is_assumed => Verdict::SoftFailed(reason),
            Err(reason) => Verdict::Rejected(reason),
            Ok(()) => Verdict::Accepted,
        },
    };
    let mut building = Building::begin(engine, room).await?;
    // It may be here: sent once more, or come another way, by a join or with history. Asked in the turn, so that it stays true.
    if room.in_flight().values().any(|other| other.event_id == pdu.event_id) {
        // After it in the queue: done when it is, undone if it is.
        building.commit().await?;
        return Ok(Verdict::Accepted);
    }
    if let Some(known) = known(engine, room, &pdu.event_id).await? {
        let Some(id) = known else { return Ok(Verdict::Accepted) };
        pdu.id = id;
    }
    if verdict == Verdict::Accepted {
        let current = building.auth_state(&pdu).await?;
        if let Err(reason) = build::allowed(room, &pdu, &current) {
            verdict = Verdict::SoftFailed(reason);
        }
    }
    let flags = flags
        | match verdict {
            Verdict::Accepted => 0,
            Verdict::Rejected(_) => events::REJECTED,
            Verdict::SoftFailed(_) => events::SOFT_FAILED,
        };
    building.place_received(pdu, flags, Below { before, followed, missing }).await?;
    building.commit().await?;
    Ok(verdict)
}

/// What is here of an event: nothing, its row (with its id), or all of it (without).
async fn known(
    engine: &Engine,
    room: &Room,
    event_id: &EventId,
) -> Result<Option<Option<Id>>, Error> {
    match events::find_event(&engine.app().db, event_id.as_str()).await? {
        Some(known) if known.room == room.id => {
            let is_placed = known.state_before.is_some() || known.timeline_order.is_some();
            Ok(Some((!is_placed).then_some(known.id)))
        }
        // Named in another room by somebody who had no right to: the name is its own room's.
        Some(known) if known.is_missing() => Ok(Some(Some(known.id))),
        Some(_) => Err(Error::BadEvent("an event of another room".to_owned())),
        None => Ok(None),
    }
}

/// What an event stands on.
#[derive(Debug)]
pub(super) struct Below {
    pub before: Merged,
    /// The events that are no ends of the room's graph any more.
    pub followed: BTreeSet<OwnedEventId>,
    /// Its prev events of which only the name is known.
    pub missing: Vec<String>,
}

/// The prev events of an event, and what those of them follow that were not let in here: the event is behind those too.
async fn followed(
    engine: &Engine,
    room: &Room,
    names: &[OwnedEventId],
    prevs: &[Arc<Pdu>],
) -> Result<BTreeSet<OwnedEventId>, Error> {
    let mut followed: BTreeSet<OwnedEventId> = names.iter().cloned().collect();
    let mut open = prevs.to_vec();
    while !open.is_empty() && followed.len() < FOLLOWED_MAX {
        let not_let_in = events::REJECTED | events::SOFT_FAILED;
        open.retain(|pdu| pdu.place.flags & not_let_in != 0);
        let below = open.iter().flat_map(|pdu| &pdu.prev_events);
        let new: Vec<OwnedEventId> =
            below.filter(|name| followed.insert((*name).clone())).cloned().collect();
        open = if new.is_empty() { Vec::new() } else { engine.find_pdus(room, &new).await? };
    }
    Ok(followed)
}

/// The state before an event: its prev events' states, resolved.
async fn state_before(
    engine: &Engine,
    room: &Room,
    pdu: &Pdu,
    prevs: &[Arc<Pdu>],
) -> Result<Merged, Error> {
    let mut snapshots: Vec<Id> = prevs.iter().filter_map(|prev| prev.place.state_after).collect();
    snapshots.sort_unstable();
    snapshots.dedup();
    let mut states = Vec::with_capacity(snapshots.len());
    for snapshot in snapshots {
        states.push(engine.state_at(Some(snapshot)).await?);
    }
    let unknown = || format!("nothing is known of what came before {}", pdu.event_id);
    Merged::of(engine, room, states).await?.ok_or_else(|| Error::BadEvent(unknown()))
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
pub(super) async fn allowed_in(
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
    /// Gives an event that stands on some of the room's ends its place: in the timeline when it is accepted, in the graph in any case.
    pub(super) async fn place_received(
        &mut self,
        mut pdu: Pdu,
        flags: i64,
        Below { before: Merged { state: mut before, of }, followed, missing }: Below,
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
            self.merged = Some(Merged { state: before.clone(), of: of.clone() });
        }
        let on_head = self.next().extremities.iter().all(|end| followed.contains(&end.event_id));
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
        self.merged = Some(Merged { state: lineage.clone(), of });
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
        self.count(&mut pdu).await?;
        let order = pdu.place.order.unwrap_or_default();
        self.batch_mut().gaps.extend(missing.into_iter().map(|prev| (prev, order)));
        let end = Extremity::from(&pdu);
        self.own_event(&pdu).await?;
        self.advance_fork(end, &followed, lineage).await?;
        self.record(pdu.clone()).await?;
        redact::apply_waiting(self, &pdu).await
    }

    /// The room goes on from a fork: the new end takes the place of what it follows, and the states of all ends are resolved.
    async fn advance_fork(
        &mut self,
        end: Extremity,
        followed: &BTreeSet<OwnedEventId>,
        after: Lineage,
    ) -> Result<(), Error> {
        let ends = self.next().extremities.iter();
        let mut ends: Vec<Extremity> =
            ends.filter(|end| !followed.contains(&end.event_id)).cloned().collect();
        // Thousands of ends may stand on one state.
        let snapshots: BTreeSet<Id> = ends.iter().filter_map(|end| end.state_after).collect();
        let others = snapshots.into_iter().filter(|snapshot| after.id() != Some(*snapshot));
        let mut states = vec![after.clone()];
        for snapshot in others {
            states.push(self.lineage_of(snapshot).await?);
        }
        ends.push(end);
        let (engine, room) = (self.engine, self.room.clone());
        let changes = resolve::resolve(engine, &room, &states).await?;
        let resolved = after.with_changes(changes);
        let changes = self.next().lineage.changes_to(&resolved);
        self.go_on_from(ends, &changes);
        self.refresh_memberships(&changes).await
    }
}
