//! The long poll: look, and look again each time the user's bell rings, until there is something or time is up.

use std::time::Duration;

use tokio::{sync::futures::Notified, time::Instant};

use crate::{
    bell::{Bell, Waiter},
    storage::Id,
};

/// The longest a client may wait, whatever it asks for.
const WAIT_MAX: Duration = Duration::from_secs(300);

/// A client's patience.
#[derive(Debug)]
pub(super) struct Poll {
    bell: Bell,
    deadline: Instant,
    waiter: Waiter,
}

/// One look of a poll. Made before looking, so that no ring is missed.
#[derive(Debug)]
pub(super) struct Turn<'a> {
    deadline: Instant,
    rung: Notified<'a>,
    /// Time is up, or the server stops: the answer of this look counts whatever it is.
    pub is_last: bool,
}

impl Poll {
    pub(super) fn new(bell: &Bell, user: Id, timeout: Duration) -> Self {
        let deadline = Instant::now() + timeout.min(WAIT_MAX);
        Self { bell: bell.clone(), deadline, waiter: bell.wait_for(user) }
    }

    /// Begins the next look.
    pub(super) fn turn(&self) -> Turn<'_> {
        let rung = self.waiter.rung();
        let is_last = self.bell.is_closed() || Instant::now() >= self.deadline;
        Turn { deadline: self.deadline, rung, is_last }
    }
}

impl Turn<'_> {
    /// Waits until there is reason for another look: the bell rang since this turn began, or time is up.
    pub(super) async fn wait(self) {
        drop(tokio::time::timeout_at(self.deadline, self.rung).await);
    }
}
