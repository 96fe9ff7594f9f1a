//! What other servers can and can't get out of the router.

use std::time::Duration;

use http::StatusCode;
use ruma::{
    ServerName,
    api::federation::{
        authenticated_media::get_content,
        discovery::{get_remote_server_keys_batch, get_server_keys},
        event::get_event,
        query::get_profile_information,
        transactions::send_transaction_message,
    },
    owned_event_id, owned_user_id,
};
use serde_json::{Value, json};
use tern_federation::{CallLimits, Client, ClientConfig, Media, RequestError};

use crate::common::{TestServer, loopback, pdu};

/// A GET with the given header, past the client, as anybody could send it.
async fn get(server: &TestServer, path: &str, authorization: Option<&str>) -> (StatusCode, Value) {
    let request = reqwest_plain().get(format!("http://{}{path}", server.name));
    let request = match authorization {
        Some(value) => request.header("Authorization", value),
        None => request,
    };
    let response = request.send().await.unwrap();
    (response.status(), serde_json::from_slice(&response.bytes().await.unwrap()).unwrap())
}

fn reqwest_plain() -> reqwest::Client {
    let provider = rustls::crypto::aws_lc_rs::default_provider();
    let tls = rustls::ClientConfig::builder_with_provider(provider.into())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth();
    reqwest::Client::builder().tls_backend_preconfigured(tls).no_proxy().build().unwrap()
}

/// The header `from` would send for this GET.
fn header(from: &TestServer, to: &ServerName, path: &str) -> String {
    let mut object = serde_json::from_value(json!({
        "method": "GET", "uri": path, "origin": from.name, "destination": to,
    }))
    .unwrap();
    from.key.sign_json(&from.name, &mut object).unwrap();
    let signature = object["signatures"].as_object().unwrap()[from.name.as_str()]
        .as_object()
        .unwrap()[from.key.key_id().as_str()]
    .as_str()
    .unwrap()
    .to_owned();
    format!(
        "X-Matrix origin=\"{}\",destination=\"{to}\",key=\"{}\",sig=\"{signature}\"",
        from.name,
        from.key.key_id()
    )
}

const PATH: &str = "/_matrix/federation/v1/query/profile?user_id=%40bob%3Aexample.org";

#[tokio::test]
async fn a_signed_request_is_answered() {
    let (alpha, beta) = (TestServer::start().await, TestServer::start().await);

    let request = get_profile_information::v1::Request::new(owned_user_id!("@bob:example.org"));
    let answer = alpha.client.send(&beta.name, request).await.unwrap();

    assert_eq!(answer.get("displayname"), Some(&json!("bob")));
}

#[tokio::test]
async fn ids_with_odd_characters_arrive_as_they_were_sent() {
    let (alpha, beta) = (TestServer::start().await, TestServer::start().await);
    for event_id in ["$a/b+c ?d#e:example.org", "$ü:example.org", "$'x|^`:example.org"] {
        let event_id: ruma::OwnedEventId = event_id.try_into().unwrap();
        let request = get_event::v1::Request::new(event_id.clone());
        let answer = alpha.client.send(&beta.name, request).await.unwrap();
        assert_eq!(answer.pdu.get(), serde_json::to_string(&event_id).unwrap());
    }
}

#[tokio::test]
async fn a_path_is_decoded_once() {
    let (alpha, beta) = (TestServer::start().await, TestServer::start().await);
    let path = "/_matrix/federation/v1/event/%24a%252Fb%2Fc%3aexample.org";
    let (status, body) = get(&beta, path, Some(&header(&alpha, &beta.name, path))).await;
    assert_eq!((status, &body["pdus"][0]), (StatusCode::OK, &json!("$a%2Fb/c:example.org")));
}

