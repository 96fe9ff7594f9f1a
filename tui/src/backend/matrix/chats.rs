//! The chat list: one projection of the SDK's rooms, the same over both kinds of sync, sent whole and only when it changed.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use futures_util::StreamExt;
use matrix_sdk::{Room, RoomState, notification_settings::RoomNotificationMode};
use matrix_sdk_ui::timeline::{
    LatestEventValue, LatestEventValueLocalState, Profile, RoomExt, TimelineDetails,
};
use ruma::{
    OwnedRoomId, UserId,
    events::receipt::{ReceiptThread, ReceiptType},
};
use tokio::{sync::broadcast::error::RecvError, time::Instant};

use super::{items, session::Session};
use crate::backend::{Chat, ChatKind, Preview, Report, Ticks};

/// Changes this close together become one report.
const COALESCE: Duration = Duration::from_millis(30);

/// A row and what it is ordered by.
#[derive(Clone, PartialEq)]
struct Row {
    chat: Chat,
    at_ms: u64,
}

#[derive(Default)]
struct Dirty {
    rooms: HashSet<OwnedRoomId>,
    all: bool,
}

impl Dirty {
    fn take_up(&mut self, update: Result<OwnedRoomId, RecvError>) {
        match update {
            Ok(room) => {
                self.rooms.insert(room);
            }
            Err(_) => self.all = true,
        }
    }
}

