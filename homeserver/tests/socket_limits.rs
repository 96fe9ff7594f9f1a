//! How long a socket waits, and for what: its conversation over channels, with short limits.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "helpers of tests, where a panic is a failure"
)]

mod common;

use std::{
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use common::{TestServer, User};
use futures_util::{Sink, Stream};
use serde_json::{Value, json};
use tern_homeserver::notification::socket::{Close, Door, Fault, Heard, Limits, Said, talk};
use tokio::sync::mpsc;

/// Time that passes in a test.
const SHORT: Duration = Duration::from_millis(50);
/// Time that does not.
const LONG: Duration = Duration::from_secs(3_600);

/// Long limits, for a test to shorten one.
fn limits() -> Limits {
    Limits { open: LONG, ping: LONG, acknowledge: LONG, send: LONG, close: SHORT }
}

/// The server's end of a wire of channels.
struct Wire {
    heard: mpsc::UnboundedReceiver<Heard>,
    said: mpsc::UnboundedSender<Said>,
    /// It takes no more pieces of text: the client does not read.
    is_stuck: bool,
}

impl Stream for Wire {
    type Item = Result<Heard, Fault>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.heard.poll_recv(context).map(|heard| heard.map(Ok))
    }
}

impl Sink<Said> for Wire {
    type Error = Fault;

    fn poll_ready(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<(), Fault>> {
        if self.is_stuck { Poll::Pending } else { Poll::Ready(Ok(())) }
    }

    fn start_send(self: Pin<&mut Self>, said: Said) -> Result<(), Fault> {
        self.said.send(said).map_err(|_| Fault::Gone)
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<(), Fault>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<(), Fault>> {
        Poll::Ready(Ok(()))
    }
}

/// The client's end.
struct Client {
    say: mpsc::UnboundedSender<Heard>,
    heard: mpsc::UnboundedReceiver<Said>,
    text: Vec<u8>,
}

/// What a client hears.
#[derive(Debug, PartialEq)]
enum Event {
    Text(Value),
    Ping,
    Close(u16),
    /// The conversation is over.
    End,
}

impl Client {
    /// Begins a conversation with a server.
    fn connect(server: &TestServer, limits: Limits, is_stuck: bool) -> Self {
        let (say, listened) = mpsc::unbounded_channel();
        let (said, heard) = mpsc::unbounded_channel();
        let wire = Wire { heard: listened, said, is_stuck };
        let (engine, sync, auth) =
            (server.engine.clone(), server.sync.clone(), server.auth.clone());
        tokio::spawn(talk(Door { engine, sync, auth, limits }, wire));
        Self { say, heard, text: Vec::new() }
    }

    fn say(&self, frame: Value) {
        self.say.send(Heard::Text(Bytes::from(frame.to_string()))).unwrap();
    }

    fn open(&self, user: &User) {
        self.say(json!({ "type": "open", "access_token": user.token, "request": {} }));
    }

    async fn hear(&mut self) -> Event {
        loop {
            let said = tokio::time::timeout(Duration::from_secs(30), self.heard.recv()).await;
            match said.unwrap() {
                None => return Event::End,
                Some(Said::Ping) => return Event::Ping,
                Some(Said::Close(Close { code, .. })) => return Event::Close(code),
                Some(Said::Refused(refusal)) => panic!("{refusal:?}"),
                Some(Said::Piece { text, is_last, .. }) => {
                    self.text.extend_from_slice(&text);
                    if is_last {
                        let text = std::mem::take(&mut self.text);
                        return Event::Text(serde_json::from_slice(&text).unwrap());
                    }
                }
            }
        }
    }

    async fn hear_type(&mut self, wanted: &str) -> Value {
        match self.hear().await {
            Event::Text(frame) if frame["type"] == wanted => frame,
            other => panic!("{other:?} instead of {wanted}"),
        }
    }
}

#[tokio::test]
async fn who_says_nothing_at_first_is_not_waited_for() {
    let server = TestServer::start().await;
    let mut client = Client::connect(&server, Limits { open: SHORT, ..limits() }, false);
    assert_eq!(client.hear().await, Event::Close(4408));
    assert_eq!(client.hear().await, Event::End);
}

#[tokio::test]
async fn who_does_not_acknowledge_is_closed() {
    let server = TestServer::start().await;
    let alice = server.register("alice").await;
    let mut client = Client::connect(&server, Limits { acknowledge: SHORT, ..limits() }, false);
    client.open(&alice);
    client.hear_type("opened").await;
    let delta = client.hear_type("delta").await;
    client.say(json!({ "type": "ack", "pos": delta["response"]["pos"] }));
    // Acknowledged, nothing is due; a second delta that is not, ends it.
    client.say(json!({ "type": "request", "request": { "pos": delta["response"]["pos"] } }));
    client.hear_type("delta").await;
    assert_eq!(client.hear().await, Event::Close(4408));
}

#[tokio::test]
async fn who_answers_pings_stays_and_who_does_not_is_dropped() {
    let server = TestServer::start().await;
    let alice = server.register("alice").await;
    let mut client = Client::connect(&server, Limits { ping: SHORT, ..limits() }, false);
    client.open(&alice);
    client.hear_type("opened").await;
    client.hear_type("delta").await;
    for _ in 0..5 {
        assert_eq!(client.hear().await, Event::Ping);
        client.say.send(Heard::Sign).unwrap();
    }
    assert_eq!(client.hear().await, Event::Ping);
    assert_eq!(client.hear().await, Event::End, "nobody is there to be told");
}

#[tokio::test]
async fn who_does_not_read_is_dropped() {
    let server = TestServer::start().await;
    let alice = server.register("alice").await;
    let mut client = Client::connect(&server, Limits { send: SHORT, ..limits() }, true);
    client.open(&alice);
    assert_eq!(client.hear().await, Event::End);
}

#[tokio::test]
async fn the_defaults_leave_time_to_people_and_none_to_proxies() {
    let defaults = Limits::default();
    assert!(defaults.ping < Duration::from_secs(60), "proxies cut silent connections");
    assert!(defaults.acknowledge > defaults.ping);
    assert!(defaults.open <= Duration::from_secs(10));
}
