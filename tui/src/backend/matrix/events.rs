//! What the server says unasked and no other stream carries: typing, other people's receipts, verification requests.

use std::{
    sync::{Arc, Weak},
    time::SystemTime,
};

use matrix_sdk::Room;
use ruma::events::{
    ignored_user_list::IgnoredUserListEvent,
    key::verification::request::ToDeviceKeyVerificationRequestEvent,
    push_rules::PushRulesEvent,
    receipt::SyncReceiptEvent,
    room::{
        member::SyncRoomMemberEvent,
        message::{MessageType, OriginalSyncRoomMessageEvent},
        power_levels::SyncRoomPowerLevelsEvent,
    },
    space::child::SyncSpaceChildEvent,
    typing::SyncTypingEvent,
};

use super::{
    items::member_name, link_previews::PreviewUrlsEvent, listing, session::Session, verification,
};
use crate::backend::{Listed, Report};

/// Adds the handlers. They only hand over: a slow handler would hold up the sync.
pub(super) fn listen(session: &Arc<Session>) {
    let weak = Arc::downgrade(session);
    let on_typing = weak.clone();
    session.client.add_event_handler(async move |event: SyncTypingEvent, room: Room| {
        typing(&on_typing, event, &room).await;
    });
    let on_receipt = weak.clone();
    session.client.add_event_handler(async move |_: SyncReceiptEvent, room: Room| {
        if let Some(session) = on_receipt.upgrade()
            && session.pokes.send(room.room_id().to_owned()).is_err()
        {
            tracing::debug!("nobody watches the chat list");
        }
    });
    let on_rules = weak.clone();
    session.client.add_event_handler(async move |_: PushRulesEvent| {
        // Which rooms it is about is not said; a chat list of thousands is walked seldom.
        if let Some(session) = on_rules.upgrade() {
            for room in session.client.joined_rooms() {
                session.poke(room.room_id());
            }
        }
    });
    let on_previews = weak.clone();
    session.client.add_event_handler(async move |_: PreviewUrlsEvent, room: Room| {
        if let Some(session) = on_previews.upgrade() {
            session.poke(room.room_id());
        }
    });
    let on_member = weak.clone();
    session.client.add_event_handler(async move |_: SyncRoomMemberEvent, room: Room| {
        changed(&on_member, &room);
    });
    let on_levels = weak.clone();
    session.client.add_event_handler(async move |_: SyncRoomPowerLevelsEvent, room: Room| {
        changed(&on_levels, &room);
    });
    let on_ignored = weak.clone();
    session.client.add_event_handler(async move |_: IgnoredUserListEvent| {
        if let Some(session) = on_ignored.upgrade() {
            let again = session.clone();
            session.spawn(async move {
                listing::refresh(&again, |of| *of == Listed::Ignored).await;
            });
        }
    });
    let on_child = weak.clone();
    session.client.add_event_handler(async move |event: SyncSpaceChildEvent| {
        if let Some(session) = on_child.upgrade() {
            session.poke(event.state_key());
        }
    });
    let on_request = weak.clone();
    session.client.add_event_handler(async move |event: ToDeviceKeyVerificationRequestEvent| {
        let asked = event.content.timestamp.to_system_time();
        requested(&on_request, event.sender, event.content.transaction_id.to_string(), asked);
    });
    session.client.add_event_handler(async move |event: OriginalSyncRoomMessageEvent| {
        if matches!(event.content.msgtype, MessageType::VerificationRequest(_)) {
            requested(&weak, event.sender, event.event_id.to_string(), None);
        }
    });
}

/// Members or rights of a room are not what they were: the list on the screen is made anew.
fn changed(session: &Weak<Session>, room: &Room) {
    let Some(session) = session.upgrade() else { return };
    let chat = room.room_id().to_string();
    if !session.listing.shown().is_some_and(|of| is_of(&of, &chat)) {
        return;
    }
    let again = session.clone();
    session.spawn(async move { listing::refresh(&again, |of| is_of(of, &chat)).await });
}

fn is_of(of: &Listed, chat: &str) -> bool {
    matches!(of, Listed::Members(listed) | Listed::Rights(listed) if listed == chat)
}

async fn typing(session: &Weak<Session>, event: SyncTypingEvent, room: &Room) {
    let Some(session) = session.upgrade() else { return };
    let mut names = Vec::new();
    for user in event.content.user_ids.iter().filter(|user| **user != session.user) {
        names.push(member_name(room, user).await);
    }
    session.reports.send(Report::Typing { chat: room.room_id().to_string(), names });
}

fn requested(
    session: &Weak<Session>,
    sender: ruma::OwnedUserId,
    flow: String,
    asked: Option<SystemTime>,
) {
    let Some(session) = session.upgrade() else { return };
    let again = session.clone();
    session.spawn(async move { verification::incoming(&again, sender, &flow, asked).await });
}
