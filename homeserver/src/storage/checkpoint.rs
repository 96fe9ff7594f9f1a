//! SQLite's log goes back into the database beside the writer: in a commit everybody who writes would wait for it, and for longer the
//! larger the database is, whose pages then lie far apart.
//!
//! Checkpoints are made here alone, one at a time. SQLite before 3.51.3 could lose a commit that began the log anew while a checkpoint ran
//! (<https://sqlite.org/wal.html#walresetbug>); a test holds us to a later one.

use std::{
    fs::File,
    io,
    mem::ManuallyDrop,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
};

use sea_orm::DatabaseConnection;

use super::{Error, query_one, values};

/// After how many commits what they wrote goes back, some hundreds of pages. More at once keep the disk from the commits for longer, the more
/// so the larger the database is; fewer write again and again the pages that every commit changes.
const COMMITS: u32 = 8;
/// A log of so many pages is to begin anew: it would grow for ever.
const LONG: i64 = 12_000;

/// The log of one database. Cheap to clone.
#[derive(Clone)]
pub(super) struct Checkpoints(Option<Arc<Inner>>);

struct Inner {
    /// Whoever only reads may do this too.
    reader: DatabaseConnection,
    /// The database. Never closed: that would let go of the lock that says to other processes that SQLite has it open.
    file: ManuallyDrop<File>,
    commits: AtomicU32,
    is_running: AtomicBool,
    /// It is the writer's turn to bring back what is left.
    is_writers_turn: AtomicBool,
}

/// How many pages were in the log when a checkpoint began, and how many of them the database has. Both -1 where another was under way.
struct Log {
    pages: i64,
    back: i64,
}

impl Checkpoints {
    /// There is nothing to do.
    pub(super) fn none() -> Self {
        Self(None)
    }

    /// Of the database in `file`.
    pub(super) fn of(file: &Path, reader: &DatabaseConnection) -> io::Result<Self> {
        let inner = Inner {
            reader: reader.clone(),
            file: ManuallyDrop::new(File::open(file)?),
            commits: AtomicU32::new(0),
            is_running: AtomicBool::new(false),
            is_writers_turn: AtomicBool::new(false),
        };
        Ok(Self(Some(Arc::new(inner))))
    }

    /// The writer is between two transactions. SQLite begins the log anew only when all of it is in the database, which somebody who
    /// always writes never lets happen: of a long log the writer itself brings back what was committed during the last pass.
    pub(super) async fn before_write(&self, writer: &DatabaseConnection) {
        let Some(inner) = &self.0 else { return };
        if inner.is_writers_turn.swap(false, Ordering::AcqRel) {
            inner.commits.store(0, Ordering::Relaxed);
            noted(go_back(writer).await);
        }
    }

    /// The writer has committed once more.
    pub(super) fn committed(&self) {
        let Some(inner) = &self.0 else { return };
        let commits = inner.commits.fetch_add(1, Ordering::Relaxed) + 1;
        if commits < COMMITS || inner.is_running.swap(true, Ordering::Acquire) {
            return;
        }
        if inner.is_writers_turn.load(Ordering::Relaxed) {
            inner.is_running.store(false, Ordering::Release);
            return;
        }
        inner.commits.store(0, Ordering::Relaxed);
        tokio::spawn(inner.clone().run());
    }
}

impl Inner {
    async fn run(self: Arc<Self>) {
        let log = noted(go_back(&self.reader).await);
        if !self.clone().sync().await {
            // Nothing more goes back from this process, and the log keeps all that it has.
            return;
        }
        // Where somebody still reads what is old, little would come of it; where this failed, the writer may have more luck.
        let is_writers_turn = log.is_none_or(|log| log.pages >= LONG && log.back == log.pages);
        self.is_writers_turn.store(is_writers_turn, Ordering::Relaxed);
        self.is_running.store(false, Ordering::Release);
    }

