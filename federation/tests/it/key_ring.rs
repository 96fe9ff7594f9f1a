//! Others' keys and what is verified with them.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use axum::{Router, routing::get};
use ruma::{
    CanonicalJsonObject, OwnedServerName, ServerName, room_version_rules::RoomVersionRules,
};
use serde_json::json;
use tern_federation::{Clock as _, EventError, KeyStore as _, SigningKey};
use tokio::net::TcpListener;

use crate::common::{NOW, Setup, TestServer, name_of, new_key};

const V12: RoomVersionRules = RoomVersionRules::V12;
const DAY: u64 = 24 * 3600;

fn draft(sender: &str, ts_seconds: u64) -> CanonicalJsonObject {
    serde_json::from_value(json!({
        "room_id": "!room", "sender": sender, "origin_server_ts": ts_seconds * 1000,
        "type": "m.room.message", "content": {"body": "hello", "msgtype": "m.text"},
        "prev_events": [], "auth_events": [], "depth": 7
    }))
    .unwrap()
}

fn signed(server: &TestServer, ts_seconds: u64) -> CanonicalJsonObject {
    let mut event = draft(&format!("@alice:{}", server.name), ts_seconds);
    server.key.hash_and_sign_event(&server.name, &mut event, &V12).unwrap();
    event
}

fn set_body(event: &mut CanonicalJsonObject, body: &str) {
    let ruma::CanonicalJsonValue::Object(content) = event.get_mut("content").unwrap() else {
        panic!("no content")
    };
    content.insert("body".to_owned(), body.to_owned().into());
}

#[tokio::test]
async fn an_event_with_its_senders_signature_is_verified() {
    let (alpha, beta) = (TestServer::start().await, TestServer::start().await);
    let event = signed(&beta, NOW);
    let verified = alpha.key_ring.verify_event(event.clone(), &V12).await.unwrap();
    assert!(verified.hash_matches());
    assert_eq!(verified.into_json(), event);

    // Our own events come back to us too; nobody is asked for our key.
    alpha.key_ring.verify_event(signed(&alpha, NOW), &V12).await.unwrap();
}

#[tokio::test]
async fn an_event_with_a_wrong_hash_is_redacted() {
    let (alpha, beta) = (TestServer::start().await, TestServer::start().await);
    let mut event = signed(&beta, NOW);
    set_body(&mut event, "something else");

    let verified = alpha.key_ring.verify_event(event, &V12).await.unwrap();

    assert!(!verified.hash_matches());
    assert_eq!(verified.json()["content"], CanonicalJsonObject::new());
    assert_eq!(verified.json()["type"].as_str(), Some("m.room.message"));
}

#[tokio::test]
async fn an_event_with_a_wrong_signature_is_refused() {
    let (alpha, beta) = (TestServer::start().await, TestServer::start().await);
    let mut event = signed(&beta, NOW);
    event.insert("depth".to_owned(), ruma::Int::from(8).into());
    let error = alpha.key_ring.verify_event(event, &V12).await.unwrap_err();
    assert!(matches!(error, EventError::WrongSignature(_)), "{error}");
}

#[tokio::test]
async fn an_event_signed_by_another_server_than_its_senders_is_refused() {
    let (alpha, beta) = (TestServer::start().await, TestServer::start().await);
    let mut event = draft(&format!("@bob:{}", alpha.name), NOW);
    beta.key.hash_and_sign_event(&beta.name, &mut event, &V12).unwrap();
    let error = alpha.key_ring.verify_event(event, &V12).await.unwrap_err();
    assert!(matches!(error, EventError::NotSigned(server) if server == alpha.name));

    // Signed in the sender's server's name, with a key that server does not have.
    let mut event = draft(&format!("@alice:{}", beta.name), NOW);
    new_key().hash_and_sign_event(&beta.name, &mut event, &V12).unwrap();
    let error = alpha.key_ring.verify_event(event, &V12).await.unwrap_err();
    assert!(matches!(error, EventError::NoValidKey(server) if server == beta.name));
}

