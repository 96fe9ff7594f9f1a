//! Jumping to a date: the nearest event that the asker may see, in rooms short and long.

#![expect(clippy::unwrap_used, reason = "helpers of tests, where a panic is a failure")]

mod common;

use common::{
    Answer, TestServer, User, assert_refused,
    rooms::{act, encoded, join, room, send},
};
use ruma::{CanonicalJsonObject, RoomId, UserId};
use sea_orm::{ConnectionTrait as _, DatabaseConnection};
use serde_json::{Value, json};
use tern_homeserver::messaging::{Draft, send::send_event};

/// After everything that happens while a test runs.
const LATER_MS: i64 = 4_000_000_000_000;

async fn nearest(
    server: &TestServer,
    user: &User,
    room_id: &str,
    at_ms: i64,
    direction: &str,
) -> Answer {
    let room_id = encoded(room_id);
    let path =
        format!("/_matrix/client/v1/rooms/{room_id}/timestamp_to_event?ts={at_ms}&dir={direction}");
    server.get(&path, &user.token).await
}

/// Says something at a time.
async fn say(server: &TestServer, user: &User, room_id: &str, at_ms: i64) -> String {
    let sender = <&UserId>::try_from(user.user_id.as_str()).unwrap().to_owned();
    let content: CanonicalJsonObject =
        serde_json::from_value(json!({ "msgtype": "m.text", "body": "hello" })).unwrap();
    let message = Draft::message(sender, "m.room.message".into(), content);
    let draft = Draft { at_ms: Some(at_ms), ..message };
    let room_id = <&RoomId>::try_from(room_id).unwrap();
    send_event(&server.engine, room_id, draft).await.unwrap().to_string()
}

#[tokio::test]
async fn what_the_asker_may_not_see_is_passed_over() {
    let server = TestServer::start().await;
    let (alice, bob) = (server.register("alice").await, server.register("bob").await);
    let hidden = json!([{ "type": "m.room.history_visibility", "content": { "history_visibility": "joined" } }]);
    let body = json!({ "preset": "public_chat", "initial_state": hidden });
    let (_, made) = server.post("/_matrix/client/v3/createRoom", &alice.token, body).await;
    let id = made["room_id"].as_str().unwrap();
    let mut before = Vec::new();
    for number in 0..60 {
        before.push(say(&server, &alice, id, LATER_MS + number).await);
    }
    join(&server, &bob, id).await;
    let with_bob = say(&server, &alice, id, LATER_MS + 100).await;
    act(&server, &bob, id, "leave", json!({})).await;
    let after = say(&server, &alice, id, LATER_MS + 200).await;

    let found = async |user: &User, at_ms: i64, direction: &str| -> Value {
        let (status, found) = nearest(&server, user, id, at_ms, direction).await;
        assert_eq!(status, 200, "{found}");
        found["event_id"].clone()
    };
    for (at_ms, direction) in [(LATER_MS, "f"), (LATER_MS + 100, "b"), (LATER_MS + 300, "b")] {
        assert_eq!(found(&bob, at_ms, direction).await, *with_bob, "{at_ms} {direction}");
    }
    let answer = nearest(&server, &bob, id, LATER_MS + 101, "f").await;
    assert_refused(&answer, 404, "M_NOT_FOUND");
    assert_eq!(found(&alice, LATER_MS, "f").await, *before[0]);
    assert_eq!(found(&alice, LATER_MS + 99, "b").await, *before[59]);
    assert_eq!(found(&alice, LATER_MS + 101, "f").await, *after);
}

/// Events of the long room.
const LENGTH: i64 = 30_000;

/// When an event of the long room was: one a second, with clocks that go half a minute wrong, and now and then one far off.
fn made_at(number: i64) -> i64 {
    let right = LATER_MS - number * 1_000 + (number * 7_919) % 60_001 - 30_000;
    match number {
        number if number % 97 == 0 => number,
        number if number % 89 == 0 => LATER_MS + number,
        _ => right,
    }
}

async fn database(server: &TestServer) -> DatabaseConnection {
    let config = &server.app.config;
    let url = match config.database.url.strip_prefix("sqlite:") {
        Some(file) => format!("sqlite:{}", config.data_dir.join(file).display()),
        None => config.database.url.clone(),
    };
    sea_orm::Database::connect(&url).await.unwrap()
}

/// Puts events before `event_id`, all like it but for their times, which [`made_at`] says.
async fn lengthen(server: &TestServer, event_id: &str) {
    let sql = format!(
        "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {LENGTH}) \
         INSERT INTO events (id, event_id, room, event_type, sender, depth, at_ms, timeline_order, state_before, \
         state_after, countable, flags, json) \
         SELECT e.id + 1000000 + n.i, '$old' || CAST(n.i AS TEXT), e.room, e.event_type, e.sender, e.depth, \
         CASE WHEN n.i % 97 = 0 THEN n.i WHEN n.i % 89 = 0 THEN {LATER_MS} + n.i \
         ELSE {LATER_MS} - n.i * 1000 + (n.i * 7919) % 60001 - 30000 END, \
         -n.i, e.state_before, e.state_after, e.countable, 8, e.json \
         FROM n CROSS JOIN events e WHERE e.event_id = '{event_id}'"
    );
    let db = database(server).await;
    db.execute_unprepared(&sql).await.unwrap();
    db.close().await.unwrap();
}

#[tokio::test]
async fn the_nearest_event_of_a_long_room_is_found_though_clocks_go_wrong() {
    let server = TestServer::start().await;
    let alice = server.register("alice").await;
    let id = room(&server, &alice, &[]).await;
    let event_id = send(&server, &alice, &id, "hello").await;
    lengthen(&server, &event_id).await;
    for number in (2..LENGTH).step_by(1_234) {
        let at_ms = LATER_MS - number * 1_000 + number % 900;
        for direction in ["f", "b"] {
            let on_its_side =
                |made: &i64| if direction == "f" { *made >= at_ms } else { *made <= at_ms };
            let made = (1..=LENGTH).map(made_at).filter(on_its_side);
            let expected = made.min_by_key(|made| made.abs_diff(at_ms)).unwrap();
            let (status, found) = nearest(&server, &alice, &id, at_ms, direction).await;
            assert_eq!(status, 200, "{found}");
            let found = found["event_id"].as_str().unwrap();
            let found: i64 = found.strip_prefix("$old").unwrap().parse().unwrap();
            assert_eq!(made_at(found), expected, "{at_ms} {direction}: event {found}");
        }
    }
}
