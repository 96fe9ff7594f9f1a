//! Making a room: all its first events in one commit.

use std::{collections::BTreeMap, sync::Arc};

use ruma::{
    CanonicalJsonObject, CanonicalJsonValue, OwnedRoomAliasId, OwnedRoomId, OwnedUserId, RoomId,
    RoomVersionId,
    api::client::room::{Visibility, create_room::v3::RoomPreset},
    events::TimelineEventType,
    room_version_rules::RoomVersionRules,
};
use serde_json::json;

use super::{
    Building, Draft, Engine, Error, membership,
    pdu::Pdu,
    room::{Head, Room, Seen},
    signed, upgrade,
};
use crate::{
    app::App,
    auth::Requester,
    config::EncryptionDefault,
    storage::{NewRoom, rooms},
};

/// A request for a room, as decoded by the door.
#[derive(Debug, Clone)]
pub struct NewRoomRequest {
    pub version: Option<RoomVersionId>,
    pub preset: Option<RoomPreset>,
    pub visibility: Visibility,
    pub alias_localpart: Option<String>,
    pub name: Option<String>,
    pub topic: Option<String>,
    pub invite: Vec<OwnedUserId>,
    pub is_direct: bool,
    /// Extra keys for the create event.
    pub creation_content: CanonicalJsonObject,
    /// Keys laid over the default power levels.
    pub power_levels: CanonicalJsonObject,
    /// Further state: type, state key, content; in the order given.
    pub initial_state: Vec<(String, String, CanonicalJsonObject)>,
}

/// The key of the create event by which a creator turns encryption off.
const ENCRYPTION_SWITCH: &str = "chat.tern.encryption";

/// Makes a room, joins its creator and invites the others.
///
/// # Errors
/// [`Error::AliasTaken`], [`Error::UnsupportedRoomVersion`], [`Error::InvalidParam`] for content that breaks the rules.
pub async fn create_room(
    engine: &Engine,
    requester: &Requester,
    mut request: NewRoomRequest,
) -> Result<OwnedRoomId, Error> {
    let app = engine.app();
    let version = match &request.version {
        Some(version) => version.clone(),
        None => RoomVersionId::try_from(app.config.rooms.default_version.as_str())
            .unwrap_or(RoomVersionId::V12),
    };
    let rules = supported(&version)?;
    let alias =
        request.alias_localpart.as_ref().map(|localpart| alias(app, localpart)).transpose()?;
    let switch =
        request.creation_content.get(ENCRYPTION_SWITCH).and_then(CanonicalJsonValue::as_bool);
    let preset = request.preset.clone().unwrap_or(match request.visibility {
        Visibility::Public => RoomPreset::PublicChat,
        _ => RoomPreset::PrivateChat,
    });
    if switch != Some(false) && encrypts(app, &request, &preset) {
        let content = object(json!({ "algorithm": "m.megolm.v1.aes-sha2" }))?;
        request.initial_state.insert(0, ("m.room.encryption".to_owned(), String::new(), content));
    }

    let content = creation_content(&request, &preset, &rules);
    let create = create_event(engine, requester, content, &version, &rules)?;
    let room = new_room(app, &create, version, rules);
    let room_id = room.room_id.clone();
    if let Some(alias) = &alias
        && !rooms::insert_alias(&app.db, alias.as_str(), room_id.as_str(), requester.user).await?
    {
        return Err(Error::AliasTaken);
    }
    let plan = Plan { request: &request, preset, alias: alias.as_ref() };
    let state = first_state(requester, &room, &plan)?;
    let made = first_events(engine, requester, &room, create, state).await;
    if let (Err(_), Some(alias)) = (&made, &alias) {
        rooms::delete_alias(&app.db, alias.as_str()).await?;
    }
    made?;
    upgrade::follow(engine, requester.user, &room).await;
    if request.visibility == Visibility::Public {
        rooms::set_in_directory(&app.db, room.id, true).await?;
    }
    for user_id in &request.invite {
        let content = invite_content(request.is_direct);
        match membership::invite(engine, &requester.user_id, &room_id, user_id, content).await {
            Ok(()) => {}
            Err(Error::InviteBlocked) => tracing::info!("an invitation was not wanted"),
            // The room stands; whoever could not be reached can be invited again.
            Err(Error::Remote { server, reason }) => {
                tracing::warn!(%server, %reason, "an invitation was not delivered");
            }
            Err(error) => return Err(error),
        }
    }
    Ok(room_id)
}

/// Makes a room out of what is given and nothing else: its creator joined, and `state` in this order.
///
/// # Errors
/// [`Error::InvalidParam`] for content that breaks the rules.
pub(super) async fn create_exactly(
    engine: &Engine,
    requester: &Requester,
    (version, rules): (RoomVersionId, RoomVersionRules),
    creation_content: CanonicalJsonObject,
    state: Vec<State>,
) -> Result<Arc<Room>, Error> {
    let app = engine.app();
    let create = create_event(engine, requester, creation_content, &version, &rules)?;
    let room = new_room(app, &create, version, rules);
    first_events(engine, requester, &room, create, state).await?;
    upgrade::follow(engine, requester.user, &room).await;
    Ok(room)
}

