//! History that is missing here: asked from servers in the room when somebody scrolls up to the gap.

mod states;

use std::{
    collections::{BTreeSet, HashMap},
    sync::{Arc, atomic::Ordering},
};

use ruma::{OwnedEventId, OwnedServerName, ServerName, api::federation::backfill::get_backfill};

pub(super) use self::states::Past;
use super::{
    Engine, Error, Pdu, Room, build, funnel, import, inbound, pdu::Place, receipts, redact,
    state::Lineage, threads,
};
use crate::storage::{EventBatch, Id, NewEvent, NewSnapshot, events, gaps};

/// Most events asked for at once.
const BACKFILL_MAX: u64 = 100;
/// Answers to backfill that one page forwards waits for.
const ROUNDS_MAX: usize = 10;
/// Servers asked, one after the other.
const SERVERS_MAX: usize = 3;

/// Fills the gaps that a page backwards from `before` would touch. Best effort: a page can always be shown without.
pub(super) async fn fill_before(engine: &Engine, room: &Arc<Room>, before: i64, limit: u64) {
    for _ in 0..limit.div_ceil(BACKFILL_MAX) + 1 {
        match fill_nearest(engine, room, before, limit).await {
            Ok(true) => {}
            Ok(false) => return,
            Err(error) => {
                tracing::info!(room.id = %room.room_id, %error, "history could not be fetched");
                return;
            }
        }
    }
}

/// Fills the gaps that a page forwards from `from` would step over, as far as [`ROUNDS_MAX`] answers reach. Best effort too.
pub(super) async fn fill_after(engine: &Engine, room: &Arc<Room>, from: i64, limit: u64) {
    for _ in 0..ROUNDS_MAX {
        match fill_first(engine, room, from, limit).await {
            Ok(true) => {}
            Ok(false) => return,
            Err(error) => {
                tracing::info!(room.id = %room.room_id, %error, "history could not be fetched");
                return;
            }
        }
    }
}

/// Fills the first gap after `from`, from its upper end down; whether there was one, and something came.
async fn fill_first(
    engine: &Engine,
    room: &Arc<Room>,
    from: i64,
    limit: u64,
) -> Result<bool, Error> {
    if !engine.has_gaps(room).await? {
        return Ok(false);
    }
    let gaps = gaps::list_first_gaps_after(&engine.app().db, room.id, from, limit).await?;
    if gaps.is_empty() { Ok(false) } else { fill(engine, room, &gaps, BACKFILL_MAX).await }
}

/// Fills the gap next to `before`; whether there was one, and something came.
async fn fill_nearest(
    engine: &Engine,
    room: &Arc<Room>,
    before: i64,
    limit: u64,
) -> Result<bool, Error> {
    if !engine.has_gaps(room).await? {
        return Ok(false);
    }
    let mut gaps = gaps::list_gaps_before(&engine.app().db, room.id, before, limit).await?;
    let Some(nearest) = gaps.first().map(|gap| gap.timeline_order) else { return Ok(false) };
    gaps.retain(|gap| gap.timeline_order == nearest);
    fill(engine, room, &gaps, limit).await
}

