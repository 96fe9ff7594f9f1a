//! The form that was deployed before MSC4186 was accepted
//! (`POST /_matrix/client/unstable/org.matrix.simplified_msc3575/sync`). Requests are ruma's.

use std::{collections::BTreeMap, time::Duration};

use ruma::{
    OwnedRoomId, UInt,
    api::{
        IncomingRequest as _,
        client::sync::sync_events::v5::{self, request as asked},
    },
    directory::RoomTypeFilter,
    events::StateEventType,
    exports::http,
    presence::PresenceState,
};
use serde::{Deserialize, Serialize, de::Error as _};
use serde_json::{Value, value::RawValue};

use crate::{
    messaging::Membership,
    notification::{
        response::Event,
        sliding::{
            answer::{self, AccountData, Answer, EndToEnd, Hero, RoomNews, ToDevice},
            request::ToDevice as ToDeviceRequest,
            request::{Extensions, Filters, Form, List, Plain, Request, Scope, Scoped},
            wanted::{Element, Key, LIMIT_MAX, Rule, Wanted},
        },
    },
};

impl From<v5::Request> for Request {
    fn from(request: v5::Request) -> Self {
        let v5::Request {
            pos,
            conn_id,
            txn_id,
            timeout,
            set_presence,
            lists,
            room_subscriptions,
            extensions,
            ..
        } = request;
        let subscription = |(room_id, it): (OwnedRoomId, asked::RoomSubscription)| {
            (room_id, wanted(&it.required_state, it.timeline_limit))
        };
        Self {
            form: Form::Deployed,
            conn_id: conn_id.unwrap_or_default(),
            pos: pos.filter(|pos| !pos.is_empty()),
            txn_id,
            timeout: timeout.unwrap_or(Duration::ZERO),
            set_presence: (&set_presence).into(),
            lists: lists.into_iter().map(|(name, it)| (name, list(it))).collect(),
            subscriptions: room_subscriptions.into_iter().map(subscription).collect(),
            extensions: extensions_of(extensions),
        }
    }
}

/// What stands in the query of this form's path, and on the socket in the body. `timeout` means nothing there.
#[derive(Deserialize)]
struct Query {
    pos: Option<String>,
    #[serde(default)]
    set_presence: PresenceState,
}

/// Reads a request all of which is in its body.
///
/// # Errors
/// When it is none.
pub fn read(body: Value) -> Result<Request, serde_json::Error> {
    let Query { pos, set_presence } = Query::deserialize(&body)?;
    let request = http::Request::post("/").body(serde_json::to_vec(&body)?);
    let request = request.map_err(serde_json::Error::custom)?;
    let mut request = v5::Request::try_from_http_request(request, &[] as &[&str])
        .map_err(serde_json::Error::custom)?;
    request.pos = pos;
    request.set_presence = set_presence;
    Ok(request.into())
}

fn list(list: asked::List) -> List {
    let index = |at: UInt| usize::try_from(at).unwrap_or(usize::MAX);
    let ranges = list.ranges.iter().map(|(from, to)| (index(*from), index(*to)));
    List {
        ranges: Some(ranges.collect::<Vec<_>>()).filter(|ranges| !ranges.is_empty()),
        filters: list.filters.map(filters).unwrap_or_default(),
        wanted: wanted(&list.room_details.required_state, list.room_details.timeline_limit),
    }
}

fn filters(filters: asked::ListFilters) -> Filters {
    let types = |types: &[RoomTypeFilter]| -> Vec<Option<String>> {
        types.iter().map(|one| one.as_str().map(str::to_owned)).collect()
    };
    Filters {
        is_dm: filters.is_dm,
        is_encrypted: filters.is_encrypted,
        is_invited: filters.is_invite,
        room_types: Some(types(&filters.room_types)).filter(|types| !types.is_empty()),
        not_room_types: types(&filters.not_room_types),
        ..Filters::default()
    }
}

/// One rule: a type and a state key each; `*`, `$ME` and `$LAZY` have their meanings.
fn wanted(required: &[(StateEventType, String)], limit: UInt) -> Wanted {
    let mut rule = Rule::default();
    for (event_type, state_key) in required {
        let event_type = event_type.to_string();
        let key = match state_key.as_str() {
            "$LAZY" => {
                rule.lazy_members |= event_type == "m.room.member";
                continue;
            }
            "$ME" => Key::Me,
            "*" => Key::Any,
            only => Key::Only(only.to_owned()),
        };
        let event_type = (event_type != "*").then_some(event_type);
        rule.include.push(Element { event_type, state_key: key });
    }
    rule.include.sort_unstable();
    let limit = usize::try_from(limit).unwrap_or(LIMIT_MAX).min(LIMIT_MAX);
    let mut wanted = Wanted { limit, ..Wanted::default() };
    wanted.state.add(rule);
    wanted
}

