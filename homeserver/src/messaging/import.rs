//! A room that comes from elsewhere: the answer to a join becomes events, state and standings here, in one commit.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use ruma::{
    CanonicalJsonObject, OwnedEventId, RoomId, RoomVersionId, events::TimelineEventType,
    room_version_rules::RoomVersionRules,
};
use serde_json::value::RawValue;

use super::{
    Engine, Error, Pdu, Room, build, funnel,
    pdu::Place,
    room::{Head, Membership, Seen},
    state::{self, Lineage, StateMap},
};
use crate::{
    app::App,
    auth::Requester,
    storage::{self, EventBatch, Id, NewEvent, NewRoom, RoomUpdate, events, rooms},
};

/// The type of an event known by name only, as a place for the state after it.
pub(super) const MISSING: &str = "chat.tern.missing";

/// Whether of an event only the name is here.
pub(super) fn is_missing(pdu: &Pdu) -> bool {
    pdu.event_type.to_string() == MISSING
}

/// What a server in the room answered.
pub(super) struct Answer {
    pub state: Vec<Box<RawValue>>,
    pub auth_chain: Vec<Box<RawValue>>,
}

/// Stores a joined room: every event verified (signatures on all cores) and authorised by its own auth events, the state
/// as a snapshot, our join as the room's only end.
pub(super) async fn joined_room(
    engine: &Engine,
    requester: &Requester,
    room_id: &RoomId,
    (version, rules): (RoomVersionId, RoomVersionRules),
    join: Pdu,
    answer: Answer,
) -> Result<(), Error> {
    let app = engine.app();
    let known = rooms::find_room(&app.db, room_id.as_str()).await?;
    let id = known.as_ref().map_or_else(|| app.db.new_id(), |room| room.id);
    let shell = Room::new(
        id,
        room_id.to_owned(),
        version.clone(),
        rules.clone(),
        Head::default(),
        Seen::default(),
    );

    let state_ids = ids_of(&answer.state, &rules);
    let all = answer.auth_chain.into_iter().chain(answer.state);
    let mut authorised = authorised(engine, &shell, all, &Known::new()).await?;
    // Coming back, with room for what was said in between.
    let order = known
        .as_ref()
        .filter(|room| room.snapshot.is_some())
        .map_or(0, |room| room.last_order + build::GAP_ROOM);
    let countable = known.as_ref().map_or(0, |room| room.countable);

    let mut batch = EventBatch { room: id, ..EventBatch::default() };
    if known.is_none() {
        batch.new_room =
            Some(NewRoom { room_id: room_id.to_string(), version: version.to_string() });
    }
    let mut slots = StateMap::new();
    for event_id in &state_ids {
        let Some(pdu) = authorised.get(event_id) else { continue };
        if let Some(state_key) = &pdu.state_key {
            slots.insert(app.db.state_key(&pdu.event_type.to_string(), state_key).await?, pdu.id);
        }
    }
    check_join(&shell, &join, &authorised, &state_ids)?;

    let mut lineage = Lineage::default();
    batch.snapshots.push(lineage.advance(app.db.new_id(), &slots));
    let mut join = join;
    join.id = events::find_event(&app.db, join.event_id.as_str())
        .await?
        .map_or_else(|| app.db.new_id(), |stored| stored.id);
    join.sender_id = requester.user;
    join.place = Place {
        order: Some(order),
        state_before: lineage.id(),
        countable,
        flags: if order > 0 { events::AFTER_GAP } else { 0 },
        ..Place::default()
    };
    let slot = app.db.state_key("m.room.member", requester.user_id.as_str()).await?;
    slots.insert(slot, join.id);
    batch.snapshots.push(lineage.advance(app.db.new_id(), &StateMap::from([(slot, join.id)])));
    join.place.state_after = lineage.id();

    for pdu in authorised.values_mut() {
        batch.events.push(outlier_row(app, pdu).await?);
    }
    batch.events.push(NewEvent { state_key: Some(slot), ..build::row(&join, Some(slot)) });
    batch.gaps = join.prev_events.iter().map(|prev| (prev.to_string(), order)).collect();
    standings(app, &authorised, &state_ids, &join, &mut batch).await?;
    let snapshot =
        lineage.id().ok_or(Error::Storage(storage::Error::Damaged { what: "snapshot" }))?;
    let extremities = state::pack_ids([join.id]);
    batch.head = Some(RoomUpdate { snapshot, extremities, last_order: order, countable });
    engine.forget_loaded(room_id);
    engine.append_aside(batch).await?;
    // Whoever loaded it while the commit was on its way has the room as it was.
    engine.forget_loaded(room_id);
    Ok(())
}

