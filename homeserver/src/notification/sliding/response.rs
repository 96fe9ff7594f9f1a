//! The shape of a sliding sync answer, with events as finished JSON.

use std::collections::BTreeMap;

use ruma::{OwnedRoomId, OwnedUserId};
use serde::Serialize;

use super::super::response::{DeviceLists, Event};

/// The answer.
#[derive(Debug, Default, Serialize)]
pub struct Response {
    pub pos: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub txn_id: Option<String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub lists: BTreeMap<String, List>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub rooms: BTreeMap<OwnedRoomId, RoomNews>,
    pub extensions: Extensions,
}

impl Response {
    /// Whether there is anything a client would want to be woken for.
    pub fn is_empty(&self) -> bool {
        self.rooms.is_empty() && self.extensions.is_empty()
    }
}

/// How long a list is.
#[derive(Debug, Default, Clone, Copy, Serialize)]
pub struct List {
    pub count: usize,
}

/// What is new in a room.
#[derive(Debug, Default, Serialize)]
pub struct RoomNews {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// An inner `None` is told as null: the avatar is gone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub avatar: Option<Option<String>>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub initial: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub unstable_expanded_timeline: bool,
    pub is_dm: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub invite_state: Option<Vec<Event>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub timeline: Vec<Event>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub required_state: Vec<Event>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prev_batch: Option<String>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub limited: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub joined_count: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub invited_count: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub num_live: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bump_stamp: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub heroes: Option<Vec<Hero>>,
    pub notification_count: u64,
    pub highlight_count: u64,
}

/// Somebody a room without a name is called after.
#[derive(Debug, Clone, Serialize)]
pub struct Hero {
    pub user_id: OwnedUserId,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub displayname: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub avatar_url: Option<String>,
}

/// What the client asked for beside rooms.
#[derive(Debug, Default, Serialize)]
pub struct Extensions {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to_device: Option<ToDevice>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub e2ee: Option<EndToEnd>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account_data: Option<AccountData>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub receipts: Option<ByRoom>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub typing: Option<ByRoom>,
}

impl Extensions {
    /// Whether nothing in them is news.
    pub fn is_empty(&self) -> bool {
        self.to_device.as_ref().is_none_or(|part| part.events.is_empty())
            && self.e2ee.as_ref().is_none_or(|part| part.device_lists.is_empty())
            && self
                .account_data
                .as_ref()
                .is_none_or(|part| part.global.is_empty() && part.rooms.is_empty())
            && self.receipts.as_ref().is_none_or(|part| part.rooms.is_empty())
            && self.typing.as_ref().is_none_or(|part| part.rooms.is_empty())
    }
}

#[derive(Debug, Default, Serialize)]
pub struct ToDevice {
    pub next_batch: String,
    pub events: Vec<Event>,
}

#[derive(Debug, Default, Serialize)]
pub struct EndToEnd {
    #[serde(skip_serializing_if = "DeviceLists::is_empty")]
    pub device_lists: DeviceLists,
    /// Always complete: clients take a missing count for "enough".
    pub device_one_time_keys_count: BTreeMap<String, i64>,
    pub device_unused_fallback_key_types: Vec<String>,
}

#[derive(Debug, Default, Serialize)]
pub struct AccountData {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub global: Vec<Event>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub rooms: BTreeMap<OwnedRoomId, Vec<Event>>,
}

/// One event a room.
#[derive(Debug, Default, Serialize)]
pub struct ByRoom {
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub rooms: BTreeMap<OwnedRoomId, Event>,
}
