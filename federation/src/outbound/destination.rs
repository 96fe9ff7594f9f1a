//! The queue of one destination and the task that empties it: one transaction in flight, the same again after a failure.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime},
};

use http::StatusCode;
use rand::Rng as _;
use ruma::{OwnedServerName, api::federation::transactions::edu::Edu, serde::Raw};
use tokio::sync::Notify;

use super::{
    EphemeralKey, Sender,
    ephemeral::Ephemerals,
    outbox::{Batch, OutboxError, Owed, Retry},
    transaction::{PERSISTED_EDUS_MAX, Transaction},
};
use crate::{
    client::{CallLimits, RequestError},
    clock::to_ts,
    inbound::{EDUS_MAX, PDUS_MAX},
};

/// An answer to a transaction holds a line for each PDU.
const ANSWER_BYTES_MAX: usize = 1024 * 1024;
/// Waits are cut into pieces, so that a clock that jumped (a laptop that slept) is noticed.
const NAP: Duration = Duration::from_secs(60);
/// The wait after the host's own log failed.
const OUTBOX_RETRY: Duration = Duration::from_secs(5);

/// What is to be done for one destination.
pub(super) struct Queue {
    pub(super) destination: OwnedServerName,
    notes: Mutex<Notes>,
    heard: Notify,
}

#[derive(Default)]
struct Notes {
    /// The outbox may owe something.
    debts: bool,
    ephemerals: Ephemerals,
    /// The destination is known to wait before its next attempt.
    waiting: bool,
}

/// How an attempt ended.
enum Outcome {
    Arrived,
    /// Try the same again later; not before this has passed, if the other side said so.
    Later(Option<Duration>),
    /// The other side will never take this transaction.
    Refused,
}

impl Queue {
    pub(super) fn new(destination: OwnedServerName) -> Self {
        Self { destination, notes: Mutex::default(), heard: Notify::new() }
    }

    pub(super) fn note_debts(&self) {
        self.notes().debts = true;
    }

    pub(super) fn note_ephemeral(&self, key: EphemeralKey, edu: Raw<Edu>) {
        let mut notes = self.notes();
        if !notes.waiting {
            notes.ephemerals.put(key, edu);
        }
    }

    pub(super) fn note_heard(&self) {
        if self.notes().waiting {
            self.heard.notify_one();
        }
    }

    pub(super) fn is_idle(&self) -> bool {
        let notes = self.notes();
        !notes.debts && notes.ephemerals.is_empty()
    }

    fn set_waiting(&self, waiting: bool) {
        let mut notes = self.notes();
        notes.waiting = waiting;
        if waiting {
            notes.ephemerals.clear();
        }
    }

    fn take_debts(&self) -> bool {
        std::mem::take(&mut self.notes().debts)
    }

    fn take_ephemerals(&self, max: usize) -> Vec<Raw<Edu>> {
        self.notes().ephemerals.take(max)
    }

    fn notes(&self) -> MutexGuard<'_, Notes> {
        self.notes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Works until there is nothing left to do or the sender stops.
pub(super) async fn run(sender: Sender, queue: Arc<Queue>) {
    let mut task = Task { sender, queue, pending: VecDeque::new(), failures: 0, splitting: false };
    task.resume_wait().await;
    while !task.stopping() {
        match task.next().await {
            Some(transaction) => task.send(transaction).await,
            None if task.sender.retire(&task.queue) => return,
            None => {}
        }
    }
}

struct Task {
    sender: Sender,
    queue: Arc<Queue>,
    /// Transactions that were begun; before they are done nothing new is read.
    pending: VecDeque<Transaction>,
    failures: u32,
    /// The pending transactions are pieces of one that was refused whole.
    splitting: bool,
}

impl Task {
    fn stopping(&self) -> bool {
        self.sender.0.stopping.is_cancelled()
    }

    /// Goes on waiting where the last process stopped.
    async fn resume_wait(&mut self) {
        if self.sender.healthy().contains(&self.queue.destination) {
            return;
        }
        match self.sender.0.outbox.load_retry(&self.queue.destination).await {
            Ok(Some(retry)) => {
                self.failures = retry.failures;
                self.wait_until(retry.retry_at).await;
            }
            Ok(None) => {
                self.sender.healthy().insert(self.queue.destination.clone());
            }
            Err(error) => self.outbox_failed(&error).await,
        }
    }

    /// The next transaction; nothing if there is nothing to send.
    async fn next(&mut self) -> Option<Transaction> {
        if let Some(transaction) = self.pending.pop_front() {
            return Some(transaction);
        }
        self.splitting = false;
        if self.queue.take_debts() {
            match self.read_outbox().await {
                Ok(Some(batch)) => {
                    // There may be more than fits.
                    self.queue.note_debts();
                    let ephemerals = self.queue.take_ephemerals(EDUS_MAX - batch.edus.len());
                    return Some(Transaction::of_debts(batch, ephemerals));
                }
                Ok(None) => {}
                Err(error) => {
                    self.queue.note_debts();
                    self.outbox_failed(&error).await;
                    return None;
                }
            }
        }
        let ephemerals = self.queue.take_ephemerals(EDUS_MAX);
        (!ephemerals.is_empty())
            .then(|| Transaction::of_ephemerals(ephemerals, &self.sender.0.counter))
    }

    async fn read_outbox(&self) -> Result<Option<Batch>, OutboxError> {
        let shared = &self.sender.0;
        let Ok(_permit) = shared.reads.acquire().await else { return Ok(None) };
        let limit = Owed { pdus_max: PDUS_MAX, edus_max: PERSISTED_EDUS_MAX };
        shared.outbox.owed(&self.queue.destination, limit).await
    }

