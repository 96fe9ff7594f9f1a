//! The notification socket over a real listener (`docs/socket.md`): opening, pushing, acknowledging, resuming, closing.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "helpers of tests, where a panic is a failure"
)]

mod common;

use std::time::Duration;

use common::{
    PASSWORD, TestServer, User, assert_refused,
    rooms::{join, room, send},
    socket::{SOCKET, Socket},
};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

fn request(pos: Option<&Value>) -> Value {
    let list = json!({
        "timeline_limit": 10, "range": [0, 99],
        "required_state": { "include": [{ "type": "m.room.create" }] },
    });
    let mut request = json!({ "lists": { "all": list } });
    if let Some(pos) = pos {
        request["pos"] = pos.clone();
    }
    request
}

fn bodies<'a>(delta: &'a Value, room_id: &str) -> Vec<&'a str> {
    let events = delta["rooms"][room_id]["timeline"].as_array().map(Vec::as_slice);
    let events = events.unwrap_or_default();
    events.iter().filter_map(|event| event["content"]["body"].as_str()).collect()
}

#[tokio::test]
async fn the_first_frame_says_who_it_is_and_news_are_pushed() {
    let server = TestServer::start().await;
    let (alice, bob) = (server.register("alice").await, server.register("bob").await);
    let room_id = room(&server, &alice, &[&bob]).await;
    let address = server.listen().await;
    let mut socket = Socket::connect(address, "").await;
    socket.say(json!({ "type": "open", "access_token": bob.token })).await;
    let opened = socket.hear().await;
    assert_eq!(opened["type"], "opened");
    assert_eq!(
        (&opened["user_id"], &opened["device_id"]),
        (&json!(bob.user_id), &json!(bob.device_id))
    );
    assert_eq!(opened["limits"]["frame_bytes"], 65_536);
    assert_eq!(opened["limits"]["unacknowledged"], 1);
    socket.hears_nothing().await;
    socket.say(json!({ "type": "request", "id": "one", "request": request(None) })).await;
    let first = socket.hear().await;
    assert_eq!((&first["type"], &first["id"]), (&json!("delta"), &json!("one")));
    let room = &first["response"]["rooms"][&room_id];
    assert_eq!((&room["membership"], &room["initial"]), (&json!("join"), &json!(true)), "{first}");
    socket.say(json!({ "type": "ack", "pos": first["response"]["pos"] })).await;
    for text in ["one", "two", "three"] {
        send(&server, &alice, &room_id, text).await;
        let delta = socket.take_delta().await;
        assert_eq!(bodies(&delta, &room_id), [text], "{delta}");
        assert!(delta["rooms"][&room_id]["initial"].is_null());
    }
}

#[tokio::test]
async fn a_token_counts_in_the_first_frame_only() {
    let server = TestServer::start().await;
    let alice = server.register("alice").await;
    let address = server.listen().await;
    let query = format!("?access_token={}", alice.token);
    let mut socket = Socket::connect(address, &query).await;
    socket.say(json!({ "type": "open", "request": request(None) })).await;
    socket.is_refused("M_MISSING_TOKEN", 4401).await;
    let mut socket = Socket::connect(address, &query).await;
    socket.say(json!({ "type": "request", "request": request(None) })).await;
    socket.is_refused("M_MISSING_TOKEN", 4401).await;
    let mut socket = Socket::connect(address, "").await;
    socket.say(json!({ "type": "open", "access_token": "nonsense" })).await;
    let error = socket.is_refused("M_UNKNOWN_TOKEN", 4401).await;
    assert_eq!(error["soft_logout"], false, "{error}");
}

