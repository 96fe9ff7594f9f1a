//! What a user's unread counts in a room are made of, kept from one sync to the next.
//!
//! It is read from the database again when it changed there: see [`Topic::Reading`].

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use super::{Engine, Error, Room};
use crate::storage::{
    Id, Position, Topic,
    threads::{self, Marks, Tally, Unread},
};

/// Users of a room that are kept before all are forgotten.
const USERS_MAX: usize = 2_000;

/// The users of a room.
#[derive(Debug, Default)]
pub(super) struct Readings(Mutex<HashMap<Id, Reading>>);

#[derive(Debug, Clone, Copy)]
struct Reading {
    /// It is right up to there.
    at: Position,
    marks: Marks,
    /// Of the main timeline after an order.
    tally: Option<(i64, Tally)>,
}

impl Readings {
    fn find(&self, user: Id) -> Option<Reading> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&user).copied()
    }

    fn keep(&self, user: Id, reading: Reading) {
        let mut users = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if users.len() >= USERS_MAX && !users.contains_key(&user) {
            users.clear();
        }
        users.insert(user, reading);
    }
}

fn kept(engine: &Engine, room: &Room, user: Id) -> Option<Reading> {
    let changes = engine.app().db.changes();
    let reading = room.readings.find(user)?;
    let changed = changes.any_since(Topic::Reading(room.id, user), reading.at)
        || changes.any_since(Topic::Redactions(room.id), reading.at);
    (!changed).then_some(reading)
}

/// How far the user has read the room.
pub(super) async fn marks(engine: &Engine, room: &Room, user: Id) -> Result<Marks, Error> {
    if let Some(reading) = kept(engine, room, user) {
        return Ok(reading.marks);
    }
    let read = read_marks(engine, &[room], user).await?;
    Ok(read.into_iter().next().unwrap_or_default())
}

/// Reads how far the user has read these rooms.
async fn read_marks(engine: &Engine, rooms: &[&Room], user: Id) -> Result<Vec<Marks>, Error> {
    let db = &engine.app().db;
    let at = db.position();
    let ids: Vec<Id> = rooms.iter().map(|room| room.id).collect();
    let found: HashMap<Id, Marks> =
        threads::list_marks(db, user, &ids).await?.into_iter().collect();
    let read = |room: &&Room| {
        let marks = found.get(&room.id).copied().unwrap_or_default();
        room.readings.keep(user, Reading { at, marks, tally: None });
        marks
    };
    Ok(rooms.iter().map(read).collect())
}

/// What a span of the main timeline is made of.
pub(super) async fn tally(engine: &Engine, room: &Room, span: Unread) -> Result<Tally, Error> {
    if let Some(Reading { tally: Some((after, tally)), .. }) = kept(engine, room, span.user)
        && after == span.span.0
    {
        return Ok(tally);
    }
    let read = read_tallies(engine, &[(room, span)]).await?;
    Ok(read.into_iter().next().unwrap_or_default())
}

async fn read_tallies(engine: &Engine, spans: &[(&Room, Unread)]) -> Result<Vec<Tally>, Error> {
    let before: Vec<Option<Reading>> =
        spans.iter().map(|(room, span)| kept(engine, room, span.user)).collect();
    let wanted: Vec<Unread> = spans.iter().map(|(_, span)| *span).collect();
    let tallies = threads::list_tallies(&engine.app().db, &wanted).await?;
    for (((room, span), reading), tally) in spans.iter().zip(before).zip(&tallies) {
        // As long as the marks are right: whatever was added since would have changed them too.
        if let Some(reading) = reading {
            let tally = Some((span.span.0, *tally));
            room.readings.keep(span.user, Reading { tally, ..reading });
        }
    }
    Ok(tallies)
}

/// Reads how far the user has read those of the rooms of which that is not here, together.
pub(super) async fn marks_ahead(
    engine: &Engine,
    rooms: &[Arc<Room>],
    user: Id,
) -> Result<(), Error> {
    let missing = rooms.iter().filter(|room| kept(engine, room, user).is_none());
    let missing: Vec<&Room> = missing.map(AsRef::as_ref).collect();
    read_marks(engine, &missing, user).await?;
    Ok(())
}

/// Reads what these spans of main timelines are made of, where that is not here, together.
pub(super) async fn tallies_ahead(engine: &Engine, spans: &[(&Room, Unread)]) -> Result<(), Error> {
    let is_missing = |(room, span): &&(&Room, Unread)| {
        let tally = kept(engine, room, span.user).and_then(|reading| reading.tally);
        tally.is_none_or(|(after, _)| after != span.span.0)
    };
    let missing: Vec<(&Room, Unread)> = spans.iter().filter(is_missing).copied().collect();
    read_tallies(engine, &missing).await?;
    Ok(())
}
