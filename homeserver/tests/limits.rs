//! Rate limits as a client meets them: 429 with the time to wait, per address and per user.

#![expect(clippy::unwrap_used, reason = "helpers of tests, where a panic is a failure")]

mod common;

use std::{net::IpAddr, time::Duration};

use axum::{
    body::Body,
    http::{HeaderMap, Request, StatusCode, header},
};
use common::{PASSWORD, TestServer, mail};
use serde_json::{Value, json};
use tern_homeserver::{
    config::{RateLimits, RegistrationMode},
    gateway::ClientIp,
};

async fn limited() -> TestServer {
    TestServer::with(|config| config.limits.rate = RateLimits::Default).await
}

/// A request from `address`; a body makes it a POST.
async fn send(
    server: &TestServer,
    address: &str,
    path: &str,
    body: Option<Value>,
) -> (StatusCode, HeaderMap, Value) {
    let request = if body.is_some() { Request::post(path) } else { Request::get(path) };
    let body = body.map_or_else(Body::empty, |body| Body::from(body.to_string()));
    let mut request = request.header(header::CONTENT_TYPE, "application/json").body(body).unwrap();
    request.extensions_mut().insert(ClientIp(address.parse::<IpAddr>().unwrap()));
    let (status, headers, body) = server.send(request).await;
    (status, headers, serde_json::from_slice(&body).unwrap())
}

/// A login of `user` with a password from `address`.
async fn log_in(server: &TestServer, address: &str, user: &str, password: &str) -> StatusCode {
    let body = json!({
        "type": "m.login.password",
        "identifier": { "type": "m.id.user", "user": user },
        "password": password,
    });
    send(server, address, "/_matrix/client/v3/login", Some(body)).await.0
}

/// A login with a token that nobody has, from `address`.
async fn guess(server: &TestServer, address: &str) -> (StatusCode, HeaderMap, Value) {
    let body = json!({ "type": "m.login.token", "token": "guessed" });
    send(server, address, "/_matrix/client/v3/login", Some(body)).await
}

/// Guesses until the server has had enough.
async fn guess_until_limited(server: &TestServer, address: &str) -> (HeaderMap, Value) {
    for _ in 0..100 {
        let (status, headers, body) = guess(server, address).await;
        if status == StatusCode::TOO_MANY_REQUESTS {
            return (headers, body);
        }
        assert_eq!(status, StatusCode::FORBIDDEN, "{body}");
    }
    panic!("100 guesses were answered");
}

