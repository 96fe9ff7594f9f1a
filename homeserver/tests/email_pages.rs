//! The pages behind mailed links, and what mails may not be used for.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may stop at anything unforeseen"
)]

mod common;

use std::time::Duration;

use common::{
    PASSWORD, TestServer, assert_refused,
    mail::{
        REGISTER, REGISTER_MAIL, RESET_MAIL, WHOAMI, ask, email_auth, link_of, mail_request, open,
        press, register, register_body, server, submit,
    },
};
use futures_util::future::join_all;
use serde_json::json;

const NEW_PASSWORD: &str = "a better battery staple";

/// The link of the mail that alice gets when somebody registers with her address.
async fn recovery_link(server: &TestServer) -> String {
    ask(server, REGISTER_MAIL, "alice@example.org", "s").await;
    let mail = server.mails().await.pop().unwrap();
    assert!(mail["html"].as_str().unwrap().contains("Set a new password</a>"));
    link_of(&mail)
}

#[tokio::test]
async fn the_page_after_the_button_links_on_and_redirects_nowhere() {
    let server = server().await;
    for (next, shown) in [
        ("https://app.example.org/done?a=1&b=2", Some("https://app.example.org/done?a=1")),
        ("http://localhost:8080/", Some("http://localhost:8080/")),
        ("", None),
    ] {
        let mut request = mail_request("alice@example.org", &format!("s{}", next.len()), 1);
        request["next_link"] = json!(next);
        assert_eq!(server.post(REGISTER_MAIL, "", request).await.0, 200);
        let link = link_of(&server.mails().await.pop().unwrap());

        let (status, page) = press(&server, &link, "").await;

        assert_eq!(status, 200, "{page}");
        assert!(page.contains("Confirmed"), "{page}");
        match shown {
            Some(shown) => assert!(page.contains(&format!("<a href=\"{shown}")), "{page}"),
            None => assert!(!page.contains("<a "), "{page}"),
        }
    }
}

#[tokio::test]
async fn the_mail_for_an_address_in_use_leads_to_a_page_that_sets_a_new_password() {
    let server = server().await;
    let alice = register(&server, "alice", "alice@example.org").await;
    let link = recovery_link(&server).await;
    assert!(open(&server, &link).await.contains("type=\"password\""));
    assert_eq!(server.get(WHOAMI, &alice.token).await.0, 200);

    let weak = press(&server, &link, "&new_password=short").await;
    let set = press(&server, &link, "&new_password=a+better+battery+staple").await;
    let again = press(&server, &link, "&new_password=a+better+battery+staple").await;

    assert!(weak.0 == 400 && weak.1.contains("type=\"password\""), "{}", weak.1);
    assert!(set.0 == 200 && set.1.contains("The password is set"), "{}", set.1);
    assert!(again.0 == 400 && again.1.contains("used already"), "{}", again.1);
    assert_refused(&server.get(WHOAMI, &alice.token).await, 401, "M_UNKNOWN_TOKEN");
    assert_refused(&server.try_login("alice", PASSWORD).await, 403, "M_FORBIDDEN");
    assert_eq!(server.try_login("alice", NEW_PASSWORD).await.0, 200);
}

#[tokio::test]
async fn the_link_to_a_new_password_ends_and_serves_nothing_else() {
    let server = server().await;
    register(&server, "alice", "alice@example.org").await;
    let link = recovery_link(&server).await;

    // The button without a password, as a page of another purpose would press it.
    let (status, page) = press(&server, &link, "").await;
    assert!(status == 400 && page.contains("new password"), "{page}");
    let (mut body, session) = register_body(&server, "bob").await;
    let sid = link.split("sid=").nth(1).unwrap().split('&').next().unwrap().to_owned();
    body["auth"] = email_auth(&session, &sid, "s");
    assert_refused(&server.post(REGISTER, "", body).await, 401, "M_THREEPID_AUTH_FAILED");
    server.app.clock.turn(Duration::from_secs(15 * 60));
    let (status, page) = press(&server, &link, "&new_password=a+better+battery+staple").await;

    assert!(status == 400 && page.contains("expired"), "{page}");
    assert_eq!(server.try_login("alice", PASSWORD).await.0, 200);
}

