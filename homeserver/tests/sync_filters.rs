//! Filters of v3 sync through the door: which events are told, with which of their fields, and in which format.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "helpers of tests, where a panic is a failure"
)]

mod common;

use common::{
    TestServer, User,
    rooms::{act, encoded, join, room, send, sync},
};
use serde_json::{Value, json};

/// A sync with a filter; `before` is the answer to go on from.
async fn filtered(
    server: &TestServer,
    user: &User,
    filter: &Value,
    before: Option<&Value>,
) -> Value {
    let filter = filter.to_string();
    let filter: String = url::form_urlencoded::byte_serialize(filter.as_bytes()).collect();
    let since = before.map(|before| before["next_batch"].as_str().unwrap());
    let since = since.map(|since| format!("&since={since}")).unwrap_or_default();
    sync(server, user, &format!("filter={filter}{since}")).await
}

/// Sends an event of any type with any content.
async fn tell(
    server: &TestServer,
    user: &User,
    room_id: &str,
    kind: &str,
    content: Value,
) -> String {
    let txn_id = format!("{kind}-{}", content.to_string().len());
    let path = format!("/_matrix/client/v3/rooms/{}/send/{kind}/{txn_id}", encoded(room_id));
    let (status, answer) = server.put(&path, &user.token, content).await;
    assert_eq!(status, 200, "{answer}");
    answer["event_id"].as_str().unwrap().to_owned()
}

async fn set_topic(server: &TestServer, user: &User, room_id: &str, topic: &str) {
    let path = format!("/_matrix/client/v3/rooms/{}/state/m.room.topic", encoded(room_id));
    let (status, answer) = server.put(&path, &user.token, json!({ "topic": topic })).await;
    assert_eq!(status, 200, "{answer}");
}

async fn set_data(server: &TestServer, user: &User, room_id: &str, kind: &str, content: Value) {
    let (user_id, room_id) = (encoded(&user.user_id), encoded(room_id));
    let path = format!("/_matrix/client/v3/user/{user_id}/rooms/{room_id}/account_data/{kind}");
    assert_eq!(server.put(&path, &user.token, content).await.0, 200);
}

async fn set_typing(server: &TestServer, user: &User, room_id: &str, typing: bool) {
    let (user_id, room_id) = (encoded(&user.user_id), encoded(room_id));
    let path = format!("/_matrix/client/v3/rooms/{room_id}/typing/{user_id}");
    let body = json!({ "typing": typing, "timeout": 30_000 });
    assert_eq!(server.put(&path, &user.token, body).await.0, 200);
}

fn list(events: &Value) -> &[Value] {
    events.as_array().map(Vec::as_slice).unwrap_or_default()
}

fn types(part: &Value) -> Vec<&str> {
    list(&part["events"]).iter().filter_map(|event| event["type"].as_str()).collect()
}

fn bodies(room: &Value) -> Vec<&str> {
    let events = list(&room["timeline"]["events"]).iter();
    events.filter_map(|event| event["content"]["body"].as_str()).collect()
}

/// The keys of an object, sorted.
fn keys(event: &Value) -> Vec<&str> {
    let mut keys: Vec<&str> = event.as_object().unwrap().keys().map(String::as_str).collect();
    keys.sort_unstable();
    keys
}

#[tokio::test]
async fn only_the_fields_that_are_asked_for_are_told_with_dots_and_backslashes_in_their_names() {
    let server = TestServer::start().await;
    let (alice, bob) = (server.register("alice").await, server.register("bob").await);
    let room_id = room(&server, &alice, &[&bob]).await;
    let content = json!({
        "msgtype": "m.text", "body": "hello", r"back\slash": 3,
        "org.own": { "inner": { "deep": 1, "other": 2 }, "outer": 5 },
    });
    tell(&server, &alice, &room_id, "m.room.message", content).await;
    let filter = json!({
        "event_fields": [
            "type", "content.body", r"content.org\.own.inner.deep", r"content.back\\slash", "content.none",
        ],
        "room": { "timeline": { "limit": 1 } },
    });
    let answer = filtered(&server, &bob, &filter, None).await;
    let room = &answer["rooms"]["join"][&room_id];
    let expected = json!({
        "type": "m.room.message",
        "content": { "body": "hello", "org.own": { "inner": { "deep": 1 } }, r"back\slash": 3 },
    });
    assert_eq!(room["timeline"]["events"], json!([expected]), "{room}");
    assert!(list(&room["state"]["events"]).len() > 3, "{room}");
    for event in list(&room["state"]["events"]) {
        assert_eq!(keys(event), ["type"], "no state has a body: {event}");
    }
}

