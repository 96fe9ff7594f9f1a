//! One room in a sliding sync answer.

use std::{collections::BTreeSet, sync::Arc};

use serde::Deserialize;

use super::{
    Look,
    connection::Told,
    lists::{Candidate, Config},
    response::{Hero, RoomNews},
};
use crate::{
    messaging::{
        Membership, Pdu, Room,
        client_event::{self, Form},
        state::StateMap,
        state_at::StateAt,
        sync_view::{self, Slice, Span},
        tokens::TimelineToken,
        unread,
        visibility::Sight,
    },
    notification::{Error, room, summary},
    storage::{Id, Position},
};

/// The room's news and what the connection then knows of it; `None` when there is no news.
pub(super) async fn of(
    look: &Look<'_>,
    candidate: &Candidate,
    config: &Config,
    has_receipt: bool,
) -> Result<Option<(RoomNews, Told)>, Error> {
    let before = look.told.get(&candidate.membership.room).copied();
    match (candidate.standing, &candidate.room) {
        (Membership::Join, Some(room)) => {
            timeline_room(look, candidate, room, (before, config), has_receipt).await
        }
        (Membership::Invite | Membership::Knock, _) => shown(look, candidate, before).await,
        (Membership::Leave | Membership::Ban, room) => match (room, before) {
            (Some(room), Some(_)) => {
                timeline_room(look, candidate, room, (before, config), true).await
            }
            _ => Ok(None),
        },
        _ => Ok(None),
    }
}

/// A room that the user only sees from outside.
async fn shown(
    look: &Look<'_>,
    candidate: &Candidate,
    before: Option<Told>,
) -> Result<Option<(RoomNews, Told)>, Error> {
    let position = candidate.membership.position;
    let is_told = |told: Told| told.position >= position && told.membership == candidate.standing;
    if before.is_some_and(is_told) {
        return Ok(None);
    }
    let stripped = room::stripped(look.engine, &candidate.room_id, &candidate.membership).await?;
    let news = RoomNews {
        initial: true,
        is_dm: candidate.is_dm,
        invite_state: Some(stripped),
        bump_stamp: Some(candidate.bump_stamp),
        ..RoomNews::default()
    };
    let told = Told {
        position,
        snapshot: None,
        membership: candidate.standing,
        limit: 0,
        state_wanted: 0,
        is_initial: true,
    };
    Ok(Some((news, told)))
}

