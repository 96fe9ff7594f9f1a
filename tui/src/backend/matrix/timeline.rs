//! The open chat's messages: keeps the last few timelines warm and reports the open one whenever it changed.

use std::{
    collections::{HashSet, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use futures_util::{Stream, StreamExt};
use matrix_sdk::Room;
use matrix_sdk_ui::{
    Timeline,
    timeline::{EventTimelineItem, RoomExt, TimelineReadReceiptTracking},
};
use rand::distr::{Alphanumeric, SampleString};
use ruma::{OwnedEventId, OwnedRoomId};
use tokio::task::AbortHandle;

use super::{identity, items, keys::MissingKeys, persons, session::Session};
use crate::backend::{Report, View};

/// Timelines kept in memory, the open one among them.
const WARM: usize = 8;
/// Changes this close together become one report.
const COALESCE: Duration = Duration::from_millis(15);
/// Events asked for at once when going back.
const PAGE: u16 = 30;

#[derive(Default)]
pub(super) struct Timelines {
    inner: Mutex<Inner>,
    /// One timeline is built at a time, so that two requests for a chat share one.
    building: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct Inner {
    /// Most recently used last.
    warm: VecDeque<(OwnedRoomId, Arc<Timeline>)>,
    reporter: Option<AbortHandle>,
    /// The messages around one that was jumped to.
    focused: Option<Arc<Timeline>>,
    /// Which search is the current one.
    search: u64,
}

impl Timelines {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn clear(&self) {
        let mut inner = self.inner();
        inner.warm.clear();
        inner.reporter = None;
        inner.focused = None;
    }

    /// Reports none of them any more; they stay warm.
    pub(super) fn rest(&self) {
        if let Some(reporter) = self.inner().reporter.take() {
            reporter.abort();
        }
    }

    /// Keeps the messages around one that was jumped to.
    pub(super) fn focus(&self, timeline: Arc<Timeline>) {
        self.inner().focused = Some(timeline);
    }

    /// The messages around the one last jumped to, if that was in `chat`.
    pub(super) fn focused(&self, chat: &str) -> Option<Arc<Timeline>> {
        self.inner().focused.clone().filter(|timeline| timeline.room().room_id() == chat)
    }

    /// Begins a search and ends the one before. Gives its number.
    pub(super) fn begin_search(&self) -> u64 {
        let mut inner = self.inner();
        inner.search += 1;
        inner.search
    }

    /// Whether this search is still the current one.
    pub(super) fn searches(&self, turn: u64) -> bool {
        self.inner().search == turn
    }

    fn find(&self, room: &Room) -> Option<Arc<Timeline>> {
        let mut inner = self.inner();
        let at = inner.warm.iter().position(|(id, _)| id == room.room_id())?;
        let entry = inner.warm.remove(at)?;
        let timeline = entry.1.clone();
        inner.warm.push_back(entry);
        Some(timeline)
    }

    /// The room's timeline, built if it is not warm.
    pub(super) async fn get(
        &self,
        room: &Room,
    ) -> Result<Arc<Timeline>, matrix_sdk_ui::timeline::Error> {
        let _one = self.building.lock().await;
        if let Some(timeline) = self.find(room) {
            return Ok(timeline);
        }
        // The SDK counts its items anew in every timeline: without a prefix, a key of an earlier one would name another message.
        let prefix = Alphanumeric.sample_string(&mut rand::rng(), 8);
        let timeline = room
            .timeline_builder()
            .with_internal_id_prefix(prefix)
            .track_read_marker_and_receipts(TimelineReadReceiptTracking::MessageLikeEvents)
            .build()
            .await?;
        let timeline = Arc::new(timeline);
        let mut inner = self.inner();
        inner.warm.push_back((room.room_id().to_owned(), timeline.clone()));
        if inner.warm.len() > WARM {
            inner.warm.pop_front();
        }
        Ok(timeline)
    }
}

impl Session {
    /// The timeline of `chat`, or a report why there is none.
    pub(super) async fn timeline(&self, chat: &str) -> Option<Arc<Timeline>> {
        let room = self.room(chat)?;
        match self.timelines.get(&room).await {
            Ok(timeline) => Some(timeline),
            Err(error) => {
                self.reports.failed(format!("The chat could not be opened: {error}"));
                None
            }
        }
    }
}

/// The event shown under `key`.
pub(super) async fn item(timeline: &Timeline, key: &str) -> Option<EventTimelineItem> {
    let items = timeline.items().await;
    items.iter().find(|item| item.unique_id().0 == key)?.as_event().cloned()
}

/// Makes `chat` the open one: its messages are reported until another is opened.
pub(super) async fn open(session: &Arc<Session>, chat: &str) {
    let Some(timeline) = session.timeline(chat).await else { return };
    show(session, timeline.clone(), View::Newest);
    session.spawn(fill(session.clone(), timeline));
}

/// Reports this timeline's messages and its person's presence, and no longer those of the one before.
pub(super) fn show(session: &Arc<Session>, timeline: Arc<Timeline>, view: View) {
    let (reported, watched) = (session.clone(), session.clone());
    let room = timeline.room().clone();
    let reporter = session.spawn(async move {
        tokio::join!(
            report(reported, timeline, view),
            persons::watch_presence(watched.clone(), room.clone()),
            identity::watch(watched, room)
        );
    });
    if let Some(before) = session.timelines.inner().reporter.replace(reporter) {
        before.abort();
    }
}

/// What an opened chat still lacks: the server's attention, a page of history, everybody's names.
async fn fill(session: Arc<Session>, timeline: Arc<Timeline>) {
    let room = timeline.room();
    session.sync.watch_room(room.room_id()).await;
    let shown = timeline.items().await.iter().filter(|item| item.as_event().is_some()).count();
    if shown < usize::from(PAGE) {
        page(&session, &timeline).await;
    }
    timeline.fetch_members().await;
}

/// One page further back.
pub(super) async fn load_older(session: &Arc<Session>, chat: &str, around: bool) {
    let timeline =
        if around { session.timelines.focused(chat) } else { session.timeline(chat).await };
    let failed = match timeline {
        Some(timeline) => !page(session, &timeline).await,
        None => true,
    };
    session.reports.send(Report::OlderLoaded { chat: chat.to_owned(), failed });
}

/// Loads a page; `false` when it could not.
async fn page(session: &Session, timeline: &Timeline) -> bool {
    match timeline.paginate_backwards(PAGE).await {
        Ok(true) => {
            let chat = timeline.room().room_id().to_string();
            session.reports.send(Report::HistoryEnd { chat });
        }
        Ok(false) => {}
        Err(error) => {
            tracing::debug!(%error, "older messages could not be loaded");
            session.reports.notice("Older messages can't be loaded right now.");
            return false;
        }
    }
    true
}

async fn report(session: Arc<Session>, timeline: Arc<Timeline>, view: View) {
    let chat = timeline.room().room_id().to_string();
    let mut mapper = items::Mapper::new(timeline.room().clone());
    let mut asked = HashSet::new();
    let mut keys = MissingKeys::default();
    let mut backups = std::pin::pin!(session.client.encryption().backups().state_stream());
    let mut pins = std::pin::pin!(pin_changes(timeline.room()));
    let mut ignored = session.client.subscribe_to_ignore_user_list_changes();
    let (mut current, changes) = timeline.subscribe().await;
    let mut changes = std::pin::pin!(changes);
    let mut sent = None;
    loop {
        let messages = mapper.messages(current.iter()).await;
        if sent.as_ref() != Some(&messages) {
            let (chat, shown) = (chat.clone(), messages.clone());
            session.reports.send(match view.clone() {
                View::Newest => Report::Timeline { chat, messages: shown },
                view => Report::View { chat, view, messages: shown },
            });
            sent = Some(messages);
        }
        let missing: Vec<_> = items::missing_replies(current.iter())
            .into_iter()
            .filter(|id| asked.insert(id.clone()))
            .collect();
        if !missing.is_empty() {
            session.spawn(fetch_replies(timeline.clone(), missing));
        }
        keys.look_for(&session, timeline.room(), items::missing_keys(current.iter()));
        let diffs = tokio::select! {
            diffs = changes.next() => diffs,
            _ = backups.next() => {
                keys = MissingKeys::default();
                continue;
            }
            _ = pins.next() => continue,
            Some(_) = ignored.next() => {
                mapper.forget_ignored();
                continue;
            }
        };
        let Some(diffs) = diffs else { return };
        diffs.into_iter().for_each(|diff| diff.apply(&mut current));
        let until = tokio::time::Instant::now() + COALESCE;
        while let Ok(Some(diffs)) = tokio::time::timeout_at(until, changes.next()).await {
            diffs.into_iter().for_each(|diff| diff.apply(&mut current));
        }
    }
}

/// Tells when other messages are pinned.
fn pin_changes(room: &Room) -> impl Stream<Item = ()> + use<> {
    let mut last = room.pinned_event_ids().unwrap_or_default();
    room.pinned_event_ids_stream().filter_map(move |now| {
        let changed = now != last;
        last = now;
        std::future::ready(changed.then_some(()))
    })
}

async fn fetch_replies(timeline: Arc<Timeline>, events: Vec<OwnedEventId>) {
    for event in events {
        if let Err(error) = timeline.fetch_details_for_event(&event).await {
            tracing::debug!(%error, "the original of a reply could not be fetched");
        }
    }
}
