//! Sessions: access token → user and device; opening, refreshing and ending them.

use std::{
    collections::{HashMap, HashSet},
    sync::{
        Arc, Mutex, PoisonError, RwLock,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
    time::Duration,
};

use ruma::{OwnedDeviceId, OwnedUserId};

use super::{
    AuthError, Requester, emails::EmailSearches, guesses::Guesses, interactive::Interactive,
    passwords::Passwords, secrets,
};
use crate::{
    app::App,
    storage::{self, Id, devices::Device, tokens::TokenHash},
};

/// Tokens remembered before the memory starts afresh; an entry is about 300 bytes.
const CACHE_MAX: usize = 50_000;
/// Last-seen times are written this often.
const SEEN_WRITE_MS: i64 = 60_000;
/// How long an access token of a session with refresh tokens lives.
const ACCESS_TOKEN_LIFETIME: Duration = Duration::from_secs(3_600);
/// Most bytes of a device ID or of a device's name.
const DEVICE_ID_BYTES_MAX: usize = 255;

/// The state of this floor: recently used tokens by hash, password threads, interactive sessions, what was counted. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Auth {
    cache: Arc<Cache>,
    pub(super) passwords: Passwords,
    pub(super) interactive: Interactive,
    pub(super) email_searches: EmailSearches,
    pub(super) guesses: Guesses,
}

#[derive(Debug, Default)]
struct Cache {
    tokens: RwLock<HashMap<TokenHash, Known>>,
    /// Who is suspended, of those remembered.
    suspended: RwLock<HashSet<Id>>,
    /// Counts invalidations, so that an answer read before one is not remembered after it.
    generation: AtomicU64,
    /// Devices heard of since the last write.
    seen: Mutex<HashMap<Id, i64>>,
    seen_written_ms: AtomicI64,
    /// Held while they are written.
    seen_turn: tokio::sync::Mutex<()>,
}

#[derive(Debug, Clone)]
struct Known {
    requester: Requester,
    expires_ms: Option<i64>,
}

impl Auth {
    /// Forgets the remembered tokens of `user` that `gone` picks, and has whoever holds one ask whether it still stands.
    /// Called after the commit that ended them.
    pub(super) fn forget(&self, app: &App, user: Id, gone: impl Fn(&Requester) -> bool) {
        self.cache.generation.fetch_add(1, Ordering::SeqCst);
        {
            let mut tokens = self.cache.tokens.write().unwrap_or_else(PoisonError::into_inner);
            tokens.retain(|_, known| known.requester.user != user || !gone(&known.requester));
        }
        app.bell.ring_users([user]);
    }

    /// Forgets what is remembered of a user: after locking the account, for instance.
    pub fn forget_user(&self, app: &App, user: Id) {
        self.forget(app, user, |_| true);
    }

    /// Whether a user just authenticated is suspended.
    pub fn is_suspended(&self, user: Id) -> bool {
        let suspended = self.cache.suspended.read().unwrap_or_else(PoisonError::into_inner);
        suspended.contains(&user)
    }

    /// Notes whether a user is suspended, as just read.
    fn note_suspended(&self, user: Id, suspended: bool) {
        if suspended == self.is_suspended(user) {
            return;
        }
        let mut all = self.cache.suspended.write().unwrap_or_else(PoisonError::into_inner);
        if suspended {
            all.insert(user);
        } else {
            all.remove(&user);
        }
    }

    fn remember(&self, generation: u64, hash: TokenHash, known: Known) {
        let mut tokens = self.cache.tokens.write().unwrap_or_else(PoisonError::into_inner);
        if self.cache.generation.load(Ordering::SeqCst) != generation {
            return;
        }
        if tokens.len() >= CACHE_MAX {
            tokens.clear();
        }
        tokens.insert(hash, known);
    }

