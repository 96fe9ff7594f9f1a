//! Public rooms and the rooms of spaces.

use matrix_sdk::RoomState;
use ruma::{
    RoomId, ServerName, UInt,
    api::client::{directory::get_public_rooms_filtered::v3 as public_rooms, space::get_hierarchy},
    directory::Filter,
    room::{RoomSummary, RoomType},
};

use super::{errors::explain_http, session::Session};
use crate::backend::{Item, PublicRoom};

/// Most rooms of one answer.
const FOUND_MAX: u32 = 100;

/// Public rooms with these words; `@example.org` among them names the server to look on.
pub(super) async fn find(session: &Session, typed: &str) -> Option<Vec<Item>> {
    let (servers, words): (Vec<&str>, Vec<&str>) =
        typed.split_whitespace().partition(|word| word.starts_with('@'));
    let server =
        servers.first().and_then(|word| ServerName::parse(word.trim_start_matches('@')).ok());
    let mut request = public_rooms::Request::new();
    request.server = server;
    request.limit = Some(UInt::from(FOUND_MAX));
    let mut filter = Filter::new();
    filter.generic_search_term = Some(words.join(" ")).filter(|words| !words.is_empty());
    request.filter = filter;
    match session.client.public_rooms_filtered(request).await {
        Ok(answer) => {
            let rooms = answer.chunk.into_iter().map(|chunk| {
                let joined = is_joined(session, &chunk.room_id);
                Item::Room(PublicRoom {
                    address: chunk
                        .canonical_alias
                        .as_ref()
                        .map_or_else(|| chunk.room_id.to_string(), ToString::to_string),
                    name: chunk
                        .name
                        .or_else(|| chunk.canonical_alias.map(|alias| alias.to_string()))
                        .unwrap_or_else(|| chunk.room_id.to_string()),
                    id: chunk.room_id.to_string(),
                    topic: chunk.topic,
                    members: chunk.num_joined_members.into(),
                    space: chunk.room_type == Some(RoomType::Space),
                    joined,
                })
            });
            Some(rooms.collect())
        }
        Err(error) => {
            session.reports.failed(format!("The directory did not come. {}", explain_http(&error)));
            None
        }
    }
}

fn is_joined(session: &Session, room: &RoomId) -> bool {
    session.client.get_room(room).is_some_and(|room| room.state() == RoomState::Joined)
}

/// The rooms of a space, joined or not.
pub(super) async fn rooms_of(session: &Session, space: &str) -> Option<Vec<Item>> {
    let space = RoomId::parse(space).ok()?;
    let mut request = get_hierarchy::v1::Request::new(space.clone());
    request.max_depth = Some(UInt::from(1_u32));
    request.limit = Some(UInt::from(FOUND_MAX));
    match session.client.send(request).await {
        Ok(answer) => {
            let rooms = answer.rooms.into_iter().map(|chunk| chunk.summary);
            let others = rooms.filter(|room| room.room_id != space);
            Some(others.map(|room| Item::Room(entry(session, room))).collect())
        }
        Err(error) => {
            session.reports.failed(format!("The rooms did not come. {}", explain_http(&error)));
            None
        }
    }
}

fn entry(session: &Session, room: RoomSummary) -> PublicRoom {
    let alias = room.canonical_alias.as_ref().map(ToString::to_string);
    let id = room.room_id.to_string();
    PublicRoom {
        address: alias.clone().unwrap_or_else(|| id.clone()),
        name: room.name.or(alias).unwrap_or_else(|| id.clone()),
        topic: room.topic,
        members: room.num_joined_members.into(),
        space: room.room_type == Some(RoomType::Space),
        joined: is_joined(session, &room.room_id),
        id,
    }
}
