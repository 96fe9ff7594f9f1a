//! Rate limits as a client meets them: 429 with the time to wait, per address and per user.

#![expect(clippy::unwrap_used, reason = "helpers of tests, where a panic is a failure")]

mod common;

use std::{net::IpAddr, time::Duration};

use axum::{
    body::Body,
    http::{HeaderMap, Request, StatusCode, header},
};
use common::TestServer;
use serde_json::{Value, json};
use tern_homeserver::{config::RateLimits, gateway::ClientIp};

async fn limited() -> TestServer {
    TestServer::with(|config| config.limits.rate = RateLimits::Default).await
}

/// A login with a wrong password from `address`.
async fn guess(server: &TestServer, address: &str) -> (StatusCode, HeaderMap, Value) {
    let body = json!({
        "type": "m.login.password",
        "identifier": { "type": "m.id.user", "user": "nobody" },
        "password": "wrong",
    });
    let mut request = Request::post("/_matrix/client/v3/login")
        .header(header::CONTENT_TYPE, "application/json")
        .body(Body::from(body.to_string()))
        .unwrap();
    request.extensions_mut().insert(ClientIp(address.parse::<IpAddr>().unwrap()));
    let (status, headers, body) = server.send(request).await;
    (status, headers, serde_json::from_slice(&body).unwrap())
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
async fn switched_off_nothing_is_limited() {
    let server = TestServer::start().await;
    for _ in 0..60 {
        assert_eq!(guess(&server, "192.0.2.1").await.0, StatusCode::FORBIDDEN);
    }
}
