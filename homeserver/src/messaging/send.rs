//! A local user's event into a room.

use std::sync::Arc;

use ruma::{CanonicalJsonObject, EventId, OwnedEventId, RoomId, events::TimelineEventType};

use super::{
    Building, Draft, Engine, Error, Pdu, Room, Transaction, merge, presence, sent, sent::Seen,
    signed::PREV_EVENTS_MAX, threads,
};
use crate::storage::{self, events};

/// Sends a draft to a room. A repeated transaction id returns the first event's id again; a state event that says
/// what the state says already returns the standing event's.
pub async fn send_event(
    engine: &Engine,
    room_id: &RoomId,
    draft: Draft,
) -> Result<OwnedEventId, Error> {
    let room = joined_room(engine, room_id, &draft).await?;
    if let Some(event_id) = repeated(engine, &draft).await? {
        return Ok(event_id);
    }
    check_thread(engine, &room, &draft).await?;
    let mut building = begin(engine, &room).await?;
    // Again in the room's turn: two copies of one request may have waited for it side by side.
    if let Some(transaction) = &draft.transaction
        && sent::is_noted(engine, transaction)
        && let Some(event_id) = committed(engine, transaction).await?
    {
        return Ok(event_id);
    }
    if let Some(same) = unchanged(&building, &draft).await? {
        return Ok(same.event_id.clone());
    }
    let sender = draft.sender.clone();
    let event_id = building.add(draft).await?;
    building.commit().await?;
    let sender = engine.app().db.user(sender.as_str()).await?;
    presence::act(engine, sender).await;
    Ok(event_id)
}

/// A thread begins at an event that relates to no other
/// ([spec](https://spec.matrix.org/v1.19/client-server-api/#validation-of-mthread-relationships)).
async fn check_thread(engine: &Engine, room: &Room, draft: &Draft) -> Result<(), Error> {
    let relation = draft.content.get("m.relates_to").and_then(|relation| relation.as_object());
    let text = |name| relation.and_then(|relation| relation.get(name)?.as_str());
    let (Some("m.thread"), Some(root)) = (text("rel_type"), text("event_id")) else {
        return Ok(());
    };
    let root = EventId::parse(root).map_err(|error| Error::InvalidParam(error.to_string()))?;
    if threads::may_be_root(engine, room, &root).await? {
        return Ok(());
    }
    Err(Error::InvalidParam("a thread cannot begin at an event that relates to another".to_owned()))
}

/// The room's turn. Where the room has more ends than an event may name they are drawn together first, so that the event stands on
/// all of what its sender has seen.
async fn begin<'a>(engine: &'a Engine, room: &'a Arc<Room>) -> Result<Building<'a>, Error> {
    let building = Building::begin(engine, room).await?;
    if building.next().extremities.len() <= PREV_EVENTS_MAX {
        return Ok(building);
    }
    drop(building);
    merge::merge_ends(engine, room).await?;
    Building::begin(engine, room).await
}

async fn joined_room(engine: &Engine, room_id: &RoomId, draft: &Draft) -> Result<Arc<Room>, Error> {
    let not_in = || Error::Forbidden("you are not in this room".to_owned());
    // A room this server does not know is one the user is not in; the answer does not tell them apart.
    let room = engine.find_room(room_id).await?.ok_or_else(not_in)?;
    let user = engine.app().db.user(draft.sender.as_str()).await?;
    let is_member_event = draft.event_type == TimelineEventType::RoomMember;
    if is_member_event || room.seen().is_joined(user) { Ok(room) } else { Err(not_in()) }
}

/// The event that the device sent by the same request before.
async fn repeated(engine: &Engine, draft: &Draft) -> Result<Option<OwnedEventId>, Error> {
    let Some(transaction) = &draft.transaction else { return Ok(None) };
    match sent::look(engine, transaction).await? {
        Seen::New => Ok(None),
        Seen::Again => committed(engine, transaction).await,
        Seen::NotLately => find(engine, transaction).await,
    }
}

/// The same of a request whose event may be on its way: what is queued behind it is answered after its commit.
async fn committed(
    engine: &Engine,
    transaction: &Transaction,
) -> Result<Option<OwnedEventId>, Error> {
    engine.app().db.write(|_| Box::pin(async { Ok::<_, storage::Error>(()) })).await?;
    find(engine, transaction).await
}

async fn find(engine: &Engine, transaction: &Transaction) -> Result<Option<OwnedEventId>, Error> {
    let Transaction { device, endpoint, txn_id } = transaction;
    let sent = events::find_transaction(&engine.app().db, *device, endpoint, txn_id).await?;
    Ok(sent.and_then(|event_id| event_id.try_into().ok()))
}

async fn unchanged(building: &Building<'_>, draft: &Draft) -> Result<Option<Arc<Pdu>>, Error> {
    let Some(state_key) = &draft.state_key else { return Ok(None) };
    let Some(standing) = building.state_event(&draft.event_type.to_string(), state_key).await?
    else {
        return Ok(None);
    };
    let same = standing.sender == draft.sender
        && standing
            .content_as::<CanonicalJsonObject>()
            .is_some_and(|content| content == draft.content);
    Ok(same.then_some(standing))
}
