//! Room keys that clients back up, encrypted by them. Etag and count change in the commit that changes the keys.

use sea_orm::{ConnectionTrait, Value};

use super::{
    Database, Error, Id, Txn, execute, query_all, query_one, retention::delete_in_pieces, values,
};

/// A backup version.
#[derive(Debug, Clone)]
pub struct StoredBackup {
    pub version: i64,
    pub algorithm: String,
    /// A JSON object.
    pub auth_data: String,
    pub etag: i64,
    pub count: i64,
}

/// A backed-up session. The three fields before `json` are copies out of it, for the merge rule.
#[derive(Debug, Clone)]
pub struct StoredSession {
    pub room_id: String,
    pub session_id: String,
    pub first_message_index: i64,
    pub forwarded_count: i64,
    pub is_verified: bool,
    pub json: String,
}

/// Which sessions of a backup are meant: all, a room's, or one.
#[derive(Debug, Clone, Copy, Default)]
pub struct SessionFilter<'a> {
    pub room_id: Option<&'a str>,
    pub session_id: Option<&'a str>,
}

/// The newest version, or the given one; never a deleted one.
pub async fn find_backup(
    db: &impl ConnectionTrait,
    user: Id,
    version: Option<i64>,
) -> Result<Option<StoredBackup>, Error> {
    const FIND: &str = "SELECT version, algorithm, auth_data, etag, count FROM key_backups WHERE user_id = $1 \
         AND deleted = 0 AND ($2 < 0 OR version = $2) ORDER BY version DESC LIMIT 1";
    let Some(row) = query_one(db, FIND, values![user, version.unwrap_or(-1)]).await? else {
        return Ok(None);
    };
    Ok(Some(StoredBackup {
        version: row.get(0)?,
        algorithm: row.get(1)?,
        auth_data: row.get(2)?,
        etag: row.get(3)?,
        count: row.get(4)?,
    }))
}

/// Makes a new version; its number was never used before for this user.
pub async fn insert_backup(
    txn: &Txn,
    user: Id,
    algorithm: &str,
    auth_data: &str,
) -> Result<i64, Error> {
    const NEXT: &str = "SELECT MAX(version) FROM key_backups WHERE user_id = $1";
    const INSERT: &str =
        "INSERT INTO key_backups (user_id, version, algorithm, auth_data) VALUES ($1, $2, $3, $4)";
    let row = query_one(txn.db(), NEXT, values![user]).await?;
    let newest: Option<i64> = row.map(|row| row.get(0)).transpose()?.flatten();
    let version = newest.unwrap_or(0) + 1;
    execute(txn.db(), INSERT, values![user, version, algorithm, auth_data]).await?;
    Ok(version)
}

/// Replaces a version's auth data.
pub async fn update_auth_data(
    txn: &Txn,
    user: Id,
    version: i64,
    auth_data: &str,
) -> Result<(), Error> {
    const UPDATE: &str =
        "UPDATE key_backups SET auth_data = $3 WHERE user_id = $1 AND version = $2 AND deleted = 0";
    execute(txn.db(), UPDATE, values![user, version, auth_data]).await?;
    Ok(())
}

/// Deletes a version; its number stays taken. False when there was none. Its sessions, which nobody can get at any more, are for
/// [`forget_backup`].
pub async fn delete_backup(txn: &Txn, user: Id, version: i64) -> Result<bool, Error> {
    const DELETE: &str = "UPDATE key_backups SET deleted = 1, auth_data = '{}', count = 0 \
         WHERE user_id = $1 AND version = $2 AND deleted = 0";
    Ok(execute(txn.db(), DELETE, values![user, version]).await? > 0)
}

/// Deletes the sessions of a deleted version, in pieces: there may be a hundred thousand.
pub async fn forget_backup(db: &Database, user: Id, version: i64) -> Result<(), Error> {
    let condition = "user_id = $1 AND version = $2";
    delete_in_pieces(db, "key_backup_sessions", condition, values![user, version]).await?;
    Ok(())
}

/// The sessions that `filter` means, in order of room and session.
pub async fn list_sessions(
    db: &impl ConnectionTrait,
    user: Id,
    version: i64,
    filter: SessionFilter<'_>,
) -> Result<Vec<StoredSession>, Error> {
    let (condition, values) = filtered(user, version, filter);
    let sql = format!(
        "SELECT room_id, session_id, first_message_index, forwarded_count, is_verified, json \
         FROM key_backup_sessions WHERE {condition} ORDER BY room_id, session_id"
    );
    query_all(db, &sql, values)
        .await?
        .iter()
        .map(|row| {
            let is_verified: i64 = row.get(4)?;
            Ok(StoredSession {
                room_id: row.get(0)?,
                session_id: row.get(1)?,
                first_message_index: row.get(2)?,
                forwarded_count: row.get(3)?,
                is_verified: is_verified != 0,
                json: row.get(5)?,
            })
        })
        .collect()
}

/// Stores or replaces a session.
pub async fn upsert_session(
    txn: &Txn,
    user: Id,
    version: i64,
    session: &StoredSession,
) -> Result<(), Error> {
    const UPSERT: &str = "INSERT INTO key_backup_sessions (user_id, version, room_id, session_id, first_message_index, \
         forwarded_count, is_verified, json) VALUES ($1, $2, $3, $4, $5, $6, $7, $8) \
         ON CONFLICT (user_id, version, room_id, session_id) DO UPDATE SET \
         first_message_index = excluded.first_message_index, forwarded_count = excluded.forwarded_count, \
         is_verified = excluded.is_verified, json = excluded.json";
    let row = values![
        user,
        version,
        session.room_id.as_str(),
        session.session_id.as_str(),
        session.first_message_index,
        session.forwarded_count,
        i64::from(session.is_verified),
        session.json.as_str()
    ];
    execute(txn.db(), UPSERT, row).await?;
    Ok(())
}

/// Deletes the sessions that `filter` means and tells how many there were.
pub async fn delete_sessions(
    txn: &Txn,
    user: Id,
    version: i64,
    filter: SessionFilter<'_>,
) -> Result<u64, Error> {
    let (condition, values) = filtered(user, version, filter);
    execute(txn.db(), &format!("DELETE FROM key_backup_sessions WHERE {condition}"), values).await
}

/// Moves the etag on and the count by `difference`.
pub async fn update_count(txn: &Txn, user: Id, version: i64, difference: i64) -> Result<(), Error> {
    const UPDATE: &str = "UPDATE key_backups SET etag = etag + 1, count = count + $3 WHERE user_id = $1 AND version = $2";
    execute(txn.db(), UPDATE, values![user, version, difference]).await?;
    Ok(())
}

fn filtered(user: Id, version: i64, filter: SessionFilter<'_>) -> (&'static str, Vec<Value>) {
    match (filter.room_id, filter.session_id) {
        (Some(room_id), Some(session_id)) => (
            "user_id = $1 AND version = $2 AND room_id = $3 AND session_id = $4",
            values![user, version, room_id, session_id],
        ),
        (Some(room_id), None) => {
            ("user_id = $1 AND version = $2 AND room_id = $3", values![user, version, room_id])
        }
        (None, _) => ("user_id = $1 AND version = $2", values![user, version]),
    }
}
