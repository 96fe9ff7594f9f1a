//! A gap in the graph: what another server says stood there becomes the state that what follows is built on.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

use ruma::OwnedEventId;
use serde_json::value::RawValue;

use super::{
    Answer, Known, believed,
    judge::{Judged, judge},
    known_auth,
    store::{self, Authors},
};
use crate::messaging::{
    Engine, Error, Pdu, Room, funnel,
    pdu::Place,
    state::{Lineage, NOTHING, StateMap},
};
use crate::storage::{
    EventBatch, Id, NewEvent, NewSnapshot,
    events::{self, Brief},
};

/// A state, as another server says.
pub(in crate::messaging) struct StateAnswer {
    pub state: Vec<OwnedEventId>,
    /// Events of the state and its auth chain; those that are here are not looked at again.
    pub events: Vec<funnel::Named>,
}

impl StateAnswer {
    /// From an answer with the events themselves.
    pub(in crate::messaging) async fn whole(answer: Answer, room: &Room) -> Result<Self, Error> {
        let mut state = funnel::name_all(answer.state, &room.rules).await?;
        let chain = funnel::name_all(answer.auth_chain, &room.rules).await?;
        let names = state.iter().flatten().map(|event| event.event_id.clone()).collect();
        state.extend(chain);
        Ok(Self { state: names, events: state.into_iter().flatten().collect() })
    }

    /// From the names of the state's events, and some of the events.
    pub(in crate::messaging) async fn named(
        state: Vec<OwnedEventId>,
        events: Vec<Box<RawValue>>,
        room: &Room,
    ) -> Result<Self, Error> {
        let events = funnel::name_all(events, &room.rules).await?;
        Ok(Self { state, events: events.into_iter().flatten().collect() })
    }
}

/// A prev event that has no state here.
pub(in crate::messaging) enum Missing<'a> {
    /// The event itself, verified; the answer is the state before it.
    Event(Box<Pdu>),
    /// An event that nobody gives; the answer is the state before `follower`, which names it.
    Name { name: &'a OwnedEventId, follower: &'a Pdu },
}

impl Missing<'_> {
    fn name(&self) -> &OwnedEventId {
        match self {
            Self::Event(event) => &event.event_id,
            Self::Name { name, .. } => name,
        }
    }

    fn event(&self) -> Option<&Pdu> {
        match self {
            Self::Event(event) => Some(event),
            Self::Name { .. } => None,
        }
    }
}

/// What an answer comes to: events that are new, and the state by slots.
struct Told {
    fresh: Vec<Arc<Pdu>>,
    rejected: Vec<Arc<Pdu>>,
    authors: Authors,
    state: StateMap,
}

/// A state that another server tells, as what is different from `base`, with the row of its snapshot; events of it that are new are stored.
pub(in crate::messaging) async fn told_state(
    engine: &Engine,
    room: &Arc<Room>,
    answer: StateAnswer,
    base: &Lineage,
) -> Result<(Lineage, Option<NewSnapshot>), Error> {
    let mut briefs = briefs(engine, &answer, None).await?;
    briefs.retain(|_, brief| brief.room == room.id || brief.is_missing);
    let names = answer.state.clone();
    let told = listen(engine, room, None, answer, &briefs).await?;
    let Told { fresh, rejected, mut authors, state } = told;
    let is_told = |name: &OwnedEventId| {
        let mut new = fresh.iter().chain(&rejected);
        briefs.get(name).is_some_and(|brief| !brief.is_missing)
            || new.any(|pdu| pdu.event_id == *name)
    };
    if !names.iter().all(is_told) {
        return Err(Error::BadEvent("a part of the state is missing".to_owned()));
    }
    let wanted: BTreeSet<Id> = fresh.iter().map(|pdu| pdu.id).collect();
    store::outliers(engine, room.id, &fresh, &mut authors, &wanted).await?;
    Ok(as_lineage(engine, base, &state))
}

