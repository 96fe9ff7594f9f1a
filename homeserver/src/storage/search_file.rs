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
use tokio::sync::OnceCell;

use super::{
    Database, Error, Position, execute,
    open::{sqlite_options, sqlite_pool},
    query_one, values,
};

/// One writes, the others search.
const CONNECTIONS: u32 = 4;
/// The form of the file, counted up with every change of it: another is emptied.
const VERSION: i64 = 1;
/// The text itself is not kept again: a contentless index. A row's id is the position of its event, so that the newest matches come first
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
    opened: OnceCell<DatabaseConnection>,
}

impl SearchFile {
    /// That of the database in a file: its name and `.search`.
    pub(super) fn beside(database: &Path) -> Self {
        Self { file: with_ending(database, ".search"), opened: OnceCell::new() }
    }

    pub(super) async fn connection(&self) -> Result<&DatabaseConnection, Error> {
        self.opened.get_or_try_init(|| open(&self.file)).await
    }

    pub(super) async fn begin(&self) -> Result<DatabaseTransaction, Error> {
        begin(self.connection().await?).await
    }

    /// Up to which position the events of `db` are in it. One that knows of events that `db` has not, as after a backup was put back, is
    /// emptied.
    pub(super) async fn progress(&self, db: &Database) -> Result<Position, Error> {
        const FIND: &str = "SELECT epoch, boot, position FROM search_progress";
        let connection = self.connection().await?;
        let Some(row) = query_one(connection, FIND, values![]).await? else { return Ok(0) };
        let (epoch, boot, position): (String, i64, Position) =
            (row.get(0)?, row.get(1)?, row.get(2)?);
        if epoch == db.epoch() && db.has_told(u32::try_from(boot).ok(), position) {
            return Ok(position);
        }
        tracing::info!("the search index is of another database and is made anew");
        empty(connection).await?;
        Ok(0)
    }

    pub(super) async fn close(&self) {
        let Some(opened) = self.opened.get() else { return };
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

async fn open(file: &Path) -> Result<DatabaseConnection, Error> {
    match try_open(file).await {
        Err(Error::Database(text)) if is_damage(&text) => {
            tracing::warn!(%text, "the search index is damaged and is made anew");
            for ending in ["", "-wal", "-shm"] {
                // What is not there need not go; what cannot go is told by the next try.
                fs::remove_file(with_ending(file, ending)).ok();
            }
            try_open(file).await
        }
        opened => opened,
    }
}

/// No commit waits for the disk: what a power cut takes is indexed again.
async fn try_open(file: &Path) -> Result<DatabaseConnection, Error> {
    let options = sqlite_options(file).synchronous(SqliteSynchronous::Normal);
    let pool = sqlite_pool(CONNECTIONS).connect_with(options).await;
    let pool = pool.map_err(|error| Error::from_text(error.to_string()))?;
    let connection = SqlxSqliteConnector::from_sqlx_sqlite_pool(pool);
    let row = query_one(&connection, "PRAGMA user_version", values![]).await?;
    let version: i64 = row.ok_or(Error::Damaged { what: "version of the search index" })?.get(0)?;
    if version != VERSION {
        empty(&connection).await?;
    }
    Ok(connection)
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

/// Whether SQLite says that the file is none of its own, or broken.
fn is_damage(text: &str) -> bool {
    ["(code: 11)", "(code: 26)"].iter().any(|sign| text.contains(sign))
}

fn with_ending(file: &Path, ending: &str) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(ending);
    name.into()
}
