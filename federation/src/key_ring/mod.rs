//! Others' keys: fetched, checked, remembered, and events and requests verified with them. Ours is in `signing`.
//!
//! A key is looked for in memory, in the host's [`KeyStore`], at the server itself, and at the configured notaries. At
//! most one fetch per server runs at a time; those who come later wait for its result. A server that gave nothing is left
//! alone for a while.

mod server_keys;
mod verify;

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, SystemTime},
};

use async_trait::async_trait;
use ruma::{
    CanonicalJsonObject, MilliSecondsSinceUnixEpoch, OwnedServerName, OwnedServerSigningKeyId,
    ServerName, ServerSigningKeyId,
    api::federation::discovery::{
        ServerSigningKeys, get_remote_server_keys_batch, get_server_keys,
    },
    serde::Raw,
    signatures::PublicKeyMap,
};
use tokio::sync::Semaphore;

use self::server_keys::check_signature;
pub use self::{
    server_keys::{KnownKey, ServerKeys},
    verify::{EventError, VerifiedEvent},
};
use crate::{
    client::{CallLimits, Client},
    clock::{Clock, to_ts},
    signing::SigningKey,
};

/// A key fetch: short, because an inbound request or a join waits for it.
const FETCH: CallLimits =
    CallLimits { timeout: Duration::from_secs(10), response_bytes_max: 256 * 1024 };
/// A server that lacks a key we need is not asked again before this, whoever claims to have used the key.
const REFETCH_AFTER: Duration = Duration::from_secs(60);
/// The first wait after a failed fetch; it doubles up to [`BACKOFF_MAX`].
const BACKOFF_FIRST: Duration = Duration::from_secs(15);
const BACKOFF_MAX: Duration = Duration::from_secs(3600);
/// Fetches at the same time over all servers: anybody can make us start one by claiming to be somebody.
const FETCHES_MAX: usize = 128;
/// Servers kept in memory; the rest is in the store.
const SERVERS_MAX: usize = 20_000;

/// A store that failed. Logged and treated as if it held nothing.
#[derive(Debug, thiserror::Error)]
#[error("the key store failed: {0}")]
pub struct KeyStoreError(pub String);

/// Where keys outlive the process; the host's database.
#[async_trait]
pub trait KeyStore: Send + Sync + 'static {
    /// What was saved last for `server`.
    async fn load(&self, server: &ServerName) -> Result<Option<ServerKeys>, KeyStoreError>;

    /// Replaces what is saved for `keys.server_name`.
    async fn save(&self, keys: &ServerKeys) -> Result<(), KeyStoreError>;
}

/// What a [`KeyRing`] needs to know.
#[derive(Debug, Clone)]
pub struct KeyRingConfig {
    /// Servers that are asked for the keys of servers that don't answer.
    pub notaries: Vec<OwnedServerName>,
}

/// Why there are no keys.
#[derive(Debug, Clone, thiserror::Error)]
pub enum KeyError {
    #[error("the keys of {server} could not be fetched: {reason}")]
    Unavailable { server: OwnedServerName, reason: String },
    #[error("the key document of {server} is not believed: {reason}")]
    BadDocument { server: OwnedServerName, reason: String },
}

/// The keys of every server we deal with.
pub struct KeyRing {
    config: KeyRingConfig,
    signing_key: Arc<SigningKey>,
    client: Arc<Client>,
    store: Arc<dyn KeyStore>,
    clock: Arc<dyn Clock>,
    servers: Mutex<HashMap<OwnedServerName, Arc<Slot>>>,
    fetches: Semaphore,
}

/// One server's place in the ring.
#[derive(Default)]
struct Slot {
    known: Mutex<Option<Arc<ServerKeys>>>,
    /// Held while fetching, so that others wait instead of asking too.
    fetching: tokio::sync::Mutex<Attempts>,
}

#[derive(Default)]
struct Attempts {
    store_was_read: bool,
    failures: u32,
    /// No fetch before this.
    next_at: Option<SystemTime>,
    last_error: Option<KeyError>,
}

impl std::fmt::Debug for KeyRing {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("KeyRing").field("config", &self.config).finish_non_exhaustive()
    }
}

impl KeyRing {
    /// An empty ring that asks over `client`.
    pub fn new(
        config: KeyRingConfig,
        signing_key: Arc<SigningKey>,
        client: Arc<Client>,
        store: Arc<dyn KeyStore>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let fetches = Semaphore::new(FETCHES_MAX);
        Self { config, signing_key, client, store, clock, servers: Mutex::default(), fetches }
    }