    /// SQLite syncs the database when all of the log is in it, and would have the writer wait for everything that went back before.
    async fn sync(self: Arc<Self>) -> bool {
        match tokio::task::spawn_blocking(move || self.file.sync_data()).await {
            Ok(Err(error)) => {
                tracing::error!(%error, "the disk failed: the database's log goes back no more; look at the disk, then kill ternd with SIGKILL and start it");
                false
            }
            // The process is ending.
            Err(_) => false,
            Ok(Ok(())) => true,
        }
    }
}

/// Brings back what can be. Passive: waits for nobody, and nobody for it.
async fn go_back(db: &DatabaseConnection) -> Result<Log, Error> {
    let row = query_one(db, "PRAGMA wal_checkpoint(PASSIVE)", values![]).await?;
    let row = row.ok_or(Error::Damaged { what: "checkpoint" })?;
    Ok(Log { pages: row.get(1)?, back: row.get(2)? })
}

/// What stays in the log is as safe there; a later pass takes it.
fn noted(outcome: Result<Log, Error>) -> Option<Log> {
    outcome.inspect_err(|error| tracing::warn!(%error, "the database's log stays")).ok()
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::{COMMITS, LONG};
    use crate::storage::{Database, Error, execute, query_one, values};

    #[tokio::test]
    async fn sqlite_is_one_that_loses_no_commit_to_a_checkpoint() {
        let folder = tempfile::tempdir().unwrap();
        let db = opened(&folder).await;
        let row = query_one(db.read(), "SELECT sqlite_version()", values![]).await.unwrap();
        let version: String = row.unwrap().get(0).unwrap();
        let numbers: Vec<u32> = version.split('.').map(|number| number.parse().unwrap()).collect();
        assert!(numbers >= vec![3, 51, 3], "{version}");
    }

    async fn opened(folder: &tempfile::TempDir) -> Database {
        let db = Database::open("sqlite:log.db", folder.path(), "example.org").await.unwrap();
        write(&db, "CREATE TABLE scratch (content BLOB)").await;
        db
    }

    async fn write(db: &Database, sql: &'static str) {
        let wrote: Result<(), Error> = db
            .write(move |txn| Box::pin(async { execute(txn.db(), sql, values![]).await.map(drop) }))
            .await;
        wrote.unwrap();
    }

    fn size(folder: &tempfile::TempDir, file: &str) -> u64 {
        std::fs::metadata(folder.path().join(file)).unwrap().len()
    }

    #[tokio::test]
    async fn what_was_committed_goes_back_before_the_log_is_long() {
        let folder = tempfile::tempdir().unwrap();
        let db = opened(&folder).await;
        let before = size(&folder, "log.db");
        for _ in 0..COMMITS {
            write(&db, "INSERT INTO scratch VALUES (zeroblob(40000))").await;
        }
        let began = Instant::now();
        while size(&folder, "log.db") < before + 40_000 * u64::from(COMMITS / 2) {
            assert!(began.elapsed() < Duration::from_secs(20), "{} bytes", size(&folder, "log.db"));
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn the_log_of_somebody_who_always_writes_begins_anew() {
        let folder = tempfile::tempdir().unwrap();
        let db = opened(&folder).await;
        write(&db, "INSERT INTO scratch VALUES (zeroblob(400000)), (zeroblob(400000))").await;
        // Three times as many pages as a long log has. Both are in each commit, or one waits while the other's is made.
        let pages = u64::try_from(LONG).unwrap() * 3;
        let always = async |sql: &'static str| {
            for _ in 0..pages / 100 / 2 {
                write(&db, sql).await;
            }
        };
        tokio::join!(
            always("UPDATE scratch SET content = randomblob(400000) WHERE rowid = 1"),
            always("UPDATE scratch SET content = randomblob(400000) WHERE rowid = 2"),
        );
        let (log, written) = (size(&folder, "log.db-wal"), pages * 4096);
        assert!(log < written * 2 / 3, "{log} bytes of {written}");
    }
}
