//! Keeping up with the server: sliding sync where it has it, classic `/sync` where not. Both feed the same streams.

use std::{
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use futures_util::StreamExt;
use matrix_sdk::{
    Client, RoomMemberships,
    config::{SyncSettings, SyncToken},
    sliding_sync::Version,
};
use matrix_sdk_ui::{
    room_list_service,
    sync_service::{self, SyncService},
};
use ruma::{
    OwnedRoomId, RoomId,
    api::client::{
        filter::{FilterDefinition, LazyLoadOptions},
        sync::sync_events::v5::request::E2EE,
    },
};
use tokio::{
    sync::{broadcast::error::RecvError, watch},
    time::{Instant, sleep_until},
};

use super::session::Session;
use crate::backend::{Connection, Report};

/// How long a classic long poll may take.
const POLL: Duration = Duration::from_secs(30);
const FIRST_RETRY: Duration = Duration::from_secs(1);
pub(super) const LAST_RETRY: Duration = Duration::from_secs(30);

/// After so long the history of what came is on disk.
const SETTLED: Duration = Duration::from_millis(250);

/// What other files need of the sync: the open room gets more of the server's attention on sliding sync.
pub(super) struct SyncEngine {
    service: OnceLock<SyncService>,
    /// The open room. The SDK forgets it with its place in the sync, as when the server was started again.
    watched: tokio::sync::Mutex<Option<OwnedRoomId>>,
    /// The run before was cut off. The SDK keeps its place in the sync first and what came with it a little later, so that the
    /// last messages of such a run may be missing: the sync begins anew, and what is already there is known by its id.
    anew: bool,
    news: Mutex<Option<Instant>>,
    /// The session ends: nothing starts the sync again.
    ended: AtomicBool,
}

impl SyncEngine {
    pub(super) fn new(anew: bool) -> Self {
        Self {
            service: OnceLock::new(),
            watched: tokio::sync::Mutex::new(None),
            anew,
            news: Mutex::new(None),
            ended: AtomicBool::new(false),
        }
    }

    /// Waits until everything that came is on disk; nothing may come any more.
    pub(super) async fn settle(&self) {
        let news = *self.news.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(at) = news {
            sleep_until(at + SETTLED).await;
        }
    }

    pub(super) async fn watch_room(&self, room: &RoomId) {
        *self.watched.lock().await = Some(room.to_owned());
        if let Some(service) = self.service.get() {
            self.watch_again(service).await;
        }
    }

    /// Asks for more of the open room than the chat list shows of each. Locked to the end: two at once would leave the older room.
    async fn watch_again(&self, service: &SyncService) {
        let watched = self.watched.lock().await;
        if let Some(room) = watched.as_ref() {
            service.room_list_service().subscribe_to_rooms(&[room]).await;
        }
    }

    /// Has the open room's members asked for again: who subscribes to a room has the SDK take those it has for too few.
    async fn complete_members(session: Arc<Session>) {
        let watched = session.sync.watched.lock().await.clone();
        let room = watched.and_then(|room| session.client.get_room(&room));
        if let Some(room) = room
            && let Err(error) = room.members(RoomMemberships::JOIN).await
        {
            tracing::debug!(%error, "the members of the open chat did not come");
        }
    }

    /// Has nothing come for a while; [`SyncEngine::resume`] ends that.
    pub(super) async fn pause(&self) {
        if let Some(service) = self.service.get() {
            service.stop().await;
        }
    }

    pub(super) async fn resume(&self) {
        if let Some(service) = self.service.get().filter(|_| !self.ended.load(Ordering::Acquire)) {
            service.start().await;
        }
    }

    /// The end: the SDK's own tasks go on until they are told.
    pub(super) async fn stop(&self) {
        self.ended.store(true, Ordering::Release);
        self.pause().await;
    }
}

/// Has the SDK send what encryption wants sent. On sliding sync it waits for the next round, which can take a whole long
/// poll: too long for somebody who looks at emoji. A sync of its own with nothing in it sends at once.
pub(super) async fn flush(client: &Client) {
    if !matches!(client.sliding_sync_version(), Version::Native) {
        return;
    }
    let mut e2ee = E2EE::default();
    e2ee.enabled = Some(true);
    let builder = match client.sliding_sync("tern-flush") {
        Ok(builder) => builder.poll_timeout(Duration::ZERO).with_e2ee_extension(e2ee),
        Err(error) => return tracing::debug!(%error, "no sync to flush with"),
    };
    match builder.build().await {
        Ok(once) => {
            let mut rounds = std::pin::pin!(once.sync());
            if let Some(Err(error)) = rounds.next().await {
                tracing::debug!(%error, "the flush failed");
            }
        }
        Err(error) => tracing::debug!(%error, "no sync to flush with"),
    }
}

/// Syncs until the session ends.
pub(super) async fn run(session: Arc<Session>) {
    let link = Link::new(session.clone());
    let mut retry = Retry::default();
    // `/versions` decides; without a network the question waits.
    loop {
        link.set(Connection::Connecting).await;
        match session.client.supported_versions().await {
            Ok(_) => break,
            Err(_) => {
                link.set(Connection::Offline).await;
                retry.wait().await;
            }
        }
    }
    match session
        .client
        .available_sliding_sync_versions()
        .await
        .into_iter()
        .find(|version| matches!(version, Version::Native))
    {
        Some(version) => {
            session.client.set_sliding_sync_version(version);
            sliding(&session, &link).await;
        }
        None => classic(&session, &link).await,
    }
}

/// Remembers when something came last.
pub(super) async fn note_news(session: Arc<Session>) {
    let mut updates = session.client.subscribe_to_all_room_updates();
    while !matches!(updates.recv().await, Err(RecvError::Closed)) {
        *session.sync.news.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }
}

/// Reports the connection when it changes and wakes the send queue when it comes back.
struct Link {
    session: Arc<Session>,
    now: watch::Sender<Option<Connection>>,
}

impl Link {
    fn new(session: Arc<Session>) -> Self {
        Self { session, now: watch::Sender::new(None) }
    }

    async fn set(&self, connection: Connection) {
        if self.now.send_replace(Some(connection)) == Some(connection) {
            return;
        }
        self.session.reports.send(Report::Connection(connection));
        if connection == Connection::Online {
            let queue = self.session.client.send_queue();
            queue.set_enabled(true).await;
            queue.respawn_tasks_for_rooms_with_unsent_requests().await;
        }
    }
}

async fn sliding(session: &Arc<Session>, link: &Link) {
    let mut retry = Retry::default();
    let service = loop {
        let builder = SyncService::builder(session.client.clone());
        match builder.with_offline_mode().with_share_pos(!session.sync.anew).build().await {
            Ok(service) => break service,
            Err(error) => {
                tracing::warn!(%error, "sliding sync could not be set up");
                link.set(Connection::Offline).await;
                retry.wait().await;
            }
        }
    };
    let service = session.sync.service.get_or_init(|| service);
    let mut states = service.state();
    let mut list_states = service.room_list_service().state();
    session.sync.watch_again(service).await;
    service.start().await;
    let (mut before, mut began_again) = (room_list_service::State::Init, false);
    loop {
        let (state, list) = (states.get(), list_states.get());
        let begins_again = matches!(
            list,
            room_list_service::State::Error { .. }
                | room_list_service::State::Terminated { .. }
                | room_list_service::State::Recovering
        );
        if begins_again && before != list {
            // In time as a rule: before the SDK goes on, it asks the server for its versions.
            session.sync.watch_again(service).await;
            began_again = true;
        }
        before.clone_from(&list);
        match (&state, &list) {
            (sync_service::State::Offline, _) => link.set(Connection::Offline).await,
            (
                sync_service::State::Running,
                room_list_service::State::Running | room_list_service::State::SettingUp,
            ) => {
                retry = Retry::default();
                link.set(Connection::Online).await;
                if std::mem::take(&mut began_again) {
                    session.spawn(SyncEngine::complete_members(session.clone()));
                }
            }
            (sync_service::State::Running | sync_service::State::Idle, _) => {
                link.set(Connection::Connecting).await;
            }
            (sync_service::State::Error(_) | sync_service::State::Terminated, _) => {
                link.set(Connection::Offline).await;
                retry.wait().await;
                service.start().await;
            }
        }
        tokio::select! {
            next = states.next() => if next.is_none() { return },
            next = list_states.next() => if next.is_none() { return },
        }
    }
}

async fn classic(session: &Arc<Session>, link: &Link) {
    let mut filter = FilterDefinition::default();
    filter.room.state.lazy_load_options =
        LazyLoadOptions::Enabled { include_redundant_members: false };
    let settings = SyncSettings::default()
        .filter(filter.into())
        .token(SyncToken::ReusePrevious)
        .ignore_timeout_on_first_sync(true);
    let mut retry = Retry::default();
    let mut caught_up = false;
    let mut anew = session.sync.anew;
    loop {
        // The first answer should come at once, so that the chat list fills.
        let timeout = if caught_up { POLL } else { Duration::ZERO };
        let mut settings = settings.clone().timeout(timeout);
        if anew {
            settings = settings.token(SyncToken::NoToken);
        }
        match session.client.sync_once(settings).await {
            Ok(_) => {
                anew = false;
                caught_up = true;
                retry = Retry::default();
                link.set(Connection::Online).await;
            }
            Err(error) => {
                tracing::debug!(%error, "sync failed");
                caught_up = false;
                link.set(Connection::Offline).await;
                retry.wait().await;
            }
        }
    }
}

/// Growing pauses between tries.
pub(super) struct Retry {
    next: Duration,
}

impl Default for Retry {
    fn default() -> Self {
        Self { next: FIRST_RETRY }
    }
}

impl Retry {
    pub(super) async fn wait(&mut self) {
        let mut pause = tokio::time::interval_at(Instant::now() + self.next, LAST_RETRY);
        pause.tick().await;
        self.next = (self.next * 2).min(LAST_RETRY);
    }
}
