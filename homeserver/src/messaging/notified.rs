//! What a user was notified of, across their rooms, as far as the unread counts' own rows tell.
//!
//! Spec: <https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3notifications>.

use std::{
    collections::{BTreeMap, HashMap, hash_map::Entry},
    sync::Arc,
};

use ruma::OwnedRoomId;

use super::{Engine, Error, Pdu, Room, unread, unread::Reading, visibility};
use crate::{
    auth::Requester,
    storage::{
        Id, Position,
        threads::{self, Notified},
    },
};

/// Most entries of a page.
const PAGE_MAX: u64 = 200;

/// An event the user was notified of.
#[derive(Debug)]
pub struct Told {
    pub room: Arc<Room>,
    pub pdu: Arc<Pdu>,
    pub highlight: bool,
    pub read: bool,
}

/// A page, newest first.
#[derive(Debug)]
pub struct List {
    pub told: Vec<Told>,
    /// Before which position the next page goes on, if there is one.
    pub next: Option<Position>,
}

/// What the user was notified of before the position `from`: highlights, read or not, and with them, unless only highlights
/// are asked for, what is unread.
pub async fn list(
    engine: &Engine,
    requester: &Requester,
    (from, limit): (Option<Position>, u64),
    only_highlights: bool,
) -> Result<List, Error> {
    let limit = usize::try_from(limit.clamp(1, PAGE_MAX)).unwrap_or_default();
    let before = from.unwrap_or(Position::MAX);
    // One more than asked for tells whether there is a next page.
    let page = (before, i64::try_from(limit + 1).unwrap_or(i64::MAX));
    let (db, user) = (&engine.app().db, requester.user);
    let rooms = joined_rooms(engine, user).await?;
    let mut found: BTreeMap<Position, Notified> = BTreeMap::new();
    let highlights = threads::list_highlights_before(db, user, page.0, page.1).await?;
    found.extend(highlights.into_iter().map(|one| (one.position, one)));
    if !only_highlights {
        for room in &rooms {
            let enough = found.keys().rev().nth(limit).copied();
            // The rooms come newest first: nothing of those after this one is on the page.
            if enough.is_some_and(|oldest| room.seen().position < oldest) {
                break;
            }
            let unread = unread::notified_before(engine, room, user, page).await?;
            found.extend(unread.into_iter().map(|one| (one.position, one)));
        }
    }
    let has_next = found.len() > limit;
    let page: Vec<Notified> = found.into_values().rev().take(limit).collect();
    let next = page.last().filter(|_| has_next).map(|last| last.position);
    Ok(List { told: tell(engine, user, &rooms, page).await?, next })
}

/// The rooms a user is in, the most recently active first.
async fn joined_rooms(engine: &Engine, user: Id) -> Result<Vec<Arc<Room>>, Error> {
    let mut joined = Vec::new();
    for standing in engine.standings(user).await?.iter() {
        let Ok(room_id) = OwnedRoomId::try_from(standing.room_id.as_str()) else { continue };
        if standing.membership == "join"
            && let Some(room) = engine.find_room(&room_id).await?
        {
            joined.push(room);
        }
    }
    joined.sort_by_cached_key(|room| std::cmp::Reverse(room.seen().position));
    Ok(joined)
}

async fn tell(
    engine: &Engine,
    user: Id,
    rooms: &[Arc<Room>],
    page: Vec<Notified>,
) -> Result<Vec<Told>, Error> {
    let mut readings: HashMap<Id, Reading> = HashMap::new();
    let mut told = Vec::with_capacity(page.len());
    for Notified { event, room, highlight, .. } in page {
        let Some(room) = rooms.iter().find(|one| one.id == room) else { continue };
        let pdu = engine.pdu(room, event).await?;
        if !visibility::may_see(engine, room, user, &pdu).await? {
            continue;
        }
        let reading = match readings.entry(room.id) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(empty) => empty.insert(unread::reading(engine, room, user).await?),
        };
        let read = reading.has_read(&pdu);
        told.push(Told { room: room.clone(), pdu, highlight, read });
    }
    Ok(told)
}
