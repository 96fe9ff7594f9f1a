//! What a room says of itself to people who are not in it: the directory, spaces and previews show the same.

use ruma::OwnedRoomId;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{Engine, Error, Room, membership};

/// A room as outsiders see it ([spec]).
///
/// [spec]: https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv1room_summaryroomidoralias
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    pub room_id: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub topic: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub avatar_url: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub canonical_alias: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub join_rule: Option<String>,
    /// The rooms whose members may join, where the join rule says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allowed_room_ids: Option<Vec<OwnedRoomId>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub room_type: Option<String>,
    #[serde(default, rename = "num_joined_members")]
    pub joined: u64,
    #[serde(default)]
    pub world_readable: bool,
    #[serde(default)]
    pub guest_can_join: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encryption: Option<String>,
    #[serde(default, rename = "room_version", skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
}

/// The type of room that groups others.
const SPACE: &str = "m.space";

impl Summary {
    /// Whether the room is a space.
    pub fn is_space(&self) -> bool {
        self.room_type.as_deref() == Some(SPACE)
    }

    /// Whether anybody may come in, ask to, or read without coming in.
    pub fn is_open(&self) -> bool {
        const OPEN: [&str; 3] = ["public", "knock", "knock_restricted"];
        self.world_readable || self.join_rule.as_deref().is_some_and(|rule| OPEN.contains(&rule))
    }
}

/// What a room says of itself to outsiders.
pub async fn summary(engine: &Engine, room: &Room) -> Result<Summary, Error> {
    let text = async |event_type: &str, field: &str| -> Result<Option<String>, Error> {
        let event = engine.state_event(room, event_type, "").await?;
        let content = event.and_then(|event| event.content_as::<Map<String, Value>>());
        Ok(content.and_then(|content| Some(content.get(field)?.as_str()?.to_owned())))
    };
    let joined = room.seen().joined_count;
    let history = text("m.room.history_visibility", "history_visibility").await?;
    Ok(Summary {
        room_id: room.room_id.to_string(),
        name: text("m.room.name", "name").await?,
        topic: text("m.room.topic", "topic").await?,
        avatar_url: text("m.room.avatar", "url").await?,
        canonical_alias: text("m.room.canonical_alias", "alias").await?,
        // No rule is the rule of invitations; who reads a summary takes it for `public`.
        join_rule: text("m.room.join_rules", "join_rule").await?.or(Some("invite".to_owned())),
        allowed_room_ids: membership::restricted_rooms(engine, room).await?,
        room_type: text("m.room.create", "type").await?,
        joined,
        world_readable: history.as_deref() == Some("world_readable"),
        guest_can_join: text("m.room.guest_access", "guest_access").await?.as_deref()
            == Some("can_join"),
        encryption: text("m.room.encryption", "algorithm").await?,
        version: Some(room.version.to_string()),
    })
}
