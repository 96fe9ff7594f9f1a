//! Rooms that a look is about to tell, brought into memory together.

use ruma::RoomId;

use super::Error;
use crate::{
    messaging::{Ahead, Engine, Membership, unread},
    storage::{Id, rooms::StoredMembership},
};

/// Rooms that are loaded together: few statements, and never all rooms of somebody who is in very many.
pub(super) const ROOMS_AT_ONCE: usize = 64;

/// Loads those of the rooms that the user is in, where they are not in memory.
pub(super) async fn load_joined(
    engine: &Engine,
    memberships: impl Iterator<Item = &StoredMembership>,
    ahead: Ahead,
) -> Result<(), Error> {
    let rooms: Vec<(Id, &RoomId)> = joined(memberships).collect();
    Ok(engine.load_rooms(&rooms, ahead).await?)
}

/// Reads what a user's counts in those of the rooms are made of that they are in; the rooms are in memory.
pub(super) async fn count_joined(
    engine: &Engine,
    memberships: impl Iterator<Item = &StoredMembership>,
    user: Id,
) -> Result<(), Error> {
    Ok(unread::ahead(engine, joined(memberships).map(|(_, room_id)| room_id), user).await?)
}

fn joined<'m>(
    memberships: impl Iterator<Item = &'m StoredMembership>,
) -> impl Iterator<Item = (Id, &'m RoomId)> {
    memberships
        .filter(|membership| membership.membership == Membership::Join.as_str())
        .filter_map(|it| Some((it.room, <&RoomId>::try_from(it.room_id.as_str()).ok()?)))
}