#[tokio::test]
async fn one_delta_waits_for_its_acknowledgement_and_the_next_has_all_that_came_meanwhile() {
    let server = TestServer::start().await;
    let (alice, bob) = (server.register("alice").await, server.register("bob").await);
    let room_id = room(&server, &alice, &[&bob]).await;
    let mut socket = Socket::open(server.listen().await, &bob, request(None)).await;
    let first = socket.delta().await;
    for text in ["one", "two", "three"] {
        send(&server, &alice, &room_id, text).await;
    }
    socket.hears_nothing().await;
    socket.say(json!({ "type": "ack", "pos": "something else" })).await;
    socket.hears_nothing().await;
    socket.say(json!({ "type": "ack", "pos": first["pos"] })).await;
    let second = socket.take_delta().await;
    assert_eq!(bodies(&second, &room_id), ["one", "two", "three"], "{second}");
    socket.hears_nothing().await;
}

#[tokio::test]
async fn a_delta_that_was_lost_comes_again_after_the_reconnect_and_no_other() {
    let server = TestServer::start().await;
    let (alice, bob) = (server.register("alice").await, server.register("bob").await);
    let room_id = room(&server, &alice, &[&bob]).await;
    let address = server.listen().await;
    let mut socket = Socket::open(address, &bob, request(None)).await;
    let first = socket.take_delta().await;
    send(&server, &alice, &room_id, "one").await;
    let lost = socket.delta().await;
    assert_eq!(bodies(&lost, &room_id), ["one"]);
    drop(socket);
    send(&server, &alice, &room_id, "two").await;
    let mut socket = Socket::open(address, &bob, request(Some(&first["pos"]))).await;
    let again = socket.take_delta().await;
    assert_eq!(bodies(&again, &room_id), ["one", "two"], "{again}");
    drop(socket);
    // The acknowledgement may be lost too: the pos says the same.
    let mut socket = Socket::open(address, &bob, request(Some(&again["pos"]))).await;
    let quiet = socket.take_delta().await;
    assert!(quiet["rooms"].is_null(), "{quiet}");
    // And a long poll goes on where a socket was.
    send(&server, &alice, &room_id, "three").await;
    let pushed = socket.delta().await;
    let body = request(Some(&pushed["pos"]));
    let (status, polled) = server.post("/_matrix/client/v4/sync", &bob.token, body).await;
    assert_eq!((status.as_u16(), &polled["rooms"]), (200, &Value::Null), "{polled}");
}

#[tokio::test]
async fn a_request_that_is_refused_leaves_the_socket_open_for_the_next() {
    let server = TestServer::start().await;
    let alice = server.register("alice").await;
    let room_id = room(&server, &alice, &[]).await;
    let mut socket = Socket::open(server.listen().await, &alice, request(None)).await;
    socket.take_delta().await;
    let unknown = request(Some(&json!("1.2.t1_ffffffff_5_0_00000000_0")));
    socket.say(json!({ "type": "request", "id": "a", "request": unknown })).await;
    let error = socket.hear().await;
    assert_eq!(
        (&error["errcode"], &error["id"]),
        (&json!("M_UNKNOWN_POS"), &json!("a")),
        "{error}"
    );
    socket
        .say(json!({ "type": "request", "id": "b", "request": { "lists": { "no good": {
        "timeline_limit": 1, "required_state": {},
    } } } }))
        .await;
    let error = socket.hear().await;
    assert_eq!(
        (&error["errcode"], &error["id"]),
        (&json!("M_INVALID_PARAM"), &json!("b")),
        "{error}"
    );
    // No request stands: there is nobody to push to.
    send(&server, &alice, &room_id, "one").await;
    socket.hears_nothing().await;
    socket.say(json!({ "type": "request", "request": request(None) })).await;
    assert_eq!(bodies(&socket.delta().await, &room_id), ["one"]);
}

