//! The real backend, on matrix-sdk: everything the client asks of a homeserver.
//!
//! [`start`] spawns one task (`accounts.rs`) that keeps a worker task for each account. A worker owns the way in (`entry.rs`) and
//! the running session (`session.rs`) of its account and knows of no other; the loop talks to it only through [`Request`] and
//! [`Report`](super::Report). No matrix-sdk type leaves this folder.

mod accounts;
mod arrange;
mod attachments;
mod chats;
mod client;
mod compose;
mod devices;
mod directory;
mod discovery;
mod encryption;
mod entry;
mod errors;
mod events;
mod files;
mod forward;
pub mod http;
mod identity;
mod items;
mod key_files;
mod keys;
mod link_previews;
mod listing;
mod lists;
mod login;
mod manage;
mod media;
mod members;
mod password_reset;
mod people;
mod persons;
mod pictures;
mod profile;
mod refused;
mod registration;
mod reports;
mod rooms;
mod search;
mod send;
mod service;
mod session;
mod shared;
mod socket;
mod sso;
mod store;
mod sync;
mod timeline;
mod utd;
mod verification;
mod views;
mod wire;
mod worker;

use std::path::Path;
use std::time::Duration;

use tokio::{sync::mpsc, task::JoinHandle};
use url::Url;

use super::{AccountId, Backend, Config, Request, Told};

/// Starts the workers, restores the sessions on disk, and returns the handle the loop holds.
/// Must be called inside a tokio runtime. Dropping the handle ends the workers and their sessions' tasks; the task beside it is over
/// when they are, and the stores closed.
pub fn start(
    config: Config,
    reports: mpsc::UnboundedSender<Told>,
) -> (Box<dyn Backend>, JoinHandle<()>) {
    http::install_crypto_provider();
    let (requests, inbox) = mpsc::unbounded_channel();
    let accounts = tokio::spawn(accounts::run(config, reports, inbox));
    (Box::new(Handle { requests }), accounts)
}

/// The accounts whose sessions are kept in `data_dir`. One look at the folder, for the first paint.
pub fn accounts(data_dir: &Path) -> Vec<AccountId> {
    store::accounts(data_dir)
}

/// The servers of the sessions in `data_dir`.
pub fn stored_servers(data_dir: &Path) -> Vec<Url> {
    let server = |account: AccountId| {
        let bytes = std::fs::read(store::session_file(&store::folder(data_dir, account))).ok()?;
        serde_json::from_slice::<store::StoredSession>(&bytes).ok().map(|stored| stored.homeserver)
    };
    let mut servers: Vec<Url> = accounts(data_dir).into_iter().filter_map(server).collect();
    servers.dedup();
    servers
}

/// How long `server` takes to say which versions it speaks.
pub async fn reach(server: &Url, extra_ca: Option<&Path>) -> Result<Duration, String> {
    let http = http::build(extra_ca).map_err(|error| error.to_string())?;
    let began = tokio::time::Instant::now();
    let asked = wire::endpoint(server, "/_matrix/client/versions");
    wire::get(&http, asked).await.map(|_| began.elapsed()).map_err(|error| error.explain())
}

struct Handle {
    requests: mpsc::UnboundedSender<(AccountId, Request)>,
}

impl Backend for Handle {
    fn request(&self, account: AccountId, request: Request) {
        if self.requests.send((account, request)).is_err() {
            tracing::debug!("a request came after the backend's end");
        }
    }
}
