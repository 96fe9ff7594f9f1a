//! Rooms that are elsewhere: joining, leaving, knocking by way of a server that is in them, and inviting its users.

use ruma::{CanonicalJsonObject, OwnedServerName, RoomId};

use super::{Draft, Engine, Error, Room};
use crate::{auth::Requester, storage::rooms::StoredMembership};

/// Joins a room that no user of this server is in.
pub(super) async fn join(
    _engine: &Engine,
    _requester: &Requester,
    room_id: &RoomId,
    _via: &[OwnedServerName],
    _content: CanonicalJsonObject,
) -> Result<(), Error> {
    Err(unreachable_room(room_id))
}

/// Invites a user of another server.
pub(super) async fn invite(_engine: &Engine, room: &Room, _draft: Draft) -> Result<(), Error> {
    Err(unreachable_room(&room.room_id))
}

/// Declines an invitation, or takes back a knock, in a room that is elsewhere.
pub(super) async fn leave(
    _engine: &Engine,
    _requester: &Requester,
    standing: &StoredMembership,
    _content: CanonicalJsonObject,
) -> Result<(), Error> {
    Err(Error::Remote { server: standing.room_id.clone(), reason: "unreachable".to_owned() })
}

/// Knocks at a room that is elsewhere.
pub(super) async fn knock(
    _engine: &Engine,
    _requester: &Requester,
    room_id: &RoomId,
    _via: &[OwnedServerName],
    _content: CanonicalJsonObject,
) -> Result<(), Error> {
    Err(unreachable_room(room_id))
}

fn unreachable_room(room_id: &RoomId) -> Error {
    Error::Remote { server: room_id.to_string(), reason: "no server could be asked".to_owned() }
}