#[tokio::test]
async fn a_whole_field_counts_more_than_a_part_of_it_and_no_field_leaves_an_empty_event() {
    let server = TestServer::start().await;
    let alice = server.register("alice").await;
    let room_id = room(&server, &alice, &[]).await;
    let event_id = send(&server, &alice, &room_id, "hello").await;
    let part = json!({ "timeline": { "limit": 1 } });
    for (fields, expected) in [
        (
            json!(["content.body", "content"]),
            json!({ "content": { "msgtype": "m.text", "body": "hello" } }),
        ),
        (
            json!(["content", "content.body"]),
            json!({ "content": { "msgtype": "m.text", "body": "hello" } }),
        ),
        (json!(["event_id", "sender.name"]), json!({ "event_id": event_id })),
        (json!(["content.nothing"]), json!({})),
    ] {
        let filter = json!({ "event_fields": fields, "room": part });
        let answer = filtered(&server, &alice, &filter, None).await;
        let told = &answer["rooms"]["join"][&room_id]["timeline"]["events"][0];
        assert_eq!(*told, expected, "{fields}");
    }
    let filter = json!({ "event_fields": [], "room": part });
    let answer = filtered(&server, &alice, &filter, None).await;
    let told = &answer["rooms"]["join"][&room_id]["timeline"]["events"][0];
    assert_eq!(told["event_id"], event_id.as_str(), "an empty list is as none: {told}");
}

#[tokio::test]
async fn fields_are_chosen_in_state_after_and_in_rooms_left_but_typing_receipts_and_data_stay_whole()
 {
    let server = TestServer::start().await;
    let (alice, bob) = (server.register("alice").await, server.register("bob").await);
    let room_id = room(&server, &alice, &[&bob]).await;
    set_data(&server, &bob, &room_id, "org.example.data", json!({ "own": 1 })).await;
    set_typing(&server, &alice, &room_id, true).await;
    let filter = json!({ "event_fields": ["type"], "room": { "timeline": { "limit": 1 } } });
    let path = format!("/_matrix/client/v3/user/{}/filter", encoded(&bob.user_id));
    let (_, stored) = server.post(&path, &bob.token, filter).await;
    let query = format!("use_state_after=true&filter={}", stored["filter_id"].as_str().unwrap());
    let first = sync(&server, &bob, &query).await;
    let room = &first["rooms"]["join"][&room_id];
    let told = [&room["timeline"]["events"], &room["state_after"]["events"]];
    assert!(told.iter().all(|events| !list(events).is_empty()), "{room}");
    for event in told.into_iter().flat_map(list) {
        assert_eq!(keys(event), ["type"], "{event}");
    }
    assert_eq!(room["account_data"]["events"][0]["content"], json!({ "own": 1 }), "{room}");
    let typing = &room["ephemeral"]["events"][0];
    assert_eq!(typing["content"]["user_ids"], json!([alice.user_id]), "{room}");

    act(&server, &bob, &room_id, "leave", json!({})).await;
    let since = first["next_batch"].as_str().unwrap();
    let second = sync(&server, &bob, &format!("{query}&since={since}")).await;
    let left = &second["rooms"]["leave"][&room_id]["timeline"]["events"];
    assert_eq!(*left, json!([{ "type": "m.room.member" }]), "{second}");
}

