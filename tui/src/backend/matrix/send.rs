//! Everything that goes out from a chat but files: text, reactions, deletions, receipts, typing.

use std::{collections::HashMap, sync::Arc};

use matrix_sdk::{
    Room,
    room::edit::EditedContent,
    send_queue::{LocalEchoContent, SendQueueRoomError},
};
use matrix_sdk_ui::timeline::{EventSendState, EventTimelineItem, TimelineEventItemId};
use ruma::{OwnedRoomId, RoomId, events::AnyMessageLikeEventContent};
use tokio::{
    sync::{Mutex, broadcast::error::RecvError},
    time::Instant,
};

use super::{
    compose,
    errors::explain,
    items, keys,
    session::Session,
    sync::{LAST_RETRY, Retry},
};
use crate::backend::Report;

const GONE: &str = "That message is not here any more.";
/// Clocks of servers may be so far behind.
const CLOCKS_APART_MS: u64 = 10_000;

/// Queues text; the queue sends in order, also after a restart. The screen keeps the text until it is told what came of it.
pub(super) async fn text(
    session: &Session,
    chat: String,
    text: String,
    reply_to: Option<String>,
    edits: Option<String>,
) {
    let report = match queue(session, &chat, &text, reply_to, edits).await {
        Ok(()) => Report::Queued { chat, text },
        Err(reason) => Report::NotQueued { chat, text, reason },
    };
    session.reports.send(report);
}

async fn queue(
    session: &Session,
    chat: &str,
    text: &str,
    reply_to: Option<String>,
    edits: Option<String>,
) -> Result<(), String> {
    let timeline = session.timeline(chat).await.ok_or("That chat can't be opened.")?;
    let content = compose::content(timeline.room(), text).await;
    let result = match (edits, reply_to) {
        (Some(key), _) => {
            let (timeline, item) = session.find(chat, &key).await.ok_or(GONE)?;
            timeline.edit(&item.identifier(), EditedContent::RoomMessage(content)).await
        }
        (None, Some(key)) => {
            let (_, item) = session.find(chat, &key).await.ok_or(GONE)?;
            match item.identifier() {
                TimelineEventItemId::EventId(event) => timeline.send_reply(content, event).await,
                TimelineEventItemId::TransactionId(_) => {
                    return Err("That message has not been sent yet; reply when it has.".to_owned());
                }
            }
        }
        (None, None) => timeline.send(content.with_relation(None).into()).await.map(|_| ()),
    };
    result.map_err(|error| format!("The message could not be queued: {error}"))
}

/// Whether the queue has a message with this text. The timeline hears of it only a while after it was built.
async fn is_waiting(room: &Room, body: &str) -> bool {
    let Ok((waiting, _)) = room.send_queue().subscribe().await else { return false };
    waiting.iter().any(|echo| {
        let LocalEchoContent::Event { serialized_event, .. } = &echo.content else { return false };
        matches!(serialized_event.deserialize(), Ok(AnyMessageLikeEventContent::RoomMessage(said)) if said.body() == body)
    })
}

/// Sends what an earlier run was killed over, unless it stands in the timeline already, sent or waiting.
pub(super) async fn again(session: &Session, chat: String, text: String, at_ms: u64) {
    if let Some(timeline) = session.timeline(&chat).await {
        let content = compose::content(timeline.room(), &text).await;
        let body = content.msgtype.body();
        let items = timeline.items().await;
        let there = is_waiting(timeline.room(), body).await
            || items.iter().filter_map(|item| item.as_event()).any(|event| {
                event.is_own()
                    && u64::from(event.timestamp().get()) + CLOCKS_APART_MS >= at_ms
                    && event.content().as_message().is_some_and(|said| said.body() == body)
            });
        if there {
            return session.reports.send(Report::Queued { chat, text });
        }
    }
    self::text(session, chat, text, None, None).await;
}

