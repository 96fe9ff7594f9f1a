//! SQLite's log goes back into the database beside the writer: in a commit everybody who writes would wait for it, and for longer the
//! larger the database is, whose pages then lie far apart.

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
/// How often at most, one time after the other: each has what was committed during the one before it, and so less.
const PASSES: usize = 3;
/// What takes the writer a moment, in pages.
const FEW: i64 = 256;
/// A log of so many pages has to begin anew: each read looks through all of it.
const LONG: i64 = 12_000;

/// The log of one database. Cheap to clone.
#[derive(Clone)]
pub(super) struct Checkpoints(Option<Arc<Inner>>);

struct Inner {
    /// Whoever only reads may do this too.
    reader: DatabaseConnection,
    /// The database. Never closed: that would let go of SQLite's locks on it, which are the process's.
    file: ManuallyDrop<File>,
    commits: AtomicU32,
    is_running: AtomicBool,
    /// The writer is to bring back what is left.
    is_long: AtomicBool,
}

/// How many pages are in the log, and how many of them the database has.
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
            is_long: AtomicBool::new(false),
        };
        Ok(Self(Some(Arc::new(inner))))
    }

    /// One more commit.
    pub(super) fn committed(&self) {
        let Some(inner) = &self.0 else { return };
        let commits = inner.commits.fetch_add(1, Ordering::Relaxed) + 1;
        if commits < COMMITS
            || inner.is_long.load(Ordering::Acquire)
            || inner.is_running.swap(true, Ordering::Acquire)
        {
            return;
        }
        // A pass that ended meanwhile may have left the rest to the writer: never two at once.
        if inner.is_long.load(Ordering::Acquire) {
            inner.is_running.store(false, Ordering::Release);
            return;
        }
        inner.commits.store(0, Ordering::Relaxed);
        // Ends by itself, soon; a database that is closed meanwhile waits for it.
        tokio::spawn(inner.clone().run());
    }

    /// The writer is between two transactions. SQLite begins the log anew only when all of it is in the database, which somebody who
    /// always writes never lets happen: of a long log the writer itself brings back the rest, of which little is left.
    pub(super) async fn before_write(&self, writer: &DatabaseConnection) {
        let Some(inner) = &self.0 else { return };
        if inner.is_long.swap(false, Ordering::AcqRel) {
            inner.commits.store(0, Ordering::Relaxed);
            noted(go_back(writer).await);
        }
    }
}

impl Inner {
    async fn run(self: Arc<Self>) {
        for pass in 1..=PASSES {
            let Some(log) = noted(go_back(&self.reader).await) else { break };
            self.clone().sync().await;
            if pass == PASSES || log.pages - log.back <= FEW {
                self.is_long.store(log.pages >= LONG, Ordering::Release);
                break;
            }
        }
        self.is_running.store(false, Ordering::Release);
    }

    /// SQLite syncs the database when all of the log is in it, and would have the writer wait for everything that went back before.
    async fn sync(self: Arc<Self>) {
        let synced = tokio::task::spawn_blocking(move || self.file.sync_data()).await;
        if let Ok(Err(error)) = synced {
            tracing::debug!(%error, "the database is not synced");
        }
    }
}

/// Brings back what can be. Passive: waits for nobody, and nobody for it.
async fn go_back(db: &DatabaseConnection) -> Result<Log, Error> {
    let row = query_one(db, "PRAGMA wal_checkpoint(PASSIVE)", values![]).await?;
    let row = row.ok_or(Error::Damaged { what: "checkpoint" })?;
    Ok(Log { pages: row.get(1)?, back: row.get(2)? })
}

/// What stays in the log is as safe there; a later pass or the writer's own takes it.
fn noted(outcome: Result<Log, Error>) -> Option<Log> {
    outcome.inspect_err(|error| tracing::debug!(%error, "the log stays")).ok()
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::{COMMITS, LONG};
    use crate::storage::{Database, Error, execute, values};

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
        write(&db, "INSERT INTO scratch VALUES (zeroblob(400000))").await;
        // Three times as many pages as a long log has, by two of whom one always has something for the next commit.
        let pages = u64::try_from(LONG).unwrap() * 3;
        let always = async || {
            for _ in 0..pages / 100 / 2 {
                write(&db, "UPDATE scratch SET content = randomblob(400000)").await;
            }
        };
        tokio::join!(always(), always());
        let (log, written) = (size(&folder, "log.db-wal"), pages * 4096);
        assert!(log < written * 2 / 3, "{log} bytes of {written}");
    }
}
