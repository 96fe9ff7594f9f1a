//! Threads, and what unread counts are derived from, the main timeline being one part of a room and each thread another.

use std::collections::{HashMap, HashSet};

use super::{
    Database, Error, Id, Position, Row, events, query_all, query_one, sql::query_rows, values,
};

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

/// A user's [`Marks`] in each of these rooms that they have a membership of, in no particular order.
pub async fn list_marks(db: &Database, user: Id, rooms: &[Id]) -> Result<Vec<(Id, Marks)>, Error> {
    let sql = |rows: &[String]| {
        format!(
            "WITH wanted (room, user_id) AS (VALUES ({})) SELECT m.room, \
             (SELECT MAX(r.timeline_order) FROM receipts r WHERE r.room = m.room AND r.user_id = m.user_id \
              AND r.kind IN ('m.read', 'm.read.private') AND r.thread = ''), \
             (SELECT MAX(r.timeline_order) FROM receipts r WHERE r.room = m.room AND r.user_id = m.user_id \
              AND r.kind IN ('m.read', 'm.read.private') AND r.thread = 'main'), \
             (SELECT e.timeline_order FROM events e WHERE e.room = m.room AND e.sender = m.user_id AND e.thread IS NULL \
              AND e.timeline_order IS NOT NULL AND e.state_key IS NULL AND (e.flags & 4) <> 0 \
              ORDER BY e.timeline_order DESC LIMIT 1), \
             (SELECT e.timeline_order FROM events e WHERE e.position = m.since AND e.room = m.room) \
             FROM wanted w JOIN memberships m ON m.user_id = w.user_id AND m.room = w.room",
            rows.join("), (")
        )
    };
    let rows: Vec<[Id; 2]> = rooms.iter().map(|room| [*room, user]).collect();
    let read = |row: &Row| {
        let (unthreaded, main, own, joined) = (row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?);
        Ok((row.get(0)?, Marks { unthreaded, main, own, joined }))
    };
    query_rows(db.read(), &rows, sql, read).await
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

/// What the counts of a span are made of, beside the running total at its end.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// The running total where it begins.
    pub before: i64,
    /// What push rules added or took away.
    pub delta: i64,
    pub highlights: i64,
    /// Events that were counted and taken back since.
    pub taken_back: i64,
}

/// The tallies of these spans, in their order.
pub async fn list_tallies(db: &Database, spans: &[Unread]) -> Result<Vec<Tally>, Error> {
    let sql = |rows: &[String]| {
        format!(
            "WITH spans (number, user_id, room, thread, low, high) AS (VALUES ({})) SELECT s.number, \
             CASE WHEN s.thread = 0 THEN (SELECT e.countable FROM events e WHERE e.room = s.room \
              AND e.timeline_order <= s.low ORDER BY e.timeline_order DESC LIMIT 1) \
             ELSE (SELECT e.thread_countable FROM events e WHERE e.thread = s.thread AND e.timeline_order <= s.low \
              AND e.thread_countable IS NOT NULL ORDER BY e.timeline_order DESC LIMIT 1) END, \
             (SELECT COUNT(*) FROM events e WHERE e.room = s.room AND e.timeline_order > s.low AND e.timeline_order <= s.high \
              AND e.redacted_by IS NOT NULL AND (e.flags & 64) <> 0 AND COALESCE(e.thread, 0) = s.thread), \
             CAST(COALESCE(SUM(a.delta), 0) AS BIGINT), CAST(COALESCE(SUM(a.highlight), 0) AS BIGINT) \
             FROM spans s LEFT JOIN push_actions a ON a.user_id = s.user_id AND a.room = s.room AND a.thread = s.thread \
              AND a.timeline_order > s.low AND a.timeline_order <= s.high \
             GROUP BY s.number, s.room, s.thread, s.low, s.high",
            rows.join("), (")
        )
    };
    let row = |(number, span): (i64, &Unread)| {
        let (low, high) = span.span;
        [number, span.user, span.room, span.thread.unwrap_or_default(), low, high]
    };
    let rows: Vec<[i64; 6]> = (0..).zip(spans).map(row).collect();
    let read = |row: &Row| {
        let before: Option<i64> = row.get(1)?;
        let (taken_back, delta, highlights) = (row.get(2)?, row.get(3)?, row.get(4)?);
        let before = before.unwrap_or_default();
        Ok((row.get::<i64>(0)?, Tally { before, delta, highlights, taken_back }))
    };
    let found: HashMap<i64, Tally> =
        query_rows(db.read(), &rows, sql, read).await?.into_iter().collect();
    Ok((0..)
        .zip(spans)
        .map(|(number, _)| found.get(&number).copied().unwrap_or_default())
        .collect())
}

/// The roots of a room's threads that last went on before `before`, the newest first, each with where that was, at most
/// `limit`. `participant`: only those that this user began or wrote into.
pub async fn list_roots_before(
    db: &Database,
    room: Id,
    mut before: i64,
    participant: Option<Id>,
    limit: i64,
) -> Result<Vec<(String, i64)>, Error> {
    const LIST: &str = "SELECT t.root, t.last_order, CAST(CASE WHEN $3 = 0 OR EXISTS (SELECT 1 FROM events e \
         JOIN relations r ON r.child = e.id WHERE e.thread = t.id AND e.redacted_by IS NULL AND r.rel_type = 'm.thread' \
         AND e.sender = $3) THEN 1 ELSE 0 END AS BIGINT) FROM threads t WHERE t.room = $1 AND t.last_order < $2 \
         AND EXISTS (SELECT 1 FROM events e JOIN relations r ON r.child = e.id WHERE e.thread = t.id \
         AND e.redacted_by IS NULL AND r.rel_type = 'm.thread') ORDER BY t.last_order DESC LIMIT ($4 + 0)";
    // Where a user is in few of them, many are read for one.
    const PAGE: i64 = 100;
    let piece = if participant.is_some() { limit.max(PAGE) } else { limit };
    let wanted = usize::try_from(limit).unwrap_or_default();
    let mut found = Vec::new();
    loop {
        let row = values![room, before, participant.unwrap_or_default(), piece];
        let page = query_all(db.read(), LIST, row).await?;
        let read = |row: &Row| Ok((row.get(0)?, row.get(1)?, row.get::<i64>(2)? != 0));
        let page: Vec<(String, i64, bool)> = page.iter().map(read).collect::<Result<_, Error>>()?;
        let others = page.iter().filter(|(_, _, wrote)| !wrote).map(|(root, ..)| root.as_str());
        let begun = match participant {
            Some(user) => events::list_sent(db, room, user, others).await?,
            None => HashSet::new(),
        };
        let is_last = i64::try_from(page.len()).is_ok_and(|count| count < piece);
        before = page.last().map_or(before, |(_, order, _)| *order);
        let takes = |(root, _, wrote): &(String, i64, bool)| *wrote || begun.contains(root);
        found.extend(page.into_iter().filter(takes).map(|(root, order, _)| (root, order)));
        if is_last || found.len() >= wanted {
            found.truncate(wanted);
            return Ok(found);
        }
    }
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