    async fn send(&mut self, mut transaction: Transaction) {
        let outcome = if transaction.is_empty() {
            Outcome::Arrived
        } else {
            self.attempt(&transaction).await
        };
        match outcome {
            Outcome::Arrived => self.arrived(transaction).await,
            Outcome::Refused if transaction.can_be_split() && !self.splitting => {
                self.splitting = true;
                self.pending = transaction.split().into();
            }
            Outcome::Refused => {
                tracing::warn!(
                    destination = %self.queue.destination,
                    transaction.id = %transaction.id,
                    "the other server refuses this; it is given up"
                );
                self.arrived(transaction).await;
            }
            Outcome::Later(at_least) => {
                transaction.drop_ephemerals();
                if transaction.must_arrive() {
                    self.pending.push_front(transaction);
                }
                self.failed(at_least).await;
            }
        }
    }

    async fn attempt(&self, transaction: &Transaction) -> Outcome {
        let shared = &self.sender.0;
        let Ok(_permit) = shared.permits.acquire().await else { return Outcome::Later(None) };
        if self.stopping() {
            return Outcome::Later(None);
        }
        let origin = shared.client.server_name().to_owned();
        let request = transaction.to_request(origin, to_ts(shared.clock.now()));
        let limits =
            CallLimits { timeout: shared.config.timeout, response_bytes_max: ANSWER_BYTES_MAX };
        match shared.client.send_with(&self.queue.destination, request, limits).await {
            Ok(response) => {
                for (event_id, error) in response
                    .pdus
                    .iter()
                    .filter_map(|(id, result)| result.as_ref().err().map(|error| (id, error)))
                {
                    tracing::info!(
                        destination = %self.queue.destination,
                        event.id = %event_id, error, "the other server did not take an event"
                    );
                }
                Outcome::Arrived
            }
            Err(error) => {
                tracing::debug!(destination = %self.queue.destination, %error, "not delivered");
                judge(&error)
            }
        }
    }

    async fn arrived(&mut self, transaction: Transaction) {
        let had_failed = std::mem::take(&mut self.failures) > 0;
        let outbox = &self.sender.0.outbox;
        let destination = &self.queue.destination;
        let told = match &transaction.upto {
            Some(upto) => outbox.delivered(destination, upto).await,
            None if had_failed => {
                let retry = Retry { failures: 0, retry_at: self.sender.0.clock.now() };
                outbox.record_failure(destination, retry).await
            }
            None => Ok(()),
        };
        if let Err(error) = told {
            // What was delivered will be sent again under the same id, which the other side knows.
            self.outbox_failed(&error).await;
            return;
        }
        if had_failed {
            tracing::info!(destination = %self.queue.destination, "the server is back");
        }
    }

    async fn failed(&mut self, at_least: Option<Duration>) {
        if self.stopping() {
            return;
        }
        self.failures = self.failures.saturating_add(1);
        self.sender.healthy().remove(&self.queue.destination);
        let shared = &self.sender.0;
        let wait = shared.config.backoff.wait(self.failures, rand::rng().random());
        let wait = wait.max(at_least.unwrap_or_default()).min(shared.config.backoff.max);
        let retry_at = shared.clock.now() + wait;
        let retry = Retry { failures: self.failures, retry_at };
        // Already waiting, so that a sign of life between here and the wait is not lost.
        self.queue.set_waiting(true);
        if let Err(error) = shared.outbox.record_failure(&self.queue.destination, retry).await {
            tracing::error!(destination = %self.queue.destination, %error, "failure not recorded");
        }
        self.wait_until(retry_at).await;
    }

    /// Returns at `until`, when the server was heard from, or when the sender stops.
    async fn wait_until(&self, until: SystemTime) {
        let clock = &self.sender.0.clock;
        self.queue.set_waiting(true);
        while let Ok(left) = until.duration_since(clock.now())
            && !left.is_zero()
        {
            tokio::select! {
                () = clock.sleep(left.min(NAP)) => {}
                () = self.queue.heard.notified() => break,
                () = self.sender.0.stopping.cancelled() => break,
            }
        }
        self.queue.set_waiting(false);
    }

    async fn outbox_failed(&self, error: &OutboxError) {
        tracing::error!(destination = %self.queue.destination, %error, "the outbox failed");
        tokio::select! {
            () = self.sender.0.clock.sleep(OUTBOX_RETRY) => {}
            () = self.sender.0.stopping.cancelled() => {}
        }
    }
}

/// Whether the same transaction may succeed later. The statuses are those that other servers use for "not now".
fn judge(error: &RequestError) -> Outcome {
    match error {
        RequestError::Remote(remote) => match remote.status_code {
            StatusCode::UNAUTHORIZED
            | StatusCode::NOT_FOUND
            | StatusCode::REQUEST_TIMEOUT
            | StatusCode::TOO_MANY_REQUESTS => Outcome::Later(error.retry_after()),
            status if status.is_client_error() => Outcome::Refused,
            _ => Outcome::Later(None),
        },
        RequestError::OwnName | RequestError::Request(_) => Outcome::Refused,
        // It was JSON, so a Matrix server has it; only the answer was odd.
        RequestError::Malformed(_) => Outcome::Arrived,
        RequestError::Off
        | RequestError::NotMatrix(_)
        | RequestError::TooLarge { .. }
        | RequestError::Denied(_)
        | RequestError::Connect(_)
        | RequestError::Timeout
        | RequestError::Broken(_) => Outcome::Later(None),
    }
}
