//! Logging in and out, tokens, devices, interactive authentication.

mod common;

use std::time::Duration;

use common::{PASSWORD, TestServer, User, assert_refused};
use serde_json::{Value, json};
use tern_homeserver::{config::RegistrationMode, storage};

const REGISTER: &str = "/_matrix/client/v3/register";
const LOGIN: &str = "/_matrix/client/v3/login";
const WHOAMI: &str = "/_matrix/client/v3/account/whoami";
const DEVICES: &str = "/_matrix/client/v3/devices";
const PASSWORD_PATH: &str = "/_matrix/client/v3/account/password";

fn password_auth(user: &str, session: &Value) -> Value {
    json!({
        "type": "m.login.password", "session": session, "password": PASSWORD,
        "identifier": { "type": "m.id.user", "user": user },
    })
}

#[tokio::test]
async fn a_registered_user_is_who_the_token_says() {
    let server = TestServer::start().await;
    let alice = server.register("Alice").await;

    let (status, body) = server.get(WHOAMI, &alice.token).await;

    assert_eq!(status, 200);
    assert_eq!(body["user_id"], "@alice:example.org");
    assert_eq!(body["device_id"], alice.device_id.as_str());
}

#[tokio::test]
async fn a_request_without_a_good_token_is_refused() {
    let server = TestServer::start().await;

    assert_refused(&server.get(WHOAMI, "").await, 401, "M_MISSING_TOKEN");
    assert_refused(&server.get(WHOAMI, "guessed").await, 401, "M_UNKNOWN_TOKEN");
}

#[tokio::test]
async fn bad_usernames_are_refused_before_anything_is_proven() {
    let server = TestServer::start().await;
    server.register("alice").await;
    let long = "a".repeat(250);
    let cases = [
        ("alice", "M_USER_IN_USE"),
        ("ALICE", "M_USER_IN_USE"),
        ("al ice", "M_INVALID_USERNAME"),
        ("älice", "M_INVALID_USERNAME"),
        ("", "M_INVALID_USERNAME"),
        (long.as_str(), "M_INVALID_USERNAME"),
        ("postmaster", "M_EXCLUSIVE"),
    ];
    for (username, errcode) in cases {
        let body = json!({ "username": username, "password": PASSWORD });
        assert_refused(&server.post(REGISTER, "", body).await, 400, errcode);
    }
    let available = "/_matrix/client/v3/register/available?username=";
    let taken = server.get(&format!("{available}alice"), "").await;
    assert_refused(&taken, 400, "M_USER_IN_USE");
    assert_eq!(server.get(&format!("{available}bob"), "").await.1, json!({ "available": true }));
}

#[tokio::test]
async fn registration_refuses_guests_weak_passwords_and_bad_json() {
    let server = TestServer::start().await;

    let guest = server.post("/_matrix/client/v3/register?kind=guest", "", json!({})).await;
    assert_refused(&guest, 403, "M_GUEST_ACCESS_FORBIDDEN");
    let weak = json!({ "username": "bob", "password": "short" });
    assert_refused(&server.post(REGISTER, "", weak).await, 400, "M_WEAK_PASSWORD");
    let wrong = json!({ "username": 7 });
    assert_refused(&server.post(REGISTER, "", wrong).await, 400, "M_BAD_JSON");
    assert_refused(&server.post(REGISTER, "", json!([])).await, 400, "M_BAD_JSON");
}

#[tokio::test]
async fn registration_without_login_gives_no_session() {
    let server = TestServer::start().await;
    let body = json!({
        "username": "alice", "password": PASSWORD, "inhibit_login": true, "auth": { "type": "m.login.dummy" },
    });

    let (status, body) = server.post(REGISTER, "", body).await;

    assert_eq!(status, 200);
    assert_eq!(body["user_id"], "@alice:example.org");
    assert!(body.get("access_token").is_none() && body.get("device_id").is_none(), "{body}");
}

#[tokio::test]
async fn a_closed_server_registers_nobody() {
    let server =
        TestServer::with(|config| config.registration.mode = RegistrationMode::Closed).await;

    let body = json!({ "username": "alice", "password": PASSWORD });

    assert_refused(&server.post(REGISTER, "", body).await, 403, "M_FORBIDDEN");
}