/// Tries again: to decrypt a message, or to send one that waits or that the queue has given up on.
pub(super) async fn retry(session: &Arc<Session>, chat: &str, key: &str) {
    let Some((timeline, item)) = session.find(chat, key).await else { return };
    if let Some(megolm) = items::missing_key(&item) {
        timeline.retry_decryption([megolm.as_str()]).await;
        return keys::look_again(session, timeline.room(), &megolm).await;
    }
    timeline.room().send_queue().set_enabled(true);
    // One that only waits goes out now; one that was refused must be put back into the queue.
    if matches!(
        item.send_state(),
        Some(EventSendState::SendingFailed { is_recoverable: false, .. })
    ) && let Some(handle) = item.local_echo_send_handle()
        && let Err(error) = handle.unwedge().await
    {
        session.reports.failed(format!("The message could not be tried again: {error}"));
    }
}

/// Deletes for everybody; a message not sent yet is dropped.
pub(super) async fn delete(session: &Session, chat: &str, key: &str) {
    with_item(session, chat, key, async |timeline, item| {
        timeline.redact(&item.identifier(), None).await
    })
    .await;
}

pub(super) async fn react(session: &Session, chat: &str, key: &str, reaction: &str) {
    with_item(session, chat, key, async |timeline, item| {
        timeline.toggle_reaction(&item.identifier(), reaction).await.map(|_| ())
    })
    .await;
}

async fn with_item(
    session: &Session,
    chat: &str,
    key: &str,
    act: impl AsyncFnOnce(
        &matrix_sdk_ui::Timeline,
        EventTimelineItem,
    ) -> Result<(), matrix_sdk_ui::timeline::Error>,
) {
    let Some((timeline, item)) = session.find(chat, key).await else { return };
    if let Err(error) = act(&timeline, item).await {
        session.reports.failed(format!("That did not work: {error}"));
    }
}

/// Public receipt and read marker on the newest event.
pub(super) async fn mark_read(session: &Session, chat: &str) {
    let Some(timeline) = session.timeline(chat).await else { return };
    let Some(newest) = timeline.latest_event_id().await else { return };
    let receipts = matrix_sdk::room::Receipts::new()
        .public_read_receipt(newest.clone())
        .fully_read_marker(newest);
    if let Err(error) = timeline.send_multiple_receipts(receipts).await {
        tracing::debug!(%error, "the read receipt could not be sent");
    }
}

pub(super) async fn typing(session: &Session, chat: &str, typing: bool) {
    let Some(room) = session.room(chat) else { return };
    if let Err(error) = room.typing_notice(typing).await {
        tracing::debug!(%error, "the typing notice could not be sent");
    }
}

/// Says why a message failed for good, and has the queue go on: the SDK stops a room's queue after every error. After a passing
/// one it goes on by itself a while later, which needs no words.
pub(super) async fn watch_errors(session: Arc<Session>) {
    let mut errors = session.client.send_queue().subscribe_errors();
    let mut pauses: HashMap<OwnedRoomId, Pauses> = HashMap::new();
    loop {
        match errors.recv().await {
            Ok(SendQueueRoomError { room_id, error, is_recoverable: false }) => {
                go_on(&session, &room_id);
                session.reports.failed(format!("A message was not sent. {}", explain(&error)));
            }
            Ok(SendQueueRoomError { room_id, .. }) => {
                let pauses = pauses.entry(room_id.clone()).or_default().clone();
                let session = session.clone();
                session.clone().spawn(async move {
                    pauses.wait().await;
                    go_on(&session, &room_id);
                });
            }
            Err(RecvError::Lagged(_)) => {
                session.client.send_queue().set_enabled(true).await;
            }
            Err(RecvError::Closed) => return,
        }
    }
}

fn go_on(session: &Session, room: &RoomId) {
    if let Some(room) = session.client.get_room(room) {
        room.send_queue().set_enabled(true);
    }
}

/// The pauses of one room's queue: growing while it fails, short again after a while without a failure.
#[derive(Clone, Default)]
struct Pauses(Arc<Mutex<(Retry, Option<Instant>)>>);

impl Pauses {
    async fn wait(&self) {
        let mut state = self.0.lock().await;
        let now = Instant::now();
        if state.1.is_some_and(|last| now.duration_since(last) > LAST_RETRY * 2) {
            state.0 = Retry::default();
        }
        state.0.wait().await;
        state.1 = Some(Instant::now());
    }
}
