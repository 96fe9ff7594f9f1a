//! What has been shared in a chat: pictures, files and links, out of the messages that are here, and older ones when asked for.

use std::sync::Arc;

use matrix_sdk_ui::timeline::{EventTimelineItem, TimelineItem};
use ruma::events::room::message::MessageType;

use super::{items, session::Session};
use crate::{
    backend::{Hit, Listing, Shared},
    links,
};

/// Events in one page of history.
const PAGE: u16 = 100;
/// Pages gone through for one answer.
const PAGES_MAX: usize = 20;
/// So many more are enough for one answer.
const MORE: usize = 10;
/// A list ends with so many.
const HITS_MAX: usize = 1_000;

/// Lists what is known, and goes back through the history for more when `older` asks for it or nothing is known.
pub(super) async fn list(session: &Arc<Session>, chat: &str, what: Shared, older: bool) {
    let Some(timeline) = session.timeline(chat).await else { return };
    let turn = session.timelines.begin_search();
    let mut hits = hits(what, timeline.items().await.iter());
    let known = hits.len();
    let wanted = if older { (known + MORE).min(HITS_MAX) } else { 1 };
    let mut failed = false;
    for _ in 0..PAGES_MAX {
        if hits.len() >= wanted {
            break;
        }
        session.list(chat, Listing::Shared(what), hits, false);
        let page = timeline.paginate_backwards(PAGE).await;
        failed = page.is_err();
        if !session.timelines.searches(turn) {
            return;
        }
        hits = self::hits(what, timeline.items().await.iter());
        if page.unwrap_or(true) {
            break;
        }
    }
    if failed {
        let reason = "Older messages can't be loaded now. Try again when you are online.";
        session.reports.failed(reason);
    } else if older && hits.len() == known {
        session.reports.notice("That is all there is.");
    }
    session.list(chat, Listing::Shared(what), hits, true);
}

/// Those among `items`, newest first.
fn hits<'a>(
    what: Shared,
    items: impl DoubleEndedIterator<Item = &'a Arc<TimelineItem>>,
) -> Vec<Hit> {
    items.rev().filter_map(|item| hit(what, item.as_event()?)).take(HITS_MAX).collect()
}

fn hit(what: Shared, event: &EventTimelineItem) -> Option<Hit> {
    let content = event.content();
    let sender_name = items::sender_name(event);
    let kind = content.as_message()?.msgtype();
    let text = match (what, kind) {
        (Shared::Pictures, MessageType::Image(_) | MessageType::Video(_))
        | (Shared::Files, MessageType::File(_) | MessageType::Audio(_)) => {
            items::summary(content, event.sender(), &sender_name)
        }
        (Shared::Links, MessageType::Text(text)) => {
            let links: Vec<String> =
                links::in_text(&text.body).into_iter().map(|(_, url)| url).collect();
            (!links.is_empty()).then(|| links.join(" "))?
        }
        _ => return None,
    };
    let event_id = event.event_id()?.to_string();
    let at_ms = event.timestamp().get().into();
    Some(Hit { event: event_id, sender_name, at_ms, text, note: None })
}
