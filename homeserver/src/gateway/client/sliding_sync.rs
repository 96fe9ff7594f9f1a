//! The doors of `notification`: sliding sync (MSC4186), in the stable form and in the deployed one.

use axum::{
    Json, Router,
    extract::State,
    response::{IntoResponse, Response},
    routing::post,
};
use ruma::api::client::sync::sync_events::v5;

use crate::{
    auth::Requester,
    gateway::{ApiError, JsonBody, Matrix, MatrixRoutes, Server},
    messaging::Engine,
    notification::{self, SlidingRequest, Sync, wire},
};

/// Where the stable form is served; ruma does not know it.
const STABLE: &str = "/_matrix/client/v4/sync";

pub(in crate::gateway) fn routes() -> Router<Server> {
    Router::new().route(STABLE, post(stable)).serve::<v5::Request, _, _>(deployed)
}

/// `POST /_matrix/client/v4/sync`
///
/// Not `async`, nor is the other: the request moves to the heap before anything waits.
fn stable(
    State(engine): State<Engine>,
    State(state): State<Sync>,
    requester: Requester,
    JsonBody(body): JsonBody<wire::stable::Body>,
) -> impl Future<Output = Result<Response, ApiError>> {
    let request = body.into_request(&requester.user_id).map(Box::new);
    async move { answer(&engine, &state, &requester, request?).await }
}

/// `POST /_matrix/client/unstable/org.matrix.simplified_msc3575/sync`
fn deployed(
    State(engine): State<Engine>,
    State(state): State<Sync>,
    requester: Requester,
    Matrix(request): Matrix<v5::Request>,
) -> impl Future<Output = Result<Response, ApiError>> {
    let request = Box::new(SlidingRequest::from(request));
    async move { answer(&engine, &state, &requester, request).await }
}

async fn answer(
    engine: &Engine,
    state: &Sync,
    requester: &Requester,
    request: Box<SlidingRequest>,
) -> Result<Response, ApiError> {
    let answer = notification::sliding_sync(engine, state, requester, request).await?;
    Ok(Json(*answer).into_response())
}
