//! Who comes into a room is introduced to the servers there: those that shared no room with the user before have been told nothing
//! of the user's devices (server-server API, "Device Management").

use std::collections::BTreeSet;

use ruma::{OwnedRoomId, OwnedServerName, RoomId};

use super::{Engine, Error, Room, keys};
use crate::storage::Id;

/// Begins to tell `others`, the servers in the room, beside the answer to the join. What a stop cuts off is made good when one of them
/// asks for the keys.
pub(super) fn introduce(
    engine: &Engine,
    user: Id,
    room_id: &RoomId,
    others: BTreeSet<OwnedServerName>,
) {
    if others.is_empty() {
        return;
    }
    let (engine, room) = (engine.clone(), room_id.to_owned());
    let tasks = engine.app().tasks.clone();
    tasks.start_interruptible("introducing devices", async move {
        match strangers(&engine, user, &room, others).await {
            Ok(servers) => {
                if let Err(error) = keys::introduce(engine.app(), user, servers).await {
                    tracing::warn!(room.id = %room, %error, "other servers were not told of the devices of who joined");
                }
            }
            Err(error) => tracing::warn!(room.id = %room, %error, "the rooms of who joined could not be read"),
        }
    });
}

/// Those of `servers` that are in no room with the user but the one just entered.
async fn strangers(
    engine: &Engine,
    user: Id,
    entered: &RoomId,
    mut servers: BTreeSet<OwnedServerName>,
) -> Result<BTreeSet<OwnedServerName>, Error> {
    for standing in engine.standings(user).await?.iter() {
        if servers.is_empty() {
            break;
        }
        let Ok(room_id) = OwnedRoomId::try_from(standing.room_id.as_str()) else { continue };
        if standing.membership == "join"
            && room_id != *entered
            && let Some(room) = engine.find_room(&room_id).await?
        {
            let seen = room.seen();
            servers.retain(|server| !seen.servers.contains_key(server));
        }
    }
    Ok(servers)
}

/// The servers in a room but this one.
pub(super) fn other_servers(engine: &Engine, room: &Room) -> BTreeSet<OwnedServerName> {
    let seen = room.seen();
    seen.servers.keys().filter(|server| !engine.app().is_ours(server)).cloned().collect()
}
