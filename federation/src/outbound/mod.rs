//! How a PDU leaves.
//!
//! The host appends an event to its one log, in the same commit in which everything else about the event is written, and
//! then calls [`Sender::wake`] for each server in the room. Nothing is copied into queues: for each destination the host
//! keeps one *cursor*, the position up to which that server has everything, and [`Outbox::owed`] reads on from there. A
//! server that was away for a month costs one row.
//!
//! ```text
//! host: commit event ─▶ wake(beta) ─▶ is a task running for beta?  yes: it will look again   no: start one
//!                                                                        │
//!        ┌──────────────────────────────────────────────────────────────┘
//!        ▼
//!   owed(beta, ≤ 50 PDUs, ≤ 80 EDUs) ─▶ none, and no ephemeral EDU waiting: the task ends
//!        │
//!        ▼  + typing, receipts, presence that wait, latest only
//!   PUT /send/{id} ── 200 ─▶ delivered(beta, upto) ─▶ look again
//!        │
//!        └─ no answer, 5xx, 429, 401, 404 ─▶ record_failure ─▶ wait (jittered, doubling) ─▶ the same transaction again
//! ```
//!
//! There is one transaction in flight per destination, so events arrive in the order of the log. The id is made from the
//! debts, so a second attempt carries the same one and the other side can tell. A per-PDU error in a 200 is the other
//! side's judgement and not ours to repeat. When the other side refuses a whole transaction (400, 413 …), its items go out
//! one by one and only those still refused are given up: one poisoned event must not block the rest.
//!
//! A destination that waits is woken early by [`Sender::heard_from`]: a server that just sent us a signed request is up.
//! Ephemeral EDUs are bounded, the latest of a kind replaces the one before, and none is sent twice.
//!
//! A global number of permits caps the transactions in flight; waiting for one is fair, so a room with a thousand servers
//! does not starve the server next door. What fails for one destination touches no other.

mod backoff;
mod destination;
mod ephemeral;
mod outbox;
mod transaction;

use std::{
    collections::{HashMap, HashSet},
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use ruma::{
    OwnedRoomId, OwnedServerName, OwnedUserId, ServerName, api::federation::transactions::edu::Edu,
    serde::Raw,
};
use tokio::sync::Semaphore;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

pub use self::{
    backoff::Backoff,
    outbox::{Batch, Cursor, Outbox, OutboxError, Owed, Retry},
};
use self::{destination::Queue, transaction::Counter};
use crate::{client::Client, clock::Clock};

const READS_MAX: usize = 16;

/// How the sender behaves.
#[derive(Debug, Clone)]
pub struct SenderConfig {
    /// Transactions in flight at the same time, over all destinations.
    pub in_flight_max: usize,
    /// Waits after failures.
    pub backoff: Backoff,
    /// How long one transaction may take.
    pub timeout: Duration,
}

impl Default for SenderConfig {
    fn default() -> Self {
        Self { in_flight_max: 64, backoff: Backoff::default(), timeout: Duration::from_secs(60) }
    }
}

/// What an ephemeral EDU is about: a later one with the same key replaces one that still waits.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum EphemeralKey {
    /// One user's typing in one room.
    Typing(OwnedRoomId, OwnedUserId),
    /// One user's receipt in one room, in one thread (`""`: the main timeline or unthreaded).
    Receipt(OwnedRoomId, OwnedUserId, String),
    /// One user's presence.
    Presence(OwnedUserId),
}

/// Sends what is owed. Cheap to clone; all clones are one sender.
#[derive(Clone)]
pub struct Sender(Arc<Shared>);

struct Shared {
    config: SenderConfig,
    client: Arc<Client>,
    outbox: Arc<dyn Outbox>,
    clock: Arc<dyn Clock>,
    /// Destinations with something to do; the others need no memory.
    queues: Mutex<HashMap<OwnedServerName, Arc<Queue>>>,
    /// Destinations known to have no failure on record, so that a wake costs one read and not two.
    healthy: Mutex<HashSet<OwnedServerName>>,
    permits: Semaphore,
    /// Reads of the outbox at the same time: a room with a thousand servers wakes a thousand tasks.
    reads: Semaphore,
    counter: Counter,
    tasks: TaskTracker,
    stopping: CancellationToken,
}

impl fmt::Debug for Sender {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Sender").field("config", &self.0.config).finish_non_exhaustive()
    }
}

impl Sender {
    /// A sender with nothing to do yet: see [`Sender::wake_all`].
    pub fn new(
        config: SenderConfig,
        client: Arc<Client>,
        outbox: Arc<dyn Outbox>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let counter = Counter::new(clock.now());
        let permits = Semaphore::new(config.in_flight_max);
        Self(Arc::new(Shared {
            config,
            client,
            outbox,
            clock,
            queues: Mutex::default(),
            healthy: Mutex::default(),
            permits,
            reads: Semaphore::new(READS_MAX),
            counter,
            tasks: TaskTracker::new(),
            stopping: CancellationToken::new(),
        }))
    }

    /// Wakes every destination that the outbox owes something; called once, at start.
    pub async fn wake_all(&self) -> Result<(), OutboxError> {
        for destination in self.0.outbox.destinations_with_debts().await? {
            self.wake(&destination);
        }
        Ok(())
    }

    /// Something may be owed to `destination`. Never blocks; needs a running tokio runtime.
    pub fn wake(&self, destination: &ServerName) {
        self.poke(destination, Queue::note_debts);
    }

    /// Sends `edu` if `destination` can be reached soon; `key` says which waiting EDU it replaces.
    pub fn ephemeral(&self, destination: &ServerName, key: EphemeralKey, edu: Raw<Edu>) {
        self.poke(destination, |queue| queue.note_ephemeral(key, edu));
    }

    /// `server` just sent us a signed request: whatever waits for it goes out now.
    pub fn heard_from(&self, server: &ServerName) {
        let queue = self.queues().get(server).cloned();
        if let Some(queue) = queue {
            queue.note_heard();
        }
    }

    /// Takes no more work, lets transactions in flight end, and returns after `grace` at the latest.
    pub async fn stop(&self, grace: Duration) {
        self.0.stopping.cancel();
        self.0.tasks.close();
        tokio::select! {
            () = self.0.tasks.wait() => {}
            () = self.0.clock.sleep(grace) => {
                tracing::warn!("transactions were still in flight at the stop; they will be repeated");
            }
        }
    }

    /// Leaves `note` in the destination's queue and starts its task if none runs.
    fn poke(&self, destination: &ServerName, note: impl FnOnce(&Queue)) {
        if self.0.stopping.is_cancelled() || destination == self.0.client.server_name() {
            return;
        }
        // The map is locked throughout, so that a task that is about to end either sees the note or is gone.
        let mut queues = self.queues();
        match queues.get(destination) {
            Some(queue) => note(queue),
            None => {
                let queue = Arc::new(Queue::new(destination.to_owned()));
                note(&queue);
                queues.insert(destination.to_owned(), Arc::clone(&queue));
                self.0.tasks.spawn(destination::run(self.clone(), queue));
            }
        }
    }

    /// Ends the queue if nothing was noted meanwhile; its task then returns.
    fn retire(&self, queue: &Queue) -> bool {
        let mut queues = self.queues();
        let idle = queue.is_idle();
        if idle {
            queues.remove(&queue.destination);
        }
        idle
    }

    fn healthy(&self) -> std::sync::MutexGuard<'_, HashSet<OwnedServerName>> {
        self.0.healthy.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn queues(&self) -> std::sync::MutexGuard<'_, HashMap<OwnedServerName, Arc<Queue>>> {
        self.0.queues.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
