//! What is done to a server: one file a subject, one function a scenario.
//!
//! A scenario prepares what it needs outside the clock, times one thing, and gives its lines. What it leaves behind must not change
//! what a later one measures: people of the crowd may gather rooms, people of the village may not.

mod fan_out;
mod federation;
mod idle;
mod listener;
mod pages;
mod people;
mod quiet;
mod restart;
mod rooms;
mod send;
mod sliding;
mod storage;
mod sync;

use anyhow::Result;
use clap::ValueEnum;

use crate::{client::Socket, figures::Line, site::Site};

/// The scenarios, in the order in which they run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Scenario {
    Register,
    Create,
    Join,
    SendManyRooms,
    SendOneRoom,
    FanOut,
    FanOutSocket,
    InitialSyncV3,
    InitialSyncSliding,
    IncrementalSyncV3,
    IncrementalSyncSliding,
    QuietUser,
    Pages,
    FederatedSend,
    FederatedJoin,
    Idle,
    IdleSocket,
    Storage,
    Restart,
}

/// Those whose cost must not depend on what a server holds beside what they touch.
pub(crate) const UNTOUCHED_BY_GROWTH: [Scenario; 7] = [
    Scenario::SendManyRooms,
    Scenario::SendOneRoom,
    Scenario::InitialSyncV3,
    Scenario::IncrementalSyncV3,
    Scenario::IncrementalSyncSliding,
    Scenario::Pages,
    Scenario::Restart,
];

impl Scenario {
    /// Its name on the command line.
    pub(crate) fn key(self) -> String {
        self.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned())
    }

    /// Its heading.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Register => "Register",
            Self::Create => "Create a room",
            Self::Join => "Join",
            Self::SendManyRooms => "Send, many rooms",
            Self::SendOneRoom => "Send, one room",
            Self::FanOut => "Send to everybody's `/sync`",
            Self::FanOutSocket => "Send to everybody's socket",
            Self::InitialSyncV3 => "Initial sync, v3",
            Self::InitialSyncSliding => "Initial sync, sliding",
            Self::IncrementalSyncV3 => "Incremental sync, v3",
            Self::IncrementalSyncSliding => "Incremental sync, sliding",
            Self::QuietUser => "Sync beside a busy room",
            Self::Pages => "A page of 50 messages",
            Self::FederatedSend => "Federated send to remote `/sync`",
            Self::FederatedJoin => "Federated join",
            Self::Idle => "Idle long polls",
            Self::IdleSocket => "Idle sockets",
            Self::Storage => "Database",
            Self::Restart => "Start",
        }
    }

    /// Whether it stops and starts the server.
    pub(crate) fn restarts(self) -> bool {
        matches!(self, Self::Storage | Self::Restart)
    }

    /// What exactly is timed.
    pub(crate) fn about(self) -> &'static str {
        match self {
            Self::Register => {
                "One account: `POST /register` without and then with the answer to what it asks. 4 at once. Most of it is the hash of the password."
            }
            Self::Create => {
                "`POST /createRoom`, preset private_chat. As many at once as the run says, by as many people."
            }
            Self::Join => {
                "`POST /join` of a public local room. As many at once as the run says; those under way at one time are different people in different rooms."
            }
            Self::SendManyRooms => {
                "`PUT …/send/m.room.message` into all rooms of the village in turn. As many at once as the run says, each its own person."
            }
            Self::SendOneRoom => "The same into one room.",
            Self::FanOut => {
                "From the beginning of a `PUT …/send` to the answer of each other member's long poll. One message at a time; each delivery counts as one."
            }
            Self::FanOutSocket => {
                "The same to listeners on the socket `chat.tern.socket`, which acknowledge each delta; only `ternd` has it."
            }
            Self::InitialSyncV3 => {
                "`GET /v3/sync` without a token, one after the other, of people who are in all rooms of the village. Each request differs in its timeout, so that none is answered from a cache of responses."
            }
            Self::InitialSyncSliding => {
                "`POST …/simplified_msc3575/sync` of a new connection: all rooms of the village, 10 events each, own member and name required."
            }
            Self::IncrementalSyncV3 => {
                "`GET /v3/sync` with a token after one message in one room of the village, until the answer holds it. Everybody but the sender, one after the other, then the next message; sends are not timed, but the rate and the CPU hold one for each round."
            }
            Self::IncrementalSyncSliding => "The same on a connection of `simplified_msc3575`.",
            Self::QuietUser => {
                "`GET /v3/sync` with a token, of somebody in 50 rooms where nothing happens, one after the other; meanwhile somebody talks in a room that everybody else is in. Only where `--neighbours` says how many people there are."
            }
            Self::Pages => {
                "`GET …/messages?dir=b&limit=50`, one after the other, backwards through rooms of the village."
            }
            Self::FederatedSend => {
                "From the beginning of a `PUT …/send` on one server to the answer of a long poll on another server of the same kind. One message at a time; CPU and memory are both servers' together."
            }
            Self::FederatedJoin => {
                "`POST /join` of a public room on another server of the same kind, where the village lives; a room nobody of the joining server is in, servers that know each other. CPU and memory are both servers' together."
            }
            Self::Idle => {
                "Long polls that wait for something new in a room where nothing happens; then one message to a room of few of them."
            }
            Self::IdleSocket => {
                "The same on the socket `chat.tern.socket`, whose connections the server keeps the place of; only `ternd` has it."
            }
            Self::Storage => {
                "The growth of the database's files, closed before and after, over messages sent to the rooms of the village."
            }
            Self::Restart => {
                "An orderly stop, then from the start of the process to the first answer, then one person's first sync."
            }
        }
    }

    /// Does it; without lines where the server does not have what it needs.
    pub(crate) async fn run(self, site: &mut Site) -> Result<Vec<Line>> {
        let needs_socket = matches!(self, Self::FanOutSocket | Self::IdleSocket);
        if needs_socket && !Socket::is_offered(site.server.client()).await? {
            return Ok(Vec::new());
        }
        match self {
            Self::Register => people::register(site).await,
            Self::Create => rooms::create(site).await,
            Self::Join => rooms::join(site).await,
            Self::SendManyRooms => send::many_rooms(site).await,
            Self::SendOneRoom => send::one_room(site).await,
            Self::FanOut => fan_out::long_polls(site).await,
            Self::FanOutSocket => fan_out::sockets(site).await,
            Self::InitialSyncV3 => sync::initial(site).await,
            Self::InitialSyncSliding => sliding::initial(site).await,
            Self::IncrementalSyncV3 => sync::incremental(site).await,
            Self::IncrementalSyncSliding => sliding::incremental(site).await,
            Self::QuietUser => quiet::beside_noise(site).await,
            Self::Pages => pages::backwards(site).await,
            Self::FederatedSend => federation::send(site).await,
            Self::FederatedJoin => federation::join(site).await,
            Self::Idle => idle::long_polls(site).await,
            Self::IdleSocket => idle::sockets(site).await,
            Self::Storage => storage::bytes_per_event(site).await,
            Self::Restart => restart::starts(site).await,
        }
    }
}
