//! Room aliases and the public directory of this server.

use std::sync::Arc;

use ruma::{
    CanonicalJsonObject, CanonicalJsonValue, OwnedRoomId, OwnedServerName, RoomAliasId, RoomId,
    api::federation::query::get_room_information, events::TimelineEventType,
};
use serde::Deserialize;

use super::{
    Building, Draft, Engine, Error, Room, power,
    summary::{Summary, summary},
};
use crate::{auth::Requester, storage::rooms};

/// Most servers named for a room.
const SERVERS_MAX: usize = 50;

/// The room behind an alias, and servers that are in it; other servers' aliases are asked for there.
pub async fn resolve(
    engine: &Engine,
    alias: &RoomAliasId,
) -> Result<(OwnedRoomId, Vec<OwnedServerName>), Error> {
    let app = engine.app();
    if !app.is_ours(alias.server_name()) {
        let request = get_room_information::v1::Request::new(alias.to_owned());
        let answer = app.federation.send(alias.server_name(), request).await;
        let answer = answer.map_err(|error| match error.status() {
            Some(status) if status.as_u16() == 404 => Error::EventNotFound,
            _ => {
                Error::Remote { server: alias.server_name().to_string(), reason: error.to_string() }
            }
        })?;
        return Ok((answer.room_id, answer.servers));
    }
    let (room_id, _) =
        rooms::find_alias(&app.db, alias.as_str()).await?.ok_or(Error::EventNotFound)?;
    let room_id = RoomId::parse(room_id).map_err(|error| Error::InvalidParam(error.to_string()))?;
    let mut servers = vec![app.server_name.clone()];
    if let Some(room) = engine.find_room(&room_id).await? {
        let seen = room.seen();
        servers.extend(
            seen.servers.keys().filter(|server| !app.is_ours(server)).take(SERVERS_MAX).cloned(),
        );
    }
    Ok((room_id, servers))
}

/// Adds an alias of this server for a room the requester is in.
pub async fn create(
    engine: &Engine,
    requester: &Requester,
    alias: &RoomAliasId,
    room_id: &RoomId,
) -> Result<(), Error> {
    let app = engine.app();
    if !app.is_ours(alias.server_name()) {
        return Err(Error::InvalidParam("an alias can only be made on its own server".to_owned()));
    }
    if alias.as_str().len() > 255 {
        return Err(Error::InvalidParam("an alias has at most 255 bytes".to_owned()));
    }
    let room = engine.room(room_id).await?;
    if !room.seen().is_joined(requester.user) {
        return Err(Error::Forbidden("you are not in this room".to_owned()));
    }
    match rooms::insert_alias(&app.db, alias.as_str(), room_id.as_str(), requester.user).await? {
        true => Ok(()),
        false => Err(Error::AliasTaken),
    }
}

/// Removes an alias: its maker may, and who may set the room's canonical alias.
pub async fn delete(
    engine: &Engine,
    requester: &Requester,
    alias: &RoomAliasId,
) -> Result<(), Error> {
    let app = engine.app();
    let (room_id, creator) =
        rooms::find_alias(&app.db, alias.as_str()).await?.ok_or(Error::EventNotFound)?;
    if creator != requester.user {
        let room_id =
            RoomId::parse(&*room_id).map_err(|error| Error::InvalidParam(error.to_string()))?;
        let room = engine.room(&room_id).await?;
        let levels = power::of_room(engine, &room).await?;
        let may = room.seen().is_joined(requester.user)
            && levels.may_send_state(&requester.user_id, "m.room.canonical_alias");
        if !may {
            return Err(Error::Forbidden(
                "only its maker or a moderator may remove an alias".to_owned(),
            ));
        }
    }
    rooms::delete_alias(&app.db, alias.as_str()).await?;
    if let Ok(room_id) = RoomId::parse(&*room_id)
        && let Some(room) = engine.find_room(&room_id).await?
        && let Err(error) = take_name(engine, requester, &room, alias).await
    {
        tracing::info!(room.id = %room.room_id, %error, "a removed alias stays among the room's names");
    }
    Ok(())
}

/// Takes a removed alias out of the names that its room gives itself, if the requester may.
async fn take_name(
    engine: &Engine,
    requester: &Requester,
    room: &Arc<Room>,
    alias: &RoomAliasId,
) -> Result<(), Error> {
    let names = engine.state_event(room, "m.room.canonical_alias", "").await?;
    let names = names.and_then(|pdu| pdu.content_as::<CanonicalJsonObject>());
    let (taken, kept) = split_names(&names.unwrap_or_default(), &[alias.to_string()]);
    if taken.is_empty() {
        return Ok(());
    }
    let event_type = TimelineEventType::RoomCanonicalAlias;
    let mut building = Building::begin(engine, room).await?;
    building.add(Draft::state(requester.user_id.clone(), event_type, "", kept)).await?;
    building.commit().await?;
    Ok(())
}

