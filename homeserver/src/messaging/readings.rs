//! What a user's unread counts in a room are made of, kept from one sync to the next.
//!
//! It is read from the database again when it changed there: see [`Topic::Reading`].

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use super::{Engine, Error, Room};
use crate::storage::{
    Id, Position, Topic,
    threads::{self, Exceptions, Marks, Unread},
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
    exceptions: Option<(i64, Exceptions)>,
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
    let db = &engine.app().db;
    let at = db.position();
    let marks = threads::find_marks(db, room.id, user).await?;
    room.readings.keep(user, Reading { at, marks, exceptions: None });
    Ok(marks)
}

/// What counts otherwise than the running totals say.
pub(super) async fn exceptions(
    engine: &Engine,
    room: &Room,
    unread: Unread,
) -> Result<Exceptions, Error> {
    let db = &engine.app().db;
    let after = unread.span.0;
    let reading = match unread.thread {
        None => kept(engine, room, unread.user),
        Some(_) => None,
    };
    if let Some(Reading { exceptions: Some((from, exceptions)), .. }) = reading
        && from == after
    {
        return Ok(exceptions);
    }
    let exceptions = threads::find_exceptions(db, unread).await?;
    // As long as the marks are right: whatever was added since would have changed them too.
    if let Some(reading) = reading {
        room.readings
            .keep(unread.user, Reading { exceptions: Some((after, exceptions)), ..reading });
    }
    Ok(exceptions)
}
