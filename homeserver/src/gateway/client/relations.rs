//! The door to what hangs together: relations of an event, threads of a room, what the user was notified of.
//! Spec: <https://spec.matrix.org/v1.19/client-server-api/#relationships-api>.

use std::collections::BTreeMap;

use axum::{
    Json, Router,
    extract::{Path, Query, State},
    response::{IntoResponse, Response},
};
use ruma::{
    EventId, RoomId,
    api::{
        Direction,
        client::{
            push::get_notifications,
            relations::{
                get_relating_events, get_relating_events_with_rel_type,
                get_relating_events_with_rel_type_and_event_type,
            },
            threads::get_threads,
        },
    },
};
use serde_json::{Value, json};

use super::history::{client_events, place, token};
use crate::{
    auth::Requester,
    gateway::{ApiError, Matrix, MatrixRoutes, Server},
    messaging::{
        Engine,
        client_event::{self, Form},
        history::{self, Children},
        notified, threads,
        visibility::Sight,
    },
};

/// Entries of an answer when the client names no number.
const LIMIT_DEFAULT: u64 = 50;

pub(in crate::gateway) fn routes() -> Router<Server> {
    Router::new()
        .serve::<get_relating_events::v1::Request, _, _>(relations)
        .serve::<get_relating_events_with_rel_type::v1::Request, _, _>(relations_of_type)
        .serve::<get_relating_events_with_rel_type_and_event_type::v1::Request, _, _>(
            relations_of_event_type,
        )
        .serve::<get_threads::v1::Request, _, _>(threads_of_room)
        .serve::<get_notifications::v3::Request, _, _>(notifications)
}

/// The page that the three forms of the request share.
struct Page {
    from: Option<String>,
    to: Option<String>,
    limit: Option<ruma::UInt>,
    dir: Direction,
    recurse: bool,
}

async fn children(
    engine: &Engine,
    requester: &Requester,
    (room_id, event_id): (&RoomId, &EventId),
    kind: (Option<String>, Option<String>),
    page: Page,
) -> Result<Response, ApiError> {
    let from = place(engine, room_id, page.from.as_deref()).await?;
    let asked = Children {
        rel_type: kind.0,
        event_type: kind.1,
        recurse: page.recurse,
        backwards: page.dir == Direction::Backward,
        from,
        to: place(engine, room_id, page.to.as_deref()).await?,
        limit: page.limit.map_or(LIMIT_DEFAULT, u64::from),
    };
    let found = history::relations(engine, requester, (room_id, event_id), asked).await?;
    let chunk = client_events(engine, &found.room, requester, &found.events).await?;
    let mut body = json!({ "chunk": chunk });
    if let Value::Object(body) = &mut body {
        let written = |name: &str, place| (name.to_owned(), json!(token(engine, place)));
        body.extend(found.next.map(|next| written("next_batch", next)));
        body.extend(from.map(|from| written("prev_batch", from)));
        if page.recurse {
            body.insert("recursion_depth".to_owned(), json!(history::RECURSION_DEPTH));
        }
    }
    Ok(Json(body).into_response())
}

/// `GET /_matrix/client/v1/rooms/{roomId}/relations/{eventId}`
async fn relations(
    State(engine): State<Engine>,
    requester: Requester,
    Matrix(request): Matrix<get_relating_events::v1::Request>,
) -> Result<Response, ApiError> {
    let get_relating_events::v1::Request { from, to, limit, dir, recurse, .. } = request;
    let page = Page { from, to, limit, dir, recurse };
    let event = (&*request.room_id, &*request.event_id);
    children(&engine, &requester, event, (None, None), page).await
}

/// `GET /_matrix/client/v1/rooms/{roomId}/relations/{eventId}/{relType}`
async fn relations_of_type(
    State(engine): State<Engine>,
    requester: Requester,
    Matrix(request): Matrix<get_relating_events_with_rel_type::v1::Request>,
) -> Result<Response, ApiError> {
    let get_relating_events_with_rel_type::v1::Request { from, to, limit, dir, recurse, .. } =
        request;
    let page = Page { from, to, limit, dir, recurse };
    let event = (&*request.room_id, &*request.event_id);
    let kind = (Some(request.rel_type.to_string()), None);
    children(&engine, &requester, event, kind, page).await
}