#[tokio::test]
async fn every_request_is_answered_at_once_even_with_nothing() {
    let server = TestServer::start().await;
    let alice = server.register("alice").await;
    let (one, two) = (room(&server, &alice, &[]).await, room(&server, &alice, &[]).await);
    let mut socket = Socket::open(server.listen().await, &alice, request(None)).await;
    let first = socket.take_delta().await;
    let mut wider = request(Some(&first["pos"]));
    wider["lists"]["direct"] =
        json!({ "timeline_limit": 1, "required_state": {}, "filters": { "is_dm": true } });
    socket.say(json!({ "type": "request", "id": "wider", "request": wider })).await;
    let answer = socket.hear().await;
    assert_eq!(answer["id"], "wider");
    assert_eq!(answer["response"]["lists"]["direct"]["count"], 0, "{answer}");
    assert!(answer["response"]["rooms"].is_null());
    // The new request stands on the same pos: what it was not told yet comes to it.
    send(&server, &alice, &one, "one").await;
    let newer = request(Some(&first["pos"]));
    socket.say(json!({ "type": "request", "id": "newer", "request": newer })).await;
    let answer = socket.hear().await;
    assert_eq!((&answer["id"], bodies(&answer["response"], &one)), (&json!("newer"), vec!["one"]));
    assert!(answer["response"]["rooms"][&two].is_null(), "told before: {answer}");
}

#[tokio::test]
async fn a_long_message_arrives_whole() {
    let server = TestServer::start().await;
    let alice = server.register("alice").await;
    let room_id = room(&server, &alice, &[]).await;
    let mut socket = Socket::open(server.listen().await, &alice, request(None)).await;
    socket.take_delta().await;
    let text = "grüße ".repeat(5_000);
    let path = format!(
        "/_matrix/client/v3/rooms/{}/send/m.room.message/long",
        common::rooms::encoded(&room_id)
    );
    let body = json!({ "msgtype": "m.text", "body": text });
    let (status, answer) = server.put(&path, &alice.token, body).await;
    assert_eq!(status, 200, "{answer}");
    assert_eq!(bodies(&socket.take_delta().await, &room_id), [text]);
}

#[tokio::test]
async fn logging_out_closes_the_sockets_of_the_device_and_no_others() {
    let server = TestServer::start().await;
    let bob = server.register("bob").await;
    let other = server.login("bob").await;
    let room_id = room(&server, &bob, &[]).await;
    let address = server.listen().await;
    let mut socket = Socket::open(address, &bob, request(None)).await;
    let mut others = Socket::open(address, &other, request(None)).await;
    socket.take_delta().await;
    others.take_delta().await;
    let (status, answer) = server.post("/_matrix/client/v3/logout", &bob.token, json!({})).await;
    assert_eq!(status, 200, "{answer}");
    let error = socket.is_refused("M_UNKNOWN_TOKEN", 4401).await;
    assert_eq!(error["soft_logout"], false, "{error}");
    send(&server, &other, &room_id, "still here").await;
    assert_eq!(bodies(&others.take_delta().await, &room_id), ["still here"]);
    let (status, answer) =
        server.post("/_matrix/client/v3/logout/all", &other.token, json!({})).await;
    assert_eq!(status, 200, "{answer}");
    others.is_refused("M_UNKNOWN_TOKEN", 4401).await;
}

/// A session whose token ends by itself, and its refresh token.
async fn refreshing(server: &TestServer, name: &str) -> (User, String) {
    let body = json!({
        "username": name, "password": PASSWORD, "auth": { "type": "m.login.dummy" },
        "refresh_token": true,
    });
    let answer = server.post("/_matrix/client/v3/register", "", body).await;
    let refresh = answer.1["refresh_token"].as_str().unwrap().to_owned();
    (User::from_answer(&answer), refresh)
}

#[tokio::test]
async fn a_token_that_expires_closes_the_socket_unless_a_new_one_was_handed_over() {
    let server = TestServer::start().await;
    let alice = server.register("alice").await;
    let ((bob, _), (carol, refresh)) =
        (refreshing(&server, "bob").await, refreshing(&server, "carol").await);
    let room_id = room(&server, &alice, &[&bob, &carol]).await;
    let address = server.listen().await;
    let mut bobs = Socket::open(address, &bob, request(None)).await;
    let mut carols = Socket::open(address, &carol, request(None)).await;
    bobs.take_delta().await;
    carols.take_delta().await;
    let near_the_end = Duration::from_secs(3_000);
    server.app.clock.turn(near_the_end);
    let body = json!({ "refresh_token": refresh });
    let (status, fresh) = server.post("/_matrix/client/v3/refresh", "", body).await;
    assert_eq!(status, 200, "{fresh}");
    carols.say(json!({ "type": "auth", "access_token": fresh["access_token"] })).await;
    carols.hears_nothing().await;
    server.app.clock.turn(near_the_end);
    send(&server, &alice, &room_id, "who is there?").await;
    let error = bobs.is_refused("M_UNKNOWN_TOKEN", 4401).await;
    assert_eq!(error["soft_logout"], true, "{error}");
    assert_eq!(bodies(&carols.take_delta().await, &room_id), ["who is there?"]);
    carols.say(json!({ "type": "auth", "access_token": alice.token })).await;
    carols.is_refused("M_FORBIDDEN", 4401).await;
}