#[tokio::test]
async fn the_federation_format_tells_events_as_servers_send_them_and_redacted_ones_pruned() {
    let server = TestServer::start().await;
    let (alice, bob) = (server.register("alice").await, server.register("bob").await);
    let room_id = room(&server, &alice, &[&bob]).await;
    let event_id = send(&server, &alice, &room_id, "taken back").await;
    let room = encoded(&room_id);
    let path = format!("/_matrix/client/v3/rooms/{room}/redact/{}/r1", encoded(&event_id));
    assert_eq!(server.put(&path, &alice.token, json!({})).await.0, 200);
    send(&server, &alice, &room_id, "kept").await;
    let filter = json!({ "event_format": "federation", "room": { "timeline": { "limit": 3 } } });
    let answer = filtered(&server, &bob, &filter, None).await;
    let room = &answer["rooms"]["join"][&room_id];
    let told = [&room["timeline"]["events"], &room["state"]["events"]];
    assert!(told.iter().all(|events| list(events).len() > 2), "{room}");
    for event in told.into_iter().flat_map(list) {
        for key in ["auth_events", "prev_events", "depth", "hashes", "signatures"] {
            assert!(!event[key].is_null(), "{key}: {event}");
        }
        assert!(event["event_id"].is_null() && event["unsigned"].is_null(), "{event}");
    }
    let timeline = list(&room["timeline"]["events"]);
    assert_eq!(timeline[0]["content"], json!({}), "{room}");
    assert_eq!(timeline[1]["type"], "m.room.redaction", "{room}");
    assert_eq!(timeline[2]["content"]["body"], "kept", "{room}");
    assert_eq!(timeline[2]["room_id"], room_id.as_str(), "{room}");

    let filter = json!({
        "event_format": "federation", "event_fields": ["depth", "content.body"],
        "room": { "timeline": { "limit": 1 } },
    });
    let answer = filtered(&server, &bob, &filter, None).await;
    let told = &answer["rooms"]["join"][&room_id]["timeline"]["events"][0];
    assert_eq!(keys(told), ["content", "depth"], "{told}");

    let filter = json!({ "event_format": "client", "room": { "timeline": { "limit": 1 } } });
    let answer = filtered(&server, &bob, &filter, None).await;
    let told = &answer["rooms"]["join"][&room_id]["timeline"]["events"][0];
    assert!(told["depth"].is_null() && told["event_id"].is_string(), "{told}");
}

#[tokio::test]
async fn what_an_invitation_shows_is_the_same_in_both_formats_and_with_any_fields() {
    let server = TestServer::start().await;
    let (alice, bob) = (server.register("alice").await, server.register("bob").await);
    let room_id = room(&server, &alice, &[]).await;
    act(&server, &alice, &room_id, "invite", json!({ "user_id": bob.user_id })).await;
    let usual = sync(&server, &bob, "").await;
    let usual = &usual["rooms"]["invite"][&room_id];
    assert!(types(&usual["invite_state"]).contains(&"m.room.member"), "{usual}");
    let filter = json!({ "event_format": "federation", "event_fields": ["type"] });
    let raw = filtered(&server, &bob, &filter, None).await;
    assert_eq!(raw["rooms"]["invite"][&room_id], *usual);
}

#[tokio::test]
async fn who_turns_an_invitation_down_is_told_so_as_far_as_the_timelines_filter_goes() {
    let server = TestServer::start().await;
    let (alice, bob) = (server.register("alice").await, server.register("bob").await);
    let room_id = room(&server, &alice, &[]).await;
    act(&server, &alice, &room_id, "invite", json!({ "user_id": bob.user_id })).await;
    let invited = sync(&server, &bob, "").await;
    act(&server, &bob, &room_id, "leave", json!({})).await;
    for (filter, count) in [
        (json!({}), 1),
        (json!({ "room": { "timeline": { "not_types": ["m.room.member"] } } }), 0),
        (json!({ "room": { "timeline": { "senders": [bob.user_id] } } }), 1),
        (json!({ "room": { "timeline": { "not_rooms": [room_id] } } }), 0),
    ] {
        let answer = filtered(&server, &bob, &filter, Some(&invited)).await;
        let left = &answer["rooms"]["leave"][&room_id];
        assert_eq!(types(&left["timeline"]).len(), count, "{filter}: {answer}");
    }
    let filter = json!({ "event_format": "federation" });
    let answer = filtered(&server, &bob, &filter, Some(&invited)).await;
    let going = &answer["rooms"]["leave"][&room_id]["timeline"]["events"][0];
    assert!(going["signatures"].is_object() && going["event_id"].is_null(), "{answer}");
}

