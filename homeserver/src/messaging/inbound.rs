//! One event from another server: what it builds on is fetched from the server that sent it, then it is appended.
//!
//! Called by `reception` for a transaction's events, one after the other, and by joins of rooms that are here.

use std::sync::Arc;

use futures_util::{StreamExt as _, stream};
use ruma::{
    CanonicalJsonObject, OwnedEventId, ServerName,
    api::federation::{
        authorization::get_event_authorization,
        event::{get_event, get_missing_events, get_room_state, get_room_state_ids},
    },
};

use super::{
    Engine, Error, Room, funnel,
    funnel::{Verdict, Verified},
    import::{self, Known, StateAnswer},
    receipts,
};
use crate::storage::{EventBatch, events};

/// Most events one gap is filled with before the state is asked for instead.
const MISSING_MAX: u32 = 50;
/// Most auth events fetched one by one for an event.
const AUTH_FETCH_MAX: usize = 100;
/// Events asked for at the same time.
const FETCHES_AT_ONCE: usize = 8;

/// Takes one event of a room that is here: fetches what it builds on from `origin`, and appends it.
pub(super) async fn take(
    engine: &Engine,
    room: &Arc<Room>,
    origin: &ServerName,
    object: CanonicalJsonObject,
) -> Result<(), Error> {
    let verified = funnel::verify(engine.app(), object, &room.rules).await?;
    let known = engine.find_pdu(room, &verified.pdu().event_id).await?;
    if known.is_some_and(|known| known.place.state_before.is_some()) {
        return Ok(());
    }
    fetch_missing(engine, room, origin, &verified).await?;
    append(engine, room, origin, verified).await
}

async fn append(
    engine: &Engine,
    room: &Arc<Room>,
    origin: &ServerName,
    verified: Verified,
) -> Result<(), Error> {
    // The state first: with it comes most of what authorises the event.
    fetch_state(engine, room, origin, &verified).await?;
    fetch_auth(engine, room, origin, &verified).await?;
    let event_id = verified.pdu().event_id.clone();
    match funnel::append(engine, room, verified, 0).await? {
        Verdict::Accepted => receipts::arrived(engine, room, &event_id).await?,
        Verdict::Rejected(reason) => tracing::info!(event.id = %event_id, reason, "rejected"),
        Verdict::SoftFailed(reason) => tracing::info!(event.id = %event_id, reason, "soft-failed"),
    }
    Ok(())
}

/// The ids among `ids` that have no state here yet: unknown, or outliers.
async fn placeless(
    engine: &Engine,
    room: &Room,
    ids: &[OwnedEventId],
) -> Result<Vec<OwnedEventId>, Error> {
    let known = engine.find_pdus(room, ids).await?;
    let placed = |id: &OwnedEventId| {
        known.iter().any(|pdu| pdu.event_id == *id && pdu.place.state_after.is_some())
    };
    Ok(ids.iter().filter(|id| !placed(id)).cloned().collect())
}

/// The ids among `ids` of which there is no event here, or only the name.
async fn unknown(
    engine: &Engine,
    room: &Room,
    ids: &[OwnedEventId],
) -> Result<Vec<OwnedEventId>, Error> {
    let known = engine.find_pdus(room, ids).await?;
    let is_here =
        |id: &OwnedEventId| known.iter().any(|pdu| pdu.event_id == *id && !import::is_missing(pdu));
    Ok(ids.iter().filter(|id| !is_here(id)).cloned().collect())
}

