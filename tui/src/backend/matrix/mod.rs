//! The real backend, on matrix-sdk: everything the client asks of a homeserver.
//!
//! [`start`] spawns one worker task; it owns the way in (`entry.rs`) and the running session (`session.rs`), and the loop
//! talks to it only through [`Request`] and [`Report`]. No matrix-sdk type leaves this folder.

mod chats;
mod client;
mod discovery;
mod encryption;
mod entry;
mod errors;
mod events;
pub mod http;
mod items;
mod keys;
mod login;
mod media;
mod password_reset;
mod profile;
mod refused;
mod registration;
mod reports;
mod rooms;
mod send;
mod service;
mod session;
mod store;
mod sync;
mod timeline;
mod utd;
mod verification;
mod wire;
mod worker;

use std::path::Path;

use tokio::sync::mpsc;

use self::reports::Reports;
use super::{Backend, Config, Report, Request};

/// Starts the worker, restores the session on disk if there is one, and returns the handle the loop holds.
/// Must be called inside a tokio runtime. Dropping the handle ends the worker and its session's tasks.
pub fn start(config: Config, reports: mpsc::UnboundedSender<Report>) -> Box<dyn Backend> {
    http::install_crypto_provider();
    let (requests, inbox) = mpsc::unbounded_channel();
    tokio::spawn(worker::run(config, Reports::new(reports), inbox));
    Box::new(Handle { requests })
}

/// Whether a session is kept in `data_dir`. One look at the folder, for the first paint.
pub fn has_session(data_dir: &Path) -> bool {
    store::session_file(data_dir).exists()
}

struct Handle {
    requests: mpsc::UnboundedSender<Request>,
}

impl Backend for Handle {
    fn request(&self, request: Request) {
        if self.requests.send(request).is_err() {
            tracing::debug!("a request came after the backend's end");
        }
    }
}
