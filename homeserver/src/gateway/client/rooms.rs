//! The door to rooms: making, joining, leaving, inviting, kicking, banning.
//! Spec: <https://spec.matrix.org/v1.19/client-server-api/#rooms-1>.

use axum::{Router, body::Bytes, extract::State};
use ruma::{
    CanonicalJsonObject, OwnedRoomId, OwnedServerName, RoomAliasId, RoomId, RoomOrAliasId,
    api::client::{
        knock::knock_room,
        membership::{
            ban_user, forget_room, invite_user, join_room_by_id, join_room_by_id_or_alias,
            joined_rooms, kick_user, leave_room, unban_user,
        },
        room::{create_room, upgrade_room},
    },
    serde::Raw,
};

use crate::{
    auth::Requester,
    gateway::{ApiError, Matrix, MatrixAndBody, MatrixRoutes, Server},
    messaging::{
        Engine, aliases,
        create_room::{self as making, NewRoomRequest},
        membership::{self, Removal},
        upgrade,
    },
};

pub(in crate::gateway) fn routes() -> Router<Server> {
    Router::new()
        .serve::<create_room::v3::Request, _, _>(create)
        .serve::<upgrade_room::v3::Request, _, _>(upgrade)
        .serve::<join_room_by_id::v3::Request, _, _>(join_by_id)
        .serve::<join_room_by_id_or_alias::v3::Request, _, _>(join_by_id_or_alias)
        .serve::<knock_room::v3::Request, _, _>(knock)
        .serve::<invite_user::v3::Request, _, _>(invite)
        .serve::<leave_room::v3::Request, _, _>(leave)
        .serve::<forget_room::v3::Request, _, _>(forget)
        .serve::<kick_user::v3::Request, _, _>(kick)
        .serve::<ban_user::v3::Request, _, _>(ban)
        .serve::<unban_user::v3::Request, _, _>(unban)
        .serve::<joined_rooms::v3::Request, _, _>(joined)
}

/// The JSON object of a raw part of a request.
pub(super) fn object<T>(raw: &Raw<T>) -> Result<CanonicalJsonObject, ApiError> {
    serde_json::from_str(raw.json().get()).map_err(ApiError::bad_json)
}

/// `POST /_matrix/client/v3/createRoom`
async fn create(
    State(engine): State<Engine>,
    requester: Requester,
    Matrix(request): Matrix<create_room::v3::Request>,
) -> Result<Matrix<create_room::v3::Response>, ApiError> {
    if !request.invite_3pid.is_empty() {
        return Err(ApiError::invalid_param(
            "inviting by email while making a room is not offered; invite afterwards",
        ));
    }
    let initial_state =
        request.initial_state.iter().map(initial_state).collect::<Result<_, _>>()?;
    let new_room = NewRoomRequest {
        version: request.room_version,
        preset: request.preset,
        visibility: request.visibility,
        alias_localpart: request.room_alias_name,
        name: request.name,
        topic: request.topic,
        invite: request.invite,
        is_direct: request.is_direct,
        creation_content: request
            .creation_content
            .as_ref()
            .map(object)
            .transpose()?
            .unwrap_or_default(),
        power_levels: request
            .power_level_content_override
            .as_ref()
            .map(object)
            .transpose()?
            .unwrap_or_default(),
        initial_state,
    };
    let room_id = making::create_room(&engine, &requester, new_room).await?;
    Ok(Matrix(create_room::v3::Response::new(room_id)))
}

fn initial_state<T>(raw: &Raw<T>) -> Result<(String, String, CanonicalJsonObject), ApiError> {
    #[derive(serde::Deserialize)]
    struct Event {
        #[serde(rename = "type")]
        event_type: String,
        #[serde(default)]
        state_key: String,
        content: CanonicalJsonObject,
    }
    let event: Event = serde_json::from_str(raw.json().get()).map_err(ApiError::bad_json)?;
    Ok((event.event_type, event.state_key, event.content))
}

/// `POST /_matrix/client/v3/rooms/{roomId}/upgrade`
async fn upgrade(
    State(engine): State<Engine>,
    requester: Requester,
    Matrix(request): Matrix<upgrade_room::v3::Request>,
) -> Result<Matrix<upgrade_room::v3::Response>, ApiError> {
    let (version, creators) = (request.new_version, request.additional_creators);
    let replacement =
        upgrade::upgrade(&engine, &requester, &request.room_id, version, creators).await?;
    Ok(Matrix(upgrade_room::v3::Response::new(replacement)))
}

/// What a client adds to its join, beside what the endpoint itself reads.
fn join_extra(body: &Bytes) -> Result<CanonicalJsonObject, ApiError> {
    let mut extra: CanonicalJsonObject =
        serde_json::from_slice(body).map_err(ApiError::bad_json)?;
    extra.remove("third_party_signed");
    Ok(extra)
}

/// `POST /_matrix/client/v3/rooms/{roomId}/join`
async fn join_by_id(
    State(engine): State<Engine>,
    requester: Requester,
    MatrixAndBody(request, body): MatrixAndBody<join_room_by_id::v3::Request>,
) -> Result<Matrix<join_room_by_id::v3::Response>, ApiError> {
    membership::join(&engine, &requester, &request.room_id, &[], join_extra(&body)?).await?;
    Ok(Matrix(join_room_by_id::v3::Response::new(request.room_id)))
}

