//! Who may know that a room exists and what it says of itself.

use ruma::ServerName;

use super::Summary;
use crate::{
    messaging::{Engine, Error, Membership, Room, acl},
    storage::{Id, rooms},
};

/// Whether a user may know of a room that is here.
pub(super) async fn user_may_know(
    engine: &Engine,
    user: Id,
    room: &Room,
    summary: &Summary,
) -> Result<bool, Error> {
    match room.seen().membership(user) {
        Some(Membership::Join | Membership::Invite) => return Ok(true),
        Some(Membership::Ban) => return Ok(summary.world_readable),
        _ => {}
    }
    Ok(summary.is_open() || in_allowed_room(engine, user, summary).await?)
}

/// Whether a user may know of a room that another server told of.
pub(super) async fn user_may_know_remote(
    engine: &Engine,
    user: Id,
    summary: &Summary,
) -> Result<bool, Error> {
    if summary.is_open() || in_allowed_room(engine, user, summary).await? {
        return Ok(true);
    }
    let db = &engine.app().db;
    let Some(stored) = rooms::find_room(db, &summary.room_id).await? else { return Ok(false) };
    let standing = rooms::find_membership(db, user, stored.id).await?;
    Ok(standing.is_some_and(|standing| matches!(standing.membership.as_str(), "join" | "invite")))
}

async fn in_allowed_room(engine: &Engine, user: Id, summary: &Summary) -> Result<bool, Error> {
    for room_id in summary.allowed_room_ids.iter().flatten() {
        if let Some(room) = engine.find_room(room_id).await?
            && room.seen().is_joined(user)
        {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Whether another server may know of a room that is here: one of its users could.
pub(super) async fn server_may_know(
    engine: &Engine,
    origin: &ServerName,
    room: &Room,
    summary: &Summary,
) -> Result<bool, Error> {
    if !acl::allows(engine, room, origin).await? {
        return Ok(false);
    }
    if summary.is_open() || has_users_of(room, origin) {
        return Ok(true);
    }
    for room_id in summary.allowed_room_ids.iter().flatten() {
        if let Some(room) = engine.find_room(room_id).await?
            && room.seen().servers.contains_key(origin)
        {
            return Ok(true);
        }
    }
    Ok(false)
}

fn has_users_of(room: &Room, origin: &ServerName) -> bool {
    let seen = room.seen();
    let invited = || {
        seen.members.values().any(|member| {
            member.membership == Membership::Invite && member.user_id.server_name() == origin
        })
    };
    seen.servers.contains_key(origin) || invited()
}
