//! The SDK's timeline items as the screen's [`Message`]s: bodies, ticks, replies, reactions, warnings.

use std::{
    collections::{HashMap, HashSet},
    hash::Hash,
    sync::Arc,
};

use matrix_sdk::{Room, send_queue::AbstractProgress};
use matrix_sdk_ui::timeline::{
    EmbeddedEvent, EncryptedMessage, EventSendState, EventTimelineItem, MsgLikeContent,
    MsgLikeKind, TimelineDetails, TimelineEventShieldState, TimelineEventShieldStateCode,
    TimelineItem, TimelineItemContent,
};
use ruma::{
    OwnedEventId, OwnedUserId, UserId,
    events::room::message::{FormattedBody, MessageFormat, MessageType},
};

use super::{media, persons, service, utd};
use crate::backend::{Body, Message, Relations, Ticks};

/// Maps one room's items; keeps the names it had to look up.
pub(super) struct Mapper {
    room: Room,
    names: HashMap<OwnedUserId, String>,
    pinned: HashSet<OwnedEventId>,
    /// Whom the user ignores, once that was looked up.
    ignored: Option<HashSet<OwnedUserId>>,
}

impl Mapper {
    pub(super) fn new(room: Room) -> Self {
        Self { room, names: HashMap::new(), pinned: HashSet::new(), ignored: None }
    }

    /// All events among `items`, oldest first. Day dividers and markers are the screen's own.
    pub(super) async fn messages<'a>(
        &mut self,
        items: impl Iterator<Item = &'a Arc<TimelineItem>>,
    ) -> Vec<Message> {
        self.pinned = self.room.pinned_event_ids().into_iter().flatten().collect();
        if self.ignored.is_none() {
            self.ignored = Some(persons::ignored_users(&self.room.client()).await);
        }
        let mut messages = Vec::new();
        let mut readers: Vec<Vec<OwnedUserId>> = Vec::new();
        let events: Vec<_> = items.filter_map(|item| Some((item, item.as_event()?))).collect();
        for (item, event) in last_of_each(events, |(_, event)| event.event_id()) {
            self.learn(event);
            let message = message(item.unique_id().0.clone(), event, self);
            // What happened in the room is told all the same: who is in it, what it is called.
            if self.ignores(event.sender()) && !matches!(message.body, Body::Service(_)) {
                continue;
            }
            let others =
                event.read_receipts().keys().filter(|user| *user != self.room.own_user_id());
            readers.push(others.cloned().collect());
            messages.push(message);
        }
        let mut read = false;
        for (message, readers) in messages.iter_mut().zip(&readers).rev() {
            read |= !readers.is_empty();
            if read && message.ticks == Some(Ticks::Sent) {
                message.ticks = Some(Ticks::Read);
            }
            for reader in readers {
                // Whoever wrote it has read it: that needs no saying.
                if reader.as_str() != message.sender {
                    message.read_by.push(self.look_up(reader).await);
                }
            }
        }
        messages
    }

    /// The user ignores others now.
    pub(super) fn forget_ignored(&mut self) {
        self.ignored = None;
    }

    fn ignores(&self, user: &UserId) -> bool {
        self.ignored.as_ref().is_some_and(|ignored| ignored.contains(user))
    }

    fn learn(&mut self, event: &EventTimelineItem) {
        if let TimelineDetails::Ready(profile) = event.sender_profile()
            && let Some(name) = &profile.display_name
        {
            self.names.insert(event.sender().to_owned(), name.clone());
        }
    }

    fn name(&self, user: &UserId) -> String {
        self.names.get(user).cloned().unwrap_or_else(|| user.localpart().to_owned())
    }

    async fn look_up(&mut self, user: &UserId) -> String {
        if let Some(name) = self.names.get(user) {
            return name.clone();
        }
        let name = member_name(&self.room, user).await;
        self.names.insert(user.to_owned(), name.clone());
        name
    }
}

/// The name of a message's sender as it came with the message.
pub(super) fn sender_name(event: &EventTimelineItem) -> String {
    match event.sender_profile() {
        TimelineDetails::Ready(profile) => profile.display_name.clone(),
        _ => None,
    }
    .unwrap_or_else(|| event.sender().localpart().to_owned())
}

/// The member's name as far as it is known locally.
pub(super) async fn member_name(room: &Room, user: &UserId) -> String {
    match room.get_member_no_sync(user).await {
        Ok(Some(member)) => member.name().to_owned(),
        _ => user.localpart().to_owned(),
    }
}