#[tokio::test]
async fn senders_say_whose_events_are_told_and_not_senders_count_more() {
    let server = TestServer::start().await;
    let (alice, bob) = (server.register("alice").await, server.register("bob").await);
    let room_id = room(&server, &alice, &[&bob]).await;
    send(&server, &alice, &room_id, "of alice").await;
    send(&server, &bob, &room_id, "of bob").await;
    let (a, b) = (&alice.user_id, &bob.user_id);
    for (wanted, expected) in [
        (json!({ "senders": [a] }), vec!["of alice"]),
        (json!({ "not_senders": [a] }), vec!["of bob"]),
        (json!({ "senders": [a, b], "not_senders": [b] }), vec!["of alice"]),
        (json!({ "senders": [] }), vec![]),
        (json!({ "not_senders": [] }), vec!["of alice", "of bob"]),
    ] {
        let filter = json!({ "room": { "timeline": wanted } });
        let answer = filtered(&server, &bob, &filter, None).await;
        assert_eq!(bodies(&answer["rooms"]["join"][&room_id]), expected, "{wanted}");
    }
    let filter = json!({ "room": { "timeline": { "limit": 1 }, "state": { "senders": [b] } } });
    let answer = filtered(&server, &bob, &filter, None).await;
    let state = list(&answer["rooms"]["join"][&room_id]["state"]["events"]);
    assert_eq!(state.len(), 1, "{answer}");
    assert_eq!(state[0]["state_key"], bob.user_id.as_str(), "{answer}");
}

#[tokio::test]
async fn what_nobody_sent_is_of_none_of_the_senders_that_a_filter_names() {
    let server = TestServer::start().await;
    let (alice, bob) = (server.register("alice").await, server.register("bob").await);
    let room_id = room(&server, &alice, &[&bob]).await;
    set_data(&server, &bob, &room_id, "org.example.data", json!({ "own": 1 })).await;
    set_typing(&server, &alice, &room_id, true).await;
    let part = json!({ "senders": [alice.user_id] });
    let filter =
        json!({ "account_data": part, "room": { "ephemeral": part, "account_data": part } });
    let answer = filtered(&server, &bob, &filter, None).await;
    let room = &answer["rooms"]["join"][&room_id];
    assert!(room["ephemeral"].is_null() && room["account_data"].is_null(), "{room}");
    assert!(answer["account_data"].is_null(), "{answer}");
}

#[tokio::test]
async fn rooms_say_of_which_rooms_is_told_and_in_a_part_of_which_that_part_is() {
    let server = TestServer::start().await;
    let (alice, bob) = (server.register("alice").await, server.register("bob").await);
    let one = room(&server, &alice, &[&bob]).await;
    let other = room(&server, &alice, &[&bob]).await;
    for (wanted, expected) in [
        (json!({ "rooms": [one] }), vec![&one]),
        (json!({ "not_rooms": [one] }), vec![&other]),
        (json!({ "rooms": [one, other], "not_rooms": [other] }), vec![&one]),
        (json!({ "rooms": [] }), vec![]),
    ] {
        let answer = filtered(&server, &bob, &json!({ "room": wanted }), None).await;
        let joined = answer["rooms"]["join"].as_object();
        let told: Vec<&String> = joined.map(|rooms| rooms.keys().collect()).unwrap_or_default();
        assert_eq!(told, expected, "{wanted}");
    }
    for room_id in [&one, &other] {
        send(&server, &alice, room_id, "hello").await;
        set_data(&server, &bob, room_id, "org.example.data", json!({ "own": 1 })).await;
        set_typing(&server, &alice, room_id, true).await;
    }
    let part = json!({ "not_rooms": [other] });
    let filter = json!({ "room": {
        "timeline": part, "state": part, "ephemeral": part, "account_data": part,
    } });
    let answer = filtered(&server, &bob, &filter, None).await;
    let (told, hidden) = (&answer["rooms"]["join"][&one], &answer["rooms"]["join"][&other]);
    assert_eq!(bodies(told), ["hello"], "{told}");
    for part in ["timeline", "ephemeral", "account_data"] {
        assert!(!types(&told[part]).is_empty(), "{part}: {told}");
        assert!(types(&hidden[part]).is_empty(), "{part}: {hidden}");
    }
    assert!(hidden["state"].is_null(), "{hidden}");
}

