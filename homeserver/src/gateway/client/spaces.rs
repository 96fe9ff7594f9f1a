//! The door to spaces and to rooms seen from outside.
//! Spec: <https://spec.matrix.org/v1.19/client-server-api/#spaces>.

use axum::{
    Json, Router,
    extract::State,
    response::{IntoResponse, Response},
};
use ruma::api::client::{room::get_summary, space::get_hierarchy};
use serde::Serialize;
use serde_json::{Value, json};

use super::rooms;
use crate::{
    auth::Requester,
    gateway::{ApiError, Matrix, MatrixRoutes, Server, rate_limit::RemoteLimit},
    messaging::{
        Engine, Error,
        spaces::{self, Asked},
        summary::Summary,
    },
};

pub(in crate::gateway) fn routes() -> Router<Server> {
    Router::new()
        .serve::<get_hierarchy::v1::Request, _, _>(hierarchy)
        .serve::<get_summary::v1::Request, _, _>(summary)
}

/// `GET /_matrix/client/v1/rooms/{roomId}/hierarchy`
async fn hierarchy(
    State(engine): State<Engine>,
    requester: Requester,
    Matrix(request): Matrix<get_hierarchy::v1::Request>,
) -> Result<Response, ApiError> {
    let asked = Asked {
        room_id: request.room_id,
        from: request.from.filter(|from| !from.is_empty()),
        limit: request.limit.and_then(|limit| usize::try_from(limit).ok()),
        max_depth: request.max_depth.map(u64::from),
        suggested_only: request.suggested_only,
    };
    let page = spaces::hierarchy(&engine, &requester, asked).await?;
    let mut body = json!({ "rooms": page.rooms });
    if let (Some(next), Value::Object(body)) = (page.next_batch, &mut body) {
        body.insert("next_batch".to_owned(), next.into());
    }
    Ok(Json(body).into_response())
}

/// `GET /_matrix/client/v1/room_summary/{roomIdOrAlias}`
async fn summary(
    State(engine): State<Engine>,
    requester: Option<Requester>,
    limit: RemoteLimit,
    Matrix(request): Matrix<get_summary::v1::Request>,
) -> Result<Response, ApiError> {
    #[derive(Serialize)]
    struct Body {
        #[serde(flatten)]
        summary: Summary,
        #[serde(skip_serializing_if = "Option::is_none")]
        membership: Option<&'static str>,
    }
    let asks = request.room_id_or_alias.server_name().or(request.via.first().map(|via| &**via));
    if let Some(server) = asks {
        limit.charge(engine.app(), server)?;
    }
    let resolved = rooms::resolve(&engine, &request.room_id_or_alias, request.via).await;
    let (room_id, via) = resolved?;
    let found = spaces::preview(&engine, requester.as_ref(), &room_id, &via).await;
    let (summary, membership) = found.map_err(|error| match error {
        Error::RoomNotFound => ApiError::not_found("no such room, or it does not show itself"),
        other => other.into(),
    })?;
    let membership = membership.map(|membership| membership.as_str());
    Ok(Json(Body { summary, membership }).into_response())
}
