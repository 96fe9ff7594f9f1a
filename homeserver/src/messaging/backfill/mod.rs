//! History that is missing here: asked from servers in the room when somebody scrolls up to the gap.

use std::{collections::BTreeMap, sync::Arc};

use ruma::{OwnedEventId, OwnedServerName, ServerName, api::federation::backfill::get_backfill};

use super::{
    Engine, Error, Pdu, Room, build, funnel, import, inbound, pdu::Place, receipts, threads,
};
use crate::storage::{EventBatch, events, gaps};

/// Most events asked for at once.
const BACKFILL_MAX: u64 = 100;
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
        let pdus = authorise(engine, room, &server, fetched).await?;
        if pdus.is_empty() {
            continue;
        }
        store(engine, room, gaps, pdus).await?;
        return Ok(true);
    }
    Ok(false)
}

/// Judges fetched events by their own auth events, which may be among them, here, or at `server`. Gives them newest first,
/// those that break the rules marked as rejected; left out are those whose auth events nobody gave.
async fn authorise(
    engine: &Engine,
    room: &Arc<Room>,
    server: &ServerName,
    mut fetched: Vec<funnel::Verified>,
) -> Result<Vec<Pdu>, Error> {
    let create = engine.state_event(room, "m.room.create", "").await?;
    fetched.sort_by_key(|event| event.pdu().depth);
    let mut judged: BTreeMap<OwnedEventId, Arc<Pdu>> = BTreeMap::new();
    for event in fetched {
        let ids = &event.pdu().auth_events;
        let elsewhere: Vec<_> =
            ids.iter().filter(|id| !judged.contains_key(*id)).cloned().collect();
        let mut auth = here(engine, room, &elsewhere).await?;
        if auth.len() < elsewhere.len() {
            if let Err(error) = inbound::fetch_auth(engine, room, server, &event).await {
                tracing::info!(event.id = %event.pdu().event_id, %error, "nobody gave what authorises an event");
            }
            auth = here(engine, room, &elsewhere).await?;
            if auth.len() < elsewhere.len() {
                continue;
            }
        }
        auth.extend(ids.iter().filter_map(|id| judged.get(id).cloned()));
        auth.extend(create.clone());
        let mut pdu = event.into_pdu();
        if let Err(reason) = funnel::check_auth(room, &pdu, &auth) {
            tracing::info!(event.id = %pdu.event_id, reason, "an event of the history is rejected");
            pdu.place.flags |= events::REJECTED;
        }
        judged.insert(pdu.event_id.clone(), Arc::new(pdu));
    }
    let mut pdus: Vec<Pdu> = judged.into_values().map(Arc::unwrap_or_clone).collect();
    pdus.sort_by_key(|pdu| std::cmp::Reverse(pdu.depth));
    Ok(pdus)
}

/// The events of these names that are here themselves.
async fn here(engine: &Engine, room: &Room, ids: &[OwnedEventId]) -> Result<Vec<Arc<Pdu>>, Error> {
    let mut found = engine.find_pdus(room, ids).await?;
    found.retain(|pdu| !import::is_missing(pdu));
    Ok(found)
}

/// Stores fetched events right below the gap, newest first, with the state that the room had at the gap: what they change
/// themselves is the past's, so only who may see them hangs on it. Rejected ones get no place in the timeline.
async fn store(
    engine: &Engine,
    room: &Arc<Room>,
    gaps: &[gaps::Gap],
    pdus: Vec<Pdu>,
) -> Result<(), Error> {
    let app = engine.app();
    let Some(above) = gaps.iter().map(|gap| gap.timeline_order).min() else { return Ok(()) };
    let below = gaps::find_order_below(&app.db, room.id, above).await?;
    let mut order = above;
    let state = state_at_gap(engine, room, above).await?;
    let known = engine
        .find_pdus(room, &pdus.iter().map(|pdu| pdu.event_id.clone()).collect::<Vec<_>>())
        .await?;
    let mut batch = EventBatch { room: room.id, ..EventBatch::default() };
    // The running total does not rise over what is fetched later.
    let under = events::list_timeline_before(&app.db, room.id, above, 1).await?;
    let countable = under.first().map_or(0, |event| event.countable);
    let mut head = room.head.lock().await;
    let mut names: std::collections::BTreeSet<_> =
        known.iter().map(|pdu| pdu.event_id.clone()).collect();
    let mut wanted = Vec::new();
    for mut pdu in pdus {
        let outlier = known.iter().find(|known| known.event_id == pdu.event_id);
        if outlier.is_some_and(|known| known.place.order.is_some()) {
            continue;
        }
        // What was rejected once stays so.
        let flags = outlier.map_or(0, |known| known.place.flags) | pdu.place.flags;
        let rejected = flags & events::REJECTED != 0;
        if !rejected && below == Some(order - 1) {
            break;
        }
        order -= i64::from(!rejected);
        pdu.id = outlier.map_or_else(|| app.db.new_id(), |outlier| outlier.id);
        pdu.sender_id = app.db.user(pdu.sender.as_str()).await?;
        pdu.place = if rejected {
            Place { flags: events::REJECTED, ..Place::default() }
        } else {
            Place {
                order: Some(order),
                state_before: state,
                state_after: state,
                flags: events::HISTORY,
                countable,
                ..Place::default()
            }
        };
        if !rejected {
            batch.threads.extend(threads::place_history(engine, room, &mut head, &mut pdu).await?);
            batch.relations.extend(build::relation(&pdu));
        }
        let slot = match &pdu.state_key {
            Some(state_key) => {
                Some(app.db.state_key(&pdu.event_type.to_string(), state_key).await?)
            }
            None => None,
        };
        names.insert(pdu.event_id.clone());
        wanted.extend(pdu.prev_events.iter().map(|prev| (prev.to_string(), order)));
        batch.events.push(build::row(&pdu, slot));
    }
    batch.filled_gaps = gaps.iter().map(|gap| gap.event_id.clone()).collect();
    batch.gaps = wanted
        .into_iter()
        .filter(|(prev, _)| !names.iter().any(|name| name == prev.as_str()))
        .collect();
    engine.append_aside(batch).await?;
    drop(head);
    for name in names {
        receipts::arrived(engine, room, &name).await?;
    }
    Ok(())
}

async fn state_at_gap(
    engine: &Engine,
    room: &Room,
    above: i64,
) -> Result<Option<crate::storage::Id>, Error> {
    let next =
        events::list_timeline_after(&engine.app().db, room.id, above.saturating_sub(1), 1).await?;
    Ok(next.first().and_then(|event| event.state_before))
}