/// Asks the sender for what lies between its event and what we have, and appends that first, oldest first.
async fn fetch_missing(
    engine: &Engine,
    room: &Arc<Room>,
    origin: &ServerName,
    event: &Verified,
) -> Result<(), Error> {
    if placeless(engine, room, &event.pdu().prev_events).await?.is_empty() {
        return Ok(());
    }
    let app = engine.app();
    let earliest =
        room.head.lock().await.extremities.iter().map(|end| end.event_id.clone()).collect();
    let latest = vec![event.pdu().event_id.clone()];
    let mut request = get_missing_events::v1::Request::new(room.room_id.clone(), earliest, latest);
    request.limit = MISSING_MAX.into();
    let events = match app.federation.send(origin, request).await {
        Ok(answer) => answer.events,
        Err(error) => {
            tracing::debug!(%origin, %error, "missing events were not given");
            return Ok(());
        }
    };
    let objects = events.iter().filter_map(|raw| serde_json::from_str(raw.get()).ok()).collect();
    let mut missing: Vec<Verified> = funnel::verify_all(app, objects, &room.rules)
        .await
        .into_iter()
        .filter_map(Result::ok)
        .collect();
    missing.retain(|missing| {
        missing.pdu().room_id == room.room_id && missing.pdu().event_id != event.pdu().event_id
    });
    missing.sort_by_key(|missing| missing.pdu().depth);
    for missing in missing {
        let id = missing.pdu().event_id.clone();
        // One bad event of a gap must not cost the others.
        if let Err(error) = append(engine, room, origin, missing).await {
            if matches!(error, Error::Storage(_)) {
                return Err(error);
            }
            tracing::info!(event.id = %id, %error, "a missing event was dropped");
        }
    }
    Ok(())
}

/// Fetches auth events we do not have, and theirs, as outliers: all at once, then one by one what is still missing.
pub(super) async fn fetch_auth(
    engine: &Engine,
    room: &Arc<Room>,
    origin: &ServerName,
    event: &Verified,
) -> Result<(), Error> {
    let wanted = &event.pdu().auth_events;
    if unknown(engine, room, wanted).await?.is_empty() {
        return Ok(());
    }
    fetch_auth_chain(engine, room, origin, event).await?;
    let (mut fetched, mut open) = (Vec::new(), wanted.clone());
    while let Some(id) = open.pop() {
        let missing = unknown(engine, room, std::slice::from_ref(&id)).await?;
        if missing.is_empty() || fetched.iter().any(|event: &Verified| event.pdu().event_id == id) {
            continue;
        }
        if fetched.len() >= AUTH_FETCH_MAX {
            return Err(Error::BadEvent("too many auth events are missing".to_owned()));
        }
        let auth = fetch_event(engine, room, origin, &id).await?;
        open.extend(auth.pdu().auth_events.iter().cloned());
        fetched.push(auth);
    }
    if fetched.is_empty() {
        return Ok(());
    }
    import::outliers(engine, room, fetched).await
}

/// Stores what is new to us in the event's auth chain as the sender has it. That it gives none is no error.
async fn fetch_auth_chain(
    engine: &Engine,
    room: &Arc<Room>,
    origin: &ServerName,
    event: &Verified,
) -> Result<(), Error> {
    let app = engine.app();
    let request = get_event_authorization::v1::Request::new(
        room.room_id.clone(),
        event.pdu().event_id.clone(),
    );
    let chain = match app.federation.send(origin, request).await {
        Ok(answer) => answer.auth_chain,
        Err(error) => {
            tracing::debug!(%origin, %error, "an auth chain was not given");
            return Ok(());
        }
    };
    let objects = chain.iter().filter_map(|raw| serde_json::from_str(raw.get()).ok()).collect();
    let verified = funnel::verify_all(app, objects, &room.rules).await;
    let mut chain: Vec<Verified> = verified
        .into_iter()
        .filter_map(Result::ok)
        .filter(|auth| auth.pdu().room_id == room.room_id)
        .collect();
    let ids: Vec<_> = chain.iter().map(|auth| auth.pdu().event_id.clone()).collect();
    let unknown = unknown(engine, room, &ids).await?;
    chain.retain(|auth| unknown.contains(&auth.pdu().event_id));
    if chain.is_empty() { Ok(()) } else { import::outliers(engine, room, chain).await }
}