#[tokio::test]
async fn guessing_ends_in_429_with_the_time_to_wait() {
    let server = limited().await;
    let (headers, body) = guess_until_limited(&server, "192.0.2.1").await;
    assert_eq!(body["errcode"], "M_LIMIT_EXCEEDED");
    let wait_ms = body["retry_after_ms"].as_u64().unwrap();
    assert!((1..=60_000).contains(&wait_ms), "{wait_ms}");
    let seconds: u64 = headers[header::RETRY_AFTER].to_str().unwrap().parse().unwrap();
    assert_eq!(seconds, wait_ms.div_ceil(1_000));

    server.app.clock.turn(Duration::from_millis(wait_ms + 1));
    assert_eq!(guess(&server, "192.0.2.1").await.0, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn one_address_does_not_use_up_anothers_share() {
    let server = limited().await;
    guess_until_limited(&server, "2001:db8::1").await;
    let neighbour = guess(&server, "2001:db8::ffff").await.0;
    assert_eq!(neighbour, StatusCode::TOO_MANY_REQUESTS, "the same /64");
    assert_eq!(guess(&server, "2001:db8:0:1::1").await.0, StatusCode::FORBIDDEN);
    assert_eq!(guess(&server, "192.0.2.1").await.0, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn reading_versions_is_never_limited() {
    let server = limited().await;
    guess_until_limited(&server, "127.0.0.1").await;
    for _ in 0..50 {
        assert_eq!(server.get("/.well-known/matrix/client", "").await.0, StatusCode::OK);
    }
}

#[tokio::test]
async fn the_passwords_of_one_account_are_guessed_at_slowly_from_however_many_addresses() {
    let server = limited().await;
    server.register("alice").await;
    for name in ["alice", "nobody"] {
        let mut refused = 0;
        for number in 0..30 {
            let spelling = if number % 2 == 0 { name.to_owned() } else { name.to_uppercase() };
            match log_in(&server, &format!("192.0.2.{number}"), &spelling, "wrong").await {
                StatusCode::FORBIDDEN => {}
                status => {
                    assert_eq!(status, StatusCode::TOO_MANY_REQUESTS);
                    refused += 1;
                }
            }
        }
        assert_eq!(refused, 10, "{name}");
    }
    // The right password does not help a guesser either; a minute later it lets its owner in.
    let locked = log_in(&server, "198.51.100.1", "@alice:example.org", PASSWORD).await;
    assert_eq!(locked, StatusCode::TOO_MANY_REQUESTS);
    server.app.clock.turn(Duration::from_secs(61));
    let later = log_in(&server, "198.51.100.1", "@alice:example.org", PASSWORD).await;
    assert_eq!(later, StatusCode::OK);
}

#[tokio::test]
async fn a_stolen_session_guesses_no_faster_than_a_login() {
    let server = limited().await;
    let alice = server.register("alice").await;
    for number in 0..20 {
        let status = log_in(&server, &format!("192.0.2.{number}"), "alice", "wrong").await;
        assert_eq!(status, StatusCode::FORBIDDEN);
    }
    let path = format!("/_matrix/client/v3/devices/{}", alice.device_id);
    let (_, challenge) = server.call("DELETE", &path, &alice.token, Some(json!({}))).await;

    let auth = json!({ "type": "m.login.password", "session": challenge["session"], "password": PASSWORD });
    let body = json!({ "auth": auth });
    let (status, answer) = server.call("DELETE", &path, &alice.token, Some(body)).await;

    assert_eq!(status, StatusCode::TOO_MANY_REQUESTS, "{answer}");
}

#[tokio::test]
async fn logging_in_with_the_right_password_is_no_guess() {
    let server = limited().await;
    server.register("alice").await;
    for number in 0..50 {
        let address = format!("192.0.2.{number}");
        assert_eq!(log_in(&server, &address, "alice", PASSWORD).await, StatusCode::OK);
    }
}

#[tokio::test]
async fn waiting_for_the_link_is_not_charged_as_registering() {
    let server = TestServer::with(|config| {
        config.limits.rate = RateLimits::Default;
        config.registration.mode = RegistrationMode::Email;
    })
    .await;
    let (mut body, session) = mail::register_body(&server, "alice").await;
    let sid = mail::ask(&server, mail::REGISTER_MAIL, "alice@example.org", "s").await;
    body["auth"] = mail::email_auth(&session, &sid, "s");
    for _ in 0..100 {
        let (status, waiting) = server.post(mail::REGISTER, "", body.clone()).await;
        assert_eq!(status, StatusCode::UNAUTHORIZED, "{waiting}");
        assert_eq!(waiting["session"], session);
    }
    // A session of one's own making is no waiting, and neither is none.
    let mut refused = 0;
    for number in 0..40 {
        let other = json!({ "username": format!("bob{number}"), "password": PASSWORD });
        let (status, _) = server.post(mail::REGISTER, "", other).await;
        refused += usize::from(status == StatusCode::TOO_MANY_REQUESTS);
    }
    assert!(refused >= 10, "{refused}");
}

#[tokio::test]
async fn a_person_registers_logs_in_and_writes_within_the_default_limits() {
    let server = TestServer::with(|config| {
        config.limits.rate = RateLimits::Default;
        config.registration.mode = RegistrationMode::Email;
    })
    .await;
    let alice = mail::register(&server, "alice", "alice@example.org").await;
    for _ in 0..5 {
        server.login("alice").await;
    }
    let (status, room) =
        server.post("/_matrix/client/v3/createRoom", &alice.token, json!({})).await;
    assert_eq!(status, StatusCode::OK, "{room}");
    let room = room["room_id"].as_str().unwrap();
    for number in 0..150 {
        let path = format!("/_matrix/client/v3/rooms/{room}/send/m.room.message/{number}");
        let text = json!({ "msgtype": "m.text", "body": "hello" });
        assert_eq!(server.put(&path, &alice.token, text).await.0, StatusCode::OK);
        let path = format!("/_matrix/client/v3/rooms/{room}/typing/{}", alice.user_id);
        let typing = json!({ "typing": true, "timeout": 1_000 });
        assert_eq!(server.put(&path, &alice.token, typing).await.0, StatusCode::OK);
    }
}

#[tokio::test]
async fn strangers_make_the_server_ask_others_only_so_often() {
    // Without the right to ask loopback each question fails at once, and still counts.
    let server = limited().await;
    for path in [
        "/_matrix/client/v3/profile/@bob:127.0.0.1:1",
        "/_matrix/client/v3/profile/@bob:127.0.0.1:1/displayname",
        "/_matrix/client/v3/directory/room/%23room:127.0.0.1:1",
        "/_matrix/client/v3/publicRooms?server=127.0.0.1:1",
    ] {
        let mut refused = 0;
        for _ in 0..120 {
            let (status, _, _) = send(&server, "192.0.2.1", path, None).await;
            refused += usize::from(status == StatusCode::TOO_MANY_REQUESTS);
        }
        assert!((15..=20).contains(&refused), "{path}: {refused}");
        server.app.clock.turn(Duration::from_secs(60));
    }
    server.register("alice").await;
    for _ in 0..200 {
        let (status, _, _) =
            send(&server, "192.0.2.1", "/_matrix/client/v3/profile/@alice:example.org", None).await;
        assert_eq!(status, StatusCode::OK);
    }
}

#[tokio::test]
async fn switched_off_nothing_is_limited() {
    let server = TestServer::start().await;
    for _ in 0..60 {
        assert_eq!(guess(&server, "192.0.2.1").await.0, StatusCode::FORBIDDEN);
    }
}
