//! A server for tests: its key, its client, its router on a loopback port.

use std::{future::IntoFuture as _, sync::Arc};

use ruma::{OwnedServerName, ServerName};
use serde_json::value::RawValue;
use tern_federation::{
    AddressPolicy, Client, ClientConfig, Clock, InboundTools, KeyRing, KeyRingConfig, Sender,
    SenderConfig, SigningKey, router,
    testing::{HandWoundClock, MemoryHost, MemoryKeyStore, MemoryOutbox},
};
use tokio::net::TcpListener;

/// A moment in 2023, in seconds after 1970.
pub(crate) const NOW: u64 = 1_700_000_000;

pub(crate) struct TestServer {
    pub(crate) name: OwnedServerName,
    pub(crate) key: Arc<SigningKey>,
    pub(crate) client: Arc<Client>,
    pub(crate) key_ring: Arc<KeyRing>,
    pub(crate) store: Arc<MemoryKeyStore>,
    pub(crate) host: Arc<MemoryHost>,
    pub(crate) outbox: Arc<MemoryOutbox>,
    pub(crate) sender: Sender,
    pub(crate) clock: Arc<HandWoundClock>,
    serving: Option<tokio::task::AbortHandle>,
}

/// Options of a [`TestServer`].
#[derive(Default)]
pub(crate) struct Setup {
    pub(crate) notaries: Vec<OwnedServerName>,
    pub(crate) sender: SenderConfig,
    pub(crate) outbox: Option<Arc<MemoryOutbox>>,
    pub(crate) store: Option<Arc<MemoryKeyStore>>,
}

impl TestServer {
    pub(crate) async fn start() -> Self {
        Self::start_with(Setup::default()).await
    }

    pub(crate) async fn start_with(setup: Setup) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (mut server, router) = Self::prepare(setup, name_of(&listener));
        let serving = tokio::spawn(axum::serve(listener, router).into_future());
        server.serving = Some(serving.abort_handle());
        server
    }

    /// Everything but the listener.
    pub(crate) fn prepare(setup: Setup, name: OwnedServerName) -> (Self, axum::Router) {
        let key = Arc::new(new_key());
        let clock = Arc::new(HandWoundClock::at(NOW));
        let mut config = ClientConfig::new(name.clone());
        config.policy = loopback();
        config.plain_http_to_loopback = true;
        let client = Arc::new(Client::new(config, Arc::clone(&key)).unwrap());
        let store = setup.store.unwrap_or_default();
        let shared_clock: Arc<dyn Clock> = clock.clone();
        let key_ring = Arc::new(KeyRing::new(
            KeyRingConfig { notaries: setup.notaries },
            Arc::clone(&key),
            Arc::clone(&client),
            store.clone(),
            Arc::clone(&shared_clock),
        ));
        let outbox = setup.outbox.unwrap_or_default();
        let sender = Sender::new(
            setup.sender,
            Arc::clone(&client),
            outbox.clone(),
            Arc::clone(&shared_clock),
        );
        let host = Arc::new(MemoryHost::default());
        let tools = InboundTools {
            server_name: name.clone(),
            signing_key: Arc::clone(&key),
            key_ring: Arc::clone(&key_ring),
            clock: shared_clock,
            sender: Some(sender.clone()),
        };
        let router = router(host.clone(), tools);
        (
            Self { name, key, client, key_ring, store, host, outbox, sender, clock, serving: None },
            router,
        )
    }

    /// Takes no more connections.
    pub(crate) async fn vanish(&self) {
        if let Some(serving) = &self.serving {
            serving.abort();
            while !serving.is_finished() {
                tokio::task::yield_now().await;
            }
        }
    }

    /// Appends a PDU to the log and wakes the sender.
    pub(crate) fn owe(&self, destination: &ServerName, number: usize) {
        self.outbox.owe_pdu(destination, pdu(number));
        self.sender.wake(destination);
    }
}

pub(crate) fn pdu(number: usize) -> Box<RawValue> {
    RawValue::from_string(format!(r#"{{"number":{number}}}"#)).unwrap()
}

pub(crate) fn new_key() -> SigningKey {
    let folder = tempfile::tempdir().unwrap();
    SigningKey::load_or_create(&folder.path().join("signing.key")).unwrap()
}

pub(crate) fn loopback() -> AddressPolicy {
    AddressPolicy::new(vec!["127.0.0.0/8".parse().unwrap(), "::1".parse().unwrap()])
}

pub(crate) fn name_of(listener: &TcpListener) -> OwnedServerName {
    listener.local_addr().unwrap().to_string().try_into().unwrap()
}
