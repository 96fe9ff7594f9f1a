//! Holds what a client knows against what the oracle says.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{
    classic::Flavor,
    clients::{Client, Door},
    dump::Dump,
    oracle::State,
    view::{Receipts, RoomView, Section},
};

/// The state without members.
fn without_members(state: &State) -> State {
    let state = state.iter().filter(|((kind, _), _)| kind != "m.room.member");
    state.map(|(key, event)| (key.clone(), event.clone())).collect()
}

/// Asserts that a client of sliding sync knows no receipt that is not so, and all that came since it was told of the room or that are on
/// events it was told then. Its answers have one receipt of a reader an event: that for all threads hides that for one.
fn check_sliding_receipts(client: &Client, known: &RoomView, receipts: &Receipts) {
    let is_hidden = |[reader, kind, thread]: &[String; 3], event: &String| {
        let everywhere = [reader.clone(), kind.clone(), String::new()];
        !thread.is_empty() && receipts.get(&everywhere) == Some(event)
    };
    for (key, event) in receipts {
        let is_right = match known.receipts.get(key) {
            Some(told) => told == event,
            None => known.untold_receipts.get(key) == Some(event),
        };
        assert!(
            is_right || is_hidden(key, event),
            "{}: not told of {key:?} at {event}",
            client.name
        );
    }
    for key in known.receipts.keys() {
        assert!(receipts.contains_key(key), "{}: {key:?} has read nothing", client.name);
    }
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
        self.check_own_data(client);
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

    /// The account data of no room. Push rules are everybody's, kept or not.
    fn check_own_data(&self, client: &Client) {
        let data = self.account_data.iter();
        let data =
            data.filter(|((owner, room, _), _)| *owner == client.user.user_id && room.is_empty());
        let expected: BTreeMap<&str, _> =
            data.map(|((.., kind), content)| (&**kind, content)).collect();
        let known = client.own_data.iter().filter(|(kind, _)| *kind != "m.push_rules");
        let known: BTreeMap<&str, _> = known.map(|(kind, content)| (&**kind, content)).collect();
        assert_eq!(known, expected, "{}: the account data of no room", client.name);
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
        let receipts = self.receipts_for(room_id, user);
        if is_classic {
            assert_eq!(known.receipts, receipts, "{name}: the receipts of {room_id}");
        } else {
            check_sliding_receipts(client, known, &receipts);
        }
        let data = self.account_data.iter();
        let data = data.filter(|((owner, room, _), _)| owner == user && room == room_id);
        let expected: BTreeMap<String, _> =
            data.map(|((.., kind), content)| (kind.clone(), content.clone())).collect();
        assert_eq!(known.account_data, expected, "{name}: the account data of {room_id}");
    }
}