/// A canonical alias event's content in two: what names `aliases`, and the rest.
pub(super) fn split_names(
    names: &CanonicalJsonObject,
    aliases: &[String],
) -> (CanonicalJsonObject, CanonicalJsonObject) {
    let (mut moved, mut kept) = (CanonicalJsonObject::new(), CanonicalJsonObject::new());
    let is_moved = |value: &CanonicalJsonValue| {
        value.as_str().is_some_and(|alias| aliases.iter().any(|other| other == alias))
    };
    for (field, value) in names {
        match value {
            CanonicalJsonValue::Array(values) if field == "alt_aliases" => {
                let (here, there): (Vec<_>, Vec<_>) = values.iter().cloned().partition(is_moved);
                for (content, values) in [(&mut moved, here), (&mut kept, there)] {
                    if !values.is_empty() {
                        content.insert(field.clone(), CanonicalJsonValue::Array(values));
                    }
                }
            }
            value if field == "alias" && is_moved(value) => {
                moved.insert(field.clone(), value.clone());
            }
            value => drop(kept.insert(field.clone(), value.clone())),
        }
    }
    (moved, kept)
}

/// What is asked of the directory.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct DirectoryQuery {
    pub search: Option<String>,
    pub limit: Option<usize>,
    /// How many rooms to skip: the token of the page before.
    pub skip: usize,
}

/// A page of the public directory, most members first, and how many rooms there are in all.
pub async fn directory(
    engine: &Engine,
    query: &DirectoryQuery,
) -> Result<(Vec<Summary>, usize), Error> {
    const ROOMS_MAX: u64 = 10_000;
    let mut found = Vec::new();
    let needle = query.search.as_ref().map(|term| term.to_lowercase());
    for room_id in rooms::list_directory(&engine.app().db, ROOMS_MAX).await? {
        let Ok(room_id) = RoomId::parse(&*room_id) else { continue };
        let Some(room) = engine.find_room(&room_id).await? else { continue };
        let summary = summary(engine, &room).await?;
        let fields = [&summary.name, &summary.topic, &summary.canonical_alias];
        let matches = |needle: &String| {
            fields.iter().any(|field| {
                field.as_ref().is_some_and(|text| text.to_lowercase().contains(needle))
            })
        };
        if needle.as_ref().is_none_or(matches) {
            found.push(summary);
        }
    }
    found.sort_by_key(|summary| std::cmp::Reverse(summary.joined));
    let total = found.len();
    let page =
        found.into_iter().skip(query.skip).take(query.limit.unwrap_or(100).min(500)).collect();
    Ok((page, total))
}

/// Another server's public directory, as it answers.
pub async fn remote_directory(
    engine: &Engine,
    server: &ruma::ServerName,
    query: &DirectoryQuery,
) -> Result<serde_json::Value, Error> {
    use ruma::api::federation::directory::get_public_rooms_filtered;

    let remote = |reason: String| Error::Remote { server: server.to_string(), reason };
    let mut request = get_public_rooms_filtered::v1::Request::new();
    request.limit = query.limit.and_then(|limit| u32::try_from(limit).ok()).map(Into::into);
    request.filter.generic_search_term = query.search.clone();
    request.since = (query.skip > 0).then(|| query.skip.to_string());
    let answer = engine
        .app()
        .federation
        .send(server, request)
        .await
        .map_err(|error| remote(error.to_string()))?;
    let chunk = serde_json::to_value(answer.chunk).map_err(|error| remote(error.to_string()))?;
    Ok(serde_json::json!({ "chunk": chunk, "next_batch": answer.next_batch }))
}

#[cfg(test)]
mod tests {
    use ruma::CanonicalJsonObject;
    use serde_json::json;

    use super::split_names;
    use crate::messaging::create_room::object;

    #[test]
    fn only_the_aliases_that_moved_go_to_the_successor() {
        let names = object(json!({
            "alias": "#here:example.org", "alt_aliases": ["#also:example.org", "#there:example.net"],
        }));
        let aliases = ["#here:example.org".to_owned(), "#also:example.org".to_owned()];
        let (moved, kept) = split_names(&names.unwrap(), &aliases);
        let read = |content: CanonicalJsonObject| serde_json::to_value(content).unwrap();
        let wanted = json!({ "alias": "#here:example.org", "alt_aliases": ["#also:example.org"] });
        assert_eq!(read(moved), wanted);
        assert_eq!(read(kept), json!({ "alt_aliases": ["#there:example.net"] }));
    }
}
