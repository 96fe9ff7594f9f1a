//! The per-boot count of what passes by (typing, presence), which sync tokens carry beside the position.

use std::sync::atomic::{AtomicU64, Ordering};

/// Counts changes since the start of the process. Whoever counts one holds its own lock until the change can be seen.
#[derive(Debug, Default)]
pub(super) struct Serial(AtomicU64);

impl Serial {
    /// The number of a new change.
    pub(super) fn next(&self) -> u64 {
        self.0.fetch_add(1, Ordering::AcqRel) + 1
    }

    /// The number of the newest change.
    pub(super) fn read(&self) -> u64 {
        self.0.load(Ordering::Acquire)
    }
}