#[tokio::test]
async fn a_restricted_join_needs_the_authorising_server_too() {
    let (alpha, beta) = (TestServer::start().await, TestServer::start().await);
    let mut event: CanonicalJsonObject = serde_json::from_value(json!({
        "room_id": "!room", "sender": format!("@bob:{}", beta.name), "origin_server_ts": NOW * 1000,
        "type": "m.room.member", "state_key": format!("@bob:{}", beta.name),
        "content": {
            "membership": "join",
            "join_authorised_via_users_server": format!("@alice:{}", alpha.name)
        },
        "prev_events": [], "auth_events": [], "depth": 7
    }))
    .unwrap();
    beta.key.hash_and_sign_event(&beta.name, &mut event, &V12).unwrap();
    let error = alpha.key_ring.verify_event(event.clone(), &V12).await.unwrap_err();
    assert!(matches!(error, EventError::NotSigned(server) if server == alpha.name));

    alpha.key.sign_event(&alpha.name, &mut event, &V12).unwrap();
    assert!(beta.key_ring.verify_event(event, &V12).await.unwrap().hash_matches());
}

#[tokio::test]
async fn a_key_counts_only_as_long_as_it_was_valid_from_room_version_five_on() {
    let (alpha, beta) = (TestServer::start().await, TestServer::start().await);
    for (ts, valid) in [(NOW - 1000 * DAY, true), (NOW + 6 * DAY, true), (NOW + 8 * DAY, false)] {
        let result = alpha.key_ring.verify_event(signed(&beta, ts), &V12).await;
        assert_eq!(result.is_ok(), valid, "{ts}");
    }
    let mut event = draft(&format!("@alice:{}", beta.name), NOW + 8 * DAY);
    event.insert("event_id".to_owned(), format!("$e:{}", beta.name).into());
    let rules = RoomVersionRules::V4;
    beta.key.hash_and_sign_event(&beta.name, &mut event, &rules).unwrap();
    alpha.key_ring.verify_event(event, &rules).await.unwrap();
}

#[tokio::test]
async fn many_events_are_verified_at_once_and_answered_in_order() {
    let (alpha, beta, gamma) =
        (TestServer::start().await, TestServer::start().await, TestServer::start().await);
    let events: Vec<_> = (0..200_u64)
        .map(|number| {
            let mut event = signed(if number % 2 == 0 { &beta } else { &gamma }, NOW + number);
            match number % 10 {
                3 => set_body(&mut event, "changed"),
                7 => drop(event.insert("depth".to_owned(), ruma::Int::from(9).into())),
                _ => {}
            }
            event
        })
        .collect();

    let results = alpha.key_ring.verify_events(events, &V12).await;

    assert_eq!(results.len(), 200);
    for (number, result) in results.into_iter().enumerate() {
        match (number % 10, result) {
            (7, Err(EventError::WrongSignature(_))) => {}
            (3, Ok(event)) => assert!(!event.hash_matches()),
            (_, Ok(event)) => {
                let ts = event.json()["origin_server_ts"].as_integer().unwrap();
                assert_eq!(i64::from(ts), i64::try_from((NOW as usize + number) * 1000).unwrap());
            }
            (_, Err(error)) => panic!("{number}: {error}"),
        }
    }
}

/// Counts how often it is asked for its keys, and gives them if it has a key.
struct KeyServer {
    name: OwnedServerName,
    key: SigningKey,
    asked: Arc<AtomicUsize>,
}

impl KeyServer {
    async fn start(answers: bool) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let name = name_of(&listener);
        let key = new_key();
        let now = std::time::UNIX_EPOCH + Duration::from_secs(NOW);
        let document = key.key_document(&name, now).unwrap().json().get().to_owned();
        let asked = Arc::<AtomicUsize>::default();
        let count = Arc::clone(&asked);
        let answer = async move || {
            count.fetch_add(1, Ordering::Relaxed);
            if answers { Ok(document) } else { Err(http::StatusCode::INTERNAL_SERVER_ERROR) }
        };
        let router = Router::new().route("/_matrix/key/v2/server", get(answer));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { name, key, asked }
    }

    fn event(&self) -> CanonicalJsonObject {
        let mut event = draft(&format!("@alice:{}", self.name), NOW);
        self.key.hash_and_sign_event(&self.name, &mut event, &V12).unwrap();
        event
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::Relaxed)
    }
}