#[tokio::test]
async fn contains_url_takes_the_events_whose_content_has_a_url_or_all_others() {
    let server = TestServer::start().await;
    let (alice, bob) = (server.register("alice").await, server.register("bob").await);
    let room_id = room(&server, &alice, &[&bob]).await;
    send(&server, &alice, &room_id, "text").await;
    let content = json!({ "msgtype": "m.file", "body": "file", "url": "mxc://example.org/abc" });
    tell(&server, &alice, &room_id, "m.room.message", content).await;
    let content =
        json!({ "msgtype": "m.text", "body": "deep", "info": { "url": "mxc://example.org/a" } });
    tell(&server, &alice, &room_id, "m.room.message", content).await;
    set_data(&server, &bob, &room_id, "org.example.data", json!({ "url": "here" })).await;
    set_data(&server, &bob, &room_id, "org.example.more", json!({ "own": 1 })).await;
    set_typing(&server, &alice, &room_id, true).await;
    for (contains_url, told, data) in [
        (true, vec!["file"], "org.example.data"),
        (false, vec!["text", "deep"], "org.example.more"),
    ] {
        let part = json!({ "contains_url": contains_url });
        let filter =
            json!({ "room": { "timeline": part, "account_data": part, "ephemeral": part } });
        let answer = filtered(&server, &bob, &filter, None).await;
        let room = &answer["rooms"]["join"][&room_id];
        assert_eq!(bodies(room), told, "{part}");
        assert_eq!(types(&room["account_data"]), [data], "{part}");
        assert_eq!(room["ephemeral"].is_null(), contains_url, "{room}");
    }
}

#[tokio::test]
async fn types_may_have_stars_anywhere_and_not_types_count_more() {
    let server = TestServer::start().await;
    let (alice, bob) = (server.register("alice").await, server.register("bob").await);
    let room_id = room(&server, &alice, &[&bob]).await;
    tell(&server, &alice, &room_id, "org.example.one", json!({ "body": "one" })).await;
    tell(&server, &alice, &room_id, "org.example.two", json!({ "body": "two" })).await;
    tell(&server, &alice, &room_id, "net.example.one", json!({ "body": "net" })).await;
    let many_stars = format!("{}x", "*e".repeat(60));
    for (wanted, expected) in [
        (json!({ "types": ["org.*"] }), vec!["one", "two"]),
        (json!({ "types": ["*.one"] }), vec!["one", "net"]),
        (json!({ "types": ["*.example.*"], "not_types": ["net*"] }), vec!["one", "two"]),
        (json!({ "types": ["o*e*two"] }), vec!["two"]),
        (json!({ "types": ["org.example"] }), vec![]),
        (json!({ "types": [many_stars] }), vec![]),
        (json!({ "not_types": ["m.*", "org.example.one"] }), vec!["two", "net"]),
        (json!({ "types": [] }), vec![]),
        (json!({ "not_types": ["*"] }), vec![]),
    ] {
        let filter = json!({ "room": { "timeline": wanted } });
        let answer = filtered(&server, &bob, &filter, None).await;
        let room = &answer["rooms"]["join"][&room_id];
        assert_eq!(bodies(room), expected, "{wanted}");
        if expected.is_empty() {
            assert!(types(&room["timeline"]).is_empty(), "{wanted}: {room}");
        }
    }
}

#[tokio::test]
async fn a_change_that_the_timelines_filter_leaves_out_is_in_the_state() {
    let server = TestServer::start().await;
    let (alice, bob) = (server.register("alice").await, server.register("bob").await);
    let room_id = room(&server, &alice, &[&bob]).await;
    let carol = server.register("carol").await;
    set_topic(&server, &alice, &room_id, "old").await;
    let before = sync(&server, &bob, "").await;
    send(&server, &alice, &room_id, "one").await;
    set_topic(&server, &alice, &room_id, "new").await;
    join(&server, &carol, &room_id).await;
    send(&server, &carol, &room_id, "two").await;
    for (lazy, types, before) in [
        (false, json!(["m.room.message"]), None),
        (true, json!(["m.room.message"]), None),
        (false, json!(["m.room.message"]), Some(&before)),
        (true, json!(["m.room.message"]), Some(&before)),
        (false, json!([]), None),
        (false, json!([]), Some(&before)),
    ] {
        let filter = json!({ "room": {
            "timeline": { "types": types }, "state": { "lazy_load_members": lazy },
        } });
        let answer = filtered(&server, &bob, &filter, before).await;
        let room = &answer["rooms"]["join"][&room_id];
        let told = if types == json!([]) { vec![] } else { vec!["one", "two"] };
        assert_eq!(bodies(room), told, "{filter}");
        let state = list(&room["state"]["events"]);
        let topics = state.iter().filter(|event| event["type"] == "m.room.topic");
        let topics: Vec<&Value> = topics.map(|event| &event["content"]["topic"]).collect();
        assert_eq!(topics, ["new"], "{filter}: {room}");
        let is_carol = |event: &&Value| event["state_key"] == carol.user_id.as_str();
        assert_eq!(state.iter().filter(is_carol).count(), 1, "{filter}: {room}");
    }
}

