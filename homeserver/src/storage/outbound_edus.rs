//! EDUs owed to other servers that must arrive: written with what they tell of, deleted when the server has answered.

use sea_orm::ConnectionTrait;

use super::{Error, Position, Txn, execute, query_all, values};

/// One EDU owed to a server.
#[derive(Debug, Clone)]
pub struct OutboundEdu {
    pub position: Position,
    /// `{"edu_type": …, "content": …}`
    pub json: String,
}

/// Owes `edu` to `destination`, which need not share a room with us. After the commit: wake the sender.
pub async fn insert_outbound_edu(txn: &Txn, destination: &str, edu: &str) -> Result<(), Error> {
    const INSERT: &str =
        "INSERT INTO outbound_edus (destination, position, edu) VALUES ($1, $2, $3)";
    const BEGIN: &str = "INSERT INTO destinations (server_name, cursor) VALUES ($1, $2) \
         ON CONFLICT (server_name) DO NOTHING";
    let position = txn.next_position();
    execute(txn.db(), INSERT, values![destination, position, edu]).await?;
    execute(txn.db(), BEGIN, values![destination, position - 1]).await?;
    Ok(())
}

/// Up to `limit` EDUs owed to `destination` after `after`, oldest first.
pub async fn list_outbound_edus(
    db: &impl ConnectionTrait,
    destination: &str,
    after: Position,
    limit: i64,
) -> Result<Vec<OutboundEdu>, Error> {
    const LIST: &str = "SELECT position, edu FROM outbound_edus WHERE destination = $1 AND position > $2 \
         ORDER BY position LIMIT ($3 + 0)";
    query_all(db, LIST, values![destination, after, limit])
        .await?
        .iter()
        .map(|row| Ok(OutboundEdu { position: row.get(0)?, json: row.get(1)? }))
        .collect()
}

/// `destination` has answered for everything up to and including `upto`.
pub async fn delete_outbound_edus(
    txn: &Txn,
    destination: &str,
    upto: Position,
) -> Result<(), Error> {
    const DELETE: &str = "DELETE FROM outbound_edus WHERE destination = $1 AND position <= $2";
    execute(txn.db(), DELETE, values![destination, upto]).await?;
    Ok(())
}

/// Servers that EDUs are owed to, in order of name, after `after`.
pub async fn list_indebted_destinations(
    db: &impl ConnectionTrait,
    after: &str,
    limit: i64,
) -> Result<Vec<String>, Error> {
    const LIST: &str = "SELECT DISTINCT destination FROM outbound_edus WHERE destination > $1 \
         ORDER BY destination LIMIT ($2 + 0)";
    query_all(db, LIST, values![after, limit]).await?.iter().map(|row| row.get(0)).collect()
}
