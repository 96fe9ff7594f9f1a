//! To whom an event means something else than the room's running totals say: written in the event's commit.
//!
//! Users whose rules are the usual cost nothing, unless they are mentioned. Spec:
//! <https://spec.matrix.org/v1.19/client-server-api/#receiving-notifications>. In encrypted rooms rules see what the server sees:
//! `m.room.encrypted`; clients judge for themselves what is in it.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use ruma::{
    OwnedUserId, UserId,
    events::{TimelineEventType, room::power_levels::RoomPowerLevels},
    push::{FlattenedJson, PushConditionPowerLevelsCtx, PushConditionRoomCtx},
    serde::Raw,
};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::{Building, Error, pdu::Pdu, power, wishes};
use crate::{
    account::{self, Outcome, Wishes},
    storage::{Id, UserAction},
};

/// Mentioned users that are looked up one by one.
const LOOKED_UP_MAX: usize = 16;

#[derive(Deserialize)]
struct Content {
    #[serde(rename = "m.mentions")]
    mentions: Option<Mentions>,
}

/// Whom an event says it is for.
#[derive(Default, Deserialize)]
struct Mentions {
    #[serde(default)]
    user_ids: Vec<String>,
    #[serde(default)]
    room: bool,
}

/// The exceptions that `pdu` makes for this server's joined users.
pub(super) async fn of(building: &Building<'_>, pdu: &Pdu) -> Result<Vec<UserAction>, Error> {
    let Some(timeline_order) = pdu.place.order else { return Ok(Vec::new()) };
    let room = &building.room;
    let differing = wishes::differing(building.engine, room, &pdu.sender).await?;
    let mentions = pdu.content_as::<Content>().and_then(|content| content.mentions);
    let mentions = mentions.unwrap_or_default();
    let is_for_all = mentions.room || pdu.event_type == TimelineEventType::RoomTombstone;
    if differing.is_empty() && mentions.user_ids.is_empty() && !is_for_all {
        return Ok(Vec::new());
    }
    let Some(judge) = Judge::new(building, pdu).await? else { return Ok(Vec::new()) };
    let mut outcomes: BTreeMap<Id, Outcome> = BTreeMap::new();
    if is_for_all {
        let outcome = judge.by_defaults(&nobody(building)?).await;
        outcomes.extend(room.seen().local_joined.iter().map(|user| (*user, outcome)));
    }
    for (user, user_id) in mentioned(building, &mentions).await? {
        outcomes.insert(user, judge.by_defaults(&user_id).await);
    }
    for (user, wishes) in differing {
        outcomes.insert(user, judge.by(user, &wishes).await?);
    }
    outcomes.remove(&pdu.sender_id);
    let counts = pdu.is_countable();
    let usual = Outcome { notify: counts, highlight: false };
    let exceptions = outcomes.into_iter().filter(|(_, outcome)| *outcome != usual);
    let action = |(user, outcome): (Id, Outcome)| UserAction {
        user,
        event: pdu.id,
        timeline_order,
        thread: pdu.place.thread,
        delta: i64::from(outcome.notify) - i64::from(counts),
        notify: outcome.notify,
        highlight: outcome.highlight,
    };
    Ok(exceptions.map(action).collect())
}

/// A name that no mention can have: user ids are not empty.
fn nobody(building: &Building<'_>) -> Result<OwnedUserId, Error> {
    let name = format!("@:{}", building.engine.app().server_name);
    UserId::parse(name).map_err(Error::bad_event)
}

/// This server's joined users that an event names.
async fn mentioned(
    building: &Building<'_>,
    mentions: &Mentions,
) -> Result<Vec<(Id, OwnedUserId)>, Error> {
    let app = building.engine.app();
    let ours: BTreeSet<OwnedUserId> = mentions
        .user_ids
        .iter()
        .filter_map(|name| UserId::parse(name).ok())
        .filter(|user_id| app.is_ours(user_id.server_name()))
        .collect();
    let seen = |user: &Id| {
        let seen = building.room.seen();
        seen.members
            .get(user)
            .filter(|_| seen.is_joined(*user))
            .map(|member| member.user_id.clone())
    };
    if ours.len() > LOOKED_UP_MAX {
        // Made-up names would each cost a question to the database.
        let here = building.room.seen().local_joined.clone();
        let named = here.into_iter().filter_map(|user| Some((user, seen(&user)?)));
        return Ok(named.filter(|(_, user_id)| ours.contains(user_id)).collect());
    }
    let mut found = Vec::new();
    for user_id in ours {
        let user = app.db.find_user(user_id.as_str()).await?;
        found.extend(user.filter(|user| seen(user).is_some()).map(|user| (user, user_id)));
    }
    Ok(found)
}

/// An event taken apart once, to be judged by the rules of many.
struct Judge<'a> {
    building: &'a Building<'a>,
    sender: &'a UserId,
    event: FlattenedJson,
    levels: PushConditionPowerLevelsCtx,
    members: u64,
}

impl<'a> Judge<'a> {
    async fn new(building: &'a Building<'a>, pdu: &'a Pdu) -> Result<Option<Self>, Error> {
        let Ok(json) = serde_json::from_slice::<Box<RawValue>>(&pdu.json) else { return Ok(None) };
        let event = FlattenedJson::from_raw(&Raw::<serde_json::Value>::from_json(json));
        let create = building.state_event("m.room.create", "").await?;
        let levels = building.state_event("m.room.power_levels", "").await?;
        let rules = &building.room.rules.authorization;
        let creators = power::of_events(rules, create, levels.clone()).into_creators();
        let content = levels.and_then(|levels| levels.content_as());
        let source = Option::<ruma::events::room::power_levels::RoomPowerLevelsEventContent>::into;
        let levels = RoomPowerLevels::new(source(content), rules, creators);
        let members = building.room.seen().joined_count;
        Ok(Some(Self { building, sender: &pdu.sender, event, levels: levels.into(), members }))
    }

    fn context(&self, user_id: &UserId, display_name: String) -> PushConditionRoomCtx {
        PushConditionRoomCtx::new(
            self.building.room.room_id.clone(),
            self.members.try_into().unwrap_or(ruma::UInt::MAX),
            user_id.to_owned(),
            display_name,
        )
        .with_power_levels(self.levels.clone())
    }

    async fn by_defaults(&self, user_id: &UserId) -> Outcome {
        account::judge_by_defaults(&self.event, &self.context(user_id, String::new())).await
    }

    async fn by(&self, user: Id, wishes: &Arc<Wishes>) -> Result<Outcome, Error> {
        let member = self.building.room.seen().members.get(&user).cloned();
        let Some(member) = member else { return Ok(Outcome::default()) };
        let name = if wishes.needs_name() { self.display_name(member.event).await? } else { None };
        let context = self.context(&member.user_id, name.unwrap_or_default());
        Ok(wishes.judge(self.sender, &self.event, &context).await)
    }

    /// How a user is called in the room.
    async fn display_name(&self, member: Id) -> Result<Option<String>, Error> {
        #[derive(Deserialize)]
        struct Content {
            displayname: Option<String>,
        }
        let event = self.building.engine.pdu(&self.building.room, member).await?;
        Ok(event.content_as::<Content>().and_then(|content| content.displayname))
    }
}
