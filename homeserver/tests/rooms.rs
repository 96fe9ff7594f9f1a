//! What is sent into rooms, through the doors.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "helpers of tests, where a panic is a failure"
)]

mod common;

use common::{
    TestServer,
    rooms::{encoded, room, send},
};
use serde_json::json;

#[tokio::test]
async fn a_redaction_takes_the_content_and_names_what_it_took_in_both_places() {
    let server = TestServer::start().await;
    let alice = server.register("alice").await;
    for version in ["10", "12"] {
        let body = json!({ "room_version": version });
        let (_, made) = server.post("/_matrix/client/v3/createRoom", &alice.token, body).await;
        let room_id = made["room_id"].as_str().unwrap();
        let event_id = send(&server, &alice, room_id, "regrettable").await;
        let rooms = format!("/_matrix/client/v3/rooms/{}", encoded(room_id));
        let path = format!("{rooms}/redact/{}/1", encoded(&event_id));
        let (status, answer) = server.put(&path, &alice.token, json!({ "reason": "oops" })).await;
        assert_eq!(status, 200, "{version}: {answer}");
        let path = format!("{rooms}/event/{}", encoded(&event_id));
        let (_, redacted) = server.get(&path, &alice.token).await;
        assert_eq!(redacted["content"], json!({}), "{version}: {redacted}");
        let because = &redacted["unsigned"]["redacted_because"];
        assert_eq!(because["event_id"], answer["event_id"], "{version}: {redacted}");
        assert_eq!(because["redacts"], event_id, "{version}: {redacted}");
        assert_eq!(because["content"]["redacts"], event_id, "{version}: {redacted}");
        assert_eq!(because["content"]["reason"], "oops", "{version}: {redacted}");
    }
}

#[tokio::test]
async fn a_transaction_id_counts_for_its_own_room_and_endpoint() {
    let server = TestServer::start().await;
    let alice = server.register("alice").await;
    let (one, other) = (room(&server, &alice, &[]).await, room(&server, &alice, &[]).await);
    let mut sent = Vec::new();
    for (room_id, endpoint) in [
        (&one, "send/m.room.message"),
        (&other, "send/m.room.message"),
        (&one, "send/org.example.note"),
    ] {
        let path = format!("/_matrix/client/v3/rooms/{}/{endpoint}/same", encoded(room_id));
        let body = json!({ "msgtype": "m.text", "body": "once" });
        let (status, first) = server.put(&path, &alice.token, body.clone()).await;
        assert_eq!(status, 200, "{first}");
        let (_, again) = server.put(&path, &alice.token, body).await;
        assert_eq!(again, first);
        sent.push(first["event_id"].as_str().unwrap().to_owned());
    }
    for event_id in sent.clone() {
        let path = format!(
            "/_matrix/client/v3/rooms/{}/redact/{}/same",
            encoded(if event_id == sent[1] { &other } else { &one }),
            encoded(&event_id)
        );
        let (status, redaction) = server.put(&path, &alice.token, json!({})).await;
        assert_eq!(status, 200, "{redaction}");
        sent.push(redaction["event_id"].as_str().unwrap().to_owned());
    }
    sent.sort();
    sent.dedup();
    assert_eq!(sent.len(), 6, "each is an event of its own");
}
