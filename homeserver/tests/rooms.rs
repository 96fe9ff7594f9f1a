//! What is sent into rooms, through the doors.

mod common;

use common::{
    PASSWORD, TestServer, User, assert_refused,
    rooms::{act, encoded, room, send, sync},
};
use serde_json::{Value, json};

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

async fn member(server: &TestServer, asker: &User, room_id: &str, user_id: &str) -> Value {
    let path = format!(
        "/_matrix/client/v3/rooms/{}/state/m.room.member/{}",
        encoded(room_id),
        encoded(user_id)
    );
    server.get(&path, &asker.token).await.1
}

#[tokio::test]
async fn a_new_name_reaches_every_room_once_and_changes_no_device_list() {
    let server = TestServer::start().await;
    let (alice, bob) = (server.register("alice").await, server.register("bob").await);
    let room_id = room(&server, &alice, &[&bob]).await;
    let before = sync(&server, &bob, "").await;
    let path = format!("/_matrix/client/v3/profile/{}/displayname", encoded(&alice.user_id));
    for _ in 0..2 {
        let (status, answer) =
            server.put(&path, &alice.token, json!({ "displayname": "Alice A." })).await;
        assert_eq!(status, 200, "{answer}");
        server.run_jobs().await;
    }
    assert_eq!(member(&server, &bob, &room_id, &alice.user_id).await["displayname"], "Alice A.");
    let since = before["next_batch"].as_str().unwrap();
    let after = sync(&server, &bob, &format!("since={since}")).await;
    let room = &after["rooms"]["join"][&room_id];
    assert_eq!(room["timeline"]["events"].as_array().unwrap().len(), 1, "{room}");
    assert!(after["device_lists"]["changed"].is_null(), "{after}");

    let to = after["next_batch"].as_str().unwrap();
    let changes = async |from: &str| {
        let path = format!("/_matrix/client/v3/keys/changes?from={from}&to={to}");
        server.get(&path, &bob.token).await
    };
    assert_eq!(changes(since).await.1["changed"], json!([]));
    assert_refused(&changes("s12_34").await, 400, "M_INVALID_PARAM");
}

#[tokio::test]
async fn a_deactivated_user_is_out_of_every_room() {
    let server = TestServer::start().await;
    let (alice, bob) = (server.register("alice").await, server.register("bob").await);
    let joined = room(&server, &alice, &[&bob]).await;
    let invited = room(&server, &alice, &[]).await;
    act(&server, &alice, &invited, "invite", json!({ "user_id": bob.user_id })).await;
    let auth = json!({ "auth": {
        "type": "m.login.password", "password": PASSWORD,
        "identifier": { "type": "m.id.user", "user": "bob" },
    } });
    let path = "/_matrix/client/v3/account/deactivate";
    let (status, answer) = server.post(path, &bob.token, auth).await;
    assert_eq!(status, 200, "{answer}");
    server.run_jobs().await;
    for room_id in [joined, invited] {
        let member = member(&server, &alice, &room_id, &bob.user_id).await;
        assert_eq!(member["membership"], "leave", "{member}");
    }
}

#[tokio::test]
async fn a_server_that_stops_answers_who_waits() {
    let server = TestServer::start().await;
    let alice = server.register("alice").await;
    let first = sync(&server, &alice, "").await;
    let query = format!("since={}&timeout=300000", first["next_batch"].as_str().unwrap());
    let waiting = sync(&server, &alice, &query);
    let stopping = async { server.app.bell.close() };
    let (answer, ()) = tokio::join!(waiting, stopping);
    assert_eq!(answer["rooms"], Value::Null, "{answer}");
}

#[tokio::test]
async fn a_place_in_a_timeline_from_before_a_restored_backup_hides_nothing() {
    let server = TestServer::start().await;
    let alice = server.register("alice").await;
    let room_id = room(&server, &alice, &[]).await;
    let first = send(&server, &alice, &room_id, "first").await;
    let last = send(&server, &alice, &room_id, "last").await;
    let messages = format!("/_matrix/client/v3/rooms/{}/messages", encoded(&room_id));
    let ids = |page: &Value| -> Vec<String> {
        let chunk = page["chunk"].as_array().unwrap();
        chunk.iter().map(|event| event["event_id"].as_str().unwrap().to_owned()).collect()
    };
    let (_, newest) = server.get(&format!("{messages}?dir=b&limit=1"), &alice.token).await;
    assert_eq!(ids(&newest), [&*last]);
    let here = newest["end"].as_str().unwrap();
    let (_, next) =
        server.get(&format!("{messages}?dir=b&limit=1&from={here}"), &alice.token).await;
    assert_eq!(ids(&next), [&*first]);

    let epoch = here.split('_').nth(1).unwrap();
    let elsewhere = here.replace(epoch, "00000000");
    let from = |dir: &str| format!("{messages}?dir={dir}&limit=100&from={elsewhere}");
    let (_, back) = server.get(&from("b"), &alice.token).await;
    assert_eq!(ids(&back)[..2], [&*last, &*first], "from the newest: {back}");
    let (_, forth) = server.get(&from("f"), &alice.token).await;
    assert_eq!(ids(&forth), ids(&back).into_iter().rev().collect::<Vec<_>>(), "from the oldest");
    let answer = server.get(&format!("{messages}?dir=b&from=p3"), &alice.token).await;
    assert_refused(&answer, 400, "M_INVALID_PARAM");
}
