//! What people do, at random: some of it is refused, as in life.

use serde_json::{Value, json};

use super::{
    dump::Event,
    tally::Happening,
    world::{ROOMS, USERS, World},
};
use crate::common::{User, rooms::encoded};

/// One thing that somebody does in a room.
struct Deed {
    user: User,
    room: String,
    /// Their numbers, for the log.
    names: (usize, usize),
}

impl World {
    /// Somebody does something.
    pub async fn act(&mut self) {
        let room = self.dice.roll(ROOMS);
        let room_id = self.rooms[room].clone();
        let joined = self.dump.joined(&room_id);
        let inside: Vec<usize> =
            (0..USERS).filter(|at| joined.contains(&*self.users[*at].user_id)).collect();
        let user = if inside.is_empty() || self.dice.chance(15) {
            self.dice.roll(USERS)
        } else {
            *self.dice.pick(&inside)
        };
        let deed = Deed { user: self.users[user].clone(), room: room_id, names: (user, room) };
        match self.dice.roll(100) {
            0..=29 => self.talk(&deed).await,
            30..=41 => self.relate(&deed).await,
            42..=53 => self.set_state(&deed).await,
            54..=81 => self.move_about(&deed).await,
            82..=91 => self.read(&deed).await,
            92..=96 => self.note(&deed).await,
            _ => self.rename(&deed).await,
        }
        self.dump.read_on(&self.site.server).await;
    }

    async fn call(&mut self, deed: &Deed, method: &str, path: &str, body: Value) {
        let path = format!("/_matrix/client/v3/{path}");
        let token = &deed.user.token;
        let (status, answer) =
            self.site.server.call(method, &path, token, Some(body.clone())).await;
        let (user, room) = deed.names;
        let what = path.rsplit_once("/rooms/").map_or(path.as_str(), |(_, end)| end);
        let what = what.split_once('/').map_or(what, |(_, end)| end);
        self.say(format!("guest{user} in room {room}: {what} {body} → {}", status.as_u16()));
        assert!(matches!(status.as_u16(), 200 | 400 | 403 | 404), "{status} {answer}");
        self.tally.count(if status == 200 { Happening::Deed } else { Happening::Refusal });
    }

    async fn in_room(&mut self, deed: &Deed, method: &str, path: &str, body: Value) {
        let path = format!("rooms/{}/{path}", encoded(&deed.room));
        self.call(deed, method, &path, body).await;
    }

    async fn send(&mut self, deed: &Deed, kind: &str, content: Value) {
        self.sent += 1;
        let path = format!("send/{kind}/{}", self.sent);
        self.in_room(deed, "PUT", &path, content).await;
    }

    async fn talk(&mut self, deed: &Deed) {
        let count = if self.dice.chance(25) { 2 + self.dice.roll(10) } else { 1 };
        for _ in 0..count {
            let body = format!("word {}", self.sent);
            self.send(deed, "m.room.message", json!({ "msgtype": "m.text", "body": body })).await;
        }
    }

    /// An event of the room that `takes` takes.
    fn some_event(&mut self, room: &str, takes: impl Fn(&Self, &Event) -> bool) -> Option<String> {
        let events = self.dump.events(room).iter().filter(|event| takes(self, event));
        let events: Vec<String> = events.map(|event| event.event_id.clone()).collect();
        (!events.is_empty()).then(|| self.dice.pick(&events).clone())
    }

    /// Answers in a thread, reacts, or takes back.
    async fn relate(&mut self, deed: &Deed) {
        let room = deed.room.clone();
        let is_said = |event: &Event| event.kind() == "m.room.message";
        match self.dice.roll(3) {
            0 => {
                let starts = |world: &Self, event: &Event| {
                    is_said(event) && world.dump.thread(&room, event).is_none()
                };
                let Some(root) = self.some_event(&room, starts) else { return };
                let relation = json!({ "rel_type": "m.thread", "event_id": root });
                let body = format!("thread {}", self.sent);
                let content =
                    json!({ "msgtype": "m.text", "body": body, "m.relates_to": relation });
                self.send(deed, "m.room.message", content).await;
            }
            1 => {
                let Some(target) = self.some_event(&room, |_, event| is_said(event)) else {
                    return;
                };
                let key = self.sent.to_string();
                let relation =
                    json!({ "rel_type": "m.annotation", "event_id": target, "key": key });
                self.send(deed, "m.reaction", json!({ "m.relates_to": relation })).await;
            }
            _ => {
                let goes = |_: &Self, event: &Event| {
                    is_said(event) || matches!(event.kind(), "m.room.topic" | "m.reaction")
                };
                let Some(target) = self.some_event(&room, goes) else { return };
                self.sent += 1;
                let path = format!("redact/{}/{}", encoded(&target), self.sent);
                self.in_room(deed, "PUT", &path, json!({})).await;
            }
        }
    }