fn new_room(app: &App, create: &Pdu, version: RoomVersionId, rules: RoomVersionRules) -> Arc<Room> {
    Arc::new(Room::new(
        app.db.new_id(),
        create.room_id.clone(),
        version,
        rules,
        Head { last_order: -1, ..Head::default() },
        Seen { last_order: -1, ..Seen::default() },
    ))
}

/// The rules of a version this server makes rooms of.
pub fn supported(version: &RoomVersionId) -> Result<RoomVersionRules, Error> {
    let known = matches!(version.as_str(), "6" | "7" | "8" | "9" | "10" | "11" | "12");
    version
        .rules()
        .filter(|_| known)
        .ok_or_else(|| Error::UnsupportedRoomVersion(version.to_string()))
}

/// The rules of a version this server takes part in, wherever the room was made: versions 3 to 5 are joined, not made.
pub fn joinable(version: &RoomVersionId) -> Result<RoomVersionRules, Error> {
    let old = matches!(version.as_str(), "3" | "4" | "5");
    version.rules().filter(|_| old).map_or_else(|| supported(version), Ok)
}

fn encrypts(app: &App, request: &NewRoomRequest, preset: &RoomPreset) -> bool {
    let is_space = request.creation_content.get("type").and_then(CanonicalJsonValue::as_str)
        == Some("m.space");
    let said =
        request.initial_state.iter().any(|(event_type, ..)| event_type == "m.room.encryption");
    let private = matches!(preset, RoomPreset::PrivateChat | RoomPreset::TrustedPrivateChat);
    !is_space
        && !said
        && match app.config.encryption.default {
            EncryptionDefault::Off => false,
            EncryptionDefault::Private => private,
            EncryptionDefault::All => true,
        }
}

fn alias(app: &App, localpart: &str) -> Result<OwnedRoomAliasId, Error> {
    let alias = format!("#{localpart}:{}", app.server_name);
    if localpart.is_empty()
        || localpart.contains([':', '\0'])
        || localpart.chars().any(char::is_whitespace)
        || alias.len() > 255
    {
        return Err(Error::InvalidParam(
            "the alias must be 1 to 255 bytes without colon or spaces".to_owned(),
        ));
    }
    OwnedRoomAliasId::try_from(alias).map_err(|error| Error::InvalidParam(error.to_string()))
}

pub(super) fn object(value: serde_json::Value) -> Result<CanonicalJsonObject, Error> {
    match CanonicalJsonValue::try_from(value) {
        Ok(CanonicalJsonValue::Object(object)) => Ok(object),
        Ok(_) => Err(Error::BadEvent("content must be an object".to_owned())),
        Err(error) => Err(Error::bad_event(error)),
    }
}

fn invite_content(is_direct: bool) -> CanonicalJsonObject {
    if is_direct {
        CanonicalJsonObject::from([("is_direct".to_owned(), true.into())])
    } else {
        CanonicalJsonObject::new()
    }
}

/// What the creator puts into the create event, with the creators that the preset adds.
fn creation_content(
    request: &NewRoomRequest,
    preset: &RoomPreset,
    rules: &RoomVersionRules,
) -> CanonicalJsonObject {
    let mut content = request.creation_content.clone();
    let trusted = *preset == RoomPreset::TrustedPrivateChat;
    if trusted && rules.authorization.additional_room_creators && !request.invite.is_empty() {
        let mut creators: Vec<CanonicalJsonValue> = match content.remove("additional_creators") {
            Some(CanonicalJsonValue::Array(given)) => given,
            _ => Vec::new(),
        };
        creators.extend(
            request.invite.iter().map(|user_id| CanonicalJsonValue::String(user_id.to_string())),
        );
        creators.dedup();
        content.insert("additional_creators".to_owned(), CanonicalJsonValue::Array(creators));
    }
    content
}

/// The signed create event. Since version 12 its id is the room's.
fn create_event(
    engine: &Engine,
    requester: &Requester,
    mut content: CanonicalJsonObject,
    version: &RoomVersionId,
    rules: &RoomVersionRules,
) -> Result<Pdu, Error> {
    let app = engine.app();
    content.insert("room_version".to_owned(), version.to_string().into());
    if !rules.authorization.use_room_create_sender {
        content.insert("creator".to_owned(), requester.user_id.to_string().into());
    }
    let mut object = object(json!({
        "type": "m.room.create", "state_key": "", "sender": requester.user_id, "origin_server_ts": engine.next_creation_ms(),
        "depth": 1, "prev_events": [], "auth_events": [],
    }))?;
    object.insert("content".to_owned(), CanonicalJsonValue::Object(content));
    if !rules.authorization.room_create_event_id_as_room_id {
        object.insert("room_id".to_owned(), RoomId::new_v1(&app.server_name).to_string().into());
    }
    signed::sign(app, object, rules)
}

