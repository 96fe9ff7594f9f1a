//! The one writer: everything that changes the database passes here, in groups, and is answered after its commit.
//!
//! ```text
//! append(batch) ─┐
//! write(work) ───┴▶ queue ▶ loop ─▶ BEGIN · all batches · SAVEPOINT work … RELEASE · COMMIT ─▶ position published, answers
//! ```
//!
//! A group takes what is waiting, never waits for more. When a group of batches fails it is replayed one by one, so that
//! only the faulty batch fails, and with it later batches of the same room, which were built on it.

use std::{
    any::Any,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
};

use sea_orm::{
    DatabaseConnection, DatabaseTransaction, SqliteTransactionMode, TransactionOptions,
    TransactionTrait,
};
use tokio::sync::{mpsc, oneshot};

use super::{
    Changes, Error, EventBatch, Position, Topic, append, checkpoint::Checkpoints,
    event_ids::EventIds, execute, ids::Ids, values,
};

/// Most batches or pieces of work in one commit.
const GROUP_MAX: usize = 256;
/// How often others may run before a group is closed.
const TURNS: usize = 2;
/// Most requests waiting for the writer before callers have to wait to enqueue.
const QUEUE_MAX: usize = 16_384;

pub(super) type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;
type Answer = Box<dyn Any + Send>;
/// The outcome of a piece of work: its value, or its own error, boxed.
type Outcome = Result<Answer, Answer>;
type Work = Box<dyn for<'t> FnOnce(&'t Txn) -> BoxFuture<'t, Outcome> + Send>;

/// A write transaction as a piece of work sees it.
pub struct Txn {
    txn: DatabaseTransaction,
    positions: Arc<Positions>,
    changes: Arc<Changes>,
}

impl Txn {
    /// The connection to run statements on.
    pub fn db(&self) -> &DatabaseTransaction {
        &self.txn
    }

    /// Takes the next position; it becomes visible with this commit.
    pub fn next_position(&self) -> Position {
        self.positions.take()
    }

    /// As [`Txn::next_position`], for a change of `topic`.
    pub fn next_position_of(&self, topic: Topic) -> Position {
        let position = self.positions.take();
        self.changes.note(topic, position);
        position
    }
}

/// What an append wrote.
#[derive(Debug, Clone)]
pub struct Written {
    /// One position per event of the batch, in its order; `None` for outliers.
    pub positions: Vec<Option<Position>>,
    /// The position of the batch's last row.
    pub upto: Position,
}

/// Positions taken and positions published.
pub(super) struct Positions {
    taken: AtomicI64,
    committed: AtomicI64,
}

impl Positions {
    /// The newest position taken.
    pub(super) fn taken(&self) -> Position {
        self.taken.load(Ordering::Relaxed)
    }

    pub(super) fn take(&self) -> Position {
        self.taken.fetch_add(1, Ordering::Relaxed) + 1
    }
}

enum Job {
    Append { batch: Box<EventBatch>, answer: oneshot::Sender<Result<Written, Error>> },
    Work { work: Work, answer: oneshot::Sender<Result<Outcome, Error>> },
    Stop { answer: oneshot::Sender<()> },
}

/// The handle by which the rest of the server reaches the writer.
pub(super) struct Writer {
    queue: mpsc::Sender<Job>,
    /// Batches skip the bounded queue's wait: a room enqueues while it holds its turn.
    batches: mpsc::UnboundedSender<Job>,
    positions: Arc<Positions>,
    changes: Arc<Changes>,
}

impl Writer {
    pub(super) fn changes(&self) -> &Changes {
        &self.changes
    }

    pub(super) fn position(&self) -> Position {
        self.positions.committed.load(Ordering::Acquire)
    }

    pub(super) fn append(
        &self,
        batch: EventBatch,
    ) -> impl Future<Output = Result<Written, Error>> + Send + use<> {
        let (answer, answered) = oneshot::channel();
        let enqueued = self.batches.send(Job::Append { batch: Box::new(batch), answer }).is_ok();
        async move {
            if !enqueued {
                return Err(Error::Stopping);
            }
            answered.await.unwrap_or(Err(Error::Stopping))
        }
    }

