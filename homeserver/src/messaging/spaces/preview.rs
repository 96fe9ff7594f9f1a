//! One room's summary, for who thinks of joining.

use ruma::{OwnedServerName, RoomId};

use super::{access, local, remote};
use crate::{
    auth::Requester,
    messaging::{
        Engine, Error, Membership,
        summary::{Summary, summary},
    },
    storage::rooms,
};

/// A room's summary and the requester's standing in it. Who is not logged in sees what everybody may, of rooms that are here.
///
/// # Errors
/// [`Error::RoomNotFound`], also for a room that the requester may not know of.
pub async fn preview(
    engine: &Engine,
    requester: Option<&Requester>,
    room_id: &RoomId,
    via: &[OwnedServerName],
) -> Result<(Summary, Option<Membership>), Error> {
    if let Some(room) = local::room(engine, room_id).await? {
        let summary = summary(engine, &room).await?;
        let known = match requester {
            Some(requester) => {
                access::user_may_know(engine, requester.user, &room, &summary).await?
            }
            None => summary.is_open(),
        };
        let standing = |requester: &Requester| {
            room.seen().membership(requester.user).unwrap_or(Membership::Leave)
        };
        let standing = requester.map(standing);
        return if known { Ok((summary, standing)) } else { Err(Error::RoomNotFound) };
    }
    let requester = requester.ok_or(Error::RoomNotFound)?;
    let mut servers = via.to_vec();
    servers.extend(room_id.server_name().map(ToOwned::to_owned));
    servers.dedup();
    let told = remote::ask(engine, room_id, &servers, false).await.ok_or(Error::RoomNotFound)?;
    let summary = told.entry.summary;
    if !access::user_may_know_remote(engine, requester.user, &summary).await? {
        return Err(Error::RoomNotFound);
    }
    let db = &engine.app().db;
    let standing = match rooms::find_room(db, room_id.as_str()).await? {
        Some(stored) => rooms::find_membership(db, requester.user, stored.id).await?,
        None => None,
    };
    let standing = standing.and_then(|standing| Membership::parse(&standing.membership));
    Ok((summary, Some(standing.unwrap_or(Membership::Leave))))
}
