//! Sync where a client's idea of a room and the server's could part: what the model of sync (`sync_model.rs`) found, by itself.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "helpers of tests, where a panic is a failure"
)]

mod common;

use common::{
    TestServer, User,
    backup::{back_up, restored},
    rooms::{act, encoded, join, room, send, sync},
};
use serde_json::{Value, json};

async fn sync_since(server: &TestServer, user: &User, before: &Value) -> Value {
    let since = before["next_batch"].as_str().unwrap();
    sync(server, user, &format!("since={since}")).await
}

async fn set_state(server: &TestServer, user: &User, room_id: &str, kind: &str, content: Value) {
    let path = format!("/_matrix/client/v3/rooms/{}/state/{kind}", encoded(room_id));
    let (status, answer) = server.put(&path, &user.token, content).await;
    assert_eq!(status, 200, "{answer}");
}

fn list(events: &Value) -> &[Value] {
    events.as_array().map(Vec::as_slice).unwrap_or_default()
}

fn bodies(room: &Value) -> Vec<&str> {
    let events = list(&room["timeline"]["events"]).iter();
    events.filter_map(|event| event["content"]["body"].as_str()).collect()
}

/// The topic of a room as a client adds it up: the state, then the timeline.
fn topic(room: &Value) -> Option<&Value> {
    let events = list(&room["state"]["events"]).iter().chain(list(&room["timeline"]["events"]));
    let mut topics = events.filter(|event| event["type"] == "m.room.topic");
    topics.next_back().map(|event| &event["content"]["topic"])
}

#[tokio::test]
async fn a_room_that_was_joined_and_left_again_meanwhile_begins_anew() {
    let server = TestServer::start().await;
    let (alice, bob) = (server.register("alice").await, server.register("bob").await);
    let room_id = room(&server, &alice, &[&bob]).await;
    send(&server, &alice, &room_id, "known").await;
    act(&server, &bob, &room_id, "leave", json!({})).await;
    let first = sync(&server, &bob, "").await;
    join(&server, &bob, &room_id).await;
    act(&server, &bob, &room_id, "leave", json!({})).await;
    let second = sync_since(&server, &bob, &first).await;
    let room = &second["rooms"]["leave"][&room_id];
    assert_eq!(bodies(room), ["known"], "{second}");
    assert_eq!(
        room["timeline"]["limited"], true,
        "what is told again is not what comes next: {room}"
    );
    assert!(room["timeline"]["prev_batch"].is_string(), "{room}");
}

#[tokio::test]
async fn state_that_changed_behind_ones_back_is_told_to_who_comes_back() {
    let server = TestServer::start().await;
    let (alice, bob) = (server.register("alice").await, server.register("bob").await);
    let room_id = room(&server, &alice, &[]).await;
    let joined = json!({ "history_visibility": "joined" });
    set_state(&server, &alice, &room_id, "m.room.history_visibility", joined).await;
    join(&server, &bob, &room_id).await;
    let told = |text: &str| json!({ "topic": text });
    set_state(&server, &alice, &room_id, "m.room.topic", told("frogs")).await;
    let first = sync(&server, &bob, "").await;
    act(&server, &bob, &room_id, "leave", json!({})).await;
    set_state(&server, &alice, &room_id, "m.room.topic", told("newts")).await;
    join(&server, &bob, &room_id).await;
    for answer in [sync_since(&server, &bob, &first).await, sync(&server, &bob, "").await] {
        let room = &answer["rooms"]["join"][&room_id];
        assert_eq!(topic(room), Some(&json!("newts")), "{room}");
        let seen = list(&room["timeline"]["events"]).iter();
        assert!(seen.clone().all(|event| event["content"]["topic"] != "newts"), "{room}");
    }
}

