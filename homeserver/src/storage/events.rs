//! Reading events. Writing them is `append`'s.

use std::collections::HashSet;

use super::{
    Database, Error, Id, Position, Row, event_ids::NAMES_MAX, query_all, query_one, sql::query_ids,
    values,
};

/// Breaks the authorization rules: never in the timeline, never in state. Sticky.
pub const REJECTED: i64 = 1;
/// Allowed by its own state but not by the room's current one: kept for the graph, not shown.
pub const SOFT_FAILED: i64 = 2;
/// Made by this server, so sent on to others.
pub const LOCAL: i64 = 4;
/// Fetched after what follows it, to fill a gap: never news, whatever its position.
pub const HISTORY: i64 = 8;
/// What came right before it was missing when it came.
pub const AFTER_GAP: i64 = 16;
/// Not in the timeline; keeps the state after it, as another server told it, for what builds on it.
pub const STAND_IN: i64 = 32;
/// Raised a running total.
pub const COUNTED: i64 = 64;
/// Of the history, and its state is the one it stood on. Without this it is that of the gap it was fetched into.
pub const TRUE_STATE: i64 = 128;

/// The type of an event known by name only, as a place for the state after it.
pub const MISSING: &str = "chat.tern.missing";

/// Most events one call reads.
pub const PAGE_MAX: u64 = 1_000;

/// An event's row.
#[derive(Debug, Clone)]
pub struct StoredEvent {
    pub id: Id,
    pub event_id: String,
    pub room: Id,
    pub sender: Id,
    pub position: Option<Position>,
    pub timeline_order: Option<i64>,
    pub state_before: Option<Id>,
    pub state_after: Option<Id>,
    pub countable: i64,
    pub thread: Option<Id>,
    pub thread_countable: Option<i64>,
    pub flags: i64,
    pub redacted_by: Option<Id>,
    /// When its sender says it was made, in milliseconds since the epoch.
    pub at_ms: i64,
    pub json: Vec<u8>,
}

impl StoredEvent {
    /// Whether only the event's name is known: see [`MISSING`].
    pub fn is_missing(&self) -> bool {
        self.flags == SOFT_FAILED | STAND_IN && self.timeline_order.is_none()
    }
}

pub(super) const EVENT: &str = "SELECT id, event_id, room, sender, position, timeline_order, state_before, state_after, countable, \
     thread, thread_countable, flags, redacted_by, at_ms, json FROM events";

pub(super) fn event(row: &Row) -> Result<StoredEvent, Error> {
    Ok(StoredEvent {
        id: row.get(0)?,
        event_id: row.get(1)?,
        room: row.get(2)?,
        sender: row.get(3)?,
        position: row.get(4)?,
        timeline_order: row.get(5)?,
        state_before: row.get(6)?,
        state_after: row.get(7)?,
        countable: row.get(8)?,
        thread: row.get(9)?,
        thread_countable: row.get(10)?,
        flags: row.get(11)?,
        redacted_by: row.get(12)?,
        at_ms: row.get(13)?,
        json: row.get(14)?,
    })
}

/// The event with this id as text, whatever its room: callers check the room.
pub async fn find_event(db: &Database, event_id: &str) -> Result<Option<StoredEvent>, Error> {
    let mut bound = Vec::new();
    let sql = format!("{EVENT} WHERE {}", db.event_ids().named(&[event_id], &mut bound));
    query_one(db.read(), &sql, bound).await?.as_ref().map(event).transpose()
}

/// The events with these interned ids, in no particular order; unknown ones are left out.
pub async fn list_events(db: &Database, ids: &[Id]) -> Result<Vec<StoredEvent>, Error> {
    let sql = |marks: &[String]| format!("{EVENT} WHERE id IN ({})", marks.join(", "));
    query_ids(db.read(), ids, sql, event).await
}

/// What authorises a state event.
#[derive(Debug, Clone)]
pub struct StoredAuth {
    pub id: Id,
    /// The state slot it fills.
    pub slot: Id,
    /// Its rank and its auth events, packed as 8-byte big-endian ids; `None` in rows from before they were kept.
    pub auth: Option<(i64, Vec<u8>)>,
}

/// What authorises these state events, in no particular order; unknown ones and messages are left out.
pub async fn list_auth(db: &Database, ids: &[Id]) -> Result<Vec<StoredAuth>, Error> {
    let sql = |marks: &[String]| {
        format!(
            "SELECT id, state_key, auth_rank, auth FROM events WHERE state_key IS NOT NULL AND id IN ({})",
            marks.join(", ")
        )
    };
    let read = |row: &Row| {
        let (rank, auth): (Option<i64>, Option<Vec<u8>>) = (row.get(2)?, row.get(3)?);
        Ok(StoredAuth { id: row.get(0)?, slot: row.get(1)?, auth: rank.zip(auth) })
    };
    query_ids(db.read(), ids, sql, read).await
}

