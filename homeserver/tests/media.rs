//! Files: up, down, in parts, as thumbnails; and that nothing in them runs in a browser.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "helpers of tests, where a panic is a failure"
)]

mod common;

use std::io::Cursor;

use axum::{
    body::{Body, Bytes},
    http::{HeaderMap, Request, StatusCode, header},
};
use common::{TestServer, User, assert_refused};
use futures_util::stream;
use image::{DynamicImage, ImageFormat, RgbImage, RgbaImage};
use serde_json::Value;

/// A server and a user on it.
async fn server() -> (TestServer, User) {
    let server = TestServer::start().await;
    let alice = server.register("alice").await;
    (server, alice)
}

fn request(method: &str, path: &str, user: &User) -> http::request::Builder {
    let bearer = format!("Bearer {}", user.token);
    Request::builder().method(method).uri(path).header(header::AUTHORIZATION, bearer)
}

async fn upload(
    server: &TestServer,
    user: &User,
    content_type: &str,
    name: &str,
    bytes: &[u8],
) -> String {
    let path = format!("/_matrix/media/v3/upload?filename={name}");
    let request = request("POST", &path, user).header(header::CONTENT_TYPE, content_type);
    let (status, _, body) = server.send(request.body(Body::from(bytes.to_vec())).unwrap()).await;
    let body: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(status, StatusCode::OK, "{body}");
    let uri = body["content_uri"].as_str().unwrap();
    uri.strip_prefix("mxc://").unwrap().to_owned()
}

async fn get(server: &TestServer, user: &User, path: &str) -> (StatusCode, HeaderMap, Vec<u8>) {
    server.send(request("GET", path, user).body(Body::empty()).unwrap()).await
}

fn download_path(id: &str) -> String {
    format!("/_matrix/client/v1/media/download/{id}")
}

fn png(width: u32, height: u32) -> Vec<u8> {
    let mut bytes = Vec::new();
    DynamicImage::from(RgbImage::new(width, height))
        .write_to(&mut Cursor::new(&mut bytes), ImageFormat::Png)
        .unwrap();
    bytes
}

/// The files of the store, those under way too.
fn stored(server: &TestServer) -> usize {
    let mut folders = vec![server.folder().join("media")];
    let mut files = 0;
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { folders.push(path) } else { files += 1 }
        }
    }
    files
}

#[tokio::test]
async fn a_file_comes_back_as_it_went_up() {
    let (server, alice) = server().await;
    let bytes: Vec<u8> = (0..3_000_000u32).map(|number| (number % 251) as u8).collect();
    let id = upload(&server, &alice, "video/mp4", "film.mp4", &bytes).await;
    assert!(id.starts_with("example.org/"));
    let (status, headers, body) = get(&server, &alice, &download_path(&id)).await;
    assert_eq!(status, StatusCode::OK);
    assert!(body == bytes);
    assert_eq!(headers[header::CONTENT_TYPE], "video/mp4");
    assert_eq!(headers[header::CONTENT_LENGTH], "3000000");
    assert_eq!(headers[header::CONTENT_DISPOSITION], "inline; filename=film.mp4");
}

#[tokio::test]
async fn nothing_in_a_file_runs_in_a_browser() {
    let (server, alice) = server().await;
    for content_type in ["text/html", "Text/HTML", "image/svg+xml", "application/xhtml+xml"] {
        let id = upload(&server, &alice, content_type, "page", b"<script>alert(1)</script>").await;
        let (_, headers, _) = get(&server, &alice, &download_path(&id)).await;
        let disposition = headers[header::CONTENT_DISPOSITION].to_str().unwrap();
        assert!(disposition.starts_with("attachment"), "{content_type}: {disposition}");
        let policy = headers[header::CONTENT_SECURITY_POLICY].to_str().unwrap();
        assert!(policy.contains("sandbox") && policy.contains("script-src 'none'"), "{policy}");
        assert_eq!(headers[header::X_CONTENT_TYPE_OPTIONS], "nosniff");
        assert_eq!(headers["cross-origin-resource-policy"], "cross-origin");
    }
}