/// A room the user is or was in.
async fn timeline_room(
    look: &Look<'_>,
    candidate: &Candidate,
    room: &Arc<Room>,
    (before, config): (Option<Told>, &Config),
    must: bool,
) -> Result<Option<(RoomNews, Told)>, Error> {
    let (engine, user) = (look.engine, look.requester.user);
    let is_in = candidate.standing == Membership::Join;
    // Whoever comes in from an invite, or comes back, begins with the room anew.
    let known = before.filter(|told| told.membership == Membership::Join);
    if known.is_none() && !is_in {
        return turned_down(look, candidate, room).await.map(Some);
    }
    let state_wanted = config.digest();
    let is_wider = known.is_some_and(|told| config.limit > told.limit);
    let is_other_state = known.is_some_and(|told| state_wanted != told.state_wanted);
    let room_position = room.seen().position;
    if let Some(told) = known
        && room_position <= told.position
        && !(must || is_wider || (is_other_state && !config.state.is_empty()))
    {
        return Ok(None);
    }
    let end = if is_in { Position::MAX } else { candidate.membership.position };
    let upto = look.now.position.min(end);
    let sight = Sight::new(engine, room, user);
    let since = known.filter(|_| !is_wider).map(|told| told.position);
    let slice = slice(&sight, Span { since, upto, limit: config.limit }).await?;
    let now = state_at(&sight, &slice, upto).await?;
    let changed = match known {
        Some(told) => now.changes_since(&engine.known_state_at(told.snapshot).await?),
        None => StateMap::new(),
    };
    // The room may have gone on since this look began: that is the next look's.
    let is_quiet = slice.events.is_empty() && !slice.limited && changed.is_empty();
    if known.is_some() && is_quiet && !(must || is_wider || is_other_state) {
        return Ok(None);
    }
    let is_full = known.is_none() || is_other_state;
    let state = required(look, &sight, &slice, (config, is_full), (&now, &changed)).await?;
    let live_since =
        known.map_or(look.since.map_or(upto, |since| since.position), |told| told.position);
    let is_live = |pdu: &&Arc<Pdu>| pdu.place.position.is_some_and(|at| at > live_since);
    let counts = unread::counts(engine, room, user).await?;
    let now_ms = engine.app().clock.now_ms();
    let mut news = RoomNews {
        initial: known.is_none(),
        unstable_expanded_timeline: is_wider,
        is_dm: candidate.is_dm,
        num_live: Some(slice.events.iter().filter(is_live).count()),
        limited: slice.limited,
        prev_batch: (slice.limited || !slice.events.is_empty())
            .then(|| TimelineToken { order: slice.start }.to_string()),
        bump_stamp: Some(candidate.bump_stamp),
        notification_count: counts.notifications,
        highlight_count: counts.highlights,
        ..RoomNews::default()
    };
    let device = look.requester.device;
    news.timeline = client_event::list_for(&sight, device, &slice.events, Form::Sync).await?;
    for pdu in state {
        news.required_state.push(client_event::plain_event(room, &pdu, Form::Sync, now_ms)?);
    }
    if is_in {
        describe(look, room, known.is_none(), &changed, &mut news).await?;
    }
    let told = Told {
        position: upto,
        snapshot: now.id(),
        membership: candidate.standing,
        limit: known.map_or(0, |told| told.limit).max(config.limit),
        state_wanted,
        is_initial: known.is_none(),
    };
    Ok(Some((news, told)))
}

/// The end of an invite or a knock: only the user's own membership is told.
async fn turned_down(
    look: &Look<'_>,
    candidate: &Candidate,
    room: &Room,
) -> Result<(RoomNews, Told), Error> {
    let event = look.engine.pdu(room, candidate.membership.event).await?;
    let now_ms = look.engine.app().clock.now_ms();
    let news = RoomNews {
        initial: true,
        is_dm: candidate.is_dm,
        required_state: vec![client_event::plain_event(room, &event, Form::Sync, now_ms)?],
        ..RoomNews::default()
    };
    let told = Told {
        position: candidate.membership.position,
        snapshot: None,
        membership: candidate.standing,
        limit: 0,
        state_wanted: 0,
        is_initial: true,
    };
    Ok((news, told))
}

async fn slice(sight: &Sight<'_>, span: Span) -> Result<Slice, Error> {
    let mut slice = sync_view::slice(sight.engine, sight.room, span, &|_: &Pdu| true).await?;
    slice.events = sight.filter(std::mem::take(&mut slice.events)).await?;
    Ok(slice)
}

/// The state that goes with `upto`: today's, unless the room or the user has gone on since.
async fn state_at(sight: &Sight<'_>, slice: &Slice, upto: Position) -> Result<StateAt, Error> {
    let (engine, room) = (sight.engine, sight.room);
    if room.seen().position <= upto {
        return Ok(sync_view::state_now(engine, room).await?);
    }
    let last = match slice.events.last() {
        Some(last) => Some(last.clone()),
        None => sync_view::last_event_at(engine, room, upto).await?,
    };
    Ok(sync_view::state_after(engine, last.as_deref()).await?)
}

