//! v3 sync through the doors: nothing twice, nothing missing, and only what a user may see.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "helpers of tests, where a panic is a failure"
)]

mod common;

use std::time::Duration;

use common::{
    TestServer, User,
    rooms::{act, encoded, join, room, send, sync},
};
use serde_json::{Value, json};

const TIMELINE: &str = "timeline";

async fn sync_since(server: &TestServer, user: &User, before: &Value) -> Value {
    let since = before["next_batch"].as_str().unwrap();
    sync(server, user, &format!("since={since}")).await
}

fn bodies(room: &Value) -> Vec<&str> {
    let events = room[TIMELINE]["events"].as_array().map(Vec::as_slice).unwrap_or_default();
    events.iter().filter_map(|event| event["content"]["body"].as_str()).collect()
}

fn types(events: &Value) -> Vec<&str> {
    let events = events.as_array().map(Vec::as_slice).unwrap_or_default();
    events.iter().filter_map(|event| event["type"].as_str()).collect()
}

#[tokio::test]
async fn a_first_sync_tells_the_push_rules_and_a_second_one_does_not() {
    let server = TestServer::start().await;
    let alice = server.register("alice").await;
    let first = sync(&server, &alice, "").await;
    let data = &first["account_data"]["events"];
    assert_eq!(types(data), ["m.push_rules"], "{first}");
    assert!(data[0]["content"]["global"]["override"].is_array(), "{data}");
    let second = sync_since(&server, &alice, &first).await;
    assert!(second["account_data"].is_null(), "{second}");
}

#[tokio::test]
async fn every_message_comes_once_and_in_order() {
    let server = TestServer::start().await;
    let (alice, bob) = (server.register("alice").await, server.register("bob").await);
    let room_id = room(&server, &alice, &[&bob]).await;
    let mut last = sync(&server, &bob, "").await;
    assert!(types(&last["rooms"]["join"][&room_id]["timeline"]["events"]).len() > 2, "{last}");
    let (mut seen, mut sent) = (Vec::new(), Vec::new());
    for round in 0..7 {
        for part in 0..round {
            let text = format!("{round} {part}");
            send(&server, &alice, &room_id, &text).await;
            sent.push(text);
        }
        last = sync_since(&server, &bob, &last).await;
        let room = &last["rooms"]["join"][&room_id];
        assert_ne!(room["timeline"]["limited"], true, "{room}");
        assert!(room["state"].is_null(), "no state changed: {room}");
        seen.extend(bodies(room).iter().map(|body| (*body).to_owned()));
    }
    assert_eq!(seen, sent);
    let quiet = sync_since(&server, &bob, &last).await;
    assert!(quiet["rooms"].is_null(), "{quiet}");
    assert_eq!(quiet["device_one_time_keys_count"]["signed_curve25519"], 0);
}

#[tokio::test]
async fn a_gap_is_limited_and_carries_the_state_it_hides() {
    let server = TestServer::start().await;
    let (alice, bob) = (server.register("alice").await, server.register("bob").await);
    let room_id = room(&server, &alice, &[&bob]).await;
    let first = sync(&server, &bob, "").await;
    let path = format!("/_matrix/client/v3/rooms/{}/state/m.room.name/", encoded(&room_id));
    let (status, answer) = server.put(&path, &alice.token, json!({ "name": "The pond" })).await;
    assert_eq!(status, 200, "{answer}");
    for number in 0..25 {
        send(&server, &alice, &room_id, &number.to_string()).await;
    }
    let gap = sync_since(&server, &bob, &first).await;
    let room = &gap["rooms"]["join"][&room_id];
    assert_eq!(room["timeline"]["limited"], true);
    assert_eq!(bodies(room), (15..25).map(|number| number.to_string()).collect::<Vec<_>>());
    assert_eq!(room["state"]["events"][0]["content"]["name"], "The pond", "{room}");
    let from = room["timeline"]["prev_batch"].as_str().unwrap();
    let path = format!(
        "/_matrix/client/v3/rooms/{}/messages?dir=b&limit=5&from={from}",
        encoded(&room_id)
    );
    let (_, page) = server.get(&path, &bob.token).await;
    assert_eq!(page["chunk"][0]["content"]["body"], "14", "{page}");
}

