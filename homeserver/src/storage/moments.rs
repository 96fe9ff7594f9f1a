//! When the events of a timeline were made, as their senders say: read without the events.

use super::{Database, Error, Id, Row, query_all, query_one, values};

/// Where an event stands in its room's timeline, and when its sender says it was made, in milliseconds since the epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    pub id: Id,
    pub order: i64,
    pub at_ms: i64,
}

fn moment(row: &Row) -> Result<Moment, Error> {
    Ok(Moment { id: row.get(0)?, order: row.get(1)?, at_ms: row.get(2)? })
}

/// The first and the last order of a room's timeline; `None` where it is empty.
pub async fn find_span(db: &Database, room: Id) -> Result<Option<(i64, i64)>, Error> {
    // Each of them alone is one look at the index; asked for together, SQLite reads all of it.
    const FIND: &str = "SELECT (SELECT MIN(timeline_order) FROM events WHERE room = $1 AND timeline_order IS NOT NULL), \
         (SELECT MAX(timeline_order) FROM events WHERE room = $1 AND timeline_order IS NOT NULL)";
    let Some(row) = query_one(db.read(), FIND, values![room]).await? else { return Ok(None) };
    Ok(row.get::<Option<i64>>(0)?.zip(row.get(1)?))
}

/// The first `limit` events of a room's timeline from the order `from` on, oldest first.
pub async fn list_from(
    db: &Database,
    room: Id,
    from: i64,
    limit: i64,
) -> Result<Vec<Moment>, Error> {
    const LIST: &str = "SELECT id, timeline_order, at_ms FROM events WHERE room = $1 AND timeline_order >= $2 \
         ORDER BY timeline_order LIMIT ($3 + 0)";
    query_all(db.read(), LIST, values![room, from, limit]).await?.iter().map(moment).collect()
}

/// Which moments are asked for.
#[derive(Debug, Clone, Copy)]
pub struct Near {
    pub room: Id,
    pub at_ms: i64,
    /// At or after the time, or else at or before it.
    pub forward: bool,
    /// Where in the timeline they are looked for: among so many events before an order, and as many from it on.
    pub place: i64,
    pub reach: i64,
}

/// The `limit` moments nearest to a time on one side of it, nearest first.
pub async fn list_near(db: &Database, near: Near, limit: i64) -> Result<Vec<Moment>, Error> {
    let (compare, order) = if near.forward { (">=", "ASC") } else { ("<=", "DESC") };
    let around = |compare: &str, order: &str| {
        format!(
            "SELECT id, timeline_order, at_ms FROM (SELECT id, timeline_order, at_ms FROM events WHERE room = $1 \
             AND timeline_order {compare} $2 ORDER BY timeline_order {order} LIMIT ($3 + 0)) AS side"
        )
    };
    let sql = format!(
        "SELECT id, timeline_order, at_ms FROM ({} UNION ALL {}) AS around WHERE at_ms {compare} $4 \
         ORDER BY at_ms {order}, timeline_order {order} LIMIT ($5 + 0)",
        around("<", "DESC"),
        around(">=", "ASC"),
    );
    let Near { room, at_ms, place, reach, .. } = near;
    query_all(db.read(), &sql, values![room, place, reach, at_ms, limit])
        .await?
        .iter()
        .map(moment)
        .collect()
}
