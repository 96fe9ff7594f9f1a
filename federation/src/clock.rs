//! Time as the crate sees it: read and waited for only through [`Clock`], so that tests never wait.

use std::{
    fmt,
    time::{Duration, SystemTime},
};

use ruma::MilliSecondsSinceUnixEpoch;

/// Where the time comes from, and how to wait for it.
#[async_trait::async_trait]
pub trait Clock: fmt::Debug + Send + Sync + 'static {
    /// The time of day.
    fn now(&self) -> SystemTime;

    /// Returns once `duration` has passed.
    async fn sleep(&self, duration: Duration);
}

/// The machine's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

#[async_trait::async_trait]
impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the clock")]
    fn now(&self) -> SystemTime {
        SystemTime::now()
    }

    #[expect(clippy::disallowed_methods, reason = "the one place where real time is waited for")]
    async fn sleep(&self, duration: Duration) {
        tokio::time::sleep(duration).await;
    }
}

/// `time` as Matrix writes it; a time that does not fit counts as the epoch.
pub(crate) fn to_ts(time: SystemTime) -> MilliSecondsSinceUnixEpoch {
    MilliSecondsSinceUnixEpoch::from_system_time(time)
        .unwrap_or(MilliSecondsSinceUnixEpoch(ruma::UInt::MIN))
}

/// `ts` moved by `duration` into the future, at most to the largest time Matrix can write.
pub(crate) fn later(
    ts: MilliSecondsSinceUnixEpoch,
    duration: Duration,
) -> MilliSecondsSinceUnixEpoch {
    let millis = u64::from(ts.0)
        .saturating_add(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX))
        .min(u64::from(ruma::UInt::MAX));
    MilliSecondsSinceUnixEpoch(ruma::UInt::try_from(millis).unwrap_or(ruma::UInt::MAX))
}
