//! What is forgotten by age, table by table, and the room on the disk that this frees.
//!
//! The tables kept until something happens are emptied where it happens. Each table says which in its migration.

use std::time::Duration;

use sea_orm::Value;

use super::{Database, Error, execute, open::is_sqlite, query_all, query_one, values};
use crate::clock::Clock;

/// Rows that go in one transaction of the writer.
const PIECE: u32 = 1_000;
/// Between two sweeps.
const PAUSE: Duration = Duration::from_secs(3_600);
/// Free pages (of 4 KiB) that a SQLite file may keep for what is written next.
const FREE_PAGES_MAX: i64 = 2_048;
/// Pages given back in one transaction.
const PAGES_PIECE: i64 = 1_000;

const HOUR: i64 = 3_600_000;
const DAY: i64 = 24 * HOUR;

/// How long the rows of one table are kept.
#[derive(Debug, Clone, Copy)]
struct Rule {
    table: &'static str,
    /// The column with the time that counts, in milliseconds since the epoch; none: not yet.
    since: &'static str,
    kept_ms: i64,
    /// A column with an index that rises with time, so that a sweep looks at old rows only.
    order: &'static str,
}

const RULES: [Rule; 9] = [
    Rule { table: "email_sends", since: "at_ms", kept_ms: HOUR, order: "at_ms" },
    Rule { table: "email_sessions", since: "expires_ms", kept_ms: DAY, order: "expires_ms" },
    Rule { table: "jobs", since: "done_at_ms", kept_ms: 7 * DAY, order: "done_at_ms" },
    Rule { table: "login_tokens", since: "expires_ms", kept_ms: 0, order: "expires_ms" },
    Rule { table: "openid_tokens", since: "expires_ms", kept_ms: 0, order: "expires_ms" },
    Rule { table: "received_to_device", since: "at_ms", kept_ms: 30 * DAY, order: "at_ms" },
    Rule { table: "reports", since: "at_ms", kept_ms: 180 * DAY, order: "at_ms" },
    // By the event's id, which rises with time: an index on the time would cost every send.
    Rule { table: "sent_transactions", since: "at_ms", kept_ms: 7 * DAY, order: "event" },
    Rule { table: "to_device_transactions", since: "at_ms", kept_ms: 7 * DAY, order: "at_ms" },
];

/// Sweeps every hour, for ever. May be cut off anywhere.
pub async fn run(db: Database, clock: Clock) {
    loop {
        if let Err(error) = sweep(&db, clock.now_ms()).await {
            tracing::warn!(%error, "old rows could not be forgotten; tried again in an hour");
        }
        clock.sleep(PAUSE).await;
    }
}

/// Forgets what is too old at `now_ms`, in pieces, and gives the room back. Returns how many rows went.
pub async fn sweep(db: &Database, now_ms: i64) -> Result<u64, Error> {
    let mut gone = 0;
    for rule in RULES {
        loop {
            let piece = rule.forget_piece(db, now_ms).await?;
            gone += piece;
            if piece < u64::from(PIECE) {
                break;
            }
        }
    }
    gone += forget_backups(db).await?;
    give_back(db).await?;
    Ok(gone)
}

/// Deletes the sessions of key backups whose deletion was cut short.
async fn forget_backups(db: &Database) -> Result<u64, Error> {
    const DELETED: &str =
        "(user_id, version) IN (SELECT user_id, version FROM key_backups WHERE deleted = 1)";
    delete_in_pieces(db, "key_backup_sessions", DELETED, Vec::new()).await
}

/// Deletes the rows of a table that meet a condition over `values`, in pieces. Returns how many there were.
pub(super) async fn delete_in_pieces(
    db: &Database,
    table: &str,
    condition: &str,
    values: Vec<Value>,
) -> Result<u64, Error> {
    let row = row_name(db);
    let sql = format!(
        "DELETE FROM {table} WHERE {row} IN (SELECT {row} FROM {table} WHERE {condition} LIMIT {PIECE})"
    );
    let mut gone = 0;
    loop {
        let (sql, values) = (sql.clone(), values.clone());
        let write = db.write::<_, Error, _>(move |txn| {
            Box::pin(async move { execute(txn.db(), &sql, values).await })
        });
        let piece = write.await?;
        gone += piece;
        if piece < u64::from(PIECE) {
            return Ok(gone);
        }
    }
}

