//! Key backups: versions, counts, the merge rule. Through HTTP, on a real database.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "helpers of tests, where a panic is a failure"
)]

mod common;

use common::{TestServer, User, assert_refused};
use serde_json::{Value, json};

const VERSION: &str = "/_matrix/client/v3/room_keys/version";
const KEYS: &str = "/_matrix/client/v3/room_keys/keys";

fn session(index: u64, forwarded: u64, verified: bool) -> Value {
    json!({
        "first_message_index": index, "forwarded_count": forwarded, "is_verified": verified,
        "session_data": { "ephemeral": "YQ", "ciphertext": "Yg", "mac": "Yw" },
    })
}

async fn new_backup(server: &TestServer, user: &User) -> String {
    let body = json!({
        "algorithm": "m.megolm_backup.v1.curve25519-aes-sha2",
        "auth_data": { "public_key": "YWJj", "signatures": {} },
    });
    let (status, body) = server.post(VERSION, &user.token, body).await;
    assert_eq!(status, 200, "{body}");
    body["version"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_backed_up_session_is_replaced_only_by_a_better_one() {
    let server = TestServer::start().await;
    let alice = server.register("alice").await;
    let version = new_backup(&server, &alice).await;
    let path = format!("{KEYS}/!room:example.org/session?version={version}");
    let mut etag = Value::Null;
    let steps = [
        (session(10, 1, false), true),
        (session(11, 0, false), false),
        (session(10, 2, false), false),
        (session(10, 0, false), true),
        (session(9, 5, false), true),
        (session(20, 9, true), true),
        (session(0, 0, false), false),
    ];
    let mut best = Value::Null;
    for (session, better) in steps {
        let (status, answer) = server.put(&path, &alice.token, session.clone()).await;
        assert_eq!((status.as_u16(), &answer["count"]), (200, &json!(1)));
        assert_eq!(answer["etag"] != etag, better, "{session}");
        etag = answer["etag"].clone();
        if better {
            best = session;
        }
        assert_eq!(server.get(&path, &alice.token).await.1, best);
    }
    let (_, info) = server.get(VERSION, &alice.token).await;
    assert_eq!((&info["etag"], &info["count"]), (&etag, &json!(1)));
}

#[tokio::test]
async fn keys_for_an_old_backup_version_are_refused_with_the_current_one() {
    let server = TestServer::start().await;
    let alice = server.register("alice").await;
    let old = new_backup(&server, &alice).await;
    let new = new_backup(&server, &alice).await;
    let body =
        json!({ "rooms": { "!room:example.org": { "sessions": { "a": session(0, 0, true) } } } });
    let answer = server.put(&format!("{KEYS}?version={old}"), &alice.token, body.clone()).await;
    assert_refused(&answer, 403, "M_WRONG_ROOM_KEYS_VERSION");
    assert_eq!(answer.1["current_version"], new.as_str());

    let (status, _) =
        server.put(&format!("{KEYS}?version={new}"), &alice.token, body.clone()).await;
    assert_eq!(status, 200);
    let (_, found) = server.get(&format!("{KEYS}?version={new}"), &alice.token).await;
    assert_eq!(found, body);
    let (_, room) =
        server.get(&format!("{KEYS}/!room:example.org?version={new}"), &alice.token).await;
    assert_eq!(room, body["rooms"]["!room:example.org"]);
    let (_, state) = server.delete(&format!("{KEYS}?version={new}"), &alice.token).await;
    assert_eq!(state["count"], 0);
}

#[tokio::test]
async fn a_deleted_backup_is_gone_and_its_number_is_not_given_again() {
    let server = TestServer::start().await;
    let alice = server.register("alice").await;
    assert_refused(&server.get(VERSION, &alice.token).await, 404, "M_NOT_FOUND");
    let first = new_backup(&server, &alice).await;
    let (status, _) = server.delete(&format!("{VERSION}/{first}"), &alice.token).await;
    assert_eq!(status, 200);
    assert_refused(&server.get(VERSION, &alice.token).await, 404, "M_NOT_FOUND");
    assert_refused(
        &server.get(&format!("{KEYS}?version={first}"), &alice.token).await,
        404,
        "M_NOT_FOUND",
    );
    assert_ne!(new_backup(&server, &alice).await, first);
}