/// One event by its id.
async fn fetch_event(
    engine: &Engine,
    room: &Room,
    origin: &ServerName,
    id: &OwnedEventId,
) -> Result<Verified, Error> {
    let app = engine.app();
    let answer = app.federation.send(origin, get_event::v1::Request::new(id.clone())).await;
    let answer = answer
        .map_err(|error| Error::Remote { server: origin.to_string(), reason: error.to_string() })?;
    let object = serde_json::from_str(answer.pdu.get()).map_err(Error::bad_event)?;
    let verified = funnel::verify(app, object, &room.rules).await?;
    if verified.pdu().event_id != *id || verified.pdu().room_id != room.room_id {
        return Err(Error::BadEvent("the other server answered with another event".to_owned()));
    }
    Ok(verified)
}

/// Where prev events are still missing, asks for the state before the event and stores it under them.
async fn fetch_state(
    engine: &Engine,
    room: &Arc<Room>,
    origin: &ServerName,
    event: &Verified,
) -> Result<(), Error> {
    let missing = placeless(engine, room, &event.pdu().prev_events).await?;
    let Some(prev) = missing.first() else { return Ok(()) };
    let answer = match state_by_ids(engine, room, origin, event).await? {
        Some(answer) => answer,
        None => whole_state(engine, room, origin, event).await?,
    };
    import::state_before(engine, room, event.pdu(), prev, answer).await
}

/// The state before an event by its names, and of the events only those that are not here. `None` when the server gives no
/// names, or too much is missing to ask one by one.
async fn state_by_ids(
    engine: &Engine,
    room: &Room,
    origin: &ServerName,
    event: &Verified,
) -> Result<Option<StateAnswer>, Error> {
    let app = engine.app();
    let event_id = event.pdu().event_id.clone();
    let request = get_room_state_ids::v1::Request::new(event_id, room.room_id.clone());
    let answer = match app.federation.send(origin, request).await {
        Ok(answer) => answer,
        Err(error) => {
            tracing::debug!(%origin, %error, "the names of a state were not given");
            return Ok(None);
        }
    };
    let mut names: Vec<_> = answer.pdu_ids.iter().chain(&answer.auth_chain_ids).cloned().collect();
    names.sort_unstable();
    names.dedup();
    let mut known = Known::new();
    for pdu in engine.find_pdus(room, &names).await? {
        if import::is_missing(&pdu) {
            continue;
        }
        names.retain(|name| *name != pdu.event_id);
        if pdu.place.flags & events::REJECTED == 0 {
            known.insert(pdu.event_id.clone(), pdu);
        }
    }
    if names.len() > AUTH_FETCH_MAX {
        return Ok(None);
    }
    let fetched = stream::iter(names).map(|name| async move {
        let answer = app.federation.send(origin, get_event::v1::Request::new(name)).await;
        answer.inspect_err(|error| tracing::debug!(%error, "an event of a state was not given"))
    });
    let fetched: Vec<_> = fetched.buffer_unordered(FETCHES_AT_ONCE).collect().await;
    let events = fetched.into_iter().filter_map(|answer| Some(answer.ok()?.pdu)).collect();
    Ok(Some(StateAnswer { state: answer.pdu_ids, events, known }))
}

/// The state before an event with all its events.
async fn whole_state(
    engine: &Engine,
    room: &Room,
    origin: &ServerName,
    event: &Verified,
) -> Result<StateAnswer, Error> {
    let request =
        get_room_state::v1::Request::new(event.pdu().event_id.clone(), room.room_id.clone());
    let answer = engine.app().federation.send(origin, request).await;
    let answer = answer
        .map_err(|error| Error::Remote { server: origin.to_string(), reason: error.to_string() })?;
    let answer = import::Answer { state: answer.pdus, auth_chain: answer.auth_chain };
    Ok(StateAnswer::whole(answer, &room.rules))
}

/// Appends rows of events without a place.
pub(super) async fn store_outliers(
    engine: &Engine,
    room: &Room,
    events: Vec<crate::storage::NewEvent>,
) -> Result<(), Error> {
    let batch = EventBatch { room: room.id, events, ..EventBatch::default() };
    engine.append_aside(batch).await
}
