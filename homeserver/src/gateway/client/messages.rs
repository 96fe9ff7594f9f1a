//! The door to what is said in rooms: sending, state, redactions, receipts, typing.
//! Spec: <https://spec.matrix.org/v1.19/client-server-api/#sending-events-to-a-room>.

use axum::{
    Json, Router,
    extract::State,
    response::{IntoResponse, Response},
};
use ruma::{
    CanonicalJsonObject,
    api::client::{
        message::send_message_event,
        read_marker::set_read_marker,
        receipt::create_receipt,
        redact::redact_event,
        state::{get_state_event_for_key, get_state_events, send_state_event},
        typing::create_typing_event,
    },
    events::{TimelineEventType, receipt::ReceiptThread},
};
use serde_json::json;

use super::rooms::object;
use crate::{
    auth::Requester,
    gateway::{ApiError, Matrix, MatrixRoutes, Server},
    messaging::{self, Draft, Engine, Error, Transaction, history, receipts, send, state_checks},
};

pub(in crate::gateway) fn routes() -> Router<Server> {
    Router::new()
        .serve::<send_message_event::v3::Request, _, _>(send_message)
        .serve::<send_state_event::v3::Request, _, _>(send_state)
        .serve::<redact_event::v3::Request, _, _>(redact)
        .serve::<get_state_events::v3::Request, _, _>(state)
        .serve::<get_state_event_for_key::v3::Request, _, _>(state_event)
        .serve::<create_receipt::v3::Request, _, _>(receipt)
        .serve::<set_read_marker::v3::Request, _, _>(read_markers)
        .serve::<create_typing_event::v3::Request, _, _>(typing)
}

/// `PUT /_matrix/client/v3/rooms/{roomId}/send/{eventType}/{txnId}`
async fn send_message(
    State(engine): State<Engine>,
    requester: Requester,
    Matrix(request): Matrix<send_message_event::v3::Request>,
) -> Result<Matrix<send_message_event::v3::Response>, ApiError> {
    let event_type = TimelineEventType::from(request.event_type.to_string());
    let mut draft = Draft::message(requester.user_id, event_type, object(&request.body)?);
    draft.transaction = Some(Transaction {
        device: requester.device,
        endpoint: format!("{}/send/{}", request.room_id, draft.event_type),
        txn_id: request.txn_id.to_string(),
    });
    if draft.event_type == TimelineEventType::RoomRedaction {
        let redacts = draft.content.get("redacts").and_then(|redacts| redacts.as_str());
        draft.redacts = redacts.and_then(|event_id| event_id.try_into().ok());
    }
    let event_id = send::send_event(&engine, &request.room_id, draft).await?;
    Ok(Matrix(send_message_event::v3::Response::new(event_id)))
}

/// `PUT /_matrix/client/v3/rooms/{roomId}/state/{eventType}/{stateKey}`
async fn send_state(
    State(engine): State<Engine>,
    requester: Requester,
    Matrix(request): Matrix<send_state_event::v3::Request>,
) -> Result<Matrix<send_state_event::v3::Response>, ApiError> {
    let event_type = TimelineEventType::from(request.event_type.to_string());
    let content = object(&request.body)?;
    let draft = Draft::state(requester.user_id, event_type, request.state_key, content);
    let draft = state_checks::checked(&engine, &request.room_id, draft).await?;
    let event_id = send::send_event(&engine, &request.room_id, draft).await?;
    Ok(Matrix(send_state_event::v3::Response::new(event_id)))
}

/// `PUT /_matrix/client/v3/rooms/{roomId}/redact/{eventId}/{txnId}`
async fn redact(
    State(engine): State<Engine>,
    requester: Requester,
    Matrix(request): Matrix<redact_event::v3::Request>,
) -> Result<Matrix<redact_event::v3::Response>, ApiError> {
    let content = request.reason.map(|reason| ("reason".to_owned(), reason.into()));
    let content = CanonicalJsonObject::from_iter(content);
    let mut draft = Draft::message(requester.user_id, TimelineEventType::RoomRedaction, content);
    draft.transaction = Some(Transaction {
        device: requester.device,
        endpoint: format!("{}/redact/{}", request.room_id, request.event_id),
        txn_id: request.txn_id.to_string(),
    });
    draft.redacts = Some(request.event_id);
    let event_id = send::send_event(&engine, &request.room_id, draft).await?;
    Ok(Matrix(redact_event::v3::Response::new(event_id)))
}