#[tokio::test]
async fn the_asker_may_choose_the_name() {
    let (server, alice) = server().await;
    let id = upload(&server, &alice, "text/plain", "a.txt", b"hello").await;
    let (_, headers, _) = get(&server, &alice, &format!("{}/b.txt", download_path(&id))).await;
    assert_eq!(headers[header::CONTENT_DISPOSITION], "inline; filename=b.txt");
}

#[tokio::test]
async fn files_are_for_people_with_an_account() {
    let (server, alice) = server().await;
    let id = upload(&server, &alice, "text/plain", "a.txt", b"hello").await;
    assert_refused(&server.get(&download_path(&id), "").await, 401, "M_MISSING_TOKEN");
    assert_refused(&server.get(&download_path(&id), "wrong").await, 401, "M_UNKNOWN_TOKEN");
    // The old routes asked for no token; they are gone.
    let old = format!("/_matrix/media/v3/download/{id}");
    assert_refused(&server.get(&old, "").await, 404, "M_UNRECOGNIZED");
    let upload = server.call("POST", "/_matrix/media/v3/upload", "", None).await;
    assert_refused(&upload, 401, "M_MISSING_TOKEN");
}

#[tokio::test]
async fn a_part_of_a_file_can_be_asked_for() {
    let (server, alice) = server().await;
    let id = upload(&server, &alice, "text/plain", "a.txt", b"0123456789").await;
    let part = async |range: &str| {
        let request = request("GET", &download_path(&id), &alice).header(header::RANGE, range);
        server.send(request.body(Body::empty()).unwrap()).await
    };
    for (range, expected, content_range) in [
        ("bytes=0-3", "0123", "bytes 0-3/10"),
        ("bytes=7-", "789", "bytes 7-9/10"),
        ("bytes=-2", "89", "bytes 8-9/10"),
        ("bytes=5-500", "56789", "bytes 5-9/10"),
    ] {
        let (status, headers, body) = part(range).await;
        assert_eq!((status, body.as_slice()), (StatusCode::PARTIAL_CONTENT, expected.as_bytes()));
        assert_eq!(headers[header::CONTENT_RANGE], content_range);
        assert_eq!(headers[header::CONTENT_LENGTH], expected.len().to_string());
    }
    assert_eq!(part("bytes=10-").await.0, StatusCode::RANGE_NOT_SATISFIABLE);
    let (status, _, body) = part("bytes=0-1,4-5").await;
    assert_eq!((status, body.as_slice()), (StatusCode::OK, &b"0123456789"[..]));
}

#[tokio::test]
async fn a_file_at_the_limit_passes_and_one_byte_more_does_not() {
    let server = TestServer::with(|config| config.limits.upload_bytes_max = 1_000).await;
    let alice = server.register("alice").await;
    upload(&server, &alice, "text/plain", "a", &[b'a'; 1_000]).await;
    let files = stored(&server);
    let post = || request("POST", "/_matrix/media/v3/upload", &alice);
    let (status, _, body) = server.send(post().body(Body::from(vec![b'a'; 1_001])).unwrap()).await;
    assert_refused(&(status, serde_json::from_slice(&body).unwrap()), 413, "M_TOO_LARGE");
    // The same without a length said before.
    let chunks = (0..11).map(|_| Ok::<_, std::io::Error>(Bytes::from(vec![b'a'; 100])));
    let (status, headers, body) =
        server.send(post().body(Body::from_stream(stream::iter(chunks))).unwrap()).await;
    assert_refused(&(status, serde_json::from_slice(&body).unwrap()), 413, "M_TOO_LARGE");
    assert_eq!(
        headers[header::CONNECTION],
        "close",
        "the rest of a file would be the next request"
    );
    assert_eq!(stored(&server), files, "something was left behind");
    let (_, config) = server.get("/_matrix/client/v1/media/config", &alice.token).await;
    assert_eq!(config["m.upload.size"], 1_000);
}