#[tokio::test]
async fn thirty_requests_at_once_send_ten_mails() {
    let server = server().await;
    let requests = (0..30).map(|number| {
        let request = mail_request("alice@example.org", &format!("s{number}"), 1);
        server.post(REGISTER_MAIL, "", request)
    });

    let answers = join_all(requests).await;

    let sent = answers.iter().filter(|(status, _)| *status == 200).count();
    let refused = answers.iter().filter(|(status, _)| *status == 429).count();
    assert_eq!((sent, refused), (10, 20));
    assert_eq!(server.mails().await.len(), 10);
}

#[tokio::test]
async fn an_identity_server_may_be_named_and_is_ignored() {
    let server = server().await;
    let mut request = mail_request("alice@example.org", "s", 1);
    request["id_server"] = json!("vector.example.org");
    request["id_access_token"] = json!("token");

    let (status, body) = server.post(REGISTER_MAIL, "", request.clone()).await;
    request["client_secret"] = json!("r");
    let reset = server.post(RESET_MAIL, "", request).await;

    assert_eq!((status.as_u16(), reset.0.as_u16()), (200, 200), "{body}");
    assert_eq!(server.mails().await.len(), 1, "the reset is of nobody");
}

#[tokio::test]
async fn an_allow_list_lets_its_domains_register_only() {
    let server = TestServer::with(|config| {
        config.registration.mode = tern_homeserver::config::RegistrationMode::Email;
        config.registration.email_domains.allow = vec!["example.org".to_owned()];
    })
    .await;

    let inside = server.post(REGISTER_MAIL, "", mail_request("a@EXAMPLE.org", "s", 1)).await;
    for outside in ["a@example.com", "a@sub.example.org", "a@example.org.example.com"] {
        let answer = server.post(REGISTER_MAIL, "", mail_request(outside, "s", 1)).await;
        assert_refused(&answer, 403, "M_THREEPID_DENIED");
    }

    assert_eq!(inside.0, 200, "{}", inside.1);
}

#[tokio::test]
async fn waiting_for_the_link_is_no_failure_however_often() {
    let server = server().await;
    let (mut body, session) = register_body(&server, "alice").await;
    let sid = ask(&server, REGISTER_MAIL, "alice@example.org", "s").await;
    let link = link_of(&server.mails().await[0]);
    body["auth"] = email_auth(&session, &sid, "s");

    for _ in 0..15 {
        let (status, waiting) = server.post(REGISTER, "", body.clone()).await;
        assert_eq!(status, 401, "{waiting}");
        assert_eq!(waiting["session"], session);
    }
    assert_eq!(press(&server, &link, "").await.0, 200);

    assert_eq!(server.post(REGISTER, "", body).await.0, 200);
}

#[tokio::test]
async fn phone_numbers_are_refused_wherever_they_could_go() {
    let server = server().await;
    let alice = register(&server, "alice", "alice@example.org").await;
    let threepid = json!({ "medium": "msisdn", "address": "491701234567" });
    let delete = "/_matrix/client/v3/account/3pid/delete";
    let bind = json!({ "id_server": "id.example.org", "id_access_token": "t", "sid": "s", "client_secret": "c" });

    let deleted = server.post(delete, &alice.token, threepid.clone()).await;
    let bound = server.post("/_matrix/client/v3/account/3pid/bind", &alice.token, bind).await;
    let unbound =
        server.post("/_matrix/client/v3/account/3pid/unbind", &alice.token, threepid).await;

    assert_refused(&deleted, 400, "M_THREEPID_MEDIUM_NOT_SUPPORTED");
    assert_refused(&bound, 403, "M_THREEPID_DENIED");
    assert_eq!(unbound.1, json!({ "id_server_unbind_result": "no-support" }));
    for identifier in [
        json!({ "type": "m.id.phone", "country": "DE", "phone": "01701234567" }),
        json!({ "type": "m.id.thirdparty", "medium": "msisdn", "address": "491701234567" }),
    ] {
        let login =
            json!({ "type": "m.login.password", "identifier": identifier, "password": PASSWORD });
        let answer = server.post("/_matrix/client/v3/login", "", login).await;
        assert_refused(&answer, 403, "M_FORBIDDEN");
    }
    let wrong = submit(&server, "nosuchsession", "s", "22222222").await;
    assert_refused(&wrong, 400, "M_THREEPID_AUTH_FAILED");
}
