//! The command line.

use std::{net::SocketAddr, path::PathBuf, str::FromStr, time::Duration};

use anyhow::{Context, Error, Result, bail};
use clap::{Args, Parser, Subcommand};

use crate::{plan::Plan, scenarios::Scenario};

/// A load bench for Matrix homeservers.
#[derive(Debug, Parser)]
#[command(name = "bench", version)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run the scenarios on every server named, and print a table a scenario.
    Run(Run),
    /// Measure a server that is filled with history beside one that is not.
    Grow(Grow),
    /// Measure the terminal client on an account with many rooms, in terminals of the bench's own.
    Tui(Tui),
    /// Put the results of earlier runs (`--json`) together into one page.
    Report(Report),
    /// Measure the load generator alone, against a server that does nothing.
    Ceiling,
    /// Be that server.
    #[command(hide = true)]
    Nothing {
        /// Where to listen.
        #[arg(default_value = "127.0.0.1:0")]
        address: SocketAddr,
    },
}

/// `bench run`.
#[derive(Debug, Args)]
pub(crate) struct Run {
    #[command(flatten)]
    pub(crate) servers: Servers,
    #[command(flatten)]
    pub(crate) size: Size,
    #[command(flatten)]
    pub(crate) output: Output,
    /// Only these scenarios, in the order of the list in `--help`.
    #[arg(long, value_delimiter = ',', value_enum)]
    pub(crate) only: Vec<Scenario>,
}

/// `bench grow`.
#[derive(Debug, Args)]
pub(crate) struct Grow {
    #[command(flatten)]
    pub(crate) servers: Servers,
    #[command(flatten)]
    pub(crate) size: Size,
    #[command(flatten)]
    pub(crate) output: Output,
    /// How many users the history has.
    #[arg(long, default_value_t = 10_000)]
    pub(crate) users: usize,
    /// How many rooms.
    #[arg(long, default_value_t = 1_000)]
    pub(crate) rooms: usize,
    /// In how many of them each user is.
    #[arg(long, default_value_t = 3)]
    pub(crate) memberships: usize,
    /// How many events, those that make the rooms not counted.
    #[arg(long, default_value_t = 1_000_000)]
    pub(crate) events: usize,
    /// How often each scenario is measured on both, in turn.
    #[arg(long, default_value_t = 5)]
    pub(crate) rounds: usize,
}

/// `bench tui`.
#[derive(Debug, Args)]
pub(crate) struct Tui {
    /// The client.
    #[arg(long, value_name = "PROGRAM")]
    pub(crate) tern: PathBuf,
    /// iamb, to be measured on the same account.
    #[arg(long, value_name = "PROGRAM")]
    pub(crate) iamb: Option<PathBuf>,
    /// The server that the account is on.
    #[arg(long, value_name = "PROGRAM")]
    pub(crate) ternd: PathBuf,
    /// How many rooms the account is in.
    #[arg(long, default_value_t = 1_000)]
    pub(crate) rooms: usize,
    /// How many keys and messages are timed.
    #[arg(long, default_value_t = 200)]
    pub(crate) count: usize,
    /// How many starts.
    #[arg(long, default_value_t = 20)]
    pub(crate) starts: usize,
    #[command(flatten)]
    pub(crate) output: Output,
}

/// `bench report`.
#[derive(Debug, Args)]
pub(crate) struct Report {
    /// The files that `--json` wrote, in the order of the page.
    #[arg(required = true)]
    pub(crate) results: Vec<PathBuf>,
    /// The page; what stands below its heading "Remarks" is kept.
    #[arg(long, default_value = "docs/benchmarks.md")]
    pub(crate) markdown: PathBuf,
}

/// Which servers.
#[derive(Debug, Args)]
pub(crate) struct Servers {
    /// A server to start: `ternd=PROGRAM` or `synapse=PYTHON`; `NAME:ternd=PROGRAM` gives it another name. Once per server.
    #[arg(long = "server", value_name = "[NAME:]KIND=PATH")]
    pub(crate) started: Vec<Started>,
    /// A server that runs already, with open registration and no rate limits.
    #[arg(long = "url", value_name = "NAME=URL")]
    pub(crate) running: Vec<Named<String>>,
    /// The process of a running server, for its CPU and memory.
    #[arg(long = "pid", value_name = "NAME=PID")]
    pub(crate) pids: Vec<Named<u32>>,
    /// A second server that federates with a running one.
    #[arg(long = "peer", value_name = "NAME=URL")]
    pub(crate) peers: Vec<Named<String>>,
    /// The process of that second server.
    #[arg(long = "peer-pid", value_name = "NAME=PID")]
    pub(crate) peer_pids: Vec<Named<u32>>,
    /// Certificate authorities (PEM) to trust beside the system's.
    #[arg(long)]
    pub(crate) ca: Option<PathBuf>,
    /// Add 5 ms to every sync call to the disk of the servers started here, by strace.
    #[arg(long)]
    pub(crate) slow_disk: bool,
}

