//! Threads of a room, relations of an event and the list of notifications, through the doors.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "helpers of tests, where a panic is a failure"
)]

mod common;

use common::{
    TestServer, User, assert_refused,
    rooms::{act, encoded, room, send, sync},
};
use serde_json::{Value, json};

async fn pair() -> (TestServer, User, User, String) {
    let server = TestServer::start().await;
    let (alice, bob) = (server.register("alice").await, server.register("bob").await);
    let room_id = room(&server, &alice, &[&bob]).await;
    (server, alice, bob, room_id)
}

/// Sends a message that relates to another; `text` makes it one of its own.
async fn relate(
    server: &TestServer,
    user: &User,
    room_id: &str,
    (rel_type, event): (&str, &str),
    text: &str,
) -> String {
    let (status, answer) = try_relate(server, user, room_id, (rel_type, event), text).await;
    assert_eq!(status, 200, "{answer}");
    answer["event_id"].as_str().unwrap().to_owned()
}

async fn try_relate(
    server: &TestServer,
    user: &User,
    room_id: &str,
    (rel_type, event): (&str, &str),
    text: &str,
) -> common::Answer {
    let path = format!("/_matrix/client/v3/rooms/{}/send/m.room.message/{text}", encoded(room_id));
    let content = json!({
        "msgtype": "m.text", "body": text,
        "m.relates_to": { "rel_type": rel_type, "event_id": event },
    });
    server.put(&path, &user.token, content).await
}

async fn get(server: &TestServer, user: &User, path: &str) -> Value {
    let (status, answer) = server.get(&format!("/_matrix/client{path}"), &user.token).await;
    assert_eq!(status, 200, "{answer}");
    answer
}

fn ids(events: &Value) -> Vec<String> {
    let events = events.as_array().unwrap().iter();
    events.map(|event| event["event_id"].as_str().unwrap().to_owned()).collect()
}

async fn redact(server: &TestServer, user: &User, room_id: &str, event: &str) {
    let path = format!("/_matrix/client/v3/rooms/{}/redact/{}/x", encoded(room_id), encoded(event));
    assert_eq!(server.put(&path, &user.token, json!({})).await.0, 200);
}

#[tokio::test]
async fn threads_are_listed_by_their_last_event_and_page_by_page() {
    let (server, alice, bob, room_id) = pair().await;
    let carol = server.register("carol").await;
    let threads = format!("/v1/rooms/{}/threads", encoded(&room_id));
    assert_refused(
        &server.get(&format!("/_matrix/client{threads}"), &carol.token).await,
        403,
        "M_FORBIDDEN",
    );
    let first = send(&server, &alice, &room_id, "first").await;
    let second = send(&server, &alice, &room_id, "second").await;
    let third = send(&server, &bob, &room_id, "third").await;
    assert_eq!(get(&server, &bob, &threads).await["chunk"], json!([]));
    relate(&server, &alice, &room_id, ("m.thread", &first), "a").await;
    relate(&server, &alice, &room_id, ("m.thread", &second), "b").await;
    let gone = relate(&server, &alice, &room_id, ("m.thread", &third), "c").await;
    let last = relate(&server, &alice, &room_id, ("m.thread", &first), "d").await;

    let all = get(&server, &bob, &threads).await;
    assert_eq!(ids(&all["chunk"]), [first.clone(), third.clone(), second.clone()]);
    assert!(all["next_batch"].is_null(), "{all}");
    let summary = &all["chunk"][0]["unsigned"]["m.relations"]["m.thread"];
    assert_eq!(summary["latest_event"]["event_id"], last);
    assert_eq!(
        (&summary["count"], &summary["current_user_participated"]),
        (&json!(2), &json!(false))
    );

    let mine = get(&server, &bob, &format!("{threads}?include=participated")).await;
    assert_eq!(ids(&mine["chunk"]), std::slice::from_ref(&third), "who began it takes part");
    relate(&server, &bob, &room_id, ("m.thread", &second), "e").await;
    let mine = get(&server, &bob, &format!("{threads}?include=participated")).await;
    assert_eq!(ids(&mine["chunk"]), [second.clone(), third.clone()]);

    let (mut found, mut from) = (Vec::new(), String::new());
    for _ in 0..4 {
        let page = get(&server, &bob, &format!("{threads}?limit=1{from}")).await;
        found.extend(ids(&page["chunk"]));
        let Some(next) = page["next_batch"].as_str() else { break };
        from = format!("&from={next}");
    }
    assert_eq!(found, [second.clone(), first.clone(), third]);
    redact(&server, &alice, &room_id, &gone).await;
    let left = get(&server, &bob, &threads).await;
    assert_eq!(ids(&left["chunk"]), [second, first], "a thread without events is none");
    let nonsense = format!("/_matrix/client{threads}?include=some");
    assert_refused(&server.get(&nonsense, &bob.token).await, 400, "M_INVALID_PARAM");
}

#[tokio::test]
async fn a_thread_begins_at_an_event_that_relates_to_no_other() {
    let (server, alice, _, room_id) = pair().await;
    let root = send(&server, &alice, &room_id, "root").await;
    let reply = relate(&server, &alice, &room_id, ("m.thread", &root), "a").await;
    let nested = try_relate(&server, &alice, &room_id, ("m.thread", &reply), "b").await;
    assert_refused(&nested, 400, "M_INVALID_PARAM");
}