#[tokio::test]
async fn a_registration_token_is_good_for_its_uses() {
    let server =
        TestServer::with(|config| config.registration.mode = RegistrationMode::Token).await;
    let token = storage::tokens::RegistrationToken {
        token: "come-in".to_owned(),
        uses_allowed: Some(1),
        uses: 0,
        expires_ms: None,
    };
    let write = server.app.db.write(move |txn| {
        Box::pin(
            async move { storage::tokens::insert_registration_token(txn.db(), &token, 0).await },
        )
    });
    assert!(write.await.unwrap());
    let validity = "/_matrix/client/v1/register/m.login.registration_token/validity?token=come-in";
    assert_eq!(server.get(validity, "").await.1, json!({ "valid": true }));
    let register = |name: &str, token: &str| {
        json!({
            "username": name, "password": PASSWORD,
            "auth": { "type": "m.login.registration_token", "token": token },
        })
    };

    let wrong = server.post(REGISTER, "", register("alice", "guessed")).await;
    let first = server.post(REGISTER, "", register("alice", "come-in")).await;
    assert_eq!(first.1["completed"], json!(["m.login.registration_token"]), "{}", first.1);
    let mut whole = register("alice", "come-in");
    whole["auth"] = json!({ "type": "m.login.dummy", "session": first.1["session"] });
    let right = server.post(REGISTER, "", whole).await;
    let again = server.post(REGISTER, "", register("bob", "come-in")).await;

    assert_refused(&wrong, 401, "M_UNAUTHORIZED");
    assert!(wrong.1["session"].is_string() && wrong.1["flows"].is_array(), "{}", wrong.1);
    assert_eq!(right.0, 200, "{}", right.1);
    assert_refused(&again, 401, "M_UNAUTHORIZED");
    assert_eq!(server.get(validity, "").await.1, json!({ "valid": false }));
}

#[tokio::test]
async fn every_form_of_a_name_logs_in() {
    let server = TestServer::start().await;
    server.register("alice").await;
    let identifiers = [
        json!({ "identifier": { "type": "m.id.user", "user": "alice" } }),
        json!({ "identifier": { "type": "m.id.user", "user": "@alice:example.org" } }),
        json!({ "user": "alice" }),
    ];
    for mut body in identifiers {
        body["type"] = json!("m.login.password");
        body["password"] = json!(PASSWORD);
        let user = User::from_answer(&server.post(LOGIN, "", body).await);
        assert_eq!(user.user_id, "@alice:example.org");
    }
}

#[tokio::test]
async fn an_unknown_user_and_a_wrong_password_get_the_same_answer() {
    let server = TestServer::start().await;
    server.register("alice").await;

    let wrong = server.try_login("alice", "wrong password").await;
    let unknown = server.try_login("bob", PASSWORD).await;
    let elsewhere = server.try_login("@alice:elsewhere.example.org", PASSWORD).await;

    assert_refused(&wrong, 403, "M_FORBIDDEN");
    assert_eq!(wrong, unknown);
    assert_eq!(wrong, elsewhere);
}

#[tokio::test]
async fn malformed_logins_say_what_is_wrong() {
    let server = TestServer::start().await;
    let cases = [
        (json!({}), 400, "M_MISSING_PARAM"),
        (json!({ "type": "m.login.magic" }), 400, "M_UNKNOWN"),
        (json!({ "type": "m.login.password", "password": PASSWORD }), 400, "M_MISSING_PARAM"),
        (json!({ "type": "m.login.password", "user": "alice" }), 400, "M_MISSING_PARAM"),
        (json!({ "type": "m.login.token", "token": "guessed" }), 403, "M_FORBIDDEN"),
        (json!({ "type": 1 }), 400, "M_BAD_JSON"),
    ];
    for (body, status, errcode) in cases {
        assert_refused(&server.post(LOGIN, "", body).await, status, errcode);
    }
}

#[tokio::test]
async fn logging_out_ends_the_token_and_the_device_but_no_other() {
    let server = TestServer::start().await;
    let first = server.register("alice").await;
    let second = server.login("alice").await;

    let (status, _) = server.post("/_matrix/client/v3/logout", &first.token, json!({})).await;

    assert_eq!(status, 200);
    let ended = server.get(WHOAMI, &first.token).await;
    assert_refused(&ended, 401, "M_UNKNOWN_TOKEN");
    assert_eq!(ended.1["soft_logout"], false);
    let (_, devices) = server.get(DEVICES, &second.token).await;
    assert_eq!(devices["devices"].as_array().unwrap().len(), 1);
    assert_eq!(devices["devices"][0]["device_id"], second.device_id.as_str());
}

