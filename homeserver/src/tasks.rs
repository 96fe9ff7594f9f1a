//! The list of background work: loops, and what outlives the request it came with. Each stands on its floor; here they are
//! started, and waited for when stopping.

use std::time::Duration;

use tokio::task::JoinHandle;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// The running work. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Tasks {
    running: TaskTracker,
    stop: CancellationToken,
}

impl Tasks {
    /// Starts a loop. It must end soon after [`Tasks::stopping`] is cancelled, at a point where nothing is half done.
    pub fn start(
        &self,
        name: &'static str,
        work: impl Future<Output = ()> + Send + 'static,
    ) -> JoinHandle<()> {
        self.running.spawn(async move {
            tracing::debug!(task = name, "started");
            work.await;
            tracing::debug!(task = name, "ended");
        })
    }

    /// The same for work that may be cut off wherever it waits: what it was doing is done again after the next start.
    pub fn start_interruptible(
        &self,
        name: &'static str,
        work: impl Future<Output = ()> + Send + 'static,
    ) -> JoinHandle<()> {
        let stopping = self.stopping();
        self.start(name, async move {
            stopping.run_until_cancelled(work).await;
        })
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
