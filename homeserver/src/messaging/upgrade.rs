//! Upgrading a room: a successor of another version with the old room's rules and names, and the old room closed
//! ([spec]). What users keep about a room follows them when they come into its successor.
//!
//! [spec]: https://spec.matrix.org/v1.19/client-server-api/#room-upgrades

use std::sync::Arc;

use ruma::{
    CanonicalJsonObject, CanonicalJsonValue, OwnedRoomId, OwnedUserId, RoomId, RoomVersionId,
    events::TimelineEventType, room_version_rules::RoomVersionRules,
};
use serde_json::json;

use super::{
    Building, Draft, Engine, Error, Membership, Pdu, Room,
    aliases::split_names,
    create_room::{self, State, object},
    power::Power,
};
use crate::{
    account,
    auth::Requester,
    storage::{Id, rooms},
};

/// The state that a successor takes over as it is, in this order; power levels and aliases need a change.
const COPIED: [&str; 8] = [
    "m.room.join_rules",
    "m.room.history_visibility",
    "m.room.guest_access",
    "m.room.encryption",
    "m.room.server_acl",
    "m.room.name",
    "m.room.topic",
    "m.room.avatar",
];
/// Bans, and children of a space, written in one commit.
const PIECE: usize = 200;
/// Most bans or children of a space that are taken over.
const PIECES_MAX: usize = 10_000;

/// Replaces a room by one of another version. Returns the new room's id.
///
/// # Errors
/// [`Error::Forbidden`] for who may not close the room, [`Error::UnsupportedRoomVersion`].
pub async fn upgrade(
    engine: &Engine,
    requester: &Requester,
    room_id: &RoomId,
    version: RoomVersionId,
    additional_creators: Vec<OwnedUserId>,
) -> Result<OwnedRoomId, Error> {
    let rules = create_room::supported(&version)?;
    let not_in = || Error::Forbidden("you are not in this room".to_owned());
    let old = engine.find_room(room_id).await?.ok_or_else(not_in)?;
    if !old.seen().is_joined(requester.user) {
        return Err(not_in());
    }
    // Before anything is made: whether the room may be closed at all.
    Building::begin(engine, &old).await?.checked(tombstone(requester, room_id)?).await?;
    let creators = if rules.authorization.additional_room_creators {
        let mut creators = additional_creators;
        creators.retain(|user_id| *user_id != requester.user_id);
        creators.sort();
        creators.dedup();
        creators
    } else {
        Vec::new()
    };
    let levels = Levels::of(engine, &old, requester, &creators, &rules).await?;
    let content = creation_content(engine, &old, &rules, &creators).await?;
    let state = state(engine, &old, &levels).await?;
    let new =
        create_room::create_exactly(engine, requester, (version, rules), content, state).await?;
    copy_pieces(engine, requester, &old, &new).await?;
    if levels.raised {
        let level =
            Draft::state(requester.user_id.clone(), LEVELS.to_owned(), "", levels.as_they_were);
        add(engine, &new, vec![level]).await?;
    }
    move_names(engine, requester, &old, &new).await?;
    close(engine, requester, &old, &new.room_id).await?;
    Ok(new.room_id.clone())
}

const LEVELS: &str = "m.room.power_levels";

fn tombstone(requester: &Requester, replacement: &RoomId) -> Result<Draft, Error> {
    let content = json!({ "body": "This room has been replaced", "replacement_room": replacement });
    let event_type = TimelineEventType::RoomTombstone;
    Ok(Draft::state(requester.user_id.clone(), event_type, "", object(content)?))
}

async fn content(
    engine: &Engine,
    room: &Room,
    event_type: &str,
) -> Result<Option<CanonicalJsonObject>, Error> {
    let event = engine.state_event(room, event_type, "").await?;
    Ok(event.and_then(|event| event.content_as::<CanonicalJsonObject>()))
}

