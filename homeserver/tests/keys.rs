//! End-to-end keys, device lists, messages between devices and key backups, with real keys.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "helpers of tests, where a panic is a failure"
)]

mod common;

use common::{PASSWORD, TestServer, User, assert_refused};
use ruma::{
    CanonicalJsonObject, CanonicalJsonValue, ServerName,
    api::federation::transactions::edu::DirectDeviceContent, server_name,
};
use serde_json::{Value, json};
use tern_homeserver::{
    messaging::keys,
    storage::{self, EventBatch, Id, Membership},
};
use vodozemac::{Ed25519SecretKey, olm::Account};

const UPLOAD: &str = "/_matrix/client/v3/keys/upload";
const QUERY: &str = "/_matrix/client/v3/keys/query";
const CLAIM: &str = "/_matrix/client/v3/keys/claim";
const CROSS_SIGNING: &str = "/_matrix/client/v3/keys/device_signing/upload";
const SIGNATURES: &str = "/_matrix/client/v3/keys/signatures/upload";

fn canonical(value: &Value) -> String {
    let object: CanonicalJsonObject = serde_json::from_value(value.clone()).unwrap();
    CanonicalJsonValue::Object(object).to_string()
}

/// Adds a signature by `sign` over the object without signatures.
fn signed(mut value: Value, user: &User, key: &str, sign: impl Fn(&str) -> String) -> Value {
    let mut bare = value.clone();
    bare.as_object_mut().unwrap().remove("signatures");
    bare.as_object_mut().unwrap().remove("unsigned");
    let signature = sign(&canonical(&bare));
    value["signatures"][&user.user_id][format!("ed25519:{key}")] = json!(signature);
    value
}

fn by_account(account: &Account) -> impl Fn(&str) -> String {
    move |text| account.sign(text).to_base64()
}

fn by_key(key: &Ed25519SecretKey) -> impl Fn(&str) -> String {
    move |text| key.sign(text.as_bytes()).to_base64()
}

fn device_keys(user: &User, account: &Account) -> Value {
    let (id, keys) = (&user.device_id, account.identity_keys());
    let bare = json!({
        "user_id": user.user_id, "device_id": id,
        "algorithms": ["m.olm.v1.curve25519-aes-sha2", "m.megolm.v1.aes-sha2"],
        "keys": {
            format!("curve25519:{id}"): keys.curve25519.to_base64(),
            format!("ed25519:{id}"): keys.ed25519.to_base64(),
        },
    });
    signed(bare, user, id, by_account(account))
}

fn one_time_key(user: &User, account: &mut Account) -> Value {
    account.generate_one_time_keys(1);
    let key = account.one_time_keys().values().next().unwrap().to_base64();
    account.mark_keys_as_published();
    signed(json!({ "key": key }), user, &user.device_id, by_account(account))
}

async fn upload_device(server: &TestServer, user: &User) -> Account {
    let account = Account::new();
    let body = json!({ "device_keys": device_keys(user, &account) });
    let (status, body) = server.post(UPLOAD, &user.token, body).await;
    assert_eq!(status, 200, "{body}");
    account
}

async fn claim(server: &TestServer, asking: &User, of: &User) -> Value {
    let body = json!({ "one_time_keys": { &of.user_id: { &of.device_id: "signed_curve25519" } } });
    let (status, body) = server.post(CLAIM, &asking.token, body).await;
    assert_eq!(status, 200, "{body}");
    body["one_time_keys"][&of.user_id][&of.device_id].clone()
}

async fn query(server: &TestServer, asking: &User, of: &User) -> Value {
    let body = json!({ "device_keys": { &of.user_id: [] } });
    let (status, body) = server.post(QUERY, &asking.token, body).await;
    assert_eq!(status, 200, "{body}");
    body
}

#[tokio::test]
async fn uploaded_device_keys_are_found_by_others() {
    let server = TestServer::start().await;
    let (alice, bob) = (server.register("alice").await, server.register("bob").await);
    let account = upload_device(&server, &alice).await;

    let found = query(&server, &bob, &alice).await;

    let device = &found["device_keys"][&alice.user_id][&alice.device_id];
    let expected = device_keys(&alice, &account);
    assert_eq!(device["keys"], expected["keys"]);
    assert_eq!(device["signatures"], expected["signatures"]);
    assert!(found.get("failures").is_none());
}

