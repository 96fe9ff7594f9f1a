//! Who a room is called after when it has no name ([spec]).
//!
//! [spec]: https://spec.matrix.org/v1.19/client-server-api/#calculating-the-display-name-for-a-room

use super::{Error, response::Summary};
use crate::{
    messaging::{Engine, Membership, Room},
    storage::Id,
};

/// Most heroes.
const HEROES_MAX: usize = 5;

/// The interned users a room may be called after, the longest known first: joined and invited ones other than `user`,
/// or, without any, those who were there.
pub(super) fn heroes(room: &Room, user: Id) -> Vec<Id> {
    let seen = room.seen();
    let pick = |present: bool| {
        let mut members: Vec<_> = seen
            .members
            .iter()
            .filter(|(id, member)| {
                let is_present = matches!(member.membership, Membership::Join | Membership::Invite);
                **id != user && is_present == present && member.membership != Membership::Knock
            })
            .map(|(id, member)| (member.position, &member.user_id, *id))
            .collect();
        if members.len() > HEROES_MAX {
            members.select_nth_unstable(HEROES_MAX);
            members.truncate(HEROES_MAX);
        }
        members.sort_unstable();
        members.into_iter().map(|(.., id)| id).collect::<Vec<_>>()
    };
    let present = pick(true);
    if present.is_empty() { pick(false) } else { present }
}

/// Whether the room has a name of its own.
pub(super) async fn is_named(engine: &Engine, room: &Room) -> Result<bool, Error> {
    #[derive(serde::Deserialize)]
    struct Content {
        name: Option<String>,
        alias: Option<String>,
    }
    for event_type in ["m.room.name", "m.room.canonical_alias"] {
        let event = engine.state_event(room, event_type, "").await?;
        let content = event.and_then(|event| event.content_as::<Content>());
        let said = content.and_then(|content| content.name.or(content.alias));
        if said.is_some_and(|name| !name.is_empty()) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The summary of a room for `user`.
pub(super) async fn summary(engine: &Engine, room: &Room, user: Id) -> Result<Summary, Error> {
    let heroes = if is_named(engine, room).await? { None } else { Some(heroes(room, user)) };
    let seen = room.seen();
    let names = heroes.map(|heroes| {
        let member = |id: &Id| seen.members.get(id).map(|member| member.user_id.clone());
        heroes.iter().filter_map(member).collect()
    });
    Ok(Summary {
        heroes: names,
        joined_member_count: Some(seen.joined_count),
        invited_member_count: Some(seen.invited_count),
    })
}
