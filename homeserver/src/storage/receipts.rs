//! Receipts: the newest per room, user, kind and thread.

use super::{Database, Error, Id, Position, Row, Topic, execute, query_all, values};

/// A receipt's row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    pub room: Id,
    pub user: Id,
    /// `m.read` or `m.read.private`.
    pub kind: String,
    /// Empty: unthreaded; `main`; or a thread's root event.
    pub thread: String,
    pub event_id: String,
    /// The event's place in the timeline, where it is known.
    pub timeline_order: Option<i64>,
    pub at_ms: i64,
    pub position: Position,
}

const RECEIPT: &str =
    "SELECT room, user_id, kind, thread, event_id, timeline_order, at_ms, position FROM receipts";

fn receipt(row: &Row) -> Result<Receipt, Error> {
    Ok(Receipt {
        room: row.get(0)?,
        user: row.get(1)?,
        kind: row.get(2)?,
        thread: row.get(3)?,
        event_id: row.get(4)?,
        timeline_order: row.get(5)?,
        at_ms: row.get(6)?,
        position: row.get(7)?,
    })
}

/// Stores a receipt unless it would go backwards; tells whether it did. Exceptions to the counts that it passes are deleted with
/// it, but for the newest highlights, and the one that waited for its event is too. `position` of the argument is not read: the commit's is taken.
///
/// A receipt for an event that is not here changes nothing that is read yet: it waits ([`list_waiting_receipts`]).
pub async fn upsert_receipt(db: &Database, receipt: Receipt) -> Result<bool, Error> {
    let Some(order) = receipt.timeline_order else {
        return insert_waiting(db, receipt).await.map(|()| false);
    };
    const UPSERT: &str = "INSERT INTO receipts (room, user_id, kind, thread, event_id, timeline_order, at_ms, position) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (room, user_id, kind, thread) DO UPDATE SET \
         event_id = excluded.event_id, timeline_order = excluded.timeline_order, at_ms = excluded.at_ms, \
         position = excluded.position WHERE receipts.timeline_order IS NULL OR \
         receipts.timeline_order < excluded.timeline_order";
    const PASSED: &str = "DELETE FROM push_actions WHERE user_id = $1 AND room = $2 AND timeline_order <= $3 \
         AND ($4 = '' OR thread = CASE WHEN $4 = 'main' THEN 0 \
         ELSE COALESCE((SELECT id FROM threads WHERE room = $2 AND root = $4), -1) END) \
         AND (highlight = 0 OR timeline_order < (SELECT timeline_order FROM push_actions \
         WHERE user_id = $1 AND room = $2 AND highlight = 1 ORDER BY timeline_order DESC LIMIT 1 OFFSET 50))";
    db.write(move |txn| {
        Box::pin(async move {
            let Receipt { room, user, kind, thread, event_id, at_ms, .. } = receipt;
            let waiting = values![room, user, kind.as_str(), thread.as_str(), at_ms];
            txn.next_position_of(Topic::Reading(room, user));
            let position = txn.next_position_of(Topic::Receipts(room));
            let passed = values![user, room, order, thread.as_str()];
            let row = values![room, user, kind, thread, event_id, order, at_ms, position];
            let stored = execute(txn.db(), UPSERT, row).await? == 1;
            if stored {
                execute(txn.db(), PASSED, passed).await?;
            }
            execute(txn.db(), FORGET_WAITING, waiting).await?;
            Ok(stored)
        })
    })
    .await
}

/// Receipts older than this one no longer matter, whether their event comes or not.
const FORGET_WAITING: &str = "DELETE FROM waiting_receipts WHERE room = $1 AND user_id = $2 AND kind = $3 AND thread = $4 \
     AND at_ms <= $5";

async fn insert_waiting(db: &Database, receipt: Receipt) -> Result<(), Error> {
    const WAIT: &str = "INSERT INTO waiting_receipts (room, user_id, kind, thread, event_id, at_ms) \
         VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (room, user_id, kind, thread) DO UPDATE SET \
         event_id = excluded.event_id, at_ms = excluded.at_ms WHERE waiting_receipts.at_ms <= excluded.at_ms";
    let Receipt { room, user, kind, thread, event_id, at_ms, .. } = receipt;
    let row = values![room, user, kind, thread, event_id, at_ms];
    db.write(move |txn| Box::pin(async move { execute(txn.db(), WAIT, row).await })).await?;
    Ok(())
}

/// Receipts that wait for an event, without its place. With it, each is to be stored by [`upsert_receipt`].
pub async fn list_waiting_receipts(
    db: &Database,
    room: Id,
    event_id: &str,
) -> Result<Vec<Receipt>, Error> {
    const LIST: &str = "SELECT room, user_id, kind, thread, event_id, at_ms FROM waiting_receipts \
         WHERE room = $1 AND event_id = $2 LIMIT 1000";
    let rows = query_all(db.read(), LIST, values![room, event_id]).await?;
    rows.iter()
        .map(|row| {
            Ok(Receipt {
                room: row.get(0)?,
                user: row.get(1)?,
                kind: row.get(2)?,
                thread: row.get(3)?,
                event_id: row.get(4)?,
                timeline_order: None,
                at_ms: row.get(5)?,
                position: 0,
            })
        })
        .collect()
}

/// A room's receipts with `since < position ≤ upto`, in order of position, at most 1,000.
pub async fn list_receipts_since(
    db: &Database,
    room: Id,
    since: Position,
    upto: Position,
) -> Result<Vec<Receipt>, Error> {
    let sql = format!(
        "{RECEIPT} WHERE room = $1 AND position > $2 AND position <= $3 ORDER BY position LIMIT 1000"
    );
    query_all(db.read(), &sql, values![room, since, upto]).await?.iter().map(receipt).collect()
}
