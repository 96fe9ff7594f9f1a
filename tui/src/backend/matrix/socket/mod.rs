//! Sliding sync over the server's WebSocket `chat.tern.socket` (`docs/socket.md`), where the server has it.
//!
//! matrix-sdk speaks HTTP and has no door for another transport, so the socket stands behind HTTP: the SDK's client connects to a
//! Unix socket of ours, and what it says there is either answered from a WebSocket or said to the server in its place.
//!
//! ```text
//! matrix-sdk ── Unix socket ──▶ door ─┬─ /sync of a connection ─▶ lane ── WebSocket ──▶ homeserver
//!                                     └─ everything else ───────▶ forward ── HTTP ────▶ homeserver
//! ```
//!
//! A lane that can't answer says so, and the same request goes by HTTP at once: the server's long poll and its socket share
//! connections and positions, so nothing is lost or told twice between them.

mod ask;
mod door;
mod forward;
mod lane;
mod line;
mod offer;

use std::path::Path;

use super::http::Http;

/// An HTTP client that answers syncs from the socket where it can. Its door is in `folder`, which only its user may open; it is
/// closed with the last clone of the client. Without a door it is the plain client.
pub(super) fn client(http: &Http, folder: &Path) -> reqwest::Client {
    if !http.uses_socket() {
        return reqwest::Client::clone(http);
    }
    door::open(http, folder).unwrap_or_else(|error| {
        tracing::warn!(%error, "the sync goes by HTTP alone");
        reqwest::Client::clone(http)
    })
}
