//! A room in this process whose events the bench writes itself: any graph, any authors, signed with the key of the server they are of. Most
//! are of another server whose key is known here, so that nobody is asked for it.

#![expect(
    unreachable_pub,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a bench may stop at anything unforeseen; the module is shared by benches"
)]
#![allow(dead_code, reason = "every bench uses its own part of this")]

#[path = "../../tests/common/mod.rs"]
pub mod common;

use std::time::{Duration, UNIX_EPOCH};

use common::{TestServer, User};
use ruma::{
    CanonicalJsonObject, MilliSecondsSinceUnixEpoch, OwnedEventId, OwnedRoomId, OwnedServerName,
    RoomVersionId, canonical_json::try_from_json_map, room_version_rules::RoomVersionRules,
    signatures::reference_hash,
};
use serde_json::{Value, json, value::RawValue};
use tern_federation::{
    key_ring::{KeyStore as _, KnownKey, ServerKeys},
    signing::SigningKey,
};
use tern_homeserver::messaging::reception;

/// When the history begins.
const BEGINNING_MS: u64 = 1_760_000_000_000;
/// Most events of a transaction.
const TRANSACTION: usize = 50;

/// The other server.
pub const REMOTE: &str = "remote.example.org";

/// A server with one room.
pub struct History {
    pub server: TestServer,
    remote: OwnedServerName,
    remote_key: SigningKey,
    pub alice: User,
    pub room_id: String,
    rules: RoomVersionRules,
    next_ms: u64,
}

/// An event with its id.
#[derive(Debug, Clone)]
pub struct Written {
    pub id: String,
    pub depth: u64,
    raw: Box<RawValue>,
}

/// What an event says, and where it stands.
pub struct Wish<'a> {
    pub sender: &'a str,
    pub kind: &'a str,
    pub state_key: Option<&'a str>,
    pub content: Value,
    pub prevs: &'a [&'a Written],
    pub auth: &'a [&'a Written],
}

impl Written {
    /// How long its JSON is.
    pub fn bytes(&self) -> usize {
        self.raw.get().len()
    }

    /// What it says.
    pub fn content(&self) -> Value {
        let event: Value = serde_json::from_str(self.raw.get()).unwrap();
        event["content"].clone()
    }
}

impl History {
    /// A public room of `version`, made by alice; everybody there may set state. `events_default`: what one must have to speak.
    pub async fn start(version: &str, events_default: u32) -> Self {
        let server = TestServer::start().await;
        let alice = server.register("alice").await;
        let levels = json!({ "state_default": 0, "events_default": events_default });
        let body = json!({
            "preset": "public_chat", "room_version": version, "power_level_content_override": levels,
        });
        let (status, made) = server.post("/_matrix/client/v3/createRoom", &alice.token, body).await;
        assert_eq!(status, 200, "{made}");
        let room_id = made["room_id"].as_str().unwrap().to_owned();
        let version = RoomVersionId::try_from(version).unwrap();
        let rules = version.rules().unwrap();
        let (remote, remote_key) =
            (OwnedServerName::try_from(REMOTE).unwrap(), known(&server).await);
        Self { server, remote, remote_key, alice, room_id, rules, next_ms: BEGINNING_MS }
    }

    /// What stands in the room, by its type and key.
    pub async fn standing(&self, kind: &str, state_key: &str) -> Written {
        let room_id = OwnedRoomId::try_from(self.room_id.as_str()).unwrap();
        let room = self.server.engine.room(&room_id).await.unwrap();
        let pdu = self.server.engine.state_event(&room, kind, state_key).await.unwrap().unwrap();
        let raw = RawValue::from_string(String::from_utf8(pdu.json.to_vec()).unwrap()).unwrap();
        let depth = u64::try_from(pdu.depth).unwrap();
        Written { id: pdu.event_id.to_string(), depth, raw }
    }

    /// The room's newest event, as a place to go on from.
    pub async fn tip(&self) -> Written {
        let room_id = OwnedRoomId::try_from(self.room_id.as_str()).unwrap();
        let room = self.server.engine.room(&room_id).await.unwrap();
        let end = room.head.lock().await.extremities[0].clone();
        let raw = RawValue::from_string("null".to_owned()).unwrap();
        Written { id: end.event_id.to_string(), depth: u64::try_from(end.depth).unwrap(), raw }
    }

