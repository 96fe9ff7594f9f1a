//! What single steps of the server cost: canonical JSON, signing, resolving two states, building a sync.
//!
//! `cargo bench --workspace --bench micro` prints a table.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a bench may stop at anything unforeseen, and prints"
)]

mod history;

use std::{
    hint::black_box,
    time::{Duration, Instant},
};

use history::{
    History, REMOTE, Wish, Written,
    common::{TestServer, User, rooms},
};
use ruma::{CanonicalJsonObject, RoomVersionId, ServerName, canonical_json::try_from_json_map};
use serde_json::{Value, json};
use tern_federation::signing::SigningKey;

/// How often a step that takes microseconds is taken, and one that takes milliseconds.
const MANY: usize = 2_000;
const FEW: usize = 30;

#[tokio::main]
async fn main() {
    println!("| step | of | median, µs | fastest, µs | slowest, µs |");
    println!("|--|--:|--:|--:|--:|");
    for text_bytes in [100, 1_000, 10_000] {
        canonical_json(text_bytes);
    }
    for text_bytes in [100, 1_000, 10_000] {
        hash_and_sign(text_bytes);
    }
    message_on_one_branch(1_000).await;
    for members in [1, 10, 100, 1_000] {
        message_on_two_branches(members).await;
    }
    for count in [1, 10, 100] {
        initial_sync(count).await;
    }
    for count in [1, 10, 100] {
        incremental_sync(count).await;
    }
}

/// Prints a line of the table.
fn print(step: &str, of: &str, mut times: Vec<Duration>) {
    times.sort_unstable();
    let us = |time: Duration| time.as_secs_f64() * 1_000_000.0;
    let (median, first) = (us(times[times.len() / 2]), us(times[0]));
    let last = us(times[times.len() - 1]);
    println!("| {step} | {of} | {median:.1} | {first:.1} | {last:.1} |");
}

fn message(text_bytes: usize) -> CanonicalJsonObject {
    let event = json!({
        "type": "m.room.message", "room_id": "!room:example.org", "sender": "@alice:example.org",
        "content": { "msgtype": "m.text", "body": "é".repeat(text_bytes / 2) },
        "origin_server_ts": 1_760_000_000_000_u64, "depth": 1_000,
        "prev_events": ["$0123456789012345678901234567890123456789012"],
        "auth_events": ["$1123456789012345678901234567890123456789012", "$2123456789012345678901234567890123456789012"],
    });
    let Value::Object(event) = event else { unreachable!("an object") };
    try_from_json_map(event).unwrap()
}

/// From bytes to canonical JSON and back.
fn canonical_json(text_bytes: usize) {
    let bytes = serde_json::to_vec(&message(text_bytes)).unwrap();
    let time = || {
        let begun = Instant::now();
        let object: CanonicalJsonObject = serde_json::from_slice(black_box(&bytes)).unwrap();
        black_box(serde_json::to_vec(&object).unwrap());
        begun.elapsed()
    };
    let times = std::iter::repeat_with(time).take(MANY).collect();
    print("canonical JSON, read and written", &format!("{} B", bytes.len()), times);
}

/// The content hash and the signature of an event of ours.
fn hash_and_sign(text_bytes: usize) {
    let folder = tempfile::tempdir().unwrap();
    let key = SigningKey::load_or_create(&folder.path().join("key")).unwrap();
    let rules = RoomVersionId::V12.rules().unwrap();
    let name = <&ServerName>::try_from("example.org").unwrap();
    let bytes = serde_json::to_vec(&message(text_bytes)).unwrap().len();
    let time = || {
        let mut event = message(text_bytes);
        let begun = Instant::now();
        key.hash_and_sign_event(name, &mut event, &rules).unwrap();
        let took = begun.elapsed();
        black_box(event);
        took
    };
    let times = std::iter::repeat_with(time).take(MANY).collect();
    print("hash and signature of an event", &format!("{bytes} B"), times);
}

