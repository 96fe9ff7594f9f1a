//! Spaces and rooms seen from outside, through the doors.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "helpers of tests, where a panic is a failure"
)]

mod common;

use common::{
    TestServer, User, assert_refused,
    rooms::{act, encoded, join},
};
use serde_json::{Value, json};

async fn create(server: &TestServer, user: &User, body: Value) -> String {
    let (status, made) = server.post("/_matrix/client/v3/createRoom", &user.token, body).await;
    assert_eq!(status, 200, "{made}");
    made["room_id"].as_str().unwrap().to_owned()
}

async fn space(server: &TestServer, user: &User, name: &str) -> String {
    let body = json!({
        "preset": "public_chat", "name": name, "creation_content": { "type": "m.space" },
    });
    create(server, user, body).await
}

async fn named(server: &TestServer, user: &User, name: &str) -> String {
    create(server, user, json!({ "preset": "public_chat", "name": name })).await
}

async fn put_child(server: &TestServer, user: &User, space: &str, child: &str, content: Value) {
    let path = format!(
        "/_matrix/client/v3/rooms/{}/state/m.space.child/{}",
        encoded(space),
        encoded(child)
    );
    let (status, answer) = server.put(&path, &user.token, content).await;
    assert_eq!(status, 200, "{answer}");
}

async fn tree(server: &TestServer, user: &User, space: &str, query: &str) -> Value {
    let path = format!("/_matrix/client/v1/rooms/{}/hierarchy?{query}", encoded(space));
    let (status, answer) = server.get(&path, &user.token).await;
    assert_eq!(status, 200, "{answer}");
    answer
}

fn names(page: &Value) -> Vec<&str> {
    page["rooms"].as_array().unwrap().iter().filter_map(|room| room["name"].as_str()).collect()
}

/// top ─ b, a ─ (a1, a2, top again), c (suggested).
async fn forest(server: &TestServer, alice: &User) -> String {
    let via = json!(["example.org"]);
    let top = space(server, alice, "top").await;
    let a = space(server, alice, "a").await;
    for (parent, child, content) in [
        (&top, &a, json!({ "via": via, "order": "2" })),
        (&top, &named(server, alice, "b").await, json!({ "via": via, "order": "1" })),
        (&top, &named(server, alice, "c").await, json!({ "via": via, "suggested": true })),
        (&top, &named(server, alice, "no longer").await, json!({})),
        (&a, &named(server, alice, "a1").await, json!({ "via": via })),
        (&a, &top, json!({ "via": via })),
    ] {
        put_child(server, alice, parent, child, content).await;
    }
    put_child(server, alice, &a, &named(server, alice, "a2").await, json!({ "via": via })).await;
    top
}

#[tokio::test]
async fn a_tree_is_told_depth_first_and_every_room_once() {
    let server = TestServer::start().await;
    let alice = server.register("alice").await;
    let top = forest(&server, &alice).await;
    let whole = tree(&server, &alice, &top, "").await;
    assert_eq!(names(&whole), ["top", "b", "a", "a1", "a2", "c"], "{whole}");
    assert!(whole["next_batch"].is_null(), "{whole}");
    let first = &whole["rooms"][0];
    assert_eq!(first["room_type"], "m.space", "{first}");
    assert_eq!(first["children_state"].as_array().unwrap().len(), 3, "{first}");
    let child = &first["children_state"][0];
    assert_eq!(child["type"], "m.space.child", "{child}");
    assert!(child["origin_server_ts"].is_u64(), "{child}");
    assert_eq!(whole["rooms"][1]["children_state"], json!([]));
    assert_eq!(whole["rooms"][1]["join_rule"], "public");

    assert_eq!(names(&tree(&server, &alice, &top, "max_depth=1").await), ["top", "b", "a", "c"]);
    assert_eq!(names(&tree(&server, &alice, &top, "max_depth=0").await), ["top"]);
    assert_eq!(names(&tree(&server, &alice, &top, "suggested_only=true").await), ["top", "c"]);
}

#[tokio::test]
async fn a_tree_comes_in_pages_whose_tokens_are_for_one_question() {
    let server = TestServer::start().await;
    let (alice, bob) = (server.register("alice").await, server.register("bob").await);
    let top = forest(&server, &alice).await;
    let mut told = Vec::new();
    let mut query = "limit=2".to_owned();
    for _ in 0..3 {
        let page = tree(&server, &alice, &top, &query).await;
        told.extend(names(&page).into_iter().map(ToOwned::to_owned));
        let Some(next) = page["next_batch"].as_str() else { break };
        let again = tree(&server, &alice, &top, &format!("limit=2&from={next}")).await;
        assert_eq!(
            tree(&server, &alice, &top, &format!("limit=2&from={next}")).await["rooms"],
            again["rooms"],
            "a token can be used again"
        );
        let path = format!(
            "/_matrix/client/v1/rooms/{}/hierarchy?from={next}&suggested_only=true",
            encoded(&top)
        );
        assert_refused(&server.get(&path, &alice.token).await, 400, "M_INVALID_PARAM");
        let path = format!("/_matrix/client/v1/rooms/{}/hierarchy?from={next}", encoded(&top));
        assert_refused(&server.get(&path, &bob.token).await, 400, "M_INVALID_PARAM");
        query = format!("limit=2&from={next}");
    }
    assert_eq!(told, ["top", "b", "a", "a1", "a2", "c"]);
}