/// How a statement names a row by its place.
fn row_name(db: &Database) -> &'static str {
    if is_sqlite(db.read()) { "rowid" } else { "ctid" }
}

impl Rule {
    async fn forget_piece(self, db: &Database, now_ms: i64) -> Result<u64, Error> {
        let Self { table, since, kept_ms, order } = self;
        let row = row_name(db);
        let sql = format!(
            "DELETE FROM {table} WHERE {row} IN (SELECT place FROM (SELECT {row} AS place, {since} AS since \
             FROM {table} WHERE {since} IS NOT NULL ORDER BY {order} LIMIT {PIECE}) oldest WHERE since < $1)"
        );
        let before_ms = now_ms - kept_ms;
        db.write(move |txn| {
            Box::pin(async move { execute(txn.db(), &sql, values![before_ms]).await })
        })
        .await
    }
}

/// Shrinks a SQLite file by what it does not need soon; PostgreSQL reuses the room by itself.
pub(super) async fn give_back(db: &Database) -> Result<(), Error> {
    if !is_sqlite(db.read()) {
        return Ok(());
    }
    loop {
        let row = query_one(db.read(), "PRAGMA freelist_count", values![]).await?;
        let free: i64 = row.ok_or(Error::Damaged { what: "free list" })?.get(0)?;
        if free <= FREE_PAGES_MAX {
            return Ok(());
        }
        let pages = (free - FREE_PAGES_MAX).min(PAGES_PIECE);
        db.write::<_, Error, _>(move |txn| {
            Box::pin(async move {
                // A step frees a page: all of them must be taken.
                let sql = format!("PRAGMA incremental_vacuum({pages})");
                query_all(txn.db(), &sql, values![]).await.map(drop)
            })
        })
        .await?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::migration::kept_by_table;

    /// Whether a retention rule's text names an age.
    fn is_by_age(kept: &str) -> bool {
        ["day", "hour", "minute"].iter().any(|word| kept.contains(word))
    }

    #[test]
    fn every_table_whose_rule_is_an_age_is_swept_and_no_other() {
        let by_age: Vec<String> = kept_by_table()
            .into_iter()
            .filter(|(_, kept)| is_by_age(kept))
            .map(|(table, _)| table)
            .collect();
        let mut swept: Vec<String> = RULES.iter().map(|rule| rule.table.to_owned()).collect();
        swept.sort();
        assert_eq!(by_age, swept);
    }

    async fn opened(folder: &tempfile::TempDir) -> Database {
        Database::open("sqlite:tern.db", folder.path(), "example.org").await.unwrap()
    }

    async fn insert(db: &Database, first: i64, count: i64, at_ms: i64) {
        db.write::<_, Error, _>(move |txn| {
            Box::pin(async move {
                const INSERT: &str = "INSERT INTO sent_transactions (device, endpoint, txn_id, event, at_ms) \
                     VALUES (1, $1, $2, $3, $4)";
                let endpoint = "e".repeat(4_000);
                for number in first..first + count {
                    let txn_id = number.to_string();
                    execute(txn.db(), INSERT, values![endpoint.as_str(), txn_id, number, at_ms]).await?;
                }
                Ok(())
            })
        })
        .await
        .unwrap();
    }

    #[tokio::test]
    async fn what_is_old_goes_in_pieces_and_the_file_shrinks() {
        let folder = tempfile::tempdir().unwrap();
        let db = opened(&folder).await;
        let now = 1_000 * DAY;
        insert(&db, 0, 4_500, now - 8 * DAY).await;
        insert(&db, 4_500, 10, now - 6 * DAY).await;
        let pages = async || -> i64 {
            let row = query_one(db.read(), "PRAGMA page_count", values![]).await.unwrap();
            row.unwrap().get(0).unwrap()
        };
        let before = pages().await;
        assert_eq!(sweep(&db, now).await.unwrap(), 4_500);
        assert_eq!(sweep(&db, now).await.unwrap(), 0);
        let left = query_one(db.read(), "SELECT COUNT(*) FROM sent_transactions", values![]).await;
        assert_eq!(left.unwrap().unwrap().get::<i64>(0).unwrap(), 10);
        let after = pages().await;
        assert!(after < before - 4_500 + FREE_PAGES_MAX + 100, "{before} pages became {after}");
        db.close().await;
    }
}
