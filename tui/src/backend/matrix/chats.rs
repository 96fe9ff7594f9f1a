//! The chat list: one projection of the SDK's rooms, the same over both kinds of sync, sent whole and only when it changed.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use futures_util::StreamExt;
use matrix_sdk::{
    BaseRoom, Room, RoomState,
    deserialized_responses::{RawSyncOrStrippedState, SyncOrStrippedState},
};
use matrix_sdk_ui::{
    eyeball_im::VectorDiff,
    timeline::{LatestEventValue, LatestEventValueLocalState, Profile, RoomExt, TimelineDetails},
};
use ruma::{
    OwnedRoomId, UserId,
    events::{
        MessageLikeEventType, SyncStateEvent,
        receipt::{ReceiptThread, ReceiptType},
        space::child::SpaceChildEventContent,
    },
};
use tokio::{sync::broadcast::error::RecvError, time::Instant};

use super::{arrange, items, link_previews, session::Session};
use crate::backend::{AccountId, Chat, ChatKind, NotifyLevel, Preview, Report, Ticks};

/// Changes this close together become one report.
const COALESCE: Duration = Duration::from_millis(30);

/// A row and what it is ordered by.
#[derive(Clone, PartialEq)]
struct Row {
    /// The same as long as nothing about it changed, for whoever looks at all of them.
    chat: Arc<Chat>,
    at_ms: u64,
    /// Where it stands among the pinned ones.
    place: Option<f64>,
    /// The rooms of a space.
    children: Vec<String>,
}

impl Row {
    /// With the ids that the account's rooms have outside of it.
    fn outside(mut self, account: AccountId) -> Self {
        let chat = Arc::make_mut(&mut self.chat);
        for id in self.children.iter_mut().chain([&mut chat.id]) {
            *id = account.chat(id);
        }
        self
    }
}

#[derive(Default)]
struct Dirty {
    rooms: HashSet<OwnedRoomId>,
    all: bool,
}

impl Dirty {
    /// A room that has only changed is no reason to look at all the others.
    fn look_at(&mut self, diffs: Vec<VectorDiff<Room>>) {
        for diff in diffs {
            match diff {
                VectorDiff::Set { value: room, .. }
                | VectorDiff::Insert { value: room, .. }
                | VectorDiff::PushBack { value: room }
                | VectorDiff::PushFront { value: room } => {
                    self.rooms.insert(room.room_id().to_owned());
                }
                VectorDiff::Append { values } => {
                    self.rooms.extend(values.iter().map(|room| room.room_id().to_owned()));
                }
                VectorDiff::Clear
                | VectorDiff::PopFront
                | VectorDiff::PopBack
                | VectorDiff::Remove { .. }
                | VectorDiff::Truncate { .. }
                | VectorDiff::Reset { .. } => self.all = true,
            }
        }
    }

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
    let mut sent: Option<Vec<Arc<Chat>>> = None;
    let mut dirty = Dirty { all: true, ..Dirty::default() };
    loop {
        refresh(&session, &mut rows, std::mem::take(&mut dirty)).await;
        let list = ordered(&mut rows);
        if !sent.as_ref().is_some_and(|sent| is_same(sent, &list)) {
            session.reports.send_outside(Report::Chats(list.clone()));
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
                    Some(diffs) => dirty.look_at(diffs),
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
                let row = row.outside(session.reports.account());
                put(rows, room.room_id().to_owned(), row);
            }
            None => {
                rows.remove(room.room_id());
            }
        }
    }
}

/// A row that is as it was stays what it was.
fn put(rows: &mut HashMap<OwnedRoomId, Row>, id: OwnedRoomId, mut row: Row) {
    if let Some(before) = rows.get(&id) {
        // The spaces come of other rows.
        Arc::make_mut(&mut row.chat).spaces.clone_from(&before.chat.spaces);
        if *before == row {
            return;
        }
    }
    rows.insert(id, row);
}

fn is_same(one: &[Arc<Chat>], other: &[Arc<Chat>]) -> bool {
    one.len() == other.len() && one.iter().zip(other).all(|(one, other)| Arc::ptr_eq(one, other))
}