/// What the successor's create event says: where it comes from, and what can't be changed later.
async fn creation_content(
    engine: &Engine,
    old: &Room,
    rules: &RoomVersionRules,
    creators: &[OwnedUserId],
) -> Result<CanonicalJsonObject, Error> {
    let before = content(engine, old, "m.room.create").await?.unwrap_or_default();
    let mut predecessor = json!({ "room_id": old.room_id });
    // Since version 12 rooms are found by their tombstones.
    if !rules.authorization.room_create_event_id_as_room_id {
        let last = old.seen().recent.back().map(|pdu| pdu.event_id.clone());
        if let (Some(last), Some(predecessor)) = (last, predecessor.as_object_mut()) {
            predecessor.insert("event_id".to_owned(), json!(last));
        }
    }
    let mut content = object(json!({ "predecessor": predecessor }))?;
    for field in ["type", "m.federate"] {
        content.extend(before.get(field).map(|value| (field.to_owned(), value.clone())));
    }
    if !creators.is_empty() {
        let creators = creators.iter().map(|user_id| user_id.to_string().into()).collect();
        content.insert("additional_creators".to_owned(), CanonicalJsonValue::Array(creators));
    }
    Ok(content)
}

/// The successor's power levels.
struct Levels {
    /// As the old room had them, in the form that the new version takes.
    as_they_were: CanonicalJsonObject,
    /// The same, with whoever makes the room strong enough to make it.
    to_begin_with: CanonicalJsonObject,
    /// Whether the two differ for no longer than the making takes.
    raised: bool,
}

impl Levels {
    async fn of(
        engine: &Engine,
        old: &Room,
        requester: &Requester,
        creators: &[OwnedUserId],
        rules: &RoomVersionRules,
    ) -> Result<Self, Error> {
        let before = content(engine, old, LEVELS).await?;
        let mut levels = before.unwrap_or_default();
        levels.values_mut().for_each(to_integers);
        let mut users = match levels.remove("users") {
            Some(CanonicalJsonValue::Object(users)) => users,
            _ => CanonicalJsonObject::new(),
        };
        if rules.authorization.explicitly_privilege_room_creators {
            // Creators stand above all numbers and may have none.
            users.retain(|user, _| {
                *user != requester.user_id.as_str() && !creators.iter().any(|other| other == user)
            });
            levels.insert("users".to_owned(), CanonicalJsonValue::Object(users));
            return Ok(Self { to_begin_with: levels.clone(), as_they_were: levels, raised: false });
        }
        let number = |value: Option<&CanonicalJsonValue>, default: i64| {
            value.and_then(CanonicalJsonValue::as_integer).map_or(default, i64::from)
        };
        let events = levels.get("events").and_then(CanonicalJsonValue::as_object);
        let highest = events.into_iter().flat_map(|events| events.values());
        let needed = highest.map(|level| number(Some(level), 0)).max().unwrap_or(0);
        let needed = needed.max(number(levels.get("state_default"), 50));
        let needed = needed.max(number(levels.get("ban"), 50));
        let own = super::power::of_room(engine, old).await?.of(&requester.user_id);
        let was = match own {
            Power::Level(level) => level,
            // In the old room above all numbers: in the new one above those it has.
            Power::Creator => needed.max(100),
        };
        let as_it_was = |users: &CanonicalJsonObject, level: i64| {
            let mut users = users.clone();
            let level = CanonicalJsonValue::Integer(level.try_into().unwrap_or_default());
            users.insert(requester.user_id.to_string(), level);
            let mut levels = levels.clone();
            levels.insert("users".to_owned(), CanonicalJsonValue::Object(users));
            levels
        };
        let raised = was < needed;
        Ok(Self {
            as_they_were: as_it_was(&users, was),
            to_begin_with: as_it_was(&users, was.max(needed)),
            raised,
        })
    }
}