#[tokio::test]
async fn the_same_upload_again_changes_no_device_list() {
    let server = TestServer::start().await;
    let alice = server.register("alice").await;
    let account = upload_device(&server, &alice).await;
    let before = server.app.db.position();
    let body = json!({ "device_keys": device_keys(&alice, &account) });
    server.post(UPLOAD, &alice.token, body).await;
    let after = server.app.db.position();
    let changed = keys::changed_users_between(&server.app, before, after).await.unwrap();
    assert_eq!(changed, Vec::<Id>::new());
}

#[tokio::test]
async fn one_time_keys_are_claimed_once_in_order_of_upload_then_the_fallback_key_serves() {
    let server = TestServer::start().await;
    let (alice, bob) = (server.register("alice").await, server.register("bob").await);
    let mut account = upload_device(&server, &alice).await;
    // The second upload has the smaller name.
    let (first, second) = (one_time_key(&alice, &mut account), one_time_key(&alice, &mut account));
    let fallback = one_time_key(&alice, &mut account);
    let body = json!({ "one_time_keys": { "signed_curve25519:B": first } });
    let (_, answer) = server.post(UPLOAD, &alice.token, body).await;
    assert_eq!(answer["one_time_key_counts"]["signed_curve25519"], 1);
    let body = json!({
        "one_time_keys": { "signed_curve25519:A": second },
        "fallback_keys": { "signed_curve25519:F": fallback },
    });
    let (_, answer) = server.post(UPLOAD, &alice.token, body).await;
    assert_eq!(answer["one_time_key_counts"]["signed_curve25519"], 2);
    let user = server.app.db.user(&alice.user_id).await.unwrap();
    let unused = || keys::unused_fallback_types(&server.app, user, &alice.device_id);
    assert_eq!(unused().await.unwrap(), ["signed_curve25519"]);

    assert_eq!(claim(&server, &bob, &alice).await, json!({ "signed_curve25519:B": first }));
    assert_eq!(claim(&server, &bob, &alice).await, json!({ "signed_curve25519:A": second }));
    assert_eq!(unused().await.unwrap(), ["signed_curve25519"]);
    assert_eq!(claim(&server, &bob, &alice).await, json!({ "signed_curve25519:F": fallback }));
    assert_eq!(claim(&server, &bob, &alice).await, json!({ "signed_curve25519:F": fallback }));

    assert_eq!(unused().await.unwrap(), Vec::<String>::new());
    let counts = keys::one_time_key_counts(&server.app, user, &alice.device_id).await.unwrap();
    assert_eq!(counts["signed_curve25519"], 0);
}

#[tokio::test]
async fn a_one_time_key_id_cannot_be_used_for_another_key() {
    let server = TestServer::start().await;
    let alice = server.register("alice").await;
    let mut account = upload_device(&server, &alice).await;
    let (one, other) = (one_time_key(&alice, &mut account), one_time_key(&alice, &mut account));
    let body = |key: &Value| json!({ "one_time_keys": { "signed_curve25519:A": key } });
    for _ in 0..2 {
        let (status, answer) = server.post(UPLOAD, &alice.token, body(&one)).await;
        assert_eq!(
            (status.as_u16(), &answer["one_time_key_counts"]["signed_curve25519"]),
            (200, &json!(1))
        );
    }
    let answer = server.post(UPLOAD, &alice.token, body(&other)).await;
    assert_refused(&answer, 400, "M_INVALID_PARAM");
}

#[tokio::test]
async fn device_keys_that_do_not_hold_together_are_refused() {
    let server = TestServer::start().await;
    let alice = server.register("alice").await;
    let account = Account::new();
    let upload =
        async |keys: Value| server.post(UPLOAD, &alice.token, json!({ "device_keys": keys })).await;
    let good = device_keys(&alice, &account);

    let mut forged = good.clone();
    forged["algorithms"] = json!(["m.olm.v1.curve25519-aes-sha2"]);
    assert_refused(&upload(forged).await, 400, "M_INVALID_SIGNATURE");

    let mut short = good.clone();
    short["keys"][format!("ed25519:{}", alice.device_id)] = json!("c2hvcnQ");
    assert_refused(&upload(short).await, 400, "M_BAD_JSON");

    let other = User { user_id: "@bob:example.org".to_owned(), ..alice.clone() };
    assert_refused(&upload(device_keys(&other, &account)).await, 400, "M_BAD_JSON");

    let mut fraction = good.clone();
    fraction["extra"] = json!(0.5);
    assert_refused(&upload(fraction).await, 400, "M_BAD_JSON");

    let found = query(&server, &alice, &alice).await;
    assert_eq!(found["device_keys"][&alice.user_id], json!({}));
}