    /// The key named `key` if `origin` may sign requests with it now, as the verification functions take it.
    pub(crate) async fn keys_for_request(
        &self,
        origin: &ServerName,
        key: &ServerSigningKeyId,
    ) -> Result<Option<PublicKeyMap>, KeyError> {
        let now = to_ts(self.clock.now());
        let keys = self.find(origin, &[key.to_owned()], Some(now)).await?;
        Ok(keys.key(key, Some(now)).map(|found| {
            let set = BTreeMap::from([(key.to_string(), found.key.clone())]);
            BTreeMap::from([(origin.to_string(), set)])
        }))
    }

    /// Checks that `object` is signed by `server` with a key that is valid now. Other signatures are not looked at.
    pub async fn verify_json(
        &self,
        server: &ServerName,
        object: &CanonicalJsonObject,
    ) -> Result<(), EventError> {
        let now = to_ts(self.clock.now());
        let key_ids = verify::signing_key_ids(object, server);
        let keys = self.find(server, &key_ids, Some(now)).await?;
        verify::json(server, object, keys.valid_set(Some(now)))
    }

    /// The newest document of `server`, valid until `minimum_valid_until` if the server can be asked, for answering as a
    /// notary. Not yet signed by us.
    pub async fn document(
        &self,
        server: &ServerName,
        minimum_valid_until: MilliSecondsSinceUnixEpoch,
    ) -> Result<Raw<ServerSigningKeys>, KeyError> {
        let slot = self.slot(server);
        let fresh = |keys: &ServerKeys| keys.valid_until_ts >= minimum_valid_until;
        Ok(self.look(server, &slot, &fresh).await?.document.clone())
    }

    /// The keys of `server`; fetched anew if none of `wanted` is known and valid at `at`.
    pub(crate) async fn find(
        &self,
        server: &ServerName,
        wanted: &[OwnedServerSigningKeyId],
        at: Option<MilliSecondsSinceUnixEpoch>,
    ) -> Result<Arc<ServerKeys>, KeyError> {
        let slot = self.slot(server);
        self.look(server, &slot, &|keys| keys.has_any(wanted, at)).await
    }

    /// Memory, store, network. What is known is returned even if it is not enough: the caller will see.
    async fn look(
        &self,
        server: &ServerName,
        slot: &Slot,
        enough: &(dyn Fn(&ServerKeys) -> bool + Sync),
    ) -> Result<Arc<ServerKeys>, KeyError> {
        if server == self.client.server_name() {
            return self.our_own();
        }
        if let Some(known) = slot.known()
            && enough(&known)
        {
            return Ok(known);
        }
        let mut attempts = slot.fetching.lock().await;
        if !attempts.store_was_read && slot.known().is_none() {
            self.read_store(server, slot, &mut attempts).await;
        }
        let known = slot.known();
        if let Some(known) = &known
            && (enough(known) || self.is_fresh(known))
        {
            return Ok(Arc::clone(known));
        }
        let now = self.clock.now();
        if attempts.next_at.is_some_and(|next_at| now < next_at) {
            return match (known, &attempts.last_error) {
                (Some(known), _) => Ok(known),
                (None, Some(error)) => Err(error.clone()),
                (None, None) => Err(unavailable(server, "it did not answer lately")),
            };
        }
        match self.fetch(server).await {
            Ok(fetched) => {
                *attempts = Attempts { store_was_read: true, ..Attempts::default() };
                Ok(self.keep(slot, fetched, known.as_deref()).await)
            }
            Err(error) => {
                attempts.failures = attempts.failures.saturating_add(1);
                attempts.next_at = Some(now + backoff(attempts.failures));
                attempts.last_error = Some(error.clone());
                known.ok_or(error)
            }
        }
    }

    async fn read_store(&self, server: &ServerName, slot: &Slot, attempts: &mut Attempts) {
        attempts.store_was_read = true;
        match self.store.load(server).await {
            Ok(Some(keys)) if keys.server_name == server => slot.set(Arc::new(keys)),
            Ok(_) => {}
            Err(error) => tracing::error!(server.name = %server, %error, "keys not loaded"),
        }
    }

    async fn keep(
        &self,
        slot: &Slot,
        fetched: ServerKeys,
        earlier: Option<&ServerKeys>,
    ) -> Arc<ServerKeys> {
        let merged = match earlier {
            Some(earlier) => fetched.remember(earlier),
            None => fetched,
        };
        let keys = Arc::new(merged);
        slot.set(Arc::clone(&keys));
        if let Err(error) = self.store.save(&keys).await {
            tracing::error!(server.name = %keys.server_name, %error, "keys not saved");
        }
        keys
    }