#[tokio::test]
async fn the_same_bytes_are_kept_once() {
    let (server, alice) = server().await;
    let first = upload(&server, &alice, "text/plain", "a", b"the same").await;
    let files = stored(&server);
    let second = upload(&server, &alice, "text/html", "b", b"the same").await;
    assert_ne!(first, second);
    assert_eq!(stored(&server), files);
    let (_, headers, _) = get(&server, &alice, &download_path(&first)).await;
    assert_eq!(headers[header::CONTENT_TYPE], "text/plain");
}

#[tokio::test]
async fn a_broken_upload_leaves_nothing_behind() {
    let (server, alice) = server().await;
    let chunks = [Ok(Bytes::from_static(b"half")), Err(std::io::Error::other("gone"))];
    let request = request("POST", "/_matrix/media/v3/upload", &alice);
    let (status, ..) =
        server.send(request.body(Body::from_stream(stream::iter(chunks))).unwrap()).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert_eq!(stored(&server), 0);
}

#[tokio::test]
async fn an_id_can_be_reserved_and_filled_once() {
    let (server, alice) = server().await;
    let bob = server.register("bob").await;
    let (status, body) = server.call("POST", "/_matrix/media/v1/create", &alice.token, None).await;
    assert_eq!(status, StatusCode::OK, "{body}");
    assert!(body["unused_expires_at"].as_i64().unwrap() > server.app.clock.now_ms());
    let id = body["content_uri"].as_str().unwrap().strip_prefix("mxc://").unwrap().to_owned();

    let early = format!("{}?timeout_ms=0", download_path(&id));
    assert_refused(&server.get(&early, &alice.token).await, 504, "M_NOT_YET_UPLOADED");

    let path = format!("/_matrix/media/v3/upload/{id}");
    let put = async |user: &User| {
        let request = request("PUT", &path, user).header(header::CONTENT_TYPE, "text/plain");
        let (status, _, body) = server.send(request.body(Body::from("hello")).unwrap()).await;
        (status, serde_json::from_slice::<Value>(&body).unwrap())
    };
    assert_refused(&put(&bob).await, 403, "M_FORBIDDEN");
    assert_eq!(put(&alice).await.0, StatusCode::OK);
    assert_refused(&put(&alice).await, 409, "M_CANNOT_OVERWRITE_MEDIA");
    assert_eq!(get(&server, &bob, &download_path(&id)).await.2, b"hello");
}

#[tokio::test]
async fn who_waits_for_a_reserved_file_gets_it_when_it_is_there() {
    let (server, alice) = server().await;
    let (_, body) = server.call("POST", "/_matrix/media/v1/create", &alice.token, None).await;
    let id = body["content_uri"].as_str().unwrap().strip_prefix("mxc://").unwrap().to_owned();
    let path = download_path(&id);
    let waiting = get(&server, &alice, &path);
    let filling = async {
        let path = format!("/_matrix/media/v3/upload/{id}");
        server.send(request("PUT", &path, &alice).body(Body::from("late")).unwrap()).await
    };
    let ((status, _, bytes), _) = tokio::join!(waiting, filling);
    assert_eq!((status, bytes.as_slice()), (StatusCode::OK, &b"late"[..]));
}

#[tokio::test]
async fn a_reserved_id_ends_after_a_day() {
    let (server, alice) = server().await;
    let (_, body) = server.call("POST", "/_matrix/media/v1/create", &alice.token, None).await;
    let id = body["content_uri"].as_str().unwrap().strip_prefix("mxc://").unwrap().to_owned();
    server.app.clock.turn(std::time::Duration::from_secs(24 * 3600 + 1));
    let path = format!("/_matrix/media/v3/upload/{id}");
    assert_refused(&server.put(&path, &alice.token, Value::Null).await, 404, "M_NOT_FOUND");
    assert_refused(&server.get(&download_path(&id), &alice.token).await, 404, "M_NOT_FOUND");
}

