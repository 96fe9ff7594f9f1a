//! What clients may write into rooms by the plain doors for events, and what other servers are told of devices.

mod common;

use common::{
    TestServer, User, assert_refused,
    rooms::{act, encoded, room, sync},
};
use ruma::{CanonicalJsonObject, CanonicalJsonValue};
use serde_json::{Value, json};
use tern_homeserver::messaging::keys;
use vodozemac::olm::Account;

async fn put_state(
    server: &TestServer,
    user: &User,
    (room_id, event_type, state_key): (&str, &str, &str),
    content: Value,
) -> common::Answer {
    let (room_id, state_key) = (encoded(room_id), encoded(state_key));
    let path = format!("/_matrix/client/v3/rooms/{room_id}/state/{event_type}/{state_key}");
    server.put(&path, &user.token, content).await
}

#[tokio::test]
async fn who_is_in_a_restricted_room_may_say_anything_of_who_let_them_in_and_it_is_left_out() {
    let server = TestServer::start().await;
    let (alice, bob) = (server.register("alice").await, server.register("bob").await);
    let club = room(&server, &alice, &[&bob]).await;
    let allow = json!([{ "type": "m.room_membership", "room_id": club }]);
    let rules = json!({ "join_rule": "restricted", "allow": allow });
    let body = json!({ "initial_state": [
        { "type": "m.room.join_rules", "state_key": "", "content": rules },
    ] });
    let (_, made) = server.post("/_matrix/client/v3/createRoom", &alice.token, body).await;
    let inner = made["room_id"].as_str().unwrap();
    common::rooms::join(&server, &bob, inner).await;

    let content = json!({
        "membership": "join", "displayname": "Bobby", "join_authorised_via_users_server": "unused",
    });
    let slot = (inner, "m.room.member", bob.user_id.as_str());
    let (status, answer) = put_state(&server, &bob, slot, content).await;
    assert_eq!(status, 200, "{answer}");
    let path = format!(
        "/_matrix/client/v3/rooms/{}/state/m.room.member/{}",
        encoded(inner),
        encoded(&bob.user_id)
    );
    let (_, member) = server.get(&path, &alice.token).await;
    assert_eq!(member["displayname"], "Bobby", "{member}");
    assert!(member.get("join_authorised_via_users_server").is_none(), "{member}");

    // Nor does a stranger get in by naming somebody who could have let them in.
    let carol = server.register("carol").await;
    let content =
        json!({ "membership": "join", "join_authorised_via_users_server": alice.user_id });
    let slot = (inner, "m.room.member", carol.user_id.as_str());
    assert_refused(&put_state(&server, &carol, slot, content).await, 403, "M_FORBIDDEN");
}

#[tokio::test]
async fn a_second_create_event_and_a_level_for_a_creator_are_wrong_in_themselves() {
    let server = TestServer::start().await;
    let alice = server.register("alice").await;
    let room_id = room(&server, &alice, &[]).await;
    let create = put_state(&server, &alice, (&room_id, "m.room.create", ""), json!({})).await;
    assert_refused(&create, 400, "M_BAD_JSON");
    let levels = json!({ "users": { &alice.user_id: 100 } });
    let slot = (room_id.as_str(), "m.room.power_levels", "");
    assert_refused(&put_state(&server, &alice, slot, levels).await, 400, "M_BAD_JSON");
    let levels = json!({ "users": { "@bob:example.org": 50 } });
    let (status, answer) = put_state(&server, &alice, slot, levels).await;
    assert_eq!(status, 200, "{answer}");

    // Before version 12 a creator has a level like others.
    let body = json!({ "room_version": "11" });
    let (_, made) = server.post("/_matrix/client/v3/createRoom", &alice.token, body).await;
    let slot = (made["room_id"].as_str().unwrap(), "m.room.power_levels", "");
    let levels = json!({ "users": { &alice.user_id: 100 }, "ban": 60 });
    let (status, answer) = put_state(&server, &alice, slot, levels).await;
    assert_eq!(status, 200, "{answer}");
}

#[tokio::test]
async fn who_joins_a_room_looks_at_everybody_in_it_again_at_themselves_too() {
    let server = TestServer::start().await;
    let (alice, bob) = (server.register("alice").await, server.register("bob").await);
    let room_id = room(&server, &alice, &[]).await;
    let since = |synced: &Value| format!("since={}", synced["next_batch"].as_str().unwrap());
    let before = sync(&server, &bob, "").await;
    act(&server, &bob, &room_id, "join", json!({})).await;
    let after = sync(&server, &bob, &since(&before)).await;
    let mut changed: Vec<&str> = after["device_lists"]["changed"]
        .as_array()
        .unwrap()
        .iter()
        .map(|user| user.as_str().unwrap())
        .collect();
    changed.sort_unstable();
    assert_eq!(changed, [alice.user_id.as_str(), bob.user_id.as_str()]);
}

#[tokio::test]
async fn other_servers_learn_device_names_only_where_the_config_says_so() {
    for is_told in [false, true] {
        let server =
            TestServer::with(|config| config.federation.share_device_names = is_told).await;
        let alice = server.register("alice").await;
        let path = format!("/_matrix/client/v3/devices/{}", encoded(&alice.device_id));
        server.put(&path, &alice.token, json!({ "display_name": "Alice's phone" })).await;
        let (account, id) = (Account::new(), &alice.device_id);
        let mut device = json!({
            "user_id": alice.user_id, "device_id": id, "algorithms": ["m.megolm.v1.aes-sha2"],
            "keys": {
                format!("curve25519:{id}"): account.identity_keys().curve25519.to_base64(),
                format!("ed25519:{id}"): account.identity_keys().ed25519.to_base64(),
            },
        });
        let bare: CanonicalJsonObject = serde_json::from_value(device.clone()).unwrap();
        let signature = account.sign(CanonicalJsonValue::Object(bare).to_string()).to_base64();
        device["signatures"][&alice.user_id][format!("ed25519:{id}")] = json!(signature);
        let body = json!({ "device_keys": device });
        let (status, answer) =
            server.post("/_matrix/client/v3/keys/upload", &alice.token, body).await;
        assert_eq!(status, 200, "{answer}");

        let user_id = ruma::OwnedUserId::try_from(alice.user_id.as_str()).unwrap();
        let wanted = [(user_id.clone(), Vec::new())].into();
        let asked = keys::federation_query_keys(&server.app, wanted).await.unwrap();
        let (_, told) = asked.device_keys[&user_id].iter().next().unwrap();
        let told: Value = serde_json::from_str(told.json().get()).unwrap();
        let listed = keys::federation_devices(&server.app, &user_id).await.unwrap();
        let listed = listed.devices[0].device_display_name.clone();
        let name = Some("Alice's phone".to_owned()).filter(|_| is_told);
        assert_eq!(told["unsigned"]["device_display_name"], json!(name), "{told}");
        assert_eq!(listed, name);
    }
}

#[tokio::test]
async fn power_levels_change_in_a_room_that_somebody_has_rules_for() {
    let server = TestServer::start().await;
    let (alice, bob) = (server.register("alice").await, server.register("bob").await);
    let room_id = room(&server, &alice, &[&bob]).await;
    let rule = format!("/_matrix/client/v3/pushrules/global/room/{}", encoded(&room_id));
    assert_eq!(server.put(&rule, &bob.token, json!({ "actions": [] })).await.0, 200);
    let slot = (room_id.as_str(), "m.room.power_levels", "");
    let levels = json!({ "users": { &bob.user_id: 50 } });
    let (status, answer) = put_state(&server, &alice, slot, levels).await;
    assert_eq!(status, 200, "{answer}");
}
