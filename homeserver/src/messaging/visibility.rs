//! Who may see an event: the room's history visibility and the user's membership, both at the event.
//!
//! The one place for it: sync, history, search, context and bundled relations all ask here.
//! Spec: <https://spec.matrix.org/v1.19/client-server-api/#room-history-visibility>.

use std::sync::Arc;

use ruma::events::TimelineEventType;
use serde::Deserialize;

use super::{Engine, Error, Membership, Pdu, Room, build::standing, state::Lineage};
use crate::storage::{Id, Position};

/// Most changes of a user's standing that are followed back.
const STANDINGS_MAX: usize = 64;

/// One user's view of one room. Made once per request and room; cheap until an event needs a look at old state.
#[derive(Debug, Clone, Copy)]
pub struct Sight<'a> {
    pub engine: &'a Engine,
    pub room: &'a Room,
    /// The interned user.
    pub user: Id,
    standing: Option<Standing>,
}

/// The user's standing of today.
#[derive(Debug, Clone, Copy)]
struct Standing {
    membership: Membership,
    event: Id,
    position: Position,
}

/// `m.room.history_visibility`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Setting {
    WorldReadable,
    Shared,
    Invited,
    Joined,
}

impl Setting {
    /// What an event says; no event, or one that says nothing known, means `shared`.
    fn of(pdu: Option<&Pdu>) -> Self {
        #[derive(Deserialize)]
        struct Content {
            history_visibility: String,
        }
        let said = pdu.and_then(|pdu| pdu.content_as::<Content>());
        match said.as_ref().map(|content| content.history_visibility.as_str()) {
            Some("world_readable") => Self::WorldReadable,
            Some("invited") => Self::Invited,
            Some("joined") => Self::Joined,
            _ => Self::Shared,
        }
    }
}

/// The setting in a state.
pub(super) async fn setting_at(
    engine: &Engine,
    room: &Room,
    state: &Lineage,
) -> Result<Setting, Error> {
    let slot = engine.app().db.state_key("m.room.history_visibility", "").await?;
    match state.get(slot) {
        Some(event) => Ok(Setting::of(Some(&*engine.pdu(room, event).await?))),
        None => Ok(Setting::Shared),
    }
}

/// Whether `user` may see `pdu`. For several events of a room, make one [`Sight`].
pub async fn may_see(engine: &Engine, room: &Room, user: Id, pdu: &Pdu) -> Result<bool, Error> {
    Sight::new(engine, room, user).sees(pdu).await
}

/// Whether everybody may read the room today.
pub async fn is_world_readable(engine: &Engine, room: &Room) -> Result<bool, Error> {
    let event = engine.state_event(room, "m.room.history_visibility", "").await?;
    Ok(Setting::of(event.as_deref()) == Setting::WorldReadable)
}

impl<'a> Sight<'a> {
    pub fn new(engine: &'a Engine, room: &'a Room, user: Id) -> Self {
        let standing = room.seen().members.get(&user).map(|member| Standing {
            membership: member.membership,
            event: member.event,
            position: member.position,
        });
        Self { engine, room, user, standing }
    }

    /// The user's membership of today.
    pub fn membership(&self) -> Option<Membership> {
        self.standing.map(|standing| standing.membership)
    }

    /// The user's membership right after `pdu`, where that takes no look at old state.
    pub fn membership_after(&self, pdu: &Pdu) -> Option<Membership> {
        let standing = self.standing?;
        (pdu.place.is_live() && pdu.place.position? >= standing.position)
            .then_some(standing.membership)
    }

    /// The user's membership right after `pdu`: `leave` for who was never in the room; `None` where the state is not known.
    pub async fn membership_at(&self, pdu: &Pdu) -> Result<Option<Membership>, Error> {
        if let Some(membership) = self.membership_after(pdu) {
            return Ok(Some(membership));
        }
        if pdu.place.state_after.is_none() {
            return Ok(None);
        }
        let state = self.engine.state_at(pdu.place.state_after).await?;
        match state.get(self.member_slot().await?) {
            Some(id) => Ok(standing(&*self.engine.pdu(self.room, id).await?)),
            None => Ok(Some(Membership::Leave)),
        }
    }