#[tokio::test]
async fn there_is_no_file_that_nobody_uploaded() {
    let (server, alice) = server().await;
    let path = download_path("example.org/nothing");
    assert_refused(&server.get(&path, &alice.token).await, 404, "M_NOT_FOUND");
}

#[tokio::test]
async fn thumbnails_fit_and_keep_the_shape() {
    let (server, alice) = server().await;
    let id = upload(&server, &alice, "image/png", "wide.png", &png(1_000, 500)).await;
    let size = async |query: &str| {
        let path = format!("/_matrix/client/v1/media/thumbnail/{id}?{query}");
        let (status, headers, bytes) = get(&server, &alice, &path).await;
        assert_eq!(status, StatusCode::OK, "{}", String::from_utf8_lossy(&bytes));
        assert_eq!(headers[header::CONTENT_TYPE], "image/png");
        assert!(headers[header::CONTENT_DISPOSITION].to_str().unwrap().starts_with("inline"));
        let image = image::load_from_memory(&bytes).unwrap();
        (image.width(), image.height())
    };
    assert_eq!(size("width=320&height=240&method=scale").await, (320, 160));
    assert_eq!(size("width=90&height=90&method=crop").await, (96, 96));
    let files = stored(&server);
    assert_eq!(size("width=300&height=200&method=scale").await, (320, 160));
    assert_eq!(stored(&server), files, "a thumbnail was made twice");
}

#[tokio::test]
async fn a_small_image_is_its_own_thumbnail() {
    let (server, alice) = server().await;
    let bytes = png(20, 10);
    let id = upload(&server, &alice, "image/png", "small.png", &bytes).await;
    let path = format!("/_matrix/client/v1/media/thumbnail/{id}?width=320&height=240");
    assert!(get(&server, &alice, &path).await.2 == bytes);
}

#[tokio::test]
async fn transparency_survives() {
    let (server, alice) = server().await;
    let mut bytes = Vec::new();
    let image = DynamicImage::from(RgbaImage::new(700, 700));
    image.write_to(&mut Cursor::new(&mut bytes), ImageFormat::WebP).unwrap();
    let id = upload(&server, &alice, "application/octet-stream", "a.webp", &bytes).await;
    let path = format!("/_matrix/client/v1/media/thumbnail/{id}?width=96&height=96&method=crop");
    let (_, headers, bytes) = get(&server, &alice, &path).await;
    assert_eq!(headers[header::CONTENT_TYPE], "image/png");
    assert!(image::load_from_memory(&bytes).unwrap().color().has_alpha());
}

#[tokio::test]
async fn what_is_no_image_or_too_large_a_one_has_no_thumbnail() {
    let (server, alice) = server().await;
    let thumbnail = async |id: String| {
        let path = format!("/_matrix/client/v1/media/thumbnail/{id}?width=96&height=96");
        server.get(&path, &alice.token).await
    };
    let id = upload(&server, &alice, "image/png", "no.png", b"<svg onload=alert(1)>").await;
    assert_refused(&thumbnail(id).await, 400, "M_UNKNOWN");
    // A header that claims 30,000 x 30,000 pixels: refused before anything is decoded.
    let mut bomb = png(1, 1);
    bomb[16..20].copy_from_slice(&30_000u32.to_be_bytes());
    bomb[20..24].copy_from_slice(&30_000u32.to_be_bytes());
    let id = upload(&server, &alice, "image/png", "bomb.png", &bomb).await;
    assert_refused(&thumbnail(id).await, 400, "M_UNKNOWN");
}

#[tokio::test]
async fn a_hostile_name_or_type_stays_one_header_line() {
    let (server, alice) = server().await;
    let name = "a%0D%0AX-Evil:%20yes";
    let id = upload(&server, &alice, "text/plain", name, b"hello").await;
    let (status, headers, _) = get(&server, &alice, &download_path(&id)).await;
    assert_eq!(status, StatusCode::OK);
    assert!(!headers.contains_key("x-evil"));
}
