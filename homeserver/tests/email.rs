//! Accounts by email: registering, resetting, adding an address, by the codes and links in real mail files.

mod common;

use std::time::Duration;

use axum::{body::Body, http::Request};
use common::{
    PASSWORD, TestServer, User, assert_refused,
    mail::{
        ADD_MAIL, PASSWORD_PATH, REGISTER, REGISTER_MAIL, RESET_MAIL, THREEPIDS, WHOAMI, ask,
        code_of, email_auth, link_of, mail_request, press, register, register_body, server, submit,
    },
};
use serde_json::json;
use tern_homeserver::config::RegistrationMode;

#[tokio::test]
async fn an_account_is_made_with_the_code_from_the_mail_and_logs_in_by_address() {
    let server = server().await;
    let (mut body, session) = register_body(&server, "alice").await;
    let sid = ask(&server, REGISTER_MAIL, "Alice@Example.ORG", "s3cret").await;
    body["auth"] = email_auth(&session, &sid, "s3cret");

    let (status, waiting) = server.post(REGISTER, "", body.clone()).await;
    assert_eq!(status, 401);
    assert_eq!(waiting["session"], session);
    assert!(waiting.get("errcode").is_none(), "unconfirmed is no failure: {waiting}");
    let mails = server.mails().await;
    assert_eq!(mails.len(), 1);
    assert_eq!(mails[0]["to"], "alice@example.org");
    let typed = code_of(&mails[0]).to_lowercase().replace('-', " ");
    assert_eq!(submit(&server, &sid, "s3cret", &typed).await.0, 200);
    let alice = User::from_answer(&server.post(REGISTER, "", body).await);

    assert_eq!(alice.user_id, "@alice:example.org");
    let (_, threepids) = server.get(THREEPIDS, &alice.token).await;
    assert_eq!(threepids["threepids"][0]["address"], "alice@example.org");
    let logins = [
        json!({ "identifier": { "type": "m.id.thirdparty", "medium": "email", "address": "ALICE@example.org" } }),
        json!({ "medium": "email", "address": "alice@example.org" }),
        json!({ "identifier": { "type": "m.id.user", "user": "alice@example.org" } }),
    ];
    for mut login in logins {
        login["type"] = json!("m.login.password");
        login["password"] = json!(PASSWORD);
        let answer = server.post("/_matrix/client/v3/login", "", login).await;
        assert_eq!(User::from_answer(&answer).user_id, "@alice:example.org");
    }
}

#[tokio::test]
async fn following_the_link_changes_nothing_until_its_button_is_pressed() {
    let server = server().await;
    let (mut body, session) = register_body(&server, "alice").await;
    let sid = ask(&server, REGISTER_MAIL, "alice@example.org", "s").await;
    body["auth"] = email_auth(&session, &sid, "s");
    let link = link_of(&server.mails().await[0]);

    let page = Request::get(&link).body(Body::empty()).unwrap();
    let (status, headers, html) = server.send(page).await;
    assert_eq!(status, 200);
    assert!(headers.contains_key("content-security-policy"));
    assert!(String::from_utf8(html).unwrap().contains("<form method=\"post\""));
    assert_eq!(server.post(REGISTER, "", body.clone()).await.0, 401);
    assert_eq!(press(&server, &link, "").await.0, 200);

    User::from_answer(&server.post(REGISTER, "", body).await);
}

#[tokio::test]
async fn a_mail_session_makes_one_account_only() {
    let server = server().await;
    let (mut body, session) = register_body(&server, "alice").await;
    let sid = ask(&server, REGISTER_MAIL, "alice@example.org", "s").await;
    submit(&server, &sid, "s", &code_of(&server.mails().await[0])).await;
    body["auth"] = email_auth(&session, &sid, "s");
    User::from_answer(&server.post(REGISTER, "", body).await);

    let (mut body, session) = register_body(&server, "bob").await;
    body["auth"] = email_auth(&session, &sid, "s");

    assert_refused(&server.post(REGISTER, "", body).await, 401, "M_THREEPID_AUTH_FAILED");
}

#[tokio::test]
async fn a_taken_name_does_not_use_the_mail_up() {
    let server = server().await;
    let (mut body, session) = register_body(&server, "alice").await;
    let sid = ask(&server, REGISTER_MAIL, "first@example.org", "s").await;
    submit(&server, &sid, "s", &code_of(&server.mails().await[0])).await;
    register(&server, "alice", "second@example.org").await;
    body["auth"] = email_auth(&session, &sid, "s");

    let taken = server.post(REGISTER, "", body.clone()).await;
    body["username"] = json!("bob");
    let answer = server.post(REGISTER, "", body).await;

    assert_refused(&taken, 400, "M_USER_IN_USE");
    assert_eq!(User::from_answer(&answer).user_id, "@bob:example.org");
}