/// The state events the configuration asks for: all of them, or those that changed.
async fn required(
    look: &Look<'_>,
    sight: &Sight<'_>,
    slice: &Slice,
    (config, is_full): (&Config, bool),
    (now, changed): (&StateAt, &StateMap),
) -> Result<Vec<Arc<Pdu>>, Error> {
    let (engine, room) = (sight.engine, sight.room);
    let db = &engine.app().db;
    let me = look.requester.user_id.as_str();
    let mut ids: BTreeSet<Id> = BTreeSet::new();
    let has_wildcard =
        config.state.iter().any(|(event_type, keys)| event_type == "*" || keys.contains("*"));
    if is_full && !has_wildcard {
        for (event_type, keys) in &config.state {
            for key in keys.iter().filter(|key| *key != "$LAZY") {
                let key = if key == "$ME" { me } else { key };
                ids.extend(now.get(db.state_key(event_type, key).await?));
            }
        }
    } else {
        let all;
        let slots = if is_full {
            all = now.all();
            &all
        } else {
            changed
        };
        for (slot, id) in slots {
            let name = db.state_key_name(*slot).await?;
            let is_key = |keys: Option<&std::collections::HashSet<String>>| {
                keys.is_some_and(|keys| {
                    keys.contains(&name.state_key)
                        || keys.contains("*")
                        || (keys.contains("$ME") && name.state_key == me)
                })
            };
            let by_type = config.state.get(&name.event_type);
            // A change of a member that the client may know is told to who loads members lazily.
            let is_lazy = !is_full && by_type.is_some_and(|keys| keys.contains("$LAZY"));
            if is_lazy || is_key(by_type) || is_key(config.state.get("*")) {
                ids.insert(*id);
            }
        }
    }
    if config.state.get("m.room.member").is_some_and(|keys| keys.contains("$LAZY")) {
        lazy_members(look, slice, now, &mut ids).await?;
    }
    // Whoever left learns it from their own membership.
    if sight.membership() != Some(Membership::Join) {
        ids.extend(now.get(sight.member_slot().await?));
    }
    Ok(engine.pdus(room, &ids.into_iter().collect::<Vec<_>>()).await?)
}

/// The members that sent the slice's events and that the device was not told of.
async fn lazy_members(
    look: &Look<'_>,
    slice: &Slice,
    now: &StateAt,
    ids: &mut BTreeSet<Id>,
) -> Result<(), Error> {
    let (db, device) = (&look.engine.app().db, look.requester.device);
    let since = look.since.map_or(-1, |since| since.position);
    let senders: BTreeSet<Id> = slice.events.iter().map(|pdu| pdu.sender_id).collect();
    let mut told = Vec::with_capacity(senders.len());
    for sender in senders {
        let slot = db.state_key("m.room.member", &db.user_name(sender).await?).await?;
        let Some(event) = now.get(slot) else { continue };
        if !look.state.0.lazy.knows(device, event, since) {
            ids.insert(event);
        }
        told.push(event);
    }
    look.state.0.lazy.note(device, told.into_iter(), look.now.position);
    Ok(())
}

#[derive(Deserialize)]
struct Described {
    name: Option<String>,
    url: Option<String>,
    displayname: Option<String>,
    avatar_url: Option<String>,
}

/// Name, avatar, heroes and counts: all at first, later those that changed.
async fn describe(
    look: &Look<'_>,
    room: &Room,
    is_initial: bool,
    changed: &StateMap,
    news: &mut RoomNews,
) -> Result<(), Error> {
    let db = &look.engine.app().db;
    let (mut name, mut avatar, mut members) = (is_initial, is_initial, is_initial);
    for slot in changed.keys() {
        match db.state_key_name(*slot).await?.event_type.as_str() {
            "m.room.name" | "m.room.canonical_alias" => name = true,
            "m.room.avatar" => avatar = true,
            "m.room.member" => members = true,
            _ => {}
        }
    }
    if name {
        let content = said(look, room, "m.room.name").await?;
        news.name = content.and_then(|content| content.name).filter(|name| !name.is_empty());
    }
    if avatar {
        let content = said(look, room, "m.room.avatar").await?;
        let url = content.and_then(|content| content.url);
        // At first there is nothing to take back.
        news.avatar = (url.is_some() || !is_initial).then_some(url);
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

async fn said(look: &Look<'_>, room: &Room, event_type: &str) -> Result<Option<Described>, Error> {
    let event = look.engine.state_event(room, event_type, "").await?;
    Ok(event.and_then(|event| event.content_as()))
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
