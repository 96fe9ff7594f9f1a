//! The door of administrators: whose sessions, locking, suspending. Spec:
//! <https://spec.matrix.org/v1.19/client-server-api/#server-administration>.

use axum::{Json, Router, extract::State, http::StatusCode};
use ruma::{
    OwnedUserId,
    api::client::admin::{
        get_user_info, is_user_locked, is_user_suspended, lock_user, suspend_user,
    },
};
use serde_json::{Map, Value, json};

use crate::{
    admin::{self, AdminError},
    app::App,
    auth::{Auth, Requester},
    gateway::{ApiError, Matrix, MatrixRoutes, Path, Server},
};

pub(in crate::gateway) fn routes() -> Router<Server> {
    Router::new()
        .serve::<get_user_info::v3::Request, _, _>(who_is)
        .serve::<is_user_locked::v1::Request, _, _>(is_locked)
        .serve::<lock_user::v1::Request, _, _>(lock)
        .serve::<is_user_suspended::v1::Request, _, _>(is_suspended)
        .serve::<suspend_user::v1::Request, _, _>(suspend)
}

/// `GET /_matrix/client/v3/admin/whois/{userId}`: for the user, and for administrators.
async fn who_is(
    State(app): State<App>,
    State(auth): State<Auth>,
    requester: Requester,
    Path(user_id): Path<OwnedUserId>,
) -> Result<Json<Value>, ApiError> {
    let devices = admin::sessions_of(&app, &auth, &requester, &user_id).await?;
    let devices: Map<String, Value> = devices
        .into_iter()
        .map(|device| {
            let mut connection = Map::new();
            connection.extend(device.last_seen_ip.map(|ip| ("ip".to_owned(), json!(ip))));
            connection.extend(device.last_seen_ms.map(|ms| ("last_seen".to_owned(), json!(ms))));
            let connections = if connection.is_empty() { json!([]) } else { json!([connection]) };
            (device.device_id, json!({ "sessions": [{ "connections": connections }] }))
        })
        .collect();
    Ok(Json(json!({ "user_id": user_id, "devices": devices })))
}

/// `GET /_matrix/client/v1/admin/lock/{userId}`
async fn is_locked(
    State(app): State<App>,
    requester: Requester,
    Path(user_id): Path<OwnedUserId>,
) -> Result<Json<Value>, ApiError> {
    let account = admin::account_of(&app, &requester, &user_id).await?;
    Ok(Json(json!({ "locked": account.locked })))
}

/// `PUT /_matrix/client/v1/admin/lock/{userId}`
async fn lock(
    State(app): State<App>,
    State(auth): State<Auth>,
    requester: Requester,
    Matrix(request): Matrix<lock_user::v1::Request>,
) -> Result<Json<Value>, ApiError> {
    let change = (&*request.user_id, request.locked);
    admin::set_locked(&app, &auth, &requester, change).await?;
    Ok(Json(json!({ "locked": request.locked })))
}

/// `GET /_matrix/client/v1/admin/suspend/{userId}`
async fn is_suspended(
    State(app): State<App>,
    requester: Requester,
    Path(user_id): Path<OwnedUserId>,
) -> Result<Json<Value>, ApiError> {
    let account = admin::account_of(&app, &requester, &user_id).await?;
    Ok(Json(json!({ "suspended": account.suspended })))
}

/// `PUT /_matrix/client/v1/admin/suspend/{userId}`
async fn suspend(
    State(app): State<App>,
    State(auth): State<Auth>,
    requester: Requester,
    Matrix(request): Matrix<suspend_user::v1::Request>,
) -> Result<Json<Value>, ApiError> {
    let change = (&*request.user_id, request.suspended);
    admin::set_suspended(&app, &auth, &requester, change).await?;
    Ok(Json(json!({ "suspended": request.suspended })))
}

impl From<AdminError> for ApiError {
    fn from(error: AdminError) -> Self {
        let text = error.to_string();
        match error {
            AdminError::NotAdmin | AdminError::IsAdmin => Self::forbidden(text),
            AdminError::NotOurs => Self::invalid_param(text),
            AdminError::UserNotFound => Self::not_found(text),
            AdminError::ReasonTooLong { .. } => {
                Self::new(StatusCode::BAD_REQUEST, "M_INVALID_PARAM", text)
            }
            AdminError::Auth(source) => source.into(),
            AdminError::Storage(source) => source.into(),
        }
    }
}
