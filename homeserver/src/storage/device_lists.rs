//! Whose devices changed when, who has to know, and the copies of remote users' lists.

use sea_orm::ConnectionTrait;

use super::{Error, Id, Position, Topic, Txn, execute, query_all, query_one, values};

/// Most users one device list delta names; a client further behind is told the oldest first.
pub const USERS_MAX: i64 = 100_000;

/// A change of a user of ours that other servers were not told yet.
#[derive(Debug, Clone)]
pub struct OwedChange {
    pub user: Id,
    /// Empty for cross-signing keys.
    pub device_id: String,
    pub position: Position,
}

/// The copy of a remote user's device list.
#[derive(Debug, Clone, Copy)]
pub struct RemoteList {
    /// Their server's newest stream id that is in the copy.
    pub stream_id: i64,
    /// Our position when the copy was made.
    pub position: Position,
    /// An update was missed.
    pub stale: bool,
}

/// Two users share a room now: `$1` and the user in the column.
const SHARING: &str = "EXISTS (SELECT 1 FROM memberships a JOIN memberships b ON b.room = a.room \
     WHERE a.user_id = $1 AND a.membership = 'join' AND b.membership = 'join' AND b.user_id = ";

/// `user`'s device (or, with an empty id, cross-signing keys) changed. `announced`: other servers need not be told.
pub async fn insert_change(
    txn: &Txn,
    user: Id,
    device_id: &str,
    announced: bool,
) -> Result<Position, Error> {
    const UPSERT: &str = "INSERT INTO device_list_changes (user_id, device_id, position, announced) VALUES ($1, $2, $3, $4) \
         ON CONFLICT (user_id, device_id) DO UPDATE SET position = excluded.position, announced = excluded.announced";
    let position = txn.next_position_of(Topic::DeviceLists);
    execute(txn.db(), UPSERT, values![user, device_id, position, i64::from(announced)]).await?;
    Ok(position)
}

/// Changes not announced yet, oldest first.
pub async fn list_owed_changes(
    db: &impl ConnectionTrait,
    limit: i64,
) -> Result<Vec<OwedChange>, Error> {
    const LIST: &str = "SELECT user_id, device_id, position FROM device_list_changes WHERE announced = 0 \
         ORDER BY position LIMIT ($1 + 0)";
    query_all(db, LIST, values![limit])
        .await?
        .iter()
        .map(|row| {
            Ok(OwedChange { user: row.get(0)?, device_id: row.get(1)?, position: row.get(2)? })
        })
        .collect()
}

/// Marks a change as announced; false when somebody else did, or a newer change took its place.
pub async fn update_announced(txn: &Txn, change: &OwedChange) -> Result<bool, Error> {
    const UPDATE: &str = "UPDATE device_list_changes SET announced = 1 WHERE user_id = $1 AND device_id = $2 \
         AND position = $3 AND announced = 0";
    let key = values![change.user, change.device_id.as_str(), change.position];
    Ok(execute(txn.db(), UPDATE, key).await? > 0)
}

/// The stream id last sent to other servers for our user.
pub async fn find_stream_id(db: &impl ConnectionTrait, user: Id) -> Result<Option<i64>, Error> {
    const FIND: &str = "SELECT stream_id FROM device_list_streams WHERE user_id = $1";
    query_one(db, FIND, values![user]).await?.map(|row| row.get(0)).transpose()
}

/// Sets the stream id last sent for our user.
pub async fn upsert_stream_id(txn: &Txn, user: Id, stream_id: i64) -> Result<(), Error> {
    const UPSERT: &str = "INSERT INTO device_list_streams (user_id, stream_id) VALUES ($1, $2) \
         ON CONFLICT (user_id) DO UPDATE SET stream_id = excluded.stream_id";
    execute(txn.db(), UPSERT, values![user, stream_id]).await?;
    Ok(())
}

/// Users whose newest change lies in `(from, to]`, whoever they are, in order of change.
pub async fn list_changed_users(
    db: &impl ConnectionTrait,
    from: Position,
    to: Position,
) -> Result<Vec<Id>, Error> {
    const LIST: &str = "SELECT user_id FROM device_list_changes WHERE position > $1 AND position <= $2 \
         GROUP BY user_id ORDER BY MAX(position) LIMIT ($3 + 0)";
    ids(db, LIST, values![from, to, USERS_MAX]).await
}

/// Users that `user` must look at again: changed in `(from, to]` and sharing a room (or `user`), signed by `user`, or
/// sharing a room since. Of a room that `user` has just joined that is everybody, `user` too.
pub async fn list_changed_for(
    db: &impl ConnectionTrait,
    user: Id,
    from: Position,
    to: Position,
) -> Result<Vec<Id>, Error> {
    let sql = format!(
        "SELECT user_id FROM device_list_changes c WHERE c.position > $2 AND c.position <= $3 \
             AND (c.user_id = $1 OR {SHARING} c.user_id)) \
         UNION SELECT target_user FROM signature_changes WHERE signer = $1 AND position > $2 AND position <= $3 \
         UNION SELECT b.user_id FROM memberships a JOIN memberships b ON b.room = a.room \
             WHERE a.user_id = $1 AND a.membership = 'join' AND a.since > $2 AND a.since <= $3 \
             AND b.membership = 'join' \
         UNION SELECT b.user_id FROM memberships a JOIN memberships b ON b.room = a.room \
             WHERE a.user_id = $1 AND a.membership = 'join' AND b.since > $2 AND b.since <= $3 \
             AND b.membership = 'join' AND b.user_id <> $1 \
         ORDER BY 1 LIMIT ($4 + 0)"
    );
    ids(db, &sql, values![user, from, to, USERS_MAX]).await
}

