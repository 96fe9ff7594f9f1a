//! Which rooms a request looks at: the user's rooms, filtered, newest first, cut to the windows; and subscriptions.

use std::{
    collections::{BTreeMap, HashSet},
    hash::{DefaultHasher, Hash, Hasher},
    sync::Arc,
};

use ruma::{
    OwnedRoomId, UInt,
    api::client::sync::sync_events::v5::request::{List as ListRequest, ListFilters},
    directory::RoomTypeFilter,
    events::StateEventType,
};
use serde_json::Value;

use super::{Look, Response, response::List};
use crate::{
    messaging::{Membership, Room},
    notification::Error,
    storage::{
        account_data,
        rooms::{self, StoredMembership},
    },
};

/// Most timeline events a room may have in an answer.
const LIMIT_MAX: usize = 100;

/// Events that make a room rise in the lists.
const BUMPING: [&str; 7] = [
    "m.room.message",
    "m.room.encrypted",
    "m.room.create",
    "m.sticker",
    "m.call.invite",
    "m.poll.start",
    "org.matrix.msc3381.poll.start",
];

/// A room the user has to do with.
#[derive(Debug)]
pub(super) struct Candidate {
    pub room_id: OwnedRoomId,
    pub membership: StoredMembership,
    pub standing: Membership,
    /// `None`: only known by an invite.
    pub room: Option<Arc<Room>>,
    pub is_dm: bool,
    /// The newer, the larger.
    pub bump_stamp: i64,
}

/// What is wanted of a room.
#[derive(Debug, Clone, Default)]
pub(super) struct Config {
    pub limit: usize,
    /// Event type and state key; `*`, `$ME` and `$LAZY` have their meanings.
    pub state: BTreeMap<String, HashSet<String>>,
}

impl Config {
    fn add(&mut self, required: &[(StateEventType, String)], limit: UInt) {
        self.limit = self.limit.max(usize::try_from(limit).unwrap_or(LIMIT_MAX).min(LIMIT_MAX));
        for (event_type, state_key) in required {
            self.state.entry(event_type.to_string()).or_default().insert(state_key.clone());
        }
    }

    /// A number that differs where the wanted state does.
    pub(super) fn digest(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        for (event_type, keys) in &self.state {
            let mut keys: Vec<&String> = keys.iter().collect();
            keys.sort_unstable();
            (event_type, keys).hash(&mut hasher);
        }
        hasher.finish()
    }
}

/// The rooms of the user that may appear: those they are in, invited to or knocking on, and those they left that the
/// connection knows.
pub(super) async fn candidates(look: &Look<'_>) -> Result<Vec<Candidate>, Error> {
    if look.request.lists.is_empty() && look.request.room_subscriptions.is_empty() {
        return Ok(Vec::new());
    }
    let (app, user) = (look.engine.app(), look.requester.user);
    let direct = direct_rooms(look).await?;
    let mut candidates = Vec::new();
    for membership in rooms::list_memberships(&app.db, user).await? {
        let (Ok(room_id), Some(standing)) = (
            OwnedRoomId::try_from(membership.room_id.as_str()),
            Membership::parse(&membership.membership),
        ) else {
            continue;
        };
        let is_gone = matches!(standing, Membership::Leave | Membership::Ban);
        let told = look.told.get(&membership.room);
        if membership.position > look.now.position
            || (is_gone && told.is_none_or(|told| told.membership == standing))
        {
            continue;
        }
        let room = match look.engine.find_room(&room_id).await {
            Ok(room) => room,
            Err(error) => {
                let error = Error::from(error);
                if error.is_passing() {
                    return Err(error);
                }
                tracing::warn!(%room_id, %error, "a room is left out of a sliding sync");
                continue;
            }
        };
        let bump_stamp = room
            .as_deref()
            .filter(|_| standing == Membership::Join)
            .and_then(|room| bump_stamp(room, look.now.position))
            .unwrap_or(membership.position);
        let is_dm = direct.contains(room_id.as_str());
        candidates.push(Candidate { room_id, membership, standing, room, is_dm, bump_stamp });
    }
    candidates.sort_by_key(|candidate| std::cmp::Reverse(candidate.bump_stamp));
    Ok(candidates)
}

/// The position of the newest event that makes a room rise, among those in memory.
fn bump_stamp(room: &Room, upto: i64) -> Option<i64> {
    let seen = room.seen();
    seen.recent
        .iter()
        .rev()
        .filter(|pdu| BUMPING.contains(&pdu.event_type.to_string().as_str()))
        .filter_map(|pdu| pdu.place.position)
        .find(|position| *position <= upto)
}

