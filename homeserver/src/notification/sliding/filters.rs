//! Which rooms a list takes.

use std::collections::{BTreeMap, HashSet};

use serde_json::Value;

use super::{lists::Candidate, look::Look, request::Filters};
use crate::{
    messaging::{Engine, Membership, Room},
    notification::Error,
    storage::account_data,
};

/// A list's filters, with what they need to know of the user looked up once.
#[derive(Debug)]
pub(super) struct Filtering<'f> {
    filters: &'f Filters,
    /// The rooms in the spaces named, if any are.
    in_spaces: Option<HashSet<String>>,
    /// The tags of the user's rooms, if they matter.
    tags: BTreeMap<String, HashSet<String>>,
}

impl<'f> Filtering<'f> {
    pub(super) async fn new(look: &Look<'_>, filters: &'f Filters) -> Result<Self, Error> {
        let in_spaces = match &filters.spaces {
            None => None,
            Some(spaces) => {
                let mut rooms = HashSet::new();
                for space in spaces {
                    // Spaces the user is not in show nothing.
                    if let Some(space) = look.engine.find_room(space).await?
                        && space.seen().is_joined(look.requester.user)
                    {
                        rooms.extend(children(look.engine, &space).await?);
                    }
                }
                Some(rooms)
            }
        };
        let tags_matter = filters.tags.is_some() || !filters.not_tags.is_empty();
        let tags = if tags_matter { tags(look).await? } else { BTreeMap::new() };
        Ok(Self { filters, in_spaces, tags })
    }

    /// Whether the list has the room.
    pub(super) async fn takes(
        &self,
        look: &Look<'_>,
        candidate: &Candidate,
    ) -> Result<bool, Error> {
        let filters = self.filters;
        let is_invite = candidate.standing == Membership::Invite;
        if filters.is_dm.is_some_and(|wanted| wanted != candidate.is_dm)
            || filters.is_invited.is_some_and(|wanted| wanted != is_invite)
        {
            return Ok(false);
        }
        let room_id = candidate.room_id.as_str();
        if self.in_spaces.as_ref().is_some_and(|rooms| !rooms.contains(room_id))
            || !self.takes_tags(room_id)
        {
            return Ok(false);
        }
        if let Some(wanted) = filters.is_encrypted
            && wanted != content(look, candidate, "m.room.encryption").await?.is_some()
        {
            return Ok(false);
        }
        if filters.room_types.is_none() && filters.not_room_types.is_empty() {
            return Ok(true);
        }
        let create = content(look, candidate, "m.room.create").await?;
        let room_type = create.as_ref().and_then(|content| content.get("type")?.as_str());
        let names =
            |types: &Vec<Option<String>>| types.iter().any(|one| one.as_deref() == room_type);
        Ok(filters.room_types.as_ref().is_none_or(names) && !names(&filters.not_room_types))
    }

    fn takes_tags(&self, room_id: &str) -> bool {
        let tagged = self.tags.get(room_id);
        let has = |tags: &Vec<String>| {
            tagged.is_some_and(|tagged| tags.iter().any(|tag| tagged.contains(tag)))
        };
        self.filters.tags.as_ref().is_none_or(has) && !has(&self.filters.not_tags)
    }
}

/// The rooms that a space names as its children.
async fn children(engine: &Engine, space: &Room) -> Result<Vec<String>, Error> {
    let slots: Vec<_> = space.seen().state.iter().map(|(slot, event)| (*slot, *event)).collect();
    let (mut names, mut events) = (Vec::new(), Vec::new());
    for (slot, event) in slots {
        let name = engine.app().db.state_key_name(slot).await?;
        if name.event_type == "m.space.child" {
            names.push((event, name));
            events.push(event);
        }
    }
    let mut rooms = Vec::with_capacity(names.len());
    for pdu in engine.pdus(space, &events).await? {
        let content: Option<Value> = pdu.content_as();
        // A child without servers to join by has been taken out.
        let is_child = content.as_ref().and_then(|content| content.get("via")?.as_array());
        let name = names.iter().find(|(event, _)| *event == pdu.id);
        if let (Some(via), Some((_, name))) = (is_child, name)
            && !via.is_empty()
        {
            rooms.push(name.state_key.clone());
        }
    }
    Ok(rooms)
}

/// The user's tags, by room.
async fn tags(look: &Look<'_>) -> Result<BTreeMap<String, HashSet<String>>, Error> {
    let (db, user) = (look.engine.app().db.read(), look.requester.user);
    let pieces = account_data::list_account_data_of_type(db, user, "m.tag").await?;
    let tags = |content: &str| {
        // The client wrote it: what does not read tags nothing.
        let content: Option<Value> = serde_json::from_str(content).ok();
        let tags = content.as_ref().and_then(|content| content.get("tags")?.as_object());
        tags.map(|tags| tags.keys().cloned().collect()).unwrap_or_default()
    };
    Ok(pieces.into_iter().map(|piece| (piece.room_id, tags(&piece.content))).collect())
}

/// The content of a state event without a key, from the room or from what an invite shows of it.
async fn content(
    look: &Look<'_>,
    candidate: &Candidate,
    event_type: &str,
) -> Result<Option<Value>, Error> {
    if let Some(room) = &candidate.room {
        let event = look.engine.state_event(room, event_type, "").await?;
        return Ok(event.and_then(|event| event.content_as()));
    }
    let stripped = candidate.membership.stripped_state.as_deref().unwrap_or(b"[]");
    let events: Vec<Value> = serde_json::from_slice(stripped).unwrap_or_default();
    let named = |event: &&Value| event.get("type").and_then(Value::as_str) == Some(event_type);
    Ok(events.iter().find(named).and_then(|event| event.get("content").cloned()))
}