#[tokio::test]
async fn relations_go_both_ways_from_any_token_and_as_deep_as_asked() {
    let (server, alice, bob, room_id) = pair().await;
    let root = send(&server, &alice, &room_id, "root").await;
    let mut children = Vec::new();
    let mut tokens = Vec::new();
    for number in 0..5 {
        let text = format!("child-{number}");
        children.push(relate(&server, &alice, &room_id, ("m.thread", &root), &text).await);
        tokens.push(sync(&server, &bob, "").await["next_batch"].as_str().unwrap().to_owned());
    }
    let path = format!("/v1/rooms/{}/relations/{}", encoded(&room_id), encoded(&root));
    let newest: Vec<String> = children.iter().rev().cloned().collect();
    assert_eq!(ids(&get(&server, &bob, &path).await["chunk"]), newest);
    let forward = get(&server, &bob, &format!("{path}?dir=f&limit=3")).await;
    assert_eq!(ids(&forward["chunk"]), children[..3]);
    let next = forward["next_batch"].as_str().unwrap();
    let rest = get(&server, &bob, &format!("{path}?dir=f&limit=3&from={next}")).await;
    assert_eq!(ids(&rest["chunk"]), children[3..]);
    assert!(rest["next_batch"].is_null(), "{rest}");

    // A sync's token stands behind everything that sync told.
    let before = get(&server, &bob, &format!("{path}?dir=b&from={}", tokens[2])).await;
    assert_eq!(ids(&before["chunk"]), newest[2..]);
    let after = get(&server, &bob, &format!("{path}?dir=f&from={}", tokens[2])).await;
    assert_eq!(ids(&after["chunk"]), children[3..]);
    let between = format!("{path}?dir=f&from={}&to={}", tokens[1], tokens[3]);
    assert_eq!(ids(&get(&server, &bob, &between).await["chunk"]), children[2..4]);

    let reference = relate(&server, &bob, &room_id, ("m.reference", &children[0]), "deep").await;
    assert!(get(&server, &bob, &path).await["recursion_depth"].is_null());
    let deep = get(&server, &bob, &format!("{path}?recurse=true&dir=f")).await;
    assert_eq!(ids(&deep["chunk"]).last(), Some(&reference));
    assert_eq!(deep["recursion_depth"], 3);
    let kind = format!("{path}/m.reference?recurse=true");
    assert_eq!(ids(&get(&server, &bob, &kind).await["chunk"]), [reference]);
    redact(&server, &alice, &room_id, &children[4]).await;
    assert_eq!(ids(&get(&server, &bob, &path).await["chunk"]), newest[1..]);
}

#[tokio::test]
async fn notifications_are_highlights_and_what_is_unread() {
    let (server, alice, bob, room_id) = pair().await;
    let other = room(&server, &alice, &[&bob]).await;
    let mention = json!({
        "msgtype": "m.text", "body": "bob", "m.mentions": { "user_ids": [bob.user_id] },
    });
    let path = format!("/_matrix/client/v3/rooms/{}/send/m.room.message/m", encoded(&room_id));
    let (_, answer) = server.put(&path, &alice.token, mention).await;
    let mention = answer["event_id"].as_str().unwrap().to_owned();
    let plain = send(&server, &alice, &room_id, "plain").await;
    let elsewhere = send(&server, &alice, &other, "elsewhere").await;
    let list = get(&server, &bob, "/v3/notifications").await;
    let events = |list: &Value| {
        let told = list["notifications"].as_array().unwrap().iter();
        told.map(|one| one["event"]["event_id"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(events(&list), [elsewhere.clone(), plain.clone(), mention.clone()]);
    assert_eq!(list["notifications"][0]["room_id"], other);
    assert_eq!(list["notifications"][0]["actions"], json!(["notify"]));
    assert_eq!(list["notifications"][2]["read"], false);
    let first = get(&server, &bob, "/v3/notifications?limit=2").await;
    assert_eq!(events(&first), [elsewhere.clone(), plain.clone()]);
    let next = first["next_token"].as_str().unwrap();
    let rest = get(&server, &bob, &format!("/v3/notifications?from={next}")).await;
    assert_eq!(events(&rest), std::slice::from_ref(&mention));
    assert!(rest["next_token"].is_null(), "{rest}");

    let receipt = format!("receipt/m.read/{}", encoded(&plain));
    act(&server, &bob, &room_id, &receipt, json!({})).await;
    let list = get(&server, &bob, "/v3/notifications").await;
    assert_eq!(events(&list), [elsewhere, mention.clone()], "highlights stay when they are read");
    assert_eq!(list["notifications"][1]["read"], true);
    let list = get(&server, &bob, "/v3/notifications?only=highlight").await;
    assert_eq!(events(&list), [mention]);
    let nonsense = server.get("/_matrix/client/v3/notifications?from=x", &bob.token).await;
    assert_refused(&nonsense, 400, "M_INVALID_PARAM");
}
