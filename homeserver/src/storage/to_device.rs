//! Messages from device to device, kept until the receiving device has acknowledged them.

use sea_orm::ConnectionTrait;

use super::{Error, Id, Position, Topic, Txn, execute, query_all, values};

/// A message waiting for a device of ours.
#[derive(Debug, Clone)]
pub struct ToDeviceMessage {
    pub position: Position,
    /// `{"sender": …, "type": …, "content": …}`
    pub json: String,
}

/// Puts a message into a device's queue.
pub async fn insert_to_device(txn: &Txn, device: Id, json: &str) -> Result<Position, Error> {
    const INSERT: &str =
        "INSERT INTO to_device_messages (device, position, json) VALUES ($1, $2, $3)";
    let position = txn.next_position_of(Topic::ToDevice(device));
    execute(txn.db(), INSERT, values![device, position, json]).await?;
    Ok(position)
}

/// Up to `limit` messages in `(since, upto]`, oldest first.
pub async fn list_to_device(
    db: &impl ConnectionTrait,
    device: Id,
    since: Position,
    upto: Position,
    limit: i64,
) -> Result<Vec<ToDeviceMessage>, Error> {
    const LIST: &str = "SELECT position, json FROM to_device_messages WHERE device = $1 AND position > $2 \
         AND position <= $3 ORDER BY position LIMIT ($4 + 0)";
    query_all(db, LIST, values![device, since, upto, limit])
        .await?
        .iter()
        .map(|row| Ok(ToDeviceMessage { position: row.get(0)?, json: row.get(1)? }))
        .collect()
}

/// Whether anything waits for `device` up to and including `upto`.
pub async fn has_to_device(
    db: &impl ConnectionTrait,
    device: Id,
    upto: Position,
) -> Result<bool, Error> {
    Ok(!list_to_device(db, device, 0, upto, 1).await?.is_empty())
}

/// The device acknowledged everything up to and including `upto`.
pub async fn delete_to_device(txn: &Txn, device: Id, upto: Position) -> Result<(), Error> {
    const DELETE: &str = "DELETE FROM to_device_messages WHERE device = $1 AND position <= $2";
    execute(txn.db(), DELETE, values![device, upto]).await?;
    Ok(())
}

/// Remembers a request; false when it was made before.
pub async fn insert_transaction(
    txn: &Txn,
    key: (Id, &str, &str),
    now_ms: i64,
) -> Result<bool, Error> {
    const INSERT: &str = "INSERT INTO to_device_transactions (device, event_type, txn_id, at_ms) VALUES ($1, $2, $3, $4) \
         ON CONFLICT DO NOTHING";
    let (device, event_type, txn_id) = key;
    Ok(execute(txn.db(), INSERT, values![device, event_type, txn_id, now_ms]).await? > 0)
}

/// Remembers another server's message; false when it came before.
pub async fn insert_received(
    txn: &Txn,
    origin: &str,
    message_id: &str,
    now_ms: i64,
) -> Result<bool, Error> {
    const INSERT: &str = "INSERT INTO received_to_device (origin, message_id, at_ms) VALUES ($1, $2, $3) \
         ON CONFLICT DO NOTHING";
    Ok(execute(txn.db(), INSERT, values![origin, message_id, now_ms]).await? > 0)
}
