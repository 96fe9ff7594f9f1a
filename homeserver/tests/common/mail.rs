//! Registering and proving by mail, step by step, so that a test can take a wrong step.

use axum::{body::Body, http::Request};
use serde_json::{Value, json};
use tern_homeserver::config::RegistrationMode;

use super::{Answer, PASSWORD, TestServer, User};

pub const REGISTER: &str = "/_matrix/client/v3/register";
pub const REGISTER_MAIL: &str = "/_matrix/client/v3/register/email/requestToken";
pub const RESET_MAIL: &str = "/_matrix/client/v3/account/password/email/requestToken";
pub const ADD_MAIL: &str = "/_matrix/client/v3/account/3pid/email/requestToken";
pub const SUBMIT: &str = "/_matrix/client/unstable/chat.tern/submit_token";
pub const WHOAMI: &str = "/_matrix/client/v3/account/whoami";
pub const THREEPIDS: &str = "/_matrix/client/v3/account/3pid";
pub const PASSWORD_PATH: &str = "/_matrix/client/v3/account/password";

pub async fn server() -> TestServer {
    TestServer::with(|config| config.registration.mode = RegistrationMode::Email).await
}

pub fn mail_request(email: &str, secret: &str, attempt: u32) -> Value {
    json!({ "client_secret": secret, "email": email, "send_attempt": attempt })
}

pub fn code_of(mail: &Value) -> String {
    let text = mail["text"].as_str().unwrap();
    text.lines().find_map(|line| line.strip_prefix("    ")).expect("no code in the mail").to_owned()
}

pub fn link_of(mail: &Value) -> String {
    let text = mail["text"].as_str().unwrap();
    let url = text.lines().find(|line| line.starts_with("https://")).expect("no link in the mail");
    url.strip_prefix("https://example.org").unwrap().to_owned()
}

pub async fn ask(server: &TestServer, path: &str, email: &str, secret: &str) -> String {
    let (status, body) = server.post(path, "", mail_request(email, secret, 1)).await;
    assert_eq!(status, 200, "{body}");
    assert_eq!(body["submit_url"], format!("https://example.org{SUBMIT}"));
    body["sid"].as_str().unwrap().to_owned()
}

pub async fn submit(server: &TestServer, sid: &str, secret: &str, token: &str) -> Answer {
    let body = json!({ "sid": sid, "client_secret": secret, "token": token });
    server.post(SUBMIT, "", body).await
}

pub fn email_auth(session: &Value, sid: &str, secret: &str) -> Value {
    json!({
        "type": "m.login.email.identity", "session": session,
        "threepid_creds": { "sid": sid, "client_secret": secret },
    })
}

pub async fn register_body(server: &TestServer, name: &str) -> (Value, Value) {
    let body = json!({ "username": name, "password": PASSWORD });
    let (status, challenge) = server.post(REGISTER, "", body.clone()).await;
    assert_eq!(status, 401, "{challenge}");
    assert_eq!(challenge["flows"], json!([{ "stages": ["m.login.email.identity"] }]));
    (body, challenge["session"].clone())
}

pub async fn register(server: &TestServer, name: &str, email: &str) -> User {
    let (mut body, session) = register_body(server, name).await;
    let sid = ask(server, REGISTER_MAIL, email, name).await;
    let code = code_of(server.mails().await.last().unwrap());
    assert_eq!(submit(server, &sid, name, &code).await.1, json!({ "success": true }));
    body["auth"] = email_auth(&session, &sid, name);
    User::from_answer(&server.post(REGISTER, "", body).await)
}

/// Opens the page behind a link.
pub async fn open(server: &TestServer, link: &str) -> String {
    let page = Request::get(link).body(Body::empty()).unwrap();
    let (status, _, html) = server.send(page).await;
    assert_eq!(status, 200);
    String::from_utf8(html).unwrap()
}

/// Presses the button of the page behind a link, with further form fields; its status and page.
pub async fn press(server: &TestServer, link: &str, more: &str) -> (u16, String) {
    let (path, query) = link.split_once('?').unwrap();
    let press = Request::post(path)
        .header("content-type", "application/x-www-form-urlencoded")
        .body(Body::from(format!("{query}{more}")))
        .unwrap();
    let (status, _, html) = server.send(press).await;
    (status.as_u16(), String::from_utf8(html).unwrap())
}