fn ids_of(state: &[Box<RawValue>], rules: &RoomVersionRules) -> Vec<OwnedEventId> {
    let id = |raw: &RawValue| {
        let object: CanonicalJsonObject = serde_json::from_str(raw.get()).ok()?;
        super::pdu::event_id_of(&object, rules).ok()
    };
    state.iter().filter_map(|raw| id(raw)).collect()
}

/// Events that are here already and not rejected, by their names.
pub(super) type Known = BTreeMap<OwnedEventId, Arc<Pdu>>;

/// Verifies the events and keeps those whose auth events are among them, or `known`, and allow them, in topological order.
async fn authorised(
    engine: &Engine,
    room: &Room,
    raw: impl Iterator<Item = Box<RawValue>>,
    known: &Known,
) -> Result<BTreeMap<OwnedEventId, Arc<Pdu>>, Error> {
    let app = engine.app();
    let objects = raw.filter_map(|raw| serde_json::from_str(raw.get()).ok()).collect();
    let mut verified: HashMap<OwnedEventId, Pdu> = HashMap::new();
    for result in funnel::verify_all(app, objects, &room.rules).await {
        match result {
            Ok(event) => drop(verified.insert(event.pdu().event_id.clone(), event.into_pdu())),
            Err(error) => {
                tracing::info!(room.id = %room.room_id, %error, "an event of a joined room is not believed");
            }
        }
    }
    let names: Vec<String> = verified.keys().map(ToString::to_string).collect();
    let stored: HashMap<String, Id> = events::list_events_by_name(&app.db, &names)
        .await?
        .into_iter()
        .map(|event| (event.event_id, event.id))
        .collect();
    let mut pending: Vec<Pdu> =
        verified.into_values().filter(|pdu| pdu.room_id == room.room_id).collect();
    pending.sort_by_key(|pdu| (pdu.depth, pdu.auth_events.len()));
    let mut accepted: BTreeMap<OwnedEventId, Arc<Pdu>> = BTreeMap::new();
    let create = pending
        .iter()
        .chain(known.values().map(Arc::as_ref))
        .find(|pdu| pdu.event_type == TimelineEventType::RoomCreate)
        .map(|pdu| pdu.event_id.clone());
    // Depth is the sender's word: rounds until nothing more can be decided, so that a wrong depth only costs time.
    loop {
        let before = pending.len();
        let mut undecided = Vec::new();
        for mut pdu in pending {
            let find =
                |name: &OwnedEventId| accepted.get(name).or_else(|| known.get(name)).cloned();
            if pdu.auth_events.iter().any(|auth| find(auth).is_none()) {
                undecided.push(pdu);
                continue;
            }
            let auth = pdu.auth_events.iter().chain(&create).filter_map(find);
            let auth: Vec<Arc<Pdu>> = auth.collect();
            if let Err(reason) = funnel::check_auth(room, &pdu, &auth) {
                tracing::info!(event.id = %pdu.event_id, reason, "an event of a joined room breaks the rules");
                continue;
            }
            pdu.id = stored.get(pdu.event_id.as_str()).copied().unwrap_or_else(|| app.db.new_id());
            accepted.insert(pdu.event_id.clone(), Arc::new(pdu));
        }
        if undecided.is_empty() || undecided.len() == before {
            return Ok(accepted);
        }
        pending = undecided;
    }
}

