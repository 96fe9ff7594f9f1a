//! Unread counts, derived: what counted since the user's receipts, less what their push rules took away.
//!
//! Nothing is written for them when an event is sent. The main timeline is one part of a room and each thread another; each has a
//! running total. Called by `notification`. Spec: <https://spec.matrix.org/v1.19/client-server-api/#receiving-notifications>.

use std::sync::Arc;

use ruma::{OwnedEventId, RoomId};

use super::{Engine, Error, Pdu, Room, readings};
use crate::storage::{
    Id, Position,
    threads::{self, ActiveThread, Notified, Tally},
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
    /// The running total at its end.
    total: i64,
    root: Option<String>,
}

/// The user's counts of today.
pub async fn counts(engine: &Engine, room: &Room, user: Id) -> Result<Counts, Error> {
    let mut counts = Counts::default();
    let parts = parts(engine, room, user).await?;
    let (main, threads): (Vec<_>, Vec<_>) = parts.into_iter().partition(|it| it.root.is_none());
    if let Some(part) = main.first() {
        counts.main = unread(part, &readings::tally(engine, room, part.unread).await?);
    }
    let spans: Vec<threads::Unread> = threads.iter().map(|part| part.unread).collect();
    let tallies = threads::list_tallies(&engine.app().db, &spans).await?;
    for (part, tally) in threads.into_iter().zip(tallies) {
        let unread = unread(&part, &tally);
        let root = part.root.and_then(|root| root.try_into().ok());
        counts.threads.extend(root.filter(|_| unread != Unread::default()).map(|it| (it, unread)));
    }
    Ok(counts)
}

/// Reads what the user's counts in these rooms are made of, in the statements of one: they are about to be told.
pub async fn ahead<'r>(
    engine: &Engine,
    room_ids: impl Iterator<Item = &'r RoomId>,
    user: Id,
) -> Result<(), Error> {
    let rooms: Vec<Arc<Room>> = room_ids.filter_map(|room_id| engine.loaded(room_id)).collect();
    readings::marks_ahead(engine, &rooms, user).await?;
    let mut spans = Vec::with_capacity(rooms.len());
    for room in &rooms {
        let reach = reach(engine, room, user).await?;
        let part = reach.and_then(|reach| reach.main(room, user));
        spans.extend(part.map(|part| (room.as_ref(), part.unread)));
    }
    readings::tallies_ahead(engine, &spans).await
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

fn unread(part: &Part, tally: &Tally) -> Unread {
    let notifications = part.total - tally.before + tally.delta - tally.taken_back;
    let count = |number: i64| u64::try_from(number).unwrap_or_default();
    Unread { notifications: count(notifications), highlights: count(tally.highlights) }
}

/// How far somebody has read a room that they are in, as orders, and how far it goes.
struct Reach {
    /// In every part of it.
    all: i64,
    main: i64,
    last_order: i64,
    last_thread_order: Option<i64>,
    /// The main timeline's running total.
    countable: i64,
}

impl Reach {
    /// The main timeline, if it is not read to its end.
    fn main(&self, room: &Room, user: Id) -> Option<Part> {
        let span = (self.main, self.last_order);
        let unread = threads::Unread { room: room.id, user, thread: None, span };
        (self.main < self.last_order).then_some(Part { unread, total: self.countable, root: None })
    }
}

/// A part is read up to the furthest of: a receipt of no thread, one of its own, the user's last event in it, and where the user came in.
/// `None`: the user is not in the room.
async fn reach(engine: &Engine, room: &Room, user: Id) -> Result<Option<Reach>, Error> {
    let (countable, last_order, last_thread_order, member_event) = {
        let seen = room.seen();
        let Some(member) = seen.members.get(&user).filter(|_| seen.is_joined(user)) else {
            return Ok(None);
        };
        (seen.countable, seen.last_order, seen.last_thread_order, member.event)
    };
    let marks = readings::marks(engine, room, user).await?;
    let joined = match marks.joined {
        Some(order) => order,
        None => engine.pdu(room, member_event).await?.place.order.unwrap_or(-1),
    };
    let all = joined.max(marks.unthreaded.unwrap_or(-1));
    let main = all.max(marks.main.unwrap_or(-1)).max(marks.own.unwrap_or(-1));
    Ok(Some(Reach { all, main, last_order, last_thread_order, countable }))
}

/// The parts of a room that the user has not read to their end: the main timeline first, then threads.
async fn parts(engine: &Engine, room: &Room, user: Id) -> Result<Vec<Part>, Error> {
    let Some(reach) = reach(engine, room, user).await? else { return Ok(Vec::new()) };
    let mut parts: Vec<Part> = reach.main(room, user).into_iter().collect();
    if reach.last_thread_order > Some(reach.all.max(room.threads_read_to(user))) {
        parts.extend(unread_threads(engine, room, user, (reach.all, reach.last_order)).await?);
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
        let span = (read, thread.last_order);
        let unread = threads::Unread { room: room.id, user, thread: Some(thread.id), span };
        parts.push(Part { unread, total: thread.countable, root: Some(root) });
    }
    Ok(parts)
}
