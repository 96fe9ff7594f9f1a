//! Threads, and what unread counts are derived from, the main timeline being one part of a room and each thread another.

use super::{Database, Error, Id, Position, Row, query_all, query_one, values};

/// A thread's row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StoredThread {
    pub id: Id,
    /// Its running total of countable events.
    pub countable: i64,
    pub last_order: i64,
}

/// The thread below an event.
pub async fn find_thread(
    db: &Database,
    room: Id,
    root: &str,
) -> Result<Option<StoredThread>, Error> {
    const FIND: &str =
        "SELECT id, countable, last_order FROM threads WHERE room = $1 AND root = $2";
    let Some(row) = query_one(db.read(), FIND, values![room, root]).await? else { return Ok(None) };
    Ok(Some(StoredThread { id: row.get(0)?, countable: row.get(1)?, last_order: row.get(2)? }))
}

/// The thread with this id, and its root.
pub async fn find_thread_by_id(
    db: &Database,
    id: Id,
) -> Result<Option<(String, StoredThread)>, Error> {
    const FIND: &str = "SELECT id, countable, last_order, root FROM threads WHERE id = $1";
    let Some(row) = query_one(db.read(), FIND, values![id]).await? else { return Ok(None) };
    Ok(Some((row.get(3)?, thread(&row)?)))
}

/// How far a user has read a room, as orders.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Marks {
    /// By receipts of no thread, public or private.
    pub unthreaded: Option<i64>,
    /// By receipts of the main timeline.
    pub main: Option<i64>,
    /// The last event the user sent into the main timeline.
    pub own: Option<i64>,
    /// Where the user's present stay in the room began, if an event says it.
    pub joined: Option<i64>,
}

/// A user's [`Marks`] in a room.
pub async fn find_marks(db: &Database, room: Id, user: Id) -> Result<Marks, Error> {
    const FIND: &str = "SELECT \
         (SELECT MAX(timeline_order) FROM receipts WHERE room = $1 AND user_id = $2 \
          AND kind IN ('m.read', 'm.read.private') AND thread = ''), \
         (SELECT MAX(timeline_order) FROM receipts WHERE room = $1 AND user_id = $2 \
          AND kind IN ('m.read', 'm.read.private') AND thread = 'main'), \
         (SELECT timeline_order FROM events WHERE room = $1 AND sender = $2 AND thread IS NULL \
          AND timeline_order IS NOT NULL AND state_key IS NULL AND (flags & 4) <> 0 \
          ORDER BY timeline_order DESC LIMIT 1), \
         (SELECT e.timeline_order FROM memberships m JOIN events e ON e.position = m.since AND e.room = m.room \
          WHERE m.user_id = $2 AND m.room = $1)";
    let Some(row) = query_one(db.read(), FIND, values![room, user]).await? else {
        return Ok(Marks::default());
    };
    Ok(Marks { unthreaded: row.get(0)?, main: row.get(1)?, own: row.get(2)?, joined: row.get(3)? })
}

/// A thread that went on, and how far its reader is.
#[derive(Debug, Clone)]
pub struct ActiveThread {
    pub thread: StoredThread,
    pub root: String,
    /// By the thread's own receipts.
    pub receipt: Option<i64>,
    /// The last event the user sent into it.
    pub own: Option<i64>,
}

/// The threads of a room that went on after `after` and are not read to their end by `user`, the longest quiet first, at most
/// 1,000.
pub async fn list_unread_threads(
    db: &Database,
    room: Id,
    user: Id,
    after: i64,
) -> Result<Vec<ActiveThread>, Error> {
    const LIST: &str = "SELECT * FROM (SELECT t.id, t.countable, t.last_order, t.root, \
         (SELECT MAX(r.timeline_order) FROM receipts r WHERE r.room = t.room AND r.user_id = $2 \
          AND r.kind IN ('m.read', 'm.read.private') AND r.thread = t.root) AS receipt, \
         (SELECT e.timeline_order FROM events e WHERE e.room = t.room AND e.sender = $2 AND e.thread = t.id \
          AND e.timeline_order IS NOT NULL AND e.state_key IS NULL AND (e.flags & 4) <> 0 \
          ORDER BY e.timeline_order DESC LIMIT 1) AS own \
         FROM threads t WHERE t.room = $1 AND t.last_order > $3) AS active \
         WHERE COALESCE(receipt, $3) < last_order AND COALESCE(own, $3) < last_order \
         ORDER BY last_order LIMIT 1000";
    let rows = query_all(db.read(), LIST, values![room, user, after]).await?;
    rows.iter()
        .map(|row| {
            let thread = thread(row)?;
            Ok(ActiveThread { thread, root: row.get(3)?, receipt: row.get(4)?, own: row.get(5)? })
        })
        .collect()
}

fn thread(row: &Row) -> Result<StoredThread, Error> {
    Ok(StoredThread { id: row.get(0)?, countable: row.get(1)?, last_order: row.get(2)? })
}

/// A thread's running total at `order`.
pub async fn find_countable_at(db: &Database, thread: Id, order: i64) -> Result<i64, Error> {
    const FIND: &str = "SELECT thread_countable FROM events WHERE thread = $1 AND timeline_order <= $2 \
         AND thread_countable IS NOT NULL ORDER BY timeline_order DESC LIMIT 1";
    let row = query_one(db.read(), FIND, values![thread, order]).await?;
    row.map_or(Ok(0), |row| row.get(0))
}