    async fn set_state(&mut self, deed: &Deed) {
        let number = self.sent;
        self.sent += 1;
        let settings = ["shared", "joined", "invited", "world_readable"];
        let (kind, content) = match self.dice.roll(6) {
            0 => ("m.room.name/".to_owned(), json!({ "name": format!("room {number}") })),
            1 | 2 => ("m.room.topic/".to_owned(), json!({ "topic": format!("topic {number}") })),
            3 => {
                let setting = *self.dice.pick(&settings);
                let content = json!({ "history_visibility": setting });
                ("m.room.history_visibility/".to_owned(), content)
            }
            _ => {
                let kind = format!("org.example.state/{}", self.dice.roll(3));
                (kind, json!({ "number": number }))
            }
        };
        self.in_room(deed, "PUT", &format!("state/{kind}"), content).await;
    }

    async fn move_about(&mut self, deed: &Deed) {
        let target = self.dice.roll(USERS);
        let other = json!({ "user_id": self.users[target].user_id });
        // Rooms that all have left are mostly silent from then on, and some for ever.
        let is_lonely = self.dump.joined(&deed.room).len() < 3;
        let sides = if is_lonely && self.dice.chance(90) { 19 } else { 30 };
        match self.dice.roll(sides) {
            0..=9 => {
                // Whoever does something is mostly inside; whoever joins is not.
                let user = self.users[target].clone();
                let joining = Deed { user, room: deed.room.clone(), names: (target, deed.names.1) };
                let path = format!("join/{}", encoded(&deed.room));
                self.call(&joining, "POST", &path, json!({})).await;
            }
            10..=16 => self.in_room(deed, "POST", "invite", other).await,
            17..=18 => self.in_room(deed, "POST", "unban", other).await,
            19..=22 => self.in_room(deed, "POST", "leave", json!({})).await,
            23..=25 => self.in_room(deed, "POST", "kick", other).await,
            26..=27 => self.in_room(deed, "POST", "ban", other).await,
            _ => {
                let user = self.users[target].clone();
                let going = Deed { user, room: deed.room.clone(), names: (target, deed.names.1) };
                self.in_room(&going, "POST", "leave", json!({})).await;
                self.in_room(&going, "POST", "forget", json!({})).await;
            }
        }
    }

    /// Says what they have read: everything, or something of a thread.
    async fn read(&mut self, deed: &Deed) {
        let kind = *self.dice.pick(&["m.read", "m.read", "m.read.private"]);
        let whole = self.dice.chance(60);
        let events = self.dump.events(&deed.room);
        let at = if whole { events.len() - 1 } else { self.dice.roll(events.len()) };
        let event = &events[at];
        let thread = self.dump.thread(&deed.room, event).unwrap_or_else(|| "main".to_owned());
        let body = if whole { json!({}) } else { json!({ "thread_id": thread }) };
        let path = format!("receipt/{kind}/{}", encoded(&event.event_id));
        self.in_room(deed, "POST", &path, body).await;
    }

    /// Keeps something about the room, or about nothing.
    async fn note(&mut self, deed: &Deed) {
        self.sent += 1;
        let content = json!({ "number": self.sent });
        let (user_id, room) = (encoded(&deed.user.user_id), encoded(&deed.room));
        let kind = format!("org.example.note{}", self.dice.roll(2));
        let about = if self.dice.chance(60) { format!("rooms/{room}/") } else { String::new() };
        let path = format!("user/{user_id}/{about}account_data/{kind}");
        self.call(deed, "PUT", &path, content).await;
    }

    /// Takes another name, which every room is told.
    async fn rename(&mut self, deed: &Deed) {
        self.sent += 1;
        let path = format!("profile/{}/displayname", encoded(&deed.user.user_id));
        let name = format!("someone {}", self.sent);
        self.call(deed, "PUT", &path, json!({ "displayname": name })).await;
        self.site.server.run_jobs().await;
    }
}