    /// Writes down when devices were last seen, now. That it can't, on a full disk for instance, is no reason to refuse a request.
    pub(super) async fn write_seen(&self, app: &App) {
        let _turn = self.cache.seen_turn.lock().await;
        let seen =
            std::mem::take(&mut *self.cache.seen.lock().unwrap_or_else(PoisonError::into_inner));
        if seen.is_empty() {
            return;
        }
        let writing = seen.clone();
        let write = app.db.write(move |txn| {
            Box::pin(async move {
                for (device, at_ms) in writing {
                    storage::devices::update_last_seen(txn.db(), device, at_ms, None).await?;
                }
                Ok::<_, storage::Error>(())
            })
        });
        if let Err(error) = write.await {
            tracing::warn!(%error, "when devices were last seen is not written down");
            let mut later = self.cache.seen.lock().unwrap_or_else(PoisonError::into_inner);
            for (device, at_ms) in seen {
                later.entry(device).or_insert(at_ms);
            }
        }
    }

    /// Notes a device; once a minute all of them are written down, and no request waits for it.
    fn see(&self, app: &App, device: Id) {
        let now = app.clock.now_ms();
        self.cache.seen.lock().unwrap_or_else(PoisonError::into_inner).insert(device, now);
        let written = self.cache.seen_written_ms.load(Ordering::Relaxed);
        let due = now - written > SEEN_WRITE_MS;
        let mine = due
            && self
                .cache
                .seen_written_ms
                .compare_exchange(written, now, Ordering::Relaxed, Ordering::Relaxed)
                .is_ok();
        if mine {
            let (auth, app) = (self.clone(), app.clone());
            tokio::spawn(async move { auth.write_seen(&app).await });
        }
    }
}

/// Who `token` belongs to.
///
/// # Errors
/// [`AuthError::UnknownToken`] when nobody (`soft_logout` when it has only expired), [`AuthError::Locked`].
pub async fn authenticate(app: &App, auth: &Auth, token: &str) -> Result<Requester, AuthError> {
    Ok(authenticate_to_hold(app, auth, token).await?.0)
}

/// A token that somebody holds for longer than a request, by its hash.
#[derive(Clone)]
pub struct HeldToken {
    hash: TokenHash,
    expires_ms: Option<i64>,
}

impl std::fmt::Debug for HeldToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HeldToken").field("expires_ms", &self.expires_ms).finish_non_exhaustive()
    }
}

impl HeldToken {
    /// When it ends by itself, in milliseconds since the epoch.
    pub fn expires_ms(&self) -> Option<i64> {
        self.expires_ms
    }

    /// Asks whether it still stands. Who holds it asks when the user's bell rings, and when it expires.
    ///
    /// # Errors
    /// As [`authenticate`].
    pub async fn check(&self, app: &App, auth: &Auth) -> Result<(), AuthError> {
        stands(app, auth, self.hash).await.map(|_| ())
    }
}

/// As [`authenticate`], for who stays connected.
///
/// # Errors
/// As [`authenticate`].
pub async fn authenticate_to_hold(
    app: &App,
    auth: &Auth,
    token: &str,
) -> Result<(Requester, HeldToken), AuthError> {
    if token.is_empty() {
        return Err(AuthError::UnknownToken { soft_logout: false });
    }
    let hash = secrets::hash(token);
    let Known { requester, expires_ms } = stands(app, auth, hash).await?;
    Ok((requester, HeldToken { hash, expires_ms }))
}

async fn stands(app: &App, auth: &Auth, hash: TokenHash) -> Result<Known, AuthError> {
    let known =
        auth.cache.tokens.read().unwrap_or_else(PoisonError::into_inner).get(&hash).cloned();
    let known = match known {
        Some(known) => known,
        None => find_known(app, auth, hash).await?,
    };
    if known.expires_ms.is_some_and(|expires| expires <= app.clock.now_ms()) {
        return Err(AuthError::UnknownToken { soft_logout: true });
    }
    auth.see(app, known.requester.device);
    Ok(known)
}

async fn find_known(app: &App, auth: &Auth, hash: TokenHash) -> Result<Known, AuthError> {
    let generation = auth.cache.generation.load(Ordering::SeqCst);
    let unknown = || AuthError::UnknownToken { soft_logout: false };
    let token = storage::tokens::find_access_token(app.db.read(), &hash).await?;
    let token = token.ok_or_else(unknown)?;
    if token.deactivated {
        return Err(unknown());
    }
    if token.locked {
        return Err(AuthError::Locked);
    }
    auth.note_suspended(token.user, token.suspended);
    if let Some(refresh) = token.refresh {
        end_replaced(app, auth, refresh).await?;
    }
    let user_id = OwnedUserId::try_from(token.user_id)
        .map_err(|_| storage::Error::Damaged { what: "user ID" })?;
    let requester = Requester {
        user_id,
        user: token.user,
        device_id: OwnedDeviceId::from(token.device_id),
        device: token.device,
    };
    let known = Known { requester, expires_ms: token.expires_ms };
    auth.remember(generation, hash, known.clone());
    Ok(known)
}