/// How much.
#[derive(Debug, Args)]
pub(crate) struct Size {
    /// Little of everything: shows that the bench works, not how fast a server is.
    #[arg(long)]
    pub(crate) quick: bool,
    /// How many operations a scenario times, if it gets that far within the limit.
    #[arg(long, default_value_t = 5_000)]
    pub(crate) count: usize,
    /// The longest a scenario times a server. It does not count yet for operations that take under 4 ms on average: of those, 5,000 are
    /// timed first, or as many as `--count` says.
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    pub(crate) limit: u64,
    /// How many sends, creations and joins are under way at once.
    #[arg(long, default_value_t = 16)]
    pub(crate) concurrency: usize,
    /// How many connections wait in the scenario `idle`.
    #[arg(long, default_value_t = 500)]
    pub(crate) idle: usize,
    /// How many people are on the server in the scenario `quiet-user`, which is left out without them.
    #[arg(long, default_value_t = 0)]
    pub(crate) neighbours: usize,
    /// How long the scenario `quiet-user` lasts at each level of noise.
    #[arg(long, value_name = "SECONDS", default_value_t = 20)]
    pub(crate) quiet_span: u64,
    /// How many members the rooms of the scenario `federated-join-large` have.
    #[arg(long, value_name = "MEMBERS", default_value_t = 1_000)]
    pub(crate) large_room: usize,
    /// The version of the rooms.
    #[arg(long, default_value = "12")]
    pub(crate) room_version: String,
}

impl Size {
    pub(crate) fn plan(&self) -> Plan {
        let plan = Plan {
            count: self.count,
            limit: Duration::from_secs(self.limit),
            concurrency: self.concurrency.max(1),
            people: 20,
            rooms: 20,
            idle: self.idle,
            idle_people: 100,
            idle_window: Duration::from_secs(10),
            neighbours: self.neighbours,
            quiet_span: Duration::from_secs(self.quiet_span),
            federated_joins: 100,
            large_room: self.large_room.max(1),
            large_joins: 5,
            restarts: 5,
            room_version: self.room_version.clone(),
        };
        if self.quick { plan.quick() } else { plan }
    }
}

/// Where the figures go, beside the terminal.
#[derive(Debug, Args)]
pub(crate) struct Output {
    /// Write the figures there.
    #[arg(long)]
    pub(crate) json: Option<PathBuf>,
    /// Write the page there; what stands below its heading "Remarks" is kept.
    #[arg(long)]
    pub(crate) markdown: Option<PathBuf>,
    /// The date on the page, if not today.
    #[arg(long)]
    pub(crate) date: Option<String>,
}

/// `NAME=VALUE`.
#[derive(Debug, Clone)]
pub(crate) struct Named<T> {
    pub(crate) name: String,
    pub(crate) value: T,
}

impl<T> FromStr for Named<T>
where
    T: FromStr,
    T::Err: Into<Error>,
{
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let (name, value) = text.split_once('=').context("it has no `=`")?;
        let value = value.parse().map_err(Into::into)?;
        Ok(Self { name: name.to_owned(), value })
    }
}

/// Gives the value with this name.
pub(crate) fn by_name<'a, T>(values: &'a [Named<T>], name: &str) -> Option<&'a T> {
    values.iter().find(|named| named.name == name).map(|named| &named.value)
}

/// A server for the bench to start.
#[derive(Debug, Clone)]
pub(crate) struct Started {
    pub(crate) name: String,
    pub(crate) kind: Kind,
    /// The program, or the Python that has it.
    pub(crate) path: PathBuf,
}

/// The servers that the bench can start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Ternd,
    Synapse,
}

impl FromStr for Started {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let (what, path) = text.split_once('=').context("it has no `=`")?;
        let (name, kind) = what.split_once(':').unwrap_or((what, what));
        let kind = match kind {
            "ternd" => Kind::Ternd,
            "synapse" => Kind::Synapse,
            other => bail!("`{other}` is no kind; `ternd` and `synapse` are, others go by --url"),
        };
        // Relative to here: the server is started in a folder of its own. A link stays one, for Python finds its packages by it.
        let path = std::path::absolute(path)?;
        Ok(Self { name: name.to_owned(), kind, path })
    }
}
