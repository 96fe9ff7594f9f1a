//! Holds what a client knows against what the oracle says.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{
    classic::Flavor,
    clients::{Client, Door},
    dump::Dump,
    oracle::State,
    view::{RoomView, Section},
};

/// The state without members.
fn without_members(state: &State) -> State {
    let state = state.iter().filter(|((kind, _), _)| kind != "m.room.member");
    state.map(|(key, event)| (key.clone(), event.clone())).collect()
}

impl Dump {
    /// Asserts that a client that has just caught up knows exactly what its user may see.
    pub fn check(&self, client: &mut Client) {
        let user = client.user.user_id.clone();
        let told = std::mem::take(&mut client.told);
        let was_pushed = client.door == Door::Socket;
        for (room, event) in told {
            self.vouch(&room, &event, was_pushed);
            self.check_thread(client, &room, &event);
        }
        for room_id in self.rooms.keys() {
            let known = client.view.get(room_id);
            let section = known.and_then(|known| known.section);
            let expected = match self.membership(room_id, &user) {
                "join" => Some(Section::Join),
                "invite" => Some(Section::Invite),
                // A client that begins is not told of rooms that its user left.
                _ => section.is_some().then_some(Section::Leave),
            };
            assert_eq!(section, expected, "{}: the section of {room_id}", client.name);
            match (section, known) {
                (Some(Section::Join), Some(known)) => {
                    self.check_room(client, room_id, known, i64::MAX);
                    self.check_asides(client, room_id, known);
                }
                (Some(Section::Leave), Some(known)) if known.is_whole => {
                    let last = known.timeline.last().unwrap();
                    let last = self.find(room_id, last).unwrap();
                    assert!(last.membership_of(&user).is_some(), "the end is not the last event");
                    self.check_room(client, room_id, known, last.order);
                }
                _ => {}
            }
        }
    }

    /// What is told of an event's thread is something that the user may see.
    fn check_thread(&self, client: &Client, room_id: &str, event: &Value) {
        let latest = &event["unsigned"]["m.relations"]["m.thread"]["latest_event"]["event_id"];
        let Some(latest) = latest.as_str() else { return };
        let mut visible = self.visible(room_id, &client.user.user_id).into_iter();
        let is_seen = visible.any(|event| event.event_id == latest);
        assert!(is_seen, "{}: more of a thread than they may see: {event}", client.name);
    }

    /// Timeline and state up to `order`.
    fn check_room(&self, client: &Client, room_id: &str, known: &RoomView, order: i64) {
        let visible = self.visible(room_id, &client.user.user_id);
        let visible = visible.iter().filter(|event| event.order <= order);
        let visible: Vec<&str> = visible.map(|event| &*event.event_id).collect();
        if known.timeline != visible {
            let (known, visible) =
                (self.named(room_id, &known.timeline), self.named(room_id, &visible));
            assert_eq!(known, visible, "{}: the timeline of {room_id}", client.name);
            panic!("{}: other events in the timeline of {room_id}", client.name);
        }
        let (mut known, mut state) = (known.state.clone(), self.state(room_id, order));
        if client.door == Door::Classic(Flavor::Lazy) {
            (known, state) = (without_members(&known), without_members(&state));
        }
        assert_eq!(known, state, "{}: the state of {room_id}", client.name);
    }

    /// Events by place and type, which say more to a reader.
    fn named(&self, room_id: &str, events: &[impl AsRef<str>]) -> Vec<String> {
        let events = events.iter().map(|id| match self.find(room_id, id.as_ref()) {
            Some(event) => {
                let key = event.state_key().unwrap_or_default();
                format!("{} {} {key} by {}", event.order, event.kind(), event.sender())
            }
            None => format!("{} is no event", id.as_ref()),
        });
        events.collect()
    }

    /// Counts, receipts and account data of a joined room.
    fn check_asides(&self, client: &Client, room_id: &str, known: &RoomView) {
        let (name, user) = (&client.name, &client.user.user_id);
        let joined = u64::try_from(self.joined(room_id).len()).unwrap();
        assert_eq!(known.joined_count, Some(joined), "{name}: how many are in {room_id}");
        let is_classic = matches!(client.door, Door::Classic(_));
        if is_classic || client.door == Door::Deployed {
            let unread = self.unread(room_id, user);
            assert_eq!(known.unread, Some(unread), "{name}: unread in {room_id}");
        }
        if is_classic {
            let mine = |receipt: &&[String; 5]| {
                receipt[0] == room_id && (receipt[2] == "m.read" || receipt[1] == *user)
            };
            let receipts = self.receipts.iter().filter(mine).cloned();
            let expected: BTreeMap<[String; 3], String> = receipts
                .map(|[_, reader, kind, thread, event]| ([reader, kind, thread], event))
                .collect();
            assert_eq!(known.receipts, expected, "{name}: the receipts of {room_id}");
        }
        let data = self.account_data.iter();
        let data = data.filter(|((owner, room, _), _)| owner == user && room == room_id);
        let expected: BTreeMap<String, _> =
            data.map(|((.., kind), content)| (kind.clone(), content.clone())).collect();
        assert_eq!(known.account_data, expected, "{name}: the account data of {room_id}");
    }
}