/// The client has the tokens that came with `refresh`: those they replaced end now.
async fn end_replaced(app: &App, auth: &Auth, refresh: Vec<u8>) -> Result<(), AuthError> {
    let Some(old) = storage::tokens::find_replaced(app.db.read(), &refresh).await? else {
        return Ok(());
    };
    let device = storage::tokens::find_refresh_token(app.db.read(), &as_hash(&old)).await?;
    let write = app.db.write(move |txn| {
        Box::pin(async move { storage::tokens::delete_refresh_token(txn.db(), &old).await })
    });
    write.await?;
    if let Some(device) = device {
        auth.forget(app, device.user, |requester| requester.device == device.device);
    }
    Ok(())
}

fn as_hash(bytes: &[u8]) -> TokenHash {
    bytes.try_into().unwrap_or_default()
}

/// What a client asks for when it logs in or registers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SessionRequest {
    /// A device to go on with, or to make under this name.
    pub device_id: Option<String>,
    /// The name of the device, if it is new.
    pub display_name: Option<String>,
    /// Whether the client can refresh tokens.
    pub refresh_token: bool,
}

/// A session just opened or refreshed.
#[derive(Clone, PartialEq, Eq)]
pub struct NewSession {
    pub user_id: OwnedUserId,
    pub device_id: OwnedDeviceId,
    /// The interned device.
    pub device: Id,
    pub access_token: String,
    pub refresh_token: Option<String>,
    pub expires_in: Option<Duration>,
    /// Whether the device did not exist before.
    pub new_device: bool,
}

impl std::fmt::Debug for NewSession {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NewSession").field("device_id", &self.device_id).finish_non_exhaustive()
    }
}

/// The tokens of a session, before they are hashed and kept.
struct Tokens {
    access: String,
    refresh: Option<String>,
    expires_ms: Option<i64>,
}

impl Tokens {
    fn new(app: &App, with_refresh: bool) -> Self {
        let lifetime = i64::try_from(ACCESS_TOKEN_LIFETIME.as_millis()).unwrap_or(i64::MAX);
        Self {
            access: secrets::token(&app.random),
            refresh: with_refresh.then(|| secrets::token(&app.random)),
            expires_ms: with_refresh.then(|| app.clock.now_ms().saturating_add(lifetime)),
        }
    }

    async fn write(&self, txn: &storage::Txn, session: (Id, Id)) -> Result<(), storage::Error> {
        let refresh = self.refresh.as_deref().map(secrets::hash);
        if let Some(refresh) = &refresh {
            storage::tokens::insert_refresh_token(txn.db(), refresh, session).await?;
        }
        let access = secrets::hash(&self.access);
        let expires = self.expires_ms;
        storage::tokens::insert_access_token(txn.db(), &access, session, expires, refresh.as_ref())
            .await
    }
}

/// Opens a session for `user`, who is proven. A device that exists keeps its keys and loses its older tokens.
pub async fn open_session(
    app: &App,
    auth: &Auth,
    user: Id,
    request: SessionRequest,
) -> Result<NewSession, AuthError> {
    let too_long =
        |text: &Option<String>| text.as_ref().is_some_and(|text| text.len() > DEVICE_ID_BYTES_MAX);
    if too_long(&request.device_id) || too_long(&request.display_name) {
        return Err(AuthError::InvalidParam("a device's ID and name have at most 255 bytes"));
    }
    let user_id = OwnedUserId::try_from(app.db.user_name(user).await?.as_str())
        .map_err(|_| storage::Error::Damaged { what: "user ID" })?;
    let device = Device {
        id: app.db.new_id(),
        user,
        device_id: request
            .device_id
            .filter(|id| !id.is_empty())
            .unwrap_or_else(|| secrets::device_id(&app.random)),
        display_name: request.display_name,
        last_seen_ms: None,
        last_seen_ip: None,
    };
    let tokens = Arc::new(Tokens::new(app, request.refresh_token));
    let now = app.clock.now_ms();
    let (writing, device_id) = (tokens.clone(), OwnedDeviceId::from(device.device_id.as_str()));
    let write = app.db.write(move |txn| {
        Box::pin(async move {
            let new_device = storage::devices::insert_device(txn.db(), &device, now).await?;
            let found = storage::devices::find_device(txn.db(), user, &device.device_id).await?;
            let id = found.ok_or(storage::Error::Damaged { what: "device" })?.id;
            if !new_device {
                storage::tokens::delete_tokens_of_device(txn.db(), id).await?;
            }
            writing.write(txn, (user, id)).await?;
            Ok::<_, AuthError>((id, new_device))
        })
    });
    let (device, new_device) = write.await?;
    if !new_device {
        auth.forget(app, user, |requester| requester.device == device);
    }
    Ok(NewSession {
        user_id,
        device_id,
        device,
        access_token: tokens.access.clone(),
        refresh_token: tokens.refresh.clone(),
        expires_in: tokens.expires_ms.map(|_| ACCESS_TOKEN_LIFETIME),
        new_device,
    })
}

