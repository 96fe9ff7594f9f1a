//! Sending what was said in one chat to another, and into threads.

use matrix_sdk::room::reply::{EnforceThread, Reply};
use ruma::{
    EventId,
    events::{
        AnyMessageLikeEventContent,
        room::message::{
            AddMentions, ReplyWithinThread, RoomMessageEventContent,
            RoomMessageEventContentWithoutRelation,
        },
    },
};

use super::session::Session;

/// Sends copies of messages to `to`, in their order. Files are not uploaded again.
pub(super) async fn forward(session: &Session, from: &str, keys: &[String], to: &str) {
    let Some(target) = session.room(to) else { return };
    let mut sent = 0;
    for key in keys {
        let Some((_, item)) = session.find(from, key).await else { continue };
        let Some(message) = item.content().as_message() else { continue };
        let content = RoomMessageEventContent::new(message.msgtype().clone());
        match target.send_queue().send(AnyMessageLikeEventContent::RoomMessage(content)).await {
            Ok(_) => sent += 1,
            Err(error) => {
                return session.reports.failed(format!("The message could not be queued: {error}"));
            }
        }
    }
    match sent {
        0 => session.reports.failed("Only messages with text or files can be forwarded."),
        1 => session.reports.notice("Forwarded."),
        n => session.reports.notice(format!("{n} messages forwarded.")),
    }
}

/// Queues text as an answer in the thread that began with `root`.
pub(super) async fn to_thread(
    session: &Session,
    chat: &str,
    root: &str,
    text: String,
    reply_to: Option<String>,
) {
    let Some(room) = session.room(chat) else { return };
    let Ok(root) = EventId::parse(root) else { return };
    let answered = match &reply_to {
        Some(key) => session
            .find(chat, key)
            .await
            .and_then(|(_, item)| item.event_id().map(ToOwned::to_owned)),
        None => None,
    };
    let within = if answered.is_some() { ReplyWithinThread::Yes } else { ReplyWithinThread::No };
    let reply = Reply {
        event_id: answered.unwrap_or(root),
        enforce_thread: EnforceThread::Threaded(within),
        add_mentions: AddMentions::Yes,
    };
    let content = RoomMessageEventContentWithoutRelation::text_markdown(text);
    let queued = match room.make_reply_event(content, reply).await {
        Ok(content) => {
            room.send_queue().send(content.into()).await.map_err(|error| error.to_string())
        }
        Err(error) => Err(error.to_string()),
    };
    if let Err(error) = queued {
        session.reports.failed(format!(
            "The answer could not be queued: {error}. Try again when you are online."
        ));
    }
}
