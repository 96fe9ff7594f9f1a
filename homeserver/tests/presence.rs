//! Who is there, through the doors.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "helpers of tests, where a panic is a failure"
)]

mod common;

use common::{
    TestServer, User, assert_refused,
    rooms::{encoded, join, room, sync},
};
use serde_json::{Value, json};

fn path(user: &User) -> String {
    format!("/_matrix/client/v3/presence/{}/status", encoded(&user.user_id))
}

async fn say(server: &TestServer, user: &User, body: Value) {
    let (status, answer) = server.put(&path(user), &user.token, body).await;
    assert_eq!(status, 200, "{answer}");
}

async fn since(server: &TestServer, user: &User, before: &Value) -> Value {
    let since = before["next_batch"].as_str().unwrap();
    sync(server, user, &format!("since={since}&set_presence=offline")).await
}

fn told(answer: &Value) -> Vec<(&str, &str)> {
    let events = answer["presence"]["events"].as_array().map(Vec::as_slice).unwrap_or_default();
    events
        .iter()
        .map(|event| {
            (event["sender"].as_str().unwrap(), event["content"]["presence"].as_str().unwrap())
        })
        .collect()
}

#[tokio::test]
async fn a_status_is_told_to_who_shares_a_room_once_and_kept_from_strangers() {
    let server = TestServer::start().await;
    let (alice, bob) = (server.register("alice").await, server.register("bob").await);
    let carol = server.register("carol").await;
    room(&server, &alice, &[&bob]).await;
    let (bobs, carols) = (
        sync(&server, &bob, "set_presence=offline").await,
        sync(&server, &carol, "set_presence=offline").await,
    );
    say(&server, &alice, json!({ "presence": "online", "status_msg": "at tea" })).await;
    let after = since(&server, &bob, &bobs).await;
    assert_eq!(told(&after), [(&*alice.user_id, "online")], "{after}");
    let event = &after["presence"]["events"][0];
    assert_eq!(event["type"], "m.presence", "{event}");
    assert_eq!(event["content"]["status_msg"], "at tea", "{event}");
    assert_eq!(event["content"]["currently_active"], true, "{event}");
    assert!(event["content"]["last_active_ago"].is_u64(), "{event}");
    assert!(told(&since(&server, &bob, &after).await).is_empty());
    assert!(told(&since(&server, &carol, &carols).await).is_empty());
    assert_eq!(told(&sync(&server, &bob, "").await), [(&*alice.user_id, "online")]);

    let (_, shown) = server.get(&path(&alice), &bob.token).await;
    assert_eq!((&shown["presence"], &shown["status_msg"]), (&json!("online"), &json!("at tea")));
    assert_refused(&server.get(&path(&alice), &carol.token).await, 403, "M_FORBIDDEN");
    let (status, own) = server.get(&path(&carol), &carol.token).await;
    assert_eq!((status.as_u16(), own), (200, json!({ "presence": "offline" })));
    let not_own = server.put(&path(&alice), &bob.token, json!({ "presence": "offline" })).await;
    assert_refused(&not_own, 403, "M_FORBIDDEN");
}

#[tokio::test]
async fn a_sync_shows_that_its_user_is_there_unless_it_says_otherwise() {
    let server = TestServer::start().await;
    let (alice, bob) = (server.register("alice").await, server.register("bob").await);
    room(&server, &alice, &[&bob]).await;
    let mut before = sync(&server, &bob, "set_presence=offline").await;
    sync(&server, &alice, "set_presence=offline").await;
    assert!(told(&since(&server, &bob, &before).await).is_empty());
    for (query, status) in [("set_presence=unavailable", "unavailable"), ("", "online")] {
        sync(&server, &alice, query).await;
        before = since(&server, &bob, &before).await;
        assert_eq!(told(&before), [(&*alice.user_id, status)], "{query}");
    }
    let body = json!({ "lists": {}, "room_subscriptions": {}, "set_presence": "unavailable" });
    let (status, answer) = server.post("/_matrix/client/v4/sync", &alice.token, body).await;
    assert_eq!(status, 200, "{answer}");
    before = since(&server, &bob, &before).await;
    assert_eq!(told(&before), [(&*alice.user_id, "unavailable")], "{before}");
}

