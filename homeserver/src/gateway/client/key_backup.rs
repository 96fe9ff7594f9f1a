//! The door of key backups. Spec: <https://spec.matrix.org/v1.19/client-server-api/#server-side-key-backups>.

use std::collections::BTreeMap;

use axum::{Router, extract::State};
use ruma::{
    OwnedRoomId, UInt,
    api::client::backup::{
        BackupAlgorithm, KeyBackupData, RoomKeyBackup, add_backup_keys, add_backup_keys_for_room,
        add_backup_keys_for_session, create_backup_version, delete_backup_keys,
        delete_backup_keys_for_room, delete_backup_keys_for_session, delete_backup_version,
        get_backup_info, get_backup_keys, get_backup_keys_for_room, get_backup_keys_for_session,
        get_latest_backup_info, update_backup_version,
    },
    serde::Raw,
};
use serde_json::value::{RawValue, to_raw_value};

use crate::{
    app::App,
    auth::Requester,
    gateway::{ApiError, Matrix, MatrixRoutes, Server},
    messaging::keys::{self, BackupInfo, BackupState, SessionPath},
    storage::key_backup::StoredSession,
};

type Answer<T> = Result<Matrix<T>, ApiError>;

pub(in crate::gateway) fn routes() -> Router<Server> {
    Router::new()
        .serve::<create_backup_version::v3::Request, _, _>(create_version)
        .serve::<get_latest_backup_info::v3::Request, _, _>(get_latest_version)
        .serve::<get_backup_info::v3::Request, _, _>(get_version)
        .serve::<update_backup_version::v3::Request, _, _>(update_version)
        .serve::<delete_backup_version::v3::Request, _, _>(delete_version)
        .serve::<add_backup_keys::v3::Request, _, _>(add_keys)
        .serve::<add_backup_keys_for_room::v3::Request, _, _>(add_keys_for_room)
        .serve::<add_backup_keys_for_session::v3::Request, _, _>(add_keys_for_session)
        .serve::<get_backup_keys::v3::Request, _, _>(get_keys)
        .serve::<get_backup_keys_for_room::v3::Request, _, _>(get_keys_for_room)
        .serve::<get_backup_keys_for_session::v3::Request, _, _>(get_keys_for_session)
        .serve::<delete_backup_keys::v3::Request, _, _>(delete_keys)
        .serve::<delete_backup_keys_for_room::v3::Request, _, _>(delete_keys_for_room)
        .serve::<delete_backup_keys_for_session::v3::Request, _, _>(delete_keys_for_session)
}

/// `POST /_matrix/client/v3/room_keys/version`
async fn create_version(
    State(app): State<App>,
    requester: Requester,
    Matrix(request): Matrix<create_backup_version::v3::Request>,
) -> Answer<create_backup_version::v3::Response> {
    let json = request.algorithm.json().get();
    let version = keys::create_backup(&app, requester.user, json).await?;
    Ok(Matrix(create_backup_version::v3::Response::new(version)))
}

/// `GET /_matrix/client/v3/room_keys/version`
async fn get_latest_version(
    State(app): State<App>,
    requester: Requester,
    _request: Matrix<get_latest_backup_info::v3::Request>,
) -> Answer<get_latest_backup_info::v3::Response> {
    let info = keys::find_backup(&app, requester.user, None).await?;
    let (algorithm, count) = (algorithm(&info)?, number(info.count));
    let response =
        get_latest_backup_info::v3::Response::new(algorithm, count, info.etag, info.version);
    Ok(Matrix(response))
}

/// `GET /_matrix/client/v3/room_keys/version/{version}`
async fn get_version(
    State(app): State<App>,
    requester: Requester,
    Matrix(request): Matrix<get_backup_info::v3::Request>,
) -> Answer<get_backup_info::v3::Response> {
    let info = keys::find_backup(&app, requester.user, Some(&request.version)).await?;
    let (algorithm, count) = (algorithm(&info)?, number(info.count));
    Ok(Matrix(get_backup_info::v3::Response::new(algorithm, count, info.etag, info.version)))
}

