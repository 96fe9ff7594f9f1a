//! A room that comes from elsewhere: the answer to a join becomes events, state and standings here.
//!
//! ```text
//! answer ─▶ name · verify · judge (all cores) ─▶ events · others' standings, in pieces ─▶ last piece · snapshot · join · head
//!                                                └──── nobody looks at them yet ────┘     └────── one commit: joined ──────┘
//! ```
//!
//! A small room is one commit. A crash on the way leaves events without a place and standings in a room that nobody here is in: the
//! next join finds and keeps them.

mod gap;
mod judge;
mod store;

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
    time::Duration,
};

use ruma::{
    OwnedEventId, RoomId, RoomVersionId, UserId, events::TimelineEventType,
    room_version_rules::RoomVersionRules,
};
use serde_json::value::RawValue;
use tern_federation::CallLimits;

pub(super) use self::{
    gap::{Missing, StateAnswer, state_of_missing, told_state},
    judge::Known,
};
use self::{
    judge::{Judged, judge},
    store::{Authors, Pieces},
};
use super::{
    Engine, Error, Pdu, Room, build, funnel,
    membership::Entered,
    pdu::Place,
    room::{Head, Membership, Seen},
    state::{self, Lineage, StateMap},
    upgrade,
};
use crate::{
    app::App,
    auth::Requester,
    storage::{
        self, EventBatch, Id, NewEvent, NewRoom, RoomUpdate, events,
        rooms::{self, StoredRoom},
    },
};

/// What an answer with a whole room may take: 150,000 members, and the time that the other server needs to put them together.
pub(super) const WHOLE_ROOM: CallLimits =
    CallLimits { timeout: Duration::from_secs(300), response_bytes_max: 128 * 1024 * 1024 };

/// Whether of an event only the name is here.
pub(super) fn is_missing(pdu: &Pdu) -> bool {
    pdu.event_type.to_string() == events::MISSING
}

/// What a server in the room answered.
pub(super) struct Answer {
    pub state: Vec<Box<RawValue>>,
    pub auth_chain: Vec<Box<RawValue>>,
}

/// The events of an answer, verified and judged.
struct Gathered {
    /// Each after what authorises it.
    events: Vec<Arc<Pdu>>,
    /// The state's, as far as they are believed.
    state: Vec<Arc<Pdu>>,
    /// Those that have no row yet.
    fresh: BTreeSet<Id>,
}

/// Stores a joined room: every event verified (signatures on all cores) and authorised by its own auth events, the state
/// as a snapshot, our join as the room's only end. Until the last commit nobody here sees anything of it. It is read into memory by
/// who needs it.
pub(super) async fn joined_room(
    engine: &Engine,
    requester: &Requester,
    room_id: &RoomId,
    (version, rules): (RoomVersionId, RoomVersionRules),
    mut join: Pdu,
    answer: Answer,
) -> Result<Entered, Error> {
    let db = &engine.app().db;
    let (head, seen) = (Head::default(), Seen::default());
    // For its rules; nothing of it is kept.
    let shell = Arc::new(Room::new(0, room_id.to_owned(), version.clone(), rules, head, seen));
    let gathered = gather(engine, &shell, answer, &mut join).await?;
    check_join(&shell, &join, &gathered.state)?;

    // An invitation that comes meanwhile would make a room of the same name, or hide that the user is in.
    let _turn = engine.storing(room_id).await;
    let known = rooms::find_room(db, room_id.as_str()).await?;
    let id = known.as_ref().map_or_else(|| db.new_id(), |room| room.id);

    let new_room = NewRoom { room_id: room_id.to_string(), version: version.to_string() };
    let new_room = known.is_none().then_some(new_room);
    let mut pieces =
        Pieces::new(engine, EventBatch { room: id, new_room, ..EventBatch::default() });
    let mut authors = Authors::default();
    pieces.outliers(&gathered.events, &mut authors, &gathered.fresh).await?;
    let is_member = |pdu: &&Arc<Pdu>| pdu.event_type == TimelineEventType::RoomMember;
    let members: Vec<&Arc<Pdu>> = gathered.state.iter().filter(is_member).collect();
    // They mean nothing as long as nobody of ours is in the room. The invitations of our users stand until the last commit.
    let ours = pieces.standings(&members, requester.user).await?;
    join.sender_id = requester.user;
    let mut batch = pieces.into_batch();
    batch.memberships.extend(ours);
    last_piece(engine, known.as_ref(), &gathered, join, authors, &mut batch).await?;
    engine.forget_loaded(room_id).await;
    engine.append_aside(batch).await?;
    // Whoever loaded it while the commit was on its way has the room as it was.
    engine.forget_loaded(room_id).await;
    Ok(entered(engine, &gathered.state, &members))
}