/// Our join must be allowed by the state we were given.
fn check_join(
    room: &Room,
    join: &Pdu,
    events: &BTreeMap<OwnedEventId, Arc<Pdu>>,
    state_ids: &[OwnedEventId],
) -> Result<(), Error> {
    let state: build::AuthState = state_ids
        .iter()
        .filter_map(|event_id| events.get(event_id))
        .filter_map(|pdu| {
            Some(((pdu.event_type.to_string().into(), pdu.state_key.clone()?), pdu.clone()))
        })
        .collect();
    build::allowed(room, join, &state).map_err(|reason| {
        Error::Forbidden(format!("the room's state does not allow the join: {reason}"))
    })
}

/// Everybody's standing, from the state.
async fn standings(
    app: &App,
    events: &BTreeMap<OwnedEventId, Arc<Pdu>>,
    state_ids: &[OwnedEventId],
    join: &Pdu,
    batch: &mut EventBatch,
) -> Result<(), Error> {
    let members = state_ids.iter().filter_map(|event_id| events.get(event_id)).map(Arc::as_ref);
    let mut rows: BTreeMap<Id, storage::Membership> = BTreeMap::new();
    for pdu in members.chain([join]).filter(|pdu| pdu.event_type == TimelineEventType::RoomMember) {
        let (Some(standing), Some(user_id)) = (build::standing(pdu), &pdu.state_key) else {
            continue;
        };
        let Ok(user_id) = <&ruma::UserId>::try_from(user_id.as_str()) else { continue };
        let user = app.db.user(user_id.as_str()).await?;
        if standing == Membership::Join && !app.is_ours(user_id.server_name()) {
            batch.destinations.push(user_id.server_name().to_string());
        }
        let membership = standing.as_str().to_owned();
        rows.insert(
            user,
            storage::Membership { user, membership, event: pdu.id, stripped_state: None },
        );
    }
    batch.memberships = rows.into_values().collect();
    Ok(())
}

/// The row of an event without a place.
pub(super) async fn outlier_row(app: &App, pdu: &Pdu) -> Result<NewEvent, Error> {
    let slot = match &pdu.state_key {
        Some(state_key) => Some(app.db.state_key(&pdu.event_type.to_string(), state_key).await?),
        None => None,
    };
    let sender = app.db.user(pdu.sender.as_str()).await?;
    Ok(NewEvent { sender, ..build::row(pdu, slot) })
}

/// Stores verified events without a place; those whose auth events are here and do not allow them as rejected.
pub(super) async fn outliers(
    engine: &Engine,
    room: &Room,
    mut fetched: Vec<funnel::Verified>,
) -> Result<(), Error> {
    let app = engine.app();
    fetched.sort_by_key(|event| event.pdu().depth);
    let mut stored: Vec<Arc<Pdu>> =
        engine.state_event(room, "m.room.create", "").await?.into_iter().collect();
    let mut rows = Vec::with_capacity(fetched.len());
    for event in fetched {
        let mut pdu = event.into_pdu();
        let mut auth = engine.find_pdus(room, &pdu.auth_events).await?;
        let is_create = |pdu: &Pdu| pdu.event_type == TimelineEventType::RoomCreate;
        let names = |auth: &&Arc<Pdu>| pdu.auth_events.contains(&auth.event_id) || is_create(auth);
        auth.extend(stored.iter().filter(names).cloned());
        match engine.find_pdu(room, &pdu.event_id).await? {
            // What stood in for it lends it its place.
            Some(stand_in) => (pdu.id, pdu.place) = (stand_in.id, stand_in.place),
            None => pdu.id = app.db.new_id(),
        }
        if funnel::check_auth(room, &pdu, &auth).is_err() {
            pdu.place.flags |= events::REJECTED;
        }
        rows.push(outlier_row(app, &pdu).await?);
        stored.push(Arc::new(pdu));
    }
    super::inbound::store_outliers(engine, room, rows).await
}