#[tokio::test]
async fn a_room_that_was_forgotten_elsewhere_is_told_as_left() {
    let server = TestServer::start().await;
    let (alice, bob) = (server.register("alice").await, server.register("bob").await);
    let room_id = room(&server, &alice, &[&bob]).await;
    let ask = |pos: &Value| {
        let list = json!({ "timeline_limit": 2, "range": [0, 9], "required_state": {} });
        let mut body = json!({ "lists": { "all": list } });
        if pos.is_string() {
            body["pos"] = pos.clone();
        }
        server.post("/_matrix/client/v4/sync", &bob.token, body)
    };
    let (_, first) = ask(&Value::Null).await;
    assert_eq!(first["rooms"][&room_id]["membership"], "join", "{first}");
    act(&server, &bob, &room_id, "leave", json!({})).await;
    act(&server, &bob, &room_id, "forget", json!({})).await;
    let (_, second) = ask(&first["pos"]).await;
    assert_eq!(second["rooms"][&room_id]["membership"], "leave", "{second}");
    let (_, third) = ask(&second["pos"]).await;
    assert!(third["rooms"].is_null(), "once: {third}");
    assert_eq!(third["lists"]["all"]["count"], 0, "{third}");
}

#[tokio::test]
async fn a_token_of_a_lost_future_means_a_full_sync_however_far_the_database_has_gone_on() {
    let server = TestServer::start().await;
    let (alice, bob) = (server.register("alice").await, server.register("bob").await);
    let room_id = room(&server, &alice, &[&bob]).await;
    send(&server, &alice, &room_id, "kept").await;
    let before = sync(&server, &bob, "").await;
    if !back_up(&server).await {
        return;
    }
    send(&server, &alice, &room_id, "lost").await;
    let after = sync_since(&server, &bob, &before).await;
    let server = restored(server).await;
    for text in ["new one", "new two", "new three"] {
        send(&server, &alice, &room_id, text).await;
    }
    // A token that the copy knew goes on; one from behind it does not, though its position has come again.
    let known = sync_since(&server, &bob, &before).await;
    let room = &known["rooms"]["join"][&room_id];
    assert_eq!(bodies(room), ["new one", "new two", "new three"], "{room}");
    assert_ne!(room["timeline"]["limited"], true, "{room}");
    let anew = sync_since(&server, &bob, &after).await;
    let room = &anew["rooms"]["join"][&room_id];
    assert_eq!(bodies(room), ["kept", "new one", "new two", "new three"], "{room}");
    assert_eq!(room["timeline"]["limited"], true, "not what comes after the lost: {room}");
    // And on that one goes on, through a restart too.
    let server = server.restarted().await;
    let quiet = sync_since(&server, &bob, &anew).await;
    assert!(quiet["rooms"].is_null(), "{quiet}");
}

#[tokio::test]
async fn messages_to_a_device_are_not_taken_for_told_by_a_cursor_of_a_lost_future() {
    let server = TestServer::start().await;
    let (alice, bob) = (server.register("alice").await, server.register("bob").await);
    let ask = async |server: &TestServer, since: &Value| {
        let extension = json!({ "enabled": true });
        let mut body = json!({ "extensions": { "to_device": extension } });
        if since.is_string() {
            body["extensions"]["to_device"]["since"] = since.clone();
        }
        let (status, answer) = server.post("/_matrix/client/v4/sync", &bob.token, body).await;
        assert_eq!(status, 200, "{answer}");
        answer["extensions"]["to_device"].clone()
    };
    let tell = async |server: &TestServer, number: u8| {
        let body = json!({ "messages": { &bob.user_id: { &bob.device_id: { "note": number } } } });
        let path = format!("/_matrix/client/v3/sendToDevice/org.example.note/{number}");
        assert_eq!(server.put(&path, &alice.token, body).await.0, 200);
    };
    if !back_up(&server).await {
        return;
    }
    tell(&server, 1).await;
    let lost = ask(&server, &Value::Null).await;
    assert_eq!(lost["events"][0]["content"]["note"], 1, "{lost}");
    let server = restored(server).await;
    tell(&server, 2).await;
    tell(&server, 3).await;
    let told = ask(&server, &lost["next_batch"]).await;
    let notes: Vec<_> =
        list(&told["events"]).iter().map(|event| &event["content"]["note"]).collect();
    assert_eq!(notes, [2, 3], "{told}");
}
