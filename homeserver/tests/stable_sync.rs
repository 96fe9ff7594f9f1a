//! Sliding sync in its stable form, `POST /_matrix/client/v4/sync`: what MSC4186 says beyond the deployed form.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "helpers of tests, where a panic is a failure"
)]

mod common;

use std::time::Duration;

use common::{
    TestServer, User, assert_refused,
    rooms::{act, encoded, join, room, send},
};
use serde_json::{Value, json};

const SYNC: &str = "/_matrix/client/v4/sync";

async fn sync(server: &TestServer, user: &User, body: Value) -> Value {
    let (status, answer) = server.post(SYNC, &user.token, body).await;
    assert_eq!(status, 200, "{answer}");
    answer
}

/// A request for all rooms, `with` other fields, that goes on after `before`.
fn request(before: Option<&Value>, with: Value) -> Value {
    let mut body = json!({ "lists": { "all": list() } });
    if let Some(before) = before {
        body["pos"] = before["pos"].clone();
    }
    for (name, value) in with.as_object().unwrap() {
        body[name] = value.clone();
    }
    body
}

fn list() -> Value {
    json!({
        "timeline_limit": 5, "range": [0, 99],
        "required_state": { "include": [{ "type": "m.room.create", "state_key": "" }] },
    })
}

async fn all(server: &TestServer, user: &User, before: Option<&Value>) -> Value {
    sync(server, user, request(before, json!({}))).await
}

fn bodies(room: &Value) -> Vec<&str> {
    let events = room["timeline"].as_array().map(Vec::as_slice).unwrap_or_default();
    events.iter().filter_map(|event| event["content"]["body"].as_str()).collect()
}

/// Type and state key of each piece of required state, in order.
fn state_of(room: &Value) -> Vec<(&str, &str)> {
    let events = room["required_state"].as_array().map(Vec::as_slice).unwrap_or_default();
    let mut names: Vec<_> = events
        .iter()
        .map(|event| (event["type"].as_str().unwrap(), event["state_key"].as_str().unwrap()))
        .collect();
    names.sort_unstable();
    names
}

async fn set_state(
    server: &TestServer,
    user: &User,
    room_id: &str,
    event_type: &str,
    content: Value,
) {
    let path = format!("/_matrix/client/v3/rooms/{}/state/{event_type}/", encoded(room_id));
    let (status, answer) = server.put(&path, &user.token, content).await;
    assert_eq!(status, 200, "{answer}");
}

#[tokio::test]
async fn a_room_comes_in_the_accepted_shape() {
    let server = TestServer::start().await;
    let (alice, bob) = (server.register("alice").await, server.register("bob").await);
    let room_id = room(&server, &alice, &[&bob]).await;
    send(&server, &alice, &room_id, "one").await;
    let first = all(&server, &bob, None).await;
    let shown = &first["rooms"][&room_id];
    assert_eq!(
        (&shown["membership"], &shown["lists"], &shown["initial"]),
        (&json!("join"), &json!(["all"]), &json!(true)),
        "{shown}"
    );
    assert_eq!((bodies(shown), &shown["num_live"]), (vec!["one"], &json!(0)));
    assert_eq!(state_of(shown), [("m.room.create", "")]);
    assert_eq!(shown["heroes"][0]["user_id"], alice.user_id);
    for absent in ["notification_count", "highlight_count", "is_dm", "unstable_expanded_timeline"] {
        assert!(shown[absent].is_null(), "{absent}: {shown}");
    }
    send(&server, &alice, &room_id, "two").await;
    let second = all(&server, &bob, Some(&first)).await;
    let shown = &second["rooms"][&room_id];
    assert_eq!((bodies(shown), &shown["num_live"]), (vec!["two"], &json!(1)), "{shown}");
    assert!(shown["initial"].is_null() && shown["required_state"].is_null(), "{shown}");
    let third = all(&server, &bob, Some(&second)).await;
    assert!(third["rooms"].is_null(), "{third}");
}

