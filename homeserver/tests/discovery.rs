//! What anybody may ask before they know anyone, and what every route answers: CORS, gzip, unknown paths.

#![expect(clippy::unwrap_used, reason = "helpers of tests, where a panic is a failure")]

mod common;

use axum::{
    body::Body,
    http::{HeaderMap, Request, StatusCode, header},
};
use common::{TestServer, assert_refused};
use serde_json::{Value, json};
use tern_homeserver::config::EncryptionDefault;

async fn send(server: &TestServer, method: &str, path: &str) -> (StatusCode, HeaderMap, Vec<u8>) {
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header(header::ORIGIN, "https://app.example.org");
    server.send(request.body(Body::empty()).unwrap()).await
}

#[tokio::test]
async fn versions_name_what_is_served() {
    let server = TestServer::start().await;
    let (status, body) = server.get("/_matrix/client/versions", "").await;
    assert_eq!(status, StatusCode::OK);
    let versions: Vec<&str> =
        body["versions"].as_array().unwrap().iter().map(|it| it.as_str().unwrap()).collect();
    assert!(versions.contains(&"v1.1") && versions.contains(&"v1.19"), "{versions:?}");
    for feature in [
        "org.matrix.simplified_msc3575",
        "org.matrix.simplified_msc3575.stable",
        "org.matrix.msc4508.stable",
        "org.matrix.msc4538",
    ] {
        assert_eq!(body["unstable_features"][feature], true, "{feature}");
    }
}

#[tokio::test]
async fn what_is_not_offered_is_an_empty_answer() {
    let server = TestServer::start().await;
    let alice = server.register("alice").await;
    for path in ["/_matrix/client/v3/voip/turnServer", "/_matrix/client/v3/thirdparty/protocols"] {
        assert_eq!(server.get(path, &alice.token).await, (StatusCode::OK, json!({})));
        assert_refused(&server.get(path, "").await, 401, "M_MISSING_TOKEN");
    }
}

#[tokio::test]
async fn versions_say_what_is_encrypted_by_default() {
    for (default, private, public) in [
        (EncryptionDefault::Private, true, false),
        (EncryptionDefault::All, true, true),
        (EncryptionDefault::Off, false, false),
    ] {
        let server = TestServer::with(|config| config.encryption.default = default).await;
        let (_, body) = server.get("/_matrix/client/versions", "").await;
        let features = &body["unstable_features"];
        assert_eq!(features["io.element.e2ee_forced.private"], private);
        assert_eq!(features["io.element.e2ee_forced.trusted_private"], private);
        assert_eq!(features["io.element.e2ee_forced.public"], public);
    }
}

#[tokio::test]
async fn well_known_pages_say_where_the_server_is() {
    let server = TestServer::start().await;
    let (_, body) = server.get("/.well-known/matrix/client", "").await;
    assert_eq!(body, json!({ "m.homeserver": { "base_url": "https://example.org" } }));
    assert_refused(&server.get("/.well-known/matrix/server", "").await, 404, "M_NOT_FOUND");
    assert_refused(&server.get("/.well-known/matrix/support", "").await, 404, "M_NOT_FOUND");

    let server = TestServer::with(|config| {
        config.client.base_url = "https://matrix.example.org/".to_owned();
        config.admin.email = "alice@example.org".to_owned();
    })
    .await;
    let (_, body) = server.get("/.well-known/matrix/client", "").await;
    assert_eq!(body["m.homeserver"]["base_url"], "https://matrix.example.org");
    let (_, body) = server.get("/.well-known/matrix/server", "").await;
    assert_eq!(body, json!({ "m.server": "matrix.example.org:443" }));
    let (_, body) = server.get("/.well-known/matrix/support", "").await;
    let contact = json!({ "role": "m.role.admin", "email_address": "alice@example.org" });
    assert_eq!(body["contacts"], json!([contact]));
}

#[tokio::test]
async fn health_answers_while_the_database_does() {
    let server = TestServer::start().await;
    assert_eq!(server.get("/health", "").await.0, StatusCode::OK);
}

#[tokio::test]
async fn unknown_paths_and_methods_are_unrecognized() {
    let server = TestServer::start().await;
    assert_refused(&server.get("/_matrix/client/v3/nothing", "").await, 404, "M_UNRECOGNIZED");
    assert_refused(&server.get("/", "").await, 404, "M_UNRECOGNIZED");
    let answer = server.call("PATCH", "/_matrix/client/versions", "", None).await;
    assert_refused(&answer, 405, "M_UNRECOGNIZED");
}

#[tokio::test]
async fn browsers_of_any_origin_may_ask() {
    let server = TestServer::start().await;
    for path in
        ["/_matrix/client/versions", "/_matrix/client/v3/nothing", "/.well-known/matrix/client"]
    {
        let (_, headers, _) = send(&server, "GET", path).await;
        assert_eq!(headers[header::ACCESS_CONTROL_ALLOW_ORIGIN], "*", "{path}");
    }
    for path in
        ["/_matrix/client/v3/login", "/_matrix/media/v3/upload", "/.well-known/matrix/client"]
    {
        let (status, headers, _) = send(&server, "OPTIONS", path).await;
        assert_eq!(status, StatusCode::OK, "{path}");
        let allowed =
            headers[header::ACCESS_CONTROL_ALLOW_HEADERS].to_str().unwrap().to_lowercase();
        for name in ["x-requested-with", "content-type", "authorization"] {
            assert!(allowed.contains(name), "{path}: {allowed}");
        }
        let methods = headers[header::ACCESS_CONTROL_ALLOW_METHODS].to_str().unwrap();
        for method in ["GET", "POST", "PUT", "DELETE", "OPTIONS"] {
            assert!(methods.contains(method), "{path}: {methods}");
        }
    }
}

#[tokio::test]
async fn a_request_has_a_number_to_find_it_in_the_log() {
    let server = TestServer::start().await;
    let number = async || {
        send(&server, "GET", "/health").await.1["x-request-id"].to_str().unwrap().to_owned()
    };
    assert_ne!(number().await, number().await);
}

#[tokio::test]
async fn only_larger_json_is_compressed() {
    let server = TestServer::with(|config| {
        config.admin.email = format!("{}@example.org", "a".repeat(2_000));
    })
    .await;
    let ask = async |path: &str| {
        let request = Request::builder().uri(path).header(header::ACCEPT_ENCODING, "gzip");
        server.send(request.body(Body::empty()).unwrap()).await.1
    };
    let large = ask("/.well-known/matrix/support").await;
    assert_eq!(large.get(header::CONTENT_ENCODING).map(|it| it.as_bytes()), Some(&b"gzip"[..]));
    let small = ask("/.well-known/matrix/client").await;
    assert_eq!(small.get(header::CONTENT_ENCODING), None);
}

#[tokio::test]
async fn a_body_over_the_limit_is_refused() {
    let server = TestServer::start().await;
    let body = Value::String("a".repeat(3 * 1024 * 1024));
    let answer = server.post("/_matrix/client/v3/login", "", body).await;
    assert_refused(&answer, 413, "M_TOO_LARGE");
}