#[tokio::test]
async fn curve25519_keys_of_low_order_are_refused() {
    let server = TestServer::start().await;
    let alice = server.register("alice").await;
    let mut account = upload_device(&server, &alice).await;
    let zero = "A".repeat(43);
    let one = format!("AQ{}", "A".repeat(41));
    for point in [zero, one] {
        let mut device = device_keys(&alice, &account);
        device["keys"][format!("curve25519:{}", alice.device_id)] = json!(point);
        device.as_object_mut().unwrap().remove("signatures");
        let device = signed(device, &alice, &alice.device_id, by_account(&account));
        let answer = server.post(UPLOAD, &alice.token, json!({ "device_keys": device })).await;
        assert_refused(&answer, 400, "M_BAD_JSON");

        let mut key = one_time_key(&alice, &mut account);
        key["key"] = json!(point);
        for field in ["one_time_keys", "fallback_keys"] {
            let body = json!({ field: { "signed_curve25519:A": key } });
            let answer = server.post(UPLOAD, &alice.token, body).await;
            assert_refused(&answer, 400, "M_INVALID_PARAM");
        }
    }
}

/// A user's cross-signing keys, ready to be uploaded.
struct CrossSigning {
    master: Ed25519SecretKey,
    self_signing: Ed25519SecretKey,
    user_signing: Ed25519SecretKey,
}

fn cross_signing_key(user: &User, usage: &str, key: &Ed25519SecretKey) -> Value {
    let public = key.public_key().to_base64();
    let name = format!("ed25519:{public}");
    json!({ "user_id": user.user_id, "usage": [usage], "keys": { name: public } })
}

impl CrossSigning {
    fn new() -> Self {
        let [master, self_signing, user_signing] = std::array::from_fn(|_| Ed25519SecretKey::new());
        Self { master, self_signing, user_signing }
    }

    fn body(&self, user: &User) -> Value {
        let master = self.master.public_key().to_base64();
        let by_master = |usage, key| {
            signed(cross_signing_key(user, usage, key), user, &master, by_key(&self.master))
        };
        json!({
            "master_key": cross_signing_key(user, "master", &self.master),
            "self_signing_key": by_master("self_signing", &self.self_signing),
            "user_signing_key": by_master("user_signing", &self.user_signing),
        })
    }

    async fn upload(server: &TestServer, user: &User) -> Self {
        let keys = Self::new();
        let (status, body) = server.post(CROSS_SIGNING, &user.token, keys.body(user)).await;
        assert_eq!(status, 200, "{body}");
        keys
    }
}

#[tokio::test]
async fn the_first_cross_signing_keys_need_no_password_and_others_do() {
    let server = TestServer::start().await;
    let alice = server.register("alice").await;
    let keys = CrossSigning::upload(&server, &alice).await;
    let (status, _) = server.post(CROSS_SIGNING, &alice.token, keys.body(&alice)).await;
    assert_eq!(status, 200, "the same again");

    let mut other = CrossSigning::new().body(&alice);
    let (status, challenge) = server.post(CROSS_SIGNING, &alice.token, other.clone()).await;
    assert_eq!(status, 401);
    assert_eq!(challenge["flows"][0]["stages"], json!(["m.login.password"]));

    other["auth"] = json!({
        "type": "m.login.password", "session": challenge["session"], "password": PASSWORD,
        "identifier": { "type": "m.id.user", "user": alice.user_id },
    });
    let (status, body) = server.post(CROSS_SIGNING, &alice.token, other.clone()).await;
    assert_eq!(status, 200, "{body}");
    let found = query(&server, &alice, &alice).await;
    assert_eq!(found["master_keys"][&alice.user_id]["keys"], other["master_key"]["keys"]);
}

#[tokio::test]
async fn a_self_signing_key_that_the_master_key_did_not_sign_is_refused() {
    let server = TestServer::start().await;
    let alice = server.register("alice").await;
    let mut body = CrossSigning::new().body(&alice);
    body["self_signing_key"] = CrossSigning::new().body(&alice)["self_signing_key"].clone();
    let answer = server.post(CROSS_SIGNING, &alice.token, body).await;
    assert_refused(&answer, 400, "M_INVALID_SIGNATURE");
}

