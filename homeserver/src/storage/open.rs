//! Opening a database: pools, pragmas, migrations, the database's own identity.

use std::{
    num::NonZero,
    path::Path,
    sync::{Arc, OnceLock},
    time::Duration,
};

use sea_orm::{
    DatabaseConnection, DbBackend, SqlxPostgresConnector, SqlxSqliteConnector,
    sqlx::{
        Connection as _,
        postgres::{PgConnectOptions, PgPoolOptions},
        sqlite::{
            SqliteAutoVacuum, SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions,
            SqliteSynchronous,
        },
    },
};

use super::{
    Changes, Error, EventBatch, Id, Names, Position, Txn, Written,
    boots::Boots,
    checkpoint::Checkpoints,
    event_ids::EventIds,
    ids::Ids,
    migration, query_one, says_full,
    search_file::SearchFile,
    values,
    writer::{self, BoxFuture, Writer},
};

/// Most connections that read at the same time.
const READERS: u32 = 8;

/// How many connections read a SQLite file. They take turns by age, each with its own cache and prepared statements: more than there are
/// processors for is dearer than to wait for one.
fn sqlite_readers() -> u32 {
    let processors = std::thread::available_parallelism().map_or(1, NonZero::get);
    u32::try_from(processors + 1).unwrap_or(READERS).min(READERS)
}

/// SQLite's page caches, in KiB (negative): rooms live in memory above, and the system keeps the file's pages below. The writer's holds the
/// pages that each send changes: those of the rooms in which much is said.
const WRITER_CACHE: &str = "-16000";
const READER_CACHE: &str = "-2000";
/// A statement that waits longer than this for a lock or a connection fails.
const WAIT_MAX: Duration = Duration::from_secs(30);

/// The database: N connections that read and one writer. Cheap to clone.
#[derive(Clone)]
pub struct Database(Arc<Inner>);

struct Inner {
    reader: DatabaseConnection,
    writer: Writer,
    ids: Arc<Ids>,
    event_ids: Arc<EventIds>,
    names: Names,
    /// Empty on PostgreSQL, whose words are in the database.
    search_file: Option<SearchFile>,
    epoch: String,
    /// Empty in a process that tells clients nothing.
    boots: OnceLock<Boots>,
}

impl std::fmt::Debug for Database {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Database")
            .field("backend", &self.0.reader.get_database_backend())
            .finish_non_exhaustive()
    }
}

impl Database {
    /// Opens (and creates or migrates) the database at `url`: `sqlite:FILE` with FILE inside `data_dir` unless
    /// absolute, or `postgres://…`.
    ///
    /// # Errors
    /// [`Error::Unusable`] when the URL is neither, the schema is newer than this program, or the database was made
    /// for another `server_name`.
    pub async fn open(url: &str, data_dir: &Path, server_name: &str) -> Result<Self, Error> {
        let file =
            url.strip_prefix("sqlite:").map(|file| data_dir.join(file.trim_start_matches("//")));
        let (reader, writer, checkpoints) = match &file {
            Some(file) => open_sqlite(file).await?,
            None if url.starts_with("postgres://") || url.starts_with("postgresql://") => {
                let (reader, writer) = open_postgres(url).await?;
                (reader, writer, Checkpoints::none())
            }
            None => {
                return Err(Error::Unusable(format!(
                    "database.url must begin with sqlite: or postgres://, not {url:?}"
                )));
            }
        };
        migration::run(&writer).await?;
        let epoch = migration::claim(&writer, server_name).await?;
        let ids = Arc::new(Ids::starting_at(counter(&writer, "id").await?));
        let position = counter(&writer, "position").await?;
        let event_ids = match &file {
            Some(_) => EventIds::open(&writer).await?,
            None => EventIds::none(),
        };
        let event_ids = Arc::new(event_ids);
        let writer = writer::start(writer, checkpoints, (ids.clone(), event_ids.clone()), position);
        Ok(Self(Arc::new(Inner {
            reader,
            writer,
            ids,
            event_ids,
            names: Names::default(),
            search_file: file.as_deref().map(SearchFile::beside),
            epoch,
            boots: OnceLock::new(),
        })))
    }

    /// The connections that read. A read never sees half a commit.
    pub fn read(&self) -> &DatabaseConnection {
        &self.0.reader
    }

    /// Where the words of events are, if not in the database.
    pub(super) fn search_file(&self) -> Option<&SearchFile> {
        self.0.search_file.as_ref()
    }

    /// Which database this is; part of every token.
    pub fn epoch(&self) -> &str {
        &self.0.epoch
    }

    /// Notes that this process begins to tell clients what is here. Returns what it is called in tokens.
    pub async fn begin_telling(&self) -> Result<u32, Error> {
        let position = self.position();
        let boots = self.write(move |txn| Box::pin(Boots::begin(txn, position))).await?;
        Ok(self.0.boots.get_or_init(|| boots).own())
    }

