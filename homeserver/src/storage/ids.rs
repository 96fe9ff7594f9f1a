//! Interned ids: handed out from memory, never twice, even after a crash.
//!
//! A row that uses an id is committed after the id was handed out, and every commit that comes near the durable limit
//! raises it first (see `writer`), so no committed row can carry an id above the limit that the next start begins at.

use std::sync::atomic::{AtomicI64, Ordering};

use super::Id;

/// How many ids a raise of the durable limit reserves.
const BLOCK: i64 = 8_192;
/// The limit is raised when fewer than this many ids are left below it.
const RESERVE: i64 = 2_048;

/// The allocator. One per database.
#[derive(Debug)]
pub(super) struct Ids {
    next: AtomicI64,
    durable_limit: AtomicI64,
}

impl Ids {
    /// Starts at the durable limit of the last run.
    pub(super) fn starting_at(limit: Id) -> Self {
        Self { next: AtomicI64::new(limit + 1), durable_limit: AtomicI64::new(limit) }
    }

    /// A new id.
    pub(super) fn next(&self) -> Id {
        self.next.fetch_add(1, Ordering::Relaxed)
    }

    /// The limit that the commit at hand must write, if it must write one.
    pub(super) fn limit_to_write(&self) -> Option<Id> {
        let next = self.next.load(Ordering::Relaxed);
        (next + RESERVE > self.durable_limit.load(Ordering::Relaxed))
            .then_some(next + RESERVE + BLOCK)
    }

    /// `limit` is committed.
    pub(super) fn limit_written(&self, limit: Id) {
        self.durable_limit.fetch_max(limit, Ordering::Relaxed);
    }
}