/// Users that `user` shared a room with until `(from, to]` and shares none with now.
pub async fn list_left_for(
    db: &impl ConnectionTrait,
    user: Id,
    from: Position,
    to: Position,
) -> Result<Vec<Id>, Error> {
    let sql = format!(
        "SELECT gone FROM ( \
             SELECT m2.user_id AS gone FROM memberships m1 JOIN memberships m2 ON m2.room = m1.room \
             WHERE m1.user_id = $1 AND m1.membership IN ('leave', 'ban') AND m1.since > $2 AND m1.since <= $3 \
             AND (m2.membership = 'join' OR (m2.membership IN ('leave', 'ban') AND m2.since > $2)) \
             UNION SELECT m2.user_id AS gone FROM memberships m1 JOIN memberships m2 ON m2.room = m1.room \
             WHERE m1.user_id = $1 AND m1.membership = 'join' \
             AND m2.membership IN ('leave', 'ban') AND m2.since > $2 AND m2.since <= $3 \
         ) g WHERE gone <> $1 AND NOT {SHARING} g.gone) ORDER BY gone LIMIT ($4 + 0)"
    );
    ids(db, &sql, values![user, from, to, USERS_MAX]).await
}

/// Users who share a room with `user` now, `user` included if joined anywhere, in order of id.
pub async fn list_users_sharing_rooms(
    db: &impl ConnectionTrait,
    user: Id,
) -> Result<Vec<(Id, String)>, Error> {
    const LIST: &str = "SELECT DISTINCT u.id, u.user_id FROM memberships a JOIN memberships b ON b.room = a.room \
         JOIN users u ON u.id = b.user_id WHERE a.user_id = $1 AND a.membership = 'join' AND b.membership = 'join' \
         ORDER BY u.id LIMIT ($2 + 0)";
    query_all(db, LIST, values![user, USERS_MAX])
        .await?
        .iter()
        .map(|row| Ok((row.get(0)?, row.get(1)?)))
        .collect()
}

/// Whether both users have been in one room since `since` without a break.
pub async fn have_shared_since(
    db: &impl ConnectionTrait,
    user: Id,
    other: Id,
    since: Position,
) -> Result<bool, Error> {
    const FIND: &str = "SELECT 1 FROM memberships a JOIN memberships b ON b.room = a.room WHERE a.user_id = $1 \
         AND a.membership = 'join' AND a.since <= $3 AND b.user_id = $2 AND b.membership = 'join' \
         AND b.since <= $3 LIMIT 1";
    Ok(query_one(db, FIND, values![user, other, since]).await?.is_some())
}

/// Whether both users share a room now.
pub async fn share_a_room(db: &impl ConnectionTrait, user: Id, other: Id) -> Result<bool, Error> {
    have_shared_since(db, user, other, Position::MAX).await
}

/// The copy of a remote user's list, if there is one.
pub async fn find_remote_list(
    db: &impl ConnectionTrait,
    user: Id,
) -> Result<Option<RemoteList>, Error> {
    const FIND: &str =
        "SELECT stream_id, position, stale FROM remote_device_lists WHERE user_id = $1";
    let Some(row) = query_one(db, FIND, values![user]).await? else { return Ok(None) };
    let stale: i64 = row.get(2)?;
    Ok(Some(RemoteList { stream_id: row.get(0)?, position: row.get(1)?, stale: stale != 0 }))
}

/// Stores or replaces what is known of a copy.
pub async fn upsert_remote_list(txn: &Txn, user: Id, list: RemoteList) -> Result<(), Error> {
    const UPSERT: &str = "INSERT INTO remote_device_lists (user_id, stream_id, position, stale) VALUES ($1, $2, $3, $4) \
         ON CONFLICT (user_id) DO UPDATE SET stream_id = excluded.stream_id, position = excluded.position, \
         stale = excluded.stale";
    let row = values![user, list.stream_id, list.position, i64::from(list.stale)];
    execute(txn.db(), UPSERT, row).await?;
    Ok(())
}

/// Forgets the copy of a remote user's list (not the keys).
pub async fn delete_remote_list(txn: &Txn, user: Id) -> Result<(), Error> {
    execute(txn.db(), "DELETE FROM remote_device_lists WHERE user_id = $1", values![user]).await?;
    Ok(())
}

/// Remote users whose copy missed an update, in order of id.
pub async fn list_stale_users(
    db: &impl ConnectionTrait,
    after: Id,
    limit: i64,
) -> Result<Vec<(Id, String)>, Error> {
    const LIST: &str = "SELECT r.user_id, u.user_id FROM remote_device_lists r JOIN users u ON u.id = r.user_id \
         WHERE r.stale = 1 AND r.user_id > $1 ORDER BY r.user_id LIMIT ($2 + 0)";
    query_all(db, LIST, values![after, limit])
        .await?
        .iter()
        .map(|row| Ok((row.get(0)?, row.get(1)?)))
        .collect()
}

async fn ids(
    db: &impl ConnectionTrait,
    sql: &str,
    values: Vec<sea_orm::Value>,
) -> Result<Vec<Id>, Error> {
    query_all(db, sql, values).await?.iter().map(|row| row.get(0)).collect()
}
