//! The extensions of sliding sync: under which keys they go, which rooms they concern, and that a room which comes back into
//! scope brings along what it missed.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "helpers of tests, where a panic is a failure"
)]

mod common;

use common::{
    TestServer, User,
    rooms::{act, encoded, room, send},
};
use serde_json::{Value, json};

const STABLE: &str = "/_matrix/client/v4/sync";
const DEPLOYED: &str = "/_matrix/client/unstable/org.matrix.simplified_msc3575/sync";

/// A request for rooms by subscription, with extensions, that goes on after `before`.
async fn sync(
    server: &TestServer,
    user: &User,
    (rooms, extensions): (&[&str], &Value),
    before: Option<&Value>,
) -> Value {
    let wanted = json!({ "timeline_limit": 5, "required_state": {} });
    let subscriptions: Value =
        rooms.iter().map(|room_id| ((*room_id).to_owned(), wanted.clone())).collect();
    let mut body = json!({ "room_subscriptions": subscriptions, "extensions": extensions });
    if let Some(before) = before {
        body["pos"] = before["pos"].clone();
    }
    let (status, answer) = server.post(STABLE, &user.token, body).await;
    assert_eq!(status, 200, "{answer}");
    answer["extensions"].as_object().unwrap().keys().for_each(|key| {
        assert!(extensions[key].is_object(), "{key} was not asked for: {answer}");
    });
    answer
}

async fn set_typing(server: &TestServer, user: &User, room_id: &str, typing: bool) {
    let path =
        format!("/_matrix/client/v3/rooms/{}/typing/{}", encoded(room_id), encoded(&user.user_id));
    let body = json!({ "typing": typing, "timeout": 30_000 });
    let (status, answer) = server.put(&path, &user.token, body).await;
    assert_eq!(status, 200, "{answer}");
}

async fn set_data(server: &TestServer, user: &User, room_id: &str, number: u64) {
    let place =
        if room_id.is_empty() { String::new() } else { format!("rooms/{}/", encoded(room_id)) };
    let path = format!(
        "/_matrix/client/v3/user/{}/{place}account_data/org.example.note",
        encoded(&user.user_id)
    );
    let (status, answer) = server.put(&path, &user.token, json!({ "number": number })).await;
    assert_eq!(status, 200, "{answer}");
}

async fn read(server: &TestServer, user: &User, room_id: &str, event_id: &str) {
    act(server, user, room_id, &format!("receipt/m.read/{}", encoded(event_id)), json!({})).await;
}

#[tokio::test]
async fn ephemeral_data_is_bare_in_the_stable_form_and_whole_in_the_deployed_one() {
    let server = TestServer::start().await;
    let (alice, bob) = (server.register("alice").await, server.register("bob").await);
    let room_id = room(&server, &alice, &[&bob]).await;
    let event_id = send(&server, &alice, &room_id, "one").await;
    read(&server, &bob, &room_id, &event_id).await;
    set_typing(&server, &alice, &room_id, true).await;
    let keys = json!({ "typing": { "enabled": true }, "org.matrix.msc4551.receipts": { "enabled": true } });
    let stable = sync(&server, &bob, (&[&room_id], &keys), None).await;
    let typing = &stable["extensions"]["typing"]["rooms"][&room_id];
    assert_eq!(*typing, json!({ "user_ids": [alice.user_id] }), "{stable}");
    let receipts = &stable["extensions"]["org.matrix.msc4551.receipts"]["rooms"][&room_id];
    assert!(receipts[&event_id]["m.read"][&bob.user_id]["ts"].is_i64(), "{stable}");
    let body = json!({
        "room_subscriptions": { &room_id: { "timeline_limit": 5, "required_state": [] } },
        "extensions": { "typing": { "enabled": true }, "receipts": { "enabled": true } },
    });
    let (_, deployed) = server.post(DEPLOYED, &bob.token, body).await;
    let typing = &deployed["extensions"]["typing"]["rooms"][&room_id];
    assert_eq!(
        *typing,
        json!({ "type": "m.typing", "content": { "user_ids": [alice.user_id] } }),
        "{deployed}"
    );
    let receipts = &deployed["extensions"]["receipts"]["rooms"][&room_id];
    assert_eq!(receipts["type"], "m.receipt", "{deployed}");
    assert!(receipts["content"][&event_id]["m.read"][&bob.user_id]["ts"].is_i64(), "{deployed}");
}

