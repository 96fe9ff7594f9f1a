//! What this server answers as one that is in the room: templates and acceptance of other servers' joins, leaves and
//! knocks. Spec: <https://spec.matrix.org/v1.19/server-server-api/#joining-rooms>.

use std::sync::Arc;

use ruma::{
    CanonicalJsonObject, OwnedEventId, OwnedUserId, RoomId, RoomVersionId, ServerName, UserId,
    events::TimelineEventType,
};
use serde_json::value::RawValue;

use super::{
    Building, Draft, Engine, Error, Membership, Pdu, Room, acl, build, federation_reads, funnel,
    power, stripped,
};
use crate::storage::events;

/// A room with users of ours in it that `origin` may deal with.
async fn resident_room(
    engine: &Engine,
    origin: &ServerName,
    room_id: &RoomId,
) -> Result<Arc<Room>, Error> {
    let room = engine.room(room_id).await?;
    if !room.is_resident() {
        return Err(Error::RoomNotFound);
    }
    if !acl::allows(engine, &room, origin).await? {
        return Err(Error::Forbidden("your server is denied in this room".to_owned()));
    }
    Ok(room)
}

/// An unsigned membership event for `user_id` that its server can finish; and the room's version.
pub async fn template(
    engine: &Engine,
    origin: &ServerName,
    room_id: &RoomId,
    user_id: &UserId,
    membership: Membership,
    versions: Option<&[RoomVersionId]>,
) -> Result<(RoomVersionId, Box<RawValue>), Error> {
    let room = resident_room(engine, origin, room_id).await?;
    if user_id.server_name() != origin {
        return Err(Error::Forbidden("that user is not your server's".to_owned()));
    }
    if versions.is_some_and(|versions| !versions.contains(&room.version)) {
        return Err(Error::IncompatibleRoomVersion(room.version.clone()));
    }
    let mut content =
        CanonicalJsonObject::from([("membership".to_owned(), membership.as_str().into())]);
    if membership == Membership::Join
        && let Some(authoriser) = authoriser(engine, &room, user_id).await?
    {
        content
            .insert("join_authorised_via_users_server".to_owned(), authoriser.to_string().into());
    }
    let draft =
        Draft::state(user_id.to_owned(), TimelineEventType::RoomMember, user_id.as_str(), content);
    let building = Building::begin(engine, &room).await?;
    let pdu = building.checked(draft).await?;
    // The signature we made while checking is not ours to give away.
    let mut object: CanonicalJsonObject =
        serde_json::from_slice(&pdu.json).map_err(Error::bad_event)?;
    object.remove("signatures");
    object.remove("hashes");
    let json = serde_json::to_string(&object).map_err(Error::bad_event)?;
    Ok((room.version.clone(), RawValue::from_string(json).map_err(Error::bad_event)?))
}

/// Who of ours vouches for a restricted join of `user_id`; `None` when none is needed.
async fn authoriser(
    engine: &Engine,
    room: &Room,
    user_id: &UserId,
) -> Result<Option<OwnedUserId>, Error> {
    let user = engine.app().db.find_user(user_id.as_str()).await?;
    let standing = user.and_then(|user| room.seen().membership(user));
    if matches!(standing, Some(Membership::Invite | Membership::Join)) {
        return Ok(None);
    }
    let Some(allowed) = super::membership::restricted_rooms(engine, room).await? else {
        return Ok(None);
    };
    let (mut in_one, mut all_known) = (false, true);
    for room_id in allowed {
        let other = engine.find_room(&room_id).await?;
        let other = other.filter(|other| other.is_resident());
        all_known &= other.is_some();
        if let (Some(other), Some(user)) = (other, user) {
            in_one |= other.seen().is_joined(user);
        }
    }
    if !in_one && all_known {
        return Err(Error::Forbidden(
            "that user is in none of the rooms whose members may join".to_owned(),
        ));
    }
    if !in_one {
        return Err(Error::UnableToAuthoriseJoin);
    }
    let levels = power::of_room(engine, room).await?;
    let seen = room.seen();
    let members = seen.local_joined.iter().filter_map(|user| seen.members.get(user));
    let found =
        members.map(|member| member.user_id.clone()).find(|user_id| levels.may_invite(user_id));
    found.map(Some).ok_or(Error::UnableToGrantJoin)
}

