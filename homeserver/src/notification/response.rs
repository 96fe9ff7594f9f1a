//! The shape of a v3 sync answer ([spec]), with events as finished JSON.
//!
//! [spec]: https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3sync

use std::collections::BTreeMap;

use ruma::{OwnedEventId, OwnedRoomId, OwnedUserId};
use serde::Serialize;
use serde_json::value::RawValue;

/// An event as JSON.
pub type Event = Box<RawValue>;

/// The answer to `/sync`.
#[derive(Debug, Default, Serialize)]
pub struct Response {
    pub next_batch: String,
    #[serde(skip_serializing_if = "Rooms::is_empty")]
    pub rooms: Rooms,
    #[serde(skip_serializing_if = "Events::is_empty")]
    pub account_data: Events,
    #[serde(skip_serializing_if = "Events::is_empty")]
    pub presence: Events,
    #[serde(skip_serializing_if = "Events::is_empty")]
    pub to_device: Events,
    #[serde(skip_serializing_if = "DeviceLists::is_empty")]
    pub device_lists: DeviceLists,
    /// Always complete: clients take a missing count for "enough".
    pub device_one_time_keys_count: BTreeMap<String, i64>,
    pub device_unused_fallback_key_types: Vec<String>,
}

impl Response {
    /// Whether there is anything a client would want to be woken for.
    pub fn is_empty(&self) -> bool {
        self.rooms.is_empty()
            && self.account_data.is_empty()
            && self.presence.is_empty()
            && self.to_device.is_empty()
            && self.device_lists.is_empty()
    }
}

/// A list of events.
#[derive(Debug, Default, Serialize)]
pub struct Events {
    pub events: Vec<Event>,
}

impl Events {
    pub fn is_empty(&self) -> bool {
        self.events.is_empty()
    }
}

impl From<Vec<Event>> for Events {
    fn from(events: Vec<Event>) -> Self {
        Self { events }
    }
}

/// Whose devices changed, and who is no longer of interest.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize)]
pub struct DeviceLists {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub changed: Vec<OwnedUserId>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub left: Vec<OwnedUserId>,
}

impl DeviceLists {
    pub fn is_empty(&self) -> bool {
        self.changed.is_empty() && self.left.is_empty()
    }
}

/// Rooms by the user's standing in them.
#[derive(Debug, Default, Serialize)]
pub struct Rooms {
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub join: BTreeMap<OwnedRoomId, JoinedRoom>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub invite: BTreeMap<OwnedRoomId, InvitedRoom>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub knock: BTreeMap<OwnedRoomId, KnockedRoom>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub leave: BTreeMap<OwnedRoomId, LeftRoom>,
}

impl Rooms {
    pub fn is_empty(&self) -> bool {
        self.join.is_empty()
            && self.invite.is_empty()
            && self.knock.is_empty()
            && self.leave.is_empty()
    }
}

/// A joined room. Of `state` and `state_after` the one the client asked for is there.
#[derive(Debug, Default, Serialize)]
pub struct JoinedRoom {
    #[serde(skip_serializing_if = "Summary::is_empty")]
    pub summary: Summary,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<Events>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state_after: Option<Events>,
    pub timeline: Timeline,
    #[serde(skip_serializing_if = "Events::is_empty")]
    pub ephemeral: Events,
    #[serde(skip_serializing_if = "Events::is_empty")]
    pub account_data: Events,
    pub unread_notifications: UnreadCounts,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unread_thread_notifications: Option<BTreeMap<OwnedEventId, UnreadCounts>>,
}

/// A room the user is invited to.
#[derive(Debug, Default, Serialize)]
pub struct InvitedRoom {
    pub invite_state: Events,
}

/// A room the user has knocked on.
#[derive(Debug, Default, Serialize)]
pub struct KnockedRoom {
    pub knock_state: Events,
}

/// A room the user has left or was banned from.
#[derive(Debug, Default, Serialize)]
pub struct LeftRoom {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<Events>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state_after: Option<Events>,
    pub timeline: Timeline,
    #[serde(skip_serializing_if = "Events::is_empty")]
    pub account_data: Events,
}

/// A part of a room's timeline, oldest first.
#[derive(Debug, Default, Serialize)]
pub struct Timeline {
    pub events: Vec<Event>,
    pub limited: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prev_batch: Option<String>,
}

/// What a client needs to name a room without its members.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize)]
pub struct Summary {
    #[serde(rename = "m.heroes", skip_serializing_if = "Option::is_none")]
    pub heroes: Option<Vec<OwnedUserId>>,
    #[serde(rename = "m.joined_member_count", skip_serializing_if = "Option::is_none")]
    pub joined_member_count: Option<u64>,
    #[serde(rename = "m.invited_member_count", skip_serializing_if = "Option::is_none")]
    pub invited_member_count: Option<u64>,
}

impl Summary {
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// Unread counts; zeros are told too, or a badge would stay.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct UnreadCounts {
    pub notification_count: u64,
    pub highlight_count: u64,
}

impl From<crate::messaging::unread::Unread> for UnreadCounts {
    fn from(unread: crate::messaging::unread::Unread) -> Self {
        Self { notification_count: unread.notifications, highlight_count: unread.highlights }
    }
}