/// Receiving a message that names two branches which differ in as many members each: a resolution and a commit.
async fn message_on_two_branches(members: usize) {
    let mut fork = Fork::start(members).await;
    let mut times = Vec::new();
    for _ in 0..FEW {
        let message = fork.message();
        let begun = Instant::now();
        fork.history.receive(&[message]).await;
        times.push(begun.elapsed());
    }
    print("message on two branches", &format!("{members} members each"), times);
}

/// The same message on one branch: what is not the resolution.
async fn message_on_one_branch(members: usize) {
    let mut fork = Fork::start(members).await;
    let mut times = Vec::new();
    for _ in 0..FEW {
        let message = fork.message();
        fork.tips = vec![message.clone()];
        let begun = Instant::now();
        fork.history.receive(&[message]).await;
        times.push(begun.elapsed());
    }
    // The first draws the branches together.
    times.remove(0);
    print("message on one branch", &format!("{members} members each"), times);
}

/// A first sync, v3, of somebody in as many rooms.
async fn initial_sync(count: usize) {
    let (server, alice, _) = with_rooms(count).await;
    let mut times = Vec::new();
    for _ in 0..FEW {
        let begun = Instant::now();
        black_box(rooms::sync(&server, &alice, "").await);
        times.push(begun.elapsed());
    }
    print("first sync", &format!("{count} rooms"), times);
}

/// A sync after one message in one of as many rooms. The message is not timed.
async fn incremental_sync(count: usize) {
    let (server, alice, ids) = with_rooms(count).await;
    let mut times = Vec::new();
    let mut since = String::new();
    for number in 0..FEW {
        rooms::send(&server, &alice, &ids[0], &format!("message {number}")).await;
        let begun = Instant::now();
        let answer = rooms::sync(&server, &alice, &since).await;
        times.push(begun.elapsed());
        assert!(answer["rooms"]["join"][&ids[0]].is_object(), "{answer}");
        since = format!("since={}", answer["next_batch"].as_str().unwrap());
    }
    times.remove(0);
    print("sync after a message", &format!("{count} rooms"), times);
}

/// Somebody in as many rooms, each with 20 messages.
async fn with_rooms(count: usize) -> (TestServer, User, Vec<String>) {
    let server = TestServer::start().await;
    let alice = server.register("alice").await;
    let mut ids = Vec::new();
    for _ in 0..count {
        let id = rooms::room(&server, &alice, &[]).await;
        for number in 0..20 {
            rooms::send(&server, &alice, &id, &format!("early {number}")).await;
        }
        ids.push(id);
    }
    (server, alice, ids)
}

/// A room of two branches.
struct Fork {
    history: History,
    tips: Vec<Written>,
    auth: Vec<Written>,
}

impl Fork {
    async fn start(members: usize) -> Self {
        let mut history = History::start("12", 0).await;
        let alice = history.alice.user_id.clone();
        let (levels, rules) = (
            history.standing("m.room.power_levels", "").await,
            history.standing("m.room.join_rules", "").await,
        );
        let member = history.standing("m.room.member", &alice).await;
        let root = history.tip().await;
        let (mut tips, mut events) = (vec![root.clone(), root], Vec::new());
        for number in 0..members {
            for (side, tip) in tips.iter_mut().enumerate() {
                let user = format!("@u{side}_{number}:{REMOTE}");
                *tip = history.write(&Wish {
                    sender: &user,
                    kind: "m.room.member",
                    state_key: Some(&user),
                    content: json!({ "membership": "join" }),
                    prevs: &[tip],
                    auth: &[&levels, &rules],
                });
                events.push(tip.clone());
            }
        }
        history.receive(&events).await;
        Self { history, tips, auth: vec![levels, member] }
    }

    fn message(&mut self) -> Written {
        let sender = self.history.alice.user_id.clone();
        self.history.write(&Wish {
            sender: &sender,
            kind: "m.room.message",
            state_key: None,
            content: json!({ "msgtype": "m.text", "body": "hello" }),
            prevs: &self.tips.iter().collect::<Vec<_>>(),
            auth: &self.auth.iter().collect::<Vec<_>>(),
        })
    }
}
