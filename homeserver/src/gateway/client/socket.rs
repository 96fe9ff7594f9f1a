//! The door of `notification`: the socket `chat.tern.socket` (`docs/socket.md`). WebSocket frames in, WebSocket frames out.
//!
//! The handshake is done here and not by axum, whose sockets write every message as one frame: a buffer of the largest
//! message would stay with each socket for good.

use std::future::ready;

use axum::{
    Router,
    body::Body,
    extract::{Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    response::Response,
    routing::get,
};
use bytes::Bytes;
use futures_util::{SinkExt as _, StreamExt as _};
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use serde_json::json;
use tokio::{io::AsyncWriteExt as _, time::timeout};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{
        Error as WsError, Message,
        handshake::derive_accept_key,
        protocol::{
            CloseFrame, Role, WebSocketConfig,
            frame::{
                Frame,
                coding::{Data, OpCode},
            },
        },
    },
};

use super::gathered::Gathered;
use crate::{
    gateway::{ApiError, MatrixRoutes, Server},
    notification::socket::{
        Close, Door, FRAME_BYTES_MAX, Fault, Heard, Limits, PIECE_BYTES_MAX, Refusal, Said, Why,
        talk,
    },
};

const PATH: &str = "/_matrix/client/unstable/chat.tern.socket/v1/sync";
/// The only version of the protocol there is (RFC 6455).
const VERSION: HeaderValue = HeaderValue::from_static("13");
/// What a socket holds to read into: acknowledgements are short, and longer frames make room for themselves.
const READ_BYTES: usize = 2 * 1024;

pub(in crate::gateway) fn routes() -> Router<Server> {
    Router::new().limited(PATH, get(open))
}

/// `GET /_matrix/client/unstable/chat.tern.socket/v1/sync`: becomes a WebSocket. Who it is, its first frame says.
async fn open(State(server): State<Server>, mut request: Request) -> Result<Response, ApiError> {
    let accept = handshake(request.headers())?;
    let upgrade = request.extensions_mut().remove::<OnUpgrade>().ok_or_else(no_websocket)?;
    if !server.sync.has_room_for_a_socket() {
        let text = "the server holds as many sockets as it can, use a long poll";
        return Err(ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "M_UNKNOWN", text));
    }
    let Server { engine, auth, sync, .. } = server;
    let door = Door { engine, auth, sync: sync.clone(), limits: Limits::default() };
    sync.start_socket(async move {
        match upgrade.await {
            Ok(upgraded) => serve(door, upgraded).await,
            Err(error) => tracing::debug!(%error, "a socket was not opened"),
        }
    });
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(header::SEC_WEBSOCKET_ACCEPT, accept);
    Ok(response)
}

/// Checks the client's part of the handshake and writes ours.
fn handshake(headers: &HeaderMap) -> Result<HeaderValue, ApiError> {
    if !has_token(headers, &header::CONNECTION, "upgrade")
        || !has_token(headers, &header::UPGRADE, "websocket")
        || headers.get(header::SEC_WEBSOCKET_VERSION) != Some(&VERSION)
    {
        return Err(no_websocket());
    }
    let key = headers.get(header::SEC_WEBSOCKET_KEY).ok_or_else(no_websocket)?;
    HeaderValue::try_from(derive_accept_key(key.as_bytes())).map_err(ApiError::internal)
}

/// Whether a header's comma-separated list has a word, in any case.
fn has_token(headers: &HeaderMap, name: &HeaderName, word: &str) -> bool {
    headers
        .get_all(name)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|token| token.trim().eq_ignore_ascii_case(word))
}

fn no_websocket() -> ApiError {
    let text = "this is a WebSocket of version 13";
    ApiError::new(StatusCode::UPGRADE_REQUIRED, "M_UNRECOGNIZED", text)
}

async fn serve(door: Door, upgraded: Upgraded) {
    let config = WebSocketConfig::default()
        .read_buffer_size(READ_BYTES)
        // Frames are pieces already, and go out together below.
        .write_buffer_size(0)
        .max_write_buffer_size(4 * PIECE_BYTES_MAX)
        .max_message_size(Some(FRAME_BYTES_MAX))
        .max_frame_size(Some(FRAME_BYTES_MAX));
    let io = Gathered::new(TokioIo::new(upgraded));
    let socket = WebSocketStream::from_raw_socket(io, Role::Server, Some(config)).await;
    let close = door.limits.close;
    let mut wire = socket
        .map(|message| message.map_err(|error| fault(&error)).and_then(heard))
        .sink_map_err(|error| fault(&error))
        .with(|said| ready(Ok::<_, Fault>(message(said))));
    talk(door, &mut wire).await;
    // The answer to a client's close is written, and not flushed.
    let stream = wire.get_mut().get_mut().get_mut().get_mut();
    drop(timeout(close, stream.flush()).await);
}

fn heard(message: Message) -> Result<Heard, Fault> {
    match message {
        Message::Text(text) => Ok(Heard::Text(Bytes::from(text))),
        Message::Ping(_) | Message::Pong(_) => Ok(Heard::Sign),
        Message::Binary(_) => Err(Fault::Binary),
        Message::Close(_) => Err(Fault::Closed),
        // Only written, never read.
        Message::Frame(_) => Err(Fault::Protocol),
    }
}

fn fault(error: &WsError) -> Fault {
    match error {
        WsError::Capacity(_) => Fault::TooLarge,
        WsError::Protocol(_) | WsError::Utf8(_) => Fault::Protocol,
        WsError::ConnectionClosed | WsError::AlreadyClosed => Fault::Closed,
        _ => Fault::Gone,
    }
}

fn message(said: Said) -> Message {
    match said {
        Said::Piece { text, is_first, is_last } => {
            let data = if is_first { Data::Text } else { Data::Continue };
            Message::Frame(Frame::message(text, OpCode::Data(data), is_last))
        }
        Said::Refused(refusal) => Message::text(error_frame(refusal)),
        Said::Ping => Message::Ping(Bytes::new()),
        Said::Close(Close { code, reason }) => {
            Message::Close(Some(CloseFrame { code: code.into(), reason: reason.into() }))
        }
    }
}

/// An error as every door tells it, as a frame.
fn error_frame(Refusal { id, why }: Refusal) -> String {
    let ApiError { errcode, message, mut fields, .. } = why.into();
    fields.insert("type".to_owned(), json!("error"));
    fields.insert("errcode".to_owned(), json!(errcode));
    fields.insert("error".to_owned(), json!(message));
    if let Some(id) = id {
        fields.insert("id".to_owned(), json!(id));
    }
    serde_json::Value::Object(fields).to_string()
}

impl From<Why> for ApiError {
    fn from(why: Why) -> Self {
        let text = why.to_string();
        match why {
            Why::NotOpened => Self::new(StatusCode::UNAUTHORIZED, "M_MISSING_TOKEN", text),
            Why::OtherDevice => Self::forbidden(text),
            Why::NotJson(_) => Self::new(StatusCode::BAD_REQUEST, "M_NOT_JSON", text),
            Why::BadJson(_) => Self::bad_json(text),
            Why::UnknownType => Self::new(StatusCode::BAD_REQUEST, "M_UNRECOGNIZED", text),
            Why::Auth(error) => error.into(),
            Why::Sync(error) => error.into(),
        }
    }
}