#[tokio::test]
async fn logging_out_everywhere_ends_all_tokens() {
    let server = TestServer::start().await;
    let first = server.register("alice").await;
    let second = server.login("alice").await;

    server.post("/_matrix/client/v3/logout/all", &first.token, json!({})).await;

    assert_refused(&server.get(WHOAMI, &first.token).await, 401, "M_UNKNOWN_TOKEN");
    assert_refused(&server.get(WHOAMI, &second.token).await, 401, "M_UNKNOWN_TOKEN");
}

#[tokio::test]
async fn logging_in_on_the_same_device_ends_its_older_token() {
    let server = TestServer::start().await;
    let first = server.register("alice").await;
    let body = json!({
        "type": "m.login.password", "user": "alice", "password": PASSWORD, "device_id": first.device_id,
    });

    let second = User::from_answer(&server.post(LOGIN, "", body).await);

    assert_eq!(second.device_id, first.device_id);
    assert_refused(&server.get(WHOAMI, &first.token).await, 401, "M_UNKNOWN_TOKEN");
    assert_eq!(server.get(WHOAMI, &second.token).await.0, 200);
}

#[tokio::test]
async fn an_expired_token_is_refreshed_and_the_old_one_ends_at_the_first_use_of_the_new() {
    let server = TestServer::start().await;
    server.register("alice").await;
    let body = json!({
        "type": "m.login.password", "user": "alice", "password": PASSWORD, "refresh_token": true,
    });
    let (_, session) = server.post(LOGIN, "", body).await;
    let (old, refresh) =
        (session["access_token"].as_str().unwrap(), session["refresh_token"].as_str().unwrap());
    assert_eq!(server.get(WHOAMI, old).await.0, 200);
    server.app.clock.turn(Duration::from_millis(session["expires_in_ms"].as_u64().unwrap()));
    let expired = server.get(WHOAMI, old).await;
    assert_refused(&expired, 401, "M_UNKNOWN_TOKEN");
    assert_eq!(expired.1["soft_logout"], true);

    let path = "/_matrix/client/v3/refresh";
    let (_, lost) = server.post(path, "", json!({ "refresh_token": refresh })).await;
    let (status, new) = server.post(path, "", json!({ "refresh_token": refresh })).await;

    assert_eq!(status, 200, "a refresh whose answer was lost can be asked again");
    let unused = server.get(WHOAMI, lost["access_token"].as_str().unwrap()).await;
    assert_refused(&unused, 401, "M_UNKNOWN_TOKEN");
    assert_eq!(server.get(WHOAMI, new["access_token"].as_str().unwrap()).await.0, 200);
    let reused = server.post(path, "", json!({ "refresh_token": refresh })).await;
    assert_refused(&reused, 401, "M_UNKNOWN_TOKEN");
}

#[tokio::test]
async fn deleting_a_device_asks_for_the_password_and_ends_its_session() {
    let server = TestServer::start().await;
    let first = server.register("alice").await;
    let second = server.login("alice").await;
    let path = format!("{DEVICES}/{}", second.device_id);

    let (status, challenge) = server.call("DELETE", &path, &first.token, Some(json!({}))).await;
    assert_eq!(status, 401);
    assert_eq!(challenge["flows"], json!([{ "stages": ["m.login.password"] }]));
    assert!(challenge.get("errcode").is_none(), "{challenge}");
    let session = &challenge["session"];
    let wrong = json!({ "auth": { "type": "m.login.password", "session": session, "password": "guessed it" } });
    let wrong = server.call("DELETE", &path, &first.token, Some(wrong)).await;
    assert_refused(&wrong, 401, "M_FORBIDDEN");
    assert_eq!(wrong.1["session"], *session);
    assert_eq!(server.get(WHOAMI, &second.token).await.0, 200);
    let right = json!({ "auth": password_auth("alice", session) });
    let (status, body) = server.call("DELETE", &path, &first.token, Some(right)).await;

    assert_eq!(status, 200, "{body}");
    assert_refused(&server.get(WHOAMI, &second.token).await, 401, "M_UNKNOWN_TOKEN");
    assert_refused(&server.get(&path, &first.token).await, 404, "M_NOT_FOUND");
}