/// Rooms of before version 10 may have levels in quotes, which later ones refuse.
fn to_integers(value: &mut CanonicalJsonValue) {
    match value {
        CanonicalJsonValue::String(text) => {
            let number = text.trim().parse::<i64>().ok().and_then(|number| number.try_into().ok());
            if let Some(number) = number {
                *value = CanonicalJsonValue::Integer(number);
            }
        }
        CanonicalJsonValue::Object(fields) => fields.values_mut().for_each(to_integers),
        _ => {}
    }
}

/// The successor's first state, without what comes in pieces.
async fn state(engine: &Engine, old: &Room, levels: &Levels) -> Result<Vec<State>, Error> {
    let mut state = vec![(LEVELS.to_owned(), String::new(), levels.to_begin_with.clone())];
    for event_type in COPIED {
        if let Some(content) = content(engine, old, event_type).await? {
            state.push((event_type.to_owned(), String::new(), content));
        }
    }
    Ok(state)
}

/// Bans, and the rooms of a space: there may be very many, so they come in commits of their own.
async fn copy_pieces(
    engine: &Engine,
    requester: &Requester,
    old: &Room,
    new: &Arc<Room>,
) -> Result<(), Error> {
    let (mut ids, slots): (Vec<Id>, Vec<(Id, Id)>) = {
        let seen = old.seen();
        let banned = seen.members.values().filter(|member| member.membership == Membership::Ban);
        let state = seen.state.iter().map(|(slot, event)| (*slot, *event)).collect();
        (banned.map(|member| member.event).collect(), state)
    };
    for (slot, event) in slots {
        if engine.app().db.state_key_name(slot).await?.event_type == "m.space.child" {
            ids.push(event);
        }
    }
    ids.truncate(PIECES_MAX);
    for piece in ids.chunks(PIECE) {
        let events = engine.pdus(old, piece).await?;
        add(engine, new, events.iter().filter_map(|pdu| again(requester, pdu)).collect()).await?;
    }
    Ok(())
}

/// A state event of the old room as one of the requester for the new room.
fn again(requester: &Requester, pdu: &Pdu) -> Option<Draft> {
    let content: CanonicalJsonObject = pdu.content_as()?;
    let state_key = pdu.state_key.clone()?;
    // A child that was taken out of a space says nothing.
    (!content.is_empty()).then(|| {
        Draft::state(requester.user_id.clone(), pdu.event_type.clone(), state_key, content)
    })
}

/// Adds what the room's rules allow, in one commit.
async fn add(engine: &Engine, room: &Arc<Room>, drafts: Vec<Draft>) -> Result<(), Error> {
    let mut building = Building::begin(engine, room).await?;
    let mut added = false;
    for draft in drafts {
        let event_type = draft.event_type.to_string();
        match building.add(draft).await {
            Ok(_) => added = true,
            Err(error @ (Error::Forbidden(_) | Error::BadEvent(_) | Error::TooLarge(_))) => {
                tracing::info!(room.id = %room.room_id, event_type, %error, "an upgrade leaves an event out");
            }
            Err(error) => return Err(error),
        }
    }
    if added {
        building.commit().await?;
    }
    Ok(())
}

/// Moves this server's aliases, and the place in the directory, to the successor.
async fn move_names(
    engine: &Engine,
    requester: &Requester,
    old: &Arc<Room>,
    new: &Arc<Room>,
) -> Result<(), Error> {
    let db = &engine.app().db;
    if rooms::is_in_directory(db, old.id).await? {
        rooms::set_in_directory(db, new.id, true).await?;
        rooms::set_in_directory(db, old.id, false).await?;
    }
    let aliases = rooms::list_aliases(db, old.room_id.as_str()).await?;
    if aliases.is_empty() {
        return Ok(());
    }
    rooms::update_aliases_room(db, old.room_id.as_str(), new.room_id.as_str()).await?;
    let Some(names) = content(engine, old, "m.room.canonical_alias").await? else { return Ok(()) };
    let (moved, kept) = split_names(&names, &aliases);
    let draft = |content| {
        let event_type = TimelineEventType::RoomCanonicalAlias;
        vec![Draft::state(requester.user_id.clone(), event_type, "", content)]
    };
    if !moved.is_empty() {
        add(engine, new, draft(moved)).await?;
        add(engine, old, draft(kept)).await?;
    }
    Ok(())
}

