//! Reading rooms, memberships and snapshots.

use std::sync::Arc;

use super::{Database, Error, Id, Position, Row, Topic, execute, query_all, query_one, values};

/// A room's row.
#[derive(Debug, Clone)]
pub struct StoredRoom {
    pub id: Id,
    pub room_id: String,
    pub version: String,
    /// `None`: known by an invite or a knock only, this server is not in it.
    pub snapshot: Option<Id>,
    /// What `snapshot` was made from, where no event stands on that yet.
    pub standing_snapshot: Option<Id>,
    /// Packed ids.
    pub extremities: Vec<u8>,
    pub last_order: i64,
    pub first_order: i64,
    pub countable: i64,
}

pub(super) const ROOM: &str = "SELECT id, room_id, version, snapshot, extremities, last_order, first_order, countable, \
     standing_snapshot FROM rooms";

pub(super) fn room(row: &Row) -> Result<StoredRoom, Error> {
    Ok(StoredRoom {
        id: row.get(0)?,
        room_id: row.get(1)?,
        version: row.get(2)?,
        snapshot: row.get(3)?,
        extremities: row.get::<Option<Vec<u8>>>(4)?.unwrap_or_default(),
        last_order: row.get(5)?,
        first_order: row.get(6)?,
        countable: row.get(7)?,
        standing_snapshot: row.get(8)?,
    })
}

/// The room with this id as text.
pub async fn find_room(db: &Database, room_id: &str) -> Result<Option<StoredRoom>, Error> {
    query_one(db.read(), &format!("{ROOM} WHERE room_id = $1"), values![room_id])
        .await?
        .map(|row| room(&row))
        .transpose()
}

/// The room with this interned id.
pub async fn find_room_by_id(db: &Database, id: Id) -> Result<Option<StoredRoom>, Error> {
    query_one(db.read(), &format!("{ROOM} WHERE id = $1"), values![id])
        .await?
        .map(|row| room(&row))
        .transpose()
}

/// Up to `limit` rooms with an interned id above `after`, by it.
pub async fn list_rooms_after(
    db: &Database,
    after: Id,
    limit: u64,
) -> Result<Vec<StoredRoom>, Error> {
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let sql = format!("{ROOM} WHERE id > $1 ORDER BY id LIMIT ($2 + 0)");
    query_all(db.read(), &sql, values![after, limit]).await?.iter().map(room).collect()
}

/// A snapshot's row: id, version, parent, packed delta.
#[derive(Debug, Clone)]
pub struct StoredSnapshot {
    pub id: Id,
    pub version: i64,
    pub parent: Option<Id>,
    pub delta: Vec<u8>,
}

/// The snapshot with this id.
pub async fn find_snapshot(db: &Database, id: Id) -> Result<Option<StoredSnapshot>, Error> {
    const FIND: &str = "SELECT id, version, parent, delta FROM state_snapshots WHERE id = $1";
    query_one(db.read(), FIND, values![id]).await?.as_ref().map(snapshot).transpose()
}

/// How many snapshots there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SnapshotCounts {
    pub all: u64,
    /// Those that nothing refers to.
    pub idle: u64,
    /// Those that something refers to and that are not there.
    pub missing: u64,
}

/// Counts snapshots. Reads all events: for tools.
pub async fn count_snapshots(db: &Database) -> Result<SnapshotCounts, Error> {
    const REFERRED: &str = "SELECT state_before AS id FROM events UNION SELECT state_after FROM events UNION \
         SELECT snapshot FROM rooms UNION SELECT standing_snapshot FROM rooms UNION SELECT parent FROM state_snapshots";
    let count = async |sql: &str| {
        let row =
            query_one(db.read(), sql, vec![]).await?.ok_or(Error::Damaged { what: "count" })?;
        Ok::<u64, Error>(row.get::<i64>(0)?.unsigned_abs())
    };
    let of = format!("({REFERRED}) AS referred");
    Ok(SnapshotCounts {
        all: count("SELECT COUNT(*) FROM state_snapshots").await?,
        idle: count(&format!("SELECT COUNT(*) FROM state_snapshots s LEFT JOIN {of} ON referred.id = s.id WHERE referred.id IS NULL")).await?,
        missing: count(&format!("SELECT COUNT(*) FROM {of} LEFT JOIN state_snapshots s ON s.id = referred.id \
             WHERE s.id IS NULL AND referred.id IS NOT NULL")).await?,
    })
}

pub(super) fn snapshot(row: &Row) -> Result<StoredSnapshot, Error> {
    Ok(StoredSnapshot {
        id: row.get(0)?,
        version: row.get(1)?,
        parent: row.get(2)?,
        delta: row.get(3)?,
    })
}

/// A user's standing in a room.
#[derive(Debug, Clone)]
pub struct StoredMembership {
    pub user: Id,
    pub user_id: String,
    pub room: Id,
    pub room_id: String,
    pub membership: String,
    pub event: Id,
    pub position: Position,
    pub stripped_state: Option<Vec<u8>>,
    pub forgotten: bool,
}

pub(super) const MEMBERSHIP: &str = "SELECT m.user_id, u.user_id, m.room, r.room_id, m.membership, m.event, m.position, \
     m.stripped_state, m.forgotten FROM memberships m JOIN users u ON u.id = m.user_id JOIN rooms r ON r.id = m.room";

pub(super) fn membership(row: &Row) -> Result<StoredMembership, Error> {
    Ok(StoredMembership {
        user: row.get(0)?,
        user_id: row.get(1)?,
        room: row.get(2)?,
        room_id: row.get(3)?,
        membership: row.get(4)?,
        event: row.get(5)?,
        position: row.get(6)?,
        stripped_state: row.get(7)?,
        forgotten: row.get::<i64>(8)? != 0,
    })
}

