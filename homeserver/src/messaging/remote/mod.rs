//! Rooms that are elsewhere: joining, leaving, knocking by way of a server that is in them, and inviting its users.
//!
//! Of another server's template only prev events, auth events, depth and version are taken, after a check; the event is
//! built from our own fields, so that nothing is signed that we did not build.

mod invite;
mod join;
mod leave;

pub(super) use self::{
    invite::invite,
    join::{join, join_through},
    leave::{knock, leave, receive_removal},
};
pub use self::{invite::receive_invite, leave::going};

use ruma::{
    CanonicalJsonObject, CanonicalJsonValue, OwnedEventId, OwnedServerName, OwnedUserId, RoomId,
    RoomVersionId, ServerName, UserId, api::error::ErrorKind, room_version_rules::RoomVersionRules,
};
use serde::Deserialize;
use serde_json::{json, value::RawValue};

use super::{Engine, Error, Pdu, build};
use crate::{
    auth::Requester,
    storage::{events, rooms, rooms::StoredMembership},
};

/// Servers asked, one after the other, before a join gives up.
const SERVERS_MAX: usize = 5;
/// The versions we can take part in, as other servers are told.
pub(super) const VERSIONS: [RoomVersionId; 10] = [
    RoomVersionId::V3,
    RoomVersionId::V4,
    RoomVersionId::V5,
    RoomVersionId::V6,
    RoomVersionId::V7,
    RoomVersionId::V8,
    RoomVersionId::V9,
    RoomVersionId::V10,
    RoomVersionId::V11,
    RoomVersionId::V12,
];

/// What a template may tell us.
#[derive(Deserialize)]
struct Template {
    prev_events: Vec<OwnedEventId>,
    auth_events: Vec<OwnedEventId>,
    depth: i64,
    #[serde(default)]
    content: TemplateContent,
}

#[derive(Deserialize, Default)]
struct TemplateContent {
    join_authorised_via_users_server: Option<OwnedUserId>,
}

fn refused(server: &ServerName, error: impl std::fmt::Display) -> Error {
    Error::Remote { server: server.to_string(), reason: error.to_string() }
}

/// A refusal by the other server reaches our user as a refusal; everything else as trouble with that server.
fn answered(server: &ServerName, error: &tern_federation::RequestError) -> Error {
    if matches!(error, tern_federation::RequestError::Off) {
        return Error::Forbidden(error.to_string());
    }
    match error.status().map(|status| status.as_u16()) {
        Some(403) => Error::Forbidden(error.to_string()),
        // A resident that cannot tell whether the user may join does not let them in.
        _ if matches!(
            error.kind(),
            Some(ErrorKind::UnableToAuthorizeJoin | ErrorKind::UnableToGrantJoin)
        ) =>
        {
            Error::Forbidden(error.to_string())
        }
        Some(404) => Error::RoomNotFound,
        _ => refused(server, error),
    }
}

/// Builds and signs the membership event that a template is for.
fn from_template(
    engine: &Engine,
    template: &RawValue,
    room_id: &RoomId,
    user_id: &UserId,
    mut content: CanonicalJsonObject,
    rules: &RoomVersionRules,
) -> Result<Pdu, Error> {
    let template: Template = serde_json::from_str(template.get()).map_err(Error::bad_event)?;
    if template.prev_events.len() > 20 || template.auth_events.len() > 10 || template.depth < 0 {
        return Err(Error::BadEvent("the template of the other server is not sound".to_owned()));
    }
    if let Some(authoriser) = template.content.join_authorised_via_users_server {
        let authoriser = CanonicalJsonValue::String(authoriser.to_string());
        content.insert("join_authorised_via_users_server".to_owned(), authoriser);
    }
    let object = json!({
        "type": "m.room.member", "room_id": room_id, "sender": user_id, "state_key": user_id,
        "origin_server_ts": engine.app().clock.now_ms(), "prev_events": template.prev_events,
        "auth_events": template.auth_events, "depth": template.depth, "content": content,
    });
    match CanonicalJsonValue::try_from(object) {
        Ok(CanonicalJsonValue::Object(object)) => build::sign(engine.app(), object, rules),
        _ => Err(Error::BadEvent("the event is no object".to_owned())),
    }
}

fn raw(pdu: &Pdu) -> Result<Box<RawValue>, Error> {
    serde_json::from_slice(&pdu.json).map_err(Error::bad_event)
}

/// Who may know the room: whoever invited the user and `via`; failing both, the server in an old room id.
async fn candidates(
    engine: &Engine,
    requester: &Requester,
    room_id: &RoomId,
    via: &[OwnedServerName],
) -> Result<Vec<OwnedServerName>, Error> {
    let app = engine.app();
    let mut servers: Vec<OwnedServerName> = Vec::new();
    if let Some(stored) = rooms::find_room(&app.db, room_id.as_str()).await?
        && let Some(standing) = rooms::find_membership(&app.db, requester.user, stored.id).await?
        && let Some(inviter) = inviter(engine, &standing).await?
    {
        servers.push(inviter.server_name().to_owned());
    }
    servers.extend(via.iter().cloned());
    if servers.is_empty() {
        servers.extend(room_id.server_name().map(ToOwned::to_owned));
    }
    let mut seen = std::collections::BTreeSet::new();
    servers.retain(|server| !app.is_ours(server) && seen.insert(server.clone()));
    servers.truncate(SERVERS_MAX);
    if servers.is_empty() { Err(Error::RoomNotFound) } else { Ok(servers) }
}

/// Who sent the membership event by which somebody stands where they stand: of an invited user, the inviter.
async fn inviter(
    engine: &Engine,
    standing: &StoredMembership,
) -> Result<Option<OwnedUserId>, Error> {
    let found = events::list_events(&engine.app().db, &[standing.event]).await?;
    let Some(stored) = found.first() else { return Ok(None) };
    #[derive(Deserialize)]
    struct Sender {
        sender: OwnedUserId,
    }
    Ok(serde_json::from_slice::<Sender>(&stored.json).ok().map(|event| event.sender))
}
