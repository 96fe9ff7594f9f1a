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

#[derive(Deserialize)]
struct Frame<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
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
        let bearer = bearer.as_ref().context("nobody is logged in")?.to_str()?;
        let token = bearer.strip_prefix("Bearer ").context("no bearer")?;
        let host = address.host().to_str()?;
        let stream = address.stream().await?;
        let (socket, _) = client_async(format!("ws://{host}{PATH}"), stream)
            .await
            .context("the server opens no socket")?;
        let mut socket = Self(socket);
        let open = json!({ "type": "open", "access_token": token, "request": request });
        socket.0.send(Message::text(open.to_string())).await?;
        socket.delta().await?;
        Ok(socket)
    }

    /// The next delta, acknowledged as it comes.
    pub(crate) async fn delta(&mut self) -> Result<Bytes> {
        loop {
            let message = timeout(PATIENCE, self.0.next()).await.context("nothing came")?;
            let Message::Text(text) = message.context("the server closed the socket")?? else {
                continue;
            };
            let text = Bytes::from(text);
            let frame: Frame<'_> = read(&text)?;
            match (frame.kind, frame.response) {
                ("delta", Some(Response { pos })) => {
                    let ack = json!({ "type": "ack", "pos": pos });
                    self.0.send(Message::text(ack.to_string())).await?;
                    return Ok(text);
                }
                ("error", _) => bail!("the socket: {}", String::from_utf8_lossy(&text)),
                _ => {}
            }
        }
    }
}

/// What a follower of all rooms asks for on the connection `id`.
pub(crate) fn all_rooms(id: &str, rooms: usize) -> Value {
    let range = [0, rooms.saturating_sub(1)];
    let list = json!({ "timeline_limit": 10, "range": range, "required_state": {} });
    json!({ "conn_id": id, "lists": { "all": list } })
}
