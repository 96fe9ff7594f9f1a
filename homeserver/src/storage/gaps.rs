//! Gaps in stored timelines: events known by name only, and where they would stand.

use super::{Database, Error, Id, query_all, query_one, values};

/// A missing event, and the order of the event that follows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gap {
    pub event_id: String,
    pub timeline_order: i64,
}

/// Whether any history of a room is missing.
pub async fn has_gaps(db: &Database, room: Id) -> Result<bool, Error> {
    const FIND: &str = "SELECT 1 FROM backward_extremities WHERE room = $1 LIMIT 1";
    Ok(query_one(db.read(), FIND, values![room]).await?.is_some())
}

/// The gaps of a room that lie within `limit` places before `before`, newest first, at most 20.
pub async fn list_gaps_before(
    db: &Database,
    room: Id,
    before: i64,
    limit: u64,
) -> Result<Vec<Gap>, Error> {
    // The page's own lower end: a gap below it waits for the next page.
    const LOWEST: &str = "SELECT MIN(timeline_order) FROM (SELECT timeline_order FROM events WHERE room = $1 \
         AND timeline_order < $2 ORDER BY timeline_order DESC LIMIT ($3 + 0)) AS page";
    const LIST: &str = "SELECT event_id, timeline_order FROM backward_extremities WHERE room = $1 \
         AND timeline_order <= $2 AND timeline_order >= $3 ORDER BY timeline_order DESC LIMIT 20";
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let lowest = query_one(db.read(), LOWEST, values![room, before, limit]).await?;
    let lowest =
        lowest.map(|row| row.get::<Option<i64>>(0)).transpose()?.flatten().unwrap_or(i64::MIN);
    let rows = query_all(db.read(), LIST, values![room, before, lowest]).await?;
    rows.iter().map(|row| Ok(Gap { event_id: row.get(0)?, timeline_order: row.get(1)? })).collect()
}

/// The gaps below one event: the first event after `from`, among `limit`, that has any.
pub async fn list_first_gaps_after(
    db: &Database,
    room: Id,
    from: i64,
    limit: u64,
) -> Result<Vec<Gap>, Error> {
    const LIST: &str = "SELECT event_id, timeline_order FROM backward_extremities WHERE room = $1 AND timeline_order = \
         (SELECT MIN(timeline_order) FROM backward_extremities WHERE room = $1 AND timeline_order > $2 \
         AND timeline_order <= (SELECT MAX(timeline_order) FROM (SELECT timeline_order FROM events WHERE room = $1 \
         AND timeline_order >= $2 ORDER BY timeline_order LIMIT ($3 + 0)) AS page)) LIMIT 20";
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let rows = query_all(db.read(), LIST, values![room, from, limit]).await?;
    rows.iter().map(|row| Ok(Gap { event_id: row.get(0)?, timeline_order: row.get(1)? })).collect()
}

/// The order of the event that stands next below `above` in a room's timeline.
pub async fn find_order_below(db: &Database, room: Id, above: i64) -> Result<Option<i64>, Error> {
    const BELOW: &str =
        "SELECT MAX(timeline_order) FROM events WHERE room = $1 AND timeline_order < $2";
    let row = query_one(db.read(), BELOW, values![room, above]).await?;
    Ok(row.map(|row| row.get::<Option<i64>>(0)).transpose()?.flatten())
}

/// Whether something is missing right below the event with this order.
pub async fn is_gap(db: &Database, room: Id, order: i64) -> Result<bool, Error> {
    const FIND: &str =
        "SELECT 1 FROM backward_extremities WHERE room = $1 AND timeline_order = $2 LIMIT 1";
    Ok(query_one(db.read(), FIND, values![room, order]).await?.is_some())
}