#[tokio::test]
async fn an_interactive_session_serves_only_the_operation_it_was_begun_for() {
    let server = TestServer::start().await;
    let alice = server.register("alice").await;
    let bob = server.register("bob").await;
    let second = server.login("alice").await;
    let path = format!("{DEVICES}/{}", second.device_id);
    let (_, challenge) = server.call("DELETE", &path, &alice.token, Some(json!({}))).await;
    let session = &challenge["session"];
    let auth = json!({ "auth": password_auth("alice", session) });

    let other_path = format!("{DEVICES}/{}", alice.device_id);
    let other = server.call("DELETE", &other_path, &alice.token, Some(auth.clone())).await;
    assert_refused(&other, 403, "M_FORBIDDEN");
    let deactivate = "/_matrix/client/v3/account/deactivate";
    let other = server.post(deactivate, &alice.token, auth.clone()).await;
    assert_refused(&other, 403, "M_FORBIDDEN");
    let stranger = server.call("DELETE", &path, &bob.token, Some(auth.clone())).await;
    assert_refused(&stranger, 403, "M_FORBIDDEN");
    server.app.clock.turn(Duration::from_secs(31 * 60));
    let late = server.call("DELETE", &path, &alice.token, Some(auth)).await;
    assert_refused(&late, 400, "M_UNKNOWN");
    assert_eq!(server.get(WHOAMI, &second.token).await.0, 200);
}

#[tokio::test]
async fn another_users_password_proves_nothing() {
    let server = TestServer::start().await;
    let alice = server.register("alice").await;
    server.register("bob").await;
    let path = format!("{DEVICES}/{}", alice.device_id);
    let (_, challenge) = server.call("DELETE", &path, &alice.token, Some(json!({}))).await;

    let auth = json!({ "auth": password_auth("bob", &challenge["session"]) });

    let answer = server.call("DELETE", &path, &alice.token, Some(auth)).await;
    assert_refused(&answer, 401, "M_FORBIDDEN");
}

