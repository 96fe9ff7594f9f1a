//! Everything that goes out from a chat: text, files, reactions, deletions, receipts, typing.

use std::{collections::HashMap, path::PathBuf, sync::Arc};

use matrix_sdk::{
    attachment::{AttachmentInfo, BaseAudioInfo, BaseFileInfo, BaseImageInfo, BaseVideoInfo},
    room::edit::EditedContent,
    send_queue::SendQueueRoomError,
};
use matrix_sdk_ui::timeline::{
    AttachmentConfig, EventSendState, EventTimelineItem, TimelineEventItemId,
};
use mime::Mime;
use ruma::{
    OwnedRoomId, RoomId, UInt,
    events::room::message::RoomMessageEventContentWithoutRelation as Content,
};
use tokio::{
    sync::{Mutex, broadcast::error::RecvError},
    time::Instant,
};

use super::{
    errors::explain,
    items, keys,
    session::Session,
    sync::{LAST_RETRY, Retry},
    timeline,
};

const GONE: &str = "That message is not here any more.";

/// Queues text; the queue sends in order, also after a restart.
pub(super) async fn text(
    session: &Session,
    chat: &str,
    text: String,
    reply_to: Option<String>,
    edits: Option<String>,
) {
    let Some(timeline) = session.timeline(chat).await else { return };
    let content = Content::text_markdown(text);
    let result = match (edits, reply_to) {
        (Some(key), _) => {
            let Some(item) = timeline::item(&timeline, &key).await else {
                return session.reports.failed(GONE);
            };
            timeline.edit(&item.identifier(), EditedContent::RoomMessage(content)).await
        }
        (None, Some(key)) => match timeline::item(&timeline, &key)
            .await
            .map(|item| item.identifier())
        {
            Some(TimelineEventItemId::EventId(event)) => timeline.send_reply(content, event).await,
            Some(TimelineEventItemId::TransactionId(_)) => {
                return session
                    .reports
                    .failed("That message has not been sent yet; reply when it has.");
            }
            None => return session.reports.failed(GONE),
        },
        (None, None) => timeline.send(content.with_relation(None).into()).await.map(|_| ()),
    };
    if let Err(error) = result {
        session.reports.failed(format!("The message could not be queued: {error}"));
    }
}

/// Tries again: to decrypt a message, or to send one that waits or that the queue has given up on.
pub(super) async fn retry(session: &Arc<Session>, chat: &str, key: &str) {
    let Some(timeline) = session.timeline(chat).await else { return };
    let Some(item) = timeline::item(&timeline, key).await else {
        return session.reports.failed(GONE);
    };
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
    let Some(timeline) = session.timeline(chat).await else { return };
    let Some(item) = timeline::item(&timeline, key).await else {
        return session.reports.failed(GONE);
    };
    if let Err(error) = act(&timeline, item).await {
        session.reports.failed(format!("That did not work: {error}"));
    }
}

/// Queues a file: it is read now and sent by the queue.
pub(super) async fn file(session: &Session, chat: &str, path: PathBuf) {
    let Some(timeline) = session.timeline(chat).await else { return };
    let about = match tokio::fs::metadata(&path).await {
        Ok(about) if about.is_file() => about,
        Ok(_) => return session.reports.failed(format!("{} is not a file.", path.display())),
        Err(error) => {
            return session.reports.failed(format!("{} can't be read: {error}.", path.display()));
        }
    };
    if let Ok(limit) = session.client.load_or_fetch_max_upload_size().await
        && about.len() > u64::from(limit)
    {
        let limit = u64::from(limit) / 1024 / 1024;
        return session
            .reports
            .failed(format!("The file is larger than this server takes ({limit} MB)."));
    }
    let mime = mime_guess::from_path(&path).first_or_octet_stream();
    let info = attachment_info(&mime, UInt::new(about.len()));
    let config = AttachmentConfig { info: Some(info), ..AttachmentConfig::default() };
    if let Err(error) = timeline.send_attachment(path, mime, config).use_send_queue().await {
        session.reports.failed(format!("The file could not be queued: {error}"));
    }
}

fn attachment_info(mime: &Mime, size: Option<UInt>) -> AttachmentInfo {
    match mime.type_() {
        mime::IMAGE => AttachmentInfo::Image(BaseImageInfo { size, ..BaseImageInfo::default() }),
        mime::VIDEO => AttachmentInfo::Video(BaseVideoInfo { size, ..BaseVideoInfo::default() }),
        mime::AUDIO => AttachmentInfo::Audio(BaseAudioInfo { size, ..BaseAudioInfo::default() }),
        _ => AttachmentInfo::File(BaseFileInfo { size }),
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