/// What an accepted join is answered with.
#[derive(Debug)]
pub struct Joined {
    /// The state before the join, and everything that authorises it.
    pub state: Vec<Arc<Pdu>>,
    pub auth_chain: Vec<Arc<Pdu>>,
    /// The join as stored, with our signature where one was needed.
    pub event: Box<RawValue>,
}

/// Takes a membership event that another server finished: a join, leave or knock of its own user.
async fn accept(
    engine: &Engine,
    origin: &ServerName,
    room: &Arc<Room>,
    event_id: &OwnedEventId,
    json: &RawValue,
    membership: Membership,
) -> Result<(), Error> {
    let app = engine.app();
    let mut object: CanonicalJsonObject =
        serde_json::from_str(json.get()).map_err(Error::bad_event)?;
    if let Some(authoriser) = vouched(&object)
        && app.is_ours(authoriser.server_name())
        && object.get("room_id").and_then(|id| id.as_str()) == Some(room.room_id.as_str())
        && membership == Membership::Join
    {
        // Ours to sign by the rules of restricted joins, and only after they were checked.
        self::authoriser(engine, room, &sender(&object)?).await?;
        app.signing
            .sign_event(&app.server_name, &mut object, &room.rules)
            .map_err(Error::bad_event)?;
    }
    let verified = funnel::verify(app, object, &room.rules).await?;
    let pdu = verified.pdu();
    let sound = pdu.event_id == *event_id
        && pdu.room_id == room.room_id
        && pdu.sender.server_name() == origin
        && pdu.event_type == TimelineEventType::RoomMember
        && pdu.state_key.as_deref() == Some(pdu.sender.as_str())
        && build::standing(pdu) == Some(membership);
    if !sound {
        return Err(Error::BadEvent(format!(
            "not a {} of your server's user in this room",
            membership.as_str()
        )));
    }
    // The server that finished it sends it to nobody: we do, as one of the room.
    match funnel::append(engine, room, verified, events::LOCAL).await? {
        funnel::Verdict::Accepted => Ok(()),
        funnel::Verdict::Rejected(reason) | funnel::Verdict::SoftFailed(reason) => {
            Err(Error::Forbidden(reason))
        }
    }
}

fn vouched(object: &CanonicalJsonObject) -> Option<OwnedUserId> {
    let content = object.get("content")?.as_object()?;
    content.get("join_authorised_via_users_server")?.as_str()?.try_into().ok()
}

fn sender(object: &CanonicalJsonObject) -> Result<OwnedUserId, Error> {
    let sender = object.get("sender").and_then(|sender| sender.as_str()).unwrap_or_default();
    sender.try_into().map_err(Error::bad_event)
}

/// Takes a finished join and answers with the room.
pub async fn accept_join(
    engine: &Engine,
    origin: &ServerName,
    room_id: &RoomId,
    event_id: &OwnedEventId,
    json: &RawValue,
) -> Result<Joined, Error> {
    let room = resident_room(engine, origin, room_id).await?;
    accept(engine, origin, &room, event_id, json, Membership::Join).await?;
    let join = engine.find_pdu(&room, event_id).await?.ok_or(Error::EventNotFound)?;
    let (state, auth_chain) = federation_reads::state_before(engine, &room, &join).await?;
    let event = serde_json::from_slice(&join.json).map_err(Error::bad_event)?;
    Ok(Joined { state, auth_chain, event })
}

/// Takes a finished leave.
pub async fn accept_leave(
    engine: &Engine,
    origin: &ServerName,
    room_id: &RoomId,
    event_id: &OwnedEventId,
    json: &RawValue,
) -> Result<(), Error> {
    let room = resident_room(engine, origin, room_id).await?;
    accept(engine, origin, &room, event_id, json, Membership::Leave).await
}

/// Takes a finished knock and answers with what outsiders are shown.
pub async fn accept_knock(
    engine: &Engine,
    origin: &ServerName,
    room_id: &RoomId,
    event_id: &OwnedEventId,
    json: &RawValue,
) -> Result<Vec<Arc<Pdu>>, Error> {
    let room = resident_room(engine, origin, room_id).await?;
    accept(engine, origin, &room, event_id, json, Membership::Knock).await?;
    stripped::events(engine, &room, None).await
}
