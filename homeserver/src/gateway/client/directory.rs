//! The door to aliases and the public room directory.
//! Spec: <https://spec.matrix.org/v1.19/client-server-api/#room-aliases>.

use axum::{
    Json, Router,
    extract::State,
    response::{IntoResponse, Response},
};
use ruma::{
    OwnedServerName,
    api::client::{
        alias::{create_alias, delete_alias, get_alias},
        directory::{
            get_public_rooms, get_public_rooms_filtered, get_room_visibility, set_room_visibility,
        },
        room::{Visibility, aliases as room_aliases},
    },
};
use serde_json::{Value, json};

use crate::{
    auth::Requester,
    gateway::{ApiError, Matrix, MatrixRoutes, Server, rate_limit::RemoteLimit},
    messaging::{
        Engine, Error,
        aliases::{self, DirectoryQuery, Summary},
        history, power,
    },
    storage::rooms,
};

pub(in crate::gateway) fn routes() -> Router<Server> {
    Router::new()
        .serve::<get_alias::v3::Request, _, _>(resolve)
        .serve::<create_alias::v3::Request, _, _>(create)
        .serve::<delete_alias::v3::Request, _, _>(delete)
        .serve::<room_aliases::v3::Request, _, _>(of_room)
        .serve::<get_public_rooms::v3::Request, _, _>(public_rooms)
        .serve::<get_public_rooms_filtered::v3::Request, _, _>(search_public_rooms)
        .serve::<get_room_visibility::v3::Request, _, _>(visibility)
        .serve::<set_room_visibility::v3::Request, _, _>(set_visibility)
}

/// `GET /_matrix/client/v3/directory/room/{roomAlias}`
async fn resolve(
    State(engine): State<Engine>,
    limit: RemoteLimit,
    Matrix(request): Matrix<get_alias::v3::Request>,
) -> Result<Matrix<get_alias::v3::Response>, ApiError> {
    limit.charge(engine.app(), request.room_alias.server_name())?;
    let (room_id, servers) =
        aliases::resolve(&engine, &request.room_alias).await.map_err(|error| match error {
            Error::EventNotFound => ApiError::not_found("no such alias"),
            other => other.into(),
        })?;
    Ok(Matrix(get_alias::v3::Response::new(room_id, servers)))
}

/// `PUT /_matrix/client/v3/directory/room/{roomAlias}`
async fn create(
    State(engine): State<Engine>,
    requester: Requester,
    Matrix(request): Matrix<create_alias::v3::Request>,
) -> Result<Matrix<create_alias::v3::Response>, ApiError> {
    aliases::create(&engine, &requester, &request.room_alias, &request.room_id).await?;
    Ok(Matrix(create_alias::v3::Response::new()))
}

/// `DELETE /_matrix/client/v3/directory/room/{roomAlias}`
async fn delete(
    State(engine): State<Engine>,
    requester: Requester,
    Matrix(request): Matrix<delete_alias::v3::Request>,
) -> Result<Matrix<delete_alias::v3::Response>, ApiError> {
    aliases::delete(&engine, &requester, &request.room_alias).await?;
    Ok(Matrix(delete_alias::v3::Response::new()))
}

/// `GET /_matrix/client/v3/rooms/{roomId}/aliases`
async fn of_room(
    State(engine): State<Engine>,
    requester: Requester,
    Matrix(request): Matrix<room_aliases::v3::Request>,
) -> Result<Response, ApiError> {
    history::readable_room(&engine, &requester, &request.room_id).await?;
    let aliases = rooms::list_aliases(&engine.app().db, request.room_id.as_str()).await?;
    Ok(Json(json!({ "aliases": aliases })).into_response())
}

/// A directory page as clients and servers read it.
pub(in crate::gateway) fn page(
    summaries: &[Summary],
    query: &DirectoryQuery,
    total: usize,
) -> Value {
    let chunk: Vec<Value> = summaries.iter().map(chunk).collect();
    let mut page = json!({ "chunk": chunk, "total_room_count_estimate": total });
    let end = query.skip + summaries.len();
    if let (true, Value::Object(page)) = (end < total, &mut page) {
        page.insert("next_batch".to_owned(), json!(end.to_string()));
    }
    page
}

