//! Messages to a device through every door: told until the cursor of the door that told them comes back, and by nothing else
//! deleted. And what passes by (typing) takes no position.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "helpers of tests, where a panic is a failure"
)]

mod common;

use common::{
    TestServer, User,
    rooms::{encoded, room, sync},
    socket::Socket,
};
use serde_json::{Value, json};
use tern_homeserver::messaging::tokens::SyncToken;

const STABLE: &str = "/_matrix/client/v4/sync";
const DEPLOYED: &str = "/_matrix/client/unstable/org.matrix.simplified_msc3575/sync";

/// A door that is asked again and again.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Poll {
    V3,
    Deployed,
    Stable,
}

const POLLS: [Poll; 3] = [Poll::V3, Poll::Deployed, Poll::Stable];

/// Where a client is: a sync's token, and of sliding sync the cursor of its messages.
#[derive(Debug, Clone)]
struct Place {
    token: String,
    messages: Option<String>,
}

impl Poll {
    /// One answer: the messages in it, and the place after it.
    async fn ask(self, server: &TestServer, user: &User, at: Option<&Place>) -> (Vec<u64>, Place) {
        if self == Self::V3 {
            let query = at.map_or_else(String::new, |at| format!("since={}", at.token));
            let answer = sync(server, user, &query).await;
            let token = answer["next_batch"].as_str().unwrap().to_owned();
            return (numbers(&answer["to_device"]), Place { token, messages: None });
        }
        let mut body = json!({ "extensions": { "to_device": { "enabled": true } } });
        if let Some(since) = at.and_then(|at| at.messages.as_ref()) {
            body["extensions"]["to_device"]["since"] = json!(since);
        }
        let mut path = DEPLOYED.to_owned();
        match (self, at) {
            (Self::Stable, _) => STABLE.clone_into(&mut path),
            (_, Some(at)) => path = format!("{DEPLOYED}?pos={}", at.token),
            _ => {}
        }
        if let (Self::Stable, Some(at)) = (self, at) {
            body["pos"] = json!(at.token);
        }
        let (status, answer) = server.post(&path, &user.token, body).await;
        assert_eq!(status, 200, "{answer}");
        let told = &answer["extensions"]["to_device"];
        let token = answer["pos"].as_str().unwrap().to_owned();
        (numbers(told), Place { token, messages: told["next_batch"].as_str().map(str::to_owned) })
    }
}

fn numbers(part: &Value) -> Vec<u64> {
    let events = part["events"].as_array().map(Vec::as_slice).unwrap_or_default();
    events.iter().map(|event| event["content"]["number"].as_u64().unwrap()).collect()
}

async fn tell(server: &TestServer, sender: &User, to: &User, number: u64) {
    let path =
        format!("/_matrix/client/v3/sendToDevice/org.example.note/{number}-{}", to.device_id);
    let body = json!({ "messages": { &to.user_id: { &to.device_id: { "number": number } } } });
    let (status, answer) = server.put(&path, &sender.token, body).await;
    assert_eq!(status, 200, "{answer}");
}

/// What waits for a device, seen without a cursor and so without an effect.
async fn waiting(server: &TestServer, user: &User) -> Vec<u64> {
    let seen = Poll::V3.ask(server, user, None).await.0;
    assert_eq!(Poll::Stable.ask(server, user, None).await.0, seen);
    seen
}

fn to_device_request(pos: Option<&str>, since: Option<&str>) -> Value {
    let mut request =
        json!({ "conn_id": "socket", "extensions": { "to_device": { "enabled": true } } });
    if let Some(pos) = pos {
        request["pos"] = json!(pos);
    }
    if let Some(since) = since {
        request["extensions"]["to_device"]["since"] = json!(since);
    }
    request
}