/// Stores a missing prev event with the state that another server says stood there, so that what follows it can be judged. The event
/// itself stays out of the timeline until the gap before it is filled.
pub(in crate::messaging) async fn state_of_missing(
    engine: &Engine,
    room: &Arc<Room>,
    missing: Missing<'_>,
    answer: StateAnswer,
) -> Result<(), Error> {
    let mut briefs = briefs(engine, &answer, Some(missing.name())).await?;
    // An event id says nothing of its room: the place of another room's event is not this room's to give.
    let foreign = |brief: &Brief| brief.room != room.id && !brief.is_missing;
    if briefs.get(missing.name()).is_some_and(foreign) {
        return Err(Error::BadEvent("a prev event of another room".to_owned()));
    }
    briefs.retain(|_, brief| !foreign(brief));
    let told = listen(engine, room, missing.event(), answer, &briefs).await?;
    let Told { fresh, rejected, mut authors, state } = told;
    let wanted = fresh.iter().filter(|pdu| pdu.event_id != *missing.name());
    let wanted: BTreeSet<Id> = wanted.map(|pdu| pdu.id).collect();
    store::outliers(engine, room.id, &fresh, &mut authors, &wanted).await?;

    let base = {
        let head = room.head.lock().await;
        // The snapshot of a resolution gives way to the next one's: nothing may be built on it.
        let standing = head.provisional.as_ref().map(|(_, standing)| standing.clone());
        standing.unwrap_or_else(|| head.lineage.clone())
    };
    let (before, row) = as_lineage(engine, &base, &state);
    let mut batch = EventBatch { room: room.id, ..EventBatch::default() };
    batch.broken = room.broken.clone();
    batch.snapshots.extend(row);
    let find = |pdus: &[Arc<Pdu>]| pdus.iter().find(|pdu| pdu.event_id == *missing.name()).cloned();
    let event = match (&missing, find(&fresh), find(&rejected)) {
        (Missing::Event(_), Some(event), _) | (Missing::Event(_), None, Some(event)) => {
            place(engine, room, Pdu::clone(&event), before, &mut batch).await?
        }
        (Missing::Event(_), None, None) => {
            return Err(Error::BadEvent("what authorises a missing event is missing".to_owned()));
        }
        (Missing::Name { .. }, Some(event), _) => {
            let mut event = Pdu::clone(&event);
            let (state_before, flags) = (before.id(), events::STAND_IN);
            event.place =
                Place { state_before, state_after: before.id(), flags, ..Place::default() };
            super::outlier_row(engine.app(), &event).await?
        }
        (Missing::Name { name, follower }, None, _) => {
            placeholder(engine, follower, name, (briefs.get(*name), before.id())).await?
        }
    };
    let auth = fresh.iter().find(|pdu| pdu.id == event.id).and_then(|pdu| authors.of(pdu));
    batch.events.push(NewEvent { auth, ..event });
    // Whoever fills a gap may have given it a place meanwhile.
    let _turn = room.backfilling.lock().await;
    let now = engine.find_pdu(room, missing.name()).await?;
    if now.is_some_and(|now| now.place.state_after.is_some()) {
        return Ok(());
    }
    engine.append_aside(batch).await
}

/// What is here of the events that an answer is about.
async fn briefs(
    engine: &Engine,
    answer: &StateAnswer,
    also: Option<&OwnedEventId>,
) -> Result<HashMap<OwnedEventId, Brief>, Error> {
    let given = answer.events.iter().map(|event| &event.event_id);
    let names: BTreeSet<&OwnedEventId> = answer.state.iter().chain(given).chain(also).collect();
    let names = names.into_iter().map(|name| name.as_str());
    let found = events::list_brief_by_name(&engine.app().db, names).await?;
    let named = |brief: Brief| Some((brief.event_id.as_str().try_into().ok()?, brief));
    Ok(found.into_iter().filter_map(named).collect())
}

