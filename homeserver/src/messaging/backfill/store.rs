//! Fetched events into their places below a gap, in one commit.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use ruma::OwnedEventId;

use super::{
    super::{Engine, Error, Pdu, Room, build, pdu::Place, receipts, redact, threads},
    Gap, Past,
};
use crate::{
    messaging::state::Lineage,
    storage::{EventBatch, Id, NewEvent, NewSnapshot, events, gaps},
};

/// Stores fetched events right below the gap, newest first. Where nobody told the state that one stood on, only who may see it hangs on
/// that: it gets the one that the room had at the gap. Rejected and soft-failed ones get no place in the timeline, nor do those that are
/// passed over. What of the history is still missing is missing below the lowest of them.
pub(super) async fn store(
    engine: &Engine,
    room: &Arc<Room>,
    gap: &Gap,
    past: Vec<Past>,
    (snapshots, passed): (Vec<NewSnapshot>, Vec<(OwnedEventId, Vec<OwnedEventId>)>),
) -> Result<(), Error> {
    let app = engine.app();
    let below = gaps::find_order_below(&app.db, room.id, gap.order).await?;
    // The running total does not rise over what is fetched later.
    let under = events::list_timeline_before(&app.db, room.id, gap.order, 1).await?;
    let countable = under.first().map_or(0, |event| event.countable);
    let mut batch = EventBatch { room: room.id, ..EventBatch::default() };
    let mut head = room.head.lock().await;
    let now = as_they_are_now(engine, room, &past).await?;
    let (mut order, mut is_full) = (gap.order, false);
    let (mut placed, mut done) = (Vec::new(), BTreeSet::new());
    let mut wanted: BTreeSet<OwnedEventId> = BTreeSet::new();
    for Past { mut pdu, around } in past {
        let flags = match now.get(&pdu.event_id) {
            Some(Now::Placed) => {
                done.insert(pdu.event_id.clone());
                continue;
            }
            Some(Now::Flags(flags)) => *flags,
            None => 0,
        };
        let is_out = (flags | pdu.place.flags) & (events::REJECTED | events::SOFT_FAILED) != 0;
        is_full |= !is_out && below == Some(order - 1);
        if is_full {
            break;
        }
        done.insert(pdu.event_id.clone());
        wanted.extend(pdu.prev_events.iter().cloned());
        // Those have their rows, and no place.
        if is_out {
            continue;
        }
        order -= 1;
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
    let arrived = done.clone();
    for (name, prevs) in passed {
        done.insert(name);
        wanted.extend(prevs);
    }
    let names = || gap.gaps.iter().map(|gap| gap.event_id.clone());
    batch.filled_gaps = names().collect();
    // Where there is no room left nothing will ever fit.
    if !is_full {
        let missing = wanted.iter().map(ToString::to_string).chain(names());
        let is_done = |name: &String| done.iter().any(|done| done.as_str() == name.as_str());
        batch.gaps = missing.filter(|name| !is_done(name)).map(|name| (name, order)).collect();
    }
    batch.snapshots = referred_to(&batch.events, snapshots);
    let pruned = redact::of_history(engine, room, &placed, &mut batch).await?;
    engine.append_aside(batch).await?;
    drop(head);
    engine.show_pruned(room, pruned);
    for name in arrived {
        receipts::arrived(engine, room, &name).await?;
    }
    Ok(())
}

/// What became of an event since it was fetched.
enum Now {
    Placed,
    Flags(i64),
}

/// The events as they stand, in the room's turn: what came meanwhile has its place, or is on its way to it.
async fn as_they_are_now(
    engine: &Engine,
    room: &Room,
    past: &[Past],
) -> Result<BTreeMap<OwnedEventId, Now>, Error> {
    let names: Vec<OwnedEventId> = past.iter().map(|past| past.pdu.event_id.clone()).collect();
    let found = engine.find_pdus(room, &names).await?;
    let mut now: BTreeMap<OwnedEventId, Now> = found
        .iter()
        .map(|pdu| {
            let is_placed = pdu.place.order.is_some();
            let now = if is_placed { Now::Placed } else { Now::Flags(pdu.place.flags) };
            (pdu.event_id.clone(), now)
        })
        .collect();
    let in_flight = room.in_flight();
    let placed = in_flight.values().filter(|pdu| pdu.place.order.is_some());
    now.extend(placed.map(|pdu| (pdu.event_id.clone(), Now::Placed)));
    Ok(now)
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