/// `GET /_matrix/client/v3/rooms/{roomId}/state`
async fn state(
    State(engine): State<Engine>,
    requester: Requester,
    Matrix(request): Matrix<get_state_events::v3::Request>,
) -> Result<Response, ApiError> {
    let (room, events) = history::state(&engine, &requester, &request.room_id).await?;
    let events = messaging::client_event::list(&engine, &room, &requester, &events).await?;
    Ok(Json(events).into_response())
}

/// `GET /_matrix/client/v3/rooms/{roomId}/state/{eventType}/{stateKey}`
async fn state_event(
    State(engine): State<Engine>,
    requester: Requester,
    Matrix(request): Matrix<get_state_event_for_key::v3::Request>,
) -> Result<Response, ApiError> {
    let (event_type, state_key) = (request.event_type.to_string(), request.state_key);
    let (room, events) = history::state(&engine, &requester, &request.room_id).await?;
    let found = events
        .into_iter()
        .find(|pdu| pdu.fills(&event_type, &state_key))
        .ok_or(Error::EventNotFound)?;
    if request.format != get_state_event_for_key::v3::StateEventFormat::Event {
        return Ok(Json(&*found.content).into_response());
    }
    let mut events = messaging::client_event::list(&engine, &room, &requester, &[found]).await?;
    Ok(Json(events.pop()).into_response())
}

/// `POST /_matrix/client/v3/rooms/{roomId}/receipt/{receiptType}/{eventId}`
async fn receipt(
    State(engine): State<Engine>,
    requester: Requester,
    Matrix(request): Matrix<create_receipt::v3::Request>,
) -> Result<Matrix<create_receipt::v3::Response>, ApiError> {
    let kind = request.receipt_type.to_string();
    let thread = match &request.thread {
        ReceiptThread::Unthreaded => "",
        ReceiptThread::Main => "main",
        ReceiptThread::Thread(root) => root.as_str(),
        _ => return Err(ApiError::invalid_param("thread_id is neither main nor an event id")),
    };
    receipts::set(&engine, &requester, &request.room_id, &kind, thread, &request.event_id).await?;
    Ok(Matrix(create_receipt::v3::Response::new()))
}

/// `POST /_matrix/client/v3/rooms/{roomId}/read_markers`
async fn read_markers(
    State(engine): State<Engine>,
    requester: Requester,
    Matrix(request): Matrix<set_read_marker::v3::Request>,
) -> Result<Matrix<set_read_marker::v3::Response>, ApiError> {
    let marks = [
        ("m.fully_read", request.fully_read),
        ("m.read", request.read_receipt),
        ("m.read.private", request.private_read_receipt),
    ];
    for (kind, event_id) in marks {
        if let Some(event_id) = event_id {
            receipts::set(&engine, &requester, &request.room_id, kind, "", &event_id).await?;
        }
    }
    Ok(Matrix(set_read_marker::v3::Response::new()))
}

/// `PUT /_matrix/client/v3/rooms/{roomId}/typing/{userId}`
async fn typing(
    State(engine): State<Engine>,
    requester: Requester,
    Matrix(request): Matrix<create_typing_event::v3::Request>,
) -> Result<Response, ApiError> {
    if request.user_id != requester.user_id {
        return Err(ApiError::forbidden("you can only say that you are typing yourself"));
    }
    let timeout = match request.state {
        create_typing_event::v3::Typing::Yes(info) => Some(info.timeout),
        create_typing_event::v3::Typing::No => None,
    };
    messaging::typing::set(&engine, &requester, &request.room_id, timeout).await?;
    Ok(Json(json!({})).into_response())
}