#[tokio::test]
async fn a_request_without_a_right_signature_is_not_believed() {
    let (alpha, beta) = (TestServer::start().await, TestServer::start().await);
    let right = header(&alpha, &beta.name, PATH);
    assert_eq!(get(&beta, PATH, Some(&right)).await.0, StatusCode::OK);
    let unquoted =
        right.replacen(&format!("\"{}\"", alpha.key.key_id()), alpha.key.key_id().as_str(), 1);
    assert_eq!(get(&beta, PATH, Some(&unquoted)).await.0, StatusCode::OK);

    let other_key = right.replace(alpha.key.key_id().as_str(), "ed25519:other");
    let in_betas_name = right.replacen(alpha.name.as_str(), beta.name.as_str(), 1);
    let for_gamma = header(&alpha, <&ServerName>::try_from("gamma.example.org").unwrap(), PATH);
    for (what, value) in [
        ("none", None),
        ("another scheme", Some("Bearer secret")),
        ("nonsense", Some("X-Matrix origin=,")),
        ("a key that is not published", Some(other_key.as_str())),
        ("in our own name", Some(in_betas_name.as_str())),
        ("for another server", Some(for_gamma.as_str())),
    ] {
        let (status, body) = get(&beta, PATH, value).await;
        assert_eq!(status, StatusCode::UNAUTHORIZED, "{what}");
        assert_eq!(body["errcode"], "M_UNAUTHORIZED", "{what}");
    }
    let other_path = PATH.replace("bob", "eve");
    assert_eq!(get(&beta, &other_path, Some(&right)).await.0, StatusCode::UNAUTHORIZED);
}

/// Servers older than Matrix 1.3 don't name the destination; it is still part of what they sign.
#[tokio::test]
async fn a_header_without_destination_is_accepted() {
    let (alpha, beta) = (TestServer::start().await, TestServer::start().await);
    let old =
        header(&alpha, &beta.name, PATH).replace(&format!(",destination=\"{}\"", beta.name), "");
    assert_eq!(get(&beta, PATH, Some(&old)).await.0, StatusCode::OK);
}

#[tokio::test]
async fn refusals_are_matrix_errors() {
    let (alpha, beta) = (TestServer::start().await, TestServer::start().await);
    let path = "/_matrix/federation/v1/query/profile";
    let (status, body) = get(&beta, path, Some(&header(&alpha, &beta.name, path))).await;
    assert_eq!((status, &body["errcode"]), (StatusCode::BAD_REQUEST, &json!("M_INVALID_PARAM")));

    let response =
        reqwest_plain().delete(format!("http://{}{PATH}", beta.name)).send().await.unwrap();
    assert_eq!(response.status(), StatusCode::METHOD_NOT_ALLOWED);
    assert!(response.text().await.unwrap().contains("M_UNRECOGNIZED"));

    let request = ruma::api::federation::membership::prepare_join_event::v1::Request::new(
        ruma::owned_room_id!("!room:example.org"),
        owned_user_id!("@alice:example.org"),
    );
    let error = alpha.client.send(&beta.name, request).await.unwrap_err();
    assert_eq!(error.status(), Some(StatusCode::NOT_FOUND));
    assert_eq!(error.kind().unwrap().errcode().as_str(), "M_UNRECOGNIZED");
}

