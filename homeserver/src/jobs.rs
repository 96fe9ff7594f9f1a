//! The runner of persisted background work: one loop over the `jobs` table, each kind's code given by its floor.
//!
//! A job runs at least once. It is tried again with growing pauses until it is done or given up.

use std::{collections::HashMap, pin::Pin, sync::Arc, time::Duration};

use futures_util::{StreamExt, stream};
use tokio::sync::Notify;

use crate::{
    app::App,
    storage::{self, jobs::Job},
};

/// Writes a user's profile into their memberships; the payload is the user id. Added with every change of name or avatar.
pub const REFRESH_PROFILE: &str = "refresh_profile";
/// Takes a deactivated user out of every room; the payload is the user id.
pub const LEAVE_ROOMS: &str = "leave_rooms";

/// Jobs that run at the same time.
const CONCURRENT: usize = 8;
/// Jobs taken from the table at once.
const BATCH: u32 = 100;
/// A job that failed this often is given up: about nine hours after the first try.
const ATTEMPTS_MAX: i64 = 14;
const PAUSE_MIN: Duration = Duration::from_secs(15);
const PAUSE_MAX: Duration = Duration::from_secs(3_600);
/// The longest sleep of the loop; a clock that jumped is noticed after this.
const SLEEP_MAX: Duration = Duration::from_secs(30);

/// Wakes the runner when a job was added.
#[derive(Debug, Clone, Default)]
pub struct JobBell(Arc<Notify>);

impl JobBell {
    /// A job was committed.
    pub fn ring(&self) {
        self.0.notify_one();
    }
}

/// Why a job is not done.
#[derive(Debug, thiserror::Error)]
pub enum JobError {
    /// May work later.
    #[error("{0}")]
    Later(String),
    /// Will never work.
    #[error("{0}")]
    Never(String),
}

type Work = Pin<Box<dyn Future<Output = Result<(), JobError>> + Send>>;
type Handler = Arc<dyn Fn(App, String) -> Work + Send + Sync>;

/// Runs jobs.
#[derive(Clone)]
pub struct Runner {
    app: App,
    handlers: HashMap<&'static str, Handler>,
}

impl std::fmt::Debug for Runner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Runner").field("kinds", &self.handlers.keys()).finish_non_exhaustive()
    }
}

impl Runner {
    pub fn new(app: App) -> Self {
        Self { app, handlers: HashMap::new() }
    }

    /// Runs jobs of `kind` by `handler`, which gets the job's payload.
    #[must_use]
    pub fn with<F, W>(mut self, kind: &'static str, handler: F) -> Self
    where
        F: Fn(App, String) -> W + Send + Sync + 'static,
        W: Future<Output = Result<(), JobError>> + Send + 'static,
    {
        self.handlers.insert(kind, Arc::new(move |app, payload| Box::pin(handler(app, payload))));
        self
    }

    /// Runs what is due, for ever. Dropping the future between two jobs loses nothing.
    pub async fn run(self) {
        loop {
            if let Err(error) = self.run_due().await {
                tracing::warn!(%error, "background work cannot be read");
            }
            let pause = self.pause().await;
            tokio::select! {
                () = self.app.clock.sleep(pause) => {}
                () = self.app.jobs.0.notified() => {}
            }
        }
    }

    /// Runs everything that is due now, and returns when nothing is.
    pub async fn run_due(&self) -> Result<(), storage::Error> {
        loop {
            let now = self.app.clock.now_ms();
            let due = storage::jobs::list_due_jobs(self.app.db.read(), now, BATCH).await?;
            if due.is_empty() {
                return Ok(());
            }
            let mut running = stream::iter(due).map(|job| self.run_one(job)).buffered(CONCURRENT);
            while let Some(ended) = running.next().await {
                ended?;
            }
        }
    }

    async fn run_one(&self, job: Job) -> Result<(), storage::Error> {
        let outcome = match self.handlers.get(job.kind.as_str()) {
            Some(handler) => handler(self.app.clone(), job.payload.clone()).await,
            None => Err(JobError::Later(format!("nobody runs jobs of kind {}", job.kind))),
        };
        let now = self.app.clock.now_ms();
        let (id, attempts) = (job.id, job.attempts + 1);
        let retry_at = match &outcome {
            Err(JobError::Later(_)) if attempts < ATTEMPTS_MAX => Some(now + pause_ms(attempts)),
            _ => None,
        };
        let error = outcome.err().map(|error| error.to_string());
        if let Some(error) = &error {
            tracing::warn!(kind = job.kind, id, attempts, error, "background work failed");
        }
        let write = self.app.db.write(move |txn| {
            Box::pin(async move {
                match retry_at {
                    Some(at) => {
                        let error = error.unwrap_or_default();
                        storage::jobs::update_retry(txn.db(), id, at, &error).await
                    }
                    None => storage::jobs::update_done(txn.db(), id, now, error.as_deref()).await,
                }
            })
        });
        write.await
    }

    async fn pause(&self) -> Duration {
        let next = storage::jobs::find_next_run(self.app.db.read()).await.ok().flatten();
        let Some(next) = next else { return SLEEP_MAX };
        let millis = next.saturating_sub(self.app.clock.now_ms()).max(0);
        Duration::from_millis(millis.unsigned_abs()).min(SLEEP_MAX)
    }
}

/// The pause after `attempts` failures: 15 s, doubling, at most 1 h.
fn pause_ms(attempts: i64) -> i64 {
    let doublings = u32::try_from(attempts.clamp(1, 16) - 1).unwrap_or(0);
    let pause = (PAUSE_MIN * 2u32.pow(doublings)).min(PAUSE_MAX);
    i64::try_from(pause.as_millis()).unwrap_or(i64::MAX)
}
