//! What a sliding sync answers, before it is written in one of the two forms; events are finished JSON.

use std::collections::BTreeMap;

use ruma::{OwnedRoomId, OwnedUserId};
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;

use super::{
    super::response::{DeviceLists, Event},
    request::Form,
    wire,
};
use crate::messaging::{Membership, unread::Unread};

/// The answer. It is written in the form of its request.
#[derive(Debug)]
pub struct Answer {
    pub form: Form,
    pub pos: String,
    pub txn_id: Option<String>,
    /// How many rooms each list has.
    pub lists: BTreeMap<String, usize>,
    pub rooms: BTreeMap<OwnedRoomId, RoomNews>,
    pub extensions: Extensions,
}

impl Answer {
    pub(super) fn new(form: Form, txn_id: Option<String>) -> Self {
        let (lists, rooms) = (BTreeMap::new(), BTreeMap::new());
        Self { form, pos: String::new(), txn_id, lists, rooms, extensions: Extensions::default() }
    }

    /// Whether there is nothing a client would want to be woken for.
    pub fn is_empty(&self) -> bool {
        self.rooms.is_empty() && self.extensions.is_empty()
    }
}

impl Serialize for Answer {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.form {
            Form::Deployed => wire::deployed::Response::from(self).serialize(serializer),
            Form::Stable => wire::stable::Response::from(self).serialize(serializer),
        }
    }
}

/// What is new in a room.
#[derive(Debug)]
pub struct RoomNews {
    pub membership: Membership,
    /// The lists that have the room in their windows.
    pub lists: Vec<String>,
    pub bump_stamp: i64,
    /// The room is told from its beginning.
    pub is_initial: bool,
    pub is_dm: bool,
    /// The connection was told otherwise.
    pub is_dm_news: bool,
    /// What somebody who was never in the room may know of it.
    pub stripped_state: Option<Vec<Event>>,
    /// `None`: as before. An inner `None`: the room has no name any more.
    pub name: Option<Option<String>>,
    /// As `name`.
    pub avatar: Option<Option<String>>,
    pub heroes: Option<Vec<Hero>>,
    pub is_expanded: bool,
    pub required_state: Vec<Event>,
    /// State that is no more.
    pub deleted_state: Vec<StateStub>,
    pub timeline: Vec<Event>,
    pub prev_batch: Option<String>,
    pub is_limited: bool,
    pub num_live: Option<usize>,
    pub joined_count: Option<u64>,
    pub invited_count: Option<u64>,
    pub unread: Unread,
}

impl RoomNews {
    pub(super) fn new(membership: Membership, is_dm: bool, bump_stamp: i64) -> Self {
        Self {
            membership,
            lists: Vec::new(),
            bump_stamp,
            is_initial: false,
            is_dm,
            is_dm_news: false,
            stripped_state: None,
            name: None,
            avatar: None,
            heroes: None,
            is_expanded: false,
            required_state: Vec::new(),
            deleted_state: Vec::new(),
            timeline: Vec::new(),
            prev_batch: None,
            is_limited: false,
            num_live: None,
            joined_count: None,
            invited_count: None,
            unread: Unread::default(),
        }
    }
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

/// A state event that is no more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StateStub {
    #[serde(rename = "type")]
    pub event_type: String,
    pub state_key: String,
}

/// What the client asked for beside rooms, each under the key it asked by.
#[derive(Debug, Default)]
pub struct Extensions {
    pub to_device: Option<Keyed<ToDevice>>,
    pub e2ee: Option<Keyed<EndToEnd>>,
    pub account_data: Option<Keyed<AccountData>>,
    /// The contents of `m.receipt` events.
    pub receipts: Option<Keyed<ByRoom>>,
    /// The contents of `m.typing` events.
    pub typing: Option<Keyed<ByRoom>>,
}

/// The answer of an extension.
#[derive(Debug)]
pub struct Keyed<T> {
    pub key: &'static str,
    pub part: T,
}

/// A content a room.
pub(super) type ByRoom = BTreeMap<OwnedRoomId, Box<RawValue>>;

impl Extensions {
    /// Whether nothing in them is news.
    fn is_empty(&self) -> bool {
        self.to_device.as_ref().is_none_or(|keyed| keyed.part.events.is_empty())
            && self.e2ee.as_ref().is_none_or(|keyed| keyed.part.device_lists.is_empty())
            && self.account_data.as_ref().is_none_or(|keyed| keyed.part.is_empty())
            && self.receipts.as_ref().is_none_or(|keyed| keyed.part.is_empty())
            && self.typing.as_ref().is_none_or(|keyed| keyed.part.is_empty())
    }
}

/// Messages to the device.
#[derive(Debug, Default, Serialize)]
pub struct ToDevice {
    pub next_batch: String,
    pub events: Vec<Event>,
}

/// What end-to-end encryption needs to know.
#[derive(Debug, Default, Serialize)]
pub struct EndToEnd {
    #[serde(skip_serializing_if = "DeviceLists::is_empty")]
    pub device_lists: DeviceLists,
    /// Always complete: clients take a missing count for "enough".
    pub device_one_time_keys_count: BTreeMap<String, i64>,
    pub device_unused_fallback_key_types: Vec<String>,
}

/// The user's account data.
#[derive(Debug, Default, Serialize)]
pub struct AccountData {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub global: Vec<Event>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub rooms: BTreeMap<OwnedRoomId, Vec<Event>>,
}

impl AccountData {
    pub(super) fn is_empty(&self) -> bool {
        self.global.is_empty() && self.rooms.is_empty()
    }
}