    pub(super) async fn write<T, E, F>(&self, work: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<Error> + Send + 'static,
        F: for<'t> FnOnce(&'t Txn) -> BoxFuture<'t, Result<T, E>> + Send + 'static,
    {
        let work: Work = Box::new(move |txn| {
            let work = work(txn);
            Box::pin(async move {
                match work.await {
                    Ok(value) => Ok(Box::new(value) as Answer),
                    Err(error) => Err(Box::new(error) as Answer),
                }
            })
        });
        let (answer, answered) = oneshot::channel();
        self.queue.send(Job::Work { work, answer }).await.map_err(|_| E::from(Error::Stopping))?;
        let damaged = || E::from(Error::Damaged { what: "answer of the writer" });
        match answered.await.unwrap_or(Err(Error::Stopping))? {
            Ok(value) => value.downcast::<T>().map(|value| *value).map_err(|_| damaged()),
            Err(error) => Err(error.downcast::<E>().map_or_else(|_| damaged(), |error| *error)),
        }
    }

    pub(super) async fn stop(&self) {
        let (answer, answered) = oneshot::channel();
        if self.queue.send(Job::Stop { answer }).await.is_ok() {
            // A closed channel means the writer is gone already, which is what was asked for.
            answered.await.ok();
        }
    }
}

/// Starts the writer on its one connection, going on after `position`.
pub(super) fn start(
    db: DatabaseConnection,
    checkpoints: Checkpoints,
    (ids, event_ids): (Arc<Ids>, Arc<EventIds>),
    position: Position,
) -> Writer {
    let (queue, jobs) = mpsc::channel(QUEUE_MAX);
    let (batches, batch_jobs) = mpsc::unbounded_channel();
    let positions = Arc::new(Positions {
        taken: AtomicI64::new(position),
        committed: AtomicI64::new(position),
    });
    let changes = Arc::new(Changes::new(position));
    let (to_publish, to_note) = (positions.clone(), changes.clone());
    let writing = Loop { db, checkpoints, ids, event_ids, positions: to_publish, changes: to_note };
    // The one task that is not in the list of background loops: it ends with the database that owns it.
    tokio::spawn(writing.run(jobs, batch_jobs));
    Writer { queue, batches, positions, changes }
}

struct Loop {
    db: DatabaseConnection,
    checkpoints: Checkpoints,
    ids: Arc<Ids>,
    event_ids: Arc<EventIds>,
    positions: Arc<Positions>,
    changes: Arc<Changes>,
}

type AppendJob = (EventBatch, oneshot::Sender<Result<Written, Error>>);
type WorkJob = (Work, oneshot::Sender<Result<Outcome, Error>>);

impl Loop {
    async fn run(self, mut jobs: mpsc::Receiver<Job>, mut batches: mpsc::UnboundedReceiver<Job>) {
        loop {
            let first = tokio::select! {
                Some(job) = batches.recv() => job,
                Some(job) = jobs.recv() => job,
                else => break,
            };
            // Whoever is ready to enqueue comes along: a commit costs the same for one as for many. Nobody is waited for.
            for _ in 0..TURNS {
                tokio::task::yield_now().await;
            }
            let (mut appends, mut works, mut stop) = (Vec::new(), Vec::new(), None);
            let mut sort = |job| match job {
                Job::Append { batch, answer } => appends.push((*batch, answer)),
                Job::Work { work, answer } => works.push((work, answer)),
                Job::Stop { answer } => stop = Some(answer),
            };
            sort(first);
            for _ in 0..GROUP_MAX {
                match batches.try_recv().or_else(|_| jobs.try_recv()) {
                    Ok(job) => sort(job),
                    Err(_) => break,
                }
            }
            self.commit_all(appends, works).await;
            if let Some(answer) = stop {
                if let Err(error) = self.db.close_by_ref().await {
                    tracing::warn!(%error, "closing the writer");
                }
                answer.send(()).ok();
                break;
            }
        }
    }

    /// Commits what came in one transaction: the disk is waited for once, whatever is in it. Where that fails, the batches are tried one
    /// by one.
    async fn commit_all(&self, appends: Vec<AppendJob>, works: Vec<WorkJob>) {
        if appends.is_empty() && works.is_empty() {
            return;
        }
        let (batches, appended): (Vec<_>, Vec<_>) = appends.into_iter().unzip();
        let (txn, written) = match self.begin_with(&batches).await {
            Ok(begun) => begun,
            Err(error) if batches.is_empty() => {
                for (_, answer) in works {
                    answer.send(Err(error.clone())).ok();
                }
                return;
            }
            Err(_) => {
                self.replay(batches, appended).await;
                return Box::pin(self.commit_all(Vec::new(), works)).await;
            }
        };
        let (works, worked): (Vec<_>, Vec<_>) = works.into_iter().unzip();
        let (outcomes, committed) = self.run_and_commit(txn, works).await;
        for (answer, outcome) in worked.into_iter().zip(outcomes) {
            answer.send(outcome).ok();
        }
        match committed {
            Ok(()) => {
                for (answer, written) in appended.into_iter().zip(written) {
                    answer.send(Ok(written)).ok();
                }
            }
            // Replaying a single batch tries it once more, which a passing fault of the database deserves.
            Err(_) => self.replay(batches, appended).await,
        }
    }