/// Everybody's standing in a room, ordered by interned user. No limit: the room is loaded whole.
pub async fn list_members(db: &Database, room: Id) -> Result<Vec<StoredMembership>, Error> {
    let sql = format!("{MEMBERSHIP} WHERE m.room = $1 ORDER BY m.user_id");
    query_all(db.read(), &sql, values![room]).await?.iter().map(membership).collect()
}

/// A user's standing in all rooms, forgotten ones too, ordered by position. No limit: a user's rooms are loaded whole.
pub async fn list_memberships(db: &Database, user: Id) -> Result<Vec<StoredMembership>, Error> {
    let sql = format!("{MEMBERSHIP} WHERE m.user_id = $1 ORDER BY m.position");
    query_all(db.read(), &sql, values![user]).await?.iter().map(membership).collect()
}

/// The rooms that somebody else took a user out of, by a kick or a ban, except forgotten ones. No limit: as
/// [`list_memberships`].
pub async fn list_removals(db: &Database, user: Id) -> Result<Vec<Id>, Error> {
    const LIST: &str = "SELECT m.room FROM memberships m JOIN events e ON e.id = m.event WHERE m.user_id = $1 \
         AND m.membership IN ('leave', 'ban') AND m.forgotten = 0 AND e.sender <> $1 ORDER BY m.room";
    query_all(db.read(), LIST, values![user]).await?.iter().map(|row| row.get(0)).collect()
}

/// A user's standing in one room.
pub async fn find_membership(
    db: &Database,
    user: Id,
    room: Id,
) -> Result<Option<StoredMembership>, Error> {
    let sql = format!("{MEMBERSHIP} WHERE m.user_id = $1 AND m.room = $2");
    query_one(db.read(), &sql, values![user, room]).await?.as_ref().map(membership).transpose()
}

/// Hides a left room from its user's lists.
pub async fn forget_room(db: &Database, user: Id, room: Id) -> Result<(), Error> {
    const FORGET: &str = "UPDATE memberships SET forgotten = 1 WHERE user_id = $1 AND room = $2";
    db.write(move |txn| {
        Box::pin(async move {
            txn.next_position_of(Topic::Memberships(user));
            execute(txn.db(), FORGET, values![user, room]).await.map(|_| ())
        })
    })
    .await
}

/// The room an alias of this server stands for, and its creator.
pub async fn find_alias(db: &Database, alias: &str) -> Result<Option<(String, Id)>, Error> {
    const FIND: &str = "SELECT room_id, creator FROM aliases WHERE alias = $1";
    let Some(row) = query_one(db.read(), FIND, values![alias]).await? else { return Ok(None) };
    Ok(Some((row.get(0)?, row.get(1)?)))
}

/// This server's aliases of a room, in order, at most 1,000.
pub async fn list_aliases(db: &Database, room_id: &str) -> Result<Vec<String>, Error> {
    const LIST: &str = "SELECT alias FROM aliases WHERE room_id = $1 ORDER BY alias LIMIT 1000";
    query_all(db.read(), LIST, values![room_id]).await?.iter().map(|row| row.get(0)).collect()
}

/// Adds an alias; `false` when it is taken.
pub async fn insert_alias(
    db: &Database,
    alias: &str,
    room_id: &str,
    creator: Id,
) -> Result<bool, Error> {
    const INSERT: &str =
        "INSERT INTO aliases (alias, room_id, creator) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING";
    let row = values![alias, room_id, creator];
    db.write(move |txn| Box::pin(async move { Ok(execute(txn.db(), INSERT, row).await? == 1) }))
        .await
}

/// Makes all of this server's aliases of a room lead to another.
pub async fn update_aliases_room(db: &Database, old: &str, new: &str) -> Result<(), Error> {
    const MOVE: &str = "UPDATE aliases SET room_id = $1 WHERE room_id = $2";
    let row = values![new, old];
    db.write(move |txn| Box::pin(async move { execute(txn.db(), MOVE, row).await.map(|_| ()) }))
        .await
}

/// Removes an alias.
pub async fn delete_alias(db: &Database, alias: &str) -> Result<(), Error> {
    let row = values![alias];
    db.write(move |txn| {
        Box::pin(async move {
            execute(txn.db(), "DELETE FROM aliases WHERE alias = $1", row).await.map(|_| ())
        })
    })
    .await
}

/// Puts a room in the public directory or takes it out.
pub async fn set_in_directory(db: &Database, room: Id, listed: bool) -> Result<(), Error> {
    let row = values![i64::from(listed), room];
    db.write(move |txn| {
        Box::pin(async move {
            execute(txn.db(), "UPDATE rooms SET in_directory = $1 WHERE id = $2", row)
                .await
                .map(|_| ())
        })
    })
    .await
}

/// Whether a room is in the public directory.
pub async fn is_in_directory(db: &Database, room: Id) -> Result<bool, Error> {
    let row =
        query_one(db.read(), "SELECT in_directory FROM rooms WHERE id = $1", values![room]).await?;
    Ok(row.map(|row| row.get::<i64>(0)).transpose()?.unwrap_or_default() != 0)
}

/// The rooms in the public directory, as text, at most `limit`.
pub async fn list_directory(db: &Database, limit: u64) -> Result<Vec<Arc<str>>, Error> {
    const LIST: &str =
        "SELECT room_id FROM rooms WHERE in_directory = 1 ORDER BY id LIMIT ($1 + 0)";
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    query_all(db.read(), LIST, values![limit])
        .await?
        .iter()
        .map(|row| Ok(row.get::<String>(0)?.into()))
        .collect()
}