#[tokio::test]
async fn a_newly_joined_room_comes_whole_and_an_invite_shows_who_asks() {
    let server = TestServer::start().await;
    let (alice, bob) = (server.register("alice").await, server.register("bob").await);
    let room_id = room(&server, &alice, &[]).await;
    let first = sync(&server, &bob, "").await;
    act(&server, &alice, &room_id, "invite", json!({ "user_id": bob.user_id })).await;
    let invited = sync_since(&server, &bob, &first).await;
    let shown = &invited["rooms"]["invite"][&room_id]["invite_state"]["events"];
    let own = shown.as_array().unwrap().iter().find(|event| event["type"] == "m.room.member");
    assert_eq!(own.unwrap()["sender"], alice.user_id, "{shown}");
    assert!(invited["rooms"]["join"].is_null());
    send(&server, &alice, &room_id, "before").await;
    join(&server, &bob, &room_id).await;
    let joined = sync_since(&server, &bob, &invited).await;
    let room = &joined["rooms"]["join"][&room_id];
    let told = [types(&room["state"]["events"]), types(&room["timeline"]["events"])].concat();
    for needed in ["m.room.create", "m.room.power_levels", "m.room.member"] {
        assert!(told.contains(&needed), "{needed} in {told:?}");
    }
    assert_eq!(room["summary"]["m.joined_member_count"], 2);
    assert!(joined["rooms"]["invite"].is_null(), "{joined}");
}

#[tokio::test]
async fn whoever_leaves_sees_everything_up_to_it_and_nothing_after() {
    let server = TestServer::start().await;
    let (alice, bob) = (server.register("alice").await, server.register("bob").await);
    let room_id = room(&server, &alice, &[&bob]).await;
    let first = sync(&server, &bob, "").await;
    send(&server, &alice, &room_id, "farewell").await;
    act(&server, &bob, &room_id, "leave", json!({})).await;
    send(&server, &alice, &room_id, "behind his back").await;
    let left = sync_since(&server, &bob, &first).await;
    let room = &left["rooms"]["leave"][&room_id];
    assert_eq!(bodies(room), ["farewell"], "{room}");
    assert_eq!(types(&room["timeline"]["events"]).last(), Some(&"m.room.member"));
    assert!(left["rooms"]["join"].is_null());
    send(&server, &alice, &room_id, "still gone").await;
    let quiet = sync_since(&server, &bob, &left).await;
    assert!(quiet["rooms"].is_null(), "{quiet}");

    join(&server, &bob, &room_id).await;
    let back = sync_since(&server, &bob, &quiet).await;
    assert!(back["rooms"]["join"][&room_id].is_object(), "{back}");
}

#[tokio::test]
async fn history_from_before_a_join_follows_the_rooms_setting() {
    let server = TestServer::start().await;
    let (alice, bob) = (server.register("alice").await, server.register("bob").await);
    for (setting, expected) in [("joined", vec![]), ("shared", vec!["early"])] {
        let room_id = room(&server, &alice, &[]).await;
        let path = format!(
            "/_matrix/client/v3/rooms/{}/state/m.room.history_visibility",
            encoded(&room_id)
        );
        server.put(&path, &alice.token, json!({ "history_visibility": setting })).await;
        send(&server, &alice, &room_id, "early").await;
        join(&server, &bob, &room_id).await;
        let answer = sync(&server, &bob, "").await;
        let room = &answer["rooms"]["join"][&room_id];
        assert_eq!(bodies(room), expected, "{setting}: {room}");
    }
}

#[tokio::test]
async fn typing_comes_and_goes() {
    let server = TestServer::start().await;
    let (alice, bob) = (server.register("alice").await, server.register("bob").await);
    let room_id = room(&server, &alice, &[&bob]).await;
    let first = sync(&server, &bob, "").await;
    let path = format!(
        "/_matrix/client/v3/rooms/{}/typing/{}",
        encoded(&room_id),
        encoded(&alice.user_id)
    );
    server.put(&path, &alice.token, json!({ "typing": true, "timeout": 30_000 })).await;
    let on = sync_since(&server, &bob, &first).await;
    let event = &on["rooms"]["join"][&room_id]["ephemeral"]["events"][0];
    assert_eq!(event["content"]["user_ids"], json!([alice.user_id]), "{on}");
    server.put(&path, &alice.token, json!({ "typing": false })).await;
    let off = sync_since(&server, &bob, &on).await;
    let event = &off["rooms"]["join"][&room_id]["ephemeral"]["events"][0];
    assert_eq!(event["content"]["user_ids"], json!([]), "{off}");
    assert!(sync_since(&server, &bob, &off).await["rooms"].is_null());
}