/// The rooms that `m.direct` names.
async fn direct_rooms(look: &Look<'_>) -> Result<HashSet<String>, Error> {
    let (db, user) = (look.engine.app().db.read(), look.requester.user);
    let Some(content) = account_data::find_account_data(db, user, "", "m.direct").await? else {
        return Ok(HashSet::new());
    };
    // The client wrote it: what does not read names no rooms.
    let content: BTreeMap<String, Value> = serde_json::from_str(&content).unwrap_or_default();
    let rooms = content.values().filter_map(Value::as_array).flatten();
    Ok(rooms.filter_map(Value::as_str).map(str::to_owned).collect())
}

/// The rooms of the windows and subscriptions, each with all that is wanted of it; and the rooms just left. Fills in
/// how long the lists are.
pub(super) async fn select<'c>(
    look: &Look<'_>,
    candidates: &'c [Candidate],
    response: &mut Response,
) -> Result<Vec<(&'c Candidate, Config)>, Error> {
    let mut wanted: BTreeMap<usize, Config> = BTreeMap::new();
    let is_gone =
        |candidate: &Candidate| matches!(candidate.standing, Membership::Leave | Membership::Ban);
    for (name, list) in &look.request.lists {
        let mut members = Vec::new();
        for (index, candidate) in candidates.iter().enumerate() {
            if !is_gone(candidate) && passes(look, candidate, list.filters.as_ref()).await? {
                members.push(index);
            }
        }
        response.lists.insert(name.clone(), List { count: members.len() });
        for index in window(list, &members) {
            let details = &list.room_details;
            wanted.entry(index).or_default().add(&details.required_state, details.timeline_limit);
        }
    }
    for (index, candidate) in candidates.iter().enumerate() {
        if let Some(subscription) = look.request.room_subscriptions.get(&candidate.room_id) {
            let config = wanted.entry(index).or_default();
            config.add(&subscription.required_state, subscription.timeline_limit);
        } else if is_gone(candidate) {
            wanted.entry(index).or_default().limit = LIMIT_MAX;
        }
    }
    let pick = |(index, config)| candidates.get(index).map(|candidate| (candidate, config));
    Ok(wanted.into_iter().filter_map(pick).collect())
}

/// The members within the list's ranges, both ends included; without ranges all of them.
fn window(list: &ListRequest, members: &[usize]) -> Vec<usize> {
    if list.ranges.is_empty() {
        return members.to_vec();
    }
    let mut within = Vec::new();
    for (from, to) in &list.ranges {
        let (Ok(from), Ok(to)) = (usize::try_from(*from), usize::try_from(*to)) else { continue };
        let length = to.saturating_add(1).saturating_sub(from);
        within.extend(members.iter().skip(from).take(length).copied());
    }
    within
}

/// Whether a list's filters take the room.
async fn passes(
    look: &Look<'_>,
    candidate: &Candidate,
    filters: Option<&ListFilters>,
) -> Result<bool, Error> {
    let Some(filters) = filters else { return Ok(true) };
    if filters.is_dm.is_some_and(|wanted| wanted != candidate.is_dm) {
        return Ok(false);
    }
    let is_invite = candidate.standing == Membership::Invite;
    if filters.is_invite.is_some_and(|wanted| wanted != is_invite) {
        return Ok(false);
    }
    if let Some(wanted) = filters.is_encrypted
        && wanted != content(look, candidate, "m.room.encryption").await?.is_some()
    {
        return Ok(false);
    }
    if filters.room_types.is_empty() && filters.not_room_types.is_empty() {
        return Ok(true);
    }
    let create = content(look, candidate, "m.room.create").await?;
    let room_type = create.as_ref().and_then(|content| content.get("type")?.as_str());
    let names = |types: &[RoomTypeFilter]| types.iter().any(|one| one.as_str() == room_type);
    let is_wanted = filters.room_types.is_empty() || names(&filters.room_types);
    Ok(is_wanted && !names(&filters.not_room_types))
}

/// The content of a state event without a key, from the room or from what an invite shows of it.
async fn content(
    look: &Look<'_>,
    candidate: &Candidate,
    event_type: &str,
) -> Result<Option<Value>, Error> {
    if let Some(room) = &candidate.room {
        let event = look.engine.state_event(room, event_type, "").await?;
        return Ok(event.and_then(|event| event.content_as()));
    }
    let stripped = candidate.membership.stripped_state.as_deref().unwrap_or(b"[]");
    let events: Vec<Value> = serde_json::from_slice(stripped).unwrap_or_default();
    let named = |event: &&Value| event.get("type").and_then(Value::as_str) == Some(event_type);
    Ok(events.iter().find(named).and_then(|event| event.get("content").cloned()))
}
