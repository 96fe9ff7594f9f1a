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

async fn put_state(
    server: &TestServer,
    user: &User,
    (room_id, slot): (&str, &str),
    content: Value,
) -> common::Answer {
    let path = format!("/_matrix/client/v3/rooms/{}/state/{slot}", encoded(room_id));
    server.put(&path, &user.token, content).await
}

#[tokio::test]
async fn a_rooms_names_must_lead_to_it_and_go_with_their_aliases() {
    let server = TestServer::start().await;
    let alice = server.register("alice").await;
    let (one, other) = (room(&server, &alice, &[]).await, room(&server, &alice, &[]).await);
    for (alias, room_id) in [("one", &one), ("also", &one), ("other", &other)] {
        let path = format!("/_matrix/client/v3/directory/room/%23{alias}%3Aexample.org");
        let (status, answer) = server.put(&path, &alice.token, json!({ "room_id": room_id })).await;
        assert_eq!(status, 200, "{answer}");
    }
    let slot = (&*one, "m.room.canonical_alias");
    for (content, errcode) in [
        (json!({ "alias": "#none:example.org" }), "M_BAD_ALIAS"),
        (json!({ "alias": "#other:example.org" }), "M_BAD_ALIAS"),
        (json!({ "alias": "%one:example.org" }), "M_INVALID_PARAM"),
        (
            json!({ "alias": "#one:example.org", "alt_aliases": ["#none:example.org"] }),
            "M_BAD_ALIAS",
        ),
        (json!({ "alt_aliases": ["#other:example.org"] }), "M_BAD_ALIAS"),
        (json!({ "alt_aliases": ["%one:example.org"] }), "M_INVALID_PARAM"),
    ] {
        assert_refused(&put_state(&server, &alice, slot, content).await, 400, errcode);
    }
    let names = json!({ "alias": "#one:example.org", "alt_aliases": ["#also:example.org"] });
    assert_eq!(put_state(&server, &alice, slot, names).await.0, 200);
    let path = "/_matrix/client/v3/directory/room/%23one%3Aexample.org";
    assert_eq!(server.delete(path, &alice.token).await.0, 200);
    let path = format!("/_matrix/client/v3/rooms/{}/state/m.room.canonical_alias", encoded(&one));
    let (_, kept) = server.get(&path, &alice.token).await;
    assert_eq!(kept, json!({ "alt_aliases": ["#also:example.org"] }));
}

#[tokio::test]
async fn what_no_client_may_send_is_a_bad_request() {
    let server = TestServer::start().await;
    let alice = server.register("alice").await;
    let room_id = room(&server, &alice, &[]).await;
    let again = put_state(&server, &alice, (&room_id, "m.room.create"), json!({})).await;
    assert_refused(&again, 400, "M_BAD_JSON");
    let levels = json!({ "users": { &alice.user_id: 100 } });
    let creator = put_state(&server, &alice, (&room_id, "m.room.power_levels"), levels).await;
    assert_refused(&creator, 400, "M_BAD_JSON");
    let own = format!("m.room.member/{}", encoded(&alice.user_id));
    let join = json!({ "membership": "join", "join_authorised_via_users_server": "unused" });
    assert_eq!(put_state(&server, &alice, (&room_id, &own), join).await.0, 200);
    let member = member(&server, &alice, &room_id, &alice.user_id).await;
    assert!(member["join_authorised_via_users_server"].is_null(), "{member}");
}

#[tokio::test]
async fn a_room_is_forgotten_only_after_leaving_it_and_read_no_more_then() {
    let server = TestServer::start().await;
    let (alice, bob) = (server.register("alice").await, server.register("bob").await);
    let room_id = room(&server, &alice, &[&bob]).await;
    let path = |action: &str| format!("/_matrix/client/v3/rooms/{}/{action}", encoded(&room_id));
    let early = server.post(&path("forget"), &bob.token, json!({})).await;
    assert_refused(&early, 400, "M_UNKNOWN");
    act(&server, &bob, &room_id, "leave", json!({})).await;
    assert_eq!(server.get(&path("messages?dir=b"), &bob.token).await.0, 200);
    act(&server, &bob, &room_id, "forget", json!({})).await;
    assert_refused(&server.get(&path("messages?dir=b"), &bob.token).await, 403, "M_FORBIDDEN");
    assert_refused(&server.get(&path("messages"), &bob.token).await, 403, "M_FORBIDDEN");
    assert_refused(&server.get(&path("messages"), &alice.token).await, 400, "M_MISSING_PARAM");
}

