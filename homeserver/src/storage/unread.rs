//! Reading what unread counts are derived from, and receipts across a user's rooms.

use super::{Database, Error, Id, Position, query_all, query_one, values};

/// One user's exceptions in a room after a place of the timeline.
#[derive(Debug, Clone, Copy, Default)]
pub struct Actions {
    /// Countable events that the user's push rules keep silent.
    pub muted: i64,
    pub highlights: i64,
}

/// How far a user has read a room, by public and private receipts.
pub async fn find_read_order(db: &Database, room: Id, user: Id) -> Result<Option<i64>, Error> {
    const FIND: &str = "SELECT MAX(timeline_order) FROM receipts WHERE room = $1 AND user_id = $2 \
         AND kind IN ('m.read', 'm.read.private') AND thread IN ('', 'main')";
    match query_one(db.read(), FIND, values![room, user]).await? {
        Some(row) => row.get(0),
        None => Ok(None),
    }
}

/// The exceptions of a user in a room after `order`.
pub async fn count_actions(
    db: &Database,
    user: Id,
    room: Id,
    order: i64,
) -> Result<Actions, Error> {
    const COUNT: &str = "SELECT COUNT(CASE WHEN notify = 0 THEN 1 END), COUNT(CASE WHEN highlight = 1 THEN 1 END) \
         FROM push_actions WHERE user_id = $1 AND room = $2 AND timeline_order > $3";
    match query_one(db.read(), COUNT, values![user, room, order]).await? {
        Some(row) => Ok(Actions { muted: row.get(0)?, highlights: row.get(1)? }),
        None => Ok(Actions::default()),
    }
}

/// The order of the last event that `sender` sent with `after < order < before`.
pub async fn find_last_order_of_sender(
    db: &Database,
    room: Id,
    sender: Id,
    (after, before): (i64, i64),
) -> Result<Option<i64>, Error> {
    const FIND: &str = "SELECT MAX(timeline_order) FROM events WHERE room = $1 AND sender = $2 \
         AND timeline_order > $3 AND timeline_order < $4";
    match query_one(db.read(), FIND, values![room, sender, after, before]).await? {
        Some(row) => row.get(0),
        None => Ok(None),
    }
}

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