/// Pinned first, then the newest; equal ones by name, so that the order is steady.
fn ordered(rows: &mut HashMap<OwnedRoomId, Row>) -> Vec<Arc<Chat>> {
    let mut spaces: HashMap<String, Vec<String>> = HashMap::new();
    for row in rows.values() {
        for child in &row.children {
            spaces.entry(child.clone()).or_default().push(row.chat.id.clone());
        }
    }
    for row in rows.values_mut() {
        let mut within = spaces.remove(&row.chat.id).unwrap_or_default();
        within.sort();
        if row.chat.spaces != within {
            Arc::make_mut(&mut row.chat).spaces = within;
        }
    }
    let mut rows: Vec<&Row> = rows.values().collect();
    let place = |row: &Row| if row.chat.pinned { row.place.unwrap_or(1.0) } else { f64::INFINITY };
    rows.sort_by(|a, b| {
        place(a)
            .total_cmp(&place(b))
            .then_with(|| b.at_ms.cmp(&a.at_ms))
            .then_with(|| a.chat.name.cmp(&b.chat.name))
            .then_with(|| a.chat.id.cmp(&b.chat.id))
    });
    rows.into_iter().map(|row| row.chat.clone()).collect()
}

/// The rooms that a space lists; one that was taken out again has no servers to join through.
async fn children(room: &Room) -> Vec<String> {
    let events = room.get_state_events_static::<SpaceChildEventContent>().await;
    let events = events.unwrap_or_default().into_iter();
    let child = |raw: RawSyncOrStrippedState<SpaceChildEventContent>| match raw.deserialize() {
        Ok(SyncOrStrippedState::Sync(SyncStateEvent::Original(event)))
            if !event.content.via.is_empty() =>
        {
            Some(event.state_key.to_string())
        }
        _ => None,
    };
    let mut children: Vec<String> = events.filter_map(child).collect();
    children.sort();
    children
}

/// The row of a joined room or an invitation; `None` for rooms that are over.
async fn row(room: &Room) -> Option<Row> {
    let invited_by = match room.state() {
        RoomState::Joined => None,
        RoomState::Invited => Some(inviter(room).await),
        RoomState::Knocked => None,
        RoomState::Left | RoomState::Banned => return None,
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
    let notify = arrange::level(room).await;
    let (unread, mentions) = unread(room);
    let chat = Chat {
        id: room.room_id().to_string(),
        name: name(room),
        topic: room.topic().filter(|topic| !topic.is_empty()),
        alias: room.canonical_alias().map(|alias| alias.to_string()),
        kind,
        encrypted: room.encryption_state().is_encrypted(),
        peer: peer(room, kind, inviter.clone()),
        members: room.active_members_count(),
        unread,
        mentions,
        muted: notify == Some(NotifyLevel::Nothing),
        notify,
        no_previews: link_previews::are_off(room).await,
        marked_unread: room.is_marked_unread(),
        pinned: room.is_favourite(),
        archived: room.is_low_priority(),
        read_only: !may_write(room).await,
        spaces: Vec::new(),
        knocked: room.state() == RoomState::Knocked,
        invited_by,
        inviter,
        last,
    };
    let place = if chat.pinned { arrange::place_of(room).await } else { None };
    let children = if kind == ChatKind::Space { children(room).await } else { Vec::new() };
    Some(Row { chat: Arc::new(chat), at_ms, place, children })
}

/// Unread messages, and mentions among them. What is counted here misses those that a short sync left out; the server's count
/// misses what is muted, and may be behind once something was read.
fn unread(room: &Room) -> (u64, u64) {
    let (messages, mentions) = (room.num_unread_messages(), room.num_unread_mentions());
    if messages == 0 {
        return (0, mentions);
    }
    let server = room.unread_notification_counts();
    (messages.max(server.notification_count), mentions.max(server.highlight_count))
}

/// Whether the user may write there; where nothing is known, it is tried.
async fn may_write(room: &Room) -> bool {
    match room.power_levels().await {
        Ok(levels) if room.state() == RoomState::Joined => {
            levels.user_can_send_message(room.own_user_id(), MessageLikeEventType::RoomMessage)
        }
        _ => true,
    }
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

/// The room's name as the last sync left it. Before the first one ended it is put together from what is known by then, and not by
/// [`BaseRoom::display_name`], which would keep what it finds: a sync that goes on meanwhile has the better name, and would be the one
/// that is overwritten.
pub(super) fn name(room: &Room) -> String {
    let name = room.cached_display_name().unwrap_or_else(|| {
        BaseRoom::compute_display_name_with_fields(
            room.name(),
            room.canonical_alias().as_deref(),
            room.heroes(),
            room.joined_members_count(),
        )
    });
    name.to_string()
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
        LatestEventValue::Remote { timestamp, sender, .. }
            if room.client().is_user_ignored(&sender).await =>
        {
            (None, Some(timestamp.get().into()))
        }
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