    /// The events that the user may see, in the order given.
    pub async fn filter(&self, pdus: Vec<Arc<Pdu>>) -> Result<Vec<Arc<Pdu>>, Error> {
        let mut visible = Vec::with_capacity(pdus.len());
        for pdu in pdus {
            if self.sees(&pdu).await? {
                visible.push(pdu);
            }
        }
        Ok(visible)
    }

    /// Whether the user may see `pdu`.
    pub async fn sees(&self, pdu: &Pdu) -> Result<bool, Error> {
        if pdu.place.order.is_none() {
            return Ok(false);
        }
        if self.membership_after(pdu) == Some(Membership::Join) || self.is_own(pdu).await? {
            return Ok(true);
        }
        if let Some(seen) = self.sees_by_todays_setting(pdu).await? {
            return Ok(seen);
        }
        let before = self.engine.state_at(pdu.place.state_before).await?;
        if self.allows(&before, pdu).await? {
            return Ok(true);
        }
        // A change of the setting itself is seen under the old one and under the new one.
        if pdu.event_type == TimelineEventType::RoomHistoryVisibility && pdu.is_state() {
            let after = self.engine.state_at(pdu.place.state_after).await?;
            return self.allows(&after, pdu).await;
        }
        Ok(false)
    }

    /// Whether `pdu` is about the user's own membership.
    async fn is_own(&self, pdu: &Pdu) -> Result<bool, Error> {
        if pdu.event_type != TimelineEventType::RoomMember || !pdu.is_state() {
            return Ok(false);
        }
        let user_id = self.engine.app().db.user_name(self.user).await?;
        Ok(pdu.state_key.as_deref() == Some(user_id.as_str()))
    }

    /// The user's slot of room state.
    pub async fn member_slot(&self) -> Result<Id, Error> {
        let db = &self.engine.app().db;
        let user_id = db.user_name(self.user).await?;
        Ok(db.state_key("m.room.member", &user_id).await?)
    }

    /// The answer, if the setting of today was already in force at the event and needs no membership at the event.
    async fn sees_by_todays_setting(&self, pdu: &Pdu) -> Result<Option<bool>, Error> {
        let event = self.engine.state_event(self.room, "m.room.history_visibility", "").await?;
        let Some(event) = event else { return Ok(None) };
        if event.place.order.is_none() || event.place.order > pdu.place.order {
            return Ok(None);
        }
        let is_joined = self.membership() == Some(Membership::Join);
        Ok(match Setting::of(Some(&event)) {
            Setting::WorldReadable => Some(true),
            Setting::Shared if is_joined => Some(true),
            Setting::Shared if self.standing.is_none() => Some(false),
            _ => None,
        })
    }

    async fn allows(&self, state: &Lineage, pdu: &Pdu) -> Result<bool, Error> {
        let db = &self.engine.app().db;
        let setting_slot = db.state_key("m.room.history_visibility", "").await?;
        let setting = match state.get(setting_slot) {
            Some(id) => Setting::of(Some(&*self.engine.pdu(self.room, id).await?)),
            None => Setting::Shared,
        };
        if setting == Setting::WorldReadable {
            return Ok(true);
        }
        let member_slot = self.member_slot().await?;
        let membership = match state.get(member_slot) {
            Some(id) => standing(&*self.engine.pdu(self.room, id).await?),
            None => None,
        };
        Ok(match (setting, membership) {
            (_, Some(Membership::Join)) | (Setting::Invited, Some(Membership::Invite)) => true,
            (Setting::Shared, _) => self.joined_after(pdu, member_slot).await?,
            _ => false,
        })
    }

    /// Whether the user was joined at some time after `pdu`.
    async fn joined_after(&self, pdu: &Pdu, member_slot: Id) -> Result<bool, Error> {
        let mut next = self.standing.map(|standing| standing.event);
        for _ in 0..STANDINGS_MAX {
            let Some(id) = next else { return Ok(false) };
            let event = self.engine.pdu(self.room, id).await?;
            // Where the event has no place, it came with the room's state: at our own join, after all history.
            if event.place.order.is_some_and(|order| Some(order) <= pdu.place.order) {
                return Ok(false);
            }
            if standing(&event) == Some(Membership::Join) {
                return Ok(true);
            }
            next = self.engine.state_at(event.place.state_before).await?.get(member_slot);
        }
        Ok(false)
    }
}
