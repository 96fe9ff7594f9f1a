//! Previews of links: what a page says and shows, once for many askers, and what is not fetched at all.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "helpers of tests, where a panic is a failure"
)]

mod common;

use std::{
    io::Cursor,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use axum::{
    Router,
    body::Body,
    http::{Request, StatusCode, header},
    response::{Html, IntoResponse as _, Redirect},
    routing::get,
};
use common::{Answer, TestServer, User, assert_refused};
use image::{DynamicImage, ImageFormat, RgbImage};
use tern_homeserver::config::{Config, RateLimits};
use tokio::sync::Notify;

const PAGE: &str = r#"<html prefix="og: http://ogp.me/ns#"><head><title>The Rock (1996)</title>
<meta property="og:title" content="The Rock"><meta property="og:type" content="video.movie">
<meta property="og:url" content="http://www.example.org/title/"><meta name="description" content="A film.">
<meta property="og:image" content="test.png"></head><body></body></html>"#;

/// A web site on loopback.
struct Site {
    url: String,
    /// How often the page was fetched.
    asked: Arc<AtomicUsize>,
    /// Lets the slow page go on.
    go: Arc<Notify>,
}

fn png(width: u32, height: u32) -> Vec<u8> {
    let mut bytes = Vec::new();
    DynamicImage::from(RgbImage::new(width, height))
        .write_to(&mut Cursor::new(&mut bytes), ImageFormat::Png)
        .unwrap();
    bytes
}

fn picture(content_type: &'static str, bytes: Vec<u8>) -> axum::routing::MethodRouter {
    get(move || async move { ([(header::CONTENT_TYPE, content_type)], bytes).into_response() })
}

async fn site() -> Site {
    let (asked, go) = (Arc::new(AtomicUsize::new(0)), Arc::new(Notify::new()));
    let (count, gone) = (asked.clone(), go.clone());
    let slow = move || async move {
        count.fetch_add(1, Ordering::SeqCst);
        gone.notified().await;
        Html(PAGE)
    };
    let count = asked.clone();
    let page = move || async move {
        count.fetch_add(1, Ordering::SeqCst);
        Html(PAGE)
    };
    let named =
        |image: &str| Html(format!("<title>t</title><meta property=og:image content='{image}'>"));
    let (bad, inner, script) = (named("no.png"), named("http://127.0.0.2:1/a.png"), named("a.svg"));
    let mut bomb = png(1, 1);
    bomb[16..20].copy_from_slice(&30_000u32.to_be_bytes());
    bomb[20..24].copy_from_slice(&30_000u32.to_be_bytes());
    let huge =
        format!("<title>first</title>{}<meta property=og:type content=late>", "x".repeat(2 << 20));
    let router = Router::new()
        .route("/page", get(page))
        .route("/slow", get(slow))
        .route("/test.png", picture("image/png", png(279, 129)))
        .route("/no.png", picture("image/png", bomb))
        .route("/a.svg", picture("image/svg+xml", b"<svg onload='alert(1)'/>".to_vec()))
        .route("/large.png", picture("image/png", [png(2, 2), vec![0; 6 << 20]].concat()))
        .route("/bad", get(|| async { bad }))
        .route("/inner", get(|| async { inner }))
        .route("/script", get(|| async { script }))
        .route("/huge", get(|| async { Html(huge) }))
        .route("/text", get(|| async { "no page" }))
        .route("/away", get(|| async { Redirect::temporary("http://127.0.0.2:1/") }));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });
    Site { url, asked, go }
}

/// Opens one loopback address, on any port.
fn open(config: &mut Config) {
    config.previews.allow_networks = vec!["127.0.0.1".to_owned()];
    config.previews.ports = Vec::new();
}

async fn world() -> (TestServer, User, Site) {
    let server = TestServer::with(open).await;
    let alice = server.register("alice").await;
    (server, alice, site().await)
}

