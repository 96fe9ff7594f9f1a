//! Devices of local users. Deleting one takes its tokens and pushers with it (ON DELETE CASCADE).

use sea_orm::ConnectionTrait;

use super::{Error, Id, Row, execute, query_all, query_one, values};

/// One device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Device {
    /// The interned device.
    pub id: Id,
    pub user: Id,
    pub device_id: String,
    pub display_name: Option<String>,
    pub last_seen_ms: Option<i64>,
    pub last_seen_ip: Option<String>,
}

const COLUMNS: &str = "id, user_id, device_id, display_name, last_seen_ms, last_seen_ip";
/// Most devices a list returns.
const DEVICES_MAX: i64 = 1_000;

fn device(row: &Row) -> Result<Device, Error> {
    Ok(Device {
        id: row.get(0)?,
        user: row.get(1)?,
        device_id: row.get(2)?,
        display_name: row.get(3)?,
        last_seen_ms: row.get(4)?,
        last_seen_ip: row.get(5)?,
    })
}

/// The device of `user` that is called `device_id`.
pub async fn find_device(
    db: &impl ConnectionTrait,
    user: Id,
    device_id: &str,
) -> Result<Option<Device>, Error> {
    let sql = format!("SELECT {COLUMNS} FROM devices WHERE user_id = $1 AND device_id = $2");
    query_one(db, &sql, values![user, device_id]).await?.map(|row| device(&row)).transpose()
}

/// All devices of `user`, oldest first, at most 1,000.
pub async fn list_devices(db: &impl ConnectionTrait, user: Id) -> Result<Vec<Device>, Error> {
    let sql = format!(
        "SELECT {COLUMNS} FROM devices WHERE user_id = $1 ORDER BY created_ms, id LIMIT ($2 + 0)"
    );
    query_all(db, &sql, values![user, DEVICES_MAX]).await?.iter().map(device).collect()
}

/// Adds a device. `false` when the user has one of that name.
pub async fn insert_device(
    db: &impl ConnectionTrait,
    new: &Device,
    created_ms: i64,
) -> Result<bool, Error> {
    const SQL: &str = "INSERT INTO devices (id, user_id, device_id, display_name, created_ms) VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING";
    let device_id = new.device_id.as_str();
    let values = values![new.id, new.user, device_id, new.display_name.clone(), created_ms];
    Ok(execute(db, SQL, values).await? > 0)
}

/// Renames a device.
pub async fn update_display_name(
    db: &impl ConnectionTrait,
    device: Id,
    name: Option<&str>,
) -> Result<(), Error> {
    let name = name.map(ToOwned::to_owned);
    execute(db, "UPDATE devices SET display_name = $1 WHERE id = $2", values![name, device])
        .await?;
    Ok(())
}

/// Keeps when a device was last heard of.
pub async fn update_last_seen(
    db: &impl ConnectionTrait,
    device: Id,
    at_ms: i64,
    ip: Option<&str>,
) -> Result<(), Error> {
    const SQL: &str = "UPDATE devices SET last_seen_ms = $1, last_seen_ip = COALESCE($2, last_seen_ip) WHERE id = $3";
    execute(db, SQL, values![at_ms, ip.map(ToOwned::to_owned), device]).await?;
    Ok(())
}

/// Deletes a device with its tokens and pushers.
pub async fn delete_device(db: &impl ConnectionTrait, device: Id) -> Result<(), Error> {
    execute(db, "DELETE FROM devices WHERE id = $1", values![device]).await?;
    Ok(())
}
