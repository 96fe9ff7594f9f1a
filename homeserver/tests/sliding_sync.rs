//! Sliding sync through its door: windows, connections and extensions.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "helpers of tests, where a panic is a failure"
)]

mod common;

use std::time::Duration;

use common::{
    TestServer, User, assert_refused,
    rooms::{encoded, room, send},
};
use serde_json::{Value, json};

const SYNC: &str = "/_matrix/client/unstable/org.matrix.simplified_msc3575/sync";

fn request(range: [u64; 2]) -> Value {
    json!({
        "lists": { "all": {
            "ranges": [range],
            "required_state": [["m.room.create", ""], ["m.room.member", "$ME"], ["m.room.member", "$LAZY"]],
            "timeline_limit": 5,
        } },
        "extensions": {
            "to_device": { "enabled": true }, "e2ee": { "enabled": true },
            "account_data": { "enabled": true }, "receipts": { "enabled": true },
            "typing": { "enabled": true },
        },
    })
}

async fn sync(server: &TestServer, user: &User, pos: Option<&Value>, body: Value) -> Value {
    let path = match pos {
        Some(answer) => format!("{SYNC}?pos={}", answer["pos"].as_str().unwrap()),
        None => SYNC.to_owned(),
    };
    let (status, answer) = server.post(&path, &user.token, body).await;
    assert_eq!(status, 200, "{answer}");
    answer
}

fn bodies(room: &Value) -> Vec<&str> {
    let events = room["timeline"].as_array().map(Vec::as_slice).unwrap_or_default();
    events.iter().filter_map(|event| event["content"]["body"].as_str()).collect()
}

#[tokio::test]
async fn a_room_comes_whole_at_first_and_then_only_what_is_new() {
    let server = TestServer::start().await;
    let (alice, bob) = (server.register("alice").await, server.register("bob").await);
    let room_id = room(&server, &alice, &[&bob]).await;
    send(&server, &alice, &room_id, "one").await;
    let first = sync(&server, &bob, None, request([0, 9])).await;
    let shown = &first["rooms"][&room_id];
    assert_eq!((&shown["initial"], &shown["joined_count"]), (&json!(true), &json!(2)), "{shown}");
    assert_eq!((bodies(shown), &shown["num_live"]), (vec!["one"], &json!(0)));
    let state = shown["required_state"].as_array().unwrap();
    let members: Vec<_> = state.iter().filter(|event| event["type"] == "m.room.member").collect();
    assert!(members.iter().any(|event| event["state_key"] == bob.user_id), "$ME: {shown}");
    assert!(members.iter().any(|event| event["state_key"] == alice.user_id), "$LAZY: {shown}");
    assert_eq!(shown["heroes"][0]["user_id"], alice.user_id);
    assert_eq!(first["lists"]["all"]["count"], 1);
    assert_eq!(first["extensions"]["e2ee"]["device_one_time_keys_count"]["signed_curve25519"], 0);

    send(&server, &alice, &room_id, "two").await;
    let second = sync(&server, &bob, Some(&first), request([0, 9])).await;
    let shown = &second["rooms"][&room_id];
    assert_eq!((bodies(shown), &shown["num_live"]), (vec!["two"], &json!(1)), "{shown}");
    assert!(shown["initial"].is_null() && shown["required_state"].is_null(), "{shown}");
    assert_eq!(shown["notification_count"], 2);

    let third = sync(&server, &bob, Some(&second), request([0, 9])).await;
    assert!(third["rooms"].is_null(), "{third}");
}

#[tokio::test]
async fn a_repeated_pos_gets_the_same_again_and_an_unknown_one_is_refused() {
    let server = TestServer::start().await;
    let (alice, bob) = (server.register("alice").await, server.register("bob").await);
    let room_id = room(&server, &alice, &[&bob]).await;
    let first = sync(&server, &bob, None, request([0, 9])).await;
    send(&server, &alice, &room_id, "one").await;
    for _ in 0..2 {
        let answer = sync(&server, &bob, Some(&first), request([0, 9])).await;
        assert_eq!(bodies(&answer["rooms"][&room_id]), ["one"], "{answer}");
    }
    let last = sync(&server, &bob, Some(&first), request([0, 9])).await;
    sync(&server, &bob, Some(&last), request([0, 9])).await;
    for pos in [first["pos"].as_str().unwrap(), "nonsense"] {
        let path = format!("{SYNC}?pos={pos}");
        let answer = server.post(&path, &bob.token, request([0, 9])).await;
        assert_refused(&answer, 400, "M_UNKNOWN_POS");
    }
}

