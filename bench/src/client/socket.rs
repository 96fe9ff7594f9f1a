//! The notification socket (`docs/socket.md`): what `ternd` pushes, where others are polled.

use anyhow::{Context, Result, bail};
use bytes::Bytes;
use futures_util::{SinkExt as _, StreamExt as _};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    time::timeout,
};
use tokio_tungstenite::{WebSocketStream, client_async, tungstenite::Message};

use super::{Address, Bearer, Client, PATIENCE, read};

const PATH: &str = "/_matrix/client/unstable/chat.tern.socket/v1/sync";

/// Plain TCP or TLS.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

/// An open socket on which a request stands.
#[derive(Debug)]
pub(crate) struct Socket(WebSocketStream<Box<dyn Stream>>);

impl std::fmt::Debug for dyn Stream {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Stream")
    }
}

/// What the server pushed.
#[derive(Debug)]
pub(crate) struct Delta {
    /// The whole frame.
    pub(crate) text: Bytes,
    /// By this it is acknowledged.
    pub(crate) pos: String,
    /// The name of the request that it answers, if that has one.
    pub(crate) id: Option<String>,
}

#[derive(Deserialize)]
struct Frame<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    id: Option<String>,
    #[serde(default)]
    response: Option<Response>,
}

#[derive(Deserialize)]
struct Response {
    pos: String,
}

impl Socket {
    /// Whether the server has it.
    pub(crate) async fn is_offered(mut client: Client) -> Result<bool> {
        let answer = client.get(&None, "/_matrix/client/versions").await?.ok()?;
        let versions: Value = read(&answer)?;
        Ok(versions.pointer("/unstable_features/chat.tern.socket") == Some(&Value::Bool(true)))
    }

    /// Opens one and asks for `request`; its first delta is dealt with.
    pub(crate) async fn open(address: &Address, bearer: &Bearer, request: Value) -> Result<Self> {
        let mut socket = Self::begin(address, bearer, request).await?;
        socket.delta().await?;
        Ok(socket)
    }

    /// Opens one and asks for `request`; its first delta is still to come.
    pub(crate) async fn begin(address: &Address, bearer: &Bearer, request: Value) -> Result<Self> {
        let bearer = bearer.as_ref().context("nobody is logged in")?.to_str()?;
        let token = bearer.strip_prefix("Bearer ").context("no bearer")?;
        let host = address.host().to_str()?;
        let stream = address.stream().await?;
        let (socket, _) = client_async(format!("ws://{host}{PATH}"), stream)
            .await
            .context("the server opens no socket")?;
        let mut socket = Self(socket);
        let open = json!({ "type": "open", "access_token": token, "request": request });
        socket.send(&open).await?;
        Ok(socket)
    }

    /// Asks for `request` from now on, by the name `id`.
    pub(crate) async fn request(&mut self, id: &str, request: &Value) -> Result<()> {
        self.send(&json!({ "type": "request", "id": id, "request": request })).await
    }

    /// Tells that the delta with this `pos` is dealt with: now the next may come.
    pub(crate) async fn acknowledge(&mut self, pos: &str) -> Result<()> {
        self.send(&json!({ "type": "ack", "pos": pos })).await
    }

    /// The next delta, acknowledged as it comes.
    pub(crate) async fn delta(&mut self) -> Result<Bytes> {
        let Delta { text, pos, .. } = self.unacknowledged().await?;
        self.acknowledge(&pos).await?;
        Ok(text)
    }

    /// The next delta.
    pub(crate) async fn unacknowledged(&mut self) -> Result<Delta> {
        loop {
            let message = timeout(PATIENCE, self.0.next()).await.context("nothing came")?;
            let Message::Text(text) = message.context("the server closed the socket")?? else {
                continue;
            };
            let text = Bytes::from(text);
            let frame: Frame<'_> = read(&text)?;
            match (frame.kind, frame.response) {
                ("delta", Some(Response { pos })) => {
                    let id = frame.id;
                    return Ok(Delta { text, pos, id });
                }
                ("error", _) => bail!("the socket: {}", String::from_utf8_lossy(&text)),
                _ => {}
            }
        }
    }

    async fn send(&mut self, frame: &Value) -> Result<()> {
        Ok(self.0.send(Message::text(frame.to_string())).await?)
    }
}

/// What a follower of all rooms asks for on the connection `id`.
pub(crate) fn all_rooms(id: &str, rooms: usize) -> Value {
    let range = [0, rooms.saturating_sub(1)];
    let list = json!({ "timeline_limit": 10, "range": range, "required_state": {} });
    json!({ "conn_id": id, "lists": { "all": list } })
}