/// `PUT /_matrix/client/v3/room_keys/version/{version}`
async fn update_version(
    State(app): State<App>,
    requester: Requester,
    Matrix(request): Matrix<update_backup_version::v3::Request>,
) -> Answer<update_backup_version::v3::Response> {
    let json = request.algorithm.json().get();
    keys::update_backup(&app, requester.user, &request.version, json).await?;
    Ok(Matrix(update_backup_version::v3::Response::new()))
}

/// `DELETE /_matrix/client/v3/room_keys/version/{version}`
async fn delete_version(
    State(app): State<App>,
    requester: Requester,
    Matrix(request): Matrix<delete_backup_version::v3::Request>,
) -> Answer<delete_backup_version::v3::Response> {
    keys::delete_backup(&app, requester.user, &request.version).await?;
    Ok(Matrix(delete_backup_version::v3::Response::new()))
}

/// `PUT /_matrix/client/v3/room_keys/keys`
async fn add_keys(
    State(app): State<App>,
    requester: Requester,
    Matrix(request): Matrix<add_backup_keys::v3::Request>,
) -> Answer<add_backup_keys::v3::Response> {
    let sessions =
        request.rooms.into_iter().flat_map(|(room, backup)| flat(&room, backup.sessions));
    let state =
        keys::put_backup_keys(&app, requester.user, &request.version, sessions.collect()).await?;
    let (etag, count) = parts(state);
    Ok(Matrix(add_backup_keys::v3::Response::new(etag, count)))
}

/// `PUT /_matrix/client/v3/room_keys/keys/{roomId}`
async fn add_keys_for_room(
    State(app): State<App>,
    requester: Requester,
    Matrix(request): Matrix<add_backup_keys_for_room::v3::Request>,
) -> Answer<add_backup_keys_for_room::v3::Response> {
    let sessions = flat(&request.room_id, request.sessions);
    let state = keys::put_backup_keys(&app, requester.user, &request.version, sessions).await?;
    let (etag, count) = parts(state);
    Ok(Matrix(add_backup_keys_for_room::v3::Response::new(etag, count)))
}

/// `PUT /_matrix/client/v3/room_keys/keys/{roomId}/{sessionId}`
async fn add_keys_for_session(
    State(app): State<App>,
    requester: Requester,
    Matrix(request): Matrix<add_backup_keys_for_session::v3::Request>,
) -> Answer<add_backup_keys_for_session::v3::Response> {
    let sessions = [(request.session_id, request.session_data)].into_iter().collect();
    let sessions = flat(&request.room_id, sessions);
    let state = keys::put_backup_keys(&app, requester.user, &request.version, sessions).await?;
    let (etag, count) = parts(state);
    Ok(Matrix(add_backup_keys_for_session::v3::Response::new(etag, count)))
}

/// `GET /_matrix/client/v3/room_keys/keys`
async fn get_keys(
    State(app): State<App>,
    requester: Requester,
    Matrix(request): Matrix<get_backup_keys::v3::Request>,
) -> Answer<get_backup_keys::v3::Response> {
    let path = SessionPath::default();
    let found = keys::find_backup_keys(&app, requester.user, &request.version, &path).await?;
    let mut rooms: BTreeMap<OwnedRoomId, RoomKeyBackup> = BTreeMap::new();
    for session in found {
        let room_id =
            OwnedRoomId::try_from(session.room_id.as_str()).map_err(ApiError::internal)?;
        let room = rooms.entry(room_id).or_insert_with(|| RoomKeyBackup::new(BTreeMap::new()));
        let data = data(&session)?;
        room.sessions.insert(session.session_id, data);
    }
    Ok(Matrix(get_backup_keys::v3::Response::new(rooms)))
}

/// `GET /_matrix/client/v3/room_keys/keys/{roomId}`
async fn get_keys_for_room(
    State(app): State<App>,
    requester: Requester,
    Matrix(request): Matrix<get_backup_keys_for_room::v3::Request>,
) -> Answer<get_backup_keys_for_room::v3::Response> {
    let path = room_path(&request.room_id);
    let found = keys::find_backup_keys(&app, requester.user, &request.version, &path).await?;
    let mut sessions = BTreeMap::new();
    for session in found {
        let data = data(&session)?;
        sessions.insert(session.session_id, data);
    }
    Ok(Matrix(get_backup_keys_for_room::v3::Response::new(sessions)))
}