fn extensions_of(wanted: asked::Extensions) -> Extensions {
    let is_on = |enabled: Option<bool>| enabled == Some(true);
    let scoped = |key, lists, rooms: Option<Vec<asked::ExtensionRoomConfig>>| {
        // `*` stands for all subscriptions, as does nothing.
        let all = rooms.as_ref().is_some_and(|rooms| {
            rooms.iter().any(|room| matches!(room, asked::ExtensionRoomConfig::AllSubscribed))
        });
        let named = rooms.filter(|_| !all).map(|rooms| {
            let room = |room| match room {
                asked::ExtensionRoomConfig::Room(room_id) => Some(room_id),
                _ => None,
            };
            rooms.into_iter().filter_map(room).collect()
        });
        Scoped { key, scope: Scope { lists, rooms: named } }
    };
    let asked::Extensions { to_device, e2ee, account_data, receipts, typing, .. } = wanted;
    Extensions {
        to_device: is_on(to_device.enabled).then(|| ToDeviceRequest {
            key: "to_device",
            limit: to_device.limit.map(i64::from),
            since: to_device.since,
        }),
        e2ee: is_on(e2ee.enabled).then_some(Plain { key: "e2ee" }),
        account_data: is_on(account_data.enabled)
            .then(|| scoped("account_data", account_data.lists, account_data.rooms)),
        receipts: is_on(receipts.enabled)
            .then(|| scoped("receipts", receipts.lists, receipts.rooms)),
        typing: is_on(typing.enabled).then(|| scoped("typing", typing.lists, typing.rooms)),
    }
}

/// The answer.
#[derive(Debug, Serialize)]
pub(in crate::notification::sliding) struct Response<'a> {
    pos: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    txn_id: Option<&'a str>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    lists: BTreeMap<&'a str, Count>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    rooms: BTreeMap<&'a OwnedRoomId, Room<'a>>,
    extensions: Parts<'a>,
}

/// How long a list is.
#[derive(Debug, Serialize)]
pub(super) struct Count {
    pub(super) count: usize,
}

impl<'a> From<&'a Answer> for Response<'a> {
    fn from(answer: &'a Answer) -> Self {
        let count =
            |(name, count): (&'a String, &'a usize)| (name.as_str(), Count { count: *count });
        Self {
            pos: &answer.pos,
            txn_id: answer.txn_id.as_deref(),
            lists: answer.lists.iter().map(count).collect(),
            rooms: answer.rooms.iter().map(|(room_id, news)| (room_id, news.into())).collect(),
            extensions: (&answer.extensions).into(),
        }
    }
}

#[derive(Debug, Serialize)]
struct Room<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    /// An inner `None` is told as null: the avatar is gone.
    #[serde(skip_serializing_if = "Option::is_none")]
    avatar: Option<Option<&'a str>>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    initial: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    unstable_expanded_timeline: bool,
    is_dm: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    invite_state: Option<&'a [Event]>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    timeline: &'a [Event],
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    required_state: &'a [Event],
    #[serde(skip_serializing_if = "Option::is_none")]
    prev_batch: Option<&'a str>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    limited: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    joined_count: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    invited_count: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    num_live: Option<usize>,
    bump_stamp: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    heroes: Option<&'a [Hero]>,
    notification_count: u64,
    highlight_count: u64,
}

impl<'a> From<&'a RoomNews> for Room<'a> {
    fn from(news: &'a RoomNews) -> Self {
        let is_outside = matches!(news.membership, Membership::Invite | Membership::Knock);
        Self {
            name: news.name.as_ref().and_then(Option::as_deref),
            avatar: news.avatar.as_ref().map(Option::as_deref),
            initial: news.is_initial,
            unstable_expanded_timeline: news.is_expanded,
            is_dm: news.is_dm,
            // Clients of this form take a room with it for an invitation.
            invite_state: news.stripped_state.as_deref().filter(|_| is_outside),
            timeline: &news.timeline,
            required_state: &news.required_state,
            prev_batch: news.prev_batch.as_deref(),
            limited: news.is_limited,
            joined_count: news.joined_count,
            invited_count: news.invited_count,
            num_live: news.num_live,
            bump_stamp: news.bump_stamp,
            heroes: news.heroes.as_deref(),
            notification_count: news.unread.notifications,
            highlight_count: news.unread.highlights,
        }
    }
}

#[derive(Debug, Serialize)]
struct Parts<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    to_device: Option<&'a ToDevice>,
    #[serde(skip_serializing_if = "Option::is_none")]
    e2ee: Option<&'a EndToEnd>,
    #[serde(skip_serializing_if = "Option::is_none")]
    account_data: Option<&'a AccountData>,
    #[serde(skip_serializing_if = "Option::is_none")]
    receipts: Option<Rooms<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    typing: Option<Rooms<'a>>,
}

#[derive(Debug, Serialize)]
struct Rooms<'a> {
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    rooms: BTreeMap<&'a OwnedRoomId, Ephemeral<'a>>,
}

#[derive(Debug, Serialize)]
struct Ephemeral<'a> {
    #[serde(rename = "type")]
    event_type: &'static str,
    content: &'a RawValue,
}

impl<'a> From<&'a answer::Extensions> for Parts<'a> {
    fn from(extensions: &'a answer::Extensions) -> Self {
        let events = |rooms: &'a answer::ByRoom, event_type| Rooms {
            rooms: rooms
                .iter()
                .map(|(room_id, content)| (room_id, Ephemeral { event_type, content }))
                .collect(),
        };
        Self {
            to_device: extensions.to_device.as_ref().map(|keyed| &keyed.part),
            e2ee: extensions.e2ee.as_ref().map(|keyed| &keyed.part),
            account_data: extensions.account_data.as_ref().map(|keyed| &keyed.part),
            receipts: extensions.receipts.as_ref().map(|keyed| events(&keyed.part, "m.receipt")),
            typing: extensions.typing.as_ref().map(|keyed| events(&keyed.part, "m.typing")),
        }
    }
}