#[tokio::test]
async fn members_that_a_filter_left_out_are_told_when_another_takes_them() {
    let server = TestServer::start().await;
    let (alice, bob) = (server.register("alice").await, server.register("bob").await);
    let room_id = room(&server, &alice, &[&bob]).await;
    let without = json!({ "room": {
        "timeline": { "limit": 1 },
        "state": { "lazy_load_members": true, "not_types": ["m.room.member"] },
    } });
    send(&server, &alice, &room_id, "one").await;
    let first = filtered(&server, &bob, &without, None).await;
    let state = &first["rooms"]["join"][&room_id]["state"];
    assert!(!types(state).contains(&"m.room.member"), "{state}");
    send(&server, &alice, &room_id, "two").await;
    let with = json!({ "room": { "state": { "lazy_load_members": true } } });
    let second = filtered(&server, &bob, &with, Some(&first)).await;
    let state = &second["rooms"]["join"][&room_id]["state"]["events"];
    assert_eq!(list(state).len(), 1, "{second}");
    assert_eq!(state[0]["state_key"], alice.user_id.as_str(), "{second}");
}

#[tokio::test]
async fn what_a_filter_leaves_out_is_no_news_but_an_own_receipt_is_for_it_changes_the_counts() {
    let server = TestServer::start().await;
    let (alice, bob) = (server.register("alice").await, server.register("bob").await);
    let room_id = room(&server, &alice, &[&bob]).await;
    let event_id = send(&server, &alice, &room_id, "hello").await;
    let filter = json!({ "room": {
        "ephemeral": { "types": [] }, "account_data": { "types": ["org.example.taken"] },
    } });
    let first = filtered(&server, &bob, &filter, None).await;
    set_typing(&server, &alice, &room_id, true).await;
    set_data(&server, &bob, &room_id, "org.example.data", json!({ "own": 1 })).await;
    let receipt = format!(
        "/_matrix/client/v3/rooms/{}/receipt/m.read/{}",
        encoded(&room_id),
        encoded(&event_id)
    );
    assert_eq!(server.post(&receipt, &alice.token, json!({})).await.0, 200);
    let quiet = filtered(&server, &bob, &filter, Some(&first)).await;
    assert!(quiet["rooms"].is_null(), "{quiet}");
    assert_eq!(server.post(&receipt, &bob.token, json!({})).await.0, 200);
    let read = filtered(&server, &bob, &filter, Some(&quiet)).await;
    let room = &read["rooms"]["join"][&room_id];
    assert_eq!(room["unread_notifications"]["notification_count"], 0, "{read}");
    assert!(room["ephemeral"].is_null(), "{read}");
}

#[tokio::test]
async fn rooms_that_were_left_are_told_from_the_beginning_only_to_who_asks_for_them() {
    let server = TestServer::start().await;
    let (alice, bob) = (server.register("alice").await, server.register("bob").await);
    let room_id = room(&server, &alice, &[&bob]).await;
    let joined = sync(&server, &bob, "").await;
    act(&server, &bob, &room_id, "leave", json!({})).await;
    for (filter, before, is_told) in [
        (json!({}), None, false),
        (json!({ "room": { "include_leave": true } }), None, true),
        (json!({ "room": { "include_leave": true, "not_rooms": [room_id] } }), None, false),
        (json!({}), Some(&joined), true),
    ] {
        let answer = filtered(&server, &bob, &filter, before).await;
        let left = &answer["rooms"]["leave"][&room_id];
        assert_eq!(left.is_object(), is_told, "{filter}: {answer}");
    }
}
