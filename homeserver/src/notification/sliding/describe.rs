//! How a room is called and pictured in a list, and how many people are in it: all at first, later what changed.

use std::sync::Arc;

use serde::Deserialize;

use super::{
    answer::{Hero, RoomNews},
    look::Look,
    required::View,
};
use crate::{
    messaging::{Membership, Pdu, Room},
    notification::{Error, summary},
    storage::Id,
};

#[derive(Deserialize)]
struct Described {
    name: Option<String>,
    url: Option<String>,
    displayname: Option<String>,
    avatar_url: Option<String>,
}

/// Fills in name and avatar as of the end of the look; for who is in the room, heroes and counts too.
pub(super) async fn describe(
    look: &Look<'_>,
    view: &View<'_>,
    is_initial: bool,
    news: &mut RoomNews,
) -> Result<(), Error> {
    let db = &look.engine.app().db;
    let (mut name, mut avatar, mut members) = (is_initial, is_initial, is_initial);
    for slot in view.changed.keys().chain(&view.deleted) {
        match db.state_key_name(*slot).await?.event_type.as_str() {
            "m.room.name" | "m.room.canonical_alias" => name = true,
            "m.room.avatar" => avatar = true,
            "m.room.member" => members = true,
            _ => {}
        }
    }
    // At first there is nothing to take back.
    let told = |said: Option<String>| (said.is_some() || !is_initial).then_some(said);
    if name {
        let content = said(look, view, "m.room.name").await?;
        news.name = told(content.and_then(|content| content.name).filter(|name| !name.is_empty()));
    }
    if avatar {
        let content = said(look, view, "m.room.avatar").await?;
        news.avatar = told(content.and_then(|content| content.url));
    }
    let room = view.sight.room;
    if view.sight.membership() != Some(Membership::Join) {
        return Ok(());
    }
    if members {
        let seen = room.seen();
        news.joined_count = Some(seen.joined_count);
        news.invited_count = Some(seen.invited_count);
    }
    if (members || name) && !summary::is_named(look.engine, room).await? {
        news.heroes = Some(heroes(look, room).await?);
    }
    Ok(())
}

async fn said(
    look: &Look<'_>,
    view: &View<'_>,
    event_type: &str,
) -> Result<Option<Described>, Error> {
    let slot = look.engine.app().db.state_key(event_type, "").await?;
    let Some(id) = view.now.get(slot) else { return Ok(None) };
    Ok(look.engine.pdu(view.sight.room, id).await?.content_as())
}

async fn heroes(look: &Look<'_>, room: &Room) -> Result<Vec<Hero>, Error> {
    let events: Vec<Id> = {
        let heroes = summary::heroes(room, look.requester.user);
        let seen = room.seen();
        heroes.iter().filter_map(|id| seen.members.get(id)).map(|member| member.event).collect()
    };
    let events = look.engine.pdus(room, &events).await?;
    let hero = |pdu: &Arc<Pdu>| {
        let user_id = pdu.state_key.as_deref()?.try_into().ok()?;
        let content: Option<Described> = pdu.content_as();
        let (displayname, avatar_url) =
            content.map_or((None, None), |content| (content.displayname, content.avatar_url));
        Some(Hero { user_id, displayname, avatar_url })
    };
    Ok(events.iter().filter_map(hero).collect())
}
