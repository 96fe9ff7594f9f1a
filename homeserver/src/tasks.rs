//! The list of background loops. Each loop stands on its floor; here they are started, and waited for when stopping.

use std::time::Duration;

use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// The running loops. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Tasks {
    running: TaskTracker,
    stop: CancellationToken,
}

impl Tasks {
    /// Starts a loop. It must end soon after [`Tasks::stopping`] is cancelled, at a point where nothing is half done.
    pub fn start(&self, name: &'static str, work: impl Future<Output = ()> + Send + 'static) {
        self.running.spawn(async move {
            tracing::debug!(task = name, "started");
            work.await;
            tracing::debug!(task = name, "ended");
        });
    }

    /// Cancelled when the server stops.
    pub fn stopping(&self) -> CancellationToken {
        self.stop.clone()
    }

    /// Asks all loops to end and waits for them, at most `time`. Says whether all ended.
    pub async fn stop(&self, time: Duration) -> bool {
        self.stop.cancel();
        self.running.close();
        tokio::time::timeout(time, self.running.wait()).await.is_ok()
    }
}
