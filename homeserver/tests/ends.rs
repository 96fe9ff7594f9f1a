//! Rooms whose graph has many ends: whoever of ours may speak draws them together.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "helpers of tests, where a panic is a failure"
)]

#[path = "../benches/history/mod.rs"]
mod history;

use history::{
    History, REMOTE, Wish, Written,
    common::{
        User,
        rooms::{act, encoded, join},
    },
};
use ruma::RoomId;
use serde_json::{Value, json};

/// More than are tried as senders.
const USERS: usize = 25;
/// Ends that stay for long at most.
const ENDS_MAX: usize = 10;
/// Ends that are made.
const ENDS: usize = 30;

/// A room that the last of many users made, in which nobody may speak but them. Everybody may set state.
struct Announcements {
    history: History,
    users: Vec<User>,
    bob: Written,
}

impl Announcements {
    async fn start(version: &str) -> Self {
        let mut history = History::start(version, 0).await;
        let server = &history.server;
        let mut users = Vec::new();
        for number in 0..USERS {
            users.push(server.register(&format!("user{number}")).await);
        }
        let body = json!({
            "preset": "public_chat", "room_version": version,
            "power_level_content_override": { "state_default": 0, "events_default": 50 },
        });
        let creator = &users[USERS - 1].token;
        let (status, made) = server.post("/_matrix/client/v3/createRoom", creator, body).await;
        assert_eq!(status, 200, "{made}");
        let room_id = made["room_id"].as_str().unwrap().to_owned();
        for user in &users[..USERS - 1] {
            join(server, user, &room_id).await;
        }
        history.room_id = room_id;
        let bob = bob_joins(&mut history).await;
        Self { history, users, bob }
    }

    async fn ends(&self) -> usize {
        let room_id = <&RoomId>::try_from(self.history.room_id.as_str()).unwrap();
        let room = self.history.server.engine.room(room_id).await.unwrap();
        room.head.lock().await.extremities.len()
    }

    /// Another server sends many changes that all follow one event.
    async fn fork(&mut self) {
        let history = &mut self.history;
        let root = history.tip().await;
        let levels = history.standing("m.room.power_levels", "").await;
        let auth = history.with_create(&[&levels, &self.bob]).await;
        let auth: Vec<&Written> = auth.iter().collect();
        let sender = &format!("@bob:{REMOTE}");
        let mut ends = Vec::new();
        for number in 0..ENDS {
            ends.push(history.write(&Wish {
                sender,
                kind: "org.example.note",
                state_key: Some(""),
                content: json!({ "n": number }),
                prevs: &[&root],
                auth: &auth,
            }));
        }
        history.receive(&ends).await;
    }

    /// The last user gives another what it takes to speak.
    async fn promote(&self, user: &User) {
        let levels = self.history.standing("m.room.power_levels", "").await;
        let mut content: Value = levels.content();
        content["users"][user.user_id.as_str()] = json!(50);
        let room_id = encoded(&self.history.room_id);
        let path = format!("/_matrix/client/v3/rooms/{room_id}/state/m.room.power_levels/");
        let creator = &self.users[USERS - 1].token;
        let (status, answer) = self.history.server.put(&path, creator, content).await;
        assert_eq!(status, 200, "{answer}");
    }

    async fn leave(&self, user: &User) {
        act(&self.history.server, user, &self.history.room_id, "leave", json!({})).await;
    }
}

/// The join of a user of the other server.
async fn bob_joins(history: &mut History) -> Written {
    let rules = history.standing("m.room.join_rules", "").await;
    let levels = history.standing("m.room.power_levels", "").await;
    let auth = history.with_create(&[&levels, &rules]).await;
    let (auth, tip) = (auth.iter().collect::<Vec<_>>(), history.tip().await);
    let sender = &format!("@bob:{REMOTE}");
    let join = history.write(&Wish {
        sender,
        kind: "m.room.member",
        state_key: Some(sender),
        content: json!({ "membership": "join" }),
        prevs: &[&tip],
        auth: &auth,
    });
    history.receive(std::slice::from_ref(&join)).await;
    join
}

async fn ends_are_drawn_together(version: &str) {
    let mut room = Announcements::start(version).await;
    room.fork().await;
    assert!(room.ends().await <= ENDS_MAX, "by who made the room");

    let (creator, speaker) = (room.users[USERS - 1].clone(), room.users[USERS - 2].clone());
    room.promote(&speaker).await;
    room.leave(&creator).await;
    room.fork().await;
    assert!(room.ends().await <= ENDS_MAX, "by who was given the power");

    room.leave(&speaker).await;
    room.fork().await;
    assert!(room.ends().await >= ENDS, "nobody is left who may");
}

#[tokio::test]
async fn who_may_speak_draws_ends_together_however_many_may_not() {
    ends_are_drawn_together("11").await;
}

#[tokio::test]
async fn so_does_a_creator_who_is_in_no_list_of_power_levels() {
    ends_are_drawn_together("12").await;
}