    /// Commits the batches one by one; after a failure, later batches of the same room fail with it.
    async fn replay(
        &self,
        batches: Vec<EventBatch>,
        answers: Vec<oneshot::Sender<Result<Written, Error>>>,
    ) {
        for (batch, answer) in batches.into_iter().zip(answers) {
            let outcome = self.commit_group(std::slice::from_ref(&batch)).await;
            if outcome.is_err() {
                batch.broken.store(true, Ordering::Release);
            }
            let outcome = outcome
                .and_then(|mut written| written.pop().ok_or(Error::Damaged { what: "commit" }));
            answer.send(outcome).ok();
        }
    }

    async fn commit_group(&self, batches: &[EventBatch]) -> Result<Vec<Written>, Error> {
        let (txn, written) = self.begin_with(batches).await?;
        self.commit(txn).await?;
        Ok(written)
    }

    /// Begins a transaction and writes the batches in it.
    async fn begin_with(
        &self,
        batches: &[EventBatch],
    ) -> Result<(DatabaseTransaction, Vec<Written>), Error> {
        let txn = self.begin().await?;
        let written = append::write_batches(&txn, batches, &self.positions, &self.changes).await?;
        self.event_ids.note(&txn, batches).await?;
        Ok((txn, written))
    }

    /// Runs each piece in its own savepoint, so that a failing piece undoes only itself, and commits all there is. Where a savepoint
    /// does not end as it should, the piece took the whole transaction with it (a full disk does that) and nothing is done of the rest;
    /// the piece is still told its own error.
    async fn run_and_commit(
        &self,
        group: DatabaseTransaction,
        works: Vec<Work>,
    ) -> (Vec<Result<Outcome, Error>>, Result<(), Error>) {
        let mut outcomes = Vec::with_capacity(works.len());
        let mut lost: Option<Error> = None;
        for work in works {
            if let Some(error) = &lost {
                outcomes.push(Err(error.clone()));
                continue;
            }
            let txn = match group.begin().await {
                Ok(txn) => txn,
                Err(error) => {
                    let error = Error::from(error);
                    lost = Some(error.clone());
                    outcomes.push(Err(error));
                    continue;
                }
            };
            let (positions, changes) = (self.positions.clone(), self.changes.clone());
            let piece = Txn { txn, positions, changes };
            let outcome = work(&piece).await;
            let ended =
                if outcome.is_ok() { piece.txn.commit().await } else { piece.txn.rollback().await };
            lost = ended.err().map(Error::from);
            outcomes.push(Ok(outcome));
        }
        let committed = match lost {
            None => self.commit(group).await,
            Some(error) => Err(error),
        };
        if let Err(error) = &committed {
            for outcome in outcomes.iter_mut().filter(|outcome| matches!(outcome, Ok(Ok(_)))) {
                *outcome = Err(error.clone());
            }
        }
        (outcomes, committed)
    }

    /// Takes SQLite's write lock at once: a transaction that reads first and writes later is refused when anybody else has
    /// written in between, a tool of the operator's for instance.
    async fn begin(&self) -> Result<DatabaseTransaction, Error> {
        self.checkpoints.before_write(&self.db).await;
        let options = TransactionOptions {
            sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
            ..TransactionOptions::default()
        };
        Ok(self.db.begin_with_options(options).await?)
    }

    /// Writes the counters last, commits, then publishes the position.
    async fn commit(&self, txn: DatabaseTransaction) -> Result<(), Error> {
        const SET: &str = "UPDATE counters SET value = $1 WHERE name = $2";
        let taken = self.positions.taken.load(Ordering::Relaxed);
        if taken > self.positions.committed.load(Ordering::Relaxed) {
            execute(&txn, SET, values![taken, "position"]).await?;
        }
        let limit = self.ids.limit_to_write();
        if let Some(limit) = limit {
            execute(&txn, SET, values![limit, "id"]).await?;
        }
        txn.commit().await?;
        if let Some(limit) = limit {
            self.ids.limit_written(limit);
        }
        self.event_ids.committed();
        self.positions.committed.store(taken, Ordering::Release);
        self.checkpoints.committed();
        Ok(())
    }
}
