//! Searching what was said, through the doors.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "helpers of tests, where a panic is a failure"
)]

mod common;

use common::{
    TestServer, User, assert_refused,
    backup::{back_up, restored},
    rooms::{act, encoded, join, room, send},
};
use serde_json::{Value, json};

async fn search(server: &TestServer, user: &User, room_events: Value, from: &str) -> Value {
    let body = json!({ "search_categories": { "room_events": room_events } });
    let path = format!("/_matrix/client/v3/search?{from}");
    let (status, answer) = server.post(&path, &user.token, body).await;
    assert_eq!(status, 200, "{answer}");
    answer["search_categories"]["room_events"].clone()
}

fn bodies(found: &Value) -> Vec<&str> {
    let results = found["results"].as_array().unwrap().iter();
    results.filter_map(|found| found["result"]["content"]["body"].as_str()).collect()
}

async fn bodies_of(server: &TestServer, user: &User, term: &str) -> Vec<String> {
    let found =
        search(server, user, json!({ "search_term": term, "order_by": "recent" }), "").await;
    bodies(&found).into_iter().map(ToOwned::to_owned).collect()
}

#[tokio::test]
async fn what_was_said_is_found_by_all_its_words_in_any_case() {
    let server = TestServer::start().await;
    let alice = server.register("alice").await;
    let room_id = room(&server, &alice, &[]).await;
    let event_id = send(&server, &alice, &room_id, "Hello, WORLD: don't panic").await;
    send(&server, &alice, &room_id, "hello there").await;
    for term in ["hello world", "PANIC", "don't", "world, hello!"] {
        assert_eq!(bodies_of(&server, &alice, term).await, ["Hello, WORLD: don't panic"], "{term}");
    }
    for term in ["worl", "hello moon", "", "\" OR body:hello", "hello' | 'moon"] {
        assert!(bodies_of(&server, &alice, term).await.is_empty(), "{term}");
    }
    let found = search(&server, &alice, json!({ "search_term": "hello" }), "").await;
    assert_eq!(found["count"], 2, "{found}");
    assert_eq!(found["highlights"], json!(["hello"]), "{found}");
    let first = search(&server, &alice, json!({ "search_term": "panic" }), "").await;
    let hit = &first["results"][0];
    assert_eq!(hit["result"]["event_id"], event_id, "{hit}");
    assert_eq!(hit["result"]["room_id"], room_id, "{hit}");
    assert!(hit["rank"].is_f64() && hit["context"].is_null(), "{hit}");
}

#[tokio::test]
async fn only_what_the_searcher_may_see_is_found() {
    let server = TestServer::start().await;
    let (alice, bob) = (server.register("alice").await, server.register("bob").await);
    let hidden = json!([{ "type": "m.room.history_visibility", "content": { "history_visibility": "joined" } }]);
    let body = json!({ "preset": "public_chat", "initial_state": hidden });
    let (_, made) = server.post("/_matrix/client/v3/createRoom", &alice.token, body).await;
    let room_id = made["room_id"].as_str().unwrap();
    let elsewhere = room(&server, &alice, &[]).await;
    send(&server, &alice, &elsewhere, "secret elsewhere").await;
    send(&server, &alice, room_id, "secret before").await;
    assert!(bodies_of(&server, &bob, "secret").await.is_empty());
    join(&server, &bob, room_id).await;
    send(&server, &alice, room_id, "secret with bob").await;
    act(&server, &bob, room_id, "leave", json!({})).await;
    send(&server, &alice, room_id, "secret after").await;
    assert_eq!(bodies_of(&server, &bob, "secret").await, ["secret with bob"]);
    assert_eq!(bodies_of(&server, &alice, "secret").await.len(), 4);
}