/// The state before an event, as another server says.
pub(super) struct StateAnswer {
    pub state: Vec<OwnedEventId>,
    /// Those of the state and its auth chain that are not here.
    pub events: Vec<Box<RawValue>>,
    /// Those that are.
    pub known: Known,
}

impl StateAnswer {
    /// From an answer with the events themselves.
    pub(super) fn whole(answer: Answer, rules: &RoomVersionRules) -> Self {
        let state = ids_of(&answer.state, rules);
        let events = answer.auth_chain.into_iter().chain(answer.state).collect();
        Self { state, events, known: Known::new() }
    }
}

/// Stores the state that another server says stood before `event`, and hangs it under the missing prev event `prev`: an
/// event we know by name only. So the event's state before it is that state, resolved with what its other prev events say.
pub(super) async fn state_before(
    engine: &Engine,
    room: &Arc<Room>,
    event: &Pdu,
    prev: &OwnedEventId,
    answer: StateAnswer,
) -> Result<(), Error> {
    let app = engine.app();
    let authorised = authorised(engine, room, answer.events.into_iter(), &answer.known).await?;
    let mut slots = StateMap::new();
    let mut rows = Vec::with_capacity(authorised.len());
    for pdu in authorised.values().filter(|pdu| pdu.event_id != *prev) {
        rows.push(outlier_row(app, pdu).await?);
    }
    let find = |event_id| authorised.get(event_id).or_else(|| answer.known.get(event_id));
    for pdu in answer.state.iter().filter_map(find) {
        if let Some(state_key) = &pdu.state_key {
            slots.insert(app.db.state_key(&pdu.event_type.to_string(), state_key).await?, pdu.id);
        }
    }
    let known = engine.find_pdus(room, &authorised.keys().cloned().collect::<Vec<_>>()).await?;
    let placed: std::collections::BTreeSet<Id> =
        known.iter().filter(|pdu| pdu.place.state_after.is_some()).map(|pdu| pdu.id).collect();
    // What has its place keeps it: the row of an outlier must not take it away.
    rows.retain(|row| !placed.contains(&row.id));
    let mut lineage = Lineage::default();
    let snapshot = lineage.advance(app.db.new_id(), &slots);
    let mut batch = EventBatch { room: room.id, events: rows, ..EventBatch::default() };
    batch.snapshots.push(snapshot);
    batch.events.push(match find(prev) {
        Some(prev) => {
            let mut prev = Pdu::clone(prev);
            prev.place = Place {
                state_before: lineage.id(),
                state_after: lineage.id(),
                flags: events::STAND_IN,
                ..Place::default()
            };
            outlier_row(app, &prev).await?
        }
        None => placeholder(app, event, prev, lineage.id()).await?,
    });
    engine.append_aside(batch).await
}

/// A stand-in for a prev event that nobody gave us: only its name and the state after it are known.
async fn placeholder(
    app: &App,
    event: &Pdu,
    prev: &OwnedEventId,
    state: Option<Id>,
) -> Result<NewEvent, Error> {
    let sender = app.db.user(event.sender.as_str()).await?;
    let stored = events::find_event(&app.db, prev.as_str()).await?;
    let json = serde_json::json!({
        "type": MISSING, "room_id": event.room_id, "sender": event.sender, "content": {},
        "origin_server_ts": event.origin_server_ts, "depth": event.depth.saturating_sub(1),
        "prev_events": [], "auth_events": [],
    });
    Ok(NewEvent {
        id: stored.map_or_else(|| app.db.new_id(), |stored| stored.id),
        event_id: prev.to_string(),
        event_type: MISSING.to_owned(),
        sender,
        state_key: None,
        depth: event.depth.saturating_sub(1),
        at_ms: i64::from(event.origin_server_ts.0),
        timeline_order: None,
        state_before: state,
        state_after: state,
        countable: 0,
        flags: events::SOFT_FAILED | events::STAND_IN,
        json: serde_json::to_vec(&json).map_err(Error::bad_event)?,
        auth: None,
    })
}
