//! What a socket may cost, and how long things may take.

use std::time::Duration;

use tokio::time::Instant;

/// Most bytes of a message from the client. A request with 100 subscriptions has about 20 KiB.
pub const FRAME_BYTES_MAX: usize = 64 * 1024;
/// Most bytes of a frame to the client; longer messages go as several. A socket keeps a buffer of the largest frame it
/// ever sent.
pub const PIECE_BYTES_MAX: usize = 2 * 1024;
/// How slowly a client may read a long message.
const BYTES_PER_SECOND_MIN: u64 = 8 * 1024;

/// How long things may take.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Until the first frame.
    pub open: Duration,
    /// Between pings; a client that answers none until the next is gone. Below the minute after which proxies cut a silent
    /// connection.
    pub ping: Duration,
    /// Until a delta is acknowledged.
    pub acknowledge: Duration,
    /// For a message to be taken, besides what its length allows.
    pub send: Duration,
    /// For the client to answer a close.
    pub close: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            open: Duration::from_secs(10),
            ping: Duration::from_secs(55),
            acknowledge: Duration::from_secs(120),
            send: Duration::from_secs(30),
            close: Duration::from_secs(2),
        }
    }
}

impl Limits {
    /// Until when a message of `bytes` must be taken.
    pub(super) fn send_deadline(&self, bytes: usize) -> Instant {
        let seconds = u64::try_from(bytes).unwrap_or(u64::MAX) / BYTES_PER_SECOND_MIN;
        Instant::now() + self.send + Duration::from_secs(seconds)
    }
}
