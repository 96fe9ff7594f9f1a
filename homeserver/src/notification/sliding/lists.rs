//! Which rooms a request looks at: the user's rooms, filtered, most recently active first, cut to the windows; and
//! subscriptions.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::Arc,
};

use ruma::OwnedRoomId;
use serde_json::Value;

use super::{
    answer::Answer,
    filters::Filtering,
    look::Look,
    request::List,
    wanted::{LIMIT_MAX, Rules, Wanted},
};
use crate::{
    messaging::{Ahead, Membership, Room, sync_view},
    notification::{Error, ahead, room},
    storage::{
        Id, Position, account_data,
        rooms::{self, StoredMembership},
    },
};

/// How many changes of a standing are looked through for a join.
const STANDINGS_MAX: usize = 10;

/// Events that make a room's bump stamp rise.
const BUMPING: [&str; 9] = [
    "m.room.message",
    "m.room.encrypted",
    "m.room.create",
    "m.sticker",
    "m.call.invite",
    "m.poll.start",
    "m.beacon_info",
    "org.matrix.msc3381.poll.start",
    "org.matrix.msc3672.beacon_info",
];

/// A room the user has to do with.
#[derive(Debug)]
pub(super) struct Candidate {
    pub room_id: OwnedRoomId,
    pub membership: Arc<StoredMembership>,
    pub standing: Membership,
    /// `None`: only known by an invite.
    pub room: Option<Arc<Room>>,
    pub is_dm: bool,
    /// The newer, the larger.
    pub bump_stamp: i64,
    /// Where the last thing happened in it that concerns the user.
    activity: Position,
}

impl Candidate {
    pub(super) fn is_gone(&self) -> bool {
        is_gone(self.standing)
    }
}

fn is_gone(standing: Membership) -> bool {
    matches!(standing, Membership::Leave | Membership::Ban)
}

/// A room that the request looks at, and what is wanted of it.
#[derive(Debug)]
pub(super) struct Pick<'c> {
    pub candidate: &'c Candidate,
    /// The lists that have it in their windows.
    pub lists: Vec<String>,
    pub is_subscribed: bool,
    pub limit: usize,
    pub rules: Arc<Rules>,
    /// The slots of state that the rules name, where they take no others.
    pub slots: Option<Arc<[Id]>>,
}

/// The rooms of the user that may appear: those they are in, invited to or knocking on, those that somebody took them out
/// of, and those they left that the connection knows.
pub(super) async fn candidates(look: &Look<'_>) -> Result<Vec<Candidate>, Error> {
    if look.request.is_roomless() {
        return Ok(Vec::new());
    }
    let (app, user) = (look.engine.app(), look.requester.user);
    let direct = direct_rooms(look).await?;
    let memberships = look.engine.standings(user).await?;
    let is_unknown_gone = |membership: &Arc<StoredMembership>| {
        Membership::parse(&membership.membership).is_some_and(is_gone)
            && !membership.forgotten
            && !look.base.rooms.contains_key(&membership.room)
    };
    let removals = match memberships.iter().any(is_unknown_gone) {
        true => rooms::list_removals(&app.db, user).await?,
        false => Vec::new(),
    };
    let mut candidates = Vec::new();
    for some in memberships.chunks(ahead::ROOMS_AT_ONCE) {
        ahead::load_joined(look.engine, some.iter().map(AsRef::as_ref), Ahead::Ends).await?;
        for membership in some.iter().cloned() {
            match candidate(look, membership, &removals, &direct).await {
                Ok(found) => candidates.extend(found),
                Err(error) if error.is_passing() => return Err(error),
                Err(error) => tracing::warn!(%error, "a room is left out of a sliding sync"),
            }
        }
    }
    candidates.sort_by_key(|candidate| std::cmp::Reverse(candidate.activity));
    Ok(candidates)
}

async fn candidate(
    look: &Look<'_>,
    membership: Arc<StoredMembership>,
    removals: &[Id],
    direct: &HashSet<String>,
) -> Result<Option<Candidate>, Error> {
    let (Ok(room_id), Some(standing)) = (
        OwnedRoomId::try_from(membership.room_id.as_str()),
        Membership::parse(&membership.membership),
    ) else {
        return Ok(None);
    };
    let is_known = look.base.rooms.contains_key(&membership.room);
    // Whoever follows a room is told that they are out of it, also where they have forgotten it meanwhile.
    let follows =
        look.base.rooms.get(&membership.room).is_some_and(|told| !is_gone(told.membership));
    if membership.position > look.now.position
        || (is_gone(standing) && membership.forgotten && !follows)
        || (is_gone(standing) && !is_known && removals.binary_search(&membership.room).is_err())
    {
        return Ok(None);
    }
    if standing == Membership::Invite
        && room::is_ignored(look.engine, look.wishes.as_deref(), &membership).await?
    {
        return Ok(None);
    }
    let room = look.engine.find_room(&room_id).await?;
    if is_gone(standing) && !is_known && !was_in(look, room.as_deref(), &membership).await? {
        return Ok(None);
    }
    let joined = room.as_deref().filter(|_| standing == Membership::Join);
    let bump_stamp = joined.and_then(|room| bump_stamp(room, look.now.position));
    let activity = joined.map_or(membership.position, |room| room.seen().position);
    Ok(Some(Candidate {
        is_dm: direct.contains(room_id.as_str()),
        bump_stamp: bump_stamp.unwrap_or(membership.position),
        activity: activity.min(look.now.position),
        room_id,
        membership,
        standing,
        room,
    }))
}

