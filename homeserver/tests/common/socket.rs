//! A client of the notification socket, over a real listener.

use std::{net::SocketAddr, time::Duration};

use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async,
    tungstenite::{Message, protocol::CloseFrame},
};

use super::{TestServer, User};

/// Where sockets are opened.
pub const SOCKET: &str = "/_matrix/client/unstable/chat.tern.socket/v1/sync";
/// How long anything may take before a test gives up.
const PATIENCE: Duration = Duration::from_secs(30);

/// An open socket.
pub struct Socket(WebSocketStream<MaybeTlsStream<TcpStream>>);

impl TestServer {
    /// Serves the router on a free port for as long as the test runs.
    pub async fn listen(&self) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = self.router.clone();
        tokio::spawn(async move { axum::serve(listener, router).await });
        address
    }
}

impl Socket {
    /// Connects and says nothing yet. `query`: with its question mark, or nothing.
    pub async fn connect(address: SocketAddr, query: &str) -> Self {
        let (socket, _) = connect_async(format!("ws://{address}{SOCKET}{query}")).await.unwrap();
        Self(socket)
    }

    /// Connects, says who it is and what it wants, and hears that it is known.
    pub async fn open(address: SocketAddr, user: &User, request: Value) -> Self {
        let mut socket = Self::connect(address, "").await;
        socket.say(json!({ "type": "open", "access_token": user.token, "request": request })).await;
        let opened = socket.hear().await;
        assert_eq!((&opened["type"], &opened["user_id"]), (&json!("opened"), &json!(user.user_id)));
        socket
    }

    pub async fn say(&mut self, frame: Value) {
        self.send(Message::text(frame.to_string())).await;
    }

    /// Sends anything.
    pub async fn send(&mut self, message: Message) {
        self.0.send(message).await.unwrap();
    }

    /// The next frame of text.
    pub async fn hear(&mut self) -> Value {
        match self.next().await {
            Message::Text(text) => serde_json::from_str(&text).unwrap(),
            other => panic!("{other:?} instead of a frame of text"),
        }
    }

    /// The next delta's response.
    pub async fn delta(&mut self) -> Value {
        let mut frame = self.hear().await;
        assert_eq!(frame["type"], "delta", "{frame}");
        frame["response"].take()
    }

    /// The next delta's response, and acknowledges it.
    pub async fn take_delta(&mut self) -> Value {
        let delta = self.delta().await;
        self.say(json!({ "type": "ack", "pos": delta["pos"] })).await;
        delta
    }

    /// Makes sure that nothing else was on its way: what is said now is answered next.
    pub async fn hears_nothing(&mut self) {
        self.say(json!({ "type": "org.example.echo" })).await;
        let echo = self.hear().await;
        assert_eq!((&echo["type"], &echo["errcode"]), (&json!("error"), &json!("M_UNRECOGNIZED")));
    }

    /// Expects the server to close next, with this code.
    pub async fn is_closed(&mut self, code: u16) {
        match self.next().await {
            Message::Close(Some(CloseFrame { code: said, reason })) => {
                assert_eq!(u16::from(said), code, "{reason}");
            }
            other => panic!("{other:?} instead of a close"),
        }
    }

    /// Expects an error, and then that the server closes.
    pub async fn is_refused(&mut self, errcode: &str, code: u16) -> Value {
        let error = self.hear().await;
        assert_eq!((&error["type"], &error["errcode"]), (&json!("error"), &json!(errcode)));
        self.is_closed(code).await;
        error
    }

    /// Expects the answer to a close of ours, and the orderly end.
    pub async fn is_answered(&mut self) {
        let answer = self.next().await;
        assert!(answer.is_close(), "{answer:?} instead of a close");
        let end = tokio::time::timeout(PATIENCE, self.0.next()).await.unwrap();
        assert!(end.is_none(), "{end:?} instead of the end");
    }

    /// Waits for the end of the connection.
    pub async fn ends(&mut self) {
        let end = async { while let Some(Ok(_)) = self.0.next().await {} };
        tokio::time::timeout(PATIENCE, end).await.unwrap();
    }

    async fn next(&mut self) -> Message {
        loop {
            let message = tokio::time::timeout(PATIENCE, self.0.next()).await.unwrap();
            let Some(message) = message else { panic!("the socket ended without a close") };
            let message = message.unwrap();
            if !message.is_ping() {
                return message;
            }
        }
    }
}
