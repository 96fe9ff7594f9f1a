//! How the memory for what was read lately is shared out (`database.cache_mib`), and that what nobody uses leaves it.

use std::time::Duration;

use super::Engine;

/// What was used longer ago than this goes, but for a sixteenth of what there may be.
const UNUSED_FOR: Duration = Duration::from_secs(60);

/// What each cache of the engine may hold, in its own unit.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shares {
    /// What the rooms in memory may weigh, as [`super::Room::weight`] estimates it.
    pub room_bytes: usize,
    /// Bytes of events, as they are estimated.
    pub event_bytes: usize,
    /// Names of events; about 50 bytes each.
    pub names: usize,
    /// Entries of state snapshots; about 40 bytes each, their tree counted.
    pub snapshot_entries: usize,
    /// Nodes of auth graphs; about 100 bytes each.
    pub auth_nodes: usize,
    /// Users' standings in rooms; about 250 bytes each.
    pub standings: usize,
}

impl Shares {
    /// The shares of `mib` mebibytes: two thirds for rooms, each of which holds its newest events; the rest for other events and
    /// what both are found by.
    pub(super) fn of(mib: u32) -> Self {
        let bytes = usize::try_from(mib).unwrap_or(usize::MAX).saturating_mul(1024 * 1024);
        Self {
            room_bytes: bytes / 3 * 2,
            event_bytes: bytes / 12,
            names: bytes / 128 / 50,
            snapshot_entries: bytes / 24 / 40,
            auth_nodes: bytes / 12 / 100,
            standings: bytes / 32 / 250,
        }
    }
}

/// Lets go of what nobody used for a minute: a busy hour does not hold its memory for good.
pub async fn run(engine: Engine) {
    loop {
        engine.app().clock.sleep(UNUSED_FOR).await;
        engine.age();
    }
}