#[tokio::test]
async fn the_same_pos_gets_the_same_again_and_only_on_its_device() {
    let server = TestServer::start().await;
    let (alice, bob) = (server.register("alice").await, server.register("bob").await);
    let other = server.login("bob").await;
    let room_id = room(&server, &alice, &[&bob]).await;
    let first = all(&server, &bob, None).await;
    send(&server, &alice, &room_id, "one").await;
    for _ in 0..2 {
        let again = all(&server, &bob, Some(&first)).await;
        assert_eq!(bodies(&again["rooms"][&room_id]), ["one"], "{again}");
    }
    all(&server, &other, None).await;
    for device in [&other, &alice] {
        let answer = server.post(SYNC, &device.token, request(Some(&first), json!({}))).await;
        assert_refused(&answer, 400, "M_UNKNOWN_POS");
        // Neither does a connection without rooms take it, of which nothing is kept but the pos.
        let roomless = json!({ "pos": first["pos"] });
        let answer = server.post(SYNC, &device.token, roomless).await;
        assert_refused(&answer, 400, "M_UNKNOWN_POS");
    }
    let answer = server.post(SYNC, &bob.token, json!({ "pos": "nonsense" })).await;
    assert_refused(&answer, 400, "M_UNKNOWN_POS");
}

#[tokio::test]
async fn a_waiting_request_is_woken_and_its_timeout_stands_in_the_body() {
    let server = TestServer::start().await;
    let (alice, bob) = (server.register("alice").await, server.register("bob").await);
    let room_id = room(&server, &alice, &[&bob]).await;
    let first = all(&server, &bob, None).await;
    let waiting = sync(&server, &bob, request(Some(&first), json!({ "timeout": 60_000 })));
    let sending = async {
        tokio::task::yield_now().await;
        send(&server, &alice, &room_id, "wake up").await;
    };
    let both = async { tokio::join!(waiting, sending).0 };
    let woken = tokio::time::timeout(Duration::from_secs(20), both).await.unwrap();
    assert_eq!(bodies(&woken["rooms"][&room_id]), ["wake up"], "{woken}");
}

#[tokio::test]
async fn a_pos_is_a_token_for_messages_relations_and_key_changes() {
    let server = TestServer::start().await;
    let (alice, bob) = (server.register("alice").await, server.register("bob").await);
    let room_id = room(&server, &alice, &[&bob]).await;
    let event_id = send(&server, &alice, &room_id, "one").await;
    let first = all(&server, &bob, None).await;
    send(&server, &alice, &room_id, "two").await;
    let pos = first["pos"].as_str().unwrap();
    let room_path = format!("/_matrix/client/v3/rooms/{}", encoded(&room_id));
    let path = format!("{room_path}/messages?dir=b&limit=1&from={pos}");
    let (_, page) = server.get(&path, &bob.token).await;
    assert_eq!(page["chunk"][0]["content"]["body"], "one", "{page}");
    let path = format!(
        "/_matrix/client/v1/rooms/{}/relations/{}?from={pos}",
        encoded(&room_id),
        encoded(&event_id)
    );
    let (status, page) = server.get(&path, &bob.token).await;
    assert_eq!((status.as_u16(), &page["chunk"]), (200, &json!([])), "{page}");
    let path = format!("/_matrix/client/v3/keys/changes?from={pos}&to={pos}");
    let (status, changes) = server.get(&path, &bob.token).await;
    assert_eq!(status, 200, "{changes}");
}

#[tokio::test]
async fn required_state_is_what_is_included_and_not_excluded() {
    let server = TestServer::start().await;
    let (alice, bob) = (server.register("alice").await, server.register("bob").await);
    let room_id = room(&server, &alice, &[&bob]).await;
    let subscribe = |required: Value| json!({ "room_subscriptions": { &room_id: { "timeline_limit": 1, "required_state": required } } });
    let everything = sync(&server, &alice, subscribe(json!({ "include": [{}] }))).await;
    let whole = state_of(&everything["rooms"][&room_id]);
    assert!(
        whole.len() > 5 && whole.contains(&("m.room.member", bob.user_id.as_str())),
        "{whole:?}"
    );
    assert!(everything["rooms"][&room_id]["lists"].is_null(), "only subscribed");
    let but = json!({ "include": [{}], "exclude": [{ "type": "m.room.create" }, { "state_key": bob.user_id }] });
    let some = sync(&server, &alice, subscribe(but)).await;
    let some = state_of(&some["rooms"][&room_id]);
    assert_eq!(some.len(), whole.len() - 2, "{some:?} of {whole:?}");
    // Members who said nothing are left out, but for those that are named.
    let lazy = json!({
        "include": [{}, { "type": "m.room.member", "state_key": bob.user_id }], "lazy_members": true,
    });
    let carol = server.register("carol").await;
    join(&server, &carol, &room_id).await;
    send(&server, &alice, &room_id, "one").await;
    let loaded = sync(&server, &alice, subscribe(lazy)).await;
    let loaded = state_of(&loaded["rooms"][&room_id]);
    assert!(loaded.contains(&("m.room.member", &alice.user_id)), "the sender: {loaded:?}");
    assert!(loaded.contains(&("m.room.member", &bob.user_id)), "named: {loaded:?}");
    assert!(!loaded.contains(&("m.room.member", &carol.user_id)), "{loaded:?}");
}