#[tokio::test]
async fn only_true_and_legal_signatures_are_kept_and_only_shown_to_whom_they_concern() {
    let server = TestServer::start().await;
    let (alice, bob) = (server.register("alice").await, server.register("bob").await);
    let carol = server.register("carol").await;
    let account = upload_device(&server, &alice).await;
    let mine = CrossSigning::upload(&server, &alice).await;
    let theirs = CrossSigning::upload(&server, &bob).await;

    let device = device_keys(&alice, &account);
    let ssk = mine.self_signing.public_key().to_base64();
    let forged = signed(device.clone(), &alice, &ssk, by_key(&mine.user_signing));
    let body = json!({ &alice.user_id: { &alice.device_id: forged } });
    let (_, answer) = server.post(SIGNATURES, &alice.token, body).await;
    let failure = &answer["failures"][&alice.user_id][&alice.device_id];
    assert_eq!(failure["errcode"], "M_INVALID_SIGNATURE", "{answer}");

    let true_one = signed(device, &alice, &ssk, by_key(&mine.self_signing));
    let bobs = cross_signing_key(&bob, "master", &theirs.master);
    let (usk, bobs_key) =
        (mine.user_signing.public_key().to_base64(), theirs.master.public_key().to_base64());
    let bobs = signed(bobs, &alice, &usk, by_key(&mine.user_signing));
    let body = json!({
        &alice.user_id: { &alice.device_id: true_one }, &bob.user_id: { &bobs_key: bobs },
    });
    let (status, answer) = server.post(SIGNATURES, &alice.token, body).await;
    assert_eq!((status.as_u16(), answer), (200, json!({})));

    let seen = query(&server, &carol, &alice).await;
    let signatures = &seen["device_keys"][&alice.user_id][&alice.device_id]["signatures"];
    let key = format!("ed25519:{ssk}");
    assert_eq!(signatures[&alice.user_id][&key], true_one["signatures"][&alice.user_id][&key]);
    assert_eq!(seen["user_signing_keys"], Value::Null, "nobody's but one's own");
    let master =
        |found: &Value| found["master_keys"][&bob.user_id]["signatures"][&alice.user_id].clone();
    let key = format!("ed25519:{usk}");
    assert_eq!(
        master(&query(&server, &alice, &bob).await)[&key],
        bobs["signatures"][&alice.user_id][&key]
    );
    assert_eq!(master(&query(&server, &carol, &bob).await), Value::Null);
}

async fn device_of(server: &TestServer, user: &User) -> Id {
    let id = server.app.db.user(&user.user_id).await.unwrap();
    let device = storage::devices::find_device(server.app.db.read(), id, &user.device_id).await;
    device.unwrap().unwrap().id
}

#[tokio::test]
async fn messages_to_devices_come_once_and_stay_until_acknowledged() {
    let server = TestServer::start().await;
    let (alice, bob) = (server.register("alice").await, server.register("bob").await);
    let second = server.login("bob").await;
    let body = json!({ "messages": { &bob.user_id: { "*": { "n": 1 } } } });
    let path = "/_matrix/client/v3/sendToDevice/m.test/one";
    for _ in 0..2 {
        let (status, answer) = server.put(path, &alice.token, body.clone()).await;
        assert_eq!((status.as_u16(), answer), (200, json!({})));
    }
    let app = &server.app;
    for user in [&bob, &second] {
        let device = device_of(&server, user).await;
        for _ in 0..2 {
            let upto = app.db.position();
            let waiting = keys::to_device_since(app, device, 0, upto, 100).await.unwrap();
            assert_eq!(waiting.len(), 1, "until acknowledged");
            let event: Value = serde_json::from_str(&waiting[0].json).unwrap();
            let expected =
                json!({ "sender": alice.user_id, "type": "m.test", "content": { "n": 1 } });
            assert_eq!(event, expected);
        }
        let upto = app.db.position();
        keys::delete_to_device(app, device, upto).await.unwrap();
        assert!(!keys::has_to_device(app, device, upto).await.unwrap());
    }
}

#[tokio::test]
async fn messages_to_another_server_are_owed_to_it() {
    let server = TestServer::start().await;
    let alice = server.register("alice").await;
    let body = json!({ "messages": { "@bob:other.example.org": { "DEVICE": { "n": 1 } } } });
    server.put("/_matrix/client/v3/sendToDevice/m.test/one", &alice.token, body).await;
    let owed = storage::outbound_edus::list_outbound_edus(
        server.app.db.read(),
        "other.example.org",
        0,
        10,
    );
    let owed = owed.await.unwrap();
    assert_eq!(owed.len(), 1);
    let edu: Value = serde_json::from_str(&owed[0].json).unwrap();
    assert_eq!(edu["edu_type"], "m.direct_to_device");
    assert_eq!(edu["content"]["sender"], alice.user_id.as_str());
    assert_eq!(edu["content"]["messages"]["@bob:other.example.org"]["DEVICE"], json!({ "n": 1 }));
}

