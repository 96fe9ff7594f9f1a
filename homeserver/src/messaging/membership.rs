//! Joining, inviting, leaving, knocking, kicking and banning, for users of this server.
//!
//! Where the room is here, the event is made here; where it is elsewhere, `remote` asks a server that is in it.

use std::{collections::BTreeSet, sync::Arc};

use ruma::{
    CanonicalJsonObject, CanonicalJsonValue, OwnedRoomId, OwnedServerName, OwnedUserId, RoomId,
    UserId, events::TimelineEventType,
};

use super::{
    Building, Draft, Engine, Error, Room, introduction, invite_permission, power, remote,
    room::Membership, upgrade,
};
use crate::{auth::Requester, storage::rooms};

/// The content of a join: the profile of today.
pub(super) async fn join_content(
    engine: &Engine,
    user_id: &UserId,
) -> Result<CanonicalJsonObject, Error> {
    profile_content(engine, user_id, Membership::Join).await
}

/// A membership content with the user's profile in it.
pub(super) async fn profile_content(
    engine: &Engine,
    user_id: &UserId,
    membership: Membership,
) -> Result<CanonicalJsonObject, Error> {
    let mut content = plain_content(membership);
    for (field, value) in crate::account::member_profile(engine.app(), user_id).await? {
        content.insert(field, value.into());
    }
    Ok(content)
}

fn plain_content(membership: Membership) -> CanonicalJsonObject {
    CanonicalJsonObject::from([("membership".to_owned(), membership.as_str().into())])
}

fn with_reason(mut content: CanonicalJsonObject, reason: Option<String>) -> CanonicalJsonObject {
    if let Some(reason) = reason {
        content.insert("reason".to_owned(), reason.into());
    }
    content
}

fn member_draft(sender: &UserId, target: &UserId, content: CanonicalJsonObject) -> Draft {
    Draft::state(sender.to_owned(), TimelineEventType::RoomMember, target.as_str(), content)
}

/// Sends a membership event into a room that is here.
async fn send(engine: &Engine, room: &Arc<Room>, draft: Draft) -> Result<(), Error> {
    let mut building = Building::begin(engine, room).await?;
    building.add(draft).await?;
    building.commit().await?;
    Ok(())
}

/// Joins the requester to a room; `via` are servers that may know it, `extra` goes into the event beside what it must say.
/// Joining again changes nothing. What the user keeps about the room before it, where there is one, follows them.
pub async fn join(
    engine: &Engine,
    requester: &Requester,
    room_id: &RoomId,
    via: &[OwnedServerName],
    extra: CanonicalJsonObject,
) -> Result<(), Error> {
    let known = engine.find_room(room_id).await?;
    if known.as_ref().is_some_and(|room| room.seen().is_joined(requester.user)) {
        return Ok(());
    }
    let Some(entered) = enter(engine, requester, (room_id, known), via, extra).await? else {
        return Ok(());
    };
    introduction::introduce(engine, requester.user, room_id, entered.others);
    upgrade::follow_from(engine, requester.user, entered.predecessor, room_id).await;
    Ok(())
}

/// What is to be known of a room that somebody has come into.
pub(super) struct Entered {
    /// The other servers in it.
    pub others: BTreeSet<OwnedServerName>,
    /// The room before it.
    pub predecessor: Option<OwnedRoomId>,
}

impl Entered {
    async fn of(engine: &Engine, room: &Room) -> Self {
        let others = introduction::other_servers(engine, room);
        Self { others, predecessor: upgrade::predecessor_of(engine, room).await }
    }
}

/// Brings the requester into the room. `None`: they were in it by then.
async fn enter(
    engine: &Engine,
    requester: &Requester,
    (room_id, known): (&RoomId, Option<Arc<Room>>),
    via: &[OwnedServerName],
    extra: CanonicalJsonObject,
) -> Result<Option<Entered>, Error> {
    let user_id = &requester.user_id;
    let mut content = extra;
    // These say what the server knows, whatever a client writes.
    for field in ["displayname", "avatar_url", "join_authorised_via_users_server"] {
        content.remove(field);
    }
    content.extend(join_content(engine, user_id).await?);
    let room = match known.filter(|room| room.is_resident()) {
        Some(room) => room,
        None => {
            let _turn = engine.joining(room_id).await;
            match engine.find_resident(room_id).await? {
                // They have asked twice.
                Some(room) if room.seen().is_joined(requester.user) => return Ok(None),
                // Somebody else of ours has just brought it.
                Some(room) => room,
                None => {
                    let entered = remote::join(engine, requester, room_id, via, content).await?;
                    return Ok(Some(entered));
                }
            }
        }
    };
    match restricted_voucher(engine, &room, requester).await? {
        Voucher::NotNeeded => {}
        Voucher::Ours(authoriser) => {
            let authoriser = CanonicalJsonValue::String(authoriser.to_string());
            content.insert("join_authorised_via_users_server".to_owned(), authoriser);
        }
        Voucher::Elsewhere(servers) => {
            remote::join_through(engine, requester, &room, &servers, content).await?;
            return Ok(Some(Entered::of(engine, &room).await));
        }
    }
    send(engine, &room, member_draft(user_id, user_id, content)).await?;
    Ok(Some(Entered::of(engine, &room).await))
}

