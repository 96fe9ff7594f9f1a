//! What other servers are owed: one cursor a destination over the one log of our events and lasting EDUs.

use async_trait::async_trait;
use ruma::{OwnedServerName, ServerName, api::federation::transactions::edu::Edu, serde::Raw};
use serde_json::value::RawValue;
use std::time::{Duration, SystemTime};
use tern_federation::{Batch, Cursor, Outbox, OutboxError, Owed, Retry};

use super::{Database, Error, Position, events, execute, query_all, query_one, values};

/// Our events after a position that concern a destination: it has had a user in the room since before them, or the event is
/// about one of its users (an invitation, a kick). What was said before a server came it learns as state and history, and what it made
/// itself (a join that we let in) it has.
const PDUS: &str = "SELECT e.position, e.json FROM events e WHERE e.position > $1 AND e.position <= $2 \
     AND (e.flags & $3) <> 0 AND EXISTS (SELECT 1 FROM memberships m JOIN users u ON u.id = m.user_id \
     WHERE m.room = e.room AND u.server = $4 \
     AND ((m.membership = 'join' AND m.since < e.position) OR m.event = e.id)) \
     AND NOT EXISTS (SELECT 1 FROM users s WHERE s.id = e.sender AND s.server = $4) \
     ORDER BY e.position LIMIT ($5 + 0)";
const EDUS: &str = "SELECT position, edu FROM outbound_edus WHERE destination = $1 AND position > $2 AND position <= $3 \
     ORDER BY position LIMIT ($4 + 0)";

#[async_trait]
impl Outbox for Database {
    async fn destinations_with_debts(&self) -> Result<Vec<OwnedServerName>, OutboxError> {
        const LIST: &str =
            "SELECT server_name FROM destinations WHERE cursor < $1 ORDER BY server_name";
        let rows = query_all(self.read(), LIST, values![self.position()]).await.map_err(failed)?;
        let names: Result<Vec<String>, Error> = rows.iter().map(|row| row.get(0)).collect();
        Ok(names.map_err(failed)?.into_iter().filter_map(|name| name.try_into().ok()).collect())
    }

    async fn owed(
        &self,
        destination: &ServerName,
        limit: Owed,
    ) -> Result<Option<Batch>, OutboxError> {
        self.owed_batch(destination.as_str(), limit).await.map_err(failed)
    }

    async fn delivered(&self, destination: &ServerName, upto: &Cursor) -> Result<(), OutboxError> {
        const DELIVERED: &str = "UPDATE destinations SET cursor = $1, failures = 0, retry_at_ms = NULL \
             WHERE server_name = $2 AND cursor < $1";
        const FORGET: &str = "DELETE FROM outbound_edus WHERE destination = $1 AND position <= $2";
        let upto: Position =
            upto.0.parse().map_err(|_| OutboxError("a foreign cursor".to_owned()))?;
        let name = destination.to_string();
        self.write(move |txn| {
            Box::pin(async move {
                execute(txn.db(), DELIVERED, values![upto, name.as_str()]).await?;
                execute(txn.db(), FORGET, values![name.as_str(), upto]).await
            })
        })
        .await
        .map(|_| ())
        .map_err(failed)
    }

    async fn record_failure(
        &self,
        destination: &ServerName,
        retry: Retry,
    ) -> Result<(), OutboxError> {
        const FAILED: &str =
            "UPDATE destinations SET failures = $1, retry_at_ms = $2 WHERE server_name = $3";
        let at = retry.retry_at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let at_ms = i64::try_from(at.as_millis()).unwrap_or(i64::MAX);
        let row = values![i64::from(retry.failures), at_ms, destination.as_str()];
        self.write(move |txn| Box::pin(async move { execute(txn.db(), FAILED, row).await }))
            .await
            .map(|_| ())
            .map_err(failed)
    }

    async fn load_retry(&self, destination: &ServerName) -> Result<Option<Retry>, OutboxError> {
        const FIND: &str = "SELECT failures, retry_at_ms FROM destinations WHERE server_name = $1 AND retry_at_ms IS NOT NULL";
        let row =
            query_one(self.read(), FIND, values![destination.as_str()]).await.map_err(failed)?;
        let Some(row) = row else { return Ok(None) };
        let (failures, at_ms): (i64, i64) =
            (row.get(0).map_err(failed)?, row.get(1).map_err(failed)?);
        let retry_at = SystemTime::UNIX_EPOCH
            + Duration::from_millis(u64::try_from(at_ms).unwrap_or_default());
        Ok(Some(Retry { failures: u32::try_from(failures).unwrap_or(u32::MAX), retry_at }))
    }
}

impl Database {
    async fn owed_batch(&self, destination: &str, limit: Owed) -> Result<Option<Batch>, Error> {
        const CURSOR: &str = "SELECT cursor FROM destinations WHERE server_name = $1";
        let Some(row) = query_one(self.read(), CURSOR, values![destination]).await? else {
            return Ok(None);
        };
        let cursor: Position = row.get(0)?;
        let mut upto = self.position();
        if cursor >= upto {
            return Ok(None);
        }
        let (pdus_max, edus_max) = (limit.pdus_max as i64, limit.edus_max as i64);
        let rows = query_all(
            self.read(),
            PDUS,
            values![cursor, upto, events::LOCAL, destination, pdus_max],
        )
        .await?;
        let mut pdus = Vec::with_capacity(rows.len());
        for row in &rows {
            pdus.push((row.get::<Position>(0)?, raw_json(row.get::<Vec<u8>>(1)?)?));
        }
        if let (true, Some((last, _))) = (pdus.len() as i64 == pdus_max, pdus.last()) {
            upto = *last;
        }
        let rows =
            query_all(self.read(), EDUS, values![destination, cursor, upto, edus_max]).await?;
        let mut edus = Vec::with_capacity(rows.len());
        for row in &rows {
            edus.push((row.get::<Position>(0)?, raw_json(row.get::<String>(1)?.into_bytes())?));
        }
        if let (true, Some((last, _))) = (edus.len() as i64 == edus_max, edus.last()) {
            upto = *last;
            pdus.retain(|(position, _)| position <= last);
        }
        let pdus = pdus.into_iter().map(|(_, pdu)| pdu).collect();
        let edus = edus.into_iter().map(|(_, edu)| Raw::<Edu>::from_json(edu)).collect();
        Ok(Some(Batch { pdus, edus, upto: Cursor(upto.to_string()) }))
    }
}

fn raw_json(bytes: Vec<u8>) -> Result<Box<RawValue>, Error> {
    let damaged = || Error::Damaged { what: "outgoing event" };
    RawValue::from_string(String::from_utf8(bytes).map_err(|_| damaged())?).map_err(|_| damaged())
}

#[expect(clippy::needless_pass_by_value, reason = "used as a function in map_err")]
fn failed(error: Error) -> OutboxError {
    OutboxError(error.to_string())
}