/// Reports the chat list until the session ends.
pub(super) async fn watch(session: Arc<Session>) {
    let (_, roster) = session.client.rooms_stream();
    let mut roster = std::pin::pin!(roster);
    let mut notable = session.client.room_info_notable_update_receiver();
    let mut pokes = session.pokes.subscribe();
    let mut rows = HashMap::new();
    let mut sent = None;
    let mut dirty = Dirty { all: true, ..Dirty::default() };
    loop {
        refresh(&session, &mut rows, std::mem::take(&mut dirty)).await;
        let list = ordered(&rows);
        if sent.as_ref() != Some(&list) {
            session.reports.send(Report::Chats(list.clone()));
            sent = Some(list);
        }
        let mut until = None;
        loop {
            let window = async {
                match until {
                    Some(until) => tokio::time::sleep_until(until).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                diffs = roster.next() => match diffs {
                    Some(_) => dirty.all = true,
                    None => return,
                },
                update = notable.recv() => {
                    if matches!(update, Err(RecvError::Closed)) { return }
                    dirty.take_up(update.map(|update| update.room_id));
                }
                poke = pokes.recv() => dirty.take_up(poke),
                () = window => break,
            }
            until.get_or_insert_with(|| Instant::now() + COALESCE);
        }
    }
}

async fn refresh(session: &Session, rows: &mut HashMap<OwnedRoomId, Row>, dirty: Dirty) {
    let rooms: Vec<Room> = if dirty.all {
        let rooms = session.client.rooms();
        let known: HashSet<_> = rooms.iter().map(|room| room.room_id().to_owned()).collect();
        rows.retain(|id, _| known.contains(id));
        rooms
    } else {
        dirty.rooms.iter().filter_map(|id| session.client.get_room(id)).collect()
    };
    for room in rooms {
        match row(&room).await {
            Some(row) => {
                rows.insert(room.room_id().to_owned(), row);
            }
            None => {
                rows.remove(room.room_id());
            }
        }
    }
}

/// Pinned first, then the newest; equal ones by name, so that the order is steady.
fn ordered(rows: &HashMap<OwnedRoomId, Row>) -> Vec<Chat> {
    let mut rows: Vec<_> = rows.values().collect();
    rows.sort_by(|a, b| {
        (b.chat.pinned, b.at_ms)
            .cmp(&(a.chat.pinned, a.at_ms))
            .then_with(|| a.chat.name.cmp(&b.chat.name))
            .then_with(|| a.chat.id.cmp(&b.chat.id))
    });
    rows.into_iter().map(|row| row.chat.clone()).collect()
}

/// The row of a joined room or an invitation; `None` for rooms that are over.
async fn row(room: &Room) -> Option<Row> {
    let invited_by = match room.state() {
        RoomState::Joined => None,
        RoomState::Invited => Some(inviter(room).await),
        RoomState::Left | RoomState::Banned | RoomState::Knocked => return None,
    };
    if room.is_tombstoned() && room.successor_room().is_some_and(|next| joined(room, &next.room_id))
    {
        return None;
    }
    let (last, last_at) = preview(room).await;
    let at_ms = match last_at {
        Some(at_ms) => at_ms,
        None => since(room).await,
    };
    let (invited_by, inviter) = match invited_by {
        Some((name, id)) => (Some(name), id),
        None => (None, None),
    };
    let kind = kind(room).await;
    let chat = Chat {
        id: room.room_id().to_string(),
        name: name(room).await,
        topic: room.topic().filter(|topic| !topic.is_empty()),
        kind,
        encrypted: room.encryption_state().is_encrypted(),
        peer: peer(room, kind, inviter.clone()),
        members: room.active_members_count(),
        unread: room.num_unread_messages(),
        mentions: room.num_unread_mentions(),
        muted: room.cached_user_defined_notification_mode() == Some(RoomNotificationMode::Mute),
        pinned: room.is_favourite(),
        invited_by,
        inviter,
        last,
    };
    Some(Row { chat, at_ms })
}

fn joined(room: &Room, other: &ruma::RoomId) -> bool {
    room.client().get_room(other).is_some_and(|next| next.state() == RoomState::Joined)
}

/// Name and id of who invites.
async fn inviter(room: &Room) -> (String, Option<String>) {
    match room.invite_details().await {
        Ok(invite) => {
            let id = invite.inviter_id.to_string();
            (invite.inviter.map_or_else(|| id.clone(), |member| member.name().to_owned()), Some(id))
        }
        Err(_) => ("somebody".to_owned(), None),
    }
}

async fn kind(room: &Room) -> ChatKind {
    if room.is_space() {
        ChatKind::Space
    } else if room.is_direct().await.unwrap_or(false) {
        ChatKind::Direct
    } else {
        ChatKind::Group
    }
}

fn peer(room: &Room, kind: ChatKind, inviter: Option<String>) -> Option<String> {
    if kind != ChatKind::Direct {
        return None;
    }
    let own = room.own_user_id();
    let target = room.direct_targets().into_iter().find(|target| target.as_str() != own.as_str());
    target.map(|target| target.to_string()).or(inviter).or_else(|| {
        room.heroes()
            .into_iter()
            .map(|hero| hero.user_id)
            .find(|user| user != own)
            .map(|user| user.to_string())
    })
}

async fn name(room: &Room) -> String {
    if let Some(name) = room.cached_display_name() {
        return name.to_string();
    }
    match room.display_name().await {
        Ok(name) => name.to_string(),
        Err(_) => room.room_id().to_string(),
    }
}

/// When the user came into the room: what orders a room in which nobody has written.
async fn since(room: &Room) -> u64 {
    let member = room.get_member_no_sync(room.own_user_id()).await.ok().flatten();
    member.and_then(|member| member.event().timestamp()).map_or(0, u64::from)
}

async fn preview(room: &Room) -> (Option<Preview>, Option<u64>) {
    match RoomExt::latest_event(room).await {
        LatestEventValue::None => (None, None),
        LatestEventValue::RemoteInvite { timestamp, .. } => (None, Some(timestamp.get().into())),
        LatestEventValue::Remote { timestamp, sender, is_own, profile, content } => {
            let ticks = if is_own { Some(remote_ticks(room).await) } else { None };
            let at_ms = timestamp.get().into();
            let name = profile_name(&profile, &sender);
            let text = items::summary(&content, &sender, &name);
            (Some(Preview { sender: name, own: is_own, text, at_ms, ticks }), Some(at_ms))
        }
        LatestEventValue::Local { timestamp, sender, profile, content, state } => {
            let ticks = match state {
                LatestEventValueLocalState::IsSending => Ticks::Sending,
                LatestEventValueLocalState::HasBeenSent => Ticks::Sent,
                LatestEventValueLocalState::CannotBeSent => Ticks::Failed,
            };
            let at_ms = timestamp.get().into();
            let name = profile_name(&profile, &sender);
            let text = items::summary(&content, &sender, &name);
            (
                Some(Preview { sender: name, own: true, text, at_ms, ticks: Some(ticks) }),
                Some(at_ms),
            )
        }
    }
}

fn profile_name(profile: &TimelineDetails<Profile>, user: &UserId) -> String {
    match profile {
        TimelineDetails::Ready(profile) => profile.display_name.clone(),
        _ => None,
    }
    .unwrap_or_else(|| user.localpart().to_owned())
}

/// Whether somebody else's receipt stands on the room's newest event.
async fn remote_ticks(room: &Room) -> Ticks {
    let latest = match (**room).latest_event() {
        matrix_sdk::latest_events::LatestEventValue::Remote(event) => event.event_id(),
        _ => None,
    };
    let Some(latest) = latest else { return Ticks::Sent };
    for thread in [ReceiptThread::Unthreaded, ReceiptThread::Main] {
        let receipts =
            room.load_event_receipts(ReceiptType::Read, thread, &latest).await.unwrap_or_default();
        if receipts.iter().any(|(user, _)| user != room.own_user_id()) {
            return Ticks::Read;
        }
    }
    Ticks::Sent
}