/// Who vouches for a join of a restricted room.
enum Voucher {
    NotNeeded,
    Ours(OwnedUserId),
    /// None of ours may: servers of users who may.
    Elsewhere(Vec<OwnedServerName>),
}

/// For a restricted room that the user was not invited to: who of the members vouches for the join.
async fn restricted_voucher(
    engine: &Engine,
    room: &Room,
    requester: &Requester,
) -> Result<Voucher, Error> {
    if room.seen().membership(requester.user) == Some(Membership::Invite) {
        return Ok(Voucher::NotNeeded);
    }
    let Some(rooms) = restricted_rooms(engine, room).await? else { return Ok(Voucher::NotNeeded) };
    let mut allowed = false;
    for room_id in rooms {
        if let Some(other) = engine.find_room(&room_id).await? {
            allowed |= other.seen().is_joined(requester.user);
        }
    }
    if !allowed {
        return Err(Error::Forbidden(
            "you are in none of the rooms whose members may join".to_owned(),
        ));
    }
    let levels = power::of_room(engine, room).await?;
    let seen = room.seen();
    let joined = seen.members.values().filter(|member| member.membership == Membership::Join);
    let mut servers = BTreeSet::new();
    for member in joined.filter(|member| levels.may_invite(&member.user_id)) {
        if engine.app().is_ours(member.user_id.server_name()) {
            return Ok(Voucher::Ours(member.user_id.clone()));
        }
        servers.insert(member.user_id.server_name().to_owned());
    }
    Ok(Voucher::Elsewhere(servers.into_iter().collect()))
}

/// The rooms whose members may join a restricted room; `None` when the room is not restricted.
pub(super) async fn restricted_rooms(
    engine: &Engine,
    room: &Room,
) -> Result<Option<Vec<OwnedRoomId>>, Error> {
    #[derive(serde::Deserialize)]
    struct JoinRules {
        join_rule: String,
        #[serde(default)]
        allow: Vec<Allow>,
    }
    #[derive(serde::Deserialize)]
    struct Allow {
        room_id: Option<OwnedRoomId>,
    }
    if !room.rules.authorization.restricted_join_rule {
        return Ok(None);
    }
    let Some(event) = engine.state_event(room, "m.room.join_rules", "").await? else {
        return Ok(None);
    };
    let Some(rules) = event.content_as::<JoinRules>() else { return Ok(None) };
    let restricted = matches!(rules.join_rule.as_str(), "restricted" | "knock_restricted");
    Ok(restricted.then(|| rules.allow.into_iter().filter_map(|allow| allow.room_id).collect()))
}

/// Invites somebody, of this server or another.
pub async fn invite(
    engine: &Engine,
    sender: &UserId,
    room_id: &RoomId,
    target: &UserId,
    extra: CanonicalJsonObject,
) -> Result<(), Error> {
    let room = engine
        .room(room_id)
        .await
        .map_err(|_| Error::Forbidden("you are not in this room".to_owned()))?;
    let is_ours = engine.app().is_ours(target.server_name());
    let mut content = if is_ours {
        profile_content(engine, target, Membership::Invite).await?
    } else {
        plain_content(Membership::Invite)
    };
    content.extend(extra);
    if is_ours {
        invite_permission::check(engine, target, sender).await?;
        return send(engine, &room, member_draft(sender, target, content)).await;
    }
    remote::invite(engine, &room, member_draft(sender, target, content)).await
}