    async fn fetch(&self, server: &ServerName) -> Result<ServerKeys, KeyError> {
        let Ok(_permit) = self.fetches.acquire().await else {
            return Err(unavailable(server, "the key ring is closed"));
        };
        let direct = match self.fetch_direct(server).await {
            Ok(keys) => return Ok(keys),
            Err(error) => error,
        };
        for notary in &self.config.notaries {
            if notary == server || notary == self.client.server_name() {
                continue;
            }
            match self.fetch_from_notary(server, notary).await {
                Ok(keys) => return Ok(keys),
                Err(error) => {
                    tracing::debug!(server.name = %server, notary = %notary, %error, "no keys");
                }
            }
        }
        Err(direct)
    }

    async fn fetch_direct(&self, server: &ServerName) -> Result<ServerKeys, KeyError> {
        let request = get_server_keys::v2::Request::new();
        let response = self
            .client
            .send_unsigned(server, request, FETCH)
            .await
            .map_err(|error| unavailable(server, error))?;
        let now = to_ts(self.clock.now());
        ServerKeys::from_document(server, response.server_key, now)
    }

    /// Asks `notary`; its own signature is checked with keys it gave us itself.
    async fn fetch_from_notary(
        &self,
        server: &ServerName,
        notary: &ServerName,
    ) -> Result<ServerKeys, KeyError> {
        let now = to_ts(self.clock.now());
        let request = get_remote_server_keys_batch::v2::Request::new(BTreeMap::from([(
            server.to_owned(),
            BTreeMap::new(),
        )]));
        let response = self
            .client
            .send_unsigned(notary, request, FETCH)
            .await
            .map_err(|error| unavailable(server, error))?;
        let slot = self.slot(notary);
        let notary_keys = match slot.known().filter(|keys| keys.valid_until_ts >= now) {
            Some(keys) => keys,
            None => self.keep(&slot, self.fetch_direct(notary).await?, None).await,
        };
        let mut best: Option<ServerKeys> = None;
        for document in response.server_keys.into_iter().take(16) {
            if check_signature(&document, notary, notary_keys.valid_set(Some(now))).is_err() {
                continue;
            }
            let Ok(keys) = ServerKeys::from_document(server, document, now) else { continue };
            best = Some(match best {
                Some(earlier) if earlier.valid_until_ts > keys.valid_until_ts => {
                    earlier.remember(&keys)
                }
                Some(earlier) => keys.remember(&earlier),
                None => keys,
            });
        }
        best.ok_or_else(|| unavailable(server, "the notary has no keys of it"))
    }

    fn our_own(&self) -> Result<Arc<ServerKeys>, KeyError> {
        let name = self.client.server_name();
        let now = self.clock.now();
        let document =
            self.signing_key.key_document(name, now).map_err(|error| unavailable(name, error))?;
        Ok(Arc::new(ServerKeys::our_own(name, &self.signing_key, document, to_ts(now))))
    }

    /// Whether the document was fetched so lately that another fetch would bring nothing new.
    fn is_fresh(&self, keys: &ServerKeys) -> bool {
        let now = to_ts(self.clock.now());
        crate::clock::later(keys.fetched_at_ts, REFETCH_AFTER) > now && keys.fetched_at_ts <= now
    }

    fn slot(&self, server: &ServerName) -> Arc<Slot> {
        let mut servers = self.servers.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(slot) = servers.get(server) {
            return Arc::clone(slot);
        }
        if servers.len() >= SERVERS_MAX {
            // Those in use right now must stay, or two fetches for one server could run.
            servers.retain(|_, slot| Arc::strong_count(slot) > 1);
        }
        let slot = Arc::<Slot>::default();
        servers.insert(server.to_owned(), Arc::clone(&slot));
        slot
    }
}

impl Slot {
    fn known(&self) -> Option<Arc<ServerKeys>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set(&self, keys: Arc<ServerKeys>) {
        *self.known.lock().unwrap_or_else(PoisonError::into_inner) = Some(keys);
    }
}

fn unavailable(server: &ServerName, reason: impl ToString) -> KeyError {
    KeyError::Unavailable { server: server.to_owned(), reason: reason.to_string() }
}

fn backoff(failures: u32) -> Duration {
    let doublings = failures.saturating_sub(1).min(10);
    BACKOFF_FIRST.saturating_mul(1 << doublings).min(BACKOFF_MAX)
}
