//! The door to presence.
//! Spec: <https://spec.matrix.org/v1.19/client-server-api/#presence>.

use axum::{
    Json, Router,
    extract::State,
    response::{IntoResponse, Response},
};
use ruma::api::client::presence::{get_presence, set_presence};
use serde_json::json;

use crate::{
    auth::Requester,
    gateway::{ApiError, Matrix, MatrixRoutes, Server},
    messaging::{
        Engine,
        presence::{self, Status},
    },
};

pub(in crate::gateway) fn routes() -> Router<Server> {
    Router::new()
        .serve::<get_presence::v3::Request, _, _>(get)
        .serve::<set_presence::v3::Request, _, _>(set)
}

/// `GET /_matrix/client/v3/presence/{userId}/status`
async fn get(
    State(engine): State<Engine>,
    requester: Requester,
    Matrix(request): Matrix<get_presence::v3::Request>,
) -> Result<Response, ApiError> {
    let Some(shown) = presence::of(&engine, &requester, &request.user_id).await? else {
        return Ok(Json(json!({ "presence": Status::Offline.as_str() })).into_response());
    };
    Ok(Json(shown.content()).into_response())
}

/// `PUT /_matrix/client/v3/presence/{userId}/status`
async fn set(
    State(engine): State<Engine>,
    requester: Requester,
    Matrix(request): Matrix<set_presence::v3::Request>,
) -> Result<Matrix<set_presence::v3::Response>, ApiError> {
    if request.user_id != requester.user_id {
        return Err(ApiError::forbidden("you can only say how you are yourself"));
    }
    let says = Status::from(&request.presence);
    presence::declare(&engine, &requester, says, request.status_msg).await?;
    Ok(Matrix(set_presence::v3::Response::new()))
}
