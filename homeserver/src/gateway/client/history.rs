//! The door to what was said: pages, context, members. What relates to an event is `relations`'.
//! Spec: <https://spec.matrix.org/v1.19/client-server-api/#getting-events-for-a-room>.

use std::{collections::BTreeMap, sync::Arc};

use axum::{
    Json, Router,
    extract::State,
    response::{IntoResponse, Response},
};
use ruma::{
    OwnedRoomId,
    api::{
        Direction,
        client::{
            context::get_context,
            membership::{get_member_events, joined_members},
            message::get_message_events,
            room::{get_event_by_timestamp, get_room_event},
        },
    },
    events::TimelineEventType,
};
use serde_json::{Value, json};

use crate::{
    auth::Requester,
    gateway::{ApiError, Matrix, MatrixRoutes, Path, Server},
    messaging::{
        Engine, Membership, Pdu, Room, by_time, client_event, event_filter,
        history::{self, Page},
        sync_view,
        tokens::{SyncToken, TimelineToken},
    },
};

pub(in crate::gateway) fn routes() -> Router<Server> {
    Router::new()
        .serve::<get_message_events::v3::Request, _, _>(messages)
        .serve::<get_context::v3::Request, _, _>(context)
        .serve::<get_room_event::v3::Request, _, _>(event)
        .serve::<get_event_by_timestamp::v1::Request, _, _>(event_by_time)
        .serve::<get_member_events::v3::Request, _, _>(members)
        .serve::<joined_members::v3::Request, _, _>(joined)
}

/// A token of ours as a place in the timeline; absent is absent, nonsense is M_INVALID_PARAM. One from before a restored backup
/// counts as absent: its place may be another event's now, and a page too many is better than a gap nobody sees.
fn order(engine: &Engine, token: Option<&str>) -> Result<Option<i64>, ApiError> {
    let Some(token) = token.filter(|token| !token.is_empty()) else { return Ok(None) };
    let token = TimelineToken::parse(token).ok_or_else(not_ours)?;
    Ok((token.epoch == engine.app().db.epoch()).then_some(token.order))
}

/// [`order`], which takes a sync's `next_batch` or `pos` too: the place behind everything that sync told of the room.
pub(super) async fn place(
    engine: &Engine,
    room_id: &ruma::RoomId,
    token: Option<&str>,
) -> Result<Option<i64>, ApiError> {
    let Some(sync) = token.and_then(SyncToken::of_any_sync) else { return order(engine, token) };
    let db = &engine.app().db;
    if sync.epoch != db.epoch() || !db.has_told(Some(sync.boot), sync.position) {
        return Ok(None);
    }
    let Some(room) = engine.find_room(room_id).await? else { return Ok(None) };
    let last = sync_view::last_event_at(engine, &room, sync.position).await?;
    Ok(Some(last.and_then(|last| last.place.order).map_or(i64::MIN, |order| order + 1)))
}

fn not_ours() -> ApiError {
    ApiError::invalid_param("the token is not one of this server's")
}

pub(super) fn token(engine: &Engine, order: i64) -> String {
    TimelineToken::here(engine, order).to_string()
}

pub(super) async fn client_events(
    engine: &Engine,
    room: &Room,
    requester: &Requester,
    events: &[Arc<Pdu>],
) -> Result<Value, ApiError> {
    let events = client_event::list(engine, room, requester, events).await?;
    serde_json::to_value(events).map_err(ApiError::internal)
}

/// `GET /_matrix/client/v3/rooms/{roomId}/messages`
async fn messages(
    State(engine): State<Engine>,
    requester: Requester,
    Path(room_id): Path<OwnedRoomId>,
    request: Result<Matrix<get_message_events::v3::Request>, ApiError>,
) -> Result<Response, ApiError> {
    // Who may not read the room is told so, whatever is wrong with the question.
    history::readable_room(&engine, &requester, &room_id).await?;
    let Matrix(request) = request?;
    let backwards = request.dir == Direction::Backward;
    let room_id = &request.room_id;
    let from = place(&engine, room_id, request.from.as_deref()).await?;
    let to = place(&engine, room_id, request.to.as_deref()).await?;
    let limit = u64::from(request.limit);
    let mut page =
        history::page(&engine, &requester, &request.room_id, from, backwards, limit).await?;
    if let Some(to) = to {
        let inside = |pdu: &Arc<Pdu>| {
            pdu.place.order.is_some_and(|order| if backwards { order >= to } else { order < to })
        };
        let before = page.events.len();
        page.events.retain(inside);
        if page.events.len() < before {
            page.next = None;
        }
    }
    page.events.retain(|pdu| event_filter::takes(&request.filter, pdu));
    let chunk = client_events(&engine, &page.room, &requester, &page.events).await?;
    let members = senders(&engine, &page).await?;
    let state = client_events(&engine, &page.room, &requester, &members).await?;
    let start = token(&engine, from.unwrap_or(if backwards { i64::MAX } else { i64::MIN }));
    let mut body = json!({ "start": start, "chunk": chunk, "state": state });
    if let (Some(next), Value::Object(body)) = (page.next, &mut body) {
        body.insert("end".to_owned(), json!(token(&engine, next)));
    }
    Ok(Json(body).into_response())
}