fn entered(engine: &Engine, state: &[Arc<Pdu>], members: &[&Arc<Pdu>]) -> Entered {
    let create = state.iter().find(|pdu| pdu.event_type == TimelineEventType::RoomCreate);
    let joined = members.iter().filter(|pdu| build::standing(pdu) == Some(Membership::Join));
    let names = joined.filter_map(|pdu| <&UserId>::try_from(pdu.state_key.as_deref()?).ok());
    let servers = names.map(UserId::server_name).filter(|server| !engine.app().is_ours(server));
    Entered {
        others: servers.map(ToOwned::to_owned).collect(),
        predecessor: create.and_then(|create| upgrade::predecessor(create)),
    }
}

/// Reads, verifies and judges the events of an answer; gives all of them, and `join`, their interned ids.
async fn gather(
    engine: &Engine,
    room: &Arc<Room>,
    answer: Answer,
    join: &mut Pdu,
) -> Result<Gathered, Error> {
    let app = engine.app();
    let of_chain = answer.auth_chain.len();
    let raw = answer.auth_chain.into_iter().chain(answer.state).collect();
    let named = funnel::name_all(raw, &room.rules).await?;
    let state_ids: BTreeSet<OwnedEventId> =
        named.iter().skip(of_chain).flatten().map(|event| event.event_id.clone()).collect();
    // The state is the one before the join; a server may tell the join with it.
    let mut seen = BTreeSet::from([join.event_id.clone()]);
    let named: Vec<_> =
        named.into_iter().flatten().filter(|event| seen.insert(event.event_id.clone())).collect();
    let mut pdus = believed(app, room, named).await?;
    let names: Vec<&str> = pdus.iter().chain([&*join]).map(|pdu| pdu.event_id.as_str()).collect();
    let stored: HashMap<String, events::Brief> = events::list_brief_by_name(&app.db, names)
        .await?
        .into_iter()
        .map(|brief| (brief.event_id.clone(), brief))
        .collect();
    let id = |name: &OwnedEventId| match stored.get(name.as_str()) {
        Some(brief) => brief.id,
        None => app.db.new_id(),
    };
    join.id = id(&join.event_id);
    let mut fresh = BTreeSet::new();
    for pdu in &mut pdus {
        let brief = stored.get(pdu.event_id.as_str());
        pdu.id = id(&pdu.event_id);
        // What was rejected once stays so.
        pdu.place.flags |= brief.map_or(0, |brief| brief.flags & events::REJECTED);
        if brief.is_none_or(|brief| brief.is_missing) {
            fresh.insert(pdu.id);
        }
    }
    let Judged { accepted: events, .. } = judge(room, pdus, Arc::default()).await?;
    let state = events.iter().filter(|pdu| state_ids.contains(&pdu.event_id)).cloned().collect();
    Ok(Gathered { events, state, fresh })
}

/// The events of the room whose signatures are right.
async fn believed(app: &App, room: &Room, named: Vec<funnel::Named>) -> Result<Vec<Pdu>, Error> {
    let mut pdus = Vec::with_capacity(named.len());
    for result in funnel::verify_named(app, named, &room.rules).await? {
        match result {
            Ok(event) if event.pdu().room_id == room.room_id => pdus.push(event.into_pdu()),
            Ok(_) => {}
            Err(error) => {
                tracing::info!(room.id = %room.room_id, %error, "an event of a room's state is not believed");
            }
        }
    }
    Ok(pdus)
}

/// Our join must be allowed by the state we were given.
fn check_join(room: &Room, join: &Pdu, state: &[Arc<Pdu>]) -> Result<(), Error> {
    let slot = |pdu: &Arc<Pdu>| {
        Some(((pdu.event_type.to_string().into(), pdu.state_key.clone()?), pdu.clone()))
    };
    let state: build::AuthState = state.iter().filter_map(slot).collect();
    build::allowed(room, join, &state).map_err(|reason| {
        Error::Forbidden(format!("the room's state does not allow the join: {reason}"))
    })
}

