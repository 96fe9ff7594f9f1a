//! Unread counts, derived: what counted since the user's receipts, less what their push rules took away.
//!
//! Nothing is written for them when an event is sent. The main timeline is one part of a room and each thread another; each has a
//! running total. Called by `notification`. Spec: <https://spec.matrix.org/v1.19/client-server-api/#receiving-notifications>.

use ruma::OwnedEventId;

use super::{Engine, Error, Pdu, Room, readings};
use crate::storage::{
    Id, Position, events,
    threads::{self, ActiveThread, Notified},
};

/// How much is unread.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Unread {
    pub notifications: u64,
    pub highlights: u64,
}

impl std::ops::AddAssign for Unread {
    fn add_assign(&mut self, other: Self) {
        self.notifications += other.notifications;
        self.highlights += other.highlights;
    }
}

/// A room's counts for one user.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counts {
    pub main: Unread,
    /// Threads with anything unread, by their roots.
    pub threads: Vec<(OwnedEventId, Unread)>,
}

impl Counts {
    /// Of the whole room, for who does not tell threads apart.
    pub fn whole(&self) -> Unread {
        let mut whole = self.main;
        for (_, thread) in &self.threads {
            whole += *thread;
        }
        whole
    }
}

/// A part of a room that has events its reader has not read.
struct Part {
    unread: threads::Unread,
    /// How many events of it count.
    counted: i64,
    root: Option<String>,
}

/// The user's counts of today.
pub async fn counts(engine: &Engine, room: &Room, user: Id) -> Result<Counts, Error> {
    let mut counts = Counts::default();
    for part in parts(engine, room, user).await? {
        let unread = of_part(engine, room, &part).await?;
        match part.root {
            None => counts.main = unread,
            Some(root) if unread != Unread::default() => {
                counts.threads.extend(root.try_into().ok().map(|root| (root, unread)));
            }
            Some(_) => {}
        }
    }
    Ok(counts)
}

/// The events of a room that notified the user and that they have not read, before a position, newest first, at most `limit`.
pub async fn notified_before(
    engine: &Engine,
    room: &Room,
    user: Id,
    (before, limit): (Position, i64),
) -> Result<Vec<Notified>, Error> {
    let mut notified = Vec::new();
    for part in parts(engine, room, user).await? {
        let found = threads::list_notified_before(&engine.app().db, part.unread, before, limit);
        notified.extend(found.await?);
    }
    notified.sort_by_key(|one| std::cmp::Reverse(one.position));
    notified.truncate(usize::try_from(limit).unwrap_or_default());
    Ok(notified)
}

/// How far a user has read a room.
#[derive(Debug, Default)]
pub struct Reading {
    /// Beyond these orders, by thread, there is something unread; parts that are not named are read.
    unread: Vec<(Option<Id>, i64)>,
}

impl Reading {
    /// Whether the user has read this event of the room.
    pub fn has_read(&self, pdu: &Pdu) -> bool {
        let part = self.unread.iter().find(|(thread, _)| *thread == pdu.place.thread);
        part.is_none_or(|(_, read)| pdu.place.order <= Some(*read))
    }
}

/// How far the user has read the room.
pub async fn reading(engine: &Engine, room: &Room, user: Id) -> Result<Reading, Error> {
    let parts = parts(engine, room, user).await?;
    let unread = parts.iter().map(|part| (part.unread.thread, part.unread.span.0)).collect();
    Ok(Reading { unread })
}

async fn of_part(engine: &Engine, room: &Room, part: &Part) -> Result<Unread, Error> {
    let exceptions = readings::exceptions(engine, room, part.unread).await?;
    let notifications = part.counted + exceptions.delta - exceptions.taken_back;
    let count = |number: i64| u64::try_from(number).unwrap_or_default();
    Ok(Unread { notifications: count(notifications), highlights: count(exceptions.highlights) })
}

/// The parts of a room that the user has not read to their end: the main timeline first, then threads. A part is read up to the
/// furthest of: a receipt of no thread, one of its own, the user's last event in it, and where the user came in.
async fn parts(engine: &Engine, room: &Room, user: Id) -> Result<Vec<Part>, Error> {
    let (counted, last_order, last_thread_order, member_event) = {
        let seen = room.seen();
        let Some(member) = seen.members.get(&user).filter(|_| seen.is_joined(user)) else {
            return Ok(Vec::new());
        };
        (seen.countable, seen.last_order, seen.last_thread_order, member.event)
    };
    let marks = readings::marks(engine, room, user).await?;
    let joined = match marks.joined {
        Some(order) => order,
        None => engine.pdu(room, member_event).await?.place.order.unwrap_or(-1),
    };
    let read = joined.max(marks.unthreaded.unwrap_or(-1));
    let mut parts = Vec::new();
    let main = read.max(marks.main.unwrap_or(-1)).max(marks.own.unwrap_or(-1));
    if main < last_order {
        let counted = counted - countable_at(engine, room, main).await?;
        let unread =
            threads::Unread { room: room.id, user, thread: None, span: (main, last_order) };
        parts.push(Part { unread, counted, root: None });
    }
    if last_thread_order > Some(read.max(room.threads_read_to(user))) {
        parts.extend(unread_threads(engine, room, user, (read, last_order)).await?);
    }
    Ok(parts)
}

/// The threads that the user has not read to their end, and a note of how far they have read all.
async fn unread_threads(
    engine: &Engine,
    room: &Room,
    user: Id,
    (read, last_order): (i64, i64),
) -> Result<Vec<Part>, Error> {
    let db = &engine.app().db;
    let after = read.max(room.threads_read_to(user));
    let active = threads::list_unread_threads(db, room.id, user, after).await?;
    let read_to = active.first().map_or(last_order, |one| one.thread.last_order - 1);
    room.set_threads_read_to(user, read_to.min(last_order));
    let mut parts = Vec::with_capacity(active.len());
    for ActiveThread { thread, root, receipt, own } in active {
        let read = read.max(receipt.unwrap_or(-1)).max(own.unwrap_or(-1));
        let counted = thread.countable - threads::find_countable_at(db, thread.id, read).await?;
        let span = (read, thread.last_order);
        let unread = threads::Unread { room: room.id, user, thread: Some(thread.id), span };
        parts.push(Part { unread, counted, root: Some(root) });
    }
    Ok(parts)
}

/// The main timeline's running total at `order`.
async fn countable_at(engine: &Engine, room: &Room, order: i64) -> Result<i64, Error> {
    {
        let seen = room.seen();
        let at = seen.recent.iter().rev().find(|pdu| pdu.place.order <= Some(order));
        if let Some(pdu) = at {
            return Ok(pdu.place.countable);
        }
    }
    let before =
        events::list_timeline_before(&engine.app().db, room.id, order.saturating_add(1), 1).await?;
    Ok(before.first().map_or(0, |event| event.countable))
}