#[tokio::test]
async fn a_lost_answer_is_told_again_and_a_received_one_never() {
    for poll in POLLS {
        let server = TestServer::start().await;
        let (alice, bob) = (server.register("alice").await, server.register("bob").await);
        let (none, start) = poll.ask(&server, &bob, None).await;
        assert!(none.is_empty());
        tell(&server, &alice, &bob, 1).await;
        tell(&server, &alice, &bob, 2).await;
        for attempt in ["lost", "lost again", "received"] {
            let (told, _) = poll.ask(&server, &bob, Some(&start)).await;
            assert_eq!(told, [1, 2], "{poll:?}, {attempt}");
        }
        let (_, received) = poll.ask(&server, &bob, Some(&start)).await;
        tell(&server, &alice, &bob, 3).await;
        for attempt in ["lost", "received"] {
            let (told, _) = poll.ask(&server, &bob, Some(&received)).await;
            assert_eq!(told, [3], "{poll:?}, {attempt}");
        }
        assert_eq!(waiting(&server, &bob).await, [3], "{poll:?}");
    }
}

#[tokio::test]
async fn a_lost_delta_of_the_socket_is_told_again_and_an_acknowledged_one_never() {
    let server = TestServer::start().await;
    let (alice, bob) = (server.register("alice").await, server.register("bob").await);
    let address = server.listen().await;
    let mut socket = Socket::open(address, &bob, to_device_request(None, None)).await;
    let first = socket.take_delta().await;
    tell(&server, &alice, &bob, 1).await;
    let lost = socket.delta().await;
    assert_eq!(numbers(&lost["extensions"]["to_device"]), [1]);
    drop(socket);
    assert_eq!(waiting(&server, &bob).await, [1], "not acknowledged");
    // The client has the place of the first delta, and nothing of the second.
    let since = first["extensions"]["to_device"]["next_batch"].as_str();
    let request = to_device_request(first["pos"].as_str(), since);
    let mut socket = Socket::open(address, &bob, request).await;
    let again = socket.take_delta().await;
    assert_eq!(numbers(&again["extensions"]["to_device"]), [1]);
    // The acknowledgement is through when the next message comes, and that alone.
    tell(&server, &alice, &bob, 2).await;
    let next = socket.delta().await;
    assert_eq!(numbers(&next["extensions"]["to_device"]), [2]);
    assert_eq!(waiting(&server, &bob).await, [2]);
    // An acknowledgement that was lost is made good by the cursor.
    drop(socket);
    let since = next["extensions"]["to_device"]["next_batch"].as_str();
    let request = to_device_request(next["pos"].as_str(), since);
    let mut socket = Socket::open(address, &bob, request).await;
    assert!(numbers(&socket.delta().await["extensions"]["to_device"]).is_empty());
    assert!(waiting(&server, &bob).await.is_empty());
}

#[tokio::test]
async fn what_another_door_told_is_not_acknowledged_by_going_on() {
    let server = TestServer::start().await;
    let (alice, bob) = (server.register("alice").await, server.register("bob").await);
    let address = server.listen().await;
    let mut places = Vec::new();
    for poll in POLLS {
        places.push((poll, poll.ask(&server, &bob, None).await.1));
    }
    tell(&server, &alice, &bob, 1).await;
    let mut socket = Socket::open(address, &bob, to_device_request(None, None)).await;
    assert_eq!(numbers(&socket.delta().await["extensions"]["to_device"]), [1]);
    // Every door's own place is from before the message, so its coming back says nothing of it.
    for (poll, place) in &places {
        let (told, _) = poll.ask(&server, &bob, Some(place)).await;
        assert_eq!(told, [1], "{poll:?}");
        assert_eq!(waiting(&server, &bob).await, [1], "{poll:?}");
    }
    // A connection that goes on without its cursor acknowledges nothing, however far it gets.
    let (told, place) = Poll::Stable.ask(&server, &bob, Some(&places[2].1)).await;
    assert_eq!(told, [1]);
    let without = Place { messages: None, ..place.clone() };
    let (told, _) = Poll::Stable.ask(&server, &bob, Some(&without)).await;
    assert_eq!(told, [1], "the cursor did not come back");
    // Nor does its pos, shown to v3.
    sync(&server, &bob, &format!("since={}", place.token)).await;
    let inner = place.token.rsplit_once('.').unwrap().1;
    sync(&server, &bob, &format!("since={inner}")).await;
    assert_eq!(waiting(&server, &bob).await, [1]);
    let other = server.login("bob").await;
    Poll::Stable.ask(&server, &other, None).await;
    let cursor =
        json!({ "extensions": { "to_device": { "enabled": true, "since": place.messages } } });
    let (status, _) = server.post(STABLE, &other.token, cursor).await;
    assert_eq!((status.as_u16(), waiting(&server, &bob).await), (200, vec![1]), "another device's");
}