#[tokio::test]
async fn windows_show_the_newest_rooms_and_grow() {
    let server = TestServer::start().await;
    let alice = server.register("alice").await;
    let mut rooms = Vec::new();
    for _ in 0..4 {
        rooms.push(room(&server, &alice, &[]).await);
    }
    send(&server, &alice, &rooms[1], "newest").await;
    let first = sync(&server, &alice, None, request([0, 1])).await;
    let shown: Vec<_> = first["rooms"].as_object().unwrap().keys().cloned().collect();
    assert_eq!(shown.len(), 2);
    assert!(shown.contains(&rooms[1]) && shown.contains(&rooms[3]), "{shown:?} of {rooms:?}");
    assert_eq!(first["lists"]["all"]["count"], 4);
    let grown = sync(&server, &alice, Some(&first), request([0, 3])).await;
    let shown = grown["rooms"].as_object().unwrap();
    assert!(shown.contains_key(&rooms[0]) && shown.contains_key(&rooms[2]), "{shown:?}");
    assert_eq!(shown.len(), 2, "the others were told");
}

#[tokio::test]
async fn an_invite_is_shown_and_its_room_begins_anew_with_the_join() {
    let server = TestServer::start().await;
    let (alice, bob) = (server.register("alice").await, server.register("bob").await);
    let first = sync(&server, &bob, None, request([0, 9])).await;
    let room_id = room(&server, &alice, &[]).await;
    let path = format!("/_matrix/client/v3/rooms/{}/invite", encoded(&room_id));
    server.post(&path, &alice.token, json!({ "user_id": bob.user_id })).await;
    let invited = sync(&server, &bob, Some(&first), request([0, 9])).await;
    assert!(invited["rooms"][&room_id]["invite_state"].is_array(), "{invited}");
    let path = format!("/_matrix/client/v3/join/{}", encoded(&room_id));
    server.post(&path, &bob.token, json!({})).await;
    let joined = sync(&server, &bob, Some(&invited), request([0, 9])).await;
    assert_eq!(joined["rooms"][&room_id]["initial"], true, "{joined}");
    let path = format!("/_matrix/client/v3/rooms/{}/leave", encoded(&room_id));
    server.post(&path, &bob.token, json!({})).await;
    send(&server, &alice, &room_id, "secret").await;
    let left = sync(&server, &bob, Some(&joined), request([0, 9])).await;
    let shown = &left["rooms"][&room_id];
    let own = shown["required_state"].as_array().unwrap();
    assert!(own.iter().any(|event| event["content"]["membership"] == "leave"), "{shown}");
    assert!(bodies(shown).is_empty(), "{shown}");
    let after = sync(&server, &bob, Some(&left), request([0, 9])).await;
    assert!(after["rooms"].is_null(), "{after}");
}

#[tokio::test]
async fn a_waiting_connection_is_woken_and_messages_to_it_wait_for_their_token() {
    let server = TestServer::start().await;
    let (alice, bob) = (server.register("alice").await, server.register("bob").await);
    let ask = |since: Option<&str>| {
        let mut to_device = json!({ "enabled": true });
        if let Some(since) = since {
            to_device["since"] = since.into();
        }
        json!({ "conn_id": "encryption", "extensions": { "to_device": to_device, "e2ee": { "enabled": true } } })
    };
    let first = sync(&server, &bob, None, ask(None)).await;
    let since = first["extensions"]["to_device"]["next_batch"].as_str().unwrap();
    let path = format!("{SYNC}?pos={}&timeout=60000", first["pos"].as_str().unwrap());
    let waiting = server.post(&path, &bob.token, ask(Some(since)));
    let sending = async {
        tokio::task::yield_now().await;
        let body = json!({ "messages": { &bob.user_id: { &bob.device_id: { "one": 1 } } } });
        server.put("/_matrix/client/v3/sendToDevice/org.example.note/1", &alice.token, body).await
    };
    let both = async { tokio::join!(waiting, sending).0 };
    let (_, woken) = tokio::time::timeout(Duration::from_secs(20), both).await.unwrap();
    let told = &woken["extensions"]["to_device"];
    assert_eq!(told["events"][0]["content"]["one"], 1, "{woken}");
    let again = sync(&server, &bob, Some(&first), ask(Some(since))).await;
    assert_eq!(again["extensions"]["to_device"]["events"][0]["content"]["one"], 1);
    let next = told["next_batch"].as_str().unwrap();
    let after = sync(&server, &bob, Some(&again), ask(Some(next))).await;
    assert_eq!(after["extensions"]["to_device"]["events"], json!([]), "{after}");
    let anew = sync(&server, &bob, None, ask(None)).await;
    assert_eq!(anew["extensions"]["to_device"]["events"], json!([]), "acknowledged for good");
}

#[tokio::test]
async fn a_subscription_to_a_room_one_is_not_in_shows_nothing() {
    let server = TestServer::start().await;
    let (alice, bob) = (server.register("alice").await, server.register("bob").await);
    let room_id = room(&server, &alice, &[]).await;
    let body = json!({ "room_subscriptions": { &room_id: { "required_state": [["*", "*"]], "timeline_limit": 10 } } });
    let answer = sync(&server, &bob, None, body.clone()).await;
    assert!(answer["rooms"].is_null(), "{answer}");
    let own = sync(&server, &alice, None, body).await;
    assert!(own["rooms"][&room_id]["required_state"].as_array().unwrap().len() > 4, "{own}");
}
