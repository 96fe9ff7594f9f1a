//! How much of everything a run does.

use std::time::Duration;

use crate::measure::Load;

/// The sizes of a run, the same for every server in it.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    /// Operations a scenario times.
    pub(crate) count: usize,
    /// The longest a scenario times a server.
    pub(crate) limit: Duration,
    /// Sends, creations and joins under way at once.
    pub(crate) concurrency: usize,
    /// People of the village.
    pub(crate) people: usize,
    /// Rooms of the village; everybody is in each.
    pub(crate) rooms: usize,
    /// Waiting connections of the scenario `idle`.
    pub(crate) idle: usize,
    /// How many people they belong to, not counting those whom the message wakes: they have one each.
    pub(crate) idle_people: usize,
    /// How long their CPU is watched.
    pub(crate) idle_window: Duration,
    /// People of the scenario `quiet-user`; none: it is left out.
    pub(crate) neighbours: usize,
    /// How long it lasts at each level of noise.
    pub(crate) quiet_span: Duration,
    /// Rooms joined from another server.
    pub(crate) federated_joins: usize,
    /// Members of the rooms of the scenario `federated-join-large`.
    pub(crate) large_room: usize,
    /// How many such rooms are joined.
    pub(crate) large_joins: usize,
    /// How often a server is started again.
    pub(crate) restarts: usize,
    /// The version of the rooms.
    pub(crate) room_version: String,
}

impl Plan {
    /// The same in small.
    pub(crate) fn quick(self) -> Self {
        Self {
            count: self.count.min(40),
            concurrency: self.concurrency.min(4),
            people: 4,
            rooms: 3,
            idle: self.idle.min(20),
            idle_people: 4,
            idle_window: Duration::from_secs(1),
            neighbours: 4,
            quiet_span: Duration::from_secs(1),
            federated_joins: 2,
            large_room: self.large_room.min(8),
            large_joins: 2,
            restarts: 1,
            ..self
        }
    }

    /// As many at once as the run says.
    pub(crate) fn busy(&self) -> Load {
        Load { count: self.count, concurrency: self.concurrency, limit: Some(self.limit) }
    }

    /// One after the other: what one person waits for.
    pub(crate) fn in_turn(&self) -> Load {
        Load { concurrency: 1, ..self.busy() }
    }

    /// `count` untimed operations that a scenario needs before it begins.
    pub(crate) fn preparation(&self, count: usize) -> Load {
        Load { count, concurrency: self.concurrency, limit: None }
    }
}
