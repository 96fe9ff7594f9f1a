//! A room that a [`Peer`] made and is alone in: for showing what `ternd` does with a resident server that lies, or is slow.

use anyhow::{Context, Result};
use ruma::{CanonicalJsonObject, RoomVersionId};
use serde_json::{Value, json};

use crate::peer::{Peer, event_id, now_ms};

const MAKE_JOIN: &str = "/_matrix/federation/v1/make_join/";
const SEND_JOIN: &str = "/_matrix/federation/v2/send_join/";

/// A room of one peer, as the peer knows it.
#[derive(Debug, Clone)]
pub struct HostedRoom {
    /// Such as `!room:gamma.localhost:41234`.
    pub room_id: String,
    /// The peer's user, who made it.
    pub creator: String,
    /// The room's version.
    pub version: RoomVersionId,
    /// Create event, creator, power levels, join rules.
    pub state: Vec<CanonicalJsonObject>,
    /// The newest event's id.
    pub last: String,
    /// Its depth.
    pub depth: u64,
}

impl HostedRoom {
    /// A public room of `version` (below 12, where rooms are named by their server).
    ///
    /// # Errors
    /// When there is no such version.
    pub fn make(peer: &Peer, name: &str, version: &str) -> Result<Self> {
        let version = RoomVersionId::try_from(version)?;
        let creator = peer.user_id("mallory");
        let mut room = Self {
            room_id: format!("!{name}:{}", peer.name()),
            creator: creator.clone(),
            version: version.clone(),
            state: Vec::new(),
            last: String::new(),
            depth: 0,
        };
        let create = json!({ "creator": creator, "room_version": version });
        let levels = json!({ "users": { &creator: 100 } });
        for (kind, state_key, content) in [
            ("m.room.create", "", create),
            ("m.room.member", creator.as_str(), json!({ "membership": "join" })),
            ("m.room.power_levels", "", levels),
            ("m.room.join_rules", "", json!({ "join_rule": "public" })),
        ] {
            let event = room.event(peer, kind, Some(state_key), content)?;
            room.state.push(event);
        }
        Ok(room)
    }

    /// The creator's next event, signed; it becomes the newest.
    ///
    /// # Errors
    /// When it is not canonical JSON.
    pub fn event(
        &mut self,
        peer: &Peer,
        kind: &str,
        state_key: Option<&str>,
        content: Value,
    ) -> Result<CanonicalJsonObject> {
        let auth = self.auth_events(3)?;
        let mut event = json!({
            "type": kind, "room_id": self.room_id, "sender": self.creator, "content": content,
            "origin_server_ts": now_ms(), "depth": self.depth.saturating_add(1),
            "prev_events": self.prev_events(), "auth_events": auth,
        });
        if let (Some(fields), Some(state_key)) = (event.as_object_mut(), state_key) {
            fields.insert("state_key".to_owned(), state_key.into());
        }
        let event = peer.sign_event(&self.version, event)?;
        self.advance(&event)?;
        Ok(event)
    }

    /// Makes `event` the newest.
    ///
    /// # Errors
    /// When it is none.
    pub fn advance(&mut self, event: &CanonicalJsonObject) -> Result<()> {
        self.last = self.event_id(event)?;
        self.depth = self.depth.saturating_add(1);
        Ok(())
    }

    /// The id of an event of this room.
    ///
    /// # Errors
    /// When it is none.
    pub fn event_id(&self, event: &CanonicalJsonObject) -> Result<String> {
        event_id(&self.version, event)
    }

    /// The ids of the first `count` events of the state: 3 for what the creator does.
    ///
    /// # Errors
    /// Never, as long as the state is events.
    pub fn auth_events(&self, count: usize) -> Result<Vec<String>> {
        self.state.iter().take(count).map(|event| self.event_id(event)).collect()
    }

    /// What `make_join` of an honest server says.
    ///
    /// # Errors
    /// As [`HostedRoom::auth_events`].
    pub fn template(&self, user_id: &str) -> Result<Value> {
        let mut auth = self.auth_events(4)?;
        auth.remove(1);
        Ok(json!({
            "type": "m.room.member", "room_id": self.room_id, "sender": user_id,
            "state_key": user_id, "content": { "membership": "join" },
            "origin_server_ts": now_ms(), "depth": self.depth.saturating_add(1),
            "prev_events": self.prev_events(), "auth_events": auth,
        }))
    }

    /// Answers joins with `template` and the room's state.
    ///
    /// # Errors
    /// When the state is no JSON.
    pub fn let_in(&self, peer: &Peer, template: Value) -> Result<()> {
        let made = json!({ "room_version": self.version, "event": template });
        peer.answer(&format!("{MAKE_JOIN}{}/", self.room_id), 200, made);
        let state = serde_json::to_value(&self.state)?;
        let joined = json!({ "origin": peer.name(), "state": state, "auth_chain": state });
        peer.answer(&format!("{SEND_JOIN}{}/", self.room_id), 200, joined);
        Ok(())
    }

    /// The joins that were sent to the peer for this room.
    pub fn joins(&self, peer: &Peer) -> Vec<Value> {
        let path = format!("{SEND_JOIN}{}/", self.room_id);
        peer.asked(&path).into_iter().map(|asked| asked.body).collect()
    }

    /// Lets `user_id` in by way of an honest join, and goes on from it: `join` is called once the peer is ready.
    ///
    /// # Errors
    /// When no join came.
    pub async fn joined_by<F: Future<Output = Result<()>>>(
        &mut self,
        peer: &Peer,
        user_id: &str,
        join: F,
    ) -> Result<()> {
        self.let_in(peer, self.template(user_id)?)?;
        join.await?;
        let join = self.joins(peer).pop().context("no join came")?;
        let join: CanonicalJsonObject = serde_json::from_value(join)?;
        self.advance(&join)
    }

    fn prev_events(&self) -> Vec<&str> {
        Some(self.last.as_str()).filter(|last| !last.is_empty()).into_iter().collect()
    }
}
