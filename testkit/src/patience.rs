//! Waiting for a condition, never for seconds. Everything in this crate that waits, waits through [`until`] or a channel.

use std::time::Duration;

use anyhow::{Result, anyhow};
use tokio::time::{MissedTickBehavior, interval, timeout};

/// How long a condition may take before a test calls it missed: generous, because two cores may be building at the same time.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// How often [`until`] asks.
const STEP: Duration = Duration::from_millis(25);

/// Asks `condition` every 25 ms until it gives a value.
///
/// An error from `condition` counts as "not yet".
///
/// # Errors
/// After `limit`, with `what` was waited for and the last error.
pub async fn until<T>(
    what: &str,
    limit: Duration,
    mut condition: impl AsyncFnMut() -> Result<Option<T>>,
) -> Result<T> {
    let mut last = None;
    let asking = async {
        let mut clock = interval(STEP);
        clock.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            clock.tick().await;
            match condition().await {
                Ok(Some(value)) => return value,
                Ok(None) => last = None,
                Err(error) => last = Some(error),
            }
        }
    };
    match timeout(limit, asking).await {
        Ok(value) => Ok(value),
        Err(_) => Err(match last {
            Some(error) => error.context(format!("waited {limit:?} for {what}")),
            None => anyhow!("waited {limit:?} for {what}"),
        }),
    }
}