#[tokio::test]
async fn lazily_loaded_members_come_once_a_connection_and_again_after_a_loss() {
    let server = TestServer::start().await;
    let (alice, bob) = (server.register("alice").await, server.register("bob").await);
    let room_id = room(&server, &alice, &[&bob]).await;
    let ask = |conn_id: &str, before: Option<&Value>| {
        let mut body = json!({ "conn_id": conn_id, "room_subscriptions": { &room_id: {
            "timeline_limit": 1, "required_state": { "lazy_members": true },
        } } });
        if let Some(before) = before {
            body["pos"] = before["pos"].clone();
        }
        body
    };
    let first = sync(&server, &bob, ask("one", None)).await;
    send(&server, &alice, &room_id, "one").await;
    let member = [("m.room.member", alice.user_id.as_str())];
    for attempt in ["lost", "received"] {
        let told = sync(&server, &bob, ask("one", Some(&first))).await;
        assert_eq!(state_of(&told["rooms"][&room_id]), member, "{attempt}");
    }
    let told = sync(&server, &bob, ask("one", Some(&first))).await;
    send(&server, &alice, &room_id, "two").await;
    let after = sync(&server, &bob, ask("one", Some(&told))).await;
    assert_eq!(bodies(&after["rooms"][&room_id]), ["two"]);
    assert!(state_of(&after["rooms"][&room_id]).is_empty(), "{after}");
    let other = sync(&server, &bob, ask("other", None)).await;
    assert_eq!(state_of(&other["rooms"][&room_id]), member, "another connection");
}

#[tokio::test]
async fn a_wider_wish_is_granted_at_once_and_a_narrower_one_tells_nothing() {
    let server = TestServer::start().await;
    let alice = server.register("alice").await;
    let room_id = room(&server, &alice, &[]).await;
    set_state(&server, &alice, &room_id, "m.room.topic", json!({ "topic": "frogs" })).await;
    for number in 0..4 {
        send(&server, &alice, &room_id, &number.to_string()).await;
    }
    let ask = |before: Option<&Value>, limit: u64, types: &[&str]| {
        let include: Vec<_> = types.iter().map(|one| json!({ "type": one })).collect();
        let subscription =
            json!({ "timeline_limit": limit, "required_state": { "include": include } });
        let mut body = json!({ "room_subscriptions": { &room_id: subscription } });
        if let Some(before) = before {
            body["pos"] = before["pos"].clone();
        }
        body
    };
    let few = sync(&server, &alice, ask(None, 1, &["m.room.create"])).await;
    let more = sync(&server, &alice, ask(Some(&few), 3, &["m.room.create"])).await;
    let shown = &more["rooms"][&room_id];
    assert_eq!(shown["expanded_timeline"], true, "{shown}");
    assert_eq!((bodies(shown), &shown["num_live"]), (vec!["1", "2", "3"], &json!(0)));
    let both = ["m.room.create", "m.room.topic"];
    let state = sync(&server, &alice, ask(Some(&more), 3, &both)).await;
    assert_eq!(state_of(&state["rooms"][&room_id]), [("m.room.topic", "")], "what is new of it");
    let narrow = sync(&server, &alice, ask(Some(&state), 1, &["m.room.topic"])).await;
    assert!(narrow["rooms"].is_null(), "{narrow}");
}

#[tokio::test]
async fn a_name_that_is_taken_away_is_told_as_null() {
    let server = TestServer::start().await;
    let alice = server.register("alice").await;
    let room_id = room(&server, &alice, &[]).await;
    set_state(&server, &alice, &room_id, "m.room.name", json!({ "name": "The pond" })).await;
    let first = all(&server, &alice, None).await;
    assert_eq!(first["rooms"][&room_id]["name"], "The pond", "{first}");
    assert!(first["rooms"][&room_id]["heroes"].is_null(), "it has a name: {first}");
    set_state(&server, &alice, &room_id, "m.room.name", json!({})).await;
    let second = all(&server, &alice, Some(&first)).await;
    let shown = second["rooms"][&room_id].as_object().unwrap();
    assert_eq!(shown.get("name"), Some(&Value::Null), "{second}");
}

