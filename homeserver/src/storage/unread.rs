//! Receipts across a user's rooms, as sync tells them.

use super::{Database, Error, Id, Position, query_all, values};

/// A receipt as sync tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToldReceipt {
    pub room: Id,
    pub user: Id,
    pub user_id: String,
    pub kind: String,
    pub thread: String,
    pub event_id: String,
    pub at_ms: i64,
}

/// The receipts that `user` may see, in the rooms they are joined to, with `since < position ≤ upto`, oldest first, at
/// most 10,000. Other users' private receipts are not among them.
pub async fn list_receipts_for(
    db: &Database,
    user: Id,
    (since, upto): (Position, Position),
) -> Result<Vec<ToldReceipt>, Error> {
    const LIST: &str = "SELECT r.room, r.user_id, u.user_id, r.kind, r.thread, r.event_id, r.at_ms FROM receipts r \
         JOIN memberships m ON m.room = r.room AND m.user_id = $1 AND m.membership = 'join' \
         JOIN users u ON u.id = r.user_id WHERE r.position > $2 AND r.position <= $3 \
         AND (r.kind = 'm.read' OR r.user_id = $1) ORDER BY r.position LIMIT 10000";
    told(query_all(db.read(), LIST, values![user, since, upto]).await?)
}

/// Those up to and including `upto`, in no order, at most `limit`: for a user who is told of all their rooms.
pub async fn list_all_receipts_for(
    db: &Database,
    user: Id,
    upto: Position,
    limit: usize,
) -> Result<Vec<ToldReceipt>, Error> {
    const LIST: &str = "SELECT r.room, r.user_id, u.user_id, r.kind, r.thread, r.event_id, r.at_ms FROM memberships m \
         CROSS JOIN receipts r JOIN users u ON u.id = r.user_id WHERE m.user_id = $1 AND m.membership = 'join' \
         AND r.room = m.room AND r.position <= $2 AND (r.kind = 'm.read' OR r.user_id = $1) LIMIT ($3 + 0)";
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    told(query_all(db.read(), LIST, values![user, upto, limit]).await?)
}

/// As [`list_receipts_for`], for one room.
pub async fn list_receipts_of_room_for(
    db: &Database,
    user: Id,
    room: Id,
    (since, upto): (Position, Position),
) -> Result<Vec<ToldReceipt>, Error> {
    const LIST: &str = "SELECT r.room, r.user_id, u.user_id, r.kind, r.thread, r.event_id, r.at_ms FROM receipts r \
         JOIN users u ON u.id = r.user_id WHERE r.room = $2 AND r.position > $3 AND r.position <= $4 \
         AND (r.kind = 'm.read' OR r.user_id = $1) ORDER BY r.position LIMIT 10000";
    told(query_all(db.read(), LIST, values![user, room, since, upto]).await?)
}

/// A user's own receipts in a room, and the public ones on some of its events among the newest 5,000, oldest first.
pub async fn list_receipts_on(
    db: &Database,
    user: Id,
    room: Id,
    event_ids: &[String],
    upto: Position,
) -> Result<Vec<ToldReceipt>, Error> {
    const COLUMNS: &str = "r.room, r.user_id, u.user_id, r.kind, r.thread, r.event_id, r.at_ms";
    let own = format!(
        "SELECT {COLUMNS} FROM receipts r JOIN users u ON u.id = r.user_id \
         WHERE r.room = $2 AND r.user_id = $1 AND r.position <= $3 ORDER BY r.position LIMIT 10000"
    );
    let mut receipts = told(query_all(db.read(), &own, values![user, room, upto]).await?)?;
    if event_ids.is_empty() {
        return Ok(receipts);
    }
    let mut values = values![user, room, upto];
    values.extend(event_ids.iter().map(|event_id| sea_orm::Value::from(event_id.as_str())));
    let marks: Vec<String> = (4..=values.len()).map(|mark| format!("${mark}")).collect();
    let others = format!(
        "SELECT {COLUMNS} FROM (SELECT * FROM receipts WHERE room = $2 AND position <= $3 \
         ORDER BY position DESC LIMIT 5000) r JOIN users u ON u.id = r.user_id \
         WHERE r.kind = 'm.read' AND r.user_id <> $1 AND r.event_id IN ({}) ORDER BY r.position",
        marks.join(", ")
    );
    receipts.extend(told(query_all(db.read(), &others, values).await?)?);
    Ok(receipts)
}

/// As [`list_receipts_for`], for one room, at most 1,000: the newest.
pub async fn list_room_receipts_for(
    db: &Database,
    user: Id,
    room: Id,
    upto: Position,
) -> Result<Vec<ToldReceipt>, Error> {
    const LIST: &str = "SELECT r.room, r.user_id, u.user_id, r.kind, r.thread, r.event_id, r.at_ms FROM receipts r \
         JOIN users u ON u.id = r.user_id WHERE r.room = $2 AND r.position <= $3 \
         AND (r.kind = 'm.read' OR r.user_id = $1) ORDER BY r.position DESC LIMIT 1000";
    told(query_all(db.read(), LIST, values![user, room, upto]).await?)
}

fn told(rows: Vec<super::Row>) -> Result<Vec<ToldReceipt>, Error> {
    rows.iter()
        .map(|row| {
            Ok(ToldReceipt {
                room: row.get(0)?,
                user: row.get(1)?,
                user_id: row.get(2)?,
                kind: row.get(3)?,
                thread: row.get(4)?,
                event_id: row.get(5)?,
                at_ms: row.get(6)?,
            })
        })
        .collect()
}
