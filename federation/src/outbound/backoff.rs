//! How long to leave a server alone that did not answer. Pure.

use std::time::Duration;

/// The bounds of the wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backoff {
    /// The wait after the first failure.
    pub first: Duration,
    /// No wait is longer.
    pub max: Duration,
}

impl Default for Backoff {
    fn default() -> Self {
        // Most outages are a restart: the first waits are short, and the tenth is half an hour.
        Self { first: Duration::from_secs(3), max: Duration::from_secs(3600) }
    }
}

impl Backoff {
    /// The wait after `failures` failures in a row: doubled each time, then stretched by up to half as `jitter` goes from
    /// 0 to 1, so that servers that fell silent together are not knocked at together. Between `first` and `max`.
    pub fn wait(&self, failures: u32, jitter: f64) -> Duration {
        let doublings = failures.saturating_sub(1).min(20);
        let doubled = self.first.saturating_mul(1 << doublings).min(self.max);
        let stretched = doubled.mul_f64(1.0 + 0.5 * jitter.clamp(0.0, 1.0));
        if doubled == self.max {
            // At the top the spread goes downward, else all would meet at exactly `max`.
            return self.max.mul_f64(1.0 - 0.25 * jitter.clamp(0.0, 1.0)).max(self.first);
        }
        stretched.min(self.max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wait_doubles_from_a_few_seconds_to_an_hour() {
        let backoff = Backoff::default();
        let seconds = |failures| backoff.wait(failures, 0.0).as_secs();
        let waits: Vec<u64> = (0..=13).map(seconds).collect();
        assert_eq!(waits, [3, 3, 6, 12, 24, 48, 96, 192, 384, 768, 1536, 3072, 3600, 3600]);
        assert_eq!(seconds(u32::MAX), 3600);
    }

    #[test]
    fn jitter_never_leaves_the_bounds() {
        let backoff = Backoff::default();
        for failures in 0..40 {
            for jitter in [-1.0, 0.0, 0.3, 0.999, 1.0, 7.0] {
                let wait = backoff.wait(failures, jitter);
                assert!(wait >= backoff.first && wait <= backoff.max, "{failures} {jitter}");
            }
        }
        assert_eq!(backoff.wait(1, 1.0), Duration::from_millis(4500));
        assert_eq!(backoff.wait(20, 1.0), Duration::from_secs(2700));
    }
}
