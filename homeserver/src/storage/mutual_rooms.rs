//! Which rooms two users are both in, and who is in a room with somebody.

use super::{Database, Error, Id, query_all, query_one, sql::query_ids, values};

const MUTUAL: &str = "FROM memberships a JOIN memberships b ON b.room = a.room JOIN rooms r ON r.id = a.room \
     WHERE a.user_id = $1 AND b.user_id = $2 AND a.membership = 'join' AND b.membership = 'join'";

/// `limit` of the rooms that both users are in, by room ID after `after`.
pub async fn list_mutual_rooms(
    db: &Database,
    (one, other): (Id, Id),
    after: &str,
    limit: u32,
) -> Result<Vec<String>, Error> {
    let sql =
        format!("SELECT r.room_id {MUTUAL} AND r.room_id > $3 ORDER BY r.room_id LIMIT ($4 + 0)");
    let values = values![one, other, after, i64::from(limit)];
    query_all(db.read(), &sql, values).await?.iter().map(|row| row.get(0)).collect()
}

/// Those of `others` that are in a room with `user`, in no particular order.
pub async fn list_sharing(db: &Database, user: Id, others: &[Id]) -> Result<Vec<Id>, Error> {
    let mut sharing = Vec::new();
    for chunk in others.chunks(500) {
        let marks: Vec<String> = (2..chunk.len() + 2).map(|mark| format!("${mark}")).collect();
        let sql = format!(
            "SELECT o.id FROM users o WHERE o.id IN ({}) AND EXISTS (SELECT 1 FROM memberships b JOIN memberships a \
             ON a.room = b.room WHERE b.user_id = o.id AND a.user_id = $1 AND a.membership = 'join' \
             AND b.membership = 'join')",
            marks.join(", ")
        );
        let ids = std::iter::once(user).chain(chunk.iter().copied());
        let values = ids.map(sea_orm::Value::from).collect();
        for row in query_all(db.read(), &sql, values).await? {
            sharing.push(row.get(0)?);
        }
    }
    Ok(sharing)
}

/// Who is in one of these rooms, with their names, in no particular order; somebody may be there twice.
pub async fn list_joined(db: &Database, rooms: &[Id]) -> Result<Vec<(Id, String)>, Error> {
    let sql = |marks: &[String]| {
        format!(
            "SELECT j.user_id, u.user_id FROM (SELECT DISTINCT user_id FROM memberships WHERE room IN ({}) \
             AND membership = 'join') j JOIN users u ON u.id = j.user_id",
            marks.join(", ")
        )
    };
    query_ids(db.read(), rooms, sql, |row| Ok((row.get(0)?, row.get(1)?))).await
}

/// How many rooms both users are in.
pub async fn count_mutual_rooms(db: &Database, (one, other): (Id, Id)) -> Result<i64, Error> {
    let sql = format!("SELECT COUNT(*) {MUTUAL}");
    let row = query_one(db.read(), &sql, values![one, other]).await?;
    row.map_or(Ok(0), |row| row.get(0))
}