/// Leaves a room, declines an invitation, or takes back a knock.
pub async fn leave(
    engine: &Engine,
    requester: &Requester,
    room_id: &RoomId,
    reason: Option<String>,
) -> Result<(), Error> {
    let user_id = &requester.user_id;
    let content = with_reason(plain_content(Membership::Leave), reason);
    let not_in = || Error::Forbidden("you are not in this room".to_owned());
    match engine.find_room(room_id).await? {
        // A room that everybody has left is as much here as anywhere.
        Some(room) if room.is_resident() || is_empty(&room) => {
            match room.seen().membership(requester.user) {
                Some(Membership::Leave) => return Ok(()),
                None | Some(Membership::Ban) => return Err(not_in()),
                Some(_) => {}
            }
        }
        _ => {
            let stored =
                rooms::find_room(&engine.app().db, room_id.as_str()).await?.ok_or_else(not_in)?;
            let standing = rooms::find_membership(&engine.app().db, requester.user, stored.id)
                .await?
                .ok_or_else(not_in)?;
            return match Membership::parse(&standing.membership) {
                Some(Membership::Leave) => Ok(()),
                Some(Membership::Invite | Membership::Knock) => {
                    remote::leave(engine, requester, &standing, content).await
                }
                _ => Err(not_in()),
            };
        }
    }
    let room = engine.room(room_id).await?;
    send(engine, &room, member_draft(user_id, user_id, content)).await
}

/// Whether nobody is in a room whose state is here.
fn is_empty(room: &Room) -> bool {
    let seen = room.seen();
    seen.servers.is_empty() && seen.snapshot.is_some()
}

/// Asks to be let in.
pub async fn knock(
    engine: &Engine,
    requester: &Requester,
    room_id: &RoomId,
    via: &[OwnedServerName],
    reason: Option<String>,
) -> Result<(), Error> {
    let content =
        with_reason(profile_content(engine, &requester.user_id, Membership::Knock).await?, reason);
    match engine.find_room(room_id).await? {
        Some(room) if room.is_resident() => {
            send(engine, &room, member_draft(&requester.user_id, &requester.user_id, content)).await
        }
        _ => remote::knock(engine, requester, room_id, via, content).await,
    }
}

/// What a sender does to somebody else's membership.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Removal {
    Kick,
    Ban,
    Unban,
}

/// Kicks, bans or unbans `target`.
pub async fn remove(
    engine: &Engine,
    requester: &Requester,
    room_id: &RoomId,
    target: &UserId,
    removal: Removal,
    reason: Option<String>,
) -> Result<(), Error> {
    let not_in = || Error::Forbidden("you are not in this room".to_owned());
    let room = engine.find_room(room_id).await?.ok_or_else(not_in)?;
    let user = engine.app().db.find_user(target.as_str()).await?;
    let standing = user.and_then(|user| room.seen().membership(user));
    let membership = match removal {
        Removal::Ban => Membership::Ban,
        Removal::Kick | Removal::Unban => Membership::Leave,
    };
    let fits = match removal {
        Removal::Ban => true,
        Removal::Kick => {
            matches!(standing, Some(Membership::Join | Membership::Invite | Membership::Knock))
        }
        Removal::Unban => standing == Some(Membership::Ban),
    };
    if !room.seen().is_joined(requester.user) {
        return Err(not_in());
    }
    if !fits {
        let text = if removal == Removal::Kick {
            "they are not in this room"
        } else {
            "they are not banned"
        };
        return Err(Error::Forbidden(text.to_owned()));
    }
    let content = with_reason(plain_content(membership), reason);
    send(engine, &room, member_draft(&requester.user_id, target, content)).await
}

/// Forgets a room the user has left: it leaves their lists.
pub async fn forget(engine: &Engine, requester: &Requester, room_id: &RoomId) -> Result<(), Error> {
    let db = &engine.app().db;
    let unknown = || Error::InvalidParam("you were never in this room".to_owned());
    let stored = rooms::find_room(db, room_id.as_str()).await?.ok_or_else(unknown)?;
    let standing =
        rooms::find_membership(db, requester.user, stored.id).await?.ok_or_else(unknown)?;
    match Membership::parse(&standing.membership) {
        Some(Membership::Leave | Membership::Ban) => {
            Ok(rooms::forget_room(db, requester.user, stored.id).await?)
        }
        _ => Err(Error::StillIn),
    }
}

/// Writes today's profile into the user's membership of a room they are in, unless it says the same already.
pub(super) async fn refresh(
    engine: &Engine,
    room: &Arc<Room>,
    user_id: &UserId,
) -> Result<(), Error> {
    let content = join_content(engine, user_id).await?;
    let standing = engine.state_event(room, "m.room.member", user_id.as_str()).await?;
    let standing = standing.and_then(|pdu| pdu.content_as::<CanonicalJsonObject>());
    let field = |content: &CanonicalJsonObject, name| content.get(name).cloned();
    let same = standing.is_some_and(|standing| {
        ["displayname", "avatar_url"]
            .iter()
            .all(|name| field(&standing, *name) == field(&content, *name))
    });
    if same {
        return Ok(());
    }
    send(engine, room, member_draft(user_id, user_id, content)).await
}
