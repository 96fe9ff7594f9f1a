//! What rooms are loaded from, for many rooms in few statements.

use super::{
    Database, Error, Id,
    events::{self, StoredEvent},
    rooms::{self, StoredMembership, StoredRoom, StoredSnapshot},
    sql::query_ids,
};

/// The rooms with these interned ids, in no particular order; unknown ones are left out.
pub async fn list_rooms(db: &Database, ids: &[Id]) -> Result<Vec<StoredRoom>, Error> {
    let sql = |marks: &[String]| format!("{} WHERE id IN ({})", rooms::ROOM, marks.join(", "));
    query_ids(db.read(), ids, sql, rooms::room).await
}

/// The snapshots with these ids and all that they build on, in no particular order; unknown ones are left out.
pub async fn list_snapshots(db: &Database, ids: &[Id]) -> Result<Vec<StoredSnapshot>, Error> {
    let sql = |marks: &[String]| {
        format!(
            "WITH RECURSIVE chain (id, parent) AS (SELECT id, parent FROM state_snapshots WHERE id IN ({}) \
             UNION SELECT s.id, s.parent FROM chain JOIN state_snapshots s ON s.id = chain.parent) \
             SELECT s.id, s.version, s.parent, s.delta FROM chain JOIN state_snapshots s ON s.id = chain.id",
            marks.join(", ")
        )
    };
    query_ids(db.read(), ids, sql, rooms::snapshot).await
}

/// Everybody's standing in these rooms, in no particular order. No limit: rooms are loaded whole.
pub async fn list_members(db: &Database, rooms: &[Id]) -> Result<Vec<StoredMembership>, Error> {
    let sql =
        |marks: &[String]| format!("{} WHERE m.room IN ({})", rooms::MEMBERSHIP, marks.join(", "));
    query_ids(db.read(), rooms, sql, rooms::membership).await
}

/// The newest `limit` events of each room's timeline: a room's newest first, the rooms in no particular order.
pub async fn list_newest(
    db: &Database,
    rooms: &[Id],
    limit: usize,
) -> Result<Vec<StoredEvent>, Error> {
    // One short walk down an index a room.
    let part = |(number, mark): (usize, &String)| {
        format!(
            "SELECT * FROM ({} WHERE room = {mark} AND timeline_order IS NOT NULL \
             ORDER BY timeline_order DESC LIMIT {limit}) AS newest_{number}",
            events::EVENT
        )
    };
    let sql = |marks: &[String]| {
        let parts: Vec<String> = marks.iter().enumerate().map(part).collect();
        parts.join(" UNION ALL ")
    };
    query_ids(db.read(), rooms, sql, events::event).await
}

/// Where in a room's timeline a thread last went on, for those of the rooms that have threads.
pub async fn list_last_thread_orders(db: &Database, rooms: &[Id]) -> Result<Vec<(Id, i64)>, Error> {
    let sql = |marks: &[String]| {
        let marks = marks.join(", ");
        format!("SELECT room, MAX(last_order) FROM threads WHERE room IN ({marks}) GROUP BY room")
    };
    query_ids(db.read(), rooms, sql, |row| Ok((row.get(0)?, row.get(1)?))).await
}