/// A span of a part of a room as one user reads it.
#[derive(Debug, Clone, Copy)]
pub struct Unread {
    pub room: Id,
    pub user: Id,
    /// `None`: the main timeline.
    pub thread: Option<Id>,
    /// The orders that are looked at: above the first, up to the second.
    pub span: (i64, i64),
}

/// What counts otherwise than the running totals say.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Exceptions {
    /// What push rules added or took away.
    pub delta: i64,
    pub highlights: i64,
    /// Events that were counted and taken back since.
    pub taken_back: i64,
}

/// The exceptions of a span.
pub async fn find_exceptions(db: &Database, unread: Unread) -> Result<Exceptions, Error> {
    let Unread { room, user, thread, span: (after, upto) } = unread;
    const FIND: &str = "SELECT CAST(COALESCE(SUM(delta), 0) AS BIGINT), CAST(COALESCE(SUM(highlight), 0) AS BIGINT), \
         (SELECT COUNT(*) FROM events WHERE room = $2 AND timeline_order > $4 AND timeline_order <= $5 \
          AND redacted_by IS NOT NULL AND (flags & 64) <> 0 AND COALESCE(thread, 0) = $3) \
         FROM push_actions WHERE user_id = $1 AND room = $2 AND thread = $3 AND timeline_order > $4 AND timeline_order <= $5";
    let row = values![user, room, thread.unwrap_or_default(), after, upto];
    match query_one(db.read(), FIND, row).await? {
        Some(row) => {
            Ok(Exceptions { delta: row.get(0)?, highlights: row.get(1)?, taken_back: row.get(2)? })
        }
        None => Ok(Exceptions::default()),
    }
}

/// The roots of a room's threads that last went on before `before`, the newest first, each with where that was, at most
/// `limit`. `participant`: only those that this user began or wrote into.
pub async fn list_roots_before(
    db: &Database,
    room: Id,
    before: i64,
    participant: Option<Id>,
    limit: i64,
) -> Result<Vec<(String, i64)>, Error> {
    const LIST: &str = "SELECT t.root, t.last_order FROM threads t WHERE t.room = $1 AND t.last_order < $2 \
         AND EXISTS (SELECT 1 FROM events e JOIN relations r ON r.child = e.id WHERE e.thread = t.id \
         AND e.redacted_by IS NULL AND r.rel_type = 'm.thread' AND ($3 = 0 OR e.sender = $3 \
         OR EXISTS (SELECT 1 FROM events o WHERE o.event_id = t.root AND o.room = t.room AND o.sender = $3))) \
         ORDER BY t.last_order DESC LIMIT ($4 + 0)";
    let row = values![room, before, participant.unwrap_or_default(), limit];
    query_all(db.read(), LIST, row)
        .await?
        .iter()
        .map(|row| Ok((row.get(0)?, row.get(1)?)))
        .collect()
}

/// An event that a user was told of, for the list of notifications.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notified {
    pub event: Id,
    pub room: Id,
    pub position: Position,
    pub highlight: bool,
}

/// The highlights of a user in the rooms they are in, before `before`, newest first, at most `limit`.
pub async fn list_highlights_before(
    db: &Database,
    user: Id,
    before: Position,
    limit: i64,
) -> Result<Vec<Notified>, Error> {
    const LIST: &str = "SELECT e.id, e.room, e.position FROM push_actions a JOIN events e ON e.id = a.event \
         JOIN memberships m ON m.room = a.room AND m.user_id = $1 AND m.membership = 'join' \
         WHERE a.user_id = $1 AND a.highlight = 1 AND e.position < $2 ORDER BY e.position DESC LIMIT ($3 + 0)";
    notified(query_all(db.read(), LIST, values![user, before, limit]).await?, true)
}

/// The events of a span that notified its reader, before a position, newest first, at most `limit`.
pub async fn list_notified_before(
    db: &Database,
    unread: Unread,
    before: Position,
    limit: i64,
) -> Result<Vec<Notified>, Error> {
    let Unread { room, user, thread, span: (after, upto) } = unread;
    const LIST: &str = "SELECT e.id, e.room, e.position, COALESCE(a.highlight, 0) FROM events e \
         LEFT JOIN push_actions a ON a.user_id = $1 AND a.room = e.room AND a.event = e.id \
         WHERE e.room = $2 AND COALESCE(e.thread, 0) = $3 AND e.timeline_order > $4 AND e.timeline_order <= $5 \
         AND e.position < $6 AND e.redacted_by IS NULL AND e.sender <> $1 \
         AND COALESCE(a.notify, CASE WHEN (e.flags & 64) <> 0 THEN 1 ELSE 0 END) = 1 \
         ORDER BY e.timeline_order DESC LIMIT ($7 + 0)";
    let row = values![user, room, thread.unwrap_or_default(), after, upto, before, limit];
    query_all(db.read(), LIST, row)
        .await?
        .iter()
        .map(|row| {
            let highlight = row.get::<i64>(3)? != 0;
            Ok(Notified { event: row.get(0)?, room: row.get(1)?, position: row.get(2)?, highlight })
        })
        .collect()
}

fn notified(rows: Vec<Row>, highlight: bool) -> Result<Vec<Notified>, Error> {
    let read = |row: &Row| {
        Ok(Notified { event: row.get(0)?, room: row.get(1)?, position: row.get(2)?, highlight })
    };
    rows.iter().map(read).collect()
}
