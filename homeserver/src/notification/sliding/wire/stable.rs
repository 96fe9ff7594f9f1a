//! The stable form, `POST /_matrix/client/v4/sync` ([MSC4186] as accepted), which ruma does not know; the socket speaks it
//! too.
//!
//! Typing follows MSC4508, which is accepted. The other extensions are written as their proposals stand (MSC4538
//! to-device, MSC4543 end-to-end encryption, MSC4548 account data, MSC4551 receipts) and go by their prefixed keys until
//! these are accepted; the plain keys are taken as well, and answers use the key that was asked by.
//!
//! [MSC4186]: https://github.com/matrix-org/matrix-spec-proposals/pull/4186

use std::{collections::BTreeMap, time::Duration};

use ruma::{OwnedRoomId, UserId};
use serde::{Deserialize, Serialize};
use serde_json::{Value, value::RawValue};

use super::deployed::Count;
use crate::notification::{
    Error,
    response::Event,
    sliding::{
        answer::{AccountData, Answer, ByRoom, EndToEnd, Hero, RoomNews, StateStub, ToDevice},
        request::{self, Filters, Form, Plain, Request, Scope, Scoped},
        wanted::{self, LIMIT_MAX, Wanted},
    },
};

/// Most bytes of an opaque identifier, such as a list's name
/// (<https://spec.matrix.org/v1.19/appendices/#opaque-identifiers>).
const OPAQUE_BYTES_MAX: usize = 255;

/// The body of a request.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct Body {
    conn_id: Option<String>,
    pos: Option<String>,
    timeout: Option<u64>,
    set_presence: Option<String>,
    #[serde(default)]
    lists: BTreeMap<String, List>,
    #[serde(default)]
    room_subscriptions: BTreeMap<String, Subscription>,
    #[serde(default)]
    extensions: Extensions,
}

#[derive(Debug, Clone, Deserialize)]
struct List {
    timeline_limit: u64,
    required_state: RequiredState,
    range: Option<(u64, u64)>,
    filters: Option<RoomFilter>,
}

#[derive(Debug, Clone, Deserialize)]
struct Subscription {
    timeline_limit: u64,
    required_state: RequiredState,
}

#[derive(Debug, Clone, Default, Deserialize)]
struct RequiredState {
    #[serde(default)]
    include: Vec<Element>,
    #[serde(default)]
    exclude: Vec<Element>,
    #[serde(default)]
    lazy_members: bool,
}

#[derive(Debug, Clone, Deserialize)]
struct Element {
    #[serde(rename = "type")]
    event_type: Option<String>,
    state_key: Option<String>,
}

#[derive(Debug, Clone, Default, Deserialize)]
struct RoomFilter {
    is_dm: Option<bool>,
    spaces: Option<Vec<OwnedRoomId>>,
    is_encrypted: Option<bool>,
    is_invited: Option<bool>,
    room_types: Option<Vec<Option<String>>>,
    #[serde(default)]
    not_room_types: Vec<Option<String>>,
    tags: Option<Vec<String>>,
    #[serde(default)]
    not_tags: Vec<String>,
}

#[derive(Debug, Clone, Default, Deserialize)]
struct Extensions {
    to_device: Option<Extension>,
    #[serde(rename = "org.matrix.msc4538.to_device")]
    msc4538: Option<Extension>,
    e2ee: Option<Extension>,
    #[serde(rename = "org.matrix.msc4543.e2ee")]
    msc4543: Option<Extension>,
    account_data: Option<Extension>,
    #[serde(rename = "org.matrix.msc4548.account_data")]
    msc4548: Option<Extension>,
    receipts: Option<Extension>,
    #[serde(rename = "org.matrix.msc4551.receipts")]
    msc4551: Option<Extension>,
    typing: Option<Extension>,
    #[serde(rename = "org.matrix.msc4508.typing")]
    msc4508: Option<Extension>,
}

