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
}

/// Stores received events; one commit, in order.
pub async fn insert_staged(db: &Database, staged: Vec<Staged>) -> Result<(), Error> {
    let rows = staged
        .into_iter()
        .map(|event| values![db.new_id(), event.origin, event.room, event.json])
        .collect();
    db.write(move |txn| {
        Box::pin(async move {
            insert(txn.db(), "staged_events (id, origin, room, json)", "", rows).await
        })
    })
    .await
}

/// A room's staged events in the order they came, at most `limit`.
pub async fn list_staged(db: &Database, room: Id, limit: u64) -> Result<Vec<Staged>, Error> {
    const LIST: &str =
        "SELECT id, origin, room, json FROM staged_events WHERE room = $1 ORDER BY id LIMIT $2";
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let rows = query_all(db.read(), LIST, values![room, limit]).await?;
    rows.iter()
        .map(|row| {
            Ok(Staged {
                id: row.get(0)?,
                origin: row.get(1)?,
                room: row.get(2)?,
                json: row.get(3)?,
            })
        })
        .collect()
}

/// The rooms with staged events, as text, at most 10,000.
pub async fn list_rooms(db: &Database) -> Result<Vec<String>, Error> {
    const LIST: &str = "SELECT DISTINCT r.room_id FROM staged_events s JOIN rooms r ON r.id = s.room ORDER BY r.room_id LIMIT 10000";
    query_all(db.read(), LIST, values![]).await?.iter().map(|row| row.get(0)).collect()
}

/// Removes worked-off events.
pub async fn delete_staged(db: &Database, ids: Vec<Id>) -> Result<(), Error> {
    db.write(move |txn| {
        Box::pin(async move {
            for id in ids {
                execute(txn.db(), "DELETE FROM staged_events WHERE id = $1", values![id]).await?;
            }
            Ok(())
        })
    })
    .await
}