#[tokio::test]
async fn a_message_from_another_server_comes_once_and_only_from_its_own_users() {
    let server = TestServer::start().await;
    let alice = server.register("alice").await;
    let content = json!({
        "sender": "@bob:other.example.org", "type": "m.test", "message_id": "one",
        "messages": { &alice.user_id: { &alice.device_id: { "n": 1 } } },
    });
    let receive = async |origin: &ServerName| {
        let content: DirectDeviceContent = serde_json::from_value(content.clone()).unwrap();
        keys::receive_direct_to_device(&server.app, origin, content).await
    };
    assert!(receive(server_name!("evil.example.org")).await.is_err());
    for _ in 0..2 {
        receive(server_name!("other.example.org")).await.unwrap();
    }
    let device = device_of(&server, &alice).await;
    let upto = server.app.db.position();
    let waiting = keys::to_device_since(&server.app, device, 0, upto, 100).await.unwrap();
    assert_eq!(waiting.len(), 1);
}

async fn set_membership(server: &TestServer, room: Id, user_id: &str, membership: &str) {
    let db = &server.app.db;
    let change = Membership {
        user: db.user(user_id).await.unwrap(),
        membership: membership.to_owned(),
        event: db.new_id(),
        stripped_state: None,
    };
    let batch = EventBatch { room, memberships: vec![change], ..EventBatch::default() };
    db.append(batch).await.unwrap();
}

#[tokio::test]
async fn a_device_list_delta_names_who_changed_came_and_left() {
    let server = TestServer::start().await;
    let (alice, bob) = (server.register("alice").await, server.register("bob").await);
    let carol = server.register("carol").await;
    let app = &server.app;
    let room = app.db.new_id();
    let id = async |user: &User| app.db.user(&user.user_id).await.unwrap();
    let (alice_id, bob_id) = (id(&alice).await, id(&bob).await);
    set_membership(&server, room, &alice.user_id, "join").await;
    let start = app.db.position();
    let delta = async |from| {
        let delta = keys::device_list_delta(app, alice_id, from, app.db.position()).await.unwrap();
        (delta.changed, delta.left)
    };

    upload_device(&server, &carol).await;
    upload_device(&server, &bob).await;
    assert_eq!(delta(start).await, (vec![], vec![]), "strangers");

    let before = app.db.position();
    set_membership(&server, room, &bob.user_id, "join").await;
    assert_eq!(delta(before).await, (vec![bob_id], vec![]), "came");

    let before = app.db.position();
    upload_device(&server, &bob).await;
    assert_eq!(delta(before).await, (vec![bob_id], vec![]), "changed");

    let before = app.db.position();
    set_membership(&server, room, &bob.user_id, "leave").await;
    assert_eq!(delta(before).await, (vec![], vec![bob_id]), "left");
}

#[tokio::test]
async fn servers_that_share_a_room_are_told_of_device_changes_in_a_chain() {
    let server = TestServer::start().await;
    let alice = server.register("alice").await;
    let room = server.app.db.new_id();
    set_membership(&server, room, &alice.user_id, "join").await;
    set_membership(&server, room, "@bob:other.example.org", "join").await;
    upload_device(&server, &alice).await;
    upload_device(&server, &alice).await;
    CrossSigning::upload(&server, &alice).await;

    let owed = storage::outbound_edus::list_outbound_edus(
        server.app.db.read(),
        "other.example.org",
        0,
        10,
    );
    let edus: Vec<Value> =
        owed.await.unwrap().iter().map(|edu| serde_json::from_str(&edu.json).unwrap()).collect();
    assert_eq!(edus.len(), 3, "{edus:?}");
    assert_eq!(edus[0]["content"]["device_id"], alice.device_id.as_str());
    assert_eq!(edus[1]["content"]["prev_id"], json!([edus[0]["content"]["stream_id"]]));
    assert_eq!(edus[2]["edu_type"], "m.signing_key_update");
    assert_eq!(edus[2]["content"]["master_key"]["usage"], json!(["master"]));
}

#[tokio::test]
async fn a_deleted_device_takes_its_keys_along() {
    let server = TestServer::start().await;
    let (alice, bob) = (server.register("alice").await, server.register("bob").await);
    upload_device(&server, &alice).await;
    let (status, _) = server.post("/_matrix/client/v3/logout", &alice.token, json!({})).await;
    assert_eq!(status, 200);
    assert_eq!(query(&server, &bob, &alice).await["device_keys"][&alice.user_id], json!({}));
}