/// The settings of any extension.
#[derive(Debug, Clone, Deserialize)]
struct Extension {
    #[serde(default)]
    enabled: bool,
    limit: Option<Value>,
    since: Option<String>,
    lists: Option<Vec<String>>,
    rooms: Option<Vec<OwnedRoomId>>,
}

impl Body {
    /// What `me` asks for.
    ///
    /// # Errors
    /// [`Error::InvalidParam`] for what the proposal refuses.
    pub fn into_request(self, me: &UserId) -> Result<Request, Error> {
        if let Some(presence) = &self.set_presence
            && !["online", "offline", "unavailable"].contains(&presence.as_str())
        {
            return Err(invalid("set_presence is online, offline or unavailable"));
        }
        if !self.lists.keys().all(|name| is_opaque(name)) {
            return Err(invalid("a list's name has 1 to 255 of A-Z a-z 0-9 - . _ ~"));
        }
        let list = |(name, it): (String, List)| Ok((name, it.into_list(me)?));
        let subscription = |(room_id, it): (String, Subscription)| {
            let wanted = wanted(it.required_state, it.timeline_limit, me);
            // What is no room's id is no room.
            Some((OwnedRoomId::try_from(room_id).ok()?, wanted))
        };
        let has_too_many = self.room_subscriptions.len() > request::SUBSCRIPTIONS_MAX;
        if has_too_many {
            return Err(invalid("too many room subscriptions"));
        }
        let request = Request {
            form: Form::Stable,
            conn_id: self.conn_id.unwrap_or_default(),
            pos: self.pos,
            txn_id: None,
            timeout: Duration::from_millis(self.timeout.unwrap_or_default()),
            lists: self.lists.into_iter().map(list).collect::<Result<_, Error>>()?,
            subscriptions: self.room_subscriptions.into_iter().filter_map(subscription).collect(),
            extensions: self.extensions.into_extensions()?,
        };
        request.check()
    }
}

fn invalid(text: &str) -> Error {
    Error::InvalidParam(text.to_owned())
}

fn is_opaque(name: &str) -> bool {
    let is_unreserved = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    (1..=OPAQUE_BYTES_MAX).contains(&name.len()) && name.bytes().all(is_unreserved)
}

impl List {
    fn into_list(self, me: &UserId) -> Result<request::List, Error> {
        let index = |at: u64| usize::try_from(at).unwrap_or(usize::MAX);
        if self.range.is_some_and(|(from, to)| from > to) {
            return Err(invalid("a range ends where it begins, or later"));
        }
        Ok(request::List {
            ranges: self.range.map(|(from, to)| vec![(index(from), index(to))]),
            filters: self.filters.unwrap_or_default().into(),
            wanted: wanted(self.required_state, self.timeline_limit, me),
        })
    }
}

impl From<RoomFilter> for Filters {
    fn from(filter: RoomFilter) -> Self {
        let RoomFilter { is_dm, spaces, is_encrypted, is_invited, .. } = filter;
        let RoomFilter { room_types, not_room_types, tags, not_tags, .. } = filter;
        Self { is_dm, is_encrypted, is_invited, spaces, room_types, not_room_types, tags, not_tags }
    }
}

fn wanted(required: RequiredState, limit: u64, me: &UserId) -> Wanted {
    let element = |it: Element| wanted::Element {
        event_type: it.event_type,
        state_key: match it.state_key {
            None => wanted::Key::Any,
            Some(key) if key == me.as_str() => wanted::Key::Me,
            Some(key) => wanted::Key::Only(key),
        },
    };
    let elements = |list: Vec<Element>| {
        let mut elements: Vec<_> = list.into_iter().map(element).collect();
        elements.sort_unstable();
        elements
    };
    let rule = wanted::Rule {
        include: elements(required.include),
        exclude: elements(required.exclude),
        lazy_members: required.lazy_members,
    };
    let limit = usize::try_from(limit).unwrap_or(LIMIT_MAX).min(LIMIT_MAX);
    let mut wanted = Wanted { limit, ..Wanted::default() };
    wanted.state.add(rule);
    wanted
}

