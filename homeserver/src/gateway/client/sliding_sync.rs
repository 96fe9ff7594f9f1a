//! The door of `notification`: sliding sync as deployed (MSC4186).

use axum::{
    Json, Router,
    extract::State,
    response::{IntoResponse, Response},
};
use ruma::api::client::sync::sync_events::v5::Request;

use crate::{
    auth::Requester,
    gateway::{ApiError, Matrix, MatrixRoutes, Server},
    messaging::Engine,
    notification::{self, Sync},
};

pub(in crate::gateway) fn routes() -> Router<Server> {
    Router::new().serve::<Request, _, _>(sliding_sync)
}

/// `POST /_matrix/client/unstable/org.matrix.simplified_msc3575/sync`
async fn sliding_sync(
    State(engine): State<Engine>,
    State(state): State<Sync>,
    requester: Requester,
    Matrix(request): Matrix<Request>,
) -> Result<Response, ApiError> {
    let response = notification::sliding_sync(&engine, &state, &requester, request).await?;
    Ok(Json(response).into_response())
}