#[tokio::test]
async fn a_change_wakes_who_waits() {
    let server = TestServer::start().await;
    let (alice, bob) = (server.register("alice").await, server.register("bob").await);
    room(&server, &alice, &[&bob]).await;
    let before = sync(&server, &bob, "").await;
    let query = format!("timeout=60000&since={}", before["next_batch"].as_str().unwrap());
    let waiting = sync(&server, &bob, &query);
    let saying = say(&server, &alice, json!({ "presence": "unavailable" }));
    let (woken, ()) = tokio::join!(waiting, saying);
    assert_eq!(told(&woken), [(&*alice.user_id, "unavailable")], "{woken}");
}

#[tokio::test]
async fn who_shares_a_room_is_told_and_the_room_is_not_loaded_for_it() {
    let server = TestServer::start().await;
    let (alice, bob) = (server.register("alice").await, server.register("bob").await);
    room(&server, &alice, &[&bob]).await;
    let before = sync(&server, &bob, "set_presence=offline").await;
    let server = server.restarted().await;
    let query = format!(
        "since={}&set_presence=offline&timeout=60000",
        before["next_batch"].as_str().unwrap()
    );
    let alices = json!({ "presence": "online" });
    let (after, ()) = tokio::join!(sync(&server, &bob, &query), say(&server, &alice, alices));
    assert_eq!(told(&after), [(&*alice.user_id, "online")], "{after}");
    assert_eq!(server.engine.rooms_in_memory().0, 0);
}

#[tokio::test]
async fn who_comes_into_a_room_learns_who_is_there_and_is_shown() {
    let server = TestServer::start().await;
    let (alice, bob) = (server.register("alice").await, server.register("bob").await);
    let room_id = room(&server, &alice, &[]).await;
    let alices = sync(&server, &alice, "").await;
    let bobs = sync(&server, &bob, "").await;
    assert!(told(&bobs).is_empty(), "{bobs}");
    join(&server, &bob, &room_id).await;
    let after = since(&server, &bob, &bobs).await;
    assert_eq!(told(&after), [(&*alice.user_id, "online")], "{after}");
    assert!(told(&since(&server, &bob, &after).await).is_empty());
    let after = since(&server, &alice, &alices).await;
    assert_eq!(told(&after), [(&*bob.user_id, "online")], "{after}");
}

#[tokio::test]
async fn the_filter_says_whose_presence_is_told() {
    let server = TestServer::start().await;
    let (alice, bob) = (server.register("alice").await, server.register("bob").await);
    room(&server, &alice, &[&bob]).await;
    say(&server, &alice, json!({ "presence": "online" })).await;
    for (filter, count) in [
        (json!({ "presence": { "not_types": ["m.presence"] } }), 0),
        (json!({ "presence": { "senders": ["@carol:example.org"] } }), 0),
        (json!({ "presence": { "senders": [alice.user_id] } }), 1),
    ] {
        let filter = filter.to_string();
        let filter: String = url::form_urlencoded::byte_serialize(filter.as_bytes()).collect();
        let answer = sync(&server, &bob, &format!("filter={filter}")).await;
        assert_eq!(told(&answer).len(), count, "{answer}");
    }
}

#[tokio::test]
async fn where_presence_is_switched_off_nobody_is_shown() {
    let server = TestServer::with(|config| config.presence.enabled = false).await;
    let (alice, bob) = (server.register("alice").await, server.register("bob").await);
    room(&server, &alice, &[&bob]).await;
    let said = server.put(&path(&alice), &alice.token, json!({ "presence": "online" })).await;
    assert_refused(&said, 403, "M_FORBIDDEN");
    sync(&server, &alice, "").await;
    assert!(told(&sync(&server, &bob, "").await).is_empty());
    assert_eq!(server.get(&path(&alice), &bob.token).await.1, json!({ "presence": "offline" }));
}

#[tokio::test]
async fn no_other_network_is_bridged_to() {
    let server = TestServer::start().await;
    let alice = server.register("alice").await;
    let third = "/_matrix/client/v3/thirdparty";
    let (status, protocols) = server.get(&format!("{third}/protocols"), &alice.token).await;
    assert_eq!((status.as_u16(), protocols), (200, json!({})));
    for path in [
        "protocol/irc",
        "location?alias=%23tea:example.org",
        "user?userid=%40bob:example.org",
        "location/irc",
        "user/irc",
    ] {
        let answer = server.get(&format!("{third}/{path}"), &alice.token).await;
        assert_refused(&answer, 404, "M_NOT_FOUND");
    }
    assert_refused(&server.get(&format!("{third}/protocols"), "").await, 401, "M_MISSING_TOKEN");
}
