//! Administrators: who is one, whose sessions, locking, suspending; and what users report to them.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may stop at anything unforeseen"
)]

mod common;

use std::{fs, process::Command, time::Duration};

use common::{Answer, TestServer, User, assert_refused};
use serde_json::{Value, json};
use tern_homeserver::config::RateLimits;

/// Runs `ternd` on the server's own database, as an operator does beside the running server.
fn ternd(server: &TestServer, arguments: &[&str]) -> String {
    let file = server.folder().join("tern.toml");
    let config = &server.app.config;
    fs::write(&file, config.to_text().unwrap()).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_ternd"))
        .args(arguments)
        .args(["--config", file.to_str().unwrap()])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

async fn register_admin(server: &TestServer) -> User {
    let admin = server.register("alice").await;
    let said = ternd(server, &["admin", "@alice:example.org"]);
    assert_eq!(said, "@alice:example.org is now an administrator\n");
    admin
}

async fn set(server: &TestServer, admin: &User, what: &str, user: &str, value: bool) -> Answer {
    let key = if what == "lock" { "locked" } else { "suspended" };
    let path = format!("/_matrix/client/v1/admin/{what}/{user}");
    server.put(&path, &admin.token, json!({ key: value })).await
}

async fn room_of(server: &TestServer, user: &User) -> String {
    let body = json!({ "preset": "public_chat" });
    let (status, body) = server.post("/_matrix/client/v3/createRoom", &user.token, body).await;
    assert_eq!(status, 200, "{body}");
    body["room_id"].as_str().unwrap().to_owned()
}

async fn send(server: &TestServer, user: &User, room: &str, txn: &str) -> Answer {
    let path = format!("/_matrix/client/v3/rooms/{room}/send/m.room.message/{txn}");
    server.put(&path, &user.token, json!({ "msgtype": "m.text", "body": "hello" })).await
}

async fn join(server: &TestServer, user: &User, room: &str) -> Answer {
    server.post(&format!("/_matrix/client/v3/join/{room}"), &user.token, json!({})).await
}

#[tokio::test]
async fn whois_shows_users_their_own_sessions_and_administrators_everybodys() {
    let server = TestServer::start().await;
    let alice = register_admin(&server).await;
    let bob = server.register("bob").await;
    let path = |user: &User| format!("/_matrix/client/v3/admin/whois/{}", user.user_id);

    let (status, own) = server.get(&path(&bob), &bob.token).await;
    let (_, seen) = server.get(&path(&bob), &alice.token).await;
    let refused = server.get(&path(&alice), &bob.token).await;
    let nobody = server.get("/_matrix/client/v3/admin/whois/@no:example.org", &alice.token).await;

    assert_eq!(status, 200, "{own}");
    assert_eq!(own["user_id"], bob.user_id);
    let session = &own["devices"][&bob.device_id]["sessions"][0];
    assert!(session["connections"][0]["last_seen"].as_i64().is_some(), "{own}");
    assert_eq!(seen["devices"].as_object().unwrap().len(), 1);
    assert_refused(&refused, 403, "M_FORBIDDEN");
    assert_refused(&nobody, 404, "M_NOT_FOUND");
    ternd(&server, &["admin", "--remove", "alice"]);
    assert_refused(&server.get(&path(&bob), &alice.token).await, 403, "M_FORBIDDEN");
}

#[tokio::test]
async fn a_locked_account_can_do_nothing_until_it_is_opened_and_keeps_its_session() {
    let server = TestServer::start().await;
    let alice = register_admin(&server).await;
    let bob = server.register("bob").await;
    let whoami = "/_matrix/client/v3/account/whoami";
    assert_eq!(server.get(whoami, &bob.token).await.0, 200);

    assert_eq!(set(&server, &alice, "lock", &bob.user_id, true).await.1, json!({ "locked": true }));

    let locked = server.get(whoami, &bob.token).await;
    assert_refused(&locked, 401, "M_USER_LOCKED");
    assert_eq!(locked.1["soft_logout"], true);
    let path = format!("/_matrix/client/v1/admin/lock/{}", bob.user_id);
    assert_eq!(server.get(&path, &alice.token).await.1, json!({ "locked": true }));
    assert_eq!(set(&server, &alice, "lock", &bob.user_id, false).await.0, 200);
    assert_eq!(server.get(whoami, &bob.token).await.0, 200);
}

#[tokio::test]
async fn a_suspended_user_reads_and_leaves_and_others_see_nothing_of_them() {
    let server = TestServer::start().await;
    let alice = register_admin(&server).await;
    let bob = server.register("bob").await;
    let room = room_of(&server, &alice).await;
    assert_eq!(join(&server, &bob, &room).await.0, 200);
    assert_eq!(send(&server, &bob, &room, "1").await.0, 200);

    let suspended = set(&server, &alice, "suspend", &bob.user_id, true).await;
    assert_eq!(suspended.1, json!({ "suspended": true }));

    let name = format!("/_matrix/client/v3/profile/{}/displayname", bob.user_id);
    let renamed = server.put(&name, &bob.token, json!({ "displayname": "Bob" })).await;
    let made = server.post("/_matrix/client/v3/createRoom", &bob.token, json!({})).await;
    for answer in [send(&server, &bob, &room, "2").await, renamed, made] {
        assert_refused(&answer, 403, "M_USER_SUSPENDED");
    }
    let messages = format!("/_matrix/client/v3/rooms/{room}/messages?dir=b");
    assert_eq!(server.get(&messages, &bob.token).await.0, 200);
    assert_eq!(server.get("/_matrix/client/v3/sync", &bob.token).await.0, 200);
    // A new session is suspended too.
    let again = server.login("bob").await;
    assert_refused(&send(&server, &again, &room, "3").await, 403, "M_USER_SUSPENDED");
    assert_eq!(set(&server, &alice, "suspend", &bob.user_id, false).await.0, 200);
    assert_eq!(send(&server, &bob, &room, "4").await.0, 200);
    let leave = format!("/_matrix/client/v3/rooms/{room}/leave");
    assert_eq!(set(&server, &alice, "suspend", &bob.user_id, true).await.0, 200);
    assert_eq!(server.post(&leave, &bob.token, json!({})).await.0, 200);
}

#[tokio::test]
async fn only_administrators_lock_and_never_each_other_or_strangers() {
    let server = TestServer::start().await;
    let alice = register_admin(&server).await;
    let bob = server.register("bob").await;
    let capabilities = "/_matrix/client/v3/capabilities";
    let moderation = async |token: &str| {
        server.get(capabilities, token).await.1["capabilities"]["m.account_moderation"].clone()
    };

    for what in ["lock", "suspend"] {
        for (asker, target, status, errcode) in [
            (&bob, "@alice:example.org", 403, "M_FORBIDDEN"),
            (&alice, "@alice:example.org", 403, "M_FORBIDDEN"),
            (&alice, "@bob:elsewhere.example.org", 400, "M_INVALID_PARAM"),
            (&alice, "@nobody:example.org", 404, "M_NOT_FOUND"),
        ] {
            assert_refused(&set(&server, asker, what, target, true).await, status, errcode);
        }
    }

    assert_eq!(moderation(&alice.token).await, json!({ "lock": true, "suspend": true }));
    assert_eq!(moderation(&bob.token).await, Value::Null);
}

#[tokio::test]
async fn reports_are_kept_for_the_operator() {
    let server = TestServer::start().await;
    let (alice, bob) = (server.register("alice").await, server.register("bob").await);
    let room = room_of(&server, &alice).await;
    let event = send(&server, &alice, &room, "1").await.1["event_id"].as_str().unwrap().to_owned();
    let about_event = format!("/_matrix/client/v3/rooms/{room}/report/{event}");
    let spam = json!({ "reason": "spam\u{1b}[2J" });

    let outside = server.post(&about_event, &bob.token, spam.clone()).await;
    assert_refused(&outside, 404, "M_NOT_FOUND");
    assert_eq!(join(&server, &bob, &room).await.0, 200);
    assert_eq!(server.post(&about_event, &bob.token, spam.clone()).await.0, 200);
    let about_room = format!("/_matrix/client/v3/rooms/{room}/report");
    assert_eq!(server.post(&about_room, &bob.token, json!({ "reason": "" })).await.0, 200);
    let about_user = format!("/_matrix/client/v3/users/{}/report", alice.user_id);
    assert_eq!(server.post(&about_user, &bob.token, json!({ "reason": "rude" })).await.0, 200);

    let unknown_room = "/_matrix/client/v3/rooms/!nowhere:example.org/report";
    let unknown_user = "/_matrix/client/v3/users/@nobody:example.org/report";
    let unknown_event = format!("/_matrix/client/v3/rooms/{room}/report/$nothing");
    for path in [unknown_room, unknown_user, &unknown_event] {
        assert_refused(&server.post(path, &bob.token, spam.clone()).await, 404, "M_NOT_FOUND");
    }
    assert_refused(&server.post(&about_user, &bob.token, json!({})).await, 400, "M_MISSING_PARAM");
    let long = json!({ "reason": "x".repeat(4_097) });
    assert_refused(&server.post(&about_user, &bob.token, long).await, 400, "M_INVALID_PARAM");
    assert_refused(&server.post(&about_room, "", json!({})).await, 401, "M_MISSING_TOKEN");

    let lines = ternd(&server, &["reports", "--json"]);
    let reports: Vec<Value> =
        lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(reports.len(), 3, "{lines}");
    assert!(reports.iter().all(|report| report["reporter"] == bob.user_id));
    assert_eq!(reports[0]["event_id"], event);
    assert_eq!(reports[1]["room_id"], room);
    assert_eq!(reports[2]["user_id"], alice.user_id);
    let text = ternd(&server, &["reports"]);
    assert!(text.contains("rude") && !text.contains('\u{1b}'), "{text}");
}

#[tokio::test]
async fn reports_are_limited_and_forgotten_after_half_a_year() {
    let server = TestServer::with(|config| config.limits.rate = RateLimits::Default).await;
    let (alice, bob) = (server.register("alice").await, server.register("bob").await);
    let path = format!("/_matrix/client/v3/users/{}/report", alice.user_id);
    let report = || server.post(&path, &bob.token, json!({ "reason": "rude" }));
    for _ in 0..20 {
        assert_eq!(report().await.0, 200);
    }
    assert_refused(&report().await, 429, "M_LIMIT_EXCEEDED");

    server.app.clock.turn(Duration::from_secs(181 * 24 * 3_600));
    assert_eq!(report().await.0, 200);

    let found = tern_homeserver::storage::reports::list_reports(server.app.db.read(), 0, 100);
    assert_eq!(found.await.unwrap().len(), 1);
}

#[tokio::test]
async fn two_users_see_which_rooms_they_are_both_in() {
    let server = TestServer::start().await;
    let (alice, bob) = (server.register("alice").await, server.register("bob").await);
    let mut shared = Vec::new();
    for _ in 0..3 {
        let room = room_of(&server, &alice).await;
        join(&server, &bob, &room).await;
        shared.push(room);
    }
    room_of(&server, &alice).await;
    let left = shared.pop().unwrap();
    let leave = format!("/_matrix/client/v3/rooms/{left}/leave");
    server.post(&leave, &bob.token, json!({})).await;
    shared.sort();
    let path = |user: &str| format!("/_matrix/client/v1/mutual_rooms?user_id={user}");

    let (status, mutual) = server.get(&path("@bob:example.org"), &alice.token).await;
    let stranger = server.get(&path("@nobody:elsewhere.example.org"), &alice.token).await;
    let oneself = server.get(&path("@alice:example.org"), &alice.token).await;
    let after = format!("{}&from={}", path("@bob:example.org"), shared[0].replace('!', "%21"));

    assert_eq!(status, 200, "{mutual}");
    assert_eq!(mutual, json!({ "joined": shared, "count": 2 }));
    assert_eq!(server.get(&after, &alice.token).await.1["joined"], json!([shared[1]]));
    assert_eq!(stranger.1, json!({ "joined": [], "count": 0 }));
    assert_refused(&oneself, 400, "M_INVALID_PARAM");
    let wrong = format!("{}&from=nonsense", path("@bob:example.org"));
    assert_refused(&server.get(&wrong, &alice.token).await, 400, "M_INVALID_PARAM");
}