#[tokio::test]
async fn an_invite_shows_stripped_state_and_nothing_else() {
    let server = TestServer::start().await;
    let (alice, bob) = (server.register("alice").await, server.register("bob").await);
    let first = all(&server, &bob, None).await;
    let room_id = room(&server, &alice, &[]).await;
    act(&server, &alice, &room_id, "invite", json!({ "user_id": bob.user_id })).await;
    let invited = all(&server, &bob, Some(&first)).await;
    let shown = invited["rooms"][&room_id].as_object().unwrap();
    assert_eq!(shown["membership"], "invite", "{shown:?}");
    assert!(shown["stripped_state"].as_array().unwrap().len() > 2, "{shown:?}");
    let known = ["bump_stamp", "initial", "lists", "membership", "stripped_state"];
    assert!(shown.keys().all(|key| known.contains(&key.as_str())), "{shown:?}");
    act(&server, &bob, &room_id, "leave", json!({})).await;
    let declined = all(&server, &bob, Some(&invited)).await;
    let shown = &declined["rooms"][&room_id];
    assert_eq!(shown["membership"], "leave", "{declined}");
    assert_eq!(shown["stripped_state"][0]["content"]["membership"], "leave", "{declined}");
    let after = all(&server, &bob, Some(&declined)).await;
    assert!(after["rooms"].is_null(), "{after}");
}

#[tokio::test]
async fn whoever_was_thrown_out_sees_it_and_whoever_left_knows() {
    let server = TestServer::start().await;
    let (alice, bob) = (server.register("alice").await, server.register("bob").await);
    let (kicked, left) =
        (room(&server, &alice, &[&bob]).await, room(&server, &alice, &[&bob]).await);
    let banned = room(&server, &alice, &[]).await;
    send(&server, &alice, &kicked, "before").await;
    act(&server, &alice, &kicked, "kick", json!({ "user_id": bob.user_id })).await;
    send(&server, &alice, &kicked, "behind his back").await;
    act(&server, &bob, &left, "leave", json!({})).await;
    act(&server, &alice, &banned, "ban", json!({ "user_id": bob.user_id })).await;
    let first = all(&server, &bob, None).await;
    let shown = &first["rooms"][&kicked];
    assert_eq!((&shown["membership"], bodies(shown)), (&json!("leave"), vec!["before"]), "{first}");
    assert!(first["rooms"][&left].is_null(), "left by himself: {first}");
    assert!(first["rooms"][&banned].is_null(), "never joined: {first}");
    assert_eq!(first["lists"]["all"]["count"], 1);
    let quiet = all(&server, &bob, Some(&first)).await;
    assert!(quiet["rooms"].is_null(), "{quiet}");
    act(&server, &bob, &kicked, "forget", json!({})).await;
    let anew = all(&server, &bob, None).await;
    assert!(anew["rooms"].is_null(), "forgotten: {anew}");
}

#[tokio::test]
async fn rooms_are_ordered_by_activity_and_bump_stamps_by_what_people_said() {
    let server = TestServer::start().await;
    let alice = server.register("alice").await;
    let quiet = room(&server, &alice, &[]).await;
    let talk = room(&server, &alice, &[]).await;
    send(&server, &alice, &quiet, "one").await;
    send(&server, &alice, &talk, "two").await;
    set_state(&server, &alice, &quiet, "m.room.topic", json!({ "topic": "frogs" })).await;
    let ask = json!({ "lists": { "top": {
        "timeline_limit": 1, "range": [0, 0], "required_state": {},
    } } });
    let top = sync(&server, &alice, ask).await;
    assert!(top["rooms"][&quiet].is_object(), "the last event was there: {top}");
    assert_eq!(top["lists"]["top"]["count"], 2);
    let whole = all(&server, &alice, None).await;
    let stamp = |room_id: &str| whole["rooms"][room_id]["bump_stamp"].as_i64().unwrap();
    assert!(stamp(&talk) > stamp(&quiet), "{whole}");
}