#[tokio::test]
async fn a_connection_is_served_by_its_newest_socket() {
    let server = TestServer::start().await;
    let alice = server.register("alice").await;
    let room_id = room(&server, &alice, &[]).await;
    let address = server.listen().await;
    let mut named = request(None);
    named["conn_id"] = json!("other");
    let mut old = Socket::open(address, &alice, request(None)).await;
    let mut other = Socket::open(address, &alice, named).await;
    let first = old.take_delta().await;
    other.take_delta().await;
    let mut new = Socket::open(address, &alice, request(Some(&first["pos"]))).await;
    new.take_delta().await;
    old.is_closed(4409).await;
    send(&server, &alice, &room_id, "one").await;
    assert_eq!(bodies(&new.take_delta().await, &room_id), ["one"]);
    assert_eq!(bodies(&other.take_delta().await, &room_id), ["one"]);
    let mut many = Vec::new();
    for _ in 0..6 {
        many.push(
            Socket::open(address, &alice, json!({ "conn_id": many.len().to_string() })).await,
        );
    }
    other.hears_nothing().await;
    many.push(Socket::open(address, &alice, json!({ "conn_id": "one more" })).await);
    other.is_closed(4429).await;
}

#[tokio::test]
async fn what_is_no_frame_closes_the_socket() {
    let server = TestServer::start().await;
    let alice = server.register("alice").await;
    let address = server.listen().await;
    let open = async || Socket::open(address, &alice, json!({ "conn_id": "x" })).await;
    let mut socket = open().await;
    socket.take_delta().await;
    socket.send(Message::text("hello")).await;
    socket.is_refused("M_NOT_JSON", 4400).await;
    let mut socket = open().await;
    socket.take_delta().await;
    socket.say(json!({ "type": "ack" })).await;
    socket.is_refused("M_BAD_JSON", 4400).await;
    let mut socket = open().await;
    socket.take_delta().await;
    socket.send(Message::binary(vec![1, 2, 3])).await;
    socket.is_closed(1003).await;
    // Exactly the limit passes, one byte more does not.
    let frame = |bytes: usize| {
        let empty = json!({ "type": "org.example.long", "filling": "" }).to_string();
        let filling = "x".repeat(bytes - empty.len());
        Message::text(json!({ "type": "org.example.long", "filling": filling }).to_string())
    };
    let mut socket = open().await;
    socket.take_delta().await;
    socket.send(frame(65_536)).await;
    assert_eq!(socket.hear().await["errcode"], "M_UNRECOGNIZED");
    socket.send(frame(65_537)).await;
    socket.is_closed(1009).await;
}

#[tokio::test]
async fn a_stopping_server_says_so_to_everybody() {
    let server = TestServer::start().await;
    let alice = server.register("alice").await;
    let address = server.listen().await;
    let mut silent = Socket::connect(address, "").await;
    let mut socket = Socket::open(address, &alice, request(None)).await;
    socket.take_delta().await;
    socket.hears_nothing().await;
    server.app.bell.close();
    let stopping = server.sync.stop_sockets(Duration::from_secs(20));
    let (all_closed, ..) = tokio::join!(
        stopping,
        async {
            socket.is_closed(1001).await;
            socket.ends().await;
        },
        async {
            silent.is_closed(1001).await;
            silent.ends().await;
        }
    );
    assert!(all_closed);
}

