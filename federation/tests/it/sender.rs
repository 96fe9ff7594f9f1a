//! The outgoing queue against a server that comes and goes. Time is wound by hand.

use std::{sync::Arc, time::Duration};

use http::StatusCode;
use ruma::{
    OwnedServerName, api::error::ErrorKind, api::federation::query::get_profile_information,
    owned_room_id, owned_user_id, serde::Raw,
};
use tern_federation::{
    Clock as _, EphemeralKey, Outbox as _, Refusal, Retry, SenderConfig, outbound::Backoff,
    testing::Received,
};
use tokio::net::TcpListener;

use crate::common::{Setup, TestServer, name_of};

fn numbers(received: &[Received]) -> Vec<usize> {
    let pdus = received.iter().flat_map(|transaction| &transaction.pdus);
    pdus.map(|pdu| {
        serde_json::from_str::<serde_json::Value>(pdu).unwrap()["number"].as_u64().unwrap() as usize
    })
    .collect()
}

fn typing() -> (EphemeralKey, Raw<ruma::api::federation::transactions::edu::Edu>) {
    let key = EphemeralKey::Typing(
        owned_room_id!("!r:example.org"),
        owned_user_id!("@alice:example.org"),
    );
    let edu = r#"{"edu_type":"m.typing","content":
        {"room_id":"!r:example.org","user_id":"@alice:example.org","typing":true}}"#;
    (key, Raw::from_json_string(edu.to_owned()).unwrap())
}

#[tokio::test]
async fn events_arrive_in_order_fifty_at_a_time() {
    let (alpha, beta) = (TestServer::start().await, TestServer::start().await);
    for number in 0..120 {
        alpha.outbox.owe_pdu(&beta.name, crate::common::pdu(number));
    }

    alpha.sender.wake(&beta.name);
    alpha.outbox.until_settled(&beta.name).await;

    let received = beta.host.received();
    assert_eq!(numbers(&received), (0..120).collect::<Vec<_>>());
    let sizes: Vec<usize> = received.iter().map(|one| one.pdus.len()).collect();
    assert_eq!(sizes, [50, 50, 20]);
}

#[tokio::test]
async fn what_was_owed_at_start_is_sent_without_being_woken_one_by_one() {
    let (alpha, beta, gamma) =
        (TestServer::start().await, TestServer::start().await, TestServer::start().await);
    alpha.outbox.owe_pdu(&beta.name, crate::common::pdu(1));
    alpha.outbox.owe_pdu(&gamma.name, crate::common::pdu(2));

    alpha.sender.wake_all().await.unwrap();

    assert_eq!(numbers(&beta.host.until_received(1).await), [1]);
    assert_eq!(numbers(&gamma.host.until_received(1).await), [2]);
}

#[tokio::test]
async fn a_dead_server_is_tried_again_later_and_gets_everything_in_order() {
    let (alpha, beta) = (TestServer::start().await, TestServer::start().await);
    beta.host.set_up(false);
    alpha.owe(&beta.name, 1);
    alpha.outbox.until_failed(&beta.name, 1).await;
    let retry = alpha.outbox.retry(&beta.name).unwrap();
    let wait = retry.retry_at.duration_since(alpha.clock.now()).unwrap();
    assert!(wait >= Duration::from_secs(3) && wait <= Duration::from_millis(4_500));

    // More is written while it is away; it stays away for a second attempt.
    for number in 2..=60 {
        alpha.owe(&beta.name, number);
    }
    alpha.clock.until_sleeping(1).await;
    alpha.clock.wind(wait);
    alpha.outbox.until_failed(&beta.name, 2).await;
    beta.host.set_up(true);
    alpha.clock.until_sleeping(1).await;
    alpha.clock.wind(Duration::from_secs(60));
    alpha.clock.until_sleeping(1).await;
    alpha.clock.wind(Duration::from_secs(60));

    alpha.outbox.until_settled(&beta.name).await;
    assert_eq!(numbers(&beta.host.received()), (1..=60).collect::<Vec<_>>());
    assert_eq!(alpha.outbox.retry(&beta.name), None);
}

