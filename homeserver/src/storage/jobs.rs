//! The table of persisted background work. What a job does stands on its floor; who runs it, in `crate::jobs`.

use sea_orm::ConnectionTrait;

use super::{Error, Id, execute, query_all, query_one, values};

/// One piece of work that is due.
#[derive(Clone, PartialEq, Eq)]
pub struct Job {
    pub id: Id,
    pub kind: String,
    /// JSON, read by the kind's own code. May hold secrets.
    pub payload: String,
    /// How often it was tried.
    pub attempts: i64,
}

impl std::fmt::Debug for Job {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Job")
            .field("id", &self.id)
            .field("kind", &self.kind)
            .finish_non_exhaustive()
    }
}

/// Adds a job. Whoever adds one rings `App::jobs` after the commit.
pub async fn insert_job(
    db: &impl ConnectionTrait,
    id: Id,
    kind: &str,
    payload: &str,
    run_at_ms: i64,
) -> Result<(), Error> {
    const SQL: &str = "INSERT INTO jobs (id, kind, payload, run_at_ms) VALUES ($1, $2, $3, $4)";
    execute(db, SQL, values![id, kind, payload, run_at_ms]).await?;
    Ok(())
}

/// The jobs due at `now_ms`, oldest first, at most `limit`.
pub async fn list_due_jobs(
    db: &impl ConnectionTrait,
    now_ms: i64,
    limit: u32,
) -> Result<Vec<Job>, Error> {
    const SQL: &str = "SELECT id, kind, payload, attempts FROM jobs WHERE done_at_ms IS NULL AND run_at_ms <= $1 ORDER BY run_at_ms, id LIMIT ($2 + 0)";
    let rows = query_all(db, SQL, values![now_ms, i64::from(limit)]).await?;
    let job = |row: super::Row| {
        Ok(Job { id: row.get(0)?, kind: row.get(1)?, payload: row.get(2)?, attempts: row.get(3)? })
    };
    rows.into_iter().map(job).collect()
}

/// When the next job is due, if any waits.
pub async fn find_next_run(db: &impl ConnectionTrait) -> Result<Option<i64>, Error> {
    const SQL: &str = "SELECT MIN(run_at_ms) FROM jobs WHERE done_at_ms IS NULL";
    query_one(db, SQL, values![]).await?.map_or(Ok(None), |row| row.get(0))
}

/// Marks a job done and forgets its payload. `error`: why it was given up.
pub async fn update_done(
    db: &impl ConnectionTrait,
    id: Id,
    now_ms: i64,
    error: Option<&str>,
) -> Result<(), Error> {
    const SQL: &str = "UPDATE jobs SET done_at_ms = $1, payload = '', attempts = attempts + 1, last_error = $2 WHERE id = $3";
    execute(db, SQL, values![now_ms, error.map(ToOwned::to_owned), id]).await?;
    Ok(())
}

/// Puts a failed job off.
pub async fn update_retry(
    db: &impl ConnectionTrait,
    id: Id,
    run_at_ms: i64,
    error: &str,
) -> Result<(), Error> {
    const SQL: &str =
        "UPDATE jobs SET run_at_ms = $1, attempts = attempts + 1, last_error = $2 WHERE id = $3";
    execute(db, SQL, values![run_at_ms, error, id]).await?;
    Ok(())
}