#[tokio::test]
async fn five_wrong_codes_end_a_session() {
    let server = server().await;
    let sid = ask(&server, REGISTER_MAIL, "alice@example.org", "s").await;
    let code = code_of(&server.mails().await[0]);

    for _ in 0..5 {
        let wrong = submit(&server, &sid, "s", "22222222").await;
        assert_refused(&wrong, 400, "M_THREEPID_AUTH_FAILED");
    }

    assert_refused(&submit(&server, &sid, "s", &code).await, 400, "M_THREEPID_AUTH_FAILED");
}

#[tokio::test]
async fn a_code_is_refused_late_and_from_another_client() {
    let server = server().await;
    let sid = ask(&server, REGISTER_MAIL, "alice@example.org", "s").await;
    let code = code_of(&server.mails().await[0]);

    let other = submit(&server, &sid, "stolen", &code).await;
    let unknown = submit(&server, "nosuchsession", "s", &code).await;
    server.app.clock.turn(Duration::from_secs(15 * 60));
    let late = submit(&server, &sid, "s", &code).await;

    for answer in [other, unknown, late] {
        assert_refused(&answer, 400, "M_THREEPID_AUTH_FAILED");
    }
}

#[tokio::test]
async fn a_mail_is_sent_again_only_for_a_greater_attempt() {
    let server = server().await;
    let email = "alice@example.org";
    let first = server.post(REGISTER_MAIL, "", mail_request(email, "s", 1)).await;
    let same = server.post(REGISTER_MAIL, "", mail_request(email, "s", 1)).await;
    assert_eq!(server.mails().await.len(), 1);

    let greater = server.post(REGISTER_MAIL, "", mail_request(email, "s", 2)).await;

    assert_eq!(first.1["sid"], same.1["sid"]);
    assert_eq!(first.1["sid"], greater.1["sid"]);
    let mails = server.mails().await;
    assert_eq!(mails.len(), 2);
    let sid = first.1["sid"].as_str().unwrap();
    assert_eq!(submit(&server, sid, "s", &code_of(&mails[1])).await.0, 200);
}

#[tokio::test]
async fn an_address_gets_ten_mails_an_hour() {
    let server = server().await;
    for number in 0..10 {
        ask(&server, REGISTER_MAIL, "alice@example.org", &format!("s{number}")).await;
    }
    let request = || mail_request("ALICE@example.org", "more", 1);

    let refused = server.post(RESET_MAIL, "", request()).await;
    server.app.clock.turn(Duration::from_secs(3_601));
    let later = server.post(RESET_MAIL, "", request()).await;

    assert_refused(&refused, 429, "M_LIMIT_EXCEEDED");
    assert!(refused.1["retry_after_ms"].as_u64().unwrap() > 0);
    assert_eq!(later.0, 200, "{}", later.1);
}

#[tokio::test]
async fn an_address_in_use_gets_a_mail_that_says_so_and_the_asker_learns_nothing() {
    let server = server().await;
    register(&server, "alice", "alice@example.org").await;
    let before = server.mails().await.len();

    let sid = ask(&server, REGISTER_MAIL, "alice@example.org", "s").await;

    let mails = server.mails().await;
    assert_eq!(mails.len(), before + 1);
    let text = mails.last().unwrap()["text"].as_str().unwrap();
    assert!(text.contains("account already") && !text.contains("\n    "), "{text}");
    let guess = submit(&server, &sid, "s", "22222222").await;
    assert_refused(&guess, 400, "M_THREEPID_AUTH_FAILED");
}

#[tokio::test]
async fn a_forgotten_password_is_reset_by_mail_and_all_sessions_end() {
    let server = server().await;
    let alice = register(&server, "alice", "alice@example.org").await;
    let sid = ask(&server, RESET_MAIL, "alice@example.org", "r").await;
    let code = code_of(server.mails().await.last().unwrap());
    let new = "a better battery staple";
    let mut body = json!({ "new_password": new });
    let (status, challenge) = server.post(PASSWORD_PATH, "", body.clone()).await;
    assert_eq!(status, 401);
    body["auth"] = email_auth(&challenge["session"], &sid, "r");
    assert_eq!(server.post(PASSWORD_PATH, "", body.clone()).await.0, 401);
    submit(&server, &sid, "r", &code).await;

    let (status, answer) = server.post(PASSWORD_PATH, "", body.clone()).await;

    assert_eq!(status, 200, "{answer}");
    assert_refused(&server.get(WHOAMI, &alice.token).await, 401, "M_UNKNOWN_TOKEN");
    assert_eq!(server.try_login("alice", new).await.0, 200);
    assert_refused(&server.try_login("alice", PASSWORD).await, 403, "M_FORBIDDEN");
    let mails = server.mails().await;
    assert!(
        mails.iter().any(|mail| mail["subject"].as_str().unwrap().contains("password was changed"))
    );
    body["auth"].as_object_mut().unwrap().remove("session");
    assert_refused(&server.post(PASSWORD_PATH, "", body).await, 401, "M_THREEPID_AUTH_FAILED");
}

