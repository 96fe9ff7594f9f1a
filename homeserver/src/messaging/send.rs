//! A local user's event into a room.

use std::sync::Arc;

use ruma::{CanonicalJsonObject, OwnedEventId, RoomId, events::TimelineEventType};

use super::{Building, Draft, Engine, Error, Pdu, Room, Transaction, presence};
use crate::storage::events;

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
    let mut building = Building::begin(engine, &room).await?;
    // Again in the room's turn: two copies of one request may have waited for it side by side.
    if let Some(event_id) = repeated(engine, &draft).await? {
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

async fn joined_room(engine: &Engine, room_id: &RoomId, draft: &Draft) -> Result<Arc<Room>, Error> {
    let not_in = || Error::Forbidden("you are not in this room".to_owned());
    // A room this server does not know is one the user is not in; the answer does not tell them apart.
    let room = engine.find_room(room_id).await?.ok_or_else(not_in)?;
    let user = engine.app().db.user(draft.sender.as_str()).await?;
    let is_member_event = draft.event_type == TimelineEventType::RoomMember;
    if is_member_event || room.seen().is_joined(user) { Ok(room) } else { Err(not_in()) }
}

async fn repeated(engine: &Engine, draft: &Draft) -> Result<Option<OwnedEventId>, Error> {
    let Some(Transaction { device, endpoint, txn_id }) = &draft.transaction else {
        return Ok(None);
    };
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