#[tokio::test]
async fn unread_counts_rise_with_messages_and_fall_to_zero_with_the_receipt() {
    let server = TestServer::start().await;
    let (alice, bob) = (server.register("alice").await, server.register("bob").await);
    let room_id = room(&server, &alice, &[&bob]).await;
    let first = sync(&server, &bob, "").await;
    let mut newest = String::new();
    for number in 0..3 {
        newest = send(&server, &alice, &room_id, &number.to_string()).await;
    }
    let unread = sync_since(&server, &bob, &first).await;
    let counts = &unread["rooms"]["join"][&room_id]["unread_notifications"];
    assert_eq!(counts["notification_count"], 3);
    act(&server, &bob, &room_id, &format!("receipt/m.read/{}", encoded(&newest)), json!({})).await;
    let read = sync_since(&server, &bob, &unread).await;
    let room = &read["rooms"]["join"][&room_id];
    assert_eq!(room["unread_notifications"]["notification_count"], 0, "{room}");
    let reader = &room["ephemeral"]["events"][0]["content"][&newest]["m.read"][&bob.user_id];
    assert!(reader["ts"].is_i64(), "{room}");
    let own = sync(&server, &alice, "").await;
    let counts = &own["rooms"]["join"][&room_id]["unread_notifications"];
    assert_eq!(counts["notification_count"], 0, "one's own messages are read");
}

#[tokio::test]
async fn messages_to_a_device_come_again_until_their_token_comes_back() {
    let server = TestServer::start().await;
    let (alice, bob) = (server.register("alice").await, server.register("bob").await);
    let first = sync(&server, &bob, "").await;
    let body = json!({ "messages": { &bob.user_id: { &bob.device_id: { "one": 1 } } } });
    let path = "/_matrix/client/v3/sendToDevice/org.example.note/1";
    let (status, answer) = server.put(path, &alice.token, body).await;
    assert_eq!(status, 200, "{answer}");
    let told = sync_since(&server, &bob, &first).await;
    assert_eq!(told["to_device"]["events"][0]["content"]["one"], 1);
    let again = sync_since(&server, &bob, &first).await;
    assert_eq!(again["to_device"]["events"][0]["content"]["one"], 1, "not acknowledged yet");
    let after = sync_since(&server, &bob, &told).await;
    assert!(after["to_device"].is_null(), "{after}");
    let anew = sync(&server, &bob, "").await;
    assert!(anew["to_device"].is_null(), "acknowledged for good: {anew}");
}

#[tokio::test]
async fn lazy_loading_tells_the_senders_of_the_slice_and_not_again() {
    let server = TestServer::start().await;
    let (alice, bob) = (server.register("alice").await, server.register("bob").await);
    let carol = server.register("carol").await;
    let room_id = room(&server, &alice, &[&bob, &carol]).await;
    for number in 0..12 {
        send(&server, &alice, &room_id, &number.to_string()).await;
    }
    let filter = "filter=%7B%22room%22%3A%7B%22state%22%3A%7B%22lazy_load_members%22%3Atrue%7D%2C%22timeline%22%3A%7B%22limit%22%3A2%7D%7D%7D";
    let first = sync(&server, &bob, filter).await;
    let members = |answer: &Value| {
        let events = answer["rooms"]["join"][&room_id]["state"]["events"].clone();
        let events = events.as_array().cloned().unwrap_or_default();
        let members = events.into_iter().filter(|event| event["type"] == "m.room.member");
        let mut keys: Vec<_> = members.map(|event| event["state_key"].clone()).collect();
        keys.sort_by_key(ToString::to_string);
        keys
    };
    assert!(members(&first).contains(&json!(alice.user_id)), "{first}");
    send(&server, &carol, &room_id, "hello").await;
    let since = first["next_batch"].as_str().unwrap();
    let second = sync(&server, &bob, &format!("{filter}&since={since}")).await;
    send(&server, &carol, &room_id, "again").await;
    let since = second["next_batch"].as_str().unwrap();
    let third = sync(&server, &bob, &format!("{filter}&since={since}")).await;
    assert_eq!(bodies(&third["rooms"]["join"][&room_id]), ["again"]);
    assert!(members(&third).is_empty(), "{third}");
}