#[tokio::test]
async fn answers_use_the_key_that_was_asked_by() {
    let server = TestServer::start().await;
    let alice = server.register("alice").await;
    set_data(&server, &alice, "", 1).await;
    for (prefix, encryption, data) in [
        ("to_device", "e2ee", "account_data"),
        (
            "org.matrix.msc4538.to_device",
            "org.matrix.msc4543.e2ee",
            "org.matrix.msc4548.account_data",
        ),
    ] {
        let on = json!({ "enabled": true });
        let keys = json!({ prefix: on, encryption: on, data: on, "org.example.unknown": on });
        let answer = sync(&server, &alice, (&[], &keys), None).await;
        let answer = &answer["extensions"];
        assert!(answer[prefix]["next_batch"].is_string(), "{answer}");
        assert_eq!(answer[encryption]["device_one_time_keys_count"]["signed_curve25519"], 0);
        let global = answer[data]["global"].as_array().unwrap();
        assert!(global.iter().any(|piece| piece["content"]["number"] == 1), "{answer}");
    }
    let off = json!({ "to_device": { "enabled": false }, "e2ee": {} });
    let answer = sync(&server, &alice, (&[], &off), None).await;
    assert_eq!(answer["extensions"], json!({}));
}

#[tokio::test]
async fn an_extension_concerns_the_rooms_in_its_scope_only() {
    let server = TestServer::start().await;
    let (alice, bob) = (server.register("alice").await, server.register("bob").await);
    let (one, two) = (room(&server, &alice, &[&bob]).await, room(&server, &alice, &[&bob]).await);
    let scoped = json!({ "typing": { "enabled": true, "rooms": [&one] } });
    let none = json!({ "typing": { "enabled": true, "rooms": [] } });
    let first = sync(&server, &bob, (&[&one, &two], &scoped), None).await;
    set_typing(&server, &alice, &one, true).await;
    set_typing(&server, &alice, &two, true).await;
    let told = sync(&server, &bob, (&[&one, &two], &scoped), Some(&first)).await;
    let rooms = told["extensions"]["typing"]["rooms"].as_object().unwrap();
    assert_eq!(rooms.keys().collect::<Vec<_>>(), [&one], "{told}");
    let nothing = sync(&server, &bob, (&[&one, &two], &none), Some(&told)).await;
    assert_eq!(nothing["extensions"], json!({}), "{nothing}");
    // Back in scope: who types now, though that has not changed.
    let back = sync(&server, &bob, (&[&one, &two], &scoped), Some(&nothing)).await;
    assert_eq!(
        back["extensions"]["typing"]["rooms"][&one]["user_ids"],
        json!([alice.user_id]),
        "{back}"
    );
}

