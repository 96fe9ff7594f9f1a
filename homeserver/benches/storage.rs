//! What an event costs on the disk, in rooms of 10, 1,000 and 50,000 members.
//!
//! `cargo bench --workspace --bench storage` prints the table: the growth of the database over 2,000 messages, over 2,000 changes
//! of one slot of the room's state, and over 2,000 members who change their names.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a bench may stop at anything unforeseen, and prints"
)]

mod history;

use std::time::Instant;

use history::{History, REMOTE, Wish, Written};
use sea_orm::{ConnectionTrait as _, Database, DatabaseBackend, Statement};
use serde_json::{Value, json};

/// Events of one kind.
const EVENTS: usize = 2_000;

#[tokio::main]
async fn main() {
    println!(
        "| members | made in, s | a join, B | a message, B | a state event, B | a member event, B | its JSON, B |"
    );
    println!("|--:|--:|--:|--:|--:|--:|--:|");
    for members in [10, 1_000, 50_000] {
        println!("{}", line(members).await);
    }
}

/// The figures of a room of so many members.
async fn line(members: usize) -> String {
    let mut room = Room::start().await;
    let mut bytes = vec![room.bytes().await];
    let begun = Instant::now();
    room.join(members).await;
    let made = begun.elapsed().as_secs();
    bytes.push(room.bytes().await);
    room.messages().await;
    bytes.push(room.bytes().await);
    room.topics().await;
    bytes.push(room.bytes().await);
    room.names(members).await;
    bytes.push(room.bytes().await);
    let grown = |step: usize, events: usize| (bytes[step + 1] - bytes[step]) / size(events);
    let json = room.json_bytes / size(EVENTS * 3 + members);
    format!(
        "| {members} | {made} | {} | {} | {} | {} | {json} |",
        grown(0, members),
        grown(1, EVENTS),
        grown(2, EVENTS),
        grown(3, EVENTS),
    )
}

fn size(count: usize) -> u64 {
    u64::try_from(count).unwrap()
}

/// A room in a line, one event after the other.
struct Room {
    history: History,
    alice: String,
    member: Written,
    levels: Written,
    rules: Written,
    tip: Written,
    joins: Vec<Written>,
    json_bytes: u64,
}

impl Room {
    async fn start() -> Self {
        let history = History::start("12", 0).await;
        let alice = history.alice.user_id.clone();
        Self {
            member: history.standing("m.room.member", &alice).await,
            levels: history.standing("m.room.power_levels", "").await,
            rules: history.standing("m.room.join_rules", "").await,
            tip: history.tip().await,
            joins: Vec::new(),
            json_bytes: 0,
            alice,
            history,
        }
    }

    /// What is in the database, in whole pages, once nothing of it is only in the log.
    async fn bytes(&self) -> u64 {
        let file = self.history.server.folder().join("tern.db");
        let db = Database::connect(format!("sqlite:{}", file.display())).await.unwrap();
        let ask = async |pragma: &str| {
            let row = db.query_one_raw(Statement::from_string(DatabaseBackend::Sqlite, pragma));
            let value: i64 = row.await.unwrap().unwrap().try_get_by_index(0).unwrap();
            u64::try_from(value).unwrap()
        };
        assert_eq!(ask("PRAGMA wal_checkpoint(TRUNCATE)").await, 0, "somebody holds the log");
        let pages = ask("PRAGMA page_count").await - ask("PRAGMA freelist_count").await;
        let bytes = pages * ask("PRAGMA page_size").await;
        db.close().await.unwrap();
        bytes
    }

    /// Events in a line, written by `wish` from their number and received.
    fn add(
        &mut self,
        (sender, kind, state_key): (&str, &str, Option<&str>),
        content: Value,
        auth: &[&Written],
    ) -> Written {
        let prevs = [&self.tip];
        let event = Wish { sender, kind, state_key, content, prevs: &prevs, auth };
        let event = self.history.write(&event);
        self.json_bytes += size(event.bytes());
        self.tip = event.clone();
        event
    }

    async fn join(&mut self, members: usize) {
        let (levels, rules) = (self.levels.clone(), self.rules.clone());
        for number in 0..members {
            let user = format!("@member{number}:{REMOTE}");
            let content =
                json!({ "membership": "join", "displayname": format!("Member {number}") });
            let slot = (user.as_str(), "m.room.member", Some(user.as_str()));
            let join = self.add(slot, content, &[&levels, &rules]);
            self.joins.push(join);
        }
        self.history.receive(&self.joins).await;
    }

    async fn messages(&mut self) {
        let content = json!({ "msgtype": "m.text", "body": "A message of about as many letters as people write." });
        self.line_of_alice(("m.room.message", None), content).await;
    }

    async fn topics(&mut self) {
        self.line_of_alice(("m.room.topic", Some("")), json!({ "topic": "What we talk about" }))
            .await;
    }

    async fn line_of_alice(&mut self, (kind, state_key): (&str, Option<&str>), content: Value) {
        let (alice, levels, member) =
            (self.alice.clone(), self.levels.clone(), self.member.clone());
        let mut events = Vec::with_capacity(EVENTS);
        for _ in 0..EVENTS {
            let slot = (alice.as_str(), kind, state_key);
            events.push(self.add(slot, content.clone(), &[&levels, &member]));
        }
        self.history.receive(&events).await;
    }

    async fn names(&mut self, members: usize) {
        let (levels, rules) = (self.levels.clone(), self.rules.clone());
        let mut events = Vec::with_capacity(EVENTS);
        for number in 0..EVENTS {
            let index = number % members;
            let user = format!("@member{index}:{REMOTE}");
            let content =
                json!({ "membership": "join", "displayname": format!("Renamed {number}") });
            let slot = (user.as_str(), "m.room.member", Some(user.as_str()));
            let before = self.joins[index].clone();
            let event = self.add(slot, content, &[&levels, &rules, &before]);
            self.joins[index] = event.clone();
            events.push(event);
        }
        self.history.receive(&events).await;
    }
}
