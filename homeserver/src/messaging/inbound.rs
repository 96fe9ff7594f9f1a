//! One event from another server: what it builds on is fetched from the server that sent it, then it is appended.
//!
//! Called by `reception` for a transaction's events, one after the other, and by joins of rooms that are here.

use std::{
    collections::{BTreeSet, HashSet},
    sync::Arc,
};

use futures_util::{StreamExt as _, stream};
use ruma::{
    CanonicalJsonObject, OwnedEventId, ServerName,
    api::federation::{
        authorization::get_event_authorization,
        event::{get_event, get_missing_events, get_room_state, get_room_state_ids},
    },
};

use super::{
    Engine, Error, Pdu, Room, funnel,
    funnel::{Verdict, Verified},
    import::{self, Missing, StateAnswer},
    receipts,
};
use crate::storage::events;

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
    match engine.find_pdu(room, &verified.pdu().event_id).await? {
        // What follows it came first, and the state there was told then: it goes where the gap is filled.
        Some(known) if import::is_missing(&known) => {
            fetch_auth(engine, room, origin, &verified).await?;
            // Whoever fills the gap just now gives it a place, which must not be taken away again.
            let _turn = room.backfilling.lock().await;
            return import::outliers(engine, room, vec![verified]).await;
        }
        Some(known) if known.place.state_before.is_some() => return Ok(()),
        _ => {}
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

/// As [`Engine::find_pdus`], those that are on their way into the database among them: for what is appended after them, and for nobody
/// who is told of events.
pub(super) async fn pdus_ahead(
    engine: &Engine,
    room: &Room,
    ids: &[OwnedEventId],
) -> Result<Vec<Arc<Pdu>>, Error> {
    let mut found: Vec<Arc<Pdu>> = {
        let in_flight = room.in_flight();
        in_flight.values().filter(|pdu| ids.contains(&pdu.event_id)).cloned().collect()
    };
    let is_found = |name: &&OwnedEventId| found.iter().any(|pdu| pdu.event_id == **name);
    let others: Vec<_> = ids.iter().filter(|name| !is_found(name)).cloned().collect();
    found.extend(engine.find_pdus(room, &others).await?);
    Ok(found)
}

/// The ids among `ids` that have no state here yet: unknown, or outliers.
async fn placeless(
    engine: &Engine,
    room: &Room,
    ids: &[OwnedEventId],
) -> Result<Vec<OwnedEventId>, Error> {
    let known = pdus_ahead(engine, room, ids).await?;
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
    let known = pdus_ahead(engine, room, ids).await?;
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
    let mut missing: Vec<Verified> = funnel::verify_all(app, events, &room.rules)
        .await?
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
    let verified = funnel::verify_all(app, chain, &room.rules).await?;
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

/// Where prev events are still missing, fetches them with the state before them, and stores both. Where one of them is not given, the
/// state before the event itself, which all of them make, stands in for what was there.
async fn fetch_state(
    engine: &Engine,
    room: &Arc<Room>,
    origin: &ServerName,
    event: &Verified,
) -> Result<(), Error> {
    let missing = placeless(engine, room, &event.pdu().prev_events).await?;
    let mut not_given = None;
    for prev in &missing {
        match fetch_prev(engine, room, origin, prev).await {
            Ok(()) => {}
            Err(Error::Storage(error)) => return Err(error.into()),
            Err(error) => {
                tracing::debug!(event.id = %prev, %error, "a prev event was not given");
                not_given = not_given.or(Some(prev));
            }
        }
    }
    let Some(name) = not_given else { return Ok(()) };
    let answer = state_before(engine, room, origin, &event.pdu().event_id).await?;
    let missing = Missing::Name { name, follower: event.pdu() };
    import::state_of_missing(engine, room, missing, answer).await
}

/// Fetches a missing prev event and the state before it.
async fn fetch_prev(
    engine: &Engine,
    room: &Arc<Room>,
    origin: &ServerName,
    prev: &OwnedEventId,
) -> Result<(), Error> {
    let answer = state_before(engine, room, origin, prev).await?;
    let known = engine.find_pdu(room, prev).await?.filter(|known| !import::is_missing(known));
    let pdu = match known {
        Some(outlier) => Pdu::clone(&outlier),
        None => fetch_event(engine, room, origin, prev).await?.into_pdu(),
    };
    import::state_of_missing(engine, room, Missing::Event(Box::new(pdu)), answer).await
}

/// The state before an event, as `origin` has it.
async fn state_before(
    engine: &Engine,
    room: &Room,
    origin: &ServerName,
    event_id: &OwnedEventId,
) -> Result<StateAnswer, Error> {
    match state_by_ids(engine, room, origin, event_id).await? {
        Some(answer) => Ok(answer),
        None => whole_state(engine, room, origin, event_id).await,
    }
}

/// The state before an event by its names, and of the events only those that are not here. `None` when the server gives no
/// names, or too much is missing to ask one by one.
pub(super) async fn state_by_ids(
    engine: &Engine,
    room: &Room,
    origin: &ServerName,
    event_id: &OwnedEventId,
) -> Result<Option<StateAnswer>, Error> {
    let app = engine.app();
    let request = get_room_state_ids::v1::Request::new(event_id.clone(), room.room_id.clone());
    let answer = match app.federation.send(origin, request).await {
        Ok(answer) => answer,
        Err(error) => {
            tracing::debug!(%origin, %error, "the names of a state were not given");
            return Ok(None);
        }
    };
    let mut names: BTreeSet<&OwnedEventId> =
        answer.pdu_ids.iter().chain(&answer.auth_chain_ids).collect();
    let known = names.iter().map(|name| name.as_str());
    let mut here = HashSet::new();
    for brief in events::list_brief_by_name(&app.db, known).await? {
        if brief.room == room.id && !brief.is_missing {
            here.insert(brief.event_id);
        }
    }
    names.retain(|name| !here.contains(name.as_str()));
    if names.len() > AUTH_FETCH_MAX {
        return Ok(None);
    }
    let fetched = stream::iter(names.into_iter().cloned()).map(|name| async move {
        let answer = app.federation.send(origin, get_event::v1::Request::new(name)).await;
        answer.inspect_err(|error| tracing::debug!(%error, "an event of a state was not given"))
    });
    let fetched: Vec<_> = fetched.buffer_unordered(FETCHES_AT_ONCE).collect().await;
    let events = fetched.into_iter().filter_map(|answer| Some(answer.ok()?.pdu)).collect();
    StateAnswer::named(answer.pdu_ids, events, room).await.map(Some)
}

/// The state before an event with all its events.
async fn whole_state(
    engine: &Engine,
    room: &Room,
    origin: &ServerName,
    event_id: &OwnedEventId,
) -> Result<StateAnswer, Error> {
    let request = get_room_state::v1::Request::new(event_id.clone(), room.room_id.clone());
    let federation = &engine.app().federation;
    let answer = federation.send_with(origin, request, import::WHOLE_ROOM).await;
    let answer = answer
        .map_err(|error| Error::Remote { server: origin.to_string(), reason: error.to_string() })?;
    let answer = import::Answer { state: answer.pdus, auth_chain: answer.auth_chain };
    StateAnswer::whole(answer, room).await
}