/// The answer is lost, not the transaction: the second attempt must be recognisable.
#[tokio::test]
async fn a_second_attempt_has_the_same_transaction_id() {
    let alpha = TestServer::start().await;
    let proxy = LosingProxy::start().await;
    alpha.owe(&proxy.name, 1);
    alpha.outbox.until_failed(&proxy.name, 1).await;

    alpha.clock.until_sleeping(1).await;
    alpha.clock.wind(Duration::from_secs(60));
    alpha.outbox.until_failed(&proxy.name, 2).await;

    let paths = proxy.paths();
    assert!(paths.len() >= 2 && paths.iter().all(|path| *path == paths[0]), "{paths:?}");
    alpha.sender.stop(Duration::ZERO).await;
}

#[tokio::test]
async fn the_transaction_id_survives_a_restart() {
    let proxy = LosingProxy::start().await;
    let alpha = TestServer::start().await;
    alpha.owe(&proxy.name, 1);
    alpha.outbox.until_failed(&proxy.name, 1).await;
    alpha.sender.stop(Duration::ZERO).await;

    let outbox = Some(Arc::clone(&alpha.outbox));
    let reborn = TestServer::start_with(Setup { outbox, ..Setup::default() }).await;
    reborn.sender.wake_all().await.unwrap();
    // The wait of before goes on.
    reborn.clock.until_sleeping(1).await;
    reborn.clock.wind(Duration::from_secs(60));
    reborn.outbox.until_failed(&proxy.name, 2).await;

    let paths = proxy.paths();
    assert!(paths.len() >= 2 && paths.iter().all(|path| *path == paths[0]), "{paths:?}");
}

#[tokio::test]
async fn a_signed_request_from_a_waiting_server_brings_it_everything_at_once() {
    let (alpha, beta) = (TestServer::start().await, TestServer::start().await);
    beta.host.set_up(false);
    alpha.owe(&beta.name, 1);
    alpha.outbox.until_failed(&beta.name, 1).await;
    beta.host.set_up(true);

    let request = get_profile_information::v1::Request::new(owned_user_id!("@bob:example.org"));
    beta.client.send(&alpha.name, request).await.unwrap();

    // The clock was never wound.
    alpha.outbox.until_settled(&beta.name).await;
    assert_eq!(numbers(&beta.host.received()), [1]);
}

#[tokio::test]
async fn a_dead_server_delays_no_other() {
    let setup = Setup {
        sender: SenderConfig { in_flight_max: 1, ..SenderConfig::default() },
        ..Setup::default()
    };
    let (alpha, beta) = (TestServer::start_with(setup).await, TestServer::start().await);
    let nobody = closed_port().await;
    alpha.owe(&nobody, 1);
    alpha.outbox.until_failed(&nobody, 1).await;

    alpha.owe(&beta.name, 2);

    assert_eq!(numbers(&beta.host.until_received(1).await), [2]);
}

#[tokio::test]
async fn an_event_that_the_other_side_cannot_stand_takes_no_other_with_it() {
    let (alpha, beta) = (TestServer::start().await, TestServer::start().await);
    beta.host.refuse_pdus_with("\"number\":3}");
    for number in 1..=5 {
        alpha.outbox.owe_pdu(&beta.name, crate::common::pdu(number));
    }

    alpha.sender.wake(&beta.name);
    alpha.outbox.until_settled(&beta.name).await;

    assert_eq!(numbers(&beta.host.received()), [1, 2, 4, 5]);
}

#[tokio::test]
async fn too_many_requests_waits_as_long_as_it_was_told() {
    let (alpha, beta) = (TestServer::start().await, TestServer::start().await);
    beta.host.refuse_next(Refusal::limit_exceeded(Duration::from_secs(600)));
    alpha.owe(&beta.name, 1);
    alpha.outbox.until_failed(&beta.name, 1).await;

    let retry = alpha.outbox.retry(&beta.name).unwrap();

    assert_eq!(retry.retry_at.duration_since(alpha.clock.now()).unwrap().as_secs(), 600);
}

#[tokio::test]
async fn typing_is_sent_once_and_not_kept_for_a_server_that_is_away() {
    let (alpha, beta) = (TestServer::start().await, TestServer::start().await);
    let (key, edu) = typing();
    alpha.sender.ephemeral(&beta.name, key.clone(), edu.clone());
    let received = beta.host.until_received(1).await;
    assert_eq!((received[0].pdus.len(), received[0].edus), (0, 1));

    beta.host.set_up(false);
    alpha.owe(&beta.name, 1);
    alpha.outbox.until_failed(&beta.name, 1).await;
    alpha.sender.ephemeral(&beta.name, key, edu);
    beta.host.set_up(true);
    alpha.sender.heard_from(&beta.name);
    alpha.outbox.until_settled(&beta.name).await;

    let received = beta.host.received();
    assert_eq!(received.len(), 2);
    assert_eq!((received[1].pdus.len(), received[1].edus), (1, 0));
}

