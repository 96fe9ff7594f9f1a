//! A dump of what the database holds, read by SQL and understood as JSON: all that the oracle knows.

use std::collections::{BTreeMap, BTreeSet};

use sea_orm::{ConnectionTrait as _, QueryResult, Statement};
use serde_json::Value;

use crate::common::TestServer;

/// An event of a timeline, as it was stored at first.
#[derive(Debug)]
pub struct Event {
    pub event_id: String,
    pub order: i64,
    pub json: Value,
}

impl Event {
    pub fn kind(&self) -> &str {
        self.json["type"].as_str().unwrap()
    }

    pub fn sender(&self) -> &str {
        self.json["sender"].as_str().unwrap()
    }

    pub fn state_key(&self) -> Option<&str> {
        self.json["state_key"].as_str()
    }

    /// What a membership event of `user` says; `None` for all other events.
    pub fn membership_of(&self, user: &str) -> Option<&str> {
        (self.kind() == "m.room.member" && self.state_key() == Some(user))
            .then(|| self.json["content"]["membership"].as_str().unwrap())
    }

    /// The event that a redaction takes back: a field of the content since room version 11.
    pub fn redacts(&self) -> Option<&str> {
        let target = [&self.json["content"]["redacts"], &self.json["redacts"]];
        let target = target.into_iter().find_map(Value::as_str);
        target.filter(|_| self.kind() == "m.room.redaction")
    }
}

/// A receipt: room, reader, kind, thread, event.
pub type Receipt = [String; 5];

/// Everything in the database that clients are told of.
#[derive(Debug, Default)]
pub struct Dump {
    /// By room, in the order of the timeline.
    pub rooms: BTreeMap<String, Vec<Event>>,
    /// Where each event stands in its room.
    pub places: BTreeMap<String, usize>,
    /// Events that were taken back.
    pub redacted: BTreeSet<String>,
    pub receipts: Vec<Receipt>,
    /// By user, room and type; that of no room is under "".
    pub account_data: BTreeMap<(String, String, String), Value>,
    /// The newest commit.
    pub position: i64,
}

const EVENTS: &str = "SELECT e.event_id, r.room_id, e.timeline_order, e.json FROM events e JOIN rooms r ON r.id = e.room \
     WHERE e.timeline_order IS NOT NULL AND e.position > $1 ORDER BY e.timeline_order";
const POSITION: &str = "SELECT value FROM counters WHERE name = 'position'";
const RECEIPTS: &str = "SELECT r.room_id, u.user_id, t.kind, t.thread, t.event_id FROM receipts t \
     JOIN rooms r ON r.id = t.room JOIN users u ON u.id = t.user_id";
const ACCOUNT_DATA: &str = "SELECT u.user_id, d.room_id, d.data_type, d.content FROM account_data d \
     JOIN users u ON u.id = d.user_id";

async fn rows(server: &TestServer, sql: &str, values: Vec<sea_orm::Value>) -> Vec<QueryResult> {
    let db = server.app.db.read();
    let statement = Statement::from_sql_and_values(db.get_database_backend(), sql, values);
    db.query_all_raw(statement).await.unwrap()
}

fn text(row: &QueryResult, column: usize) -> String {
    row.try_get_by_index(column).unwrap()
}

impl Dump {
    /// Reads what came since the last reading. An event that was taken back meanwhile stays as it was: that it is taken back says
    /// the redaction.
    pub async fn read_on(&mut self, server: &TestServer) {
        for row in rows(server, EVENTS, vec![self.position.into()]).await {
            let json: Vec<u8> = row.try_get_by_index(3).unwrap();
            let json = serde_json::from_slice(&json).unwrap();
            let order = row.try_get_by_index(2).unwrap();
            let event = Event { event_id: text(&row, 0), order, json };
            self.redacted.extend(event.redacts().map(str::to_owned));
            let room = self.rooms.entry(text(&row, 1)).or_default();
            self.places.insert(event.event_id.clone(), room.len());
            room.push(event);
        }
        for row in rows(server, POSITION, Vec::new()).await {
            self.position = row.try_get_by_index(0).unwrap();
        }
        let receipts = rows(server, RECEIPTS, Vec::new()).await;
        let columns = |row: &QueryResult| [0, 1, 2, 3, 4].map(|column| text(row, column));
        self.receipts = receipts.iter().map(columns).collect();
        self.account_data.clear();
        for row in rows(server, ACCOUNT_DATA, Vec::new()).await {
            let content = serde_json::from_str(&text(&row, 3)).unwrap();
            self.account_data.insert((text(&row, 0), text(&row, 1), text(&row, 2)), content);
        }
    }

    /// Goes back to `position`, as the database did.
    pub async fn read_again(&mut self, server: &TestServer) {
        let before = std::mem::take(self);
        self.read_on(server).await;
        // What was taken back is stored without its content now.
        let known = before.rooms.into_values().flatten();
        let mut known: BTreeMap<_, _> = known.map(|event| (event.event_id, event.json)).collect();
        for event in self.rooms.values_mut().flatten() {
            event.json = known.remove(&event.event_id).unwrap_or(event.json.take());
        }
    }
}
