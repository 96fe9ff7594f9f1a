//! Looking at a chat elsewhere than at its newest end: the messages around one, fetched on their own.

use std::sync::Arc;

use matrix_sdk_ui::timeline::{
    EventTimelineItem, RoomExt, Timeline, TimelineEventFocusThreadMode, TimelineFocus,
    TimelineReadReceiptTracking,
};
use rand::distr::{Alphanumeric, SampleString};
use ruma::EventId;

use super::{forward, lists, session::Session, shared, timeline};
use crate::backend::{Report, Request, View};

/// Messages on either side of the one jumped to.
const AROUND: u16 = 40;
/// Events asked for at once when going on.
const PAGE: u16 = 30;

/// Carries out what leads through a chat.
pub(super) async fn carry_out(session: &Arc<Session>, request: Request) {
    match request {
        Request::LoadOlderAround { chat } => timeline::load_older(session, &chat, true).await,
        Request::OpenAround { chat, event } => open_around(session, &chat, event).await,
        Request::LoadNewer { chat } => load_newer(session, &chat).await,
        Request::ListPinned { chat } => lists::pinned(session, &chat).await,
        Request::ListThreads { chat } => lists::threads(session, &chat).await,
        Request::SearchChat { chat, query } => lists::search(session, &chat, query).await,
        Request::ListShared { chat, what, older } => {
            shared::list(session, &chat, what, older).await;
        }
        Request::FindDate { chat, at_ms } => lists::find_date(session, &chat, at_ms).await,
        Request::Pin { chat, event, pin } => lists::pin(session, &chat, &event, pin).await,
        Request::Forward { chat, messages, to } => {
            forward::forward(session, &chat, &messages, &to).await;
        }
        Request::SendToThread { chat, root, text, reply_to } => {
            forward::to_thread(session, &chat, &root, text, reply_to).await;
        }
        _ => {}
    }
}

/// Shows the messages around `event`, until another chat or view is opened.
async fn open_around(session: &Arc<Session>, chat: &str, event: String) {
    match build(session, chat, &event).await {
        Some(Ok(timeline)) => {
            let timeline = Arc::new(timeline);
            session.timelines.focus(timeline.clone());
            timeline::show(session, timeline, View::Around(event));
        }
        Some(Err(error)) => {
            let reason = format!("That message can't be shown: {error}. It may have been removed.");
            session.reports.send(Report::ViewFailed { chat: chat.to_owned(), reason });
        }
        None => {}
    }
}

async fn build(
    session: &Arc<Session>,
    chat: &str,
    event: &str,
) -> Option<Result<Timeline, matrix_sdk_ui::timeline::Error>> {
    let room = session.room(chat)?;
    let target = EventId::parse(event).ok()?;
    let focus = TimelineFocus::Event {
        target,
        num_context_events: AROUND,
        thread_mode: TimelineEventFocusThreadMode::Automatic { hide_threaded_events: false },
    };
    // Keys of one timeline must mean nothing in another.
    let prefix = Alphanumeric.sample_string(&mut rand::rng(), 8);
    let timeline = room
        .timeline_builder()
        .with_focus(focus)
        .with_internal_id_prefix(prefix)
        .track_read_marker_and_receipts(TimelineReadReceiptTracking::MessageLikeEvents)
        .build()
        .await;
    Some(timeline)
}

/// One page further towards the newest message.
async fn load_newer(session: &Session, chat: &str) {
    let (mut end, mut failed) = (true, false);
    if let Some(timeline) = session.timelines.focused(chat) {
        match timeline.paginate_forwards(PAGE).await {
            Ok(hit_end) => end = hit_end,
            Err(error) => {
                tracing::debug!(%error, "newer messages could not be loaded");
                (end, failed) = (false, true);
            }
        }
    }
    session.reports.send(Report::NewerLoaded { chat: chat.to_owned(), end, failed });
}

impl Session {
    /// The message shown under `key`, and the timeline it is in.
    pub(super) async fn find(
        &self,
        chat: &str,
        key: &str,
    ) -> Option<(Arc<Timeline>, EventTimelineItem)> {
        let live = self.timeline(chat).await?;
        for timeline in [Some(live), self.timelines.focused(chat)].into_iter().flatten() {
            if let Some(item) = timeline::item(&timeline, key).await {
                return Some((timeline, item));
            }
        }
        self.reports.failed("That message is not here any more.");
        None
    }
}