/// `GET /_matrix/client/v3/room_keys/keys/{roomId}/{sessionId}`
async fn get_keys_for_session(
    State(app): State<App>,
    requester: Requester,
    Matrix(request): Matrix<get_backup_keys_for_session::v3::Request>,
) -> Answer<get_backup_keys_for_session::v3::Response> {
    let path = SessionPath { session_id: Some(request.session_id), ..room_path(&request.room_id) };
    let found = keys::find_backup_keys(&app, requester.user, &request.version, &path).await?;
    let session = found.first().ok_or_else(|| ApiError::not_found("no such session"))?;
    Ok(Matrix(get_backup_keys_for_session::v3::Response::new(data(session)?)))
}

/// `DELETE /_matrix/client/v3/room_keys/keys`
async fn delete_keys(
    State(app): State<App>,
    requester: Requester,
    Matrix(request): Matrix<delete_backup_keys::v3::Request>,
) -> Answer<delete_backup_keys::v3::Response> {
    let path = SessionPath::default();
    let state = keys::delete_backup_keys(&app, requester.user, &request.version, path).await?;
    let (etag, count) = parts(state);
    Ok(Matrix(delete_backup_keys::v3::Response::new(etag, count)))
}

/// `DELETE /_matrix/client/v3/room_keys/keys/{roomId}`
async fn delete_keys_for_room(
    State(app): State<App>,
    requester: Requester,
    Matrix(request): Matrix<delete_backup_keys_for_room::v3::Request>,
) -> Answer<delete_backup_keys_for_room::v3::Response> {
    let path = room_path(&request.room_id);
    let state = keys::delete_backup_keys(&app, requester.user, &request.version, path).await?;
    let (etag, count) = parts(state);
    Ok(Matrix(delete_backup_keys_for_room::v3::Response::new(etag, count)))
}

/// `DELETE /_matrix/client/v3/room_keys/keys/{roomId}/{sessionId}`
async fn delete_keys_for_session(
    State(app): State<App>,
    requester: Requester,
    Matrix(request): Matrix<delete_backup_keys_for_session::v3::Request>,
) -> Answer<delete_backup_keys_for_session::v3::Response> {
    let path = SessionPath { session_id: Some(request.session_id), ..room_path(&request.room_id) };
    let state = keys::delete_backup_keys(&app, requester.user, &request.version, path).await?;
    let (etag, count) = parts(state);
    Ok(Matrix(delete_backup_keys_for_session::v3::Response::new(etag, count)))
}

/// Room id, session id, JSON.
fn flat(
    room_id: &OwnedRoomId,
    sessions: BTreeMap<String, Raw<KeyBackupData>>,
) -> Vec<(String, String, String)> {
    let one = |(id, data): (String, Raw<KeyBackupData>)| {
        (room_id.to_string(), id, data.json().get().to_owned())
    };
    sessions.into_iter().map(one).collect()
}

fn room_path(room_id: &OwnedRoomId) -> SessionPath {
    SessionPath { room_id: Some(room_id.to_string()), session_id: None }
}

fn data(session: &StoredSession) -> Result<Raw<KeyBackupData>, ApiError> {
    let json = RawValue::from_string(session.json.clone()).map_err(ApiError::internal)?;
    Ok(Raw::from_json(json))
}

/// The two fields that a version's algorithm is made of.
fn algorithm(info: &BackupInfo) -> Result<Raw<BackupAlgorithm>, ApiError> {
    let auth_data = RawValue::from_string(info.auth_data.clone()).map_err(ApiError::internal)?;
    let name = to_raw_value(&info.algorithm).map_err(ApiError::internal)?;
    let fields = BTreeMap::from([("algorithm", name), ("auth_data", auth_data)]);
    Ok(Raw::from_json(to_raw_value(&fields).map_err(ApiError::internal)?))
}

fn parts(state: BackupState) -> (String, UInt) {
    (state.etag, number(state.count))
}

fn number(count: u64) -> UInt {
    UInt::try_from(count).unwrap_or(UInt::MAX)
}
