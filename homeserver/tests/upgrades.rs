//! Upgrading rooms, through the doors.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "helpers of tests, where a panic is a failure"
)]

mod common;

use common::{
    TestServer, User, assert_refused,
    rooms::{act, encoded, join, room, send, sync},
};
use serde_json::{Value, json};

async fn create(server: &TestServer, user: &User, body: Value) -> String {
    let (status, made) = server.post("/_matrix/client/v3/createRoom", &user.token, body).await;
    assert_eq!(status, 200, "{made}");
    made["room_id"].as_str().unwrap().to_owned()
}

async fn upgrade(server: &TestServer, user: &User, room_id: &str, body: Value) -> String {
    let path = format!("/_matrix/client/v3/rooms/{}/upgrade", encoded(room_id));
    let (status, answer) = server.post(&path, &user.token, body).await;
    assert_eq!(status, 200, "{answer}");
    answer["replacement_room"].as_str().unwrap().to_owned()
}

async fn state(server: &TestServer, user: &User, room_id: &str, slot: &str) -> Value {
    let path = format!("/_matrix/client/v3/rooms/{}/state/{slot}", encoded(room_id));
    server.get(&path, &user.token).await.1
}

#[tokio::test]
async fn a_successor_has_the_rules_and_the_names_and_the_old_room_is_closed() {
    let server = TestServer::start().await;
    let (alice, bob) = (server.register("alice").await, server.register("bob").await);
    let carol = server.register("carol").await;
    for (old_version, new_version) in [("9", "11"), ("11", "12"), ("12", "12")] {
        let alias = format!("tea-{old_version}");
        let old = create(
            &server,
            &alice,
            json!({
                "room_version": old_version, "preset": "public_chat", "visibility": "public", "name": "Tea",
                "topic": "and cake", "room_alias_name": alias,
                "creation_content": { "type": "org.example.parlour", "m.federate": false },
                "initial_state": [
                    { "type": "m.room.history_visibility", "content": { "history_visibility": "invited" } },
                    { "type": "m.room.server_acl", "content": { "allow": ["*"], "deny": ["evil.example.org"] } },
                    { "type": "m.room.pinned_events", "content": { "pinned": ["$nothing"] } },
                ],
            }),
        )
        .await;
        join(&server, &bob, &old).await;
        act(&server, &alice, &old, "ban", json!({ "user_id": carol.user_id })).await;
        let new = upgrade(&server, &alice, &old, json!({ "new_version": new_version })).await;

        let created = state(&server, &alice, &new, "m.room.create").await;
        assert_eq!(created["room_version"], new_version, "{created}");
        assert_eq!(created["predecessor"]["room_id"], old, "{created}");
        let names_event = created["predecessor"]["event_id"].is_string();
        assert_eq!(names_event, new_version != "12", "{created}");
        assert_eq!(created["type"], "org.example.parlour", "{created}");
        assert_eq!(created["m.federate"], false, "{created}");
        for (slot, content) in [
            ("m.room.name", json!({ "name": "Tea" })),
            ("m.room.join_rules", json!({ "join_rule": "public" })),
            ("m.room.history_visibility", json!({ "history_visibility": "invited" })),
            ("m.room.server_acl", json!({ "allow": ["*"], "deny": ["evil.example.org"] })),
            ("m.room.canonical_alias", json!({ "alias": format!("#{alias}:example.org") })),
        ] {
            assert_eq!(state(&server, &alice, &new, slot).await, content, "{old_version} {slot}");
        }
        let topic = state(&server, &alice, &new, "m.room.topic").await;
        assert_eq!(topic["topic"], "and cake", "{topic}");
        let pinned = state(&server, &alice, &new, "m.room.pinned_events").await;
        assert_eq!(pinned["errcode"], "M_NOT_FOUND", "{pinned}");
        let banned = format!("m.room.member/{}", encoded(&carol.user_id));
        let banned = state(&server, &alice, &new, &banned).await;
        assert_eq!(banned["membership"], "ban", "{banned}");

        let tombstone = state(&server, &alice, &old, "m.room.tombstone").await;
        assert_eq!(tombstone["replacement_room"], new, "{tombstone}");
        let levels = state(&server, &alice, &old, "m.room.power_levels").await;
        assert_eq!((&levels["events_default"], &levels["invite"]), (&json!(50), &json!(50)));
        let path = format!("/_matrix/client/v3/rooms/{}/send/m.room.message/1", encoded(&old));
        let message = json!({ "msgtype": "m.text", "body": "still here?" });
        assert_refused(&server.put(&path, &bob.token, message).await, 403, "M_FORBIDDEN");

        let path = format!("/_matrix/client/v3/directory/room/%23{alias}%3Aexample.org");
        assert_eq!(server.get(&path, "").await.1["room_id"], new);
        let (_, listed) = server.get("/_matrix/client/v3/publicRooms", &alice.token).await;
        let listed: Vec<&Value> =
            listed["chunk"].as_array().unwrap().iter().map(|room| &room["room_id"]).collect();
        assert!(listed.contains(&&json!(new)) && !listed.contains(&&json!(old)), "{listed:?}");
        join(&server, &bob, &new).await;
        send(&server, &bob, &new, "here we are").await;
    }
}