fn chunk(summary: &Summary) -> Value {
    let value = json!({
        "room_id": summary.room_id, "name": summary.name, "topic": summary.topic, "avatar_url": summary.avatar_url,
        "canonical_alias": summary.canonical_alias, "join_rule": summary.join_rule, "room_type": summary.room_type,
        "num_joined_members": summary.joined, "world_readable": summary.world_readable,
        "guest_can_join": summary.guest_can_join, "encryption": summary.encryption, "room_version": summary.version,
    });
    match value {
        Value::Object(fields) => fields.into_iter().filter(|(_, value)| !value.is_null()).collect(),
        other => other,
    }
}

async fn list(
    engine: &Engine,
    limit: &RemoteLimit,
    server: Option<OwnedServerName>,
    query: DirectoryQuery,
) -> Result<Response, ApiError> {
    if let Some(server) = server.filter(|server| !engine.app().is_ours(server)) {
        limit.charge(engine.app(), &server)?;
        return Ok(Json(aliases::remote_directory(engine, &server, &query).await?).into_response());
    }
    let (summaries, total) = aliases::directory(engine, &query).await?;
    Ok(Json(page(&summaries, &query, total)).into_response())
}

fn skip(since: Option<&str>) -> Result<usize, ApiError> {
    since.map_or(Ok(0), |since| {
        since
            .parse()
            .map_err(|_| ApiError::invalid_param("`since` is not one of this server's tokens"))
    })
}

/// `GET /_matrix/client/v3/publicRooms`
async fn public_rooms(
    State(engine): State<Engine>,
    remote: RemoteLimit,
    Matrix(request): Matrix<get_public_rooms::v3::Request>,
) -> Result<Response, ApiError> {
    let limit = request.limit.and_then(|limit| usize::try_from(limit).ok());
    let query = DirectoryQuery { search: None, limit, skip: skip(request.since.as_deref())? };
    list(&engine, &remote, request.server, query).await
}

/// `POST /_matrix/client/v3/publicRooms`
async fn search_public_rooms(
    State(engine): State<Engine>,
    _requester: Requester,
    remote: RemoteLimit,
    Matrix(request): Matrix<get_public_rooms_filtered::v3::Request>,
) -> Result<Response, ApiError> {
    let limit = request.limit.and_then(|limit| usize::try_from(limit).ok());
    let search = request.filter.generic_search_term;
    let query = DirectoryQuery { search, limit, skip: skip(request.since.as_deref())? };
    list(&engine, &remote, request.server, query).await
}

/// `GET /_matrix/client/v3/directory/list/room/{roomId}`
async fn visibility(
    State(engine): State<Engine>,
    Matrix(request): Matrix<get_room_visibility::v3::Request>,
) -> Result<Matrix<get_room_visibility::v3::Response>, ApiError> {
    let room = engine.room(&request.room_id).await?;
    let listed = rooms::is_in_directory(&engine.app().db, room.id).await?;
    let visibility = if listed { Visibility::Public } else { Visibility::Private };
    Ok(Matrix(get_room_visibility::v3::Response::new(visibility)))
}

/// `PUT /_matrix/client/v3/directory/list/room/{roomId}`
async fn set_visibility(
    State(engine): State<Engine>,
    requester: Requester,
    Matrix(request): Matrix<set_room_visibility::v3::Request>,
) -> Result<Matrix<set_room_visibility::v3::Response>, ApiError> {
    let room = engine.room(&request.room_id).await?;
    let levels = power::of_room(&engine, &room).await?;
    let may = room.seen().is_joined(requester.user)
        && levels.may_send_state(&requester.user_id, "m.room.canonical_alias");
    if !may {
        return Err(ApiError::forbidden("only a moderator may list the room"));
    }
    rooms::set_in_directory(&engine.app().db, room.id, request.visibility == Visibility::Public)
        .await?;
    Ok(Matrix(set_room_visibility::v3::Response::new()))
}
