//! Events from other servers that are answered for and not worked off yet.

use super::{Database, Error, Id, execute, insert, query_all, values};

/// A received event as it came.
#[derive(Debug, Clone)]
pub struct Staged {
    /// Given by the insert.
    pub id: Id,
    pub origin: String,
    pub room: Id,
    pub json: String,
    /// How often it was tried.
    pub attempts: i64,
    /// Not to be tried before.
    pub retry_at_ms: i64,
}

/// What became of a staged event.
#[derive(Debug, Clone, Copy)]
pub enum Settled {
    /// Worked off, or given up.
    Done(Id),
    /// Failed once more; to be tried again at a time in milliseconds.
    Later(Id, i64),
}

/// Stores received events; one commit, in order.
pub async fn insert_staged(db: &Database, staged: Vec<Staged>) -> Result<(), Error> {
    const COLUMNS: &str = "staged_events (id, origin, room, json, attempts, retry_at_ms)";
    let rows = staged
        .into_iter()
        .map(|event| {
            let Staged { origin, room, json, attempts, retry_at_ms, .. } = event;
            values![db.new_id(), origin, room, json, attempts, retry_at_ms]
        })
        .collect();
    db.write(move |txn| Box::pin(async move { insert(txn.db(), COLUMNS, "", rows).await })).await
}

/// A room's staged events that are due, in the order they came, at most `limit`.
pub async fn list_staged(
    db: &Database,
    room: Id,
    now_ms: i64,
    limit: u64,
) -> Result<Vec<Staged>, Error> {
    const LIST: &str = "SELECT id, origin, room, json, attempts, retry_at_ms FROM staged_events \
         WHERE room = $1 AND retry_at_ms <= $2 ORDER BY id LIMIT ($3 + 0)";
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let rows = query_all(db.read(), LIST, values![room, now_ms, limit]).await?;
    rows.iter()
        .map(|row| {
            Ok(Staged {
                id: row.get(0)?,
                origin: row.get(1)?,
                room: row.get(2)?,
                json: row.get(3)?,
                attempts: row.get(4)?,
                retry_at_ms: row.get(5)?,
            })
        })
        .collect()
}

/// The rooms with staged events that are due, by number and as text, at most 10,000.
pub async fn list_due_rooms(db: &Database, now_ms: i64) -> Result<Vec<(Id, String)>, Error> {
    const LIST: &str = "SELECT DISTINCT r.id, r.room_id FROM staged_events s JOIN rooms r ON r.id = s.room \
         WHERE s.retry_at_ms <= $1 ORDER BY r.room_id LIMIT 10000";
    let rows = query_all(db.read(), LIST, values![now_ms]).await?;
    rows.iter().map(|row| Ok((row.get(0)?, row.get(1)?))).collect()
}

/// Removes worked-off events and puts off the others.
pub async fn settle(db: &Database, settled: Vec<Settled>) -> Result<(), Error> {
    const DONE: &str = "DELETE FROM staged_events WHERE id = $1";
    const LATER: &str =
        "UPDATE staged_events SET attempts = attempts + 1, retry_at_ms = $2 WHERE id = $1";
    db.write(move |txn| {
        Box::pin(async move {
            for one in settled {
                match one {
                    Settled::Done(id) => execute(txn.db(), DONE, values![id]).await?,
                    Settled::Later(id, at_ms) => {
                        execute(txn.db(), LATER, values![id, at_ms]).await?
                    }
                };
            }
            Ok(())
        })
    })
    .await
}