#[tokio::test]
async fn creators_of_version_12_have_no_level_and_the_others_keep_theirs() {
    let server = TestServer::start().await;
    let (alice, bob) = (server.register("alice").await, server.register("bob").await);
    let carol = server.register("carol").await;
    let users = json!({ &alice.user_id: 100, &bob.user_id: 100, &carol.user_id: 50 });
    let body = json!({
        "room_version": "9", "preset": "public_chat",
        "power_level_content_override": { "users": users, "kick": "60" },
    });
    let old = create(&server, &alice, body).await;
    join(&server, &bob, &old).await;
    let body = json!({ "new_version": "12", "additional_creators": [alice.user_id] });
    let new = upgrade(&server, &bob, &old, body).await;
    let created = state(&server, &bob, &new, "m.room.create").await;
    assert_eq!(created["additional_creators"], json!([alice.user_id]), "{created}");
    let levels = state(&server, &bob, &new, "m.room.power_levels").await;
    assert_eq!(levels["users"], json!({ &carol.user_id: 50 }), "{levels}");
    assert_eq!(levels["kick"], 60, "levels in quotes become numbers: {levels}");
    join(&server, &alice, &new).await;
    act(&server, &alice, &new, "ban", json!({ "user_id": carol.user_id })).await;
}

#[tokio::test]
async fn who_may_close_a_room_but_not_rule_it_is_no_stronger_in_its_successor() {
    let server = TestServer::start().await;
    let (alice, bob) = (server.register("alice").await, server.register("bob").await);
    let body = json!({
        "room_version": "10", "preset": "public_chat", "name": "Tea",
        "power_level_content_override": {
            "users": { &alice.user_id: 100, &bob.user_id: 50 },
            "events": { "m.room.tombstone": 50, "m.room.power_levels": 100 },
        },
    });
    let old = create(&server, &alice, body).await;
    join(&server, &bob, &old).await;
    let new = upgrade(&server, &bob, &old, json!({ "new_version": "11" })).await;
    let levels = state(&server, &bob, &new, "m.room.power_levels").await;
    assert_eq!(levels["users"], json!({ &alice.user_id: 100, &bob.user_id: 50 }), "{levels}");
    assert_eq!(state(&server, &bob, &new, "m.room.name").await["name"], "Tea");
}

#[tokio::test]
async fn only_who_may_close_the_room_upgrades_it_and_only_to_a_version_there_is() {
    let server = TestServer::start().await;
    let (alice, bob) = (server.register("alice").await, server.register("bob").await);
    let room_id = room(&server, &alice, &[&bob]).await;
    let path = format!("/_matrix/client/v3/rooms/{}/upgrade", encoded(&room_id));
    let to = |version: &str| json!({ "new_version": version });
    assert_refused(&server.post(&path, &bob.token, to("11")).await, 403, "M_FORBIDDEN");
    let unknown = server.post(&path, &alice.token, to("99")).await;
    assert_refused(&unknown, 400, "M_UNSUPPORTED_ROOM_VERSION");
    let carol = server.register("carol").await;
    assert_refused(&server.post(&path, &carol.token, to("11")).await, 403, "M_FORBIDDEN");
    let (_, joined) = server.get("/_matrix/client/v3/joined_rooms", &alice.token).await;
    assert_eq!(joined["joined_rooms"], json!([room_id]), "nothing was made");
}