/// The events with these ids as text, in no particular order; unknown ones are left out.
pub async fn list_events_by_name(
    db: &Database,
    event_ids: &[String],
) -> Result<Vec<StoredEvent>, Error> {
    query_names(db, event_ids.iter().map(String::as_str), EVENT, event).await
}

/// What is known of an event, without the event.
#[derive(Debug, Clone)]
pub struct Brief {
    pub id: Id,
    pub event_id: String,
    pub room: Id,
    /// The state slot it fills.
    pub slot: Option<Id>,
    pub flags: i64,
    /// Only its name is known: see [`MISSING`].
    pub is_missing: bool,
    /// Whether the state after it is known.
    pub has_state: bool,
}

/// What is known of the events with these ids as text, in no particular order; unknown ones are left out.
pub async fn list_brief_by_name(
    db: &Database,
    event_ids: impl IntoIterator<Item = &str>,
) -> Result<Vec<Brief>, Error> {
    const BRIEF: &str =
        "SELECT id, event_id, room, state_key, flags, event_type, state_after FROM events";
    let brief = |row: &Row| {
        Ok(Brief {
            id: row.get(0)?,
            event_id: row.get(1)?,
            room: row.get(2)?,
            slot: row.get(3)?,
            flags: row.get(4)?,
            is_missing: row.get::<String>(5)? == MISSING,
            has_state: row.get::<Option<Id>>(6)?.is_some(),
        })
    };
    query_names(db, event_ids, BRIEF, brief).await
}

/// Numbers and ids of up to `limit` events after the one with this number, in their order.
pub async fn list_names_after(
    db: &Database,
    after: Id,
    limit: u64,
) -> Result<Vec<(Id, String)>, Error> {
    const LIST: &str = "SELECT id, event_id FROM events WHERE id > $1 ORDER BY id LIMIT ($2 + 0)";
    let limit = i64::try_from(limit.min(PAGE_MAX)).unwrap_or(i64::MAX);
    let rows = query_all(db.read(), LIST, values![after, limit]).await?;
    rows.iter().map(|row| Ok((row.get(0)?, row.get(1)?))).collect()
}

/// Those of these ids, as text, that are of events which `sender` sent to the room.
pub(super) async fn list_sent(
    db: &Database,
    room: Id,
    sender: Id,
    event_ids: impl IntoIterator<Item = &str>,
) -> Result<HashSet<String>, Error> {
    const SENT: &str = "SELECT event_id, room, sender FROM events";
    let read = |row: &Row| Ok((row.get(0)?, row.get(1)?, row.get(2)?));
    let sent: Vec<(String, Id, Id)> = query_names(db, event_ids, SENT, read).await?;
    let sent = sent.into_iter().filter(|(_, of, by)| (*of, *by) == (room, sender));
    Ok(sent.map(|(event_id, ..)| event_id).collect())
}

/// What `select` finds of the events with these ids as text, many in a statement.
async fn query_names<T>(
    db: &Database,
    event_ids: impl IntoIterator<Item = &str>,
    select: &str,
    read: impl Fn(&Row) -> Result<T, Error>,
) -> Result<Vec<T>, Error> {
    let names: Vec<&str> = event_ids.into_iter().collect();
    let mut found = Vec::with_capacity(names.len());
    for names in names.chunks(NAMES_MAX) {
        let mut bound = Vec::new();
        let sql = format!("{select} WHERE {}", db.event_ids().named(names, &mut bound));
        for row in &query_all(db.read(), &sql, bound).await? {
            found.push(read(row)?);
        }
    }
    Ok(found)
}

/// The ids of up to `limit` events of a room's timeline with `order < before`, newest first.
pub async fn list_ids_before(
    db: &Database,
    room: Id,
    before: i64,
    limit: u64,
) -> Result<Vec<Id>, Error> {
    const LIST: &str = "SELECT id FROM events WHERE room = $1 AND timeline_order < $2 ORDER BY timeline_order DESC LIMIT ($3 + 0)";
    let limit = i64::try_from(limit.min(PAGE_MAX)).unwrap_or(i64::MAX);
    let rows = query_all(db.read(), LIST, values![room, before, limit]).await?;
    rows.iter().map(|row| row.get(0)).collect()
}

/// Up to `limit` events of a room's timeline with `order < before`, newest first.
pub async fn list_timeline_before(
    db: &Database,
    room: Id,
    before: i64,
    limit: u64,
) -> Result<Vec<StoredEvent>, Error> {
    let sql = format!(
        "{EVENT} WHERE room = $1 AND timeline_order < $2 ORDER BY timeline_order DESC LIMIT ($3 + 0)"
    );
    let limit = i64::try_from(limit.min(PAGE_MAX)).unwrap_or(i64::MAX);
    query_all(db.read(), &sql, values![room, before, limit]).await?.iter().map(event).collect()
}

