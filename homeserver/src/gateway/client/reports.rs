//! The door of reports: users tell the administrators of a room, an event or a user. Spec:
//! <https://spec.matrix.org/v1.19/client-server-api/#reporting-content>.

use axum::{Json, Router, extract::State, http::StatusCode, routing::post};
use ruma::{
    OwnedEventId, OwnedRoomId, OwnedUserId,
    api::client::{reporting::report_user, room::report_room},
};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    admin::{self, About},
    app::App,
    auth::Requester,
    gateway::{ApiError, JsonBody, MatrixRoutes, Path, Server},
    messaging::{Engine, history},
};

pub(in crate::gateway) fn routes() -> Router<Server> {
    // The specification forgot the limit of the oldest form; each report is a row and somebody's time.
    ["/_matrix/client/v3", "/_matrix/client/r0"].into_iter().fold(
        Router::new()
            .serve::<report_room::v3::Request, _, _>(report_room)
            .serve::<report_user::v3::Request, _, _>(report_user),
        |router, base| {
            let path = format!("{base}/rooms/{{room_id}}/report/{{event_id}}");
            router.limited(&path, post(report_event))
        },
    )
}

#[derive(Deserialize)]
struct Body {
    #[serde(default)]
    reason: Option<String>,
}

/// `POST /_matrix/client/v3/rooms/{roomId}/report/{eventId}`
async fn report_event(
    State(engine): State<Engine>,
    requester: Requester,
    Path((room_id, event_id)): Path<(OwnedRoomId, OwnedEventId)>,
    JsonBody(body): JsonBody<Body>,
) -> Result<Json<Value>, ApiError> {
    let hidden = || ApiError::not_found("there is no such event, or you are not in its room");
    let (room, _) =
        history::event(&engine, &requester, &room_id, &event_id).await.map_err(|_| hidden())?;
    if !room.seen().is_joined(requester.user) {
        return Err(hidden());
    }
    keep(engine.app(), &requester, About::Event(room_id, event_id), body).await
}

/// `POST /_matrix/client/v3/rooms/{roomId}/report`
async fn report_room(
    State(engine): State<Engine>,
    requester: Requester,
    Path(room_id): Path<OwnedRoomId>,
    JsonBody(body): JsonBody<Body>,
) -> Result<Json<Value>, ApiError> {
    if engine.find_room(&room_id).await?.is_none() {
        return Err(ApiError::not_found("this server does not know that room"));
    }
    keep(engine.app(), &requester, About::Room(room_id), body).await
}

/// `POST /_matrix/client/v3/users/{userId}/report`
async fn report_user(
    State(app): State<App>,
    requester: Requester,
    Path(user_id): Path<OwnedUserId>,
    JsonBody(body): JsonBody<Body>,
) -> Result<Json<Value>, ApiError> {
    if body.reason.is_none() {
        let text = "the reason is missing";
        return Err(ApiError::new(StatusCode::BAD_REQUEST, "M_MISSING_PARAM", text));
    }
    keep(&app, &requester, About::User(user_id), body).await
}

async fn keep(
    app: &App,
    requester: &Requester,
    about: About,
    body: Body,
) -> Result<Json<Value>, ApiError> {
    admin::report(app, requester, about, body.reason.unwrap_or_default()).await?;
    Ok(Json(json!({})))
}