#[tokio::test]
async fn several_devices_are_deleted_at_once_and_a_device_is_renamed() {
    let server = TestServer::start().await;
    let first = server.register("alice").await;
    let (second, third) = (server.login("alice").await, server.login("alice").await);
    let path = format!("{DEVICES}/{}", first.device_id);
    server.put(&path, &first.token, json!({ "display_name": "kitchen" })).await;
    let (_, device) = server.get(&path, &first.token).await;
    assert_eq!(device["display_name"], "kitchen");
    assert!(device["last_seen_ts"].is_u64(), "{device}");

    let devices = json!([second.device_id, third.device_id]);
    let delete = "/_matrix/client/v3/delete_devices";
    let (_, challenge) = server.post(delete, &first.token, json!({ "devices": devices })).await;
    let auth = password_auth("alice", &challenge["session"]);
    let body = json!({ "devices": devices, "auth": auth });
    let (status, body) = server.post(delete, &first.token, body).await;

    assert_eq!(status, 200, "{body}");
    let (_, left) = server.get(DEVICES, &first.token).await;
    assert_eq!(left["devices"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn changing_the_password_ends_other_sessions_only() {
    let server = TestServer::start().await;
    let first = server.register("alice").await;
    let second = server.login("alice").await;
    let new = "a better battery staple";
    let body = json!({ "new_password": new });
    let (_, challenge) = server.post(PASSWORD_PATH, &first.token, body).await;
    let auth = password_auth("alice", &challenge["session"]);

    let body = json!({ "new_password": new, "auth": auth });
    let (status, body) = server.post(PASSWORD_PATH, &first.token, body).await;

    assert_eq!(status, 200, "{body}");
    assert_eq!(server.get(WHOAMI, &first.token).await.0, 200);
    assert_refused(&server.get(WHOAMI, &second.token).await, 401, "M_UNKNOWN_TOKEN");
    assert_refused(&server.try_login("alice", PASSWORD).await, 403, "M_FORBIDDEN");
    assert_eq!(server.try_login("alice", new).await.0, 200);
}

#[tokio::test]
async fn changing_the_password_leaves_other_sessions_alone_when_asked_to() {
    let server = TestServer::start().await;
    let alice = server.register("alice").await;
    let second = server.login("alice").await;
    let path = "/_matrix/client/v3/account/password";
    let mut body = json!({ "new_password": "a better battery staple", "logout_devices": false });
    let (_, challenge) = server.post(path, &alice.token, body.clone()).await;
    body["auth"] = password_auth("alice", &challenge["session"]);

    let (status, answer) = server.post(path, &alice.token, body).await;

    assert_eq!(status, 200, "{answer}");
    for session in [&alice, &second] {
        assert_eq!(server.get(WHOAMI, &session.token).await.0, 200);
    }
    assert_refused(&server.try_login("alice", PASSWORD).await, 403, "M_FORBIDDEN");
    assert_eq!(server.try_login("alice", "a better battery staple").await.0, 200);
}

#[tokio::test]
async fn a_deactivated_account_is_gone_and_its_name_is_never_given_again() {
    let server = TestServer::start().await;
    let alice = server.register("alice").await;
    let bob = server.register("bob").await;
    let profile = "/_matrix/client/v3/profile/@alice:example.org";
    let name = format!("{profile}/displayname");
    server.put(&name, &alice.token, json!({ "displayname": "Alice" })).await;
    let path = "/_matrix/client/v3/account/deactivate";
    let (_, challenge) = server.post(path, &alice.token, json!({})).await;

    let auth = password_auth("alice", &challenge["session"]);
    let (status, body) = server.post(path, &alice.token, json!({ "auth": auth })).await;

    assert_eq!(status, 200, "{body}");
    assert_refused(&server.get(WHOAMI, &alice.token).await, 401, "M_UNKNOWN_TOKEN");
    assert_refused(&server.try_login("alice", PASSWORD).await, 403, "M_USER_DEACTIVATED");
    let body =
        json!({ "username": "alice", "password": PASSWORD, "auth": { "type": "m.login.dummy" } });
    assert_refused(&server.post(REGISTER, "", body).await, 400, "M_USER_IN_USE");
    assert_refused(&server.get(profile, &bob.token).await, 404, "M_NOT_FOUND");
}

#[tokio::test]
async fn a_login_token_logs_in_once_and_not_late() {
    let server = TestServer::start().await;
    let alice = server.register("alice").await;
    let path = "/_matrix/client/v1/login/get_token";
    let token = async || {
        let (_, challenge) = server.post(path, &alice.token, json!({})).await;
        let auth = password_auth("alice", &challenge["session"]);
        let (status, body) = server.post(path, &alice.token, json!({ "auth": auth })).await;
        assert_eq!(status, 200, "{body}");
        json!({ "type": "m.login.token", "token": body["login_token"] })
    };

    let (first, late) = (token().await, token().await);
    let used = server.post(LOGIN, "", first.clone()).await;
    let again = server.post(LOGIN, "", first).await;
    server.app.clock.turn(Duration::from_secs(121));
    let late = server.post(LOGIN, "", late).await;

    assert_eq!(used.0, 200, "{}", used.1);
    assert_refused(&again, 403, "M_FORBIDDEN");
    assert_refused(&late, 403, "M_FORBIDDEN");
}

#[tokio::test]
async fn a_locked_account_keeps_its_sessions_but_may_do_nothing() {
    let server = TestServer::start().await;
    let alice = server.register("alice").await;
    let user = server.app.db.user("@alice:example.org").await.unwrap();
    let lock = |locked: bool| {
        server.app.db.write(move |txn| {
            Box::pin(async move {
                let mark = storage::accounts::Mark::Locked;
                storage::accounts::update_mark(txn.db(), user, mark, locked).await
            })
        })
    };

    lock(true).await.unwrap();
    server.auth.forget_user(&server.app, user);
    let refused = server.get(WHOAMI, &alice.token).await;
    let login = server.try_login("alice", PASSWORD).await;
    lock(false).await.unwrap();

    assert_refused(&refused, 401, "M_USER_LOCKED");
    assert_eq!(refused.1["soft_logout"], true);
    assert_refused(&login, 401, "M_USER_LOCKED");
    assert_eq!(server.get(WHOAMI, &alice.token).await.0, 200);
}

#[tokio::test]
async fn passwords_and_tokens_are_nowhere_on_the_disk() {
    let server = TestServer::start().await;
    let alice = server.register("alice").await;
    server.post("/_matrix/client/v3/account/deactivate", &alice.token, json!({})).await;

    for entry in std::fs::read_dir(server.folder()).unwrap() {
        let path = entry.unwrap().path();
        let Ok(bytes) = std::fs::read(&path) else { continue };
        for secret in [PASSWORD, &alice.token] {
            let found = bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
            assert!(!found, "a secret is in {}", path.display());
        }
    }
}
