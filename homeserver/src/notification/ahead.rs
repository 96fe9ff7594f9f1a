//! Rooms that a look is about to read, brought into memory together.

use ruma::RoomId;

use super::Error;
use crate::{
    messaging::{Ahead, Engine, Membership},
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
    let joined = Membership::Join.as_str();
    let rooms: Vec<(Id, &RoomId)> = memberships
        .filter(|membership| membership.membership == joined)
        .filter_map(|it| Some((it.room, <&RoomId>::try_from(it.room_id.as_str()).ok()?)))
        .collect();
    Ok(engine.load_rooms(&rooms, ahead).await?)
}