fn message(key: String, event: &EventTimelineItem, mapper: &Mapper) -> Message {
    let content = event.content();
    let own = event.is_own();
    let sender_name = mapper.name(event.sender());
    let body = body(content, event.sender(), &sender_name);
    let ticks = (own && !matches!(body, Body::Service(_))).then(|| ticks(event));
    let msg_like = content.as_msglike();
    Message {
        key,
        at_ms: event.timestamp().get().into(),
        sender: event.sender().to_string(),
        sender_name,
        own,
        edited: content.as_message().is_some_and(matrix_sdk_ui::timeline::Message::is_edited),
        reply: msg_like.and_then(|content| reply(content, mapper)),
        reactions: msg_like
            .map(|content| reactions(content, mapper.room.own_user_id()))
            .unwrap_or_default(),
        ticks,
        read_by: Vec::new(),
        warning: if matches!(body, Body::Service(_) | Body::Deleted) {
            None
        } else {
            warning(event)
        },
        body,
        relations: relations(event, mapper),
    }
}

fn relations(event: &EventTimelineItem, mapper: &Mapper) -> Relations {
    let content = event.content().as_msglike();
    let id = event.event_id();
    Relations {
        event: id.map(ToString::to_string),
        reply_to: content
            .and_then(|content| content.in_reply_to.as_ref())
            .map(|reply| reply.event_id.to_string()),
        thread: content.and_then(|content| content.thread_root.as_ref()).map(ToString::to_string),
        pinned: id.is_some_and(|id| mapper.pinned.contains(id)),
    }
}

fn ticks(event: &EventTimelineItem) -> Ticks {
    match event.send_state() {
        None | Some(EventSendState::Sent { .. }) => Ticks::Sent,
        Some(EventSendState::NotSentYet { progress: Some(uploading) }) => {
            let AbstractProgress { current, total } = uploading.progress;
            let hundredths = current.saturating_mul(100).checked_div(total).unwrap_or(0);
            Ticks::Uploading(u8::try_from(hundredths.min(100)).unwrap_or(100))
        }
        Some(
            EventSendState::NotSentYet { progress: None }
            | EventSendState::SendingFailed { is_recoverable: true, .. },
        ) => Ticks::Sending,
        Some(EventSendState::SendingFailed { is_recoverable: false, .. }) => Ticks::Failed,
    }
}

fn reactions(content: &MsgLikeContent, own: &UserId) -> Vec<(String, u32, bool)> {
    let reactions = content.reactions.iter();
    reactions
        .map(|(key, senders)| {
            (
                key.clone(),
                u32::try_from(senders.len()).unwrap_or(u32::MAX),
                senders.contains_key(own),
            )
        })
        .collect()
}

fn reply(content: &MsgLikeContent, mapper: &Mapper) -> Option<(String, String)> {
    let details = content.in_reply_to.as_ref()?;
    Some(match &details.event {
        TimelineDetails::Ready(event) => {
            let name = embedded_name(event, mapper);
            let text = summary(&event.content, &event.sender, &name);
            (name, text.lines().next().unwrap_or_default().to_owned())
        }
        TimelineDetails::Error(_) => (String::new(), "a message that can't be loaded".to_owned()),
        TimelineDetails::Unavailable | TimelineDetails::Pending => (String::new(), "…".to_owned()),
    })
}

fn embedded_name(event: &EmbeddedEvent, mapper: &Mapper) -> String {
    match &event.sender_profile {
        TimelineDetails::Ready(profile) => profile.display_name.clone(),
        _ => None,
    }
    .unwrap_or_else(|| mapper.name(&event.sender))
}

/// The events with replies whose original has not been fetched.
pub(super) fn missing_replies<'a>(
    items: impl Iterator<Item = &'a Arc<TimelineItem>>,
) -> Vec<OwnedEventId> {
    items
        .filter_map(|item| {
            let event = item.as_event()?;
            let details = event.content().as_msglike()?.in_reply_to.as_ref()?;
            matches!(details.event, TimelineDetails::Unavailable)
                .then(|| event.event_id().map(ToOwned::to_owned))?
        })
        .collect()
}

/// The Megolm sessions whose keys are missing, newest message first.
pub(super) fn missing_keys<'a>(
    items: impl DoubleEndedIterator<Item = &'a Arc<TimelineItem>>,
) -> Vec<String> {
    items.rev().filter_map(|item| missing_key(item.as_event()?)).collect()
}

/// The id of the room key that a message which can't be decrypted lacks.
pub(super) fn missing_key(item: &EventTimelineItem) -> Option<String> {
    match item.content().as_unable_to_decrypt()? {
        EncryptedMessage::MegolmV1AesSha2 { session_id, .. } => Some(session_id.clone()),
        _ => None,
    }
}

