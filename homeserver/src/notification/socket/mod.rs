//! The notification socket `chat.tern.socket`: sliding sync pushed over a WebSocket. Its rules are `docs/socket.md`.
//!
//! ```text
//! client ── frames ──▶ Stream<Heard> ─┐
//!                                     ├─ talk: one request, looked at again at each ring of the user's bell
//! client ◀── frames ── Sink<Said> ◀───┘        one unacknowledged delta at most
//! ```
//!
//! It knows streams and sinks, neither HTTP nor WebSockets: those are the door's.

mod frames;
mod limits;
mod say;
mod seats;
mod talk;

use std::time::Duration;

use bytes::Bytes;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

pub use limits::{FRAME_BYTES_MAX, Limits, PIECE_BYTES_MAX};
pub use talk::{Door, talk};

use super::Error;
use crate::auth::AuthError;

/// Most sockets of this process.
const SOCKETS_MAX: usize = 50_000;

/// What came from the client.
#[derive(Debug)]
pub enum Heard {
    /// A whole message of text.
    Text(Bytes),
    /// A sign of life: a ping, or the answer to one.
    Sign,
}

/// Why nothing comes from the client any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// A message of bytes; only text is spoken.
    Binary,
    /// A message over [`FRAME_BYTES_MAX`].
    TooLarge,
    /// It does not keep to the protocol of WebSockets.
    Protocol,
    /// It closes the socket.
    Closed,
    /// The connection is gone.
    Gone,
}

/// What goes to the client.
#[derive(Debug)]
pub enum Said {
    /// A part of a message of text, to go as a frame of its own.
    Piece { text: Bytes, is_first: bool, is_last: bool },
    /// A refusal; the door knows the words for it.
    Refused(Refusal),
    /// Are you there?
    Ping,
    /// The end.
    Close(Close),
}

/// What was refused, and why.
#[derive(Debug)]
pub struct Refusal {
    /// The `id` of the request it answers, if it answers one.
    pub id: Option<String>,
    pub why: Why,
}

/// Why something was refused.
#[derive(Debug, thiserror::Error)]
pub enum Why {
    /// The first frame has no access token.
    #[error("the first frame must be `open`, with an access token")]
    NotOpened,
    #[error("the access token is another device's")]
    OtherDevice,
    #[error("{0}")]
    NotJson(String),
    #[error("{0}")]
    BadJson(String),
    #[error("no such type of frame")]
    UnknownType,
    #[error(transparent)]
    Auth(AuthError),
    #[error(transparent)]
    Sync(Error),
}

/// How the server closes a socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Close {
    pub code: u16,
    pub reason: &'static str,
}

impl Close {
    pub(super) const STOPPING: Self = Self { code: 1001, reason: "the server is stopping" };
    pub(super) const PROTOCOL: Self = Self { code: 1002, reason: "not a WebSocket frame" };
    pub(super) const BINARY: Self = Self { code: 1003, reason: "only text is understood" };
    pub(super) const TOO_LARGE: Self = Self { code: 1009, reason: "the frame is too large" };
    pub(super) const FAILED: Self = Self { code: 1011, reason: "the server failed, try again" };
    pub(super) const BAD_FRAME: Self = Self { code: 4400, reason: "the frame was not understood" };
    pub(super) const UNAUTHORIZED: Self = Self { code: 4401, reason: "no valid access token" };
    pub(super) const LATE: Self = Self { code: 4408, reason: "a frame that was due did not come" };
    pub(super) const REPLACED: Self =
        Self { code: 4409, reason: "another socket has taken this connection" };
    pub(super) const TOO_MANY: Self =
        Self { code: 4429, reason: "the device has opened too many sockets" };
}

/// All sockets of this process.
#[derive(Debug, Default)]
pub(super) struct Sockets {
    open: TaskTracker,
    stopping: CancellationToken,
    seats: seats::Seats,
}

impl super::Sync {
    /// Whether one more socket may be opened.
    pub fn has_room_for_a_socket(&self) -> bool {
        self.0.sockets.open.len() < SOCKETS_MAX
    }

    /// Runs a socket in the background.
    pub fn start_socket(&self, work: impl Future<Output = ()> + Send + 'static) {
        self.0.sockets.open.spawn(work);
    }

    /// Waits for the sockets to close after the bell, at most `time`; says whether all did.
    pub async fn stop_sockets(&self, time: Duration) -> bool {
        self.0.sockets.stopping.cancel();
        self.0.sockets.open.close();
        tokio::time::timeout(time, self.0.sockets.open.wait()).await.is_ok()
    }
}
