//! What is done to a server: one file a subject, one function a scenario.
//!
//! A scenario prepares what it needs outside the clock, times one thing, and gives its lines. What it leaves behind must not change
//! what a later one measures: people of the crowd may gather rooms, people of the village may not.

mod about;
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
mod socket;
mod storage;
mod sync;

use anyhow::Result;
use clap::ValueEnum;

use sliding::Form;

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
    InitialSyncV4,
    InitialSyncSocket,
    IncrementalSyncV3,
    IncrementalSyncSliding,
    IncrementalSyncV4,
    IncrementalSyncSocket,
    QuietUser,
    Pages,
    FederatedSend,
    FederatedJoin,
    FederatedJoinLarge,
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
            Self::InitialSyncV4 => "Initial sync, sliding v4",
            Self::InitialSyncSocket => "Initial sync, socket",
            Self::IncrementalSyncV3 => "Incremental sync, v3",
            Self::IncrementalSyncSliding => "Incremental sync, sliding",
            Self::IncrementalSyncV4 => "Incremental sync, sliding v4",
            Self::IncrementalSyncSocket => "Incremental sync, socket",
            Self::QuietUser => "Sync beside a busy room",
            Self::Pages => "A page of 50 messages",
            Self::FederatedSend => "Federated send to remote `/sync`",
            Self::FederatedJoin => "Federated join",
            Self::FederatedJoinLarge => "Federated join of a room with many members",
            Self::Idle => "Idle long polls",
            Self::IdleSocket => "Idle sockets",
            Self::Storage => "Database",
            Self::Restart => "Start",
        }
    }

    /// Whether it stops and starts the server.
    pub(crate) fn restarts(self) -> bool {
        matches!(self, Self::Idle | Self::IdleSocket | Self::Storage | Self::Restart)
    }

    /// What exactly is timed.
    pub(crate) fn about(self) -> &'static str {
        match self {
            Self::Register => about::REGISTER,
            Self::Create => about::CREATE,
            Self::Join => about::JOIN,
            Self::SendManyRooms => about::SEND_MANY_ROOMS,
            Self::SendOneRoom => about::SEND_ONE_ROOM,
            Self::FanOut => about::FAN_OUT,
            Self::FanOutSocket => about::FAN_OUT_SOCKET,
            Self::InitialSyncV3 => about::INITIAL_SYNC_V3,
            Self::InitialSyncSliding => about::INITIAL_SYNC_SLIDING,
            Self::InitialSyncV4 => about::INITIAL_SYNC_V4,
            Self::InitialSyncSocket => about::INITIAL_SYNC_SOCKET,
            Self::IncrementalSyncV3 => about::INCREMENTAL_SYNC_V3,
            Self::IncrementalSyncSliding => about::INCREMENTAL_SYNC_SLIDING,
            Self::IncrementalSyncV4 => about::INCREMENTAL_SYNC_V4,
            Self::IncrementalSyncSocket => about::INCREMENTAL_SYNC_SOCKET,
            Self::QuietUser => about::QUIET_USER,
            Self::Pages => about::PAGES,
            Self::FederatedSend => about::FEDERATED_SEND,
            Self::FederatedJoin => about::FEDERATED_JOIN,
            Self::FederatedJoinLarge => about::FEDERATED_JOIN_LARGE,
            Self::Idle => about::IDLE,
            Self::IdleSocket => about::IDLE_SOCKET,
            Self::Storage => about::STORAGE,
            Self::Restart => about::RESTART,
        }
    }

    /// Does it; without lines where the server does not have what it needs.
    pub(crate) async fn run(self, site: &mut Site) -> Result<Vec<Line>> {
        if !self.is_offered(site).await? {
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
            Self::InitialSyncSliding => sliding::initial(site, Form::Deployed).await,
            Self::InitialSyncV4 => sliding::initial(site, Form::Stable).await,
            Self::InitialSyncSocket => socket::initial(site).await,
            Self::IncrementalSyncV3 => sync::incremental(site).await,
            Self::IncrementalSyncSliding => sliding::incremental(site, Form::Deployed).await,
            Self::IncrementalSyncV4 => sliding::incremental(site, Form::Stable).await,
            Self::IncrementalSyncSocket => socket::incremental(site).await,
            Self::QuietUser => quiet::beside_noise(site).await,
            Self::Pages => pages::backwards(site).await,
            Self::FederatedSend => federation::send(site).await,
            Self::FederatedJoin => federation::join(site).await,
            Self::FederatedJoinLarge => federation::join_large(site).await,
            Self::Idle => idle::long_polls(site).await,
            Self::IdleSocket => idle::sockets(site).await,
            Self::Storage => storage::bytes_per_event(site).await,
            Self::Restart => restart::starts(site).await,
        }
    }

    /// Whether the server has what it needs.
    async fn is_offered(self, site: &Site) -> Result<bool> {
        let client = site.server.client();
        match self {
            Self::FanOutSocket
            | Self::InitialSyncSocket
            | Self::IncrementalSyncSocket
            | Self::IdleSocket => Socket::is_offered(client).await,
            Self::InitialSyncSliding | Self::IncrementalSyncSliding => {
                Form::Deployed.is_offered(client).await
            }
            Self::InitialSyncV4 | Self::IncrementalSyncV4 => Form::Stable.is_offered(client).await,
            _ => Ok(true),
        }
    }
}