/// `GET /_matrix/client/v1/rooms/{roomId}/relations/{eventId}/{relType}/{eventType}`
async fn relations_of_event_type(
    State(engine): State<Engine>,
    requester: Requester,
    Matrix(request): Matrix<get_relating_events_with_rel_type_and_event_type::v1::Request>,
) -> Result<Response, ApiError> {
    use get_relating_events_with_rel_type_and_event_type::v1::Request;

    let Request { from, to, limit, dir, recurse, .. } = request;
    let page = Page { from, to, limit, dir, recurse };
    let event = (&*request.room_id, &*request.event_id);
    let kind = (Some(request.rel_type.to_string()), Some(request.event_type.to_string()));
    children(&engine, &requester, event, kind, page).await
}

/// `GET /_matrix/client/v1/rooms/{roomId}/threads`. Read by hand: ruma's request has no default for `include`.
async fn threads_of_room(
    State(engine): State<Engine>,
    requester: Requester,
    Path(room_id): Path<String>,
    Query(query): Query<BTreeMap<String, String>>,
) -> Result<Response, ApiError> {
    let room_id = RoomId::parse(room_id).map_err(ApiError::invalid_param)?;
    let participated = match query.get("include").map(String::as_str) {
        None | Some("all") => false,
        Some("participated") => true,
        Some(_) => return Err(ApiError::invalid_param("include is all or participated")),
    };
    let not_a_number = |_| ApiError::invalid_param("limit is a number");
    let limit = query.get("limit").map(|limit| limit.parse::<u64>().map_err(not_a_number));
    let limit = limit.transpose()?.unwrap_or(LIMIT_DEFAULT);
    let from = place(&engine, &room_id, query.get("from").map(String::as_str)).await?;
    let page = (from, limit);
    let roots = threads::roots(&engine, &requester, &room_id, participated, page).await?;
    let chunk = client_events(&engine, &roots.room, &requester, &roots.events).await?;
    let mut body = json!({ "chunk": chunk });
    if let (Some(next), Value::Object(body)) = (roots.next, &mut body) {
        body.insert("next_batch".to_owned(), json!(token(&engine, next)));
    }
    Ok(Json(body).into_response())
}

/// `GET /_matrix/client/v3/notifications`. What was read is listed only if it was a highlight: of the rest nothing is kept but how
/// many they were.
async fn notifications(
    State(engine): State<Engine>,
    requester: Requester,
    Matrix(request): Matrix<get_notifications::v3::Request>,
) -> Result<Response, ApiError> {
    let not_ours = || ApiError::invalid_param("the token is not one of this server's");
    let from = request.from.as_deref().filter(|from| !from.is_empty());
    let from = from
        .map(|from| from.strip_prefix('n').and_then(|at| at.parse().ok()).ok_or_else(not_ours))
        .transpose()?;
    let only_highlights = request.only.as_deref() == Some("highlight");
    let limit = request.limit.map_or(LIMIT_DEFAULT, u64::from);
    let page = (from, limit);
    let list = notified::list(&engine, &requester, page, only_highlights).await?;
    let mut notifications = Vec::with_capacity(list.told.len());
    for told in &list.told {
        let sight = Sight::new(&engine, &told.room, requester.user);
        let pdus = std::slice::from_ref(&told.pdu);
        let events = client_event::list_for(&sight, requester.device, pdus, Form::Sync).await?;
        let actions = match told.highlight {
            true => json!(["notify", { "set_tweak": "highlight" }]),
            false => json!(["notify"]),
        };
        notifications.push(json!({
            "actions": actions,
            "event": events.first(),
            "read": told.read,
            "room_id": told.room.room_id,
            "ts": told.pdu.origin_server_ts,
        }));
    }
    let mut body = json!({ "notifications": notifications });
    if let (Some(next), Value::Object(body)) = (list.next, &mut body) {
        body.insert("next_token".to_owned(), json!(format!("n{next}")));
    }
    Ok(Json(body).into_response())
}
