//! What rooms are loaded from, for many rooms in few statements.

use super::{
    Database, Error, Id,
    events::{self, StoredEvent},
    query_all,
    rooms::{self, StoredMembership, StoredRoom, StoredSnapshot},
    sql::{ID_CHUNK, id_list},
};

/// The rooms with these interned ids, in no particular order; unknown ones are left out.
pub async fn list_rooms(db: &Database, ids: &[Id]) -> Result<Vec<StoredRoom>, Error> {
    let mut found = Vec::with_capacity(ids.len());
    for chunk in ids.chunks(ID_CHUNK) {
        let (marks, values) = id_list(chunk);
        let sql = format!("{} WHERE id IN ({marks})", rooms::ROOM);
        for row in &query_all(db.read(), &sql, values).await? {
            found.push(rooms::room(row)?);
        }
    }
    Ok(found)
}

/// The snapshots with these ids and all that they build on, in no particular order; unknown ones are left out.
pub async fn list_snapshots(db: &Database, ids: &[Id]) -> Result<Vec<StoredSnapshot>, Error> {
    let mut found = Vec::with_capacity(ids.len());
    for chunk in ids.chunks(ID_CHUNK) {
        let (marks, values) = id_list(chunk);
        let sql = format!(
            "WITH RECURSIVE chain (id, parent) AS (SELECT id, parent FROM state_snapshots WHERE id IN ({marks}) \
             UNION SELECT s.id, s.parent FROM chain JOIN state_snapshots s ON s.id = chain.parent) \
             SELECT s.id, s.version, s.parent, s.delta FROM chain JOIN state_snapshots s ON s.id = chain.id"
        );
        for row in &query_all(db.read(), &sql, values).await? {
            found.push(rooms::snapshot(row)?);
        }
    }
    Ok(found)
}

/// Everybody's standing in these rooms, in no particular order. No limit: rooms are loaded whole.
pub async fn list_members(db: &Database, rooms: &[Id]) -> Result<Vec<StoredMembership>, Error> {
    let mut found = Vec::new();
    for chunk in rooms.chunks(ID_CHUNK) {
        let (marks, values) = id_list(chunk);
        let sql = format!("{} WHERE m.room IN ({marks})", rooms::MEMBERSHIP);
        for row in &query_all(db.read(), &sql, values).await? {
            found.push(rooms::membership(row)?);
        }
    }
    Ok(found)
}

/// The newest `limit` events of each room's timeline: a room's newest first, the rooms in no particular order.
pub async fn list_newest(
    db: &Database,
    rooms: &[Id],
    limit: usize,
) -> Result<Vec<StoredEvent>, Error> {
    let mut found = Vec::with_capacity(rooms.len() * limit);
    for chunk in rooms.chunks(ID_CHUNK) {
        let (_, values) = id_list(chunk);
        // One short walk down an index a room.
        let part = |mark: usize| {
            format!(
                "SELECT * FROM ({} WHERE room = ${mark} AND timeline_order IS NOT NULL \
                 ORDER BY timeline_order DESC LIMIT {limit}) AS newest_{mark}",
                events::EVENT
            )
        };
        let parts: Vec<String> = (1..=values.len()).map(part).collect();
        for row in &query_all(db.read(), &parts.join(" UNION ALL "), values).await? {
            found.push(events::event(row)?);
        }
    }
    Ok(found)
}

/// Where in a room's timeline a thread last went on, for those of the rooms that have threads.
pub async fn list_last_thread_orders(db: &Database, rooms: &[Id]) -> Result<Vec<(Id, i64)>, Error> {
    let mut found = Vec::new();
    for chunk in rooms.chunks(ID_CHUNK) {
        let (marks, values) = id_list(chunk);
        let sql = format!(
            "SELECT room, MAX(last_order) FROM threads WHERE room IN ({marks}) GROUP BY room"
        );
        for row in &query_all(db.read(), &sql, values).await? {
            found.push((row.get(0)?, row.get(1)?));
        }
    }
    Ok(found)
}
