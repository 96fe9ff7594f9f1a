//! A stretch of network between a client and a server that speaks plain HTTP: it counts what passes, and can refuse WebSockets or
//! break every connection.

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use anyhow::Result;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::{JoinHandle, JoinSet},
};

/// How a client begins to ask for a WebSocket here.
const UPGRADE: &[u8] = b"/_matrix/client/unstable/chat.tern.socket/v1/sync HTTP/1.1";
/// How a sliding sync by HTTP begins.
const POLL: &[u8] = b"POST /_matrix/client/unstable/org.matrix.simplified_msc3575/sync";
const FORBIDDEN: &[u8] =
    b"HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";

/// What it does with somebody who asks for a WebSocket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Upgrades {
    /// Lets it pass.
    #[default]
    Pass,
    /// Answers 403, as some proxies do.
    Forbid,
    /// Closes the connection.
    Drop,
}

/// What passed so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Passed {
    /// Bytes from the client, and to it.
    pub up: u64,
    /// Bytes to the client.
    pub down: u64,
    /// Sliding syncs that were asked for by HTTP.
    pub polls: u64,
    /// WebSockets that were let pass.
    pub sockets: u64,
    /// WebSockets that were not.
    pub refused: u64,
}

#[derive(Debug, Default)]
struct Inner {
    to: Option<SocketAddr>,
    upgrades: Upgrades,
    passed: Passed,
    connections: JoinSet<()>,
}

/// The running relay. Dropping it breaks its connections.
#[derive(Debug)]
pub struct Relay {
    address: SocketAddr,
    inner: Arc<Mutex<Inner>>,
    task: JoinHandle<()>,
}

fn lock(inner: &Mutex<Inner>) -> MutexGuard<'_, Inner> {
    inner.lock().unwrap_or_else(PoisonError::into_inner)
}

fn lead_on(inner: &Arc<Mutex<Inner>>, client: TcpStream) {
    let shared = inner.clone();
    let mut inner = lock(inner);
    if let Some(to) = inner.to {
        // Whoever hangs up has hung up.
        inner.connections.spawn(async move { drop(pass(&shared, client, to).await) });
    }
}

impl Relay {
    /// Listens on a free port of 127.0.0.1. Until [`Relay::lead_to`] it leads nowhere.
    ///
    /// # Errors
    /// When there is no port.
    pub async fn start() -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let inner = Arc::new(Mutex::new(Inner::default()));
        let shared = inner.clone();
        let task = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                lead_on(&shared, client);
            }
        });
        Ok(Self { address, inner, task })
    }

    /// Its address as a URL.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Leads to the server at `url`.
    ///
    /// # Errors
    /// When `url` is no `http://address:port`.
    pub fn lead_to(&self, url: &str) -> Result<()> {
        lock(&self.inner).to = Some(url.trim_start_matches("http://").parse()?);
        Ok(())
    }

    /// From now on does this with who asks for a WebSocket.
    pub fn set_upgrades(&self, upgrades: Upgrades) {
        lock(&self.inner).upgrades = upgrades;
    }

    /// Breaks every connection there is.
    pub fn break_connections(&self) {
        lock(&self.inner).connections.abort_all();
    }

    /// What passed so far.
    pub fn passed(&self) -> Passed {
        lock(&self.inner).passed
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.task.abort();
        self.break_connections();
    }
}

async fn pass(inner: &Mutex<Inner>, mut client: TcpStream, to: SocketAddr) -> Result<()> {
    let mut first = [0; 4096];
    let length = client.read(&mut first).await?;
    let first = first.get(..length).unwrap_or_default();
    let asks = first.windows(UPGRADE.len()).any(|part| part == UPGRADE);
    let upgrades = lock(inner).upgrades;
    if asks && upgrades != Upgrades::Pass {
        lock(inner).passed.refused += 1;
        if upgrades == Upgrades::Forbid {
            client.write_all(FORBIDDEN).await?;
        }
        return Ok(());
    }
    lock(inner).passed.sockets += u64::from(asks);
    let mut server = TcpStream::connect(to).await?;
    count_up(inner, first);
    server.write_all(first).await?;
    let ((client_in, client_out), (server_in, server_out)) = (client.split(), server.split());
    let up = copy(client_in, server_out, |bytes| count_up(inner, bytes));
    let down = copy(server_in, client_out, |bytes| {
        lock(inner).passed.down += u64::try_from(bytes.len()).unwrap_or_default();
    });
    // The end of one way is the end of both.
    tokio::select! { end = up => end, end = down => end }
}

fn count_up(inner: &Mutex<Inner>, bytes: &[u8]) {
    let mut inner = lock(inner);
    inner.passed.up += u64::try_from(bytes.len()).unwrap_or_default();
    // A request begins a write of the client's.
    inner.passed.polls += u64::from(bytes.starts_with(POLL));
}

async fn copy(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    mut count: impl FnMut(&[u8]),
) -> Result<()> {
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let length = from.read(&mut buffer).await?;
        let bytes = buffer.get(..length).unwrap_or_default();
        if bytes.is_empty() {
            return Ok(());
        }
        count(bytes);
        to.write_all(bytes).await?;
    }
}