fn body(content: &TimelineItemContent, sender: &UserId, name: &str) -> Body {
    let TimelineItemContent::MsgLike(content) = content else {
        return Body::Service(service::line(content, sender, name));
    };
    match &content.kind {
        MsgLikeKind::Message(message) => of_message(message.msgtype(), name),
        MsgLikeKind::Sticker(sticker) => media::sticker(sticker.content()),
        MsgLikeKind::Poll(poll) => {
            let question = poll.fallback_text().unwrap_or_else(|| poll.results().question);
            Body::Text { text: format!("Poll: {question}"), html: None }
        }
        MsgLikeKind::Redacted => Body::Deleted,
        MsgLikeKind::UnableToDecrypt(message) => {
            Body::Undecryptable { reason: utd::reason(message) }
        }
        MsgLikeKind::LiveLocation(_) => Body::Service(format!("{name} shared where they are")),
        MsgLikeKind::Other(other) => Body::Service(format!(
            "{name} sent something this version can't show ({})",
            other.event_type()
        )),
    }
}

fn html(formatted: Option<&FormattedBody>) -> Option<String> {
    formatted
        .filter(|formatted| formatted.format == MessageFormat::Html)
        .map(|formatted| formatted.body.clone())
}

fn of_message(message: &MessageType, name: &str) -> Body {
    if let Some(file) = media::body(message) {
        return file;
    }
    match message {
        MessageType::Text(text) => {
            Body::Text { text: text.body.clone(), html: html(text.formatted.as_ref()) }
        }
        // What a bot took the trouble to format is shown so.
        MessageType::Notice(notice) if notice.formatted.is_some() => {
            Body::Text { text: notice.body.clone(), html: html(notice.formatted.as_ref()) }
        }
        MessageType::Notice(notice) => Body::Notice(notice.body.clone()),
        MessageType::ServerNotice(notice) => Body::Notice(notice.body.clone()),
        MessageType::Emote(emote) => Body::Emote(emote.body.clone()),
        MessageType::Location(location) => {
            Body::Text { text: format!("{} ({})", location.body, location.geo_uri), html: None }
        }
        MessageType::VerificationRequest(_) => Body::Service(format!("{name} asked to verify")),
        other => Body::Text { text: other.body().to_owned(), html: None },
    }
}

/// One line that stands for `content`: in the chat list and above a reply.
pub(super) fn summary(content: &TimelineItemContent, sender: &UserId, name: &str) -> String {
    match body(content, sender, name) {
        Body::Text { text, .. } | Body::Notice(text) | Body::Service(text) => text,
        Body::Emote(text) => format!("* {name} {text}"),
        Body::File { kind, name, caption, .. } => {
            let what = media::word(kind);
            match caption {
                Some(caption) => format!("{what}: {caption}"),
                None => format!("{what}: {name}"),
            }
        }
        Body::Deleted => "Message deleted".to_owned(),
        Body::Undecryptable { .. } => "Message that can't be read yet".to_owned(),
    }
}

fn warning(event: &EventTimelineItem) -> Option<String> {
    let code = match event.get_shield(false) {
        TimelineEventShieldState::None => return None,
        TimelineEventShieldState::Red { code } | TimelineEventShieldState::Grey { code } => code,
    };
    Some(
        match code {
            TimelineEventShieldStateCode::SentInClear => {
                "Sent without encryption in an encrypted chat"
            }
            TimelineEventShieldStateCode::UnknownDevice => {
                "Sent from an unknown or removed session"
            }
            TimelineEventShieldStateCode::UnsignedDevice => {
                "Sent from a session its owner has not verified"
            }
            TimelineEventShieldStateCode::UnverifiedIdentity => {
                "Sent by somebody you have not verified"
            }
            TimelineEventShieldStateCode::VerificationViolation => {
                "The sender was verified, but their identity has changed"
            }
            TimelineEventShieldStateCode::MismatchedSender => {
                "The sender does not match the session that sent it"
            }
            TimelineEventShieldStateCode::AuthenticityNotGuaranteed => {
                "Its authenticity can't be guaranteed on this device"
            }
        }
        .to_owned(),
    )
}

/// What has an id once, where it stands last. A timeline that is built while its room's first messages arrive can hold one of them
/// twice: first where it arrived, then where it belongs.
fn last_of_each<T, I: Eq + Hash>(mut all: Vec<T>, id: impl Fn(&T) -> Option<I>) -> Vec<T> {
    let mut seen = HashSet::new();
    all.reverse();
    all.retain(|one| id(one).is_none_or(|id| seen.insert(id)));
    all.reverse();
    all
}

#[cfg(test)]
mod tests {
    use super::last_of_each;

    #[test]
    fn what_a_timeline_holds_twice_stands_where_it_belongs() {
        let all = vec![Some(1), None, Some(2), None, Some(1), Some(3)];
        let once = last_of_each(all, |id| *id);
        assert_eq!(once, [None, Some(2), None, Some(1), Some(3)]);
    }
}