/// What makes the room known and joined, into the last commit: its state, our join and its end.
async fn last_piece(
    engine: &Engine,
    known: Option<&StoredRoom>,
    gathered: &Gathered,
    mut join: Pdu,
    mut authors: Authors,
    batch: &mut EventBatch,
) -> Result<(), Error> {
    let db = &engine.app().db;
    // Coming back, with room for what was said in between.
    let order = known
        .filter(|room| room.snapshot.is_some())
        .map_or(0, |room| room.last_order + build::GAP_ROOM);
    let countable = known.map_or(0, |room| room.countable);
    let slots = store::slots(engine, gathered.state.iter()).await?;
    let state: StateMap = slots.into_iter().map(|(event, slot)| (slot, event)).collect();
    let mut lineage = Lineage::default();
    batch.snapshots.push(lineage.advance(db.new_id(), &state));
    join.place = Place {
        order: Some(order),
        state_before: lineage.id(),
        countable,
        flags: if order > 0 { events::AFTER_GAP } else { 0 },
        ..Place::default()
    };
    let slot = db.state_key("m.room.member", join.sender.as_str()).await?;
    batch.snapshots.push(lineage.advance(db.new_id(), &StateMap::from([(slot, join.id)])));
    join.place.state_after = lineage.id();
    let auth = authors.of(&join);
    batch.events.push(NewEvent { auth, ..build::row(&join, Some(slot)) });
    batch.gaps = join.prev_events.iter().map(|prev| (prev.to_string(), order)).collect();
    batch.memberships.push(storage::Membership {
        user: join.sender_id,
        membership: Membership::Join.as_str().to_owned(),
        event: join.id,
        stripped_state: None,
    });
    let damaged = storage::Error::Damaged { what: "snapshot" };
    let snapshot = lineage.id().ok_or(Error::Storage(damaged))?;
    let extremities = state::pack_ids([join.id]);
    // What the room was left with, if no event stands on it.
    batch.dropped_snapshots = known
        .filter(|room| room.standing_snapshot.is_some())
        .and_then(|room| room.snapshot)
        .into_iter()
        .collect();
    batch.head = Some(RoomUpdate {
        snapshot,
        standing_snapshot: None,
        extremities,
        last_order: order,
        countable,
    });
    Ok(())
}

/// The row of one event without a place.
pub(super) async fn outlier_row(app: &App, pdu: &Pdu) -> Result<NewEvent, Error> {
    let slot = match &pdu.state_key {
        Some(state_key) => Some(app.db.state_key(&pdu.event_type.to_string(), state_key).await?),
        None => None,
    };
    let sender = app.db.user(pdu.sender.as_str()).await?;
    Ok(NewEvent { sender, ..build::row(pdu, slot) })
}

/// The events that authorise `pdus` and are here, themselves left out, and the create event.
async fn known_auth(engine: &Engine, room: &Room, pdus: &[Pdu]) -> Result<Known, Error> {
    let new: BTreeSet<&OwnedEventId> = pdus.iter().map(|pdu| &pdu.event_id).collect();
    let named: BTreeSet<&OwnedEventId> = pdus.iter().flat_map(|pdu| &pdu.auth_events).collect();
    let named: Vec<OwnedEventId> = named.difference(&new).map(|name| (*name).clone()).collect();
    let mut here = engine.find_pdus(room, &named).await?;
    here.retain(|pdu| !is_missing(pdu));
    here.extend(engine.state_event(room, "m.room.create", "").await?);
    Ok(here.into_iter().map(|pdu| (pdu.event_id.clone(), pdu)).collect())
}

/// Stores verified events of a room that is here without a place; those that what authorises them does not allow as rejected. Left out
/// are those of which something that authorises them is missing.
pub(super) async fn outliers(
    engine: &Engine,
    room: &Arc<Room>,
    fetched: Vec<funnel::Verified>,
) -> Result<(), Error> {
    let db = &engine.app().db;
    let mut pdus: Vec<Pdu> = fetched.into_iter().map(funnel::Verified::into_pdu).collect();
    let names: Vec<OwnedEventId> = pdus.iter().map(|pdu| pdu.event_id.clone()).collect();
    let here: Known = engine
        .find_pdus(room, &names)
        .await?
        .into_iter()
        .map(|pdu| (pdu.event_id.clone(), pdu))
        .collect();
    let is_here = |pdu: &Pdu| here.get(&pdu.event_id).is_some_and(|here| !is_missing(here));
    let known: Known = here
        .iter()
        .filter(|(_, pdu)| !is_missing(pdu))
        .map(|(name, pdu)| (name.clone(), pdu.clone()))
        .chain(known_auth(engine, room, &pdus).await?)
        .collect();
    pdus.retain(|pdu| !is_here(pdu));
    for pdu in &mut pdus {
        match here.get(&pdu.event_id) {
            // What stood in for it lends it its place.
            Some(stand_in) => {
                (pdu.id, pdu.place) = (stand_in.id, stand_in.place);
                pdu.place.flags = events::STAND_IN;
            }
            None => pdu.id = db.new_id(),
        }
    }
    let known = Arc::new(known);
    let judged = judge(room, pdus, known.clone()).await?;
    let mut authors = Authors::above(engine, room, &known).await?;
    let mut rows = judged.accepted;
    rows.extend(judged.rejected);
    let wanted = rows.iter().map(|pdu| pdu.id).collect();
    store::outliers(engine, room.id, &rows, &mut authors, &wanted).await
}
