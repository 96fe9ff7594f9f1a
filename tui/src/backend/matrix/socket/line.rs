//! An open WebSocket, and the frames on it.

use std::time::Duration;

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use http::{HeaderValue, StatusCode, header};
use reqwest::Upgraded;
use serde::Deserialize;
use serde_json::{Value, json, value::RawValue};
use tokio::time::Instant;
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{
        Message,
        handshake::{client::generate_key, derive_accept_key},
        protocol::{Role, WebSocketConfig},
    },
};
use url::Url;

use crate::backend::matrix::{http::Http, wire};

/// Where the socket is opened, below the server's base.
const PATH: &str = "/_matrix/client/unstable/chat.tern.socket/v1/sync";
/// Most bytes of a message to the server.
const MESSAGE_BYTES_MAX: usize = 65_536;
/// The server writes in frames of half this; a larger buffer would stay with the socket for good.
const READ_BYTES: usize = 4 * 1024;
/// How often the server says that it is there, until it says how often.
const PING: Duration = Duration::from_secs(55);
/// How late that may be.
const LATE: Duration = Duration::from_secs(15);

/// A socket that was not opened.
#[derive(Debug, thiserror::Error)]
pub(super) enum NotOpened {
    #[error("the server answered {0}")]
    Refused(StatusCode),
    #[error("what answered is no WebSocket")]
    NoWebSocket,
    #[error(transparent)]
    Http(#[from] reqwest::Error),
    #[error(transparent)]
    Setup(#[from] crate::backend::matrix::http::HttpSetupError),
}

/// How a socket ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Gone {
    /// The server closed it, with this code.
    Closed(u16),
    /// The connection broke, or nothing comes any more.
    Broken,
    /// What was to be said is longer than the server takes.
    TooLong,
}

/// What came.
pub(super) enum Heard {
    Delta(Delta),
    /// The request with this number was refused.
    Refused(u64),
    /// Something that concerns nobody here.
    Other,
}

/// What is new.
pub(super) struct Delta {
    /// The number of the request it belongs to.
    pub(super) request: u64,
    pub(super) pos: String,
    /// Up to where it told messages to the device.
    pub(super) to_device: Option<String>,
    /// All of it, as the long poll would answer.
    pub(super) response: Bytes,
}

pub(super) struct Line {
    wire: WebSocketStream<Upgraded>,
    /// The token it goes by. Not shown anywhere.
    token: String,
    pub(super) opened: Instant,
    heard: Instant,
    ping: Duration,
}

impl Line {
    /// Opens a socket to the server below `base`.
    pub(super) async fn open(http: &Http, base: &Url, token: &str) -> Result<Line, NotOpened> {
        let key = generate_key();
        let asked = http
            .for_upgrades()?
            .get(wire::endpoint(base, PATH))
            .header(header::CONNECTION, "Upgrade")
            .header(header::UPGRADE, "websocket")
            .header(header::SEC_WEBSOCKET_VERSION, "13")
            .header(header::SEC_WEBSOCKET_KEY, &key);
        let answer = asked.send().await?;
        if answer.status() != StatusCode::SWITCHING_PROTOCOLS {
            return Err(NotOpened::Refused(answer.status()));
        }
        let accept = HeaderValue::try_from(derive_accept_key(key.as_bytes())).ok();
        if accept.is_none() || answer.headers().get(header::SEC_WEBSOCKET_ACCEPT) != accept.as_ref()
        {
            return Err(NotOpened::NoWebSocket);
        }
        let config = WebSocketConfig::default().read_buffer_size(READ_BYTES).write_buffer_size(0);
        let stream = answer.upgrade().await?;
        let wire = WebSocketStream::from_raw_socket(stream, Role::Client, Some(config)).await;
        let now = Instant::now();
        let mut line = Line { wire, token: token.to_owned(), opened: now, heard: now, ping: PING };
        let open = json!({ "type": "open", "access_token": token });
        line.say(&open).await.map_err(|_| NotOpened::NoWebSocket)?;
        Ok(line)
    }

    /// Goes on under another token, if it is another.
    pub(super) async fn renew(&mut self, token: &str) -> Result<(), Gone> {
        if self.token == token {
            return Ok(());
        }
        token.clone_into(&mut self.token);
        self.say(&json!({ "type": "auth", "access_token": token })).await
    }

    pub(super) async fn say(&mut self, frame: &Value) -> Result<(), Gone> {
        let text = frame.to_string();
        if text.len() > MESSAGE_BYTES_MAX {
            return Err(Gone::TooLong);
        }
        self.wire.send(Message::text(text)).await.map_err(|_| Gone::Broken)
    }

    /// The next frame. Nothing is lost when this is dropped before it comes.
    pub(super) async fn hear(&mut self) -> Result<Heard, Gone> {
        let message = self.wire.next().await;
        self.heard = Instant::now();
        match message {
            Some(Ok(Message::Text(text))) => Ok(self.read(&text.into())),
            Some(Ok(Message::Close(frame))) => {
                Err(Gone::Closed(frame.map_or(1005, |frame| frame.code.into())))
            }
            Some(Ok(_)) => Ok(Heard::Other),
            Some(Err(_)) | None => Err(Gone::Broken),
        }
    }

    /// When the server should have said something.
    pub(super) fn silent_at(&self) -> Instant {
        self.heard + self.ping + LATE
    }

    fn read(&mut self, text: &Bytes) -> Heard {
        let Ok(frame) = serde_json::from_slice::<Frame<'_>>(text) else { return Heard::Other };
        if let Some(limits) = frame.limits {
            self.ping = Duration::from_millis(limits.ping_ms);
        }
        let Some(request) = frame.id.and_then(|id| id.parse().ok()) else { return Heard::Other };
        match (&*frame.kind, frame.response) {
            ("delta", Some(response)) => match serde_json::from_str::<Response>(response.get()) {
                Ok(Response { pos, extensions }) => Heard::Delta(Delta {
                    request,
                    pos,
                    to_device: extensions.to_device.map(|it| it.next_batch),
                    response: text.slice_ref(response.get().as_bytes()),
                }),
                Err(_) => Heard::Refused(request),
            },
            ("error", _) => Heard::Refused(request),
            _ => Heard::Other,
        }
    }
}

#[derive(Deserialize)]
struct Frame<'a> {
    #[serde(rename = "type")]
    kind: std::borrow::Cow<'a, str>,
    id: Option<String>,
    #[serde(borrow)]
    response: Option<&'a RawValue>,
    limits: Option<Limits>,
}

#[derive(Deserialize)]
struct Limits {
    ping_ms: u64,
}

/// What must be known of a response.
#[derive(Deserialize)]
struct Response {
    pos: String,
    #[serde(default)]
    extensions: Extensions,
}

#[derive(Default, Deserialize)]
struct Extensions {
    to_device: Option<ToDevice>,
}

#[derive(Deserialize)]
struct ToDevice {
    next_batch: String,
}