#[tokio::test]
async fn edus_that_must_arrive_wait_like_events() {
    let (alpha, beta) = (TestServer::start().await, TestServer::start().await);
    beta.host.set_up(false);
    let (_, edu) = typing();
    alpha.outbox.owe_edu(&beta.name, edu);
    alpha.sender.wake(&beta.name);
    alpha.outbox.until_failed(&beta.name, 1).await;
    beta.host.set_up(true);
    alpha.sender.heard_from(&beta.name);
    alpha.outbox.until_settled(&beta.name).await;
    assert_eq!(beta.host.received()[0].edus, 1);
}

#[tokio::test]
async fn a_remembered_failure_is_waited_for_after_a_restart() {
    let (alpha, beta) = (TestServer::start().await, TestServer::start().await);
    let retry = Retry { failures: 3, retry_at: alpha.clock.now() + Duration::from_secs(50) };
    alpha.outbox.record_failure(&beta.name, retry).await.unwrap();
    alpha.outbox.owe_pdu(&beta.name, crate::common::pdu(1));
    alpha.sender.wake_all().await.unwrap();
    alpha.clock.until_sleeping(1).await;
    assert_eq!(beta.host.received().len(), 0);

    alpha.clock.wind(Duration::from_secs(50));

    alpha.outbox.until_settled(&beta.name).await;
}

#[tokio::test]
async fn a_stop_lets_the_transaction_in_flight_end_and_takes_no_more() {
    let (alpha, beta) = (TestServer::start().await, TestServer::start().await);
    beta.host.hold(true);
    alpha.owe(&beta.name, 1);
    beta.host.until_received(1).await;

    let stopping = alpha.sender.clone();
    let stopped = tokio::spawn(async move { stopping.stop(Duration::from_secs(10)).await });
    alpha.clock.until_sleeping(1).await;
    beta.host.hold(false);
    stopped.await.unwrap();

    alpha.outbox.until_settled(&beta.name).await;
    alpha.owe(&beta.name, 2);
    assert_eq!(numbers(&beta.host.received()), [1]);
}

#[tokio::test]
async fn the_backoff_can_be_configured() {
    let backoff = Backoff { first: Duration::from_secs(1), max: Duration::from_secs(2) };
    let setup =
        Setup { sender: SenderConfig { backoff, ..SenderConfig::default() }, ..Setup::default() };
    let alpha = TestServer::start_with(setup).await;
    let nobody = closed_port().await;
    alpha.owe(&nobody, 1);
    alpha.outbox.until_failed(&nobody, 1).await;
    let retry = alpha.outbox.retry(&nobody).unwrap();
    assert!(retry.retry_at <= alpha.clock.now() + Duration::from_secs(2));
}

#[tokio::test]
async fn a_page_instead_of_an_answer_delivers_nothing() {
    let alpha = TestServer::start().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let parked = name_of(&listener);
    let router = axum::Router::new().fallback(async || "<html>This domain is for sale</html>");
    tokio::spawn(async move { axum::serve(listener, router).await });

    alpha.owe(&parked, 1);
    alpha.outbox.until_failed(&parked, 1).await;

    assert_eq!(alpha.outbox.destinations_with_debts().await.unwrap(), [parked]);
}

/// Takes transactions and gives 502 for every one, as a proxy whose backend's answer got lost.
struct LosingProxy {
    name: OwnedServerName,
    paths: Arc<std::sync::Mutex<Vec<String>>>,
}

impl LosingProxy {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let name = name_of(&listener);
        let paths = Arc::<std::sync::Mutex<Vec<String>>>::default();
        let seen = Arc::clone(&paths);
        let router = axum::Router::new().fallback(async move |request: axum::extract::Request| {
            seen.lock().unwrap().push(request.uri().path().to_owned());
            Refusal::new(StatusCode::BAD_GATEWAY, ErrorKind::Unknown, "lost")
        });
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { name, paths }
    }

    fn paths(&self) -> Vec<String> {
        self.paths.lock().unwrap().clone()
    }
}

/// A server name at which nobody listens.
async fn closed_port() -> OwnedServerName {
    name_of(&TcpListener::bind("127.0.0.1:0").await.unwrap())
}