#[tokio::test]
async fn a_room_that_comes_back_brings_what_changed_while_it_was_away() {
    let server = TestServer::start().await;
    let (alice, bob) = (server.register("alice").await, server.register("bob").await);
    let (one, two) = (room(&server, &alice, &[&bob]).await, room(&server, &alice, &[&bob]).await);
    let event_id = send(&server, &alice, &one, "one").await;
    set_data(&server, &bob, &one, 1).await;
    let on = json!({ "account_data": { "enabled": true }, "receipts": { "enabled": true } });
    let first = sync(&server, &bob, (&[&one, &two], &on), None).await;
    let data = &first["extensions"]["account_data"]["rooms"][&one];
    assert_eq!(data[0]["content"]["number"], 1, "{first}");
    // While it is away it changes, and the connection goes on without it.
    let mut last = sync(&server, &bob, (&[&two], &on), Some(&first)).await;
    set_data(&server, &bob, &one, 2).await;
    read(&server, &bob, &one, &event_id).await;
    for number in 0..2 {
        send(&server, &alice, &two, &number.to_string()).await;
        last = sync(&server, &bob, (&[&two], &on), Some(&last)).await;
        assert!(last["extensions"].get("receipts").is_none(), "{last}");
    }
    let back = sync(&server, &bob, (&[&one, &two], &on), Some(&last)).await;
    let data = &back["extensions"]["account_data"]["rooms"][&one];
    assert_eq!(data[0]["content"]["number"], 2, "{back}");
    let receipts = &back["extensions"]["receipts"]["rooms"][&one];
    assert!(receipts[&event_id]["m.read"][&bob.user_id].is_object(), "{back}");
    let after = sync(&server, &bob, (&[&one, &two], &on), Some(&back)).await;
    assert_eq!(after["extensions"], json!({}), "{after}");
}

#[tokio::test]
async fn account_data_that_is_asked_for_later_comes_whole() {
    let server = TestServer::start().await;
    let alice = server.register("alice").await;
    let room_id = room(&server, &alice, &[]).await;
    set_data(&server, &alice, "", 1).await;
    set_data(&server, &alice, &room_id, 2).await;
    let first = sync(&server, &alice, (&[&room_id], &json!({})), None).await;
    let on = json!({ "account_data": { "enabled": true } });
    for attempt in ["lost", "received"] {
        let told = sync(&server, &alice, (&[&room_id], &on), Some(&first)).await;
        let told = &told["extensions"]["account_data"];
        let global = told["global"].as_array().unwrap();
        assert!(global.iter().any(|piece| piece["content"]["number"] == 1), "{attempt}: {told}");
        assert!(global.iter().any(|piece| piece["type"] == "m.push_rules"), "{attempt}: {told}");
        assert_eq!(told["rooms"][&room_id][0]["content"]["number"], 2, "{attempt}");
    }
    let told = sync(&server, &alice, (&[&room_id], &on), Some(&first)).await;
    set_data(&server, &alice, "", 3).await;
    let after = sync(&server, &alice, (&[&room_id], &on), Some(&told)).await;
    let after = &after["extensions"]["account_data"];
    assert_eq!(after["global"].as_array().unwrap().len(), 1, "{after}");
    assert!(after["rooms"].is_null(), "{after}");
}

#[tokio::test]
async fn receipts_come_with_the_events_that_carry_them_and_other_peoples_private_ones_never() {
    let server = TestServer::start().await;
    let (alice, bob) = (server.register("alice").await, server.register("bob").await);
    let room_id = room(&server, &alice, &[&bob]).await;
    let old = send(&server, &alice, &room_id, "old").await;
    for number in 0..5 {
        send(&server, &alice, &room_id, &number.to_string()).await;
    }
    let newest = send(&server, &alice, &room_id, "newest").await;
    read(&server, &alice, &room_id, &newest).await;
    read(&server, &bob, &room_id, &old).await;
    let private = format!("receipt/m.read.private/{}", encoded(&newest));
    act(&server, &alice, &room_id, &private, json!({})).await;
    let on = json!({ "receipts": { "enabled": true } });
    let told = sync(&server, &bob, (&[&room_id], &on), None).await;
    let told = &told["extensions"]["receipts"]["rooms"][&room_id];
    assert!(told[&newest]["m.read"][&alice.user_id].is_object(), "on the timeline: {told}");
    assert!(told[&newest]["m.read.private"].is_null(), "{told}");
    assert!(told[&old]["m.read"][&bob.user_id].is_object(), "one's own: {told}");
    let others = sync(&server, &alice, (&[&room_id], &on), None).await;
    let others = &others["extensions"]["receipts"]["rooms"][&room_id];
    assert!(others[&old].is_null(), "an event that is not told: {others}");
    assert!(others[&newest]["m.read.private"][&alice.user_id].is_object(), "{others}");
}