/// New tokens for old ones. The old ones end at the first use of the new ones, so that a lost answer can be asked again.
///
/// # Errors
/// [`AuthError::UnknownToken`], [`AuthError::Locked`].
pub async fn refresh(app: &App, token: &str) -> Result<NewSession, AuthError> {
    let hash = secrets::hash(token);
    let unknown = || AuthError::UnknownToken { soft_logout: false };
    let found = storage::tokens::find_refresh_token(app.db.read(), &hash).await?;
    let old = found.ok_or_else(unknown)?;
    let account = storage::accounts::find_account(app.db.read(), old.user).await?;
    super::login::can_log_in(&account.ok_or_else(unknown)?)?;
    let tokens = Arc::new(Tokens::new(app, true));
    let writing = tokens.clone();
    let write = app.db.write(move |txn| {
        Box::pin(async move {
            let found = storage::tokens::find_refresh_token(txn.db(), &hash).await?;
            let old = found.ok_or(AuthError::UnknownToken { soft_logout: false })?;
            // What this token replaced has reached the client, for the client sent it.
            if let Some(older) = storage::tokens::find_replaced(txn.db(), &hash).await? {
                storage::tokens::delete_refresh_token(txn.db(), &older).await?;
            }
            // An answer that never arrived: its tokens end unused.
            if let Some(lost) = old.successor {
                storage::tokens::delete_refresh_token(txn.db(), &lost).await?;
            }
            let successor = writing.refresh.as_deref().map(secrets::hash).unwrap_or_default();
            storage::tokens::update_successor(txn.db(), &hash, &successor).await?;
            writing.write(txn, (old.user, old.device)).await?;
            Ok::<_, AuthError>(old.device)
        })
    });
    let device = write.await?;
    let user_id = OwnedUserId::try_from(app.db.user_name(old.user).await?.as_str())
        .map_err(|_| storage::Error::Damaged { what: "user ID" })?;
    Ok(NewSession {
        user_id,
        device_id: OwnedDeviceId::from(""),
        device,
        access_token: tokens.access.clone(),
        refresh_token: tokens.refresh.clone(),
        expires_in: Some(ACCESS_TOKEN_LIFETIME),
        new_device: false,
    })
}

/// Ends the requester's session and deletes its device. Returns it, so that the door can forget its keys.
pub async fn log_out(
    app: &App,
    auth: &Auth,
    requester: &Requester,
) -> Result<Vec<Device>, AuthError> {
    let names = [requester.device_id.to_string()];
    super::devices::delete_devices(app, auth, requester.user, &names).await
}

/// Ends all sessions of `user`, except that of `keep`, and deletes their devices. Returns the deleted devices, so that the
/// door can forget their keys.
pub async fn log_out_everywhere(
    app: &App,
    auth: &Auth,
    user: Id,
    keep: Option<Id>,
) -> Result<Vec<Device>, AuthError> {
    let mut devices = storage::devices::list_devices(app.db.read(), user).await?;
    devices.retain(|device| Some(device.id) != keep);
    let ids = devices.iter().map(|device| device.id).collect();
    super::devices::delete_ids(app, auth, user, ids).await?;
    Ok(devices)
}