#[tokio::test]
async fn one_malformed_pdu_or_edu_does_not_stop_the_others() {
    let (alpha, beta) = (TestServer::start().await, TestServer::start().await);
    let mut request = transaction(&alpha, "t1");
    let raw = |text: &str| serde_json::value::RawValue::from_string(text.to_owned()).unwrap();
    request.pdus = vec![pdu(1), raw("\"no object\""), pdu(2)];
    let edu = |text: &str| ruma::serde::Raw::from_json(raw(text));
    let typing = r#"{"edu_type":"m.typing","content":
        {"room_id":"!r:example.org","user_id":"@alice:example.org","typing":true}}"#;
    request.edus =
        vec![edu("5"), edu(r#"{"edu_type":"m.typing","content":{"room_id":7}}"#), edu(typing)];

    alpha.client.send(&beta.name, request).await.unwrap();

    let received = beta.host.received();
    assert_eq!(received[0].origin, alpha.name);
    assert_eq!(received[0].pdus, [r#"{"number":1}"#, "\"no object\"", r#"{"number":2}"#]);
    assert_eq!(received[0].edus, 1);
}

#[tokio::test]
async fn a_transaction_holds_fifty_pdus_and_not_fifty_one() {
    let (alpha, beta) = (TestServer::start().await, TestServer::start().await);
    let mut request = transaction(&alpha, "t1");
    request.pdus = (0..51).map(pdu).collect();
    let error = alpha.client.send(&beta.name, request.clone()).await.unwrap_err();
    assert_eq!(error.status(), Some(StatusCode::BAD_REQUEST));

    request.pdus.pop();
    alpha.client.send(&beta.name, request).await.unwrap();
    assert_eq!(beta.host.received()[0].pdus.len(), 50);
}

#[tokio::test]
async fn a_repeated_transaction_is_answered_but_handed_on_once() {
    let (alpha, beta) = (TestServer::start().await, TestServer::start().await);
    let mut request = transaction(&alpha, "t1");
    request.pdus = vec![pdu(1)];
    beta.host.hold(true);
    let send = || alpha.client.send(&beta.name, request.clone());

    // Two at once while the host is still busy, one later.
    let (first, second, ()) = tokio::join!(send(), send(), async {
        beta.host.until_received(1).await;
        beta.host.hold(false);
    });
    first.unwrap();
    second.unwrap();
    send().await.unwrap();

    assert_eq!(beta.host.received().len(), 1);
    alpha.client.send(&beta.name, transaction(&alpha, "t2")).await.unwrap();
    assert_eq!(beta.host.received().len(), 2);
}

#[tokio::test]
async fn a_refused_transaction_may_be_sent_again() {
    let (alpha, beta) = (TestServer::start().await, TestServer::start().await);
    beta.host.refuse_next(tern_federation::Refusal::internal());
    assert!(alpha.client.send(&beta.name, transaction(&alpha, "t1")).await.is_err());
    alpha.client.send(&beta.name, transaction(&alpha, "t1")).await.unwrap();
    assert_eq!(beta.host.received().len(), 1);
}

#[tokio::test]
async fn media_come_as_a_stream_or_as_a_location() {
    let (alpha, beta) = (TestServer::start().await, TestServer::start().await);
    let limits = CallLimits { response_bytes_max: 4000, ..CallLimits::default() };
    let ask = |id: &str| {
        alpha.client.download(&beta.name, get_content::v1::Request::new(id.to_owned()), limits)
    };

    let Media::Content(content) = ask("file").await.unwrap() else { panic!("a location") };
    assert_eq!(content.content_type.as_deref(), Some("text/plain"));
    let bytes = collect(content.body).await.unwrap();
    assert_eq!(bytes, "file".repeat(1000).into_bytes());

    let Media::Content(content) = ask("larger").await.unwrap() else { panic!("a location") };
    assert!(collect(content.body).await.is_err());

    let Media::Location(url) = ask("elsewhere").await.unwrap() else { panic!("a file") };
    assert_eq!(url, "https://media.example.org/file");
    let error = alpha.client.follow_location("http://127.0.0.1/file", limits).await.unwrap_err();
    assert!(matches!(error, RequestError::Malformed(_)));
}

async fn collect(body: tern_federation::MediaBody) -> std::io::Result<Vec<u8>> {
    use futures_util::TryStreamExt as _;
    let chunks: Vec<_> = body.try_collect().await?;
    Ok(chunks.concat())
}

#[tokio::test]
async fn server_keys_are_published_and_passed_on_as_a_notary() {
    let (alpha, beta, gamma) =
        (TestServer::start().await, TestServer::start().await, TestServer::start().await);
    let limits = CallLimits::default();

    let request = get_server_keys::v2::Request::new();
    let answer = alpha.client.send_unsigned(&beta.name, request, limits).await.unwrap();
    assert_eq!(answer.server_key.deserialize().unwrap().server_name, beta.name);

    let wanted = [(alpha.name.clone(), [].into()), (gamma.name.clone(), [].into())].into();
    let request = get_remote_server_keys_batch::v2::Request::new(wanted);
    let answer = alpha.client.send_unsigned(&beta.name, request, limits).await.unwrap();
    let mut names = Vec::new();
    for document in &answer.server_keys {
        let keys = document.deserialize().unwrap();
        let text: Value = serde_json::from_str(document.json().get()).unwrap();
        assert!(text["signatures"][beta.name.as_str()].is_object());
        assert!(text["signatures"][keys.server_name.as_str()].is_object());
        names.push(keys.server_name);
    }
    names.sort();
    let mut expected = [alpha.name, gamma.name];
    expected.sort();
    assert_eq!(names, expected);
}

#[tokio::test]
async fn a_server_does_not_send_to_itself() {
    let alpha = TestServer::start().await;
    let request = transaction(&alpha, "t1");
    let error = alpha.client.send(&alpha.name, request).await.unwrap_err();
    assert!(matches!(error, RequestError::OwnName));
}

#[tokio::test]
async fn a_path_that_would_change_on_the_way_is_not_sent() {
    let (alpha, beta) = (TestServer::start().await, TestServer::start().await);
    let request = get_content::v1::Request::new("..".to_owned());
    let error =
        alpha.client.download(&beta.name, request, CallLimits::default()).await.unwrap_err();
    assert!(matches!(error, RequestError::Request(_)));
}

#[tokio::test]
async fn an_answer_that_is_too_large_is_cut_off() {
    let (alpha, beta) = (TestServer::start().await, TestServer::start().await);
    let ask = async |response_bytes_max| {
        let event_id = owned_event_id!("$event:example.org");
        let limits = CallLimits { response_bytes_max, ..CallLimits::default() };
        alpha.client.send_with(&beta.name, get_event::v1::Request::new(event_id), limits).await
    };
    assert!(matches!(ask(50).await.unwrap_err(), RequestError::TooLarge { max_bytes: 50 }));
    ask(500).await.unwrap();
}

#[tokio::test]
async fn a_server_that_asks_too_much_is_told_how_long_to_wait_and_others_are_not() {
    let beta = TestServer::start().await;
    let (loud, quiet) = (TestServer::start().await, TestServer::start().await);
    beta.host.shut_out(loud.name.clone(), Duration::from_secs(7));

    let refused = loud.client.send(&beta.name, transaction(&loud, "t1")).await.unwrap_err();
    assert_eq!(refused.status(), Some(StatusCode::TOO_MANY_REQUESTS));
    assert_eq!(refused.retry_after(), Some(Duration::from_secs(7)));
    quiet.client.send(&beta.name, transaction(&quiet, "t1")).await.unwrap();
    // Who only claims the name learns nothing and uses nothing up: the signature is looked at first.
    let (status, _) = get(&beta, "/_matrix/federation/v1/event/$e", Some("X-Matrix nothing")).await;
    assert_eq!(status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn with_federation_switched_off_nothing_leaves() {
    let (alpha, beta) = (TestServer::start().await, TestServer::start().await);
    let config = ClientConfig {
        policy: loopback(),
        plain_http_to_loopback: true,
        enabled: false,
        ..ClientConfig::new(alpha.name.clone())
    };
    let off = Client::new(config, alpha.key.clone()).unwrap();
    let error = off.send(&beta.name, transaction(&alpha, "t1")).await.unwrap_err();
    assert!(matches!(error, RequestError::Off), "{error}");
    assert!(error.to_string().contains("switched off"));
    assert!(beta.host.received().is_empty());
}

fn transaction(from: &TestServer, id: &str) -> send_transaction_message::v1::Request {
    send_transaction_message::v1::Request::new(
        id.into(),
        from.name.clone(),
        ruma::MilliSecondsSinceUnixEpoch(ruma::uint!(1)),
    )
}