/// What was asked for, once it is known to be good.
struct Plan<'a> {
    request: &'a NewRoomRequest,
    preset: RoomPreset,
    alias: Option<&'a OwnedRoomAliasId>,
}

/// Everything of a room up to and without its invitations, in one commit.
async fn first_events(
    engine: &Engine,
    requester: &Requester,
    room: &Arc<Room>,
    mut create: Pdu,
    state: Vec<State>,
) -> Result<(), Error> {
    let mut building = Building::begin(engine, room).await?;
    let new_room = NewRoom { room_id: room.room_id.to_string(), version: room.version.to_string() };
    building.batch_mut().new_room = Some(new_room);
    create.sender_id = requester.user;
    building.place_create(create).await?;
    let member = membership::join_content(engine, &requester.user_id).await?;
    let member = ("m.room.member".to_owned(), requester.user_id.to_string(), member);
    for (event_type, state_key, content) in std::iter::once(member).chain(state) {
        let event_type = TimelineEventType::from(event_type);
        let draft = Draft::state(requester.user_id.clone(), event_type, state_key, content);
        building.add(draft).await.map_err(|error| match error {
            Error::Forbidden(text) => {
                Error::InvalidParam(format!("the room's first state breaks its own rules: {text}"))
            }
            other => other,
        })?;
    }
    engine.keep(room.clone());
    building.commit().await?;
    Ok(())
}

/// A state event to be: type, state key, content.
pub(super) type State = (String, String, CanonicalJsonObject);

/// The state events after the creator's join, in the order of the specification ([spec]).
///
/// [spec]: https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3createroom
fn first_state(
    requester: &Requester,
    room: &Room,
    Plan { request, preset, alias }: &Plan<'_>,
) -> Result<Vec<State>, Error> {
    let mut state: Vec<State> = Vec::new();
    let mut push = |event_type: &str, value: serde_json::Value| -> Result<(), Error> {
        state.push((event_type.to_owned(), String::new(), object(value)?));
        Ok(())
    };
    let mut levels = power_levels(requester, room, request, preset)?;
    levels.extend(request.power_levels.clone());
    push("m.room.power_levels", serde_json::to_value(levels).map_err(Error::bad_event)?)?;
    if let Some(alias) = alias {
        push("m.room.canonical_alias", json!({ "alias": alias }))?;
    }
    let given = |event_type: &str| {
        request.initial_state.iter().any(|(given, key, _)| given == event_type && key.is_empty())
    };
    let public = *preset == RoomPreset::PublicChat;
    let mut defaults = vec![
        ("m.room.join_rules", json!({ "join_rule": if public { "public" } else { "invite" } })),
        ("m.room.history_visibility", json!({ "history_visibility": "shared" })),
    ];
    // Guests are forbidden where nothing is said.
    if !public {
        defaults.push(("m.room.guest_access", json!({ "guest_access": "can_join" })));
    }
    for (event_type, content) in defaults {
        if !given(event_type) {
            push(event_type, content)?;
        }
    }
    state.extend(request.initial_state.iter().cloned());
    let mut push = |event_type: &str, value: serde_json::Value| -> Result<(), Error> {
        state.push((event_type.to_owned(), String::new(), object(value)?));
        Ok(())
    };
    if let Some(name) = &request.name {
        push("m.room.name", json!({ "name": name }))?;
    }
    if let Some(topic) = &request.topic {
        push(
            "m.room.topic",
            json!({ "topic": topic, "m.topic": { "m.text": [{ "body": topic }] } }),
        )?;
    }
    Ok(state)
}

fn power_levels(
    requester: &Requester,
    room: &Room,
    request: &NewRoomRequest,
    preset: &RoomPreset,
) -> Result<CanonicalJsonObject, Error> {
    let creators_stand_above = room.rules.authorization.explicitly_privilege_room_creators;
    let mut users = BTreeMap::new();
    if !creators_stand_above {
        users.insert(requester.user_id.to_string(), 100);
        if *preset == RoomPreset::TrustedPrivateChat {
            users.extend(request.invite.iter().map(|user_id| (user_id.to_string(), 100)));
        }
    }
    // Since version 12 only creators and who they trust above 100 may upgrade a room.
    let tombstone = if creators_stand_above { 150 } else { 100 };
    // Anybody may come into a public room: who is asked in by name is for those who run it.
    let invite = if *preset == RoomPreset::PublicChat { 50 } else { 0 };
    object(json!({
        "users": users, "users_default": 0, "events_default": 0, "state_default": 50, "ban": 50, "kick": 50,
        "redact": 50, "invite": invite, "historical": 100, "notifications": { "room": 50 },
        "events": {
            "m.room.name": 50, "m.room.power_levels": 100, "m.room.history_visibility": 100, "m.room.canonical_alias": 50,
            "m.room.avatar": 50, "m.room.tombstone": tombstone, "m.room.server_acl": 100, "m.room.encryption": 100,
        },
    }))
}