impl Extensions {
    fn into_extensions(self) -> Result<request::Extensions, Error> {
        let to_device =
            one("to_device", self.to_device, "org.matrix.msc4538.to_device", self.msc4538);
        let e2ee = one("e2ee", self.e2ee, "org.matrix.msc4543.e2ee", self.msc4543);
        let account_data =
            one("account_data", self.account_data, "org.matrix.msc4548.account_data", self.msc4548);
        let receipts = one("receipts", self.receipts, "org.matrix.msc4551.receipts", self.msc4551);
        let typing = one("typing", self.typing, "org.matrix.msc4508.typing", self.msc4508);
        let scoped = |(key, it): (_, Extension)| Scoped {
            key,
            scope: Scope { lists: it.lists, rooms: it.rooms },
        };
        let to_device = to_device.map(|(key, it)| {
            let limit = it.limit.map(|limit| limit.as_i64().ok_or(invalid("limit is a number")));
            let limit = limit.transpose()?;
            Ok::<_, Error>(request::ToDevice { key, limit, since: it.since })
        });
        Ok(request::Extensions {
            to_device: to_device.transpose()?,
            e2ee: e2ee.map(|(key, _)| Plain { key }),
            account_data: account_data.map(scoped),
            receipts: receipts.map(scoped),
            typing: typing.map(scoped),
        })
    }
}

/// The extension under the key by which it is on.
fn one(
    plain: &'static str,
    by_plain: Option<Extension>,
    prefixed: &'static str,
    by_prefixed: Option<Extension>,
) -> Option<(&'static str, Extension)> {
    let is_on = |it: &Extension| it.enabled;
    let by_plain = by_plain.filter(is_on).map(|it| (plain, it));
    by_plain.or_else(|| by_prefixed.filter(is_on).map(|it| (prefixed, it)))
}

/// The answer.
#[derive(Debug, Serialize)]
pub(in crate::notification::sliding) struct Response<'a> {
    pos: &'a str,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    lists: BTreeMap<&'a str, Count>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    rooms: BTreeMap<&'a OwnedRoomId, Room<'a>>,
    extensions: BTreeMap<&'static str, Part<'a>>,
}

impl<'a> From<&'a Answer> for Response<'a> {
    fn from(answer: &'a Answer) -> Self {
        let count =
            |(name, count): (&'a String, &'a usize)| (name.as_str(), Count { count: *count });
        Self {
            pos: &answer.pos,
            lists: answer.lists.iter().map(count).collect(),
            rooms: answer.rooms.iter().map(|(room_id, news)| (room_id, news.into())).collect(),
            extensions: parts(answer),
        }
    }
}

#[derive(Debug, Serialize)]
struct Room<'a> {
    bump_stamp: i64,
    membership: &'static str,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    lists: &'a [String],
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    initial: bool,
    #[serde(flatten)]
    view: View<'a>,
}

/// What is told of a room, by whether the user is or was in it.
#[derive(Debug, Serialize)]
#[serde(untagged)]
enum View<'a> {
    Outside { stripped_state: &'a [Event] },
    Inside(Box<Inside<'a>>),
}

#[derive(Debug, Serialize)]
struct Inside<'a> {
    /// An inner `None` is told as null: the name is gone.
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<Option<&'a str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    avatar: Option<Option<&'a str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    heroes: Option<&'a [Hero]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    is_dm: Option<bool>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    expanded_timeline: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    required_state: Vec<State<'a>>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    timeline: &'a [Event],
    #[serde(skip_serializing_if = "Option::is_none")]
    prev_batch: Option<&'a str>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    limited: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    num_live: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    joined_count: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    invited_count: Option<u64>,
}

