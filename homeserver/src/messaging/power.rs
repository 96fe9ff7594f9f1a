//! Power levels: who may do what in a room.

use std::{
    cmp::Reverse,
    collections::{BTreeSet, HashSet},
};

use ruma::{
    CanonicalJsonObject, OwnedUserId, UserId,
    events::{StateEventType, TimelineEventType},
    room_version_rules::AuthorizationRules,
    state_res::events::{RoomCreateEvent, RoomPowerLevelsEvent, RoomPowerLevelsIntField},
};

use super::{Engine, Error, build::AuthState, pdu::Pdu, room::Room};
use std::sync::Arc;

/// A power level; creators since version 12 stand above all numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Power {
    Level(i64),
    Creator,
}

/// The power levels of a room as its rules read them.
#[derive(Debug)]
pub struct PowerLevels<'a> {
    rules: &'a AuthorizationRules,
    levels: Option<RoomPowerLevelsEvent<Arc<Pdu>>>,
    creators: HashSet<OwnedUserId>,
}

/// From the events an authorization looked at.
pub(super) fn of_auth_state<'a>(room: &'a Room, auth: &AuthState) -> PowerLevels<'a> {
    let event = |event_type| auth.get(&(event_type, String::new())).cloned();
    of_events(
        &room.rules.authorization,
        event(StateEventType::RoomCreate),
        event(StateEventType::RoomPowerLevels),
    )
}

/// From the room's committed state.
pub async fn of_room<'a>(engine: &Engine, room: &'a Room) -> Result<PowerLevels<'a>, Error> {
    let create = engine.state_event(room, "m.room.create", "").await?;
    let levels = engine.state_event(room, "m.room.power_levels", "").await?;
    Ok(of_events(&room.rules.authorization, create, levels))
}

/// From the two events that say it.
pub(super) fn of_events(
    rules: &AuthorizationRules,
    create: Option<Arc<Pdu>>,
    levels: Option<Arc<Pdu>>,
) -> PowerLevels<'_> {
    let creators = create.and_then(|create| RoomCreateEvent::new(create).creators(rules).ok());
    PowerLevels {
        rules,
        levels: levels.map(RoomPowerLevelsEvent::new),
        creators: creators.unwrap_or_default(),
    }
}

/// Refuses power levels that give a creator a number, where creators stand above all numbers.
pub(super) async fn check_users(
    engine: &Engine,
    room: &Room,
    content: &CanonicalJsonObject,
) -> Result<(), Error> {
    let levels = of_room(engine, room).await?;
    let users = content.get("users").and_then(|users| users.as_object());
    let named = users.into_iter().flat_map(|users| users.keys());
    let mut named = named.filter_map(|user| <&UserId>::try_from(user.as_str()).ok());
    match named.find(|user| levels.of(user) == Power::Creator) {
        Some(user) => {
            Err(Error::BadEvent(format!("{user} made the room and needs no power level")))
        }
        None => Ok(()),
    }
}

impl PowerLevels<'_> {
    /// Those who made the room.
    pub(super) fn into_creators(self) -> HashSet<OwnedUserId> {
        self.creators
    }

    /// A user's power.
    pub fn of(&self, user_id: &UserId) -> Power {
        let rules = self.rules;
        let creator = self.creators.contains(user_id);
        if creator && rules.explicitly_privilege_room_creators {
            return Power::Creator;
        }
        match &self.levels {
            Some(levels) => {
                Power::Level(levels.user_power_level(user_id, rules).map_or(0, i64::from))
            }
            None => Power::Level(if creator { 100 } else { 0 }),
        }
    }

    fn field(&self, field: RoomPowerLevelsIntField) -> Power {
        let default = i64::from(field.default_value());
        let levels = self.levels.as_ref();
        Power::Level(
            levels
                .and_then(|levels| levels.get_as_int_or_default(field, self.rules).ok())
                .map_or(default, i64::from),
        )
    }

    /// The power of who is not named.
    pub(super) fn of_others(&self) -> Power {
        self.field(RoomPowerLevelsIntField::UsersDefault)
    }

    /// Those who stand out, by name or because they made the room; the most powerful first.
    pub(super) fn named(&self) -> Vec<(Power, &UserId)> {
        let users = self.levels.as_ref().and_then(|levels| levels.users(self.rules).ok().flatten());
        let users = users.into_iter().flat_map(|users| users.keys());
        let names: BTreeSet<&UserId> = users.chain(&self.creators).map(|user| &**user).collect();
        let mut named: Vec<_> = names.into_iter().map(|user| (self.of(user), user)).collect();
        named.sort_by_key(|(power, _)| Reverse(*power));
        named
    }

    /// What it takes to send a message of this type.
    pub(super) fn to_send(&self, event_type: &str) -> Power {
        let event_type = TimelineEventType::from(event_type);
        let needed = self.levels.as_ref().map_or(0, |levels| {
            levels.event_power_level(&event_type, None, self.rules).map_or(0, i64::from)
        });
        Power::Level(needed)
    }

    pub fn may_redact(&self, user_id: &UserId) -> bool {
        self.of(user_id) >= self.field(RoomPowerLevelsIntField::Redact)
    }

    pub fn may_invite(&self, user_id: &UserId) -> bool {
        self.of(user_id) >= self.field(RoomPowerLevelsIntField::Invite)
    }

    /// Whether `user_id` may send state events of this type.
    pub fn may_send_state(&self, user_id: &UserId, event_type: &str) -> bool {
        let event_type = TimelineEventType::from(event_type);
        let needed = match &self.levels {
            Some(levels) => {
                levels.event_power_level(&event_type, Some(""), self.rules).map_or(50, i64::from)
            }
            None => 0,
        };
        self.of(user_id) >= Power::Level(needed)
    }
}