/// Up to `limit` events of a room's timeline with `order > after`, oldest first.
pub async fn list_timeline_after(
    db: &Database,
    room: Id,
    after: i64,
    limit: u64,
) -> Result<Vec<StoredEvent>, Error> {
    let sql = format!(
        "{EVENT} WHERE room = $1 AND timeline_order > $2 ORDER BY timeline_order ASC LIMIT ($3 + 0)"
    );
    let limit = i64::try_from(limit.min(PAGE_MAX)).unwrap_or(i64::MAX);
    query_all(db.read(), &sql, values![room, after, limit]).await?.iter().map(event).collect()
}

/// This server's own events after `position`, oldest first, with their rooms: the log federation reads.
pub async fn list_log_after(
    db: &Database,
    position: Position,
    limit: u64,
) -> Result<Vec<StoredEvent>, Error> {
    let sql = format!(
        "{EVENT} WHERE position > $1 AND (flags & {LOCAL}) <> 0 ORDER BY position LIMIT ($2 + 0)"
    );
    let limit = i64::try_from(limit.min(PAGE_MAX)).unwrap_or(i64::MAX);
    query_all(db.read(), &sql, values![position, limit]).await?.iter().map(event).collect()
}

/// The event that `device` sent to `endpoint` under this transaction id, if it did.
pub async fn find_transaction(
    db: &Database,
    device: Id,
    endpoint: &str,
    txn_id: &str,
) -> Result<Option<String>, Error> {
    const FIND: &str = "SELECT e.event_id FROM sent_transactions t JOIN events e ON e.id = t.event \
         WHERE t.device = $1 AND t.endpoint = $2 AND t.txn_id = $3";
    let row = query_one(db.read(), FIND, values![device, endpoint, txn_id]).await?;
    row.map(|row| row.get(0)).transpose()
}

/// The transaction id under which `device` sent the event, if it did.
pub async fn find_transaction_id(
    db: &Database,
    device: Id,
    event: Id,
) -> Result<Option<String>, Error> {
    const FIND: &str = "SELECT txn_id FROM sent_transactions WHERE event = $1 AND device = $2";
    let row = query_one(db.read(), FIND, values![event, device]).await?;
    row.map(|row| row.get(0)).transpose()
}

/// What `device` sent, in no order, as far as `limit`: to which endpoint, under which transaction id, which event.
pub async fn list_transactions(
    db: &Database,
    device: Id,
    limit: usize,
) -> Result<Vec<(String, String, Id)>, Error> {
    const LIST: &str =
        "SELECT endpoint, txn_id, event FROM sent_transactions WHERE device = $1 LIMIT ($2 + 0)";
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let rows = query_all(db.read(), LIST, values![device, limit]).await?;
    rows.iter().map(|row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).collect()
}

/// Which children of an event are asked for.
#[derive(Debug, Clone)]
pub struct Related {
    pub room: Id,
    pub parent_event_id: String,
    pub rel_type: Option<String>,
    pub event_type: Option<String>,
    /// How many relations away; 1: direct children only.
    pub depth: i64,
    /// Orders from the first up to, not including, the second.
    pub span: (i64, i64),
    pub newest_first: bool,
}

/// The children of an event that were not taken back, at most `limit`.
pub async fn list_related(
    db: &Database,
    related: Related,
    limit: u64,
) -> Result<Vec<StoredEvent>, Error> {
    let direction = if related.newest_first { "DESC" } else { "ASC" };
    let sql = format!(
        "WITH RECURSIVE related (child, rel_type, depth) AS (\
         SELECT child, rel_type, 1 FROM relations WHERE parent = $2 AND room = $1 \
         UNION SELECT r.child, r.rel_type, related.depth + 1 FROM related JOIN events p ON p.id = related.child \
         JOIN relations r ON r.parent = p.event_id AND r.room = $1 WHERE related.depth < $3) \
         {EVENT} WHERE id IN (SELECT child FROM related WHERE ($4 = '' OR rel_type = $4) AND rel_type <> 'chat.tern.redaction') \
         AND ($5 = '' OR event_type = $5) AND timeline_order >= $6 AND timeline_order < $7 AND redacted_by IS NULL \
         ORDER BY timeline_order {direction} LIMIT ($8 + 0)"
    );
    let Related { room, parent_event_id, rel_type, event_type, depth, span, .. } = related;
    let limit = i64::try_from(limit.min(PAGE_MAX)).unwrap_or(i64::MAX);
    let (rel_type, event_type) = (rel_type.unwrap_or_default(), event_type.unwrap_or_default());
    let row = values![room, parent_event_id, depth, rel_type, event_type, span.0, span.1, limit];
    query_all(db.read(), &sql, row).await?.iter().map(event).collect()
}
