//! SQLite's index of words, in a file of its own beside the database. What is written there is merged from time to time, for longer the
//! more there is, and nobody who sends waits for that. It holds nothing that the events do not: one that was lost, or is not of this
//! database, is made anew.

use std::{
    fs,
    path::{Path, PathBuf},
};

use sea_orm::{
    ConnectionTrait, DatabaseConnection, DatabaseTransaction, SqliteTransactionMode,
    SqlxSqliteConnector, TransactionOptions, TransactionTrait, sqlx::sqlite::SqliteSynchronous,
};
use tokio::sync::Mutex;

use super::{
    Database, Error, Position, execute,
    open::{sqlite_options, sqlite_pool},
    query_one, values,
};

/// One writes, the others search.
const CONNECTIONS: u32 = 4;
/// The form of the file, counted up with every change of it: another is emptied.
const VERSION: i64 = 1;
/// owner: messaging. kept: until the event is redacted or its room purged. The text itself is not kept again: a contentless index. A row's id is the position of its event, so that the newest matches come first
/// without sorting. `room` holds one word, `r` and the room's id, so that a search reads only what lies in the searcher's rooms.
const SCHEMA: [&str; 4] = [
    "DROP TABLE IF EXISTS search_index",
    "CREATE VIRTUAL TABLE search_index USING fts5 (room, body, name, topic, content = '', contentless_delete = 1, \
     columnsize = 1, tokenize = 'unicode61 remove_diacritics 2')",
    "DROP TABLE IF EXISTS search_progress",
    // Up to which position events are in the index, of which database, as which of its processes saw it: one row.
    "CREATE TABLE search_progress (id INTEGER NOT NULL PRIMARY KEY, epoch TEXT NOT NULL, boot INTEGER NOT NULL, \
     position INTEGER NOT NULL) STRICT",
];

/// The file, opened when it is first needed.
pub(super) struct SearchFile {
    file: PathBuf,
    opened: Mutex<Option<DatabaseConnection>>,
}

impl SearchFile {
    /// That of the database in a file: its name and `.search`.
    pub(super) fn beside(database: &Path) -> Self {
        Self { file: with_ending(database, ".search"), opened: Mutex::default() }
    }

    pub(super) async fn connection(&self) -> Result<DatabaseConnection, Error> {
        let mut opened = self.opened.lock().await;
        if let Some(opened) = &*opened {
            return Ok(opened.clone());
        }
        Ok(opened.insert(open(&self.file).await?).clone())
    }

    pub(super) async fn begin(&self) -> Result<DatabaseTransaction, Error> {
        begin(&self.connection().await?).await
    }

    /// What came of something that was asked of the file. Where that says that it is damaged, it goes, and whoever asks next has it made
    /// anew.
    pub(super) async fn checked<T>(&self, outcome: Result<T, Error>) -> Result<T, Error> {
        if let Err(error) = &outcome
            && is_damage(error)
        {
            tracing::warn!(%error, "the search index is damaged and is made anew");
            self.close().await;
            for ending in ["", "-wal", "-shm"] {
                // What is not there need not go; what cannot go is told by the next try.
                fs::remove_file(with_ending(&self.file, ending)).ok();
            }
        }
        outcome
    }

    /// Up to which position the events of `db` are in it. One that knows of events that `db` has not, as after a backup was put back, is
    /// emptied.
    pub(super) async fn progress(&self, db: &Database) -> Result<Position, Error> {
        const FIND: &str = "SELECT epoch, boot, position FROM search_progress";
        let connection = self.connection().await?;
        let Some(row) = query_one(&connection, FIND, values![]).await? else { return Ok(0) };
        let (epoch, boot, position): (String, i64, Position) =
            (row.get(0)?, row.get(1)?, row.get(2)?);
        if epoch == db.epoch() && db.has_told(u32::try_from(boot).ok(), position) {
            return Ok(position);
        }
        tracing::info!("the search index is of another database and is made anew");
        empty(&connection).await?;
        Ok(0)
    }

    /// Writes it anew without what was removed, which it only marks otherwise, and waits for the disk.
    pub(super) async fn shrink(&self) -> Result<(), Error> {
        let connection = self.connection().await?;
        connection
            .execute_unprepared("INSERT INTO search_index (search_index) VALUES ('optimize')")
            .await?;
        connection.execute_unprepared("VACUUM").await?;
        connection.execute_unprepared("PRAGMA wal_checkpoint(TRUNCATE)").await?;
        Ok(())
    }

    pub(super) async fn close(&self) {
        let Some(opened) = self.opened.lock().await.take() else { return };
        if let Err(error) = opened.close_by_ref().await {
            tracing::warn!(%error, "closing the search index");
        }
    }
}

/// Notes in a transaction of the index how far it goes.
pub(super) async fn note_progress(
    txn: &DatabaseTransaction,
    db: &Database,
    upto: Position,
) -> Result<(), Error> {
    const NOTE: &str = "INSERT INTO search_progress (id, epoch, boot, position) VALUES (1, $1, $2, $3) \
         ON CONFLICT (id) DO UPDATE SET epoch = excluded.epoch, boot = excluded.boot, position = excluded.position";
    let row = values![db.epoch(), i64::from(db.boot()), upto];
    execute(txn, NOTE, row).await.map(drop)
}

/// A commit does not wait for the disk, but for the few that bring the log back: what a power cut takes is indexed again.
async fn open(file: &Path) -> Result<DatabaseConnection, Error> {
    let options = sqlite_options(file).synchronous(SqliteSynchronous::Normal);
    let pool = sqlite_pool(CONNECTIONS).connect_with(options).await;
    let pool = pool.map_err(|error| Error::from_text(error.to_string()))?;
    let connection = SqlxSqliteConnector::from_sqlx_sqlite_pool(pool);
    if let Err(error) = bring_up(&connection).await {
        // Before the file may go: closing removes its log, by name.
        connection.close_by_ref().await?;
        return Err(error);
    }
    Ok(connection)
}

async fn bring_up(connection: &DatabaseConnection) -> Result<(), Error> {
    let row = query_one(connection, "PRAGMA user_version", values![]).await?;
    let version: i64 = row.ok_or(Error::Damaged { what: "version of the search index" })?.get(0)?;
    if version == VERSION { Ok(()) } else { empty(connection).await }
}

async fn empty(connection: &DatabaseConnection) -> Result<(), Error> {
    let txn = begin(connection).await?;
    for statement in SCHEMA {
        txn.execute_unprepared(statement).await?;
    }
    txn.execute_unprepared(&format!("PRAGMA user_version = {VERSION}")).await?;
    Ok(txn.commit().await?)
}

async fn begin(connection: &DatabaseConnection) -> Result<DatabaseTransaction, Error> {
    let options = TransactionOptions {
        sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
        ..TransactionOptions::default()
    };
    Ok(connection.begin_with_options(options).await?)
}

/// Whether SQLite says that the file is broken (11, and with it 267 of an index of words) or none of its own (26).
fn is_damage(error: &Error) -> bool {
    let Error::Database(text) = error else { return false };
    let code = text.split_once("(code: ").and_then(|(_, rest)| rest.split_once(')'));
    let code: Option<u32> = code.and_then(|(code, _)| code.parse().ok());
    code.is_some_and(|code| matches!(code & 0xff, 11 | 26))
}

fn with_ending(file: &Path, ending: &str) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(ending);
    name.into()
}
