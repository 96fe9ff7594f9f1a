//! SQLite's log goes back into the database beside the writer: in a commit everybody who writes would wait for it, and for longer the
//! larger the database is, whose pages then lie far apart.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU32, Ordering},
};

use sea_orm::DatabaseConnection;

use super::{open::is_sqlite, query_one, values};

/// After how many commits what they wrote goes back, some hundreds of pages. What is left then is little, and the next commit that finds
/// nothing left begins the log anew.
const COMMITS: u32 = 64;

/// The log of one database. Cheap to clone.
#[derive(Clone)]
pub(super) struct Checkpoints(Option<Arc<Inner>>);

struct Inner {
    /// Whoever only reads may do this too.
    reader: DatabaseConnection,
    commits: AtomicU32,
    is_running: AtomicBool,
}

impl Checkpoints {
    pub(super) fn of(reader: &DatabaseConnection) -> Self {
        let inner = || Inner {
            reader: reader.clone(),
            commits: AtomicU32::new(0),
            is_running: AtomicBool::new(false),
        };
        Self(is_sqlite(reader).then(|| Arc::new(inner())))
    }

    /// One more commit.
    pub(super) fn committed(&self) {
        let Some(inner) = &self.0 else { return };
        let commits = inner.commits.fetch_add(1, Ordering::Relaxed) + 1;
        if commits < COMMITS || inner.is_running.swap(true, Ordering::Acquire) {
            return;
        }
        inner.commits.store(0, Ordering::Relaxed);
        // Ends by itself, soon; a database that is closed meanwhile waits for it.
        tokio::spawn(inner.clone().run());
    }
}

impl Inner {
    async fn run(self: Arc<Self>) {
        // Passive: waits for nobody, and nobody for it.
        let pragma = "PRAGMA wal_checkpoint(PASSIVE)";
        if let Err(error) = query_one(&self.reader, pragma, values![]).await {
            // What stays in the log is as safe there; a later pass or the writer's own takes it.
            tracing::debug!(%error, "the log stays");
        }
        self.is_running.store(false, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::COMMITS;
    use crate::storage::{Database, Error, execute, values};

    async fn write(db: &Database, sql: &'static str) {
        let wrote: Result<(), Error> = db
            .write(move |txn| Box::pin(async { execute(txn.db(), sql, values![]).await.map(drop) }))
            .await;
        wrote.unwrap();
    }

    #[tokio::test]
    async fn what_was_committed_goes_back_before_the_log_is_long() {
        let folder = tempfile::tempdir().unwrap();
        let db = Database::open("sqlite:log.db", folder.path(), "example.org").await.unwrap();
        write(&db, "CREATE TABLE scratch (content BLOB)").await;
        let size = || std::fs::metadata(folder.path().join("log.db")).unwrap().len();
        let before = size();
        for _ in 0..COMMITS {
            write(&db, "INSERT INTO scratch VALUES (zeroblob(4000))").await;
        }
        let began = Instant::now();
        while size() < before + 4000 * 32 {
            assert!(began.elapsed() < Duration::from_secs(20), "{} bytes", size());
            tokio::task::yield_now().await;
        }
    }
}