/// The member events of a page's senders, so that clients can show names.
async fn senders(engine: &Engine, page: &Page) -> Result<Vec<Arc<Pdu>>, ApiError> {
    let ids: Vec<_> = {
        let seen = page.room.seen();
        let senders: BTreeMap<_, _> = page.events.iter().map(|pdu| (pdu.sender_id, ())).collect();
        senders
            .keys()
            .filter_map(|sender| seen.members.get(sender))
            .map(|member| member.event)
            .collect()
    };
    Ok(engine.pdus(&page.room, &ids).await?)
}

/// `GET /_matrix/client/v3/rooms/{roomId}/context/{eventId}`
async fn context(
    State(engine): State<Engine>,
    requester: Requester,
    Matrix(request): Matrix<get_context::v3::Request>,
) -> Result<Response, ApiError> {
    let limit = u64::from(request.limit);
    let context =
        history::context(&engine, &requester, &request.room_id, &request.event_id, limit).await?;
    let room = &context.room;
    let own = context.event.place.order.unwrap_or_default();
    let edge = |side: &[Arc<Pdu>]| side.last().and_then(|pdu| pdu.place.order).unwrap_or(own);
    let after = edge(&context.after).saturating_add(1);
    let event =
        client_events(&engine, room, &requester, std::slice::from_ref(&context.event)).await?;
    Ok(Json(json!({
        "start": token(&engine, edge(&context.before)),
        "end": token(&engine, after),
        "event": event.get(0),
        "events_before": client_events(&engine, room, &requester, &context.before).await?,
        "events_after": client_events(&engine, room, &requester, &context.after).await?,
        "state": client_events(&engine, room, &requester, &context.state).await?,
    }))
    .into_response())
}

/// `GET /_matrix/client/v3/rooms/{roomId}/event/{eventId}`
async fn event(
    State(engine): State<Engine>,
    requester: Requester,
    Matrix(request): Matrix<get_room_event::v3::Request>,
) -> Result<Response, ApiError> {
    let (room, pdu) =
        history::event(&engine, &requester, &request.room_id, &request.event_id).await?;
    let events = client_events(&engine, &room, &requester, &[pdu]).await?;
    Ok(Json(events.get(0)).into_response())
}

/// `GET /_matrix/client/v1/rooms/{roomId}/timestamp_to_event`
async fn event_by_time(
    State(engine): State<Engine>,
    requester: Requester,
    Matrix(request): Matrix<get_event_by_timestamp::v1::Request>,
) -> Result<Response, ApiError> {
    let at_ms = i64::from(request.ts.0);
    let pdu =
        by_time::event_by_time(&engine, &requester, &request.room_id, at_ms, request.dir).await?;
    Ok(Json(json!({ "event_id": pdu.event_id, "origin_server_ts": pdu.origin_server_ts }))
        .into_response())
}

/// `GET /_matrix/client/v3/rooms/{roomId}/members`
async fn members(
    State(engine): State<Engine>,
    requester: Requester,
    Matrix(request): Matrix<get_member_events::v3::Request>,
) -> Result<Response, ApiError> {
    let room_id = &request.room_id;
    let at = request.at.as_deref().filter(|at| !at.is_empty());
    let (room, events) = match at.map(SyncToken::of_any_sync) {
        Some(Some(at)) if at.epoch == engine.app().db.epoch() => {
            history::state_at_position(&engine, &requester, room_id, at.position).await?
        }
        // From before a restored backup: as if it named no place.
        Some(Some(_)) => history::state(&engine, &requester, room_id).await?,
        // A timeline's `prev_batch`.
        Some(None) => {
            let place = order(&engine, at)?.unwrap_or(i64::MAX);
            history::state_at_place(&engine, &requester, room_id, place).await?
        }
        None => history::state(&engine, &requester, room_id).await?,
    };
    let (only, not) = (
        request.membership.map(|wanted| wanted.to_string()),
        request.not_membership.map(|not| not.to_string()),
    );
    let wanted = |pdu: &Arc<Pdu>| {
        let membership = pdu
            .content_as::<Value>()
            .and_then(|content| Some(content.get("membership")?.as_str()?.to_owned()));
        pdu.event_type == TimelineEventType::RoomMember
            && only.as_ref().is_none_or(|only| membership.as_ref() == Some(only))
            && not.as_ref().is_none_or(|not| membership.as_ref() != Some(not))
    };
    let members: Vec<_> = events.into_iter().filter(wanted).collect();
    let chunk = client_events(&engine, &room, &requester, &members).await?;
    Ok(Json(json!({ "chunk": chunk })).into_response())
}

/// `GET /_matrix/client/v3/rooms/{roomId}/joined_members`
async fn joined(
    State(engine): State<Engine>,
    requester: Requester,
    Matrix(request): Matrix<joined_members::v3::Request>,
) -> Result<Response, ApiError> {
    let (room, standing) = history::readable_room(&engine, &requester, &request.room_id).await?;
    if standing != Membership::Join {
        return Err(ApiError::forbidden("you are not in this room"));
    }
    let ids: Vec<_> = {
        let seen = room.seen();
        seen.members
            .values()
            .filter(|member| member.membership == Membership::Join)
            .map(|member| member.event)
            .collect()
    };
    let mut joined = BTreeMap::new();
    for pdu in engine.pdus(&room, &ids).await? {
        let content: Value = pdu.content_as().unwrap_or_default();
        let profile = json!({ "display_name": content.get("displayname"), "avatar_url": content.get("avatar_url") });
        joined.insert(pdu.state_key.clone().unwrap_or_default(), profile);
    }
    Ok(Json(json!({ "joined": joined })).into_response())
}