#[tokio::test]
async fn a_reset_for_an_unknown_address_answers_the_same_and_mails_nobody() {
    let server = server().await;
    let known = ask(&server, RESET_MAIL, "bob@example.org", "r").await;

    assert!(server.mails().await.is_empty());
    assert_refused(&submit(&server, &known, "r", "22222222").await, 400, "M_THREEPID_AUTH_FAILED");
}

#[tokio::test]
async fn a_mail_for_one_purpose_serves_no_other() {
    let server = server().await;
    register(&server, "alice", "alice@example.org").await;
    let sid = ask(&server, REGISTER_MAIL, "mallory@example.org", "s").await;
    let code = code_of(server.mails().await.last().unwrap());
    submit(&server, &sid, "s", &code).await;
    let mut body = json!({ "new_password": "a better battery staple" });
    let (_, challenge) = server.post(PASSWORD_PATH, "", body.clone()).await;

    body["auth"] = email_auth(&challenge["session"], &sid, "s");

    assert_refused(&server.post(PASSWORD_PATH, "", body).await, 401, "M_THREEPID_AUTH_FAILED");
}

#[tokio::test]
async fn an_address_is_added_with_code_and_password_and_removed_again() {
    let server = server().await;
    let alice = register(&server, "alice", "alice@example.org").await;
    let request = mail_request("work@example.org", "a", 1);
    let (_, body) = server.post(ADD_MAIL, &alice.token, request).await;
    let sid = body["sid"].as_str().unwrap();
    submit(&server, sid, "a", &code_of(server.mails().await.last().unwrap())).await;
    let add = "/_matrix/client/v3/account/3pid/add";
    let mut body = json!({ "sid": sid, "client_secret": "a" });
    let (_, challenge) = server.post(add, &alice.token, body.clone()).await;
    body["auth"] = json!({ "type": "m.login.password", "session": challenge["session"], "password": PASSWORD });

    let (status, answer) = server.post(add, &alice.token, body).await;

    assert_eq!(status, 200, "{answer}");
    let warned = server.mails().await;
    assert_eq!(warned.last().unwrap()["to"], "alice@example.org");
    let (_, threepids) = server.get(THREEPIDS, &alice.token).await;
    assert_eq!(threepids["threepids"].as_array().unwrap().len(), 2);
    let delete = "/_matrix/client/v3/account/3pid/delete";
    let body = json!({ "medium": "email", "address": "WORK@example.org" });
    assert_eq!(server.post(delete, &alice.token, body.clone()).await.0, 200);
    assert_refused(&server.post(delete, &alice.token, body).await, 404, "M_THREEPID_NOT_FOUND");
}

#[tokio::test]
async fn a_new_device_is_announced_by_a_mail_whose_link_ends_all_sessions() {
    let server = server().await;
    let alice = register(&server, "alice", "alice@example.org").await;
    let thief = server.login("alice").await;
    let mail = server.mails().await.pop().unwrap();
    assert!(mail["subject"].as_str().unwrap().contains("new device"));
    let link = link_of(&mail);

    let (first, again) = (press(&server, &link, "").await.0, press(&server, &link, "").await.0);

    assert_eq!((first, again), (200, 400));
    for token in [&alice.token, &thief.token] {
        assert_refused(&server.get(WHOAMI, token).await, 401, "M_UNKNOWN_TOKEN");
    }
}

#[tokio::test]
async fn bad_addresses_secrets_links_and_phones_are_refused() {
    let server = TestServer::with(|config| {
        config.registration.mode = RegistrationMode::Email;
        config.registration.email_domains.deny = vec!["bücher.example".to_owned()];
    })
    .await;
    let cases = [
        (mail_request("no address", "s", 1), 400, "M_INVALID_PARAM"),
        (mail_request("a@example.org\r\nBcc: b@example.org", "s", 1), 400, "M_INVALID_PARAM"),
        (mail_request("alice@example.org", "", 1), 400, "M_INVALID_PARAM"),
        (mail_request("alice@example.org", "a b", 1), 400, "M_INVALID_PARAM"),
        (mail_request("alice@xn--bcher-kva.example", "s", 1), 403, "M_THREEPID_DENIED"),
        (json!({ "client_secret": "s", "send_attempt": 1 }), 400, "M_MISSING_PARAM"),
    ];
    for (body, status, errcode) in cases {
        assert_refused(&server.post(REGISTER_MAIL, "", body).await, status, errcode);
    }
    let mut body = mail_request("alice@example.org", "s", 1);
    body["next_link"] = json!("javascript:alert(1)");
    assert_refused(&server.post(REGISTER_MAIL, "", body).await, 400, "M_INVALID_PARAM");
    for path in ["register", "account/password", "account/3pid"] {
        let path = format!("/_matrix/client/v3/{path}/msisdn/requestToken");
        let answer = server.post(&path, "", json!({})).await;
        assert_refused(&answer, 400, "M_THREEPID_MEDIUM_NOT_SUPPORTED");
    }
}