#[tokio::test]
async fn more_messages_than_an_answer_holds_come_in_order_without_waiting() {
    let server = TestServer::start().await;
    let (alice, bob) = (server.register("alice").await, server.register("bob").await);
    let mut socket = Socket::open(server.listen().await, &bob, to_device_request(None, None)).await;
    let first = socket.delta().await;
    let content = |number: u64| json!({ &bob.user_id: { &bob.device_id: { "number": number } } });
    for number in 0..130 {
        let path = format!("/_matrix/client/v3/sendToDevice/org.example.note/{number}");
        server.put(&path, &alice.token, json!({ "messages": content(number) })).await;
    }
    socket.say(json!({ "type": "ack", "pos": first["pos"] })).await;
    let mut told = Vec::new();
    while told.len() < 130 {
        let delta = socket.take_delta().await;
        let numbers = numbers(&delta["extensions"]["to_device"]);
        assert!(!numbers.is_empty() && numbers.len() <= 100);
        told.extend(numbers);
    }
    assert_eq!(told, (0..130).collect::<Vec<u64>>());
}

#[tokio::test]
async fn typing_takes_no_position() {
    let server = TestServer::start().await;
    let (alice, bob) = (server.register("alice").await, server.register("bob").await);
    let room_id = room(&server, &alice, &[&bob]).await;
    let ask = |pos: Option<&Value>| {
        let mut body = json!({
            "room_subscriptions": { &room_id: { "timeline_limit": 1, "required_state": {} } },
            "extensions": { "typing": { "enabled": true } },
        });
        if let Some(pos) = pos {
            body["pos"] = pos.clone();
        }
        body
    };
    let old_v3 = sync(&server, &bob, "").await["next_batch"].as_str().unwrap().to_owned();
    let (_, old_v4) = server.post(STABLE, &bob.token, ask(None)).await;
    let position = server.app.db.position();
    let path = format!(
        "/_matrix/client/v3/rooms/{}/typing/{}",
        encoded(&room_id),
        encoded(&alice.user_id)
    );
    for typing in [true, false, true] {
        server.put(&path, &alice.token, json!({ "typing": typing, "timeout": 30_000 })).await;
    }
    let v3 = sync(&server, &bob, &format!("since={old_v3}")).await;
    assert!(v3["rooms"]["join"][&room_id]["ephemeral"].is_object(), "{v3}");
    let (_, v4) = server.post(STABLE, &bob.token, ask(Some(&old_v4["pos"]))).await;
    let told = &v4["extensions"]["typing"]["rooms"][&room_id]["user_ids"];
    assert_eq!(*told, json!([alice.user_id]), "{v4}");
    assert_eq!(server.app.db.position(), position, "nothing was persisted");
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    for (before, after) in
        [(old_v3, text(&v3["next_batch"])), (text(&old_v4["pos"]), text(&v4["pos"]))]
    {
        let before = SyncToken::of_any_sync(&before).unwrap();
        let after = SyncToken::of_any_sync(&after).unwrap();
        assert!(after.serial > before.serial, "typing counts on its own");
        let still = SyncToken { serial: before.serial, ..after };
        assert_eq!(still, before, "and moves nothing else");
    }
}