    /// What this process is called in tokens.
    pub fn boot(&self) -> u32 {
        self.0.boots.get().map_or(0, Boots::own)
    }

    /// Whether this database has what a process of it told up to `position`. It has not where a backup was put back since. `boot`:
    /// the process, `None` where a token does not say.
    pub fn has_told(&self, boot: Option<u32>, position: Position) -> bool {
        self.0.boots.get().is_some_and(|boots| boots.have(boot, position))
            && position <= self.position()
    }

    /// A new interned id, never handed out before or again.
    pub fn new_id(&self) -> Id {
        self.0.ids.next()
    }

    /// By which events are found.
    pub(super) fn event_ids(&self) -> &EventIds {
        &self.0.event_ids
    }

    /// The interned names of users, servers and state keys.
    pub fn names(&self) -> &Names {
        &self.0.names
    }

    /// What changed when, since the start.
    pub fn changes(&self) -> &Changes {
        self.0.writer.changes()
    }

    /// The newest position whose commit is visible to readers.
    pub fn position(&self) -> Position {
        self.0.writer.position()
    }

    /// Runs `work` in a write transaction and answers after its commit, with the position the commit reached.
    /// Several callers' work may share one commit; an error of one undoes only its own. `work` may await nothing but
    /// the database.
    pub async fn write<T, E, F>(&self, work: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<Error> + Send + 'static,
        F: for<'t> FnOnce(&'t Txn) -> BoxFuture<'t, Result<T, E>> + Send + 'static,
    {
        self.0.writer.write(work).await
    }

    /// Appends events that are already authorised; answers after their commit with their positions.
    /// The order of calls is the order of commits: the call itself enqueues, the future waits.
    pub fn append(
        &self,
        batch: EventBatch,
    ) -> impl Future<Output = Result<Written, Error>> + Send + use<> {
        self.0.writer.append(batch)
    }

    /// Asks the database for nothing, to see that it answers.
    pub async fn ping(&self) -> Result<(), Error> {
        query_one(self.read(), "SELECT 1", values![]).await.map(|_| ())
    }

    /// Lets the writer finish what it has and closes the connections.
    pub async fn close(&self) {
        self.0.writer.stop().await;
        if let Some(file) = &self.0.search_file {
            file.close().await;
        }
        if let Err(error) = self.0.reader.close_by_ref().await {
            tracing::warn!(%error, "closing the database");
        }
    }
}

async fn counter(db: &DatabaseConnection, name: &str) -> Result<i64, Error> {
    let row = query_one(db, "SELECT value FROM counters WHERE name = $1", values![name]).await?;
    row.ok_or(Error::Damaged { what: "counter" })?.get(0)
}

/// One connection that writes and N that read: SQLite allows no more, and a pool of writers only meets locks.
async fn open_sqlite(
    file: &Path,
) -> Result<(DatabaseConnection, DatabaseConnection, Checkpoints), Error> {
    let unusable = |problem: &str| {
        let problem = if says_full(problem) { "the disk is full" } else { problem };
        Error::Unusable(format!("cannot open {}: {problem}", file.display()))
    };
    let database_error = |error: sea_orm::sqlx::Error| unusable(&error.to_string());
    // Checkpoints alone brings the log back.
    let options = sqlite_options(file).pragma("wal_autocheckpoint", "0");
    // Setting `auto_vacuum` writes to the file: a reader that is opened later must not.
    let writer = sqlite_pool(1).idle_timeout(None).max_lifetime(None);
    let writing = options.clone().pragma("cache_size", WRITER_CACHE);
    let writer = writer
        .connect_with(writing.auto_vacuum(SqliteAutoVacuum::Incremental))
        .await
        .map_err(database_error)?;
    let reading = options.pragma("cache_size", READER_CACHE).pragma("query_only", "true");
    let reader =
        sqlite_pool(sqlite_readers()).connect_with(reading).await.map_err(database_error)?;
    let reader = SqlxSqliteConnector::from_sqlx_sqlite_pool(reader);
    let checkpoints =
        Checkpoints::of(file, &reader).map_err(|error| unusable(&error.to_string()))?;
    Ok((reader, SqlxSqliteConnector::from_sqlx_sqlite_pool(writer), checkpoints))
}

/// A file that is created where it is not there.
pub(super) fn sqlite_options(file: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(file)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .busy_timeout(WAIT_MAX)
        .pragma("temp_store", "MEMORY")
        .pragma("journal_size_limit", "67108864")
}

