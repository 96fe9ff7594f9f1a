//! Lists of messages that may stand anywhere in a chat: what is pinned, the threads, what a search finds, the first of a day.

use std::sync::Arc;

use matrix_sdk::{Room, deserialized_responses::TimelineEvent, room::ListThreadsOptions};
use matrix_sdk_ui::timeline::EventTimelineItem;
use ruma::{
    EventId, MilliSecondsSinceUnixEpoch, UInt,
    api::client::room::get_event_by_timestamp::v1::Request as ByTimestamp,
    events::{AnySyncMessageLikeEvent, AnySyncTimelineEvent, SyncMessageLikeEvent},
};

use super::{errors::explain_http, items, session::Session};
use crate::{
    backend::{Hit, Listing, Report},
    fuzzy::{fold, has_all},
};

/// Threads asked for at once; older ones are found in the chat itself.
const THREADS: u32 = 50;
/// A search ends with so many hits.
const HITS_MAX: usize = 50;
/// A search looks through so many pages of history at most.
const PAGES_MAX: usize = 100;
/// Events in one page of a search.
const PAGE: u16 = 100;

impl Session {
    pub(super) fn list(&self, chat: &str, listing: Listing, hits: Vec<Hit>, done: bool) {
        self.reports.send(Report::Hits { chat: chat.to_owned(), listing, hits, done });
    }
}

/// The pinned messages, the one pinned last first.
pub(super) async fn pinned(session: &Session, chat: &str) {
    let Some(room) = session.room(chat) else { return };
    let mut hits = Vec::new();
    for id in room.pinned_event_ids().unwrap_or_default().iter().rev() {
        match room.load_or_fetch_event(id, None).await {
            Ok(event) => hits.extend(hit(&room, &event).await),
            Err(error) => tracing::debug!(%error, "a pinned message could not be loaded"),
        }
    }
    session.list(chat, Listing::Pinned, hits, true);
}

/// Pins a message, or takes the pin away.
pub(super) async fn pin(session: &Session, chat: &str, event: &str, pin: bool) {
    let Some(room) = session.room(chat) else { return };
    let Ok(id) = EventId::parse(event) else { return };
    let done = if pin { room.pin_event(&id).await } else { room.unpin_event(&id).await };
    match done {
        Ok(_) => {
            session.reports.notice(if pin { "Pinned for everybody." } else { "No longer pinned." });
        }
        Err(error) => session.reports.failed(format!(
            "The pin could not be changed: {error}. Whoever runs this chat decides who may pin."
        )),
    }
}

/// The threads of a chat, the one with the newest answer first.
pub(super) async fn threads(session: &Session, chat: &str) {
    let Some(room) = session.room(chat) else { return };
    let options =
        ListThreadsOptions { limit: Some(UInt::from(THREADS)), ..ListThreadsOptions::default() };
    let roots = match room.list_threads(options).await {
        Ok(roots) => roots,
        Err(error) => {
            session.list(chat, Listing::Threads, Vec::new(), true);
            let reason =
                format!("The threads can't be listed: {error}. Try again when you are online.");
            return session.reports.failed(reason);
        }
    };
    let mut hits = Vec::new();
    for event in roots.chunk {
        let answers = event.thread_summary.summary().map_or(0, |summary| summary.num_replies);
        if let Some(hit) = hit(&room, &event).await {
            let note = match answers {
                0 => None,
                1 => Some("1 answer".to_owned()),
                n => Some(format!("{n} answers")),
            };
            hits.push(Hit { note, ..hit });
        }
    }
    session.list(chat, Listing::Threads, hits, true);
}

/// Looks for `query` from the newest message back. It is done here and not by the server, which can't read what is encrypted.
pub(super) async fn search(session: &Arc<Session>, chat: &str, query: String) {
    let Some(timeline) = session.timeline(chat).await else { return };
    let words: Vec<String> = query.split_whitespace().map(fold).collect();
    let turn = session.timelines.begin_search();
    let mut reported = 0;
    for page in 0..PAGES_MAX {
        if !session.timelines.searches(turn) {
            return;
        }
        let found = timeline.items().await;
        let hits: Vec<Hit> = found
            .iter()
            .rev()
            .filter_map(|item| matching(item.as_event()?, &words))
            .take(HITS_MAX)
            .collect();
        let enough = hits.len() >= HITS_MAX || page + 1 == PAGES_MAX;
        if hits.len() > reported && !enough {
            reported = hits.len();
            session.list(chat, Listing::Search(query.clone()), hits.clone(), false);
        }
        let ended = enough || timeline.paginate_backwards(PAGE).await.unwrap_or(true);
        if ended && (enough || timeline.items().await.len() == found.len()) {
            return session.list(chat, Listing::Search(query), hits, true);
        }
    }
}

fn matching(item: &EventTimelineItem, words: &[String]) -> Option<Hit> {
    let event = item.event_id()?.to_string();
    let sender_name = items::sender_name(item);
    item.content().as_msglike()?;
    let text = items::summary(item.content(), item.sender(), &sender_name);
    has_all(&text, words).then(|| Hit {
        event,
        sender_name,
        at_ms: item.timestamp().get().into(),
        text,
        note: None,
    })
}

/// The first message from `at_ms` on, or the last before it where nothing came later.
pub(super) async fn find_date(session: &Session, chat: &str, at_ms: u64) {
    let Some(room) = session.room(chat) else { return };
    let at = MilliSecondsSinceUnixEpoch(UInt::new_saturating(at_ms));
    let id = room.room_id().to_owned();
    let found = match session.client.send(ByTimestamp::since(id.clone(), at)).await {
        Ok(found) => Ok(found),
        Err(_) => session.client.send(ByTimestamp::until(id, at)).await,
    };
    match found {
        Ok(found) => session
            .reports
            .send(Report::JumpTo { chat: chat.to_owned(), event: found.event_id.to_string() }),
        Err(error) => session
            .reports
            .failed(format!("The server found no message of that day. {}", explain_http(&error))),
    }
}

/// What a list shows of an event; `None` for what is not a message.
async fn hit(room: &Room, event: &TimelineEvent) -> Option<Hit> {
    let parsed = event.raw().deserialize().ok()?;
    let text = match &parsed {
        AnySyncTimelineEvent::MessageLike(AnySyncMessageLikeEvent::RoomMessage(
            SyncMessageLikeEvent::Original(message),
        )) => message.content.body().to_owned(),
        AnySyncTimelineEvent::MessageLike(AnySyncMessageLikeEvent::RoomEncrypted(_)) => {
            "a message that can't be read yet".to_owned()
        }
        AnySyncTimelineEvent::MessageLike(other) if other.is_redacted() => "deleted".to_owned(),
        AnySyncTimelineEvent::MessageLike(other) => other.event_type().to_string(),
        AnySyncTimelineEvent::State(_) => return None,
    };
    Some(Hit {
        event: parsed.event_id().to_string(),
        sender_name: items::member_name(room, parsed.sender()).await,
        at_ms: parsed.origin_server_ts().get().into(),
        text,
        note: None,
    })
}
