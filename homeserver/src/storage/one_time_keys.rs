//! One-time keys, each given out once, and the fallback keys behind them.

use sea_orm::ConnectionTrait;

use super::{Error, Id, Topic, Txn, execute, insert, query_all, query_one, values};

/// A key to store or as claimed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredKey {
    pub algorithm: String,
    /// The part of the key id after the algorithm.
    pub key_id: String,
    pub json: String,
}

/// The device whose keys are meant. `epoch` is [`super::Database::epoch`].
#[derive(Debug, Clone, Copy)]
pub struct Owner<'a> {
    pub user: Id,
    pub device_id: &'a str,
    pub epoch: &'a str,
}

/// The stored one-time key with this id.
pub async fn find_one_time_key(
    db: &impl ConnectionTrait,
    owner: Owner<'_>,
    algorithm: &str,
    key_id: &str,
) -> Result<Option<String>, Error> {
    const FIND: &str = "SELECT json FROM one_time_keys WHERE user_id = $1 AND device_id = $2 AND algorithm = $3 \
         AND key_id = $4 AND epoch = $5";
    let key = values![owner.user, owner.device_id, algorithm, key_id, owner.epoch];
    query_one(db, FIND, key).await?.map(|row| row.get(0)).transpose()
}

/// Adds keys that are not there yet; keys of an older epoch go.
pub async fn insert_one_time_keys(
    txn: &Txn,
    owner: Owner<'_>,
    keys: &[StoredKey],
) -> Result<(), Error> {
    const FORGET: &str =
        "DELETE FROM one_time_keys WHERE user_id = $1 AND device_id = $2 AND epoch <> $3";
    execute(txn.db(), FORGET, values![owner.user, owner.device_id, owner.epoch]).await?;
    let position = txn.next_position_of(Topic::Keys(owner.user));
    let rows = keys
        .iter()
        .map(|key| {
            values![
                owner.user,
                owner.device_id,
                key.algorithm.as_str(),
                key.key_id.as_str(),
                owner.epoch,
                position,
                key.json.as_str()
            ]
        })
        .collect();
    let columns = "one_time_keys (user_id, device_id, algorithm, key_id, epoch, position, json)";
    insert(txn.db(), columns, "", rows).await
}

/// How many one-time keys of each algorithm are left, in order of algorithm.
pub async fn count_one_time_keys(
    db: &impl ConnectionTrait,
    owner: Owner<'_>,
) -> Result<Vec<(String, i64)>, Error> {
    const COUNT: &str = "SELECT algorithm, COUNT(*) FROM one_time_keys WHERE user_id = $1 AND device_id = $2 \
         AND epoch = $3 GROUP BY algorithm ORDER BY algorithm";
    query_all(db, COUNT, values![owner.user, owner.device_id, owner.epoch])
        .await?
        .iter()
        .map(|row| Ok((row.get(0)?, row.get(1)?)))
        .collect()
}

/// Takes the oldest one-time key out of the store; it is never given out again.
pub async fn claim_one_time_key(
    txn: &Txn,
    owner: Owner<'_>,
    algorithm: &str,
) -> Result<Option<StoredKey>, Error> {
    const CLAIM: &str = "DELETE FROM one_time_keys WHERE user_id = $1 AND device_id = $2 AND algorithm = $3 AND key_id = ( \
         SELECT key_id FROM one_time_keys WHERE user_id = $1 AND device_id = $2 AND algorithm = $3 AND epoch = $4 \
         ORDER BY position, key_id LIMIT 1) RETURNING key_id, json";
    let key = values![owner.user, owner.device_id, algorithm, owner.epoch];
    claimed(query_one(txn.db(), CLAIM, key).await?.as_ref(), algorithm)
}

/// The fallback key, marked as used.
pub async fn claim_fallback_key(
    txn: &Txn,
    owner: Owner<'_>,
    algorithm: &str,
) -> Result<Option<StoredKey>, Error> {
    const CLAIM: &str = "UPDATE fallback_keys SET used = 1 WHERE user_id = $1 AND device_id = $2 AND algorithm = $3 \
         RETURNING key_id, json";
    let key = values![owner.user, owner.device_id, algorithm];
    claimed(query_one(txn.db(), CLAIM, key).await?.as_ref(), algorithm)
}

fn claimed(row: Option<&super::Row>, algorithm: &str) -> Result<Option<StoredKey>, Error> {
    row.map(|row| {
        Ok(StoredKey { algorithm: algorithm.to_owned(), key_id: row.get(0)?, json: row.get(1)? })
    })
    .transpose()
}

/// Stores or replaces the fallback key of an algorithm. The same key again stays as used as it was.
pub async fn upsert_fallback_key(
    txn: &Txn,
    owner: Owner<'_>,
    key: &StoredKey,
) -> Result<(), Error> {
    const UPSERT: &str = "INSERT INTO fallback_keys (user_id, device_id, algorithm, key_id, used, json) \
         VALUES ($1, $2, $3, $4, 0, $5) ON CONFLICT (user_id, device_id, algorithm) DO UPDATE SET \
         used = CASE WHEN fallback_keys.key_id = excluded.key_id AND fallback_keys.json = excluded.json \
         THEN fallback_keys.used ELSE 0 END, key_id = excluded.key_id, json = excluded.json";
    let row = values![
        owner.user,
        owner.device_id,
        key.algorithm.as_str(),
        key.key_id.as_str(),
        key.json.as_str()
    ];
    txn.next_position_of(Topic::Keys(owner.user));
    execute(txn.db(), UPSERT, row).await?;
    Ok(())
}

/// Algorithms whose fallback key was not given out yet, in order.
pub async fn list_unused_fallback_types(
    db: &impl ConnectionTrait,
    user: Id,
    device_id: &str,
) -> Result<Vec<String>, Error> {
    const LIST: &str = "SELECT algorithm FROM fallback_keys WHERE user_id = $1 AND device_id = $2 AND used = 0 \
         ORDER BY algorithm";
    query_all(db, LIST, values![user, device_id]).await?.iter().map(|row| row.get(0)).collect()
}

/// Forgets all of a device's one-time and fallback keys: its identity changed.
pub async fn delete_one_time_keys(txn: &Txn, user: Id, device_id: &str) -> Result<(), Error> {
    txn.next_position_of(Topic::Keys(user));
    for table in ["one_time_keys", "fallback_keys"] {
        let sql = format!("DELETE FROM {table} WHERE user_id = $1 AND device_id = $2");
        execute(txn.db(), &sql, values![user, device_id]).await?;
    }
    Ok(())
}