#[tokio::test]
async fn what_is_over_the_limits_is_refused() {
    let server = TestServer::start().await;
    let alice = server.register("alice").await;
    let many_lists: Value = (0..101).map(|name| (name.to_string(), list())).collect();
    let subscription = json!({ "timeline_limit": 1, "required_state": {} });
    let many_rooms: Value =
        (0..101).map(|name| (format!("!{name}:example.org"), subscription.clone())).collect();
    let mut backwards = list();
    backwards["range"] = json!([5, 4]);
    let to_device = |settings: Value| json!({ "extensions": { "to_device": settings } });
    for body in [
        json!({ "lists": many_lists }),
        json!({ "room_subscriptions": many_rooms }),
        json!({ "lists": { "a b": list() } }),
        json!({ "lists": { "": list() } }),
        json!({ "lists": { "a": backwards } }),
        json!({ "set_presence": "asleep" }),
        to_device(json!({ "enabled": true, "limit": 0 })),
        to_device(json!({ "enabled": true, "limit": "many" })),
        to_device(json!({ "enabled": true, "since": "yesterday" })),
    ] {
        let answer = server.post(SYNC, &alice.token, body.clone()).await;
        assert_refused(&answer, 400, "M_INVALID_PARAM");
    }
    let many_lists: Value = (0..100).map(|name| (name.to_string(), list())).collect();
    let body = json!({ "lists": many_lists, "set_presence": "unavailable" });
    assert_eq!(server.post(SYNC, &alice.token, body).await.0, 200);
    let answer = server.post(SYNC, &alice.token, json!({ "lists": { "a": {} } })).await;
    assert_refused(&answer, 400, "M_MISSING_PARAM");
    let answer = server.post(SYNC, "", json!({})).await;
    assert_refused(&answer, 401, "M_MISSING_TOKEN");
}

#[tokio::test]
async fn filters_take_rooms_by_type_tag_space_and_invitation() {
    let server = TestServer::start().await;
    let (alice, bob) = (server.register("alice").await, server.register("bob").await);
    let (plain, tagged) = (room(&server, &alice, &[]).await, room(&server, &alice, &[]).await);
    let invited = room(&server, &bob, &[]).await;
    act(&server, &bob, &invited, "invite", json!({ "user_id": alice.user_id })).await;
    let body = json!({ "preset": "public_chat", "creation_content": { "type": "m.space" } });
    let (_, answer) = server.post("/_matrix/client/v3/createRoom", &alice.token, body).await;
    let space = answer["room_id"].as_str().unwrap().to_owned();
    let path = format!(
        "/_matrix/client/v3/rooms/{}/state/m.space.child/{}",
        encoded(&space),
        encoded(&plain)
    );
    server.put(&path, &alice.token, json!({ "via": ["example.org"] })).await;
    let path = format!(
        "/_matrix/client/v3/user/{}/rooms/{}/tags/m.favourite",
        encoded(&alice.user_id),
        encoded(&tagged)
    );
    server.put(&path, &alice.token, json!({})).await;
    for (filters, expected) in [
        (json!({}), vec![&plain, &tagged, &invited, &space]),
        (json!({ "is_invited": true }), vec![&invited]),
        (json!({ "is_invited": false }), vec![&plain, &tagged, &space]),
        (json!({ "room_types": ["m.space"] }), vec![&space]),
        (json!({ "room_types": [null], "is_invited": false }), vec![&plain, &tagged]),
        (json!({ "not_room_types": ["m.space", null] }), vec![]),
        (json!({ "tags": ["m.favourite", "u.other"] }), vec![&tagged]),
        (json!({ "not_tags": ["m.favourite"], "is_invited": false }), vec![&plain, &space]),
        (json!({ "tags": ["m.favourite"], "not_tags": ["m.favourite"] }), vec![]),
        (json!({ "spaces": [&space] }), vec![&plain]),
        (json!({ "spaces": [&plain, "!unknown:example.org"] }), vec![]),
    ] {
        let mut list = list();
        list["filters"] = filters.clone();
        let answer = sync(&server, &alice, json!({ "lists": { "some": list } })).await;
        let mut shown: Vec<_> =
            answer["rooms"].as_object().into_iter().flatten().map(|it| it.0).collect();
        let mut expected = expected;
        shown.sort_unstable();
        expected.sort_unstable();
        assert_eq!(shown, expected, "{filters}");
        assert_eq!(answer["lists"]["some"]["count"], expected.len(), "{filters}");
    }
}

#[tokio::test]
async fn a_room_that_becomes_a_direct_one_is_told_so() {
    let server = TestServer::start().await;
    let (alice, bob) = (server.register("alice").await, server.register("bob").await);
    let room_id = room(&server, &alice, &[&bob]).await;
    let first = all(&server, &alice, None).await;
    let path = format!("/_matrix/client/v3/user/{}/account_data/m.direct", encoded(&alice.user_id));
    server.put(&path, &alice.token, json!({ &bob.user_id: [&room_id] })).await;
    let second = all(&server, &alice, Some(&first)).await;
    assert_eq!(second["rooms"][&room_id]["is_dm"], true, "{second}");
    let third = all(&server, &alice, Some(&second)).await;
    assert!(third["rooms"].is_null(), "{third}");
    let anew = all(&server, &alice, None).await;
    assert_eq!(anew["rooms"][&room_id]["is_dm"], true, "{anew}");
}