    /// The create event where events of the version name it, and the others given.
    pub async fn with_create(&self, others: &[&Written]) -> Vec<Written> {
        let mut auth: Vec<Written> = others.iter().map(|other| (*other).clone()).collect();
        if !self.is_12() {
            auth.push(self.standing("m.room.create", "").await);
        }
        auth
    }

    /// Whether the room's creator is in no list of power levels.
    pub fn is_12(&self) -> bool {
        self.rules.authorization.room_create_event_id_as_room_id
    }

    /// Hashes and signs an event.
    pub fn write(&mut self, wish: &Wish<'_>) -> Written {
        self.next_ms += 1;
        let depth = wish.prevs.iter().map(|prev| prev.depth).max().unwrap_or_default() + 1;
        let ids = |events: &[&Written]| -> Vec<String> {
            events.iter().map(|event| event.id.clone()).collect()
        };
        let mut event = json!({
            "type": wish.kind, "room_id": self.room_id, "sender": wish.sender,
            "content": wish.content, "origin_server_ts": self.next_ms, "depth": depth,
            "prev_events": ids(wish.prevs), "auth_events": ids(wish.auth),
        });
        if let Some(state_key) = wish.state_key {
            event["state_key"] = json!(state_key);
        }
        let Value::Object(event) = event else { unreachable!("an object") };
        let mut event: CanonicalJsonObject = try_from_json_map(event).unwrap();
        let app = &self.server.app;
        if wish.sender.ends_with(&format!(":{REMOTE}")) {
            self.remote_key.hash_and_sign_event(&self.remote, &mut event, &self.rules).unwrap();
        } else {
            app.signing.hash_and_sign_event(&app.server_name, &mut event, &self.rules).unwrap();
        }
        let id = format!("${}", reference_hash(&event, &self.rules).unwrap());
        Written { id, depth, raw: serde_json::value::to_raw_value(&event).unwrap() }
    }

    /// The server receives these, as from another server, and is done with them.
    pub async fn receive(&self, events: &[Written]) {
        let raw: Vec<Box<RawValue>> = events.iter().map(|event| event.raw.clone()).collect();
        for piece in raw.chunks(TRANSACTION) {
            let engine = &self.server.engine;
            let received = reception::receive(engine, &self.remote, piece).await.unwrap();
            for (id, result) in &received.results {
                assert!(result.is_ok(), "{id}: {result:?}");
            }
            for work in received.work {
                work.await.unwrap();
            }
        }
    }

    /// Whether the room's timeline has this event: it was let in.
    pub async fn has(&self, event: &Written) -> bool {
        let room_id = OwnedRoomId::try_from(self.room_id.as_str()).unwrap();
        let room = self.server.engine.room(&room_id).await.unwrap();
        let id = OwnedEventId::try_from(event.id.as_str()).unwrap();
        let found = self.server.engine.find_pdu(&room, &id).await.unwrap();
        found.is_some_and(|pdu| pdu.place.order.is_some())
    }
}

/// A key of the other server, which `server` knows.
async fn known(server: &TestServer) -> SigningKey {
    let key = SigningKey::load_or_create(&server.folder().join("remote.key")).unwrap();
    let now_ms = u64::try_from(server.app.clock.now_ms()).unwrap();
    let now = UNIX_EPOCH + Duration::from_millis(now_ms);
    let day_ms = 24 * 60 * 60 * 1_000;
    let at = |ms: u64| MilliSecondsSinceUnixEpoch(ms.try_into().unwrap());
    let valid_until_ts = at(now_ms + day_ms);
    let name = OwnedServerName::try_from(REMOTE).unwrap();
    let document = key.key_document(&name, now).unwrap();
    let known = KnownKey { key: key.public_key(), valid_until_ts };
    let keys = [(key.key_id().to_owned(), known)].into();
    let keys =
        ServerKeys { server_name: name, keys, fetched_at_ts: at(now_ms), valid_until_ts, document };
    server.app.db.save(&keys).await.unwrap();
    key
}