#[tokio::test]
async fn push_rules_tags_and_direct_chats_follow_who_comes_into_the_successor() {
    let server = TestServer::start().await;
    let (alice, bob) = (server.register("alice").await, server.register("bob").await);
    let old = room(&server, &alice, &[&bob]).await;
    for user in [&alice, &bob] {
        let path = format!("/_matrix/client/v3/pushrules/global/room/{}", encoded(&old));
        let (status, answer) = server.put(&path, &user.token, json!({ "actions": [] })).await;
        assert_eq!(status, 200, "{answer}");
        let own = format!("/_matrix/client/v3/user/{}", encoded(&user.user_id));
        let path = format!("{own}/rooms/{}/tags/m.favourite", encoded(&old));
        server.put(&path, &user.token, json!({ "order": 0.5 })).await;
        let path = format!("{own}/account_data/m.direct");
        server.put(&path, &user.token, json!({ "@carol:example.org": [old] })).await;
    }
    let before = sync(&server, &bob, "").await;
    let new = upgrade(&server, &alice, &old, json!({ "new_version": "12" })).await;
    join(&server, &bob, &new).await;
    for user in [&alice, &bob] {
        let (_, rules) = server.get("/_matrix/client/v3/pushrules/global/", &user.token).await;
        let ids: Vec<&Value> =
            rules["room"].as_array().unwrap().iter().map(|rule| &rule["rule_id"]).collect();
        assert_eq!(ids, [&json!(old), &json!(new)], "{rules}");
        let own = format!("/_matrix/client/v3/user/{}", encoded(&user.user_id));
        let path = format!("{own}/rooms/{}/tags", encoded(&new));
        let (_, tags) = server.get(&path, &user.token).await;
        assert_eq!(tags["tags"]["m.favourite"]["order"], 0.5, "{tags}");
        let path = format!("{own}/account_data/m.direct");
        let (_, direct) = server.get(&path, &user.token).await;
        assert_eq!(direct, json!({ "@carol:example.org": [old, new] }));
    }
    let since = before["next_batch"].as_str().unwrap();
    let after = sync(&server, &bob, &format!("since={since}")).await;
    let told = after["account_data"]["events"].as_array().unwrap();
    assert!(told.iter().any(|event| event["type"] == "m.push_rules"), "{after}");
}

#[tokio::test]
async fn a_room_that_names_a_stranger_as_its_predecessor_gets_nothing() {
    let server = TestServer::start().await;
    let (alice, bob) = (server.register("alice").await, server.register("bob").await);
    let old = room(&server, &alice, &[]).await;
    let path = format!("/_matrix/client/v3/pushrules/global/room/{}", encoded(&old));
    server.put(&path, &bob.token, json!({ "actions": [] })).await;
    let body = json!({
        "preset": "public_chat", "creation_content": { "predecessor": { "room_id": old } },
    });
    let new = create(&server, &alice, body).await;
    join(&server, &bob, &new).await;
    let (_, rules) = server.get("/_matrix/client/v3/pushrules/global/", &bob.token).await;
    assert_eq!(rules["room"].as_array().unwrap().len(), 1, "{rules}");
}

#[tokio::test]
async fn what_a_client_adds_to_its_join_is_in_the_event_but_not_what_the_server_says() {
    let server = TestServer::start().await;
    let (alice, bob) = (server.register("alice").await, server.register("bob").await);
    let room_id = room(&server, &alice, &[]).await;
    let path = format!("/_matrix/client/v3/join/{}", encoded(&room_id));
    let body = json!({
        "foo": "bar", "reason": "tea", "membership": "ban", "displayname": "Mallory",
        "join_authorised_via_users_server": "unused",
    });
    let (status, answer) = server.post(&path, &bob.token, body).await;
    assert_eq!(status, 200, "{answer}");
    let slot = format!("m.room.member/{}", encoded(&bob.user_id));
    let member = state(&server, &alice, &room_id, &slot).await;
    assert_eq!((&member["foo"], &member["reason"]), (&json!("bar"), &json!("tea")), "{member}");
    assert_eq!(member["membership"], "join", "{member}");
    assert_ne!(member["displayname"], "Mallory", "{member}");
    assert!(member["join_authorised_via_users_server"].is_null(), "{member}");
}