async fn fill(
    engine: &Engine,
    room: &Arc<Room>,
    gaps: &[gaps::Gap],
    limit: u64,
) -> Result<bool, Error> {
    let app = engine.app();
    // One at a time a room: two readers at one gap would give its events two places.
    let _turn = room.backfilling.lock().await;
    let missing: Vec<_> =
        gaps.iter().filter_map(|gap| gap.event_id.as_str().try_into().ok()).collect();
    let servers: Vec<OwnedServerName> = {
        let seen = room.seen();
        seen.servers
            .keys()
            .filter(|server| !app.is_ours(server))
            .take(SERVERS_MAX)
            .cloned()
            .collect()
    };
    let limit = limit.clamp(20, BACKFILL_MAX);
    for server in servers {
        let request = get_backfill::v1::Request::new(
            room.room_id.clone(),
            missing.clone(),
            limit.try_into().unwrap_or_default(),
        );
        let answer = match app.federation.send(&server, request).await {
            Ok(answer) => answer,
            Err(error) => {
                tracing::debug!(%server, %error, "backfill refused");
                continue;
            }
        };
        let verified = funnel::verify_all(app, answer.pdus, &room.rules).await?;
        let mut fetched: Vec<funnel::Verified> =
            verified.into_iter().filter_map(Result::ok).collect();
        fetched.retain(|event| event.pdu().room_id == room.room_id);
        let fetched = below(&missing, fetched);
        let pdus = keep(engine, room, &server, fetched).await?;
        if pdus.is_empty() {
            continue;
        }
        let gap = Gap::above(engine, room, gaps).await?;
        let (past, snapshots) = states::find(engine, room, &server, &gap, pdus).await?;
        if store(engine, room, (gaps, &gap), past, snapshots).await? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Those of the fetched events that missing ones lead to: nothing else has a place in the gap.
fn below(missing: &[OwnedEventId], fetched: Vec<funnel::Verified>) -> Vec<funnel::Verified> {
    let mut fetched: HashMap<OwnedEventId, funnel::Verified> =
        fetched.into_iter().map(|event| (event.pdu().event_id.clone(), event)).collect();
    let (mut found, mut open) = (Vec::new(), missing.to_vec());
    while let Some(name) = open.pop() {
        let Some(event) = fetched.remove(&name) else { continue };
        open.extend(event.pdu().prev_events.iter().cloned());
        found.push(event);
    }
    found
}

/// Stores fetched events without a place, judged by their own auth events, which may be among them, here, or at `server`. Gives them
/// newest first, those that break the rules marked as rejected; left out are those whose auth events nobody gave.
async fn keep(
    engine: &Engine,
    room: &Arc<Room>,
    server: &ServerName,
    mut fetched: Vec<funnel::Verified>,
) -> Result<Vec<Pdu>, Error> {
    fetched.sort_by_key(|event| event.pdu().depth);
    let names: Vec<OwnedEventId> =
        fetched.iter().map(|event| event.pdu().event_id.clone()).collect();
    import::outliers(engine, room, fetched.clone()).await?;
    let kept = here(engine, room, &names).await?;
    let is_kept =
        |event: &funnel::Verified| kept.iter().any(|pdu| pdu.event_id == event.pdu().event_id);
    for event in fetched.into_iter().filter(|event| !is_kept(event)) {
        match inbound::fetch_auth(engine, room, server, &event).await {
            Ok(()) => import::outliers(engine, room, vec![event]).await?,
            Err(Error::Storage(error)) => return Err(error.into()),
            Err(error) => {
                tracing::info!(event.id = %event.pdu().event_id, %error, "nobody gave what authorises an event");
            }
        }
    }
    let kept = here(engine, room, &names).await?;
    let mut pdus: Vec<Pdu> = kept.iter().map(|pdu| Pdu::clone(pdu)).collect();
    pdus.sort_by_key(|pdu| std::cmp::Reverse(pdu.depth));
    Ok(pdus)
}

/// The events of these names that are here themselves.
async fn here(engine: &Engine, room: &Room, ids: &[OwnedEventId]) -> Result<Vec<Arc<Pdu>>, Error> {
    let mut found = engine.find_pdus(room, ids).await?;
    found.retain(|pdu| !import::is_missing(pdu));
    Ok(found)
}

/// What stands right above a gap.
struct Gap {
    above: Option<Arc<Pdu>>,
    /// The state before it.
    state: Lineage,
}

impl Gap {
    async fn above(engine: &Engine, room: &Room, gaps: &[gaps::Gap]) -> Result<Self, Error> {
        let order = gaps.iter().map(|gap| gap.timeline_order).min().unwrap_or_default();
        let next =
            events::list_timeline_after(&engine.app().db, room.id, order.saturating_sub(1), 1);
        let above = match next.await?.pop() {
            Some(stored) => Some(engine.read(stored, room)?),
            None => None,
        };
        let state_before = above.as_ref().and_then(|above| above.place.state_before);
        Ok(Self { above, state: engine.state_at(state_before).await? })
    }
}

/// Stores fetched events right below the gap, newest first. Where nobody told the state that one stood on, only who may see it hangs on
/// that: it gets the one that the room had at the gap. Rejected and soft-failed ones get no place in the timeline. Whether a gap was
/// filled, or moved further down.
async fn store(
    engine: &Engine,
    room: &Arc<Room>,
    (gaps, gap): (&[gaps::Gap], &Gap),
    past: Vec<Past>,
    snapshots: Vec<NewSnapshot>,
) -> Result<bool, Error> {
    let app = engine.app();
    let Some(above) = gaps.iter().map(|gap| gap.timeline_order).min() else { return Ok(false) };
    let below = gaps::find_order_below(&app.db, room.id, above).await?;
    let mut order = above;
    let mut batch = EventBatch { room: room.id, ..EventBatch::default() };
    // The running total does not rise over what is fetched later.
    let under = events::list_timeline_before(&app.db, room.id, above, 1).await?;
    let countable = under.first().map_or(0, |event| event.countable);
    let mut head = room.head.lock().await;
    // What came meanwhile has its place.
    let names: Vec<OwnedEventId> = past.iter().map(|past| past.pdu.event_id.clone()).collect();
    let now = engine.find_pdus(room, &names).await?;
    let has_place = |pdu: &Pdu| {
        let now = now.iter().find(|now| now.event_id == pdu.event_id);
        now.is_some_and(|now| {
            now.place.order.is_some() || now.place.state_before != pdu.place.state_before
        })
    };
    let (mut placed, mut wanted, mut done) = (Vec::new(), Vec::new(), BTreeSet::new());
    let mut is_full = false;
    for Past { mut pdu, around } in past {
        let out = events::REJECTED | events::SOFT_FAILED;
        if has_place(&pdu) {
            done.insert(pdu.event_id.clone());
            continue;
        }
        let is_out = pdu.place.flags & out != 0;
        is_full |= !is_out && below == Some(order - 1);
        if is_full {
            continue;
        }
        done.insert(pdu.event_id.clone());
        order -= i64::from(!is_out);
        wanted.extend(pdu.prev_events.iter().map(|prev| (prev.to_string(), order)));
        // Those have their rows, and no place.
        if is_out {
            continue;
        }
        pdu.sender_id = app.db.user(pdu.sender.as_str()).await?;
        pdu.place = Place { order: Some(order), countable, ..place(&pdu, around.as_ref(), gap) };
        batch.threads.extend(threads::place_history(engine, room, &mut head, &mut pdu).await?);
        batch.relations.extend(build::relation(&pdu));
        let slot = match &pdu.state_key {
            Some(state_key) => {
                Some(app.db.state_key(&pdu.event_type.to_string(), state_key).await?)
            }
            None => None,
        };
        batch.events.push(build::row(&pdu, slot));
        placed.push(Past { pdu, around });
    }
    let is_done = |name: &str| done.iter().any(|done| done == name);
    let filled = gaps.iter().map(|gap| gap.event_id.clone());
    batch.filled_gaps = filled.filter(|name| is_done(name)).collect();
    if batch.filled_gaps.is_empty() {
        return Ok(false);
    }
    batch.gaps = wanted.into_iter().filter(|(prev, _)| !is_done(prev)).collect();
    batch.snapshots = referred_to(&batch.events, snapshots);
    let pruned = redact::of_history(engine, room, &placed, &mut batch).await?;
    engine.append_aside(batch).await?;
    room.fills.fetch_add(1, Ordering::AcqRel);
    drop(head);
    engine.show_pruned(room, pruned);
    for name in done {
        receipts::arrived(engine, room, &name).await?;
    }
    Ok(true)
}

/// The snapshots that events refer to, and those that these build on. Each stands after what it builds on.
fn referred_to(events: &[NewEvent], snapshots: Vec<NewSnapshot>) -> Vec<NewSnapshot> {
    let mut wanted: BTreeSet<Id> =
        events.iter().flat_map(|event| [event.state_before, event.state_after]).flatten().collect();
    let mut kept: Vec<NewSnapshot> = Vec::new();
    for snapshot in snapshots.into_iter().rev() {
        if wanted.contains(&snapshot.id) {
            wanted.extend(snapshot.parent);
            kept.push(snapshot);
        }
    }
    kept.reverse();
    kept
}

/// The place of an event of the history, but for its order.
fn place(pdu: &Pdu, around: Option<&(Lineage, Lineage)>, gap: &Gap) -> Place {
    let (state_before, state_after, flag) = match around {
        Some((before, after)) => (before.id(), after.id(), events::TRUE_STATE),
        None => (gap.state.id(), gap.state.id(), 0),
    };
    let (flags, redacted_by) = (events::HISTORY | flag, pdu.place.redacted_by);
    Place { state_before, state_after, flags, redacted_by, ..Place::default() }
}