#[tokio::test]
async fn what_was_redacted_or_is_in_an_encrypted_room_is_not_found() {
    let server = TestServer::start().await;
    let alice = server.register("alice").await;
    let room_id = room(&server, &alice, &[]).await;
    for (indexed_before, text) in [(true, "regrettable one"), (false, "regrettable two")] {
        let event_id = send(&server, &alice, &room_id, text).await;
        if indexed_before {
            assert_eq!(bodies_of(&server, &alice, "regrettable").await, [text]);
        }
        let path = format!(
            "/_matrix/client/v3/rooms/{}/redact/{}/{indexed_before}",
            encoded(&room_id),
            encoded(&event_id)
        );
        server.put(&path, &alice.token, json!({})).await;
        for order in ["recent", "rank"] {
            let asked = json!({ "search_term": "regrettable", "order_by": order });
            let found = search(&server, &alice, asked, "").await;
            assert_eq!((&found["count"], bodies(&found)), (&json!(0), vec![]), "{found}");
        }
    }
    let body = json!({ "preset": "private_chat" });
    let (_, made) = server.post("/_matrix/client/v3/createRoom", &alice.token, body).await;
    send(&server, &alice, made["room_id"].as_str().unwrap(), "regrettable three").await;
    assert!(bodies_of(&server, &alice, "regrettable").await.is_empty());
}

#[tokio::test]
async fn results_come_in_pages_newest_first_or_best_first() {
    let server = TestServer::start().await;
    let alice = server.register("alice").await;
    let room_id = room(&server, &alice, &[]).await;
    for number in 0..7 {
        send(&server, &alice, &room_id, &format!("message {number}")).await;
    }
    send(&server, &alice, &room_id, "message message message").await;
    for (order, first) in
        [("recent", "message message message"), ("rank", "message message message")]
    {
        let mut found = Vec::new();
        let mut from = String::new();
        for _ in 0..6 {
            let asked = json!({
                "search_term": "message", "order_by": order, "filter": { "limit": 3, "rooms": [room_id] },
            });
            let page = search(&server, &alice, asked, &from).await;
            assert_eq!(page["count"], 8, "{page}");
            found.extend(bodies(&page).into_iter().map(ToOwned::to_owned));
            let Some(next) = page["next_batch"].as_str() else { break };
            from = format!("next_batch={next}");
        }
        assert_eq!(found[0], first, "{order}");
        if order == "recent" {
            assert_eq!(found[1..3], ["message 6", "message 5"]);
        }
        found.sort();
        found.dedup();
        assert_eq!(found.len(), 8, "{order}");
    }
    let body = json!({ "search_categories": { "room_events": { "search_term": "message" } } });
    let answer = server.post("/_matrix/client/v3/search?next_batch=x", &alice.token, body).await;
    assert_refused(&answer, 400, "M_INVALID_PARAM");
}

#[tokio::test]
async fn results_have_their_context_their_groups_and_their_rooms_state() {
    let server = TestServer::start().await;
    let (alice, bob) = (server.register("alice").await, server.register("bob").await);
    let path = format!("/_matrix/client/v3/profile/{}/displayname", encoded(&alice.user_id));
    server.put(&path, &alice.token, json!({ "displayname": "Alice A." })).await;
    let room_id = room(&server, &alice, &[&bob]).await;
    let other = room(&server, &bob, &[&alice]).await;
    for number in 1..=7 {
        send(&server, &alice, &room_id, &format!("number {number}")).await;
    }
    send(&server, &bob, &other, "number 4 too").await;
    let asked = json!({
        "search_term": "number 4", "order_by": "recent", "include_state": true,
        "event_context": { "before_limit": 2, "after_limit": 1, "include_profile": true },
        "groupings": { "group_by": [{ "key": "room_id" }, { "key": "sender" }] },
    });
    let found = search(&server, &alice, asked.clone(), "").await;
    assert_eq!(bodies(&found), ["number 4 too", "number 4"], "{found}");
    let context = &found["results"][1]["context"];
    let said = |side: &str| -> Vec<&str> {
        let events = context[side].as_array().unwrap().iter();
        events.filter_map(|event| event["content"]["body"].as_str()).collect()
    };
    assert_eq!(said("events_before"), ["number 3", "number 2"], "{context}");
    assert_eq!(said("events_after"), ["number 5"], "{context}");
    assert_eq!(context["profile_info"][&alice.user_id]["displayname"], "Alice A.", "{context}");
    let before = context["start"].as_str().unwrap();
    let path = format!(
        "/_matrix/client/v3/rooms/{}/messages?dir=b&limit=1&from={before}",
        encoded(&room_id)
    );
    let (_, page) = server.get(&path, &alice.token).await;
    assert_eq!(page["chunk"][0]["content"]["body"], "number 1", "{page}");
    let groups = &found["groups"];
    assert_eq!(groups["room_id"][&other]["order"], 1, "{groups}");
    assert_eq!(
        groups["sender"][&alice.user_id]["results"],
        json!([found["results"][1]["result"]["event_id"]])
    );
    let state = found["state"][&room_id].as_array().unwrap();
    assert!(state.iter().any(|event| event["type"] == "m.room.create"), "{found}");

    let mut filtered = asked;
    filtered["filter"] = json!({ "senders": [bob.user_id] });
    assert_eq!(bodies(&search(&server, &alice, filtered.clone(), "").await), ["number 4 too"]);
    filtered["filter"] = json!({ "not_rooms": [other] });
    assert_eq!(bodies(&search(&server, &alice, filtered, "").await), ["number 4"]);
}

