//! The door of `notification`: v3 sync.
//!
//! Spec: <https://spec.matrix.org/v1.19/client-server-api/#syncing>.

use axum::{
    Json, Router,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use ruma::api::client::{
    filter::FilterDefinition,
    sync::sync_events::v3::{Filter, Request},
};

use crate::{
    auth::Requester,
    gateway::{ApiError, Matrix, MatrixRoutes, Server},
    messaging::{Engine, presence::Status},
    notification::{self, Error, Sync, SyncRequest},
};

pub(in crate::gateway) fn routes() -> Router<Server> {
    Router::new().serve::<Request, _, _>(sync)
}

/// `GET /_matrix/client/v3/sync`
///
/// Not `async`, so that the request moves to the heap before anything waits: a waiting client holds no copies of it.
fn sync(
    State(engine): State<Engine>,
    State(state): State<Sync>,
    requester: Requester,
    Matrix(request): Matrix<Request>,
) -> impl Future<Output = Result<Response, ApiError>> {
    let request = Box::new(request);
    async move {
        let request = Box::pin(read(&engine, &requester, request)).await?;
        let response = notification::sync(&engine, &state, &requester, request).await?;
        Ok(Json(*response).into_response())
    }
}

/// What is asked for.
async fn read(
    engine: &Engine,
    requester: &Requester,
    request: Box<Request>,
) -> Result<Box<SyncRequest>, ApiError> {
    Ok(Box::new(SyncRequest {
        since: request.since.filter(|since| !since.is_empty()),
        filter: filter(engine, requester, request.filter).await?,
        full_state: request.full_state,
        use_state_after: request.use_state_after,
        timeout: request.timeout.unwrap_or_default(),
        set_presence: Status::from(&request.set_presence),
    }))
}

/// The filter as the client wrote it, or as it keeps it here.
async fn filter(
    engine: &Engine,
    requester: &Requester,
    filter: Option<Filter>,
) -> Result<FilterDefinition, ApiError> {
    match filter {
        None => Ok(FilterDefinition::default()),
        Some(Filter::FilterDefinition(filter)) => Ok(filter),
        Some(Filter::FilterId(id)) => {
            Ok(notification::stored_filter(engine.app(), requester.user, &id).await?)
        }
        Some(_) => Err(ApiError::invalid_param("the filter is neither an id nor an object")),
    }
}

impl From<Error> for ApiError {
    fn from(error: Error) -> Self {
        match error {
            Error::UnknownPos => {
                Self::new(StatusCode::BAD_REQUEST, "M_UNKNOWN_POS", "start again without `pos`")
            }
            Error::InvalidParam(text) => Self::invalid_param(text),
            Error::UnknownFilter => Self::invalid_param("there is no filter with this id"),
            Error::Account(source) => source.into(),
            Error::Messaging(source) => source.into(),
            Error::Storage(source) => source.into(),
        }
    }
}
