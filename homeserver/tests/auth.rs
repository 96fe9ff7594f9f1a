//! Logging in and out, tokens, devices, interactive authentication.

mod common;

use std::time::Duration;

use common::{PASSWORD, TestServer, User, assert_refused};
use serde_json::{Value, json};

const REGISTER: &str = "/_matrix/client/v3/register";
const LOGIN: &str = "/_matrix/client/v3/login";
const WHOAMI: &str = "/_matrix/client/v3/account/whoami";

#[tokio::test]
async fn a_registered_user_is_who_the_token_says() {
    let server = TestServer::start().await;
    let alice = server.register("alice").await;

    let (status, body) = server.get(WHOAMI, &alice.token).await;

    assert_eq!(status, 200);
    assert_eq!(body["user_id"], "@alice:example.org");
    assert_eq!(body["device_id"], alice.device_id.as_str());
}