#[tokio::test]
async fn a_client_that_closes_is_answered_and_forgotten() {
    let server = TestServer::start().await;
    let (alice, bob) = (server.register("alice").await, server.register("bob").await);
    let room_id = room(&server, &alice, &[]).await;
    let mut socket = Socket::open(server.listen().await, &bob, request(None)).await;
    socket.take_delta().await;
    socket.send(Message::Close(None)).await;
    socket.is_answered().await;
    assert!(server.sync.stop_sockets(Duration::from_secs(20)).await, "nothing is left running");
    join(&server, &bob, &room_id).await;
}

#[tokio::test]
async fn a_plain_request_is_told_that_this_is_a_socket() {
    let server = TestServer::start().await;
    let answer = server.get(SOCKET, "").await;
    assert_refused(&answer, 426, "M_UNRECOGNIZED");
    let answer = server.post(SOCKET, "", json!({})).await;
    assert_refused(&answer, 405, "M_UNRECOGNIZED");
    let (_, versions) = server.get("/_matrix/client/versions", "").await;
    assert_eq!(versions["unstable_features"]["chat.tern.socket"], true);
}

#[tokio::test]
async fn the_deployed_form_is_spoken_too_and_shares_its_connections_with_the_long_poll() {
    let server = TestServer::start().await;
    let (alice, bob) = (server.register("alice").await, server.register("bob").await);
    let room_id = room(&server, &alice, &[&bob]).await;
    let address = server.listen().await;
    let mut socket = Socket::connect(address, "").await;
    socket.say(json!({ "type": "open", "access_token": bob.token })).await;
    assert_eq!(socket.hear().await["type"], "opened");
    let list = json!({
        "timeline_limit": 10, "ranges": [[0, 99]], "required_state": [["m.room.create", ""]],
    });
    let mut wanted = json!({ "conn_id": "one", "lists": { "all": list } });
    let form = "org.matrix.simplified_msc3575";
    socket.say(json!({ "type": "request", "form": form, "request": wanted })).await;
    let first = socket.take_delta().await;
    let told = &first["rooms"][&room_id];
    assert_eq!((&told["initial"], &told["membership"]), (&json!(true), &Value::Null), "{first}");
    assert!(told["notification_count"].is_number(), "{first}");
    send(&server, &alice, &room_id, "one").await;
    let delta = socket.delta().await;
    assert_eq!(bodies(&delta, &room_id), ["one"], "{delta}");
    // Over HTTP it goes on where the socket was, and the other way round.
    send(&server, &alice, &room_id, "two").await;
    let path = format!(
        "/_matrix/client/unstable/{form}/sync?timeout=0&pos={}",
        delta["pos"].as_str().unwrap()
    );
    let (status, polled) = server.post(&path, &bob.token, wanted.clone()).await;
    assert_eq!(status, 200, "{polled}");
    assert_eq!(bodies(&polled, &room_id), ["two"], "{polled}");
    send(&server, &alice, &room_id, "three").await;
    wanted["pos"] = polled["pos"].clone();
    wanted["set_presence"] = json!("offline");
    socket.say(json!({ "type": "request", "id": "2", "form": form, "request": wanted })).await;
    let next = socket.take_delta().await;
    assert_eq!(bodies(&next, &room_id), ["three"], "{next}");
}

#[tokio::test]
async fn a_form_that_is_not_known_and_a_request_of_another_form_are_not_understood() {
    let server = TestServer::start().await;
    let alice = server.register("alice").await;
    let address = server.listen().await;
    let deployed = json!({ "all": { "timeline_limit": 1, "required_state": [["*", "*"]] } });
    for (form, lists) in [("v9", json!({})), ("v4", deployed)] {
        let mut socket = Socket::open(address, &alice, request(None)).await;
        socket.take_delta().await;
        let asked = json!({ "lists": lists });
        socket.say(json!({ "type": "request", "form": form, "request": asked })).await;
        socket.is_refused("M_BAD_JSON", 4400).await;
    }
}
