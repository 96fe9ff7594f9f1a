//! Joining a room by way of a server that is in it.

use std::sync::Arc;

use ruma::{
    CanonicalJsonObject, OwnedServerName, RoomId, RoomVersionId,
    api::federation::membership::{create_join_event, prepare_join_event},
    room_version_rules::RoomVersionRules,
};
use serde_json::value::RawValue;

use super::{SERVERS_MAX, VERSIONS, answered, candidates, from_template, raw};
use crate::auth::Requester;
use crate::messaging::{
    Engine, Error, Pdu, Room, create_room, funnel, import, inbound, membership::Entered,
};

/// Joins a room that no user of this server is in.
pub(in crate::messaging) async fn join(
    engine: &Engine,
    requester: &Requester,
    room_id: &RoomId,
    via: &[OwnedServerName],
    content: CanonicalJsonObject,
) -> Result<Entered, Error> {
    let mut last = Error::RoomNotFound;
    for server in candidates(engine, requester, room_id, via).await? {
        match join_by(engine, requester, room_id, &server, content.clone()).await {
            Ok(entered) => return Ok(entered),
            Err(error) => {
                tracing::info!(%server, room.id = %room_id, %error, "a join by this server failed");
                last = error;
            }
        }
    }
    Err(last)
}

/// Joins a restricted room that is here, where only users of other servers may vouch for the join.
pub(in crate::messaging) async fn join_through(
    engine: &Engine,
    requester: &Requester,
    room: &Arc<Room>,
    servers: &[OwnedServerName],
    content: CanonicalJsonObject,
) -> Result<(), Error> {
    let mut last = Error::UnableToGrantJoin;
    for server in servers.iter().take(SERVERS_MAX) {
        match ask_to_join(engine, requester, &room.room_id, server, content.clone()).await {
            Ok(asked) => {
                let object = serde_json::from_slice(&asked.join.json).map_err(Error::bad_event)?;
                return inbound::take(engine, room, server, object).await;
            }
            Err(error) => {
                tracing::info!(%server, room.id = %room.room_id, %error, "a join by this server failed");
                last = error;
            }
        }
    }
    Err(last)
}

/// A join that a server in the room has let in.
struct Asked {
    version: RoomVersionId,
    rules: RoomVersionRules,
    /// With the other server's signature, where one was needed.
    join: Pdu,
    answer: import::Answer,
}

async fn ask_to_join(
    engine: &Engine,
    requester: &Requester,
    room_id: &RoomId,
    server: &OwnedServerName,
    content: CanonicalJsonObject,
) -> Result<Asked, Error> {
    let app = engine.app();
    let mut request =
        prepare_join_event::v1::Request::new(room_id.to_owned(), requester.user_id.clone());
    request.ver = VERSIONS.to_vec();
    let template =
        app.federation.send(server, request).await.map_err(|error| answered(server, &error))?;
    let version = template.room_version.unwrap_or(RoomVersionId::V1);
    let rules = create_room::joinable(&version)?;
    let join =
        from_template(engine, &template.event, room_id, &requester.user_id, content, &rules)?;

    let request =
        create_join_event::v2::Request::new(room_id.to_owned(), join.event_id.clone(), raw(&join)?);
    let answer = app
        .federation
        .send_with(server, request, import::WHOLE_ROOM)
        .await
        .map_err(|error| answered(server, &error))?
        .room_state;
    let join = match answer.event {
        Some(cosigned) => cosigned_join(engine, &join, &cosigned, &rules).await?,
        None => join,
    };
    let answer = import::Answer { state: answer.state, auth_chain: answer.auth_chain };
    Ok(Asked { version, rules, join, answer })
}

async fn join_by(
    engine: &Engine,
    requester: &Requester,
    room_id: &RoomId,
    server: &OwnedServerName,
    content: CanonicalJsonObject,
) -> Result<Entered, Error> {
    let Asked { version, rules, join, answer } =
        ask_to_join(engine, requester, room_id, server, content).await?;
    let entered =
        import::joined_room(engine, requester, room_id, (version, rules), join, answer).await?;
    engine.app().bell.ring_users([requester.user]);
    Ok(entered)
}

/// The join with the resident server's signature under it, where a restricted room needs one.
async fn cosigned_join(
    engine: &Engine,
    join: &Pdu,
    cosigned: &RawValue,
    rules: &RoomVersionRules,
) -> Result<Pdu, Error> {
    let object = serde_json::from_str(cosigned.get()).map_err(Error::bad_event)?;
    let verified = funnel::verify(engine.app(), object, rules).await?;
    if verified.pdu().event_id != join.event_id {
        return Err(Error::BadEvent("the other server answered with another event".to_owned()));
    }
    Ok(verified.into_pdu())
}
