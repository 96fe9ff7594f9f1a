//! A server under test: one that the bench started, or one that runs somewhere.

use std::{fs, path::Path, sync::Arc, time::Duration};

use anyhow::{Context, Result, bail};
use serde_json::Value;
use tern_testkit::{Database, Loopback, Synapse, Ternd};

use crate::{
    cli::{Kind, Servers, Started, by_name},
    client::{Address, Client, Trust, read},
};

/// What `--slow-disk` adds to every sync call.
pub(crate) const SLOW_DISK: Duration = Duration::from_millis(5);

/// A server and how to reach it.
pub(crate) struct Server {
    pub(crate) address: Arc<Address>,
    process: Process,
}

enum Process {
    Ternd(Box<Ternd>),
    Synapse(Box<Synapse>),
    Elsewhere(Option<u32>),
}

/// How to get one more server of a column, to federate with.
#[derive(Clone)]
pub(crate) enum Origin {
    /// Start it.
    Start { started: Started, disk_delay: Option<Duration> },
    /// It runs there.
    Running { url: String, pid: Option<u32> },
    /// There is none.
    None,
}

/// Which of two servers of a kind.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Role {
    Subject,
    /// The so-manieth peer: each is a new server.
    Peer(usize),
}

/// A column to be: the server itself, and its peer.
pub(crate) struct Candidate {
    pub(crate) name: String,
    pub(crate) subject: Origin,
    pub(crate) peer: Origin,
}

/// What the command line names, in its order, started servers first.
pub(crate) fn candidates(servers: &Servers) -> Result<Vec<Candidate>> {
    let disk_delay = servers.slow_disk.then_some(SLOW_DISK);
    let mut candidates: Vec<Candidate> = Vec::new();
    for started in &servers.started {
        let origin = Origin::Start { started: started.clone(), disk_delay };
        let name = started.name.clone();
        candidates.push(Candidate { name, subject: origin.clone(), peer: origin });
    }
    for running in &servers.running {
        if servers.slow_disk {
            bail!("--slow-disk is for servers started here, not for {}", running.name);
        }
        let name = running.name.clone();
        let peer = by_name(&servers.peers, &name).map_or(Origin::None, |url| Origin::Running {
            url: url.clone(),
            pid: by_name(&servers.peer_pids, &name).copied(),
        });
        let pid = by_name(&servers.pids, &name).copied();
        let subject = Origin::Running { url: running.value.clone(), pid };
        candidates.push(Candidate { name, subject, peer });
    }
    if candidates.is_empty() {
        bail!("no server: name one with --server or --url");
    }
    Ok(candidates)
}

impl Server {
    /// Starts it, or finds it where it runs. None where there is none.
    pub(crate) async fn of(
        origin: &Origin,
        role: Role,
        loopback: &Loopback,
        trust: &Trust,
    ) -> Result<Option<Self>> {
        let (process, url) = match origin {
            Origin::Start { started, disk_delay } => {
                let process = start(started, *disk_delay, role, loopback).await?;
                let url = process.plain_url().context("it serves no plain HTTP")?.to_owned();
                (process, url)
            }
            Origin::Running { url, pid } => (Process::Elsewhere(*pid), url.clone()),
            Origin::None => return Ok(None),
        };
        let address = Address::of(&url, trust).await?;
        Ok(Some(Self { address, process }))
    }

    /// A new connection.
    pub(crate) fn client(&self) -> Client {
        Client::new(&self.address)
    }

    /// Its processes, as far as they are known.
    pub(crate) fn pids(&self) -> Vec<u32> {
        let pid = match &self.process {
            Process::Ternd(ternd) => ternd.pid(),
            Process::Synapse(synapse) => synapse.pid(),
            Process::Elsewhere(pid) => *pid,
        };
        pid.into_iter().collect()
    }

    /// What it says it is, such as `Synapse 1.163.0`.
    pub(crate) async fn version(&self) -> Result<String> {
        let answer = self.client().get(&None, "/_matrix/federation/v1/version").await?.ok()?;
        let answer: Value = read(&answer)?;
        let part = |pointer| answer.pointer(pointer).and_then(Value::as_str).unwrap_or("unknown");
        Ok(format!("{} {}", part("/server/name"), part("/server/version")))
    }

    /// Whether the bench may stop and start it.
    pub(crate) fn is_ours(&self) -> bool {
        !matches!(self.process, Process::Elsewhere(_))
    }

    /// Stops it in an orderly way, so that its database is one file.
    pub(crate) async fn stop(&mut self) -> Result<()> {
        match &mut self.process {
            Process::Ternd(ternd) => ternd.stop().await,
            Process::Synapse(synapse) => synapse.stop().await,
            Process::Elsewhere(_) => bail!("it is not ours to stop"),
        }
    }

    /// Starts it again.
    pub(crate) async fn restart(&mut self) -> Result<()> {
        match &mut self.process {
            Process::Ternd(ternd) => ternd.restart().await,
            Process::Synapse(synapse) => synapse.restart().await,
            Process::Elsewhere(_) => bail!("it is not ours to start"),
        }
    }

    /// The size of its database files.
    pub(crate) fn database_bytes(&self) -> Result<u64> {
        match &self.process {
            Process::Ternd(ternd) => sizes(&ternd.folder().join("data"), "tern.db"),
            Process::Synapse(synapse) => sizes(synapse.folder(), "homeserver.db"),
            Process::Elsewhere(_) => bail!("its files are not known"),
        }
    }
}

impl Process {
    fn plain_url(&self) -> Option<&str> {
        match self {
            Self::Ternd(ternd) => ternd.plain_url(),
            Self::Synapse(synapse) => synapse.plain_url(),
            Self::Elsewhere(_) => None,
        }
    }
}

/// Logs are quiet and presence is off, the same for both kinds: neither is the work that is compared.
async fn start(
    started: &Started,
    disk_delay: Option<Duration>,
    role: Role,
    loopback: &Loopback,
) -> Result<Process> {
    let which = match role {
        Role::Subject => "subject".to_owned(),
        Role::Peer(number) => format!("peer{number}"),
    };
    match started.kind {
        Kind::Ternd => {
            // Its folder has the name of the host.
            let host = format!("{which}-{}.localhost", folder_name(&started.name));
            let builder = loopback.ternd(&host).binary(&started.path).registration("open");
            let builder = builder.database(Database::Sqlite).plain_http().log_level("warn");
            Ok(Process::Ternd(Box::new(builder.slow_disk(disk_delay).start().await?)))
        }
        Kind::Synapse => {
            let folder = format!("{which}-{}", folder_name(&started.name));
            let builder = loopback.synapse_builder().python(&started.path).folder(&folder);
            let builder = builder.plain_http().without_presence().log_level("WARNING");
            Ok(Process::Synapse(Box::new(builder.slow_disk(disk_delay).start().await?)))
        }
    }
}

/// The column's name as part of a host's.
fn folder_name(name: &str) -> String {
    let letter = |char: char| if char.is_ascii_alphanumeric() { char } else { '-' };
    name.to_lowercase().chars().map(letter).collect()
}

/// The sizes of all files in `folder` whose names begin with `prefix`.
fn sizes(folder: &Path, prefix: &str) -> Result<u64> {
    let mut bytes = 0;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with(prefix) {
            bytes += entry.metadata()?.len();
        }
    }
    Ok(bytes)
}
