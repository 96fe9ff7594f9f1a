//! A clock wound by hand.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use tokio::sync::watch;

use crate::clock::Clock;

/// A clock that stands still until it is wound.
#[derive(Debug)]
pub struct HandWoundClock {
    now: watch::Sender<SystemTime>,
    sleepers: watch::Sender<usize>,
}

impl HandWoundClock {
    /// A clock that shows `seconds` after 1970.
    pub fn at(seconds: u64) -> Self {
        Self {
            now: watch::Sender::new(UNIX_EPOCH + Duration::from_secs(seconds)),
            sleepers: watch::Sender::new(0),
        }
    }

    /// Moves the hands; every sleeper whose time has come wakes.
    pub fn wind(&self, duration: Duration) {
        self.now.send_modify(|now| *now += duration);
    }

    /// Returns once at least `count` tasks sleep on this clock.
    pub async fn until_sleeping(&self, count: usize) {
        let mut sleepers = self.sleepers.subscribe();
        // The sender lives in `self`, so the channel cannot be closed.
        let _open = sleepers.wait_for(|sleeping| *sleeping >= count).await;
    }
}

struct Sleeping<'a>(&'a watch::Sender<usize>);

impl Drop for Sleeping<'_> {
    fn drop(&mut self) {
        self.0.send_modify(|sleeping| *sleeping -= 1);
    }
}

#[async_trait]
impl Clock for HandWoundClock {
    fn now(&self) -> SystemTime {
        *self.now.borrow()
    }

    async fn sleep(&self, duration: Duration) {
        let mut now = self.now.subscribe();
        let until = *now.borrow() + duration;
        self.sleepers.send_modify(|sleeping| *sleeping += 1);
        let _sleeping = Sleeping(&self.sleepers);
        let _open = now.wait_for(|now| *now >= until).await;
    }
}