#[tokio::test]
async fn names_and_topics_are_found_by_their_keys() {
    let server = TestServer::start().await;
    let alice = server.register("alice").await;
    let body = json!({ "preset": "public_chat", "name": "Tea party", "topic": "cake and tea" });
    let (_, made) = server.post("/_matrix/client/v3/createRoom", &alice.token, body).await;
    send(&server, &alice, made["room_id"].as_str().unwrap(), "tea is ready").await;
    for (keys, count) in [
        (json!(["content.body"]), 1),
        (json!(["content.name"]), 1),
        (json!(["content.name", "content.topic"]), 2),
        (json!([]), 0),
    ] {
        let asked = json!({ "search_term": "tea", "keys": keys });
        assert_eq!(search(&server, &alice, asked, "").await["count"], count, "{keys}");
    }
    let all = search(&server, &alice, json!({ "search_term": "tea" }), "").await;
    assert_eq!(all["count"], 3, "{all}");
}

#[tokio::test]
async fn an_index_of_a_lost_future_or_one_that_is_damaged_is_made_anew() {
    let server = TestServer::start().await;
    let alice = server.register("alice").await;
    let room_id = room(&server, &alice, &[]).await;
    send(&server, &alice, &room_id, "words that stay").await;
    if !back_up(&server).await {
        return;
    }
    send(&server, &alice, &room_id, "words of a lost future").await;
    let found = bodies_of(&server, &alice, "words").await;
    assert_eq!(found, ["words of a lost future", "words that stay"]);

    let server = restored(server).await;
    assert_eq!(bodies_of(&server, &alice, "words").await, ["words that stay"]);
    // It takes the place of what was lost.
    send(&server, &alice, &room_id, "other words").await;
    assert_eq!(bodies_of(&server, &alice, "words").await, ["other words", "words that stay"]);
    assert!(bodies_of(&server, &alice, "future").await.is_empty());

    let mut server = server;
    for damage in [Damage::Whole, Damage::Behind, Damage::Gone] {
        server.app.db.close().await;
        let index = server.folder().join("tern.db.search");
        for left in ["-wal", "-shm"] {
            std::fs::remove_file(server.folder().join(format!("tern.db.search{left}"))).ok();
        }
        match damage {
            Damage::Whole => std::fs::write(index, "no database at all".repeat(1_000)).unwrap(),
            Damage::Behind => {
                let mut bytes = std::fs::read(&index).unwrap();
                bytes[4_096..].fill(0x5a);
                std::fs::write(index, bytes).unwrap();
            }
            Damage::Gone => std::fs::remove_file(index).unwrap(),
        }
        server = server.restarted().await;
        let found = bodies_of(&server, &alice, "words").await;
        assert_eq!(found, ["other words", "words that stay"]);
    }
}

/// Of the index's file.
enum Damage {
    /// It is no database.
    Whole,
    /// Its first page is sound.
    Behind,
    Gone,
}