#[derive(Debug, Serialize)]
#[serde(untagged)]
enum State<'a> {
    Event(&'a RawValue),
    Deleted(&'a StateStub),
}

impl<'a> From<&'a RoomNews> for Room<'a> {
    fn from(news: &'a RoomNews) -> Self {
        let view = match &news.stripped_state {
            Some(stripped_state) => View::Outside { stripped_state },
            None => View::Inside(Box::new(news.into())),
        };
        Self {
            bump_stamp: news.bump_stamp,
            membership: news.membership.as_str(),
            lists: &news.lists,
            initial: news.is_initial,
            view,
        }
    }
}

impl<'a> From<&'a RoomNews> for Inside<'a> {
    fn from(news: &'a RoomNews) -> Self {
        let state = news.required_state.iter().map(|event| State::Event(event));
        Self {
            name: news.name.as_ref().map(Option::as_deref),
            avatar: news.avatar.as_ref().map(Option::as_deref),
            heroes: news.heroes.as_deref(),
            is_dm: (news.is_dm_news || (news.is_initial && news.is_dm)).then_some(news.is_dm),
            expanded_timeline: news.is_expanded,
            required_state: state.chain(news.deleted_state.iter().map(State::Deleted)).collect(),
            timeline: &news.timeline,
            prev_batch: news.prev_batch.as_deref(),
            limited: news.is_limited,
            num_live: news.num_live,
            joined_count: news.joined_count,
            invited_count: news.invited_count,
        }
    }
}

#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Part<'a> {
    ToDevice(&'a ToDevice),
    EndToEnd(&'a EndToEnd),
    AccountData(&'a AccountData),
    ByRoom { rooms: &'a ByRoom },
}

/// The extensions by the keys they were asked by; of those about rooms, the ones that have something to tell.
fn parts(answer: &Answer) -> BTreeMap<&'static str, Part<'_>> {
    let extensions = &answer.extensions;
    let mut parts = BTreeMap::new();
    if let Some(it) = &extensions.to_device {
        parts.insert(it.key, Part::ToDevice(&it.part));
    }
    if let Some(it) = &extensions.e2ee {
        parts.insert(it.key, Part::EndToEnd(&it.part));
    }
    if let Some(it) = extensions.account_data.as_ref().filter(|it| !it.part.is_empty()) {
        parts.insert(it.key, Part::AccountData(&it.part));
    }
    for it in [&extensions.receipts, &extensions.typing].into_iter().flatten() {
        if !it.part.is_empty() {
            parts.insert(it.key, Part::ByRoom { rooms: &it.part });
        }
    }
    parts
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{Body, Room};
    use crate::{
        messaging::Membership,
        notification::sliding::answer::{RoomNews, StateStub},
    };

    #[test]
    fn state_that_is_no_more_is_told_by_its_name_alone() {
        let mut news = RoomNews::new(Membership::Join, false, 7);
        let (event_type, state_key) = ("m.room.topic".to_owned(), String::new());
        news.deleted_state = vec![StateStub { event_type, state_key }];
        assert_eq!(
            serde_json::to_value(Room::from(&news)).unwrap(),
            json!({
                "bump_stamp": 7, "membership": "join",
                "required_state": [{ "type": "m.room.topic", "state_key": "" }],
            })
        );
    }

    #[test]
    fn a_plain_key_goes_before_a_prefixed_one_and_what_is_off_is_off() {
        let extensions = |extensions| {
            let body: Body = serde_json::from_value(json!({ "extensions": extensions })).unwrap();
            body.into_request(ruma::user_id!("@alice:example.org")).unwrap().extensions
        };
        let prefixed = "org.matrix.msc4543.e2ee";
        let (on, off) = (json!({ "enabled": true }), json!({ "enabled": false }));
        let both = extensions(json!({ "e2ee": on, prefixed: on }));
        assert_eq!(both.e2ee.unwrap().key, "e2ee");
        assert_eq!(extensions(json!({ "e2ee": off, prefixed: on })).e2ee.unwrap().key, prefixed);
        assert!(extensions(json!({ "e2ee": off })).e2ee.is_none());
    }
}