#[tokio::test]
async fn members_are_told_as_of_a_place_in_the_timeline() {
    let server = TestServer::start().await;
    let (alice, bob) = (server.register("alice").await, server.register("bob").await);
    let room_id = room(&server, &alice, &[]).await;
    let whole = sync(&server, &alice, "").await;
    let whole = &whole["rooms"]["join"][&room_id]["timeline"];
    common::rooms::join(&server, &bob, &room_id).await;
    send(&server, &bob, &room_id, "hello").await;
    let filter = "%7B%22room%22:%7B%22timeline%22:%7B%22limit%22:1%7D%7D%7D";
    let late = sync(&server, &alice, &format!("filter={filter}")).await;
    let late = &late["rooms"]["join"][&room_id]["timeline"];
    for (timeline, count) in [(whole, 1), (late, 2)] {
        let at = timeline["prev_batch"].as_str().unwrap();
        let path = format!("/_matrix/client/v3/rooms/{}/members?at={at}", encoded(&room_id));
        let (_, members) = server.get(&path, &alice.token).await;
        assert_eq!(members["chunk"].as_array().unwrap().len(), count, "{members}");
    }
    let path = format!("/_matrix/client/v3/rooms/{}/members?at=nonsense", encoded(&room_id));
    assert_refused(&server.get(&path, &alice.token).await, 400, "M_INVALID_PARAM");
}

#[tokio::test]
async fn a_page_says_where_the_next_begins_until_there_is_nothing_and_knows_the_whole_filter() {
    let server = TestServer::start().await;
    let alice = server.register("alice").await;
    let room_id = room(&server, &alice, &[]).await;
    send(&server, &alice, &room_id, "words").await;
    let path = format!("/_matrix/client/v3/rooms/{}/send/m.room.message/image", encoded(&room_id));
    let image = json!({ "msgtype": "m.image", "body": "a", "url": "mxc://example.org/a" });
    server.put(&path, &alice.token, image).await;
    let filter = "%7B%22contains_url%22:true%7D";
    let path = format!("/_matrix/client/v3/rooms/{}/messages?dir=b&limit=50", encoded(&room_id));
    let (_, page) = server.get(&format!("{path}&filter={filter}"), &alice.token).await;
    assert_eq!(page["chunk"].as_array().unwrap().len(), 1, "{page}");
    assert_eq!(page["chunk"][0]["content"]["url"], "mxc://example.org/a", "{page}");
    let end = page["end"].as_str().unwrap();
    let (_, last) = server.get(&format!("{path}&from={end}"), &alice.token).await;
    assert_eq!((&last["chunk"], &last["end"]), (&json!([]), &Value::Null), "{last}");
}

#[tokio::test]
async fn who_takes_no_invitations_gets_none() {
    let server = TestServer::start().await;
    let (alice, bob) = (server.register("alice").await, server.register("bob").await);
    let room_id = room(&server, &alice, &[]).await;
    let own = format!("/_matrix/client/v3/user/{}/account_data", encoded(&bob.user_id));
    let own = format!("{own}/m.invite_permission_config");
    server.put(&own, &bob.token, json!({ "default_action": "block" })).await;
    let path = format!("/_matrix/client/v3/rooms/{}/invite", encoded(&room_id));
    let invite = json!({ "user_id": bob.user_id });
    let refused = server.post(&path, &alice.token, invite.clone()).await;
    assert_refused(&refused, 403, "M_INVITE_BLOCKED");
    let body = json!({ "invite": [bob.user_id] });
    let made = server.post("/_matrix/client/v3/createRoom", &alice.token, body).await;
    assert_eq!(made.0, 200, "the room is made all the same: {}", made.1);
    assert!(sync(&server, &bob, "").await["rooms"]["invite"].is_null());
    server.put(&own, &bob.token, json!({ "default_action": "tea" })).await;
    assert_eq!(server.post(&path, &alice.token, invite).await.0, 200);
}

#[tokio::test]
async fn rooms_that_one_user_makes_at_the_same_time_are_different_rooms() {
    let server = TestServer::start().await;
    let alice = server.register("alice").await;
    let body = json!({ "preset": "private_chat" });
    let made =
        (0..30).map(|_| server.post("/_matrix/client/v3/createRoom", &alice.token, body.clone()));
    let made = futures_util::future::join_all(made).await;
    let mut rooms: Vec<&str> = made
        .iter()
        .map(|(status, answer)| {
            assert_eq!(*status, 200, "{answer}");
            answer["room_id"].as_str().unwrap()
        })
        .collect();
    rooms.sort_unstable();
    rooms.dedup();
    assert_eq!(rooms.len(), 30);
}