/// At most so many connections. A file does not go away as a server does: asking before each use whether it is there would double the cost
/// of a read.
pub(super) fn sqlite_pool(connections: u32) -> SqlitePoolOptions {
    SqlitePoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(WAIT_MAX)
        .test_before_acquire(false)
        .before_acquire(|connection, _| {
            // SQLite ends a transaction by itself when the disk is full; the driver believes it is open, and the next would be a
            // part of it that no commit ever ends.
            Box::pin(async { Ok(!connection.is_in_transaction()) })
        })
}

async fn open_postgres(url: &str) -> Result<(DatabaseConnection, DatabaseConnection), Error> {
    // The error text of a URL can hold its password: it is left out.
    let options: PgConnectOptions = url
        .parse()
        .map_err(|_| Error::Unusable("database.url is not a valid postgres:// URL".to_owned()))?;
    let database_error =
        |error: sea_orm::sqlx::Error| Error::Unusable(format!("cannot reach PostgreSQL: {error}"));
    let writer =
        PgPoolOptions::new().max_connections(1).acquire_timeout(WAIT_MAX).idle_timeout(None);
    let writer = writer.connect_with(options.clone()).await.map_err(database_error)?;
    let reader = PgPoolOptions::new().max_connections(READERS).acquire_timeout(WAIT_MAX);
    let reader = reader.connect_with(options).await.map_err(database_error)?;
    Ok((
        SqlxPostgresConnector::from_sqlx_postgres_pool(reader),
        SqlxPostgresConnector::from_sqlx_postgres_pool(writer),
    ))
}

/// Whether `db` is SQLite.
pub(super) fn is_sqlite(db: &DatabaseConnection) -> bool {
    db.get_database_backend() == DbBackend::Sqlite
}

#[cfg(test)]
mod tests {
    use sea_orm::sqlx::{ConnectOptions as _, Executor as _};

    use super::*;
    use crate::storage::execute;

    const RAISE: &str = "UPDATE counters SET value = value + 1 WHERE name = $1";

    #[tokio::test]
    async fn a_transaction_that_reads_before_it_writes_lets_nobody_write_in_between() {
        let folder = tempfile::tempdir().unwrap();
        let db = Database::open("sqlite:tern.db", folder.path(), "example.org").await.unwrap();
        let other = SqliteConnectOptions::new().filename(folder.path().join("tern.db"));
        let mut other = other.busy_timeout(Duration::ZERO).connect().await.unwrap();
        let work = db.write(move |txn| {
            Box::pin(async move {
                query_one(txn.db(), "SELECT value FROM counters", values![]).await?;
                let refused = other.execute("UPDATE counters SET value = value").await.is_err();
                execute(txn.db(), RAISE, values!["id"]).await?;
                Ok::<_, Error>(refused)
            })
        });
        assert!(work.await.unwrap(), "another connection wrote");
        db.close().await;
    }

    #[tokio::test]
    async fn what_is_acknowledged_after_a_full_disk_is_committed() {
        let folder = tempfile::tempdir().unwrap();
        let db = Database::open("sqlite:tern.db", folder.path(), "example.org").await.unwrap();
        let statement = async |sql: &'static str| {
            db.write(move |txn| Box::pin(async move { execute(txn.db(), sql, values![]).await }))
                .await
        };
        statement("CREATE TABLE filler (bytes BLOB)").await.unwrap();
        // A file that may not grow stands for a disk that is full.
        statement("PRAGMA max_page_count = 1").await.unwrap();
        let full = statement("INSERT INTO filler VALUES (zeroblob(10000000))").await;
        assert!(matches!(full, Err(Error::DiskFull)), "{full:?}");
        assert!(statement("INSERT INTO nowhere VALUES (1)").await.is_err());

        statement("INSERT INTO filler VALUES (zeroblob(10000000))").await.unwrap();

        let other = SqliteConnectOptions::new().filename(folder.path().join("tern.db"));
        let mut other = other.connect().await.unwrap();
        let rows = other.fetch_all("SELECT 1 FROM filler").await.unwrap();
        assert_eq!(rows.len(), 1, "acknowledged and not committed");
        db.close().await;
    }

    #[tokio::test]
    async fn opening_a_connection_that_reads_writes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let db = Database::open("sqlite:tern.db", folder.path(), "example.org").await.unwrap();
        let other = SqliteConnectOptions::new().filename(folder.path().join("tern.db"));
        let other = SqlitePoolOptions::new().max_connections(1).connect_with(other).await.unwrap();
        let other = SqlxSqliteConnector::from_sqlx_sqlite_pool(other);
        let version = async || {
            let row = query_one(&other, "PRAGMA data_version", values![]).await.unwrap().unwrap();
            row.get::<i64>(0).unwrap()
        };
        let before = version().await;
        let pool = db.read().get_sqlite_connection_pool();
        let mut held = Vec::new();
        for _ in 0..sqlite_readers() {
            held.push(pool.acquire().await.unwrap());
        }
        assert_eq!(version().await, before);
        drop(held);
        db.close().await;
    }
}