/// Closes the old room: the tombstone, and levels at which only those who run it can talk or invite.
async fn close(
    engine: &Engine,
    requester: &Requester,
    old: &Arc<Room>,
    replacement: &RoomId,
) -> Result<(), Error> {
    let mut building = Building::begin(engine, old).await?;
    building.add(tombstone(requester, replacement)?).await?;
    let standing = building.state_event(LEVELS, "").await?;
    let mut levels = standing.and_then(|pdu| pdu.content_as::<CanonicalJsonObject>());
    if let Some(levels) = levels.as_mut() {
        let default = levels.get("users_default").and_then(CanonicalJsonValue::as_integer);
        let closed = default.map_or(0, i64::from).saturating_add(1).max(50);
        for field in ["events_default", "invite"] {
            let is_lower = levels.get(field).and_then(CanonicalJsonValue::as_integer);
            if is_lower.map_or(0, i64::from) < closed {
                let level = CanonicalJsonValue::Integer(closed.try_into().unwrap_or_default());
                levels.insert(field.to_owned(), level);
            }
        }
    }
    if let Some(levels) = levels {
        let draft = Draft::state(requester.user_id.clone(), LEVELS.to_owned(), "", levels);
        match building.add(draft).await {
            Ok(_) | Err(Error::Forbidden(_)) => {}
            Err(error) => return Err(error),
        }
    }
    building.commit().await?;
    Ok(())
}

/// The room that the one with this `m.room.create` says was before it.
pub(super) fn predecessor(create: &Pdu) -> Option<OwnedRoomId> {
    #[derive(serde::Deserialize)]
    struct Create {
        predecessor: Option<Predecessor>,
    }
    #[derive(serde::Deserialize)]
    struct Predecessor {
        room_id: OwnedRoomId,
    }
    let before = create.content_as::<Create>()?.predecessor?;
    Some(before.room_id)
}

/// The room that `room` says was before it, if its create event can be read.
pub(super) async fn predecessor_of(engine: &Engine, room: &Room) -> Option<OwnedRoomId> {
    match engine.state_event(room, "m.room.create", "").await {
        Ok(create) => predecessor(&*create?),
        Err(error) => {
            not_followed(&room.room_id, &error);
            None
        }
    }
}

/// Takes what `user` keeps about the room before this one over to it: push rules, tags, and whether it is a direct chat.
pub(super) async fn follow(engine: &Engine, user: Id, room: &Room) {
    let before = predecessor_of(engine, room).await;
    follow_from(engine, user, before, &room.room_id).await;
}

/// As [`follow`], where the room before is known.
pub(super) async fn follow_from(
    engine: &Engine,
    user: Id,
    before: Option<OwnedRoomId>,
    room_id: &RoomId,
) {
    let Some(before) = before.filter(|before| before != room_id) else { return };
    if let Err(error) = try_follow(engine, user, &before, room_id).await {
        not_followed(room_id, &error);
    }
}

fn not_followed(room_id: &RoomId, error: &Error) {
    tracing::warn!(room.id = %room_id, %error, "a user's settings did not follow an upgrade");
}

/// Only from a room they know, since anybody may name any room as the one before.
async fn try_follow(
    engine: &Engine,
    user: Id,
    before: &RoomId,
    room_id: &RoomId,
) -> Result<(), Error> {
    let db = &engine.app().db;
    let Some(stored) = rooms::find_room(db, before.as_str()).await? else { return Ok(()) };
    if rooms::find_membership(db, user, stored.id).await?.is_some() {
        account::follow_upgrade(engine.app(), user, before.as_str(), room_id.as_str()).await?;
    }
    Ok(())
}