async fn ask(server: &TestServer, user: &User, url: &str) -> Answer {
    let path = format!("/_matrix/client/v1/media/preview_url?url={url}");
    server.get(&path, &user.token).await
}

#[tokio::test]
async fn a_page_says_what_it_is_and_shows_its_picture() {
    let (server, alice, site) = world().await;
    for path in ["client/v1/media", "media/v3", "media/r0"] {
        let path = format!("/_matrix/{path}/preview_url?url={}/page&ts=1", site.url);
        let (status, preview) = server.get(&path, &alice.token).await;
        assert_eq!(status, StatusCode::OK, "{preview}");
        assert_eq!(preview["og:title"], "The Rock");
        assert_eq!(preview["og:type"], "video.movie");
        assert_eq!(preview["og:url"], "http://www.example.org/title/");
        assert_eq!(preview["og:description"], "A film.");
        assert_eq!(preview["og:image:width"], 279);
        assert_eq!(preview["og:image:height"], 129);
        assert_eq!(preview["og:image:type"], "image/png");
        assert_eq!(preview["matrix:image:size"], png(279, 129).len());
        let id = preview["og:image"].as_str().unwrap().strip_prefix("mxc://").unwrap();
        let path = format!("/_matrix/client/v1/media/download/{id}");
        let request = Request::get(&path)
            .header(header::AUTHORIZATION, format!("Bearer {}", alice.token))
            .body(Body::empty())
            .unwrap();
        let (_, headers, bytes) = server.send(request).await;
        assert_eq!(headers[header::CONTENT_TYPE], "image/png");
        assert!(bytes == png(279, 129));
    }
    assert_eq!(site.asked.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_link_to_a_picture_is_its_own_preview_and_other_files_have_none() {
    let (server, alice, site) = world().await;
    let (_, preview) = ask(&server, &alice, &format!("{}/test.png", site.url)).await;
    assert_eq!(preview["og:title"], "test.png");
    assert_eq!(preview["og:image:width"], 279);
    for path in ["text", "large.png", "a.svg", "no.png"] {
        let (status, preview) = ask(&server, &alice, &format!("{}/{path}", site.url)).await;
        assert_eq!(status, StatusCode::OK);
        assert!(preview.get("og:image").is_none(), "{path}: {preview}");
    }
}

#[tokio::test]
async fn a_page_whose_picture_is_none_or_forbidden_has_a_preview_without_it() {
    let (server, alice, site) = world().await;
    for path in ["bad", "inner", "script"] {
        let (_, preview) = ask(&server, &alice, &format!("{}/{path}", site.url)).await;
        assert_eq!(preview, serde_json::json!({ "og:title": "t" }), "{path}");
    }
    let (_, preview) = ask(&server, &alice, &format!("{}/huge", site.url)).await;
    assert_eq!(preview, serde_json::json!({ "og:title": "first" }));
}

#[tokio::test]
async fn many_askers_wait_for_one_fetch_which_goes_on_without_them() {
    let (server, alice, site) = world().await;
    let url = format!("{}/slow", site.url);
    let early = tokio::time::timeout(Duration::from_millis(1), ask(&server, &alice, &url)).await;
    assert!(early.is_err(), "it has not been let go");
    let asking = async { tokio::join!(ask(&server, &alice, &url), ask(&server, &alice, &url)) };
    let letting = async { site.go.notify_one() };
    let ((first, second), ()) = tokio::join!(asking, letting);
    assert_eq!(first.1["og:title"], "The Rock");
    assert_eq!(first.1, second.1);
    assert_eq!(site.asked.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_preview_is_made_anew_after_an_hour_and_its_picture_kept_once() {
    let (server, alice, site) = world().await;
    let url = format!("{}/page", site.url);
    let (_, first) = ask(&server, &alice, &url).await;
    server.app.clock.turn(Duration::from_secs(3_601));
    let (_, second) = ask(&server, &alice, &url).await;
    assert_eq!(site.asked.load(Ordering::SeqCst), 2);
    assert_eq!(first["og:image"], second["og:image"]);
}

#[tokio::test]
async fn pictures_of_previews_go_when_there_is_no_room() {
    let server = TestServer::with(|config| {
        open(config);
        config.limits.remote_media_bytes_max = 0;
    })
    .await;
    let (alice, site) = (server.register("alice").await, site().await);
    let (_, preview) = ask(&server, &alice, &format!("{}/page", site.url)).await;
    let id = preview["og:image"].as_str().unwrap().strip_prefix("mxc://").unwrap().to_owned();
    let path = format!("/_matrix/client/v1/media/download/{id}");
    assert_refused(&server.get(&path, &alice.token).await, 404, "M_NOT_FOUND");
}

#[tokio::test]
async fn what_is_no_page_or_not_to_be_asked_is_refused() {
    let (server, alice, site) = world().await;
    let check = async |url: &str, status: u16, errcode: &str| {
        assert_refused(&ask(&server, &alice, url).await, status, errcode);
    };
    check("nothing", 400, "M_INVALID_PARAM").await;
    check("file:///etc/passwd", 400, "M_INVALID_PARAM").await;
    check("http://alice:secret@example.org/", 400, "M_INVALID_PARAM").await;
    for host in ["127.0.0.2", "10.0.0.1", "169.254.169.254", "[::1]", "0x7f000002", "192.168.1.1"] {
        check(&format!("http://{host}/"), 403, "M_FORBIDDEN").await;
    }
    check(&format!("{}/away", site.url), 403, "M_FORBIDDEN").await;
    check(&format!("{}/missing", site.url), 502, "M_UNKNOWN").await;
    let bare = "/_matrix/client/v1/media/preview_url";
    assert_refused(&server.get(bare, &alice.token).await, 400, "M_MISSING_PARAM");
    let path = format!("{bare}?url={}/page", site.url);
    assert_refused(&server.get(&path, "").await, 401, "M_MISSING_TOKEN");
    assert_eq!(site.asked.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn by_default_nothing_private_and_no_other_port_is_asked() {
    let server = TestServer::start().await;
    let (alice, site) = (server.register("alice").await, site().await);
    let port = site.url.rsplit(':').next().unwrap();
    for url in [format!("{}/page", site.url), "http://127.0.0.1/".to_owned()] {
        assert_refused(&ask(&server, &alice, &url).await, 403, "M_FORBIDDEN");
    }
    // A name that leads into a private network is like one that leads nowhere.
    assert_refused(&ask(&server, &alice, "http://localhost/").await, 502, "M_UNKNOWN");
    let federation = TestServer::with(|config| {
        config.federation.allow_networks = vec!["127.0.0.0/8".to_owned()];
        config.previews.ports = Vec::new();
    })
    .await;
    let alice = federation.register("alice").await;
    let url = format!("http://localhost:{port}/page");
    assert_refused(&ask(&federation, &alice, &url).await, 502, "M_UNKNOWN");
    assert_eq!(site.asked.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn previews_can_be_switched_off_and_are_limited_per_user() {
    let server = TestServer::with(|config| config.previews.enabled = false).await;
    let alice = server.register("alice").await;
    let answer = ask(&server, &alice, "https://example.org/").await;
    assert_refused(&answer, 404, "M_UNRECOGNIZED");

    let server = TestServer::with(|config| config.limits.rate = RateLimits::Default).await;
    let alice = server.register("alice").await;
    let mut last = ask(&server, &alice, "http://127.0.0.1/").await;
    for _ in 0..200 {
        if last.0 == StatusCode::TOO_MANY_REQUESTS {
            break;
        }
        last = ask(&server, &alice, "http://127.0.0.1/").await;
    }
    assert_refused(&last, 429, "M_LIMIT_EXCEEDED");
}
