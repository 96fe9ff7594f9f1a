//! Clients of `GET /_matrix/client/v3/sync`.

use serde_json::{Value, json};

use super::{
    clients::{Client, Site},
    view::{Pages, RoomView, Section, Slice, list, take_account_data},
};
use crate::common::{TestServer, User};

/// What a client wants to be told, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Flavor {
    /// What the server tells without a filter.
    Many,
    /// Timelines of two events at most.
    Few,
    /// Members as they are needed.
    Lazy,
    /// The state after the timeline.
    StateAfter,
}

impl Flavor {
    fn query(self) -> String {
        let filter = match self {
            Self::Many => return String::new(),
            Self::StateAfter => return "use_state_after=true&".to_owned(),
            Self::Few => json!({ "room": { "timeline": { "limit": 2 } } }),
            Self::Lazy => json!({ "room": { "timeline": { "limit": 4 },
                "state": { "lazy_load_members": true } } }),
        };
        let encoded: String =
            url::form_urlencoded::byte_serialize(filter.to_string().as_bytes()).collect();
        format!("filter={encoded}&")
    }
}

pub async fn ask(
    site: &Site,
    user: &User,
    flavor: Flavor,
    (since, timeout_ms): (Option<&str>, u64),
) -> Value {
    let mut path = format!("/_matrix/client/v3/sync?{}timeout={timeout_ms}", flavor.query());
    if let Some(since) = since {
        path = format!("{path}&since={since}");
    }
    let (status, answer) = site.server.get(&path, &user.token).await;
    assert_eq!(status, 200, "{answer}");
    answer
}

/// Puts an answer into the client's view. `limit`: events a page.
pub async fn apply(
    client: &mut Client,
    server: &TestServer,
    (flavor, limit): (Flavor, usize),
    answer: &Value,
) {
    let Client { view, user, told, own_data, .. } = client;
    take_account_data(own_data, &answer["account_data"]["events"]);
    let rooms = &answer["rooms"];
    for (room_id, news) in rooms["invite"].as_object().into_iter().flatten() {
        let shown = list(&news["invite_state"]["events"]);
        let is_own = |event: &Value| event["state_key"] == user.user_id.as_str();
        assert!(shown.iter().any(is_own), "an invitation does not say whom: {news}");
        view.entry(room_id.clone()).or_default().section = Some(Section::Invite);
    }
    for part in ["join", "leave"] {
        for (room_id, news) in rooms[part].as_object().into_iter().flatten() {
            let room = view.entry(room_id.clone()).or_default();
            let mut pages = Pages { server, user, room_id, limit, told: Vec::new() };
            take_room(room, &mut pages, (flavor, part == "join"), news).await;
            for events in [&news["timeline"], &news["state"], &news["state_after"]] {
                pages.told.extend(list(&events["events"]).iter().cloned());
            }
            told.extend(pages.told.into_iter().map(|event| (room_id.clone(), event)));
        }
    }
}

async fn take_room(
    room: &mut RoomView,
    pages: &mut Pages<'_>,
    (flavor, is_in): (Flavor, bool),
    news: &Value,
) {
    let was_in = room.section == Some(Section::Join);
    room.section = Some(if is_in { Section::Join } else { Section::Leave });
    let timeline = &news["timeline"];
    let events = list(&timeline["events"]);
    let prev_batch = timeline["prev_batch"].as_str();
    if !is_in && !was_in && prev_batch.is_none() {
        // Who was not in the room is told of the end only.
        let [going] = events else { panic!("more than the end: {news}") };
        assert_eq!(going["state_key"], pages.user.user_id.as_str(), "{news}");
        room.is_whole = false;
        return;
    }
    if !was_in {
        room.state.clear();
    }
    let limited = timeline["limited"] == true;
    let slice = Slice { events, limited, prev_batch, is_anew: !was_in, replaces: false };
    room.extend(pages, slice).await;
    if room.is_whole {
        let state = [&news["state"], &news["state_after"]];
        state.into_iter().flat_map(|part| list(&part["events"])).for_each(|event| room.set(event));
        if flavor != Flavor::StateAfter {
            events.iter().for_each(|event| room.set(event));
        }
    }
    if flavor == Flavor::Lazy && room.is_whole {
        for event in events {
            let member = ("m.room.member".to_owned(), event["sender"].as_str().unwrap().to_owned());
            assert!(room.state.contains_key(&member), "the sender is not told: {event}");
        }
    }
    let count = &news["summary"]["m.joined_member_count"];
    room.joined_count = count.as_u64().or(room.joined_count);
    let count = &news["unread_notifications"]["notification_count"];
    room.unread = count.as_u64().or(room.unread);
    take_account_data(&mut room.account_data, &news["account_data"]["events"]);
    for event in list(&news["ephemeral"]["events"]) {
        if event["type"] == "m.receipt" {
            room.take_receipts(&event["content"]);
        }
    }
}
