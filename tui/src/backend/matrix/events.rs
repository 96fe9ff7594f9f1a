//! What the server says unasked and no other stream carries: typing, other people's receipts, verification requests.

use std::sync::{Arc, Weak};

use matrix_sdk::Room;
use ruma::events::{
    key::verification::request::ToDeviceKeyVerificationRequestEvent,
    receipt::SyncReceiptEvent,
    room::message::{MessageType, OriginalSyncRoomMessageEvent},
    typing::SyncTypingEvent,
};

use super::{items::member_name, session::Session, verification};
use crate::backend::Report;

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
    let on_request = weak.clone();
    session.client.add_event_handler(async move |event: ToDeviceKeyVerificationRequestEvent| {
        requested(&on_request, event.sender, event.content.transaction_id.to_string());
    });
    session.client.add_event_handler(async move |event: OriginalSyncRoomMessageEvent| {
        if matches!(event.content.msgtype, MessageType::VerificationRequest(_)) {
            requested(&weak, event.sender, event.event_id.to_string());
        }
    });
}

async fn typing(session: &Weak<Session>, event: SyncTypingEvent, room: &Room) {
    let Some(session) = session.upgrade() else { return };
    let mut names = Vec::new();
    for user in event.content.user_ids.iter().filter(|user| **user != session.user) {
        names.push(member_name(room, user).await);
    }
    session.reports.send(Report::Typing { chat: room.room_id().to_string(), names });
}

fn requested(session: &Weak<Session>, sender: ruma::OwnedUserId, flow: String) {
    let Some(session) = session.upgrade() else { return };
    let again = session.clone();
    session.spawn(async move { verification::incoming(&again, sender, &flow).await });
}
