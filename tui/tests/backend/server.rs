//! A real homeserver called example.org on a free loopback port, with its files in a temp folder; it ends with the value.

use std::{
    net::TcpListener,
    path::{Path, PathBuf},
};

use tempfile::TempDir;
use tokio::process::Child;

use crate::{synapse, ternd};

/// Which program, and for Synapse which kind of sync it offers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Ternd,
    Synapse,
    SynapseWithoutSlidingSync,
}

impl Kind {
    async fn prepare(self, dir: &Path, port: u16) {
        match self {
            Self::Ternd => ternd::prepare(dir, port),
            Self::Synapse => synapse::prepare(dir, port, true).await,
            Self::SynapseWithoutSlidingSync => synapse::prepare(dir, port, false).await,
        }
    }

    async fn run(self, dir: &Path) -> Option<Child> {
        if self == Self::Ternd { ternd::run(dir).await } else { synapse::run(dir).await }
    }

    fn is_here(self) -> bool {
        if self == Self::Ternd { ternd::built() } else { synapse::installed() }
    }
}

pub(crate) struct Server {
    pub(crate) url: String,
    kind: Kind,
    process: Child,
    dir: TempDir,
}

/// A server that is down, with everything it had.
pub(crate) struct Stopped {
    url: String,
    kind: Kind,
    dir: TempDir,
}

impl Stopped {
    /// The same server again, at the same address.
    pub(crate) async fn start_again(self) -> Server {
        let Self { url, kind, dir } = self;
        let process = kind.run(dir.path()).await.expect("the server starts again");
        Server { url, kind, process, dir }
    }
}

impl Server {
    /// A running server, or `None` with a line on stderr where it is not installed.
    pub(crate) async fn start(kind: Kind) -> Option<Self> {
        crate::log();
        if !kind.is_here() {
            eprintln!("SKIPPED: no {kind:?} here (pip install matrix-synapse; cargo build --bins)");
            return None;
        }
        for _ in 0..3 {
            if let Some(running) = Self::try_start(kind).await {
                return Some(running);
            }
        }
        panic!("{kind:?} does not start");
    }

    /// A folder that lives as long as the server.
    pub(crate) fn folder(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Ends the server at once, as a crash would.
    pub(crate) async fn stop_keeping_files(mut self) -> Stopped {
        self.process.kill().await.expect("the server ends");
        Stopped { url: self.url, kind: self.kind, dir: self.dir }
    }

    async fn try_start(kind: Kind) -> Option<Self> {
        let dir = tempfile::tempdir().expect("a temp folder");
        let port = TcpListener::bind("127.0.0.1:0")
            .and_then(|socket| socket.local_addr())
            .expect("a free port")
            .port();
        kind.prepare(dir.path(), port).await;
        let process = kind.run(dir.path()).await?;
        Some(Self { url: format!("http://127.0.0.1:{port}"), kind, process, dir })
    }
}