#[tokio::test]
async fn a_room_shows_itself_to_members_invited_people_and_those_who_may_join() {
    let server = TestServer::start().await;
    let (alice, bob) = (server.register("alice").await, server.register("bob").await);
    let top = space(&server, &alice, "top").await;
    let via = json!(["example.org"]);
    let rules = |rule: Value| json!([{ "type": "m.room.join_rules", "content": rule }]);
    let allow = json!([{ "type": "m.room_membership", "room_id": top }]);
    let restricted = json!({ "join_rule": "restricted", "allow": allow });
    let mut made = Vec::new();
    for (name, initial) in [
        ("invited", rules(json!({ "join_rule": "invite" }))),
        ("private", rules(json!({ "join_rule": "invite" }))),
        ("restricted", rules(restricted)),
        ("knock", rules(json!({ "join_rule": "knock" }))),
        (
            "readable",
            json!([{ "type": "m.room.history_visibility", "content": { "history_visibility": "world_readable" } }]),
        ),
    ] {
        let body = json!({ "preset": "private_chat", "name": name, "initial_state": initial });
        let room_id = create(&server, &alice, body).await;
        let order = format!("{}", made.len());
        put_child(&server, &alice, &top, &room_id, json!({ "via": via, "order": order })).await;
        made.push(room_id);
    }
    act(&server, &alice, &made[0], "invite", json!({ "user_id": bob.user_id })).await;
    let page = tree(&server, &bob, &top, "").await;
    assert_eq!(names(&page), ["top", "invited", "knock", "readable"], "{page}");
    join(&server, &bob, &top).await;
    let page = tree(&server, &bob, &top, "").await;
    assert_eq!(names(&page), ["top", "invited", "restricted", "knock", "readable"], "{page}");
    assert_eq!(page["rooms"][2]["allowed_room_ids"], json!([top]), "{page}");

    let path = |room_id: &str| format!("/_matrix/client/v1/rooms/{}/hierarchy", encoded(room_id));
    assert_refused(&server.get(&path(&made[1]), &bob.token).await, 403, "M_FORBIDDEN");
    assert_refused(&server.get(&path("!none:example.org"), &bob.token).await, 403, "M_FORBIDDEN");
}

#[tokio::test]
async fn a_summary_says_what_a_room_shows_and_the_askers_standing() {
    let server = TestServer::start().await;
    let (alice, bob) = (server.register("alice").await, server.register("bob").await);
    let body = json!({
        "preset": "public_chat", "name": "Tea", "topic": "and cake", "room_alias_name": "tea",
    });
    let open = create(&server, &alice, body).await;
    let closed = create(&server, &alice, json!({ "preset": "private_chat" })).await;
    let path = |id: &str| format!("/_matrix/client/v1/room_summary/{}", encoded(id));
    for id in [&*open, "%23tea:example.org"] {
        let (status, shown) = server.get(&path(id), &bob.token).await;
        assert_eq!(status, 200, "{shown}");
        let wanted = json!({
            "room_id": open, "name": "Tea", "topic": "and cake", "join_rule": "public",
            "canonical_alias": "#tea:example.org", "num_joined_members": 1, "world_readable": false,
            "guest_can_join": false, "room_version": "12", "membership": "leave",
        });
        assert_eq!(shown, wanted);
    }
    let (status, shown) = server.get(&path(&open), "").await;
    assert_eq!((status.as_u16(), &shown["membership"]), (200, &Value::Null), "{shown}");
    let (_, own) = server.get(&path(&closed), &alice.token).await;
    assert_eq!((&own["membership"], &own["join_rule"]), (&json!("join"), &json!("invite")));
    assert_refused(&server.get(&path(&closed), &bob.token).await, 404, "M_NOT_FOUND");
    assert_refused(&server.get(&path(&closed), "").await, 404, "M_NOT_FOUND");
    assert_refused(&server.get(&path("!none:example.org"), "").await, 404, "M_NOT_FOUND");
    let path =
        format!("/_matrix/client/unstable/im.nheko.summary/rooms/{}/summary", encoded(&open));
    assert_eq!(server.get(&path, &bob.token).await.1["name"], "Tea");
}
