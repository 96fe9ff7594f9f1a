//! What a server gives of the history below a gap, judged by what authorises it and kept without a place.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use ruma::{OwnedEventId, ServerName, api::federation::backfill::get_backfill};

use super::{
    super::{Engine, Error, Pdu, Room, funnel, import, inbound},
    BACKFILL_MAX,
};

/// What a gap leads to.
pub(super) struct Found {
    /// Events that are here now, newest first; those that break the rules are marked as rejected.
    pub pdus: Vec<Pdu>,
    /// Events that are not believed, or that nobody gave what authorises, with those that they follow: the history goes on below them.
    pub passed: Vec<(OwnedEventId, Vec<OwnedEventId>)>,
}

/// Asks a server for what it has of missing events and before them. `None`: it has nothing.
pub(super) async fn fetch(
    engine: &Engine,
    room: &Arc<Room>,
    server: &ServerName,
    (missing, limit): (&[OwnedEventId], u64),
) -> Result<Option<Found>, Error> {
    let app = engine.app();
    let request = get_backfill::v1::Request::new(
        room.room_id.clone(),
        missing.to_vec(),
        limit.clamp(20, BACKFILL_MAX).try_into().unwrap_or_default(),
    );
    let given = match app.federation.send(server, request).await {
        Ok(answer) => answer.pdus,
        Err(error) => {
            tracing::debug!(%server, %error, "backfill refused");
            return Ok(None);
        }
    };
    let named: Vec<funnel::Named> =
        funnel::name_all(given, &room.rules).await?.into_iter().flatten().collect();
    let follows: HashMap<OwnedEventId, Vec<OwnedEventId>> =
        named.iter().map(|event| (event.event_id.clone(), event.prev_events())).collect();
    let mut names = reachable(engine, room, missing, &follows).await?;
    if names.is_empty() {
        return Ok(None);
    }
    let believed = funnel::verify_named(app, named, &room.rules).await?;
    let mut fetched: Vec<funnel::Verified> = believed.into_iter().filter_map(Result::ok).collect();
    fetched.retain(|event| {
        event.pdu().room_id == room.room_id && names.contains_key(&event.pdu().event_id)
    });
    keep(engine, room, server, fetched).await?;
    let all: Vec<OwnedEventId> = names.keys().cloned().collect();
    let kept = here(engine, room, &all).await?;
    let mut pdus: Vec<Pdu> = kept.iter().map(|pdu| Pdu::clone(pdu)).collect();
    pdus.sort_by_key(|pdu| std::cmp::Reverse(pdu.depth));
    names.retain(|name, _| !pdus.iter().any(|pdu| pdu.event_id == *name));
    Ok(Some(Found { pdus, passed: names.into_iter().collect() }))
}

/// The events that missing ones lead to, with what they follow: nothing else has a place in the gap. An event's name is the hash of what
/// it follows too, so this needs no signature. Where an event is placed it ends.
async fn reachable(
    engine: &Engine,
    room: &Room,
    missing: &[OwnedEventId],
    follows: &HashMap<OwnedEventId, Vec<OwnedEventId>>,
) -> Result<BTreeMap<OwnedEventId, Vec<OwnedEventId>>, Error> {
    let mut found: BTreeMap<OwnedEventId, Vec<OwnedEventId>> = BTreeMap::new();
    let mut open = missing.to_vec();
    while !open.is_empty() && found.len() < 2 * usize::try_from(BACKFILL_MAX).unwrap_or_default() {
        open.retain(|name| !found.contains_key(name));
        open.sort_unstable();
        open.dedup();
        let here = here(engine, room, &open).await?;
        let mut next = Vec::new();
        for name in open {
            let is_here = here.iter().find(|pdu| pdu.event_id == name);
            let prevs = match (is_here, follows.get(&name)) {
                (Some(pdu), _) if pdu.place.order.is_some() => Vec::new(),
                (Some(pdu), _) => pdu.prev_events.clone(),
                (None, Some(prevs)) => prevs.clone(),
                (None, None) => continue,
            };
            next.extend(prevs.iter().cloned());
            found.insert(name, prevs);
        }
        open = next;
    }
    Ok(found)
}

/// Stores events without a place, judged by their own auth events, which may be among them, here, or at `server`. Left out are those whose
/// auth events nobody gave.
async fn keep(
    engine: &Engine,
    room: &Arc<Room>,
    server: &ServerName,
    mut fetched: Vec<funnel::Verified>,
) -> Result<(), Error> {
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
    Ok(())
}

/// The events of these names that are here themselves.
async fn here(engine: &Engine, room: &Room, ids: &[OwnedEventId]) -> Result<Vec<Arc<Pdu>>, Error> {
    let mut found = engine.find_pdus(room, ids).await?;
    found.retain(|pdu| !import::is_missing(pdu));
    Ok(found)
}
