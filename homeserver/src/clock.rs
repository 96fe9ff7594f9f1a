//! Time, brought in from outside so that tests turn it by hand.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

/// The wall clock, or one that a test turns.
#[derive(Debug, Clone, Default)]
pub struct Clock {
    /// Milliseconds that a test has turned the clock forward.
    turned_ms: Arc<AtomicI64>,
}

impl Clock {
    /// Milliseconds since the Unix epoch.
    #[expect(clippy::disallowed_methods, reason = "this is the clock")]
    pub fn now_ms(&self) -> i64 {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        i64::try_from(since.as_millis())
            .unwrap_or(i64::MAX)
            .saturating_add(self.turned_ms.load(Ordering::Relaxed))
    }

    /// Waits. Only for loops that also have something else to wake them.
    #[expect(clippy::disallowed_methods, reason = "the one place that waits for time")]
    pub async fn sleep(&self, duration: Duration) {
        tokio::time::sleep(duration).await;
    }

    /// Turns the clock forward, for tests.
    pub fn turn(&self, by: Duration) {
        self.turned_ms
            .fetch_add(i64::try_from(by.as_millis()).unwrap_or(i64::MAX), Ordering::Relaxed);
    }
}