/// Verifies and judges what is new in an answer.
async fn listen(
    engine: &Engine,
    room: &Arc<Room>,
    missing: Option<&Pdu>,
    answer: StateAnswer,
    briefs: &HashMap<OwnedEventId, Brief>,
) -> Result<Told, Error> {
    let app = engine.app();
    let is_new = |name: &OwnedEventId| briefs.get(name).is_none_or(|brief| brief.is_missing);
    let mut seen = BTreeSet::new();
    let new = answer.events.into_iter();
    let new = new.filter(|event| is_new(&event.event_id) && seen.insert(event.event_id.clone()));
    let mut pdus = believed(app, room, new.collect()).await?;
    if let Some(event) = missing
        && !pdus.iter().any(|pdu| pdu.event_id == event.event_id)
    {
        pdus.push(Pdu::clone(event));
    }
    for pdu in &mut pdus {
        let brief = briefs.get(&pdu.event_id);
        pdu.id = brief.map_or_else(|| app.db.new_id(), |brief| brief.id);
        pdu.place.flags |= brief.map_or(0, |brief| brief.flags & events::REJECTED);
    }
    let known: Arc<Known> = Arc::new(known_auth(engine, room, &pdus).await?);
    let Judged { accepted: fresh, rejected } = judge(room, pdus, known.clone()).await?;
    let authors = Authors::above(engine, room, &known).await?;

    let slots = store::slots(engine, fresh.iter()).await?;
    let ids: HashMap<&OwnedEventId, Id> = fresh.iter().map(|pdu| (&pdu.event_id, pdu.id)).collect();
    let mut state = StateMap::new();
    for name in &answer.state {
        if let Some(id) = ids.get(name) {
            state.extend(slots.get(id).map(|slot| (*slot, *id)));
        } else if let Some(brief) = briefs.get(name)
            && !brief.is_missing
            && brief.flags & events::REJECTED == 0
        {
            state.extend(brief.slot.map(|slot| (slot, brief.id)));
        }
    }
    drop(ids);
    Ok(Told { fresh, rejected, authors, state })
}

/// A state as what is different from another: a large room's state is not written again for every gap.
fn as_lineage(engine: &Engine, base: &Lineage, state: &StateMap) -> (Lineage, Option<NewSnapshot>) {
    let before = base.state();
    let mut changes = StateMap::new();
    changes.extend(state.iter().filter(|(slot, id)| before.get(slot) != Some(id)));
    let gone = before.keys().filter(|slot| !state.contains_key(slot));
    changes.extend(gone.map(|slot| (*slot, NOTHING)));
    base.clone().with_changes(changes).attach(engine.app().db.new_id())
}

/// The row of a missing event that was given, in the state before it.
async fn place(
    engine: &Engine,
    room: &Room,
    mut pdu: Pdu,
    before: Lineage,
    batch: &mut EventBatch,
) -> Result<NewEvent, Error> {
    let db = &engine.app().db;
    // Another server's word is not enough to reject an event for good: the room may stand on it.
    if pdu.place.flags & events::REJECTED == 0
        && let Err(reason) = funnel::allowed_in(engine, room, &pdu, &before).await?
    {
        return Err(Error::BadEvent(format!("a state that does not allow its event: {reason}")));
    }
    let is_rejected = pdu.place.flags & events::REJECTED != 0;
    let flags = pdu.place.flags | events::STAND_IN;
    pdu.place = Place { state_before: before.id(), flags, ..Place::default() };
    let mut lineage = before;
    if let (false, Some(state_key)) = (is_rejected, &pdu.state_key) {
        let slot = db.state_key(&pdu.event_type.to_string(), state_key).await?;
        batch.snapshots.push(lineage.advance(db.new_id(), &StateMap::from([(slot, pdu.id)])));
    }
    pdu.place.state_after = lineage.id();
    super::outlier_row(engine.app(), &pdu).await
}

/// A stand-in for a prev event that nobody gave us: only its name and the state after it are known.
async fn placeholder(
    engine: &Engine,
    follower: &Pdu,
    name: &OwnedEventId,
    (known, state): (Option<&Brief>, Option<Id>),
) -> Result<NewEvent, Error> {
    let db = &engine.app().db;
    let flags = match known {
        // The event itself is here, and now has a state.
        Some(known) if !known.is_missing => known.flags & events::REJECTED,
        _ => events::SOFT_FAILED,
    };
    let sender = db.user(follower.sender.as_str()).await?;
    let json = serde_json::json!({
        "type": events::MISSING, "room_id": follower.room_id, "sender": follower.sender, "content": {},
        "origin_server_ts": follower.origin_server_ts, "depth": follower.depth.saturating_sub(1),
        "prev_events": [], "auth_events": [],
    });
    Ok(NewEvent {
        id: known.map_or_else(|| db.new_id(), |known| known.id),
        event_id: name.to_string(),
        event_type: events::MISSING.to_owned(),
        sender,
        state_key: None,
        depth: follower.depth.saturating_sub(1),
        at_ms: i64::from(follower.origin_server_ts.0),
        timeline_order: None,
        state_before: state,
        state_after: state,
        countable: 0,
        thread: None,
        thread_countable: None,
        flags: flags | events::STAND_IN,
        json: serde_json::to_vec(&json).map_err(Error::bad_event)?,
        auth: None,
    })
}
