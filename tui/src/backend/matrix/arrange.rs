//! Pinning, archiving, notification levels and marking unread: link previews: tags, push rules and room account data of one's own.

use matrix_sdk::{Room, notification_settings::RoomNotificationMode};
use ruma::events::tag::{TagInfo, TagName};

use super::{errors::explain, link_previews::PreviewUrlsEventContent, session::Session};
use crate::backend::{Arrange, NotifyLevel};

pub(super) async fn arrange(session: &Session, arrange: Arrange) {
    let changed = match arrange {
        Arrange::Pin { chats } => return pin(session, &chats).await,
        Arrange::Unpin { chat } => {
            with(session, &chat, async |room| room.set_is_favourite(false, None).await).await
        }
        Arrange::Archive { chat, archived } => {
            with(session, &chat, async |room| room.set_is_low_priority(archived, None).await).await
        }
        Arrange::MarkUnread { chat } => {
            with(session, &chat, async |room| room.set_unread_flag(true).await).await
        }
        Arrange::Previews { chat, shown } => {
            let content = PreviewUrlsEventContent::new(shown);
            with(session, &chat, async |room| room.set_account_data(content).await.map(drop)).await
        }
        Arrange::Notify { chat, level } => return notify(session, &chat, level).await,
    };
    if let Err(error) = changed {
        session.reports.failed(format!("The list could not be changed. {}", explain(&error)));
    }
}

async fn with(
    session: &Session,
    chat: &str,
    change: impl AsyncFnOnce(&Room) -> matrix_sdk::Result<()>,
) -> matrix_sdk::Result<()> {
    let Some(room) = session.room(chat) else { return Ok(()) };
    change(&room).await
}

/// Gives the chats orders between 0 and 1, first to last; those that have theirs already are left alone.
async fn pin(session: &Session, chats: &[String]) {
    let count = f64::from(u32::try_from(chats.len()).unwrap_or(u32::MAX)) + 1.0;
    for (place, chat) in (1_u32..).zip(chats) {
        let order = f64::from(place) / count;
        let Some(room) = session.room(chat) else { continue };
        if place_of(&room).await.is_some_and(|known| (known - order).abs() < f64::EPSILON) {
            continue;
        }
        let made = if room.is_favourite() {
            let mut info = TagInfo::new();
            info.order = Some(order);
            room.set_tag(TagName::Favorite, info).await.map(drop)
        } else {
            room.set_is_favourite(true, Some(order)).await
        };
        if let Err(error) = made {
            return session
                .reports
                .failed(format!("The chat could not be pinned. {}", explain(&error)));
        }
    }
}

/// Where a pinned chat stands among the pinned ones.
pub(super) async fn place_of(room: &Room) -> Option<f64> {
    let tags = room.tags().await.ok().flatten()?;
    tags.get(&TagName::Favorite)?.order
}

async fn notify(session: &Session, chat: &str, level: Option<NotifyLevel>) {
    let Some(room) = session.room(chat) else { return };
    let settings = session.client.notification_settings().await;
    let mode = level.map(|level| match level {
        NotifyLevel::Everything => RoomNotificationMode::AllMessages,
        NotifyLevel::Mentions => RoomNotificationMode::MentionsAndKeywordsOnly,
        NotifyLevel::Nothing => RoomNotificationMode::Mute,
    });
    let set = match mode {
        Some(mode) => settings.set_room_notification_mode(room.room_id(), mode).await,
        None => settings.delete_user_defined_room_rules(room.room_id()).await,
    };
    match set {
        Ok(()) => session.poke(room.room_id()),
        Err(error) => {
            tracing::debug!(%error, "a push rule could not be set");
            session.reports.failed("The server did not take it. Try again in a moment.");
        }
    }
}

/// What the user chose to hear of in a room.
pub(super) async fn level(room: &Room) -> Option<NotifyLevel> {
    room.user_defined_notification_mode().await.map(|mode| match mode {
        RoomNotificationMode::AllMessages => NotifyLevel::Everything,
        RoomNotificationMode::MentionsAndKeywordsOnly => NotifyLevel::Mentions,
        RoomNotificationMode::Mute => NotifyLevel::Nothing,
    })
}
