//! What passes: typing, receipts and presence of our users, told to the other servers of a room. Nothing here must arrive.

use std::collections::{BTreeMap, BTreeSet};

use ruma::{EventId, OwnedServerName, UserId, api::federation::transactions::edu::Edu, serde::Raw};
use serde_json::{json, value::to_raw_value};
use tern_federation::EphemeralKey;

use super::{Engine, Room, presence::Shown};

impl Engine {
    /// Tells the other servers that a user of ours types, or stopped.
    pub(super) fn announce_typing(&self, room: &Room, user_id: &UserId, typing: bool) {
        let content = json!({ "room_id": room.room_id, "user_id": user_id, "typing": typing });
        let key = EphemeralKey::Typing(room.room_id.clone(), user_id.to_owned());
        self.announce(room, &key, &json!({ "edu_type": "m.typing", "content": content }));
    }

    /// Tells the other servers how far a user of ours has read.
    pub(super) fn announce_receipt(
        &self,
        room: &Room,
        user_id: &UserId,
        event_id: &EventId,
        thread: &str,
    ) {
        let mut data = BTreeMap::from([("ts", json!(self.app().clock.now_ms()))]);
        if !thread.is_empty() {
            data.insert("thread_id", json!(thread));
        }
        let content = json!({ room.room_id.as_str(): { "m.read": { user_id.as_str(): { "event_ids": [event_id], "data": data } } } });
        let key =
            EphemeralKey::Receipt(room.room_id.clone(), user_id.to_owned(), thread.to_owned());
        self.announce(room, &key, &json!({ "edu_type": "m.receipt", "content": content }));
    }

    /// Tells other servers how a user of ours is.
    pub(super) fn announce_presence(
        &self,
        user_id: &UserId,
        shown: &Shown,
        servers: &BTreeSet<OwnedServerName>,
    ) {
        let mut update = shown.content();
        if let Some(update) = update.as_object_mut() {
            update.insert("user_id".to_owned(), json!(user_id));
        }
        let edu = json!({ "edu_type": "m.presence", "content": { "push": [update] } });
        let Ok(edu) = to_raw_value(&edu) else { return };
        let edu = Raw::<Edu>::from_json(edu);
        for server in servers {
            let key = EphemeralKey::Presence(user_id.to_owned());
            self.app().outbound.ephemeral(server, key, edu.clone());
        }
    }

    fn announce(&self, room: &Room, key: &EphemeralKey, edu: &serde_json::Value) {
        let Ok(edu) = to_raw_value(edu) else { return };
        let edu = Raw::<Edu>::from_json(edu);
        let app = self.app();
        for server in room.seen().servers.keys().filter(|server| !app.is_ours(server)) {
            app.outbound.ephemeral(server, key.clone(), edu.clone());
        }
    }
}