/// `POST /_matrix/client/v3/join/{roomIdOrAlias}`
async fn join_by_id_or_alias(
    State(engine): State<Engine>,
    requester: Requester,
    MatrixAndBody(request, body): MatrixAndBody<join_room_by_id_or_alias::v3::Request>,
) -> Result<Matrix<join_room_by_id_or_alias::v3::Response>, ApiError> {
    let (room_id, via) = resolve(&engine, &request.room_id_or_alias, request.via).await?;
    membership::join(&engine, &requester, &room_id, &via, join_extra(&body)?).await?;
    Ok(Matrix(join_room_by_id_or_alias::v3::Response::new(room_id)))
}

/// `POST /_matrix/client/v3/knock/{roomIdOrAlias}`
async fn knock(
    State(engine): State<Engine>,
    requester: Requester,
    Matrix(request): Matrix<knock_room::v3::Request>,
) -> Result<Matrix<knock_room::v3::Response>, ApiError> {
    let (room_id, via) = resolve(&engine, &request.room_id_or_alias, request.via).await?;
    membership::knock(&engine, &requester, &room_id, &via, request.reason).await?;
    Ok(Matrix(knock_room::v3::Response::new(room_id)))
}

/// A room id and the servers to ask, from an id or an alias.
pub(super) async fn resolve(
    engine: &Engine,
    id_or_alias: &RoomOrAliasId,
    mut via: Vec<OwnedServerName>,
) -> Result<(OwnedRoomId, Vec<OwnedServerName>), ApiError> {
    if let Ok(room_id) = <&RoomId>::try_from(id_or_alias) {
        return Ok((room_id.to_owned(), via));
    }
    let alias = <&RoomAliasId>::try_from(id_or_alias).map_err(ApiError::invalid_param)?;
    let (room_id, servers) = aliases::resolve(engine, alias).await?;
    via.extend(servers);
    Ok((room_id, via))
}

/// `POST /_matrix/client/v3/rooms/{roomId}/invite`
async fn invite(
    State(engine): State<Engine>,
    requester: Requester,
    Matrix(request): Matrix<invite_user::v3::Request>,
) -> Result<Matrix<invite_user::v3::Response>, ApiError> {
    let invite_user::v3::InvitationRecipient::UserId(target) = request.recipient else {
        return Err(ApiError::invalid_param("inviting by email is not offered here"));
    };
    let reason = target.reason.map(|reason| ("reason".to_owned(), reason.into()));
    let extra = CanonicalJsonObject::from_iter(reason);
    membership::invite(&engine, &requester.user_id, &request.room_id, &target.user_id, extra)
        .await?;
    Ok(Matrix(invite_user::v3::Response::new()))
}

/// `POST /_matrix/client/v3/rooms/{roomId}/leave`
async fn leave(
    State(engine): State<Engine>,
    requester: Requester,
    Matrix(request): Matrix<leave_room::v3::Request>,
) -> Result<Matrix<leave_room::v3::Response>, ApiError> {
    membership::leave(&engine, &requester, &request.room_id, request.reason).await?;
    Ok(Matrix(leave_room::v3::Response::new()))
}

/// `POST /_matrix/client/v3/rooms/{roomId}/forget`
async fn forget(
    State(engine): State<Engine>,
    requester: Requester,
    Matrix(request): Matrix<forget_room::v3::Request>,
) -> Result<Matrix<forget_room::v3::Response>, ApiError> {
    membership::forget(&engine, &requester, &request.room_id).await?;
    Ok(Matrix(forget_room::v3::Response::new()))
}

/// `POST /_matrix/client/v3/rooms/{roomId}/kick`
async fn kick(
    State(engine): State<Engine>,
    requester: Requester,
    Matrix(request): Matrix<kick_user::v3::Request>,
) -> Result<Matrix<kick_user::v3::Response>, ApiError> {
    let (room_id, user_id) = (&request.room_id, &request.user_id);
    membership::remove(&engine, &requester, room_id, user_id, Removal::Kick, request.reason)
        .await?;
    Ok(Matrix(kick_user::v3::Response::new()))
}

/// `POST /_matrix/client/v3/rooms/{roomId}/ban`
async fn ban(
    State(engine): State<Engine>,
    requester: Requester,
    Matrix(request): Matrix<ban_user::v3::Request>,
) -> Result<Matrix<ban_user::v3::Response>, ApiError> {
    let (room_id, user_id) = (&request.room_id, &request.user_id);
    membership::remove(&engine, &requester, room_id, user_id, Removal::Ban, request.reason).await?;
    Ok(Matrix(ban_user::v3::Response::new()))
}

/// `POST /_matrix/client/v3/rooms/{roomId}/unban`
async fn unban(
    State(engine): State<Engine>,
    requester: Requester,
    Matrix(request): Matrix<unban_user::v3::Request>,
) -> Result<Matrix<unban_user::v3::Response>, ApiError> {
    let (room_id, user_id) = (&request.room_id, &request.user_id);
    membership::remove(&engine, &requester, room_id, user_id, Removal::Unban, request.reason)
        .await?;
    Ok(Matrix(unban_user::v3::Response::new()))
}

/// `GET /_matrix/client/v3/joined_rooms`
async fn joined(
    State(engine): State<Engine>,
    requester: Requester,
    _request: Matrix<joined_rooms::v3::Request>,
) -> Result<Matrix<joined_rooms::v3::Response>, ApiError> {
    let standings = engine.standings(requester.user).await?;
    let joined = standings.iter().filter(|standing| standing.membership == "join");
    let room_ids =
        joined.filter_map(|standing| standing.room_id.as_str().try_into().ok()).collect();
    Ok(Matrix(joined_rooms::v3::Response::new(room_ids)))
}