#[tokio::test]
async fn many_questions_for_one_server_are_one_fetch() {
    let alpha = TestServer::start().await;
    let server = KeyServer::start(true).await;
    let verify = || alpha.key_ring.verify_event(server.event(), &V12);

    let results = futures_util::future::join_all((0..50).map(|_| verify())).await;

    assert!(results.iter().all(Result::is_ok));
    assert_eq!(server.asked(), 1);
}

#[tokio::test]
async fn a_server_without_keys_is_left_alone_for_a_while() {
    let alpha = TestServer::start().await;
    let server = KeyServer::start(false).await;
    for (wait_seconds, asked) in [(0, 1), (0, 1), (14, 1), (2, 2), (16, 2), (15, 3)] {
        alpha.clock.wind(Duration::from_secs(wait_seconds));
        let error = alpha.key_ring.verify_event(server.event(), &V12).await.unwrap_err();
        assert!(matches!(error, EventError::Keys(_)), "{error}");
        assert_eq!(server.asked(), asked);
    }
}

#[tokio::test]
async fn an_invented_key_id_makes_us_ask_once_a_minute_at_most() {
    let alpha = TestServer::start().await;
    let server = KeyServer::start(true).await;
    alpha.key_ring.verify_event(server.event(), &V12).await.unwrap();
    let mut forged = draft(&format!("@alice:{}", server.name), NOW);
    new_key().hash_and_sign_event(&server.name, &mut forged, &V12).unwrap();
    for (wait_seconds, asked) in [(0, 1), (59, 1), (2, 2), (0, 2)] {
        alpha.clock.wind(Duration::from_secs(wait_seconds));
        let error = alpha.key_ring.verify_event(forged.clone(), &V12).await.unwrap_err();
        assert!(matches!(error, EventError::NoValidKey(_)), "{error}");
        assert_eq!(server.asked(), asked);
    }
}

#[tokio::test]
async fn keys_outlive_the_process_and_their_server() {
    let (alpha, beta) = (TestServer::start().await, TestServer::start().await);
    let event = signed(&beta, NOW);
    alpha.key_ring.verify_event(event.clone(), &V12).await.unwrap();
    beta.vanish().await;

    let store = Some(Arc::clone(&alpha.store));
    let reborn = TestServer::start_with(Setup { store, ..Setup::default() }).await;
    reborn.clock.wind(Duration::from_secs(100 * DAY));

    reborn.key_ring.verify_event(event, &V12).await.unwrap();
    // A host may keep them as JSON.
    let kept = alpha.store.load(&beta.name).await.unwrap().unwrap();
    let text = serde_json::to_string(&kept).unwrap();
    let read: tern_federation::ServerKeys = serde_json::from_str(&text).unwrap();
    assert_eq!(read.keys.len(), kept.keys.len());
}

#[tokio::test]
async fn a_notary_speaks_for_a_server_that_is_away() {
    let (notary, gone) = (TestServer::start().await, TestServer::start().await);
    let event = signed(&gone, NOW);
    notary.key_ring.verify_event(event.clone(), &V12).await.unwrap();
    gone.vanish().await;

    let alone = TestServer::start().await;
    let error = alone.key_ring.verify_event(event.clone(), &V12).await.unwrap_err();
    assert!(matches!(error, EventError::Keys(_)), "{error}");

    let setup = Setup { notaries: vec![notary.name.clone()], ..Setup::default() };
    let alpha = TestServer::start_with(setup).await;
    alpha.key_ring.verify_event(event, &V12).await.unwrap();
}

#[tokio::test]
async fn json_is_verified_for_one_signer() {
    let (alpha, beta) = (TestServer::start().await, TestServer::start().await);
    let mut object: CanonicalJsonObject = serde_json::from_value(json!({"a": 1})).unwrap();
    beta.key.sign_json(&beta.name, &mut object).unwrap();
    alpha.key_ring.verify_json(&beta.name, &object).await.unwrap();

    object.insert("a".to_owned(), ruma::Int::from(2).into());
    assert!(alpha.key_ring.verify_json(&beta.name, &object).await.is_err());
    let other = <&ServerName>::try_from("example.org").unwrap();
    assert!(alpha.key_ring.verify_json(other, &object).await.is_err());
    assert_eq!(alpha.clock.now(), beta.clock.now());
}
