//! Device identity keys, of our users and copies of remote users'.

use sea_orm::ConnectionTrait;

use super::{Error, Id, Txn, device_lists::insert_change, execute, query_all, query_one, values};

/// Most devices of one user that a list gives.
pub const DEVICES_MAX: i64 = 1_000;

/// A device that has keys.
#[derive(Debug, Clone)]
pub struct StoredDeviceKeys {
    pub device_id: String,
    /// The keys as canonical JSON, without `unsigned`.
    pub json: String,
    pub display_name: Option<String>,
}

/// The keys of one device.
pub async fn find_device_keys(
    db: &impl ConnectionTrait,
    user: Id,
    device_id: &str,
) -> Result<Option<String>, Error> {
    const FIND: &str = "SELECT json FROM device_keys WHERE user_id = $1 AND device_id = $2";
    query_one(db, FIND, values![user, device_id]).await?.map(|row| row.get(0)).transpose()
}

/// All devices of `user` that have keys, in order of device id, at most [`DEVICES_MAX`].
pub async fn list_device_keys(
    db: &impl ConnectionTrait,
    user: Id,
) -> Result<Vec<StoredDeviceKeys>, Error> {
    const LIST: &str = "SELECT k.device_id, k.json, COALESCE(d.display_name, k.display_name) \
         FROM device_keys k LEFT JOIN devices d ON d.user_id = k.user_id AND d.device_id = k.device_id \
         WHERE k.user_id = $1 ORDER BY k.device_id LIMIT ($2 + 0)";
    query_all(db, LIST, values![user, DEVICES_MAX])
        .await?
        .iter()
        .map(|row| {
            Ok(StoredDeviceKeys {
                device_id: row.get(0)?,
                json: row.get(1)?,
                display_name: row.get(2)?,
            })
        })
        .collect()
}

/// Stores or replaces a device's keys.
pub async fn upsert_device_keys(
    txn: &Txn,
    user: Id,
    device_id: &str,
    json: &str,
    display_name: Option<&str>,
) -> Result<(), Error> {
    const UPSERT: &str = "INSERT INTO device_keys (user_id, device_id, json, display_name) VALUES ($1, $2, $3, $4) \
         ON CONFLICT (user_id, device_id) DO UPDATE SET json = excluded.json, display_name = excluded.display_name";
    execute(txn.db(), UPSERT, values![user, device_id, json, display_name]).await?;
    Ok(())
}

/// Deletes one device's identity keys.
pub async fn delete_device_keys(txn: &Txn, user: Id, device_id: &str) -> Result<(), Error> {
    const DELETE: &str = "DELETE FROM device_keys WHERE user_id = $1 AND device_id = $2";
    execute(txn.db(), DELETE, values![user, device_id]).await?;
    Ok(())
}

/// Deletes all copies of a remote user's device keys.
pub async fn delete_all_device_keys(txn: &Txn, user: Id) -> Result<(), Error> {
    execute(txn.db(), "DELETE FROM device_keys WHERE user_id = $1", values![user]).await?;
    Ok(())
}

/// The interned ids and device ids of our user's devices, in order of id: all, or the named one.
pub async fn list_devices(
    db: &impl ConnectionTrait,
    user: Id,
    device_id: Option<&str>,
) -> Result<Vec<(Id, String)>, Error> {
    const ONE: &str = "SELECT id, device_id FROM devices WHERE user_id = $1 AND device_id = $2";
    const ALL: &str =
        "SELECT id, device_id FROM devices WHERE user_id = $1 ORDER BY id LIMIT ($2 + 0)";
    let rows = match device_id {
        Some(device_id) => query_all(db, ONE, values![user, device_id]).await?,
        None => query_all(db, ALL, values![user, DEVICES_MAX]).await?,
    };
    rows.iter().map(|row| Ok((row.get(0)?, row.get(1)?))).collect()
}

/// Forgets what deleted devices of our user left here: keys of every device that is no more, signatures upon and by it, and
/// the messages that waited for `devices`. Their deletion goes into the device list's log. After the commit:
/// `messaging::keys::announce`.
pub async fn delete_gone_devices(txn: &Txn, user: Id, devices: &[Id]) -> Result<(), Error> {
    const GONE: &str = "SELECT device_id FROM device_keys WHERE user_id = $1 AND device_id NOT IN \
         (SELECT device_id FROM devices WHERE user_id = $1) ORDER BY device_id LIMIT ($2 + 0)";
    const SIGNATURES: &str = "DELETE FROM key_signatures WHERE target_user = $1 AND (target = $2 OR (signer = $1 AND key_id = $3))";
    for device in devices {
        for table in ["to_device_messages", "to_device_transactions"] {
            let sql = format!("DELETE FROM {table} WHERE device = $1");
            execute(txn.db(), &sql, values![*device]).await?;
        }
    }
    for row in query_all(txn.db(), GONE, values![user, DEVICES_MAX]).await? {
        let device_id: String = row.get(0)?;
        let key_id = format!("ed25519:{device_id}");
        execute(txn.db(), SIGNATURES, values![user, device_id.as_str(), key_id]).await?;
        insert_change(txn, user, &device_id, false).await?;
    }
    for table in ["device_keys", "one_time_keys", "fallback_keys"] {
        let sql = format!(
            "DELETE FROM {table} WHERE user_id = $1 AND device_id NOT IN (SELECT device_id FROM devices WHERE user_id = $1)"
        );
        execute(txn.db(), &sql, values![user]).await?;
    }
    Ok(())
}
