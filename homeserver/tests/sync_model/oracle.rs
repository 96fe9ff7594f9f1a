//! What each user may see, worked out from the dump as plainly as it can be: every question walks the whole room.
//!
//! By the words of the specification, and with none of the server's code. Spec:
//! <https://spec.matrix.org/v1.19/client-server-api/#room-history-visibility>.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::{
    dump::{Dump, Event},
    view::Receipts,
};

/// Type and state key.
pub type Key = (String, String);
/// The event in each slot.
pub type State = BTreeMap<Key, String>;

const VISIBILITY: &str = "m.room.history_visibility";

impl Dump {
    pub fn events(&self, room: &str) -> &[Event] {
        self.rooms.get(room).map(Vec::as_slice).unwrap_or_default()
    }

    pub fn find(&self, room: &str, event_id: &str) -> Option<&Event> {
        let event = self.events(room).get(*self.places.get(event_id)?)?;
        (event.event_id == event_id).then_some(event)
    }

    /// The user's membership of today; "leave" for who was never in the room.
    pub fn membership(&self, room: &str, user: &str) -> &str {
        let events = self.events(room).iter().rev();
        events.filter_map(|event| event.membership_of(user)).next().unwrap_or("leave")
    }

    pub fn joined(&self, room: &str) -> BTreeSet<&str> {
        let mut joined = BTreeSet::new();
        for event in self.events(room).iter().filter(|event| event.kind() == "m.room.member") {
            match event.json["content"]["membership"] == "join" {
                true => joined.insert(event.state_key().unwrap()),
                false => joined.remove(event.state_key().unwrap()),
            };
        }
        joined
    }

    /// The room's state after everything up to `order`.
    pub fn state(&self, room: &str, order: i64) -> State {
        let mut state = State::new();
        for event in self.events(room).iter().filter(|event| event.order <= order) {
            if let Some(key) = event.state_key() {
                state.insert((event.kind().to_owned(), key.to_owned()), event.event_id.clone());
            }
        }
        state
    }

    /// The events of a room that the user may see, by the setting and their membership at each event; their own memberships always.
    pub fn visible(&self, room: &str, user: &str) -> Vec<&Event> {
        let events = self.events(room);
        let last_join = events.iter().rposition(|event| event.membership_of(user) == Some("join"));
        let (mut setting, mut membership) = ("shared", "leave");
        let mut visible = Vec::new();
        for (index, event) in events.iter().enumerate() {
            let own = event.membership_of(user);
            let allows = |setting| match setting {
                "world_readable" => true,
                "joined" => membership == "join",
                "invited" => matches!(membership, "join" | "invite"),
                _ => membership == "join" || last_join > Some(index),
            };
            let mut seen = own.is_some() || allows(setting);
            if event.kind() == VISIBILITY && event.state_key() == Some("") {
                setting = event.json["content"]["history_visibility"].as_str().unwrap();
                seen |= allows(setting);
            }
            if seen {
                visible.push(event);
            }
            membership = own.unwrap_or(membership);
        }
        visible
    }

    /// What is left of an event's content today. Of the types that the model takes back, only membership keeps anything.
    pub fn content(&self, event: &Event) -> Value {
        let mut content = event.json["content"].clone();
        if self.redacted.contains(&event.event_id) {
            assert_ne!(event.kind(), "m.room.member", "the model does not take memberships back");
            return json!({});
        }
        // Old rooms have it beside the content; clients find it in both.
        if let Some(target) = event.redacts() {
            content["redacts"] = json!(target);
        }
        content
    }

    /// The root of the thread an event is in: named by itself, or that of the event it relates to.
    pub fn thread(&self, room: &str, event: &Event) -> Option<String> {
        let relation = &event.json["content"]["m.relates_to"];
        let parent = relation["event_id"].as_str().filter(|_| event.state_key().is_none())?;
        match relation["rel_type"].as_str()? {
            "m.thread" => Some(parent.to_owned()),
            _ => self.thread(room, self.find(room, parent)?),
        }
    }

    /// What the user may know of who has read what in a room.
    pub fn receipts_for(&self, room: &str, user: &str) -> Receipts {
        let may_know = |receipt: &&[String; 5]| {
            receipt[0] == room && (receipt[2] == "m.read" || receipt[1] == user)
        };
        let receipts = self.receipts.iter().filter(may_know).cloned();
        receipts.map(|[_, reader, kind, thread, event]| ([reader, kind, thread], event)).collect()
    }

    /// How many messages of others the user has not read: in the main timeline and in all threads, each read up to the furthest of a
    /// receipt, the user's own last event in it, and where they came in.
    pub fn unread(&self, room: &str, user: &str) -> u64 {
        let events = self.events(room);
        let (mut membership, mut came_in) = ("leave", -1);
        for event in events {
            let Some(own) = event.membership_of(user) else { continue };
            if own == "join" && membership != "join" {
                came_in = event.order;
            }
            membership = own;
        }
        let mut everywhere = came_in;
        let mut read: BTreeMap<Option<String>, i64> = BTreeMap::new();
        for [in_room, reader, _, thread, event_id] in &self.receipts {
            let Some(event) = self.find(in_room, event_id) else { continue };
            if in_room != room || reader != user {
                continue;
            }
            let part = match thread.as_str() {
                "" => &mut everywhere,
                "main" => read.entry(None).or_insert(-1),
                root => read.entry(Some(root.to_owned())).or_insert(-1),
            };
            *part = event.order.max(*part);
        }
        for event in events.iter().filter(|event| event.sender() == user) {
            if event.state_key().is_none() {
                let part = read.entry(self.thread(room, event)).or_insert(-1);
                *part = event.order.max(*part);
            }
        }
        let is_unread = |event: &&Event| {
            let part = read.get(&self.thread(room, event)).copied().unwrap_or(-1);
            event.kind() == "m.room.message"
                && event.sender() != user
                && event.order > part.max(everywhere)
                && !self.redacted.contains(&event.event_id)
        };
        events.iter().filter(is_unread).count().try_into().unwrap()
    }

    /// Asserts that an event that somebody was told is one of the room, and as it is today. Over the socket it may have been on its way
    /// since before it was taken back.
    pub fn vouch(&self, room: &str, told: &Value, was_pushed: bool) {
        let event_id = told["event_id"].as_str().unwrap();
        let Some(event) = self.find(room, event_id) else {
            panic!("{event_id} is no event of {room}: {told}");
        };
        for field in ["type", "sender", "state_key", "origin_server_ts"] {
            assert_eq!(told[field], event.json[field], "{field} of {told}");
        }
        let was_so = was_pushed && told["content"] == event.json["content"];
        if !was_so {
            assert_eq!(told["content"], self.content(event), "{told}");
        }
    }
}