#[tokio::test]
async fn a_waiting_client_is_woken_by_a_message() {
    let server = TestServer::start().await;
    let (alice, bob) = (server.register("alice").await, server.register("bob").await);
    let room_id = room(&server, &alice, &[&bob]).await;
    let first = sync(&server, &bob, "").await;
    let since = first["next_batch"].as_str().unwrap();
    let query = format!("since={since}&timeout=60000");
    let waiting = sync(&server, &bob, &query);
    let sending = async {
        tokio::task::yield_now().await;
        send(&server, &alice, &room_id, "wake up").await;
    };
    let both = async { tokio::join!(waiting, sending).0 };
    let woken = tokio::time::timeout(Duration::from_secs(20), both).await.unwrap();
    assert_eq!(bodies(&woken["rooms"]["join"][&room_id]), ["wake up"], "{first} then {woken}");
}

#[tokio::test]
async fn a_transaction_id_is_told_to_the_sending_device_only() {
    let server = TestServer::start().await;
    let alice = server.register("alice").await;
    let other = server.login("alice").await;
    let room_id = room(&server, &alice, &[]).await;
    send(&server, &alice, &room_id, "mine").await;
    let transaction = |answer: &Value| {
        let events = answer["rooms"]["join"][&room_id]["timeline"]["events"].clone();
        events.as_array().unwrap().last().unwrap()["unsigned"]["transaction_id"].clone()
    };
    assert_eq!(transaction(&sync(&server, &alice, "").await), format!("{room_id}-mine"));
    assert_eq!(transaction(&sync(&server, &other, "").await), Value::Null);
}

#[tokio::test]
async fn a_device_finds_its_transaction_ids_again_after_a_restart() {
    let server = TestServer::start().await;
    let alice = server.register("alice").await;
    let room_id = room(&server, &alice, &[]).await;
    let (one, two) = (
        send(&server, &alice, &room_id, "one").await,
        send(&server, &alice, &room_id, "two").await,
    );
    let server = server.restarted().await;
    // As the first thing that is asked of the device, and as a later one.
    assert_eq!(send(&server, &alice, &room_id, "one").await, one);
    let three = send(&server, &alice, &room_id, "three").await;
    assert_eq!(send(&server, &alice, &room_id, "two").await, two);
    assert_eq!(send(&server, &alice, &room_id, "three").await, three);
    let server = server.restarted().await;
    send(&server, &alice, &room_id, "four").await;
    let answer = sync(&server, &alice, "").await;
    let events =
        answer["rooms"]["join"][&room_id]["timeline"]["events"].as_array().unwrap().clone();
    let told = events.iter().filter_map(|event| event["unsigned"]["transaction_id"].as_str());
    let told: Vec<&str> =
        told.filter_map(|txn_id| txn_id.rsplit_once('-')).map(|it| it.1).collect();
    assert_eq!(told, ["one", "two", "three", "four"]);
}

#[tokio::test]
async fn a_token_of_another_database_means_a_full_sync() {
    let server = TestServer::start().await;
    let alice = server.register("alice").await;
    let room_id = room(&server, &alice, &[]).await;
    let answer = sync(&server, &alice, "since=t1_ffffffff_5_5_00000000_0&timeout=60000").await;
    let room = &answer["rooms"]["join"][&room_id];
    assert!(types(&room["timeline"]["events"]).contains(&"m.room.create"), "{room}");
}

#[tokio::test]
async fn state_after_is_the_state_at_the_end() {
    let server = TestServer::start().await;
    let alice = server.register("alice").await;
    let room_id = room(&server, &alice, &[]).await;
    let first = sync(&server, &alice, "use_state_after=true").await;
    let path = format!("/_matrix/client/v3/rooms/{}/state/m.room.topic", encoded(&room_id));
    server.put(&path, &alice.token, json!({ "topic": "frogs" })).await;
    let since = first["next_batch"].as_str().unwrap();
    let second = sync(&server, &alice, &format!("use_state_after=true&since={since}")).await;
    let room = &second["rooms"]["join"][&room_id];
    assert_eq!(room["state_after"]["events"][0]["content"]["topic"], "frogs", "{room}");
    assert!(room["state"].is_null());
}