/// Whether the user was joined some time before they were taken out.
async fn was_in(
    look: &Look<'_>,
    room: Option<&Room>,
    membership: &StoredMembership,
) -> Result<bool, Error> {
    let Some(room) = room else { return Ok(false) };
    let engine = look.engine;
    let slot = engine.app().db.state_key("m.room.member", look.requester.user_id.as_str()).await?;
    let mut event = membership.event;
    for _ in 0..STANDINGS_MAX {
        let pdu = engine.pdu(room, event).await?;
        let before = engine.state_at(pdu.place.state_before).await?;
        let standing = sync_view::membership_in(engine, room, &before, slot).await?;
        match (standing, before.get(slot)) {
            (Some(Membership::Join), _) => return Ok(true),
            (Some(_), Some(earlier)) => event = earlier,
            _ => return Ok(false),
        }
    }
    Ok(false)
}

/// Whether the user was joined right before the membership event `event`.
pub(super) async fn was_joined_before(
    look: &Look<'_>,
    room: &Room,
    event: Id,
) -> Result<bool, Error> {
    let engine = look.engine;
    let slot = engine.app().db.state_key("m.room.member", look.requester.user_id.as_str()).await?;
    let before = engine.state_at(engine.pdu(room, event).await?.place.state_before).await?;
    let standing = sync_view::membership_in(engine, room, &before, slot).await?;
    Ok(standing == Some(Membership::Join))
}

/// The position of the newest event that makes a room rise, among those in memory.
fn bump_stamp(room: &Room, upto: Position) -> Option<Position> {
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

/// A room before its wishes are joined.
#[derive(Debug, Default)]
struct Picked {
    wanted: Wanted,
    lists: Vec<String>,
    is_subscribed: bool,
}

/// The rooms of the windows and subscriptions, each with all that is wanted of it; and the rooms just left, which may
/// have slipped out of every list. Fills in how long the lists are.
pub(super) async fn select<'c>(
    look: &Look<'_>,
    candidates: &'c [Candidate],
    answer: &mut Answer,
) -> Result<Vec<Pick<'c>>, Error> {
    let mut picked: BTreeMap<usize, Picked> = BTreeMap::new();
    for (name, list) in &*look.request.lists {
        let filtering = Filtering::new(look, &list.filters).await?;
        let mut members = Vec::new();
        for (index, candidate) in candidates.iter().enumerate() {
            if filtering.takes(look, candidate).await? {
                members.push(index);
            }
        }
        answer.lists.insert(name.clone(), members.len());
        for index in window(list, &members) {
            let room = picked.entry(index).or_default();
            room.wanted.join(&list.wanted);
            room.lists.push(name.clone());
        }
    }
    for (index, candidate) in candidates.iter().enumerate() {
        let told = look.base.rooms.get(&candidate.membership.room);
        if let Some(wanted) = look.request.subscriptions.get(&candidate.room_id) {
            let room = picked.entry(index).or_default();
            room.wanted.join(wanted);
            room.is_subscribed = true;
        } else if candidate.is_gone()
            && let Some(told) = told.filter(|told| !is_gone(told.membership))
        {
            let room = picked.entry(index).or_default();
            room.wanted.limit = room.wanted.limit.max(told.limit.min(LIMIT_MAX));
        }
    }
    let mut slots = HashMap::new();
    let mut picks = Vec::with_capacity(picked.len());
    for (index, room) in picked {
        let Some(candidate) = candidates.get(index) else { continue };
        let Picked { wanted: Wanted { limit, state }, lists, is_subscribed } = room;
        let rules = look.state.0.rules.share(state);
        let slots = match slots.get(&rules) {
            Some(known) => Option::<Arc<[Id]>>::clone(known),
            None => {
                let found = named_slots(look, &rules).await?;
                slots.insert(rules.clone(), found.clone());
                found
            }
        };
        picks.push(Pick { candidate, lists, is_subscribed, limit, rules, slots });
    }
    Ok(picks)
}

/// The slots of state that the rules name, where they take no others. What no room ever had is nothing.
async fn named_slots(look: &Look<'_>, rules: &Rules) -> Result<Option<Arc<[Id]>>, Error> {
    let Some(names) = rules.named(look.requester.user_id.as_str()) else { return Ok(None) };
    let mut slots = Vec::with_capacity(names.len());
    for (event_type, state_key) in names {
        slots.extend(look.engine.app().db.find_state_key(event_type, state_key).await?);
    }
    Ok(Some(slots.into()))
}

/// The members within the list's ranges, both ends included, each once; without ranges all of them.
fn window(list: &List, members: &[usize]) -> Vec<usize> {
    let Some(ranges) = &list.ranges else { return members.to_vec() };
    let mut within = Vec::new();
    for (from, to) in ranges {
        let length = to.saturating_add(1).saturating_sub(*from);
        within.extend(members.iter().skip(*from).take(length).copied());
    }
    within.sort_unstable();
    within.dedup();
    within
}

#[cfg(test)]
mod tests {
    use super::{List, window};

    #[test]
    fn windows_take_both_ends_and_no_room_twice() {
        let members = [10, 11, 12, 13];
        let of = |ranges: Option<Vec<(usize, usize)>>| {
            window(&List { ranges, ..List::default() }, &members)
        };
        assert_eq!(of(None), members);
        assert_eq!(of(Some(vec![(0, 1)])), [10, 11]);
        assert_eq!(of(Some(vec![(0, 1), (1, 2), (3, usize::MAX)])), [10, 11, 12, 13]);
        assert_eq!(of(Some(vec![(9, 10)])), [] as [usize; 0]);
    }
}
