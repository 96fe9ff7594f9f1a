//! Results as clients read them: each with what stands around it, and all of them in groups.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use ruma::{OwnedEventId, OwnedRoomId};
use serde::Serialize;
use serde_json::{Map, Value, value::RawValue};

use super::query::{Around, Criteria, GroupBy};
use crate::{
    auth::Requester,
    messaging::{Engine, Error, Pdu, Room, client_event, history, tokens::TimelineToken},
};

/// A found event.
#[derive(Debug)]
pub struct Hit {
    pub room: Arc<Room>,
    pub pdu: Arc<Pdu>,
    pub rank: f64,
}

/// The answer to a search.
#[derive(Debug, Default, Serialize)]
pub struct Results {
    pub count: i64,
    pub highlights: Vec<String>,
    results: Vec<Found>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub groups: BTreeMap<&'static str, BTreeMap<String, Group>>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    state: BTreeMap<OwnedRoomId, Vec<Box<RawValue>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_batch: Option<String>,
}

/// The results of one room or of one sender.
#[derive(Debug, Default, Serialize)]
pub struct Group {
    pub results: Vec<OwnedEventId>,
    pub order: usize,
}

#[derive(Debug, Serialize)]
struct Found {
    rank: f64,
    result: Box<RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    context: Option<Context>,
}

#[derive(Debug, Serialize)]
struct Context {
    events_before: Vec<Box<RawValue>>,
    events_after: Vec<Box<RawValue>>,
    start: String,
    end: String,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    profile_info: BTreeMap<String, Map<String, Value>>,
}

/// Puts an answer together out of what was found.
pub(super) async fn results(
    engine: &Engine,
    requester: &Requester,
    criteria: &Criteria,
    hits: Vec<Hit>,
    (count, next_batch, highlights): (i64, Option<String>, Vec<String>),
) -> Result<Results, Error> {
    let mut answer = Results { count, next_batch, highlights, ..Results::default() };
    for group_by in &criteria.group_by {
        let (name, groups) = grouped(&hits, *group_by);
        answer.groups.insert(name, groups);
    }
    for hit in hits {
        let (room, event) = (&hit.room, std::slice::from_ref(&hit.pdu));
        let result = client_event::list(engine, room, requester, event).await?.pop();
        let Some(result) = result else { continue };
        let context = match criteria.around {
            Some(around) => Some(context(engine, requester, &hit, around).await?),
            None => None,
        };
        answer.results.push(Found { rank: hit.rank, result, context });
        if criteria.include_state && !answer.state.contains_key(&room.room_id) {
            let (_, state) = history::state(engine, requester, &room.room_id).await?;
            let state = client_event::list(engine, room, requester, &state).await?;
            answer.state.insert(room.room_id.clone(), state);
        }
    }
    Ok(answer)
}

fn grouped(hits: &[Hit], group_by: GroupBy) -> (&'static str, BTreeMap<String, Group>) {
    let mut groups: BTreeMap<String, Group> = BTreeMap::new();
    for hit in hits {
        let key = match group_by {
            GroupBy::Room => hit.room.room_id.to_string(),
            GroupBy::Sender => hit.pdu.sender.to_string(),
        };
        let order = groups.len() + 1;
        let group = groups.entry(key).or_insert_with(|| Group { results: Vec::new(), order });
        group.results.push(hit.pdu.event_id.clone());
    }
    let name = match group_by {
        GroupBy::Room => "room_id",
        GroupBy::Sender => "sender",
    };
    (name, groups)
}

async fn context(
    engine: &Engine,
    requester: &Requester,
    hit: &Hit,
    around: Around,
) -> Result<Context, Error> {
    let order = hit.pdu.place.order.unwrap_or_default();
    let limits = (around.before, around.after);
    let (before, after) = history::around(engine, requester.user, &hit.room, order, limits).await?;
    let place = |side: &[Arc<Pdu>]| side.last().and_then(|pdu| pdu.place.order).unwrap_or(order);
    let token = |order| TimelineToken::here(engine, order).to_string();
    let (start, end) = (token(place(&before)), token(place(&after).saturating_add(1)));
    let profile_info = match around.profiles {
        true => profiles(engine, hit, before.iter().chain(&after)).await?,
        false => BTreeMap::new(),
    };
    Ok(Context {
        events_before: client_event::list(engine, &hit.room, requester, &before).await?,
        events_after: client_event::list(engine, &hit.room, requester, &after).await?,
        start,
        end,
        profile_info,
    })
}

/// What the senders were called at the found event.
async fn profiles<'a>(
    engine: &Engine,
    hit: &'a Hit,
    others: impl Iterator<Item = &'a Arc<Pdu>>,
) -> Result<BTreeMap<String, Map<String, Value>>, Error> {
    let senders: BTreeSet<String> =
        others.chain(std::iter::once(&hit.pdu)).map(|pdu| pdu.sender.to_string()).collect();
    let state = engine.state_at(hit.pdu.place.state_after).await?;
    let mut profiles = BTreeMap::new();
    for sender in senders {
        let slot = engine.app().db.state_key("m.room.member", &sender).await?;
        let Some(event) = state.get(slot) else { continue };
        let member = engine.pdu(&hit.room, event).await?;
        let Some(mut profile) = member.content_as::<Map<String, Value>>() else { continue };
        profile.retain(|field, _| matches!(field.as_str(), "displayname" | "avatar_url"));
        profiles.insert(sender, profile);
    }
    Ok(profiles)
}
