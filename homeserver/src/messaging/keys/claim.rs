//! `POST /keys/claim`: each one-time key is given to one asker, the oldest first; then the fallback key.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use futures_util::future::join_all;
use ruma::{
    OneTimeKeyAlgorithm, OwnedDeviceId, OwnedOneTimeKeyId, OwnedServerName, OwnedUserId,
    encryption::OneTimeKey, serde::Raw,
};
use serde_json::{Value, json, value::RawValue};

use super::{Error, is_local, remote};
use crate::{
    app::App,
    storage::{
        self, Id, Topic,
        one_time_keys::{Owner, StoredKey, claim_fallback_key, claim_one_time_key},
    },
};

/// How long another server may take, unless the client says less.
const TIMEOUT: Duration = Duration::from_secs(10);
/// Most keys claimed of our own devices at once: it is one transaction.
const CLAIMS_MAX: usize = 1_000;

/// One key of an algorithm per device.
pub type Claims = BTreeMap<OwnedUserId, BTreeMap<OwnedDeviceId, OneTimeKeyAlgorithm>>;
/// The keys, by user and device; a device without keys is left out.
pub type ClaimedKeys =
    BTreeMap<OwnedUserId, BTreeMap<OwnedDeviceId, BTreeMap<OwnedOneTimeKeyId, Raw<OneTimeKey>>>>;

/// Claims keys of anybody's devices. The second value names servers that could not be asked, each with why.
pub async fn claim_keys(
    app: &App,
    claims: Claims,
    timeout: Option<Duration>,
) -> Result<(ClaimedKeys, BTreeMap<String, Value>), Error> {
    let mut ours = Claims::new();
    let mut elsewhere: BTreeMap<OwnedServerName, Claims> = BTreeMap::new();
    for (user_id, devices) in claims {
        if is_local(app, &user_id) {
            ours.insert(user_id, devices);
        } else {
            let server = user_id.server_name().to_owned();
            elsewhere.entry(server).or_default().insert(user_id, devices);
        }
    }
    let mut keys = claim_local(app, ours).await?;
    let timeout = timeout.unwrap_or(TIMEOUT).min(TIMEOUT);
    let asked = elsewhere.into_iter().map(|(server, claims)| async move {
        let outcome = remote::claim_keys(app, &server, claims, timeout).await;
        (server, outcome)
    });
    let mut failures = BTreeMap::new();
    for (server, outcome) in join_all(asked).await {
        match outcome {
            Ok(theirs) => keys.extend(theirs),
            Err(error) => {
                let failure = json!({ "errcode": "M_UNAVAILABLE", "error": error.to_string() });
                failures.insert(server.to_string(), failure);
            }
        }
    }
    Ok((keys, failures))
}

/// Claims keys for another server: of our users only.
pub async fn federation_claim_keys(app: &App, mut claims: Claims) -> Result<ClaimedKeys, Error> {
    claims.retain(|user_id, _| is_local(app, user_id));
    claim_local(app, claims).await
}

async fn claim_local(app: &App, claims: Claims) -> Result<ClaimedKeys, Error> {
    let mut wanted = Vec::new();
    for (user_id, devices) in claims {
        let Some(user) = app.db.find_user(user_id.as_str()).await? else { continue };
        for (device_id, algorithm) in devices {
            wanted.push((user, user_id.clone(), device_id, algorithm.to_string()));
        }
    }
    if wanted.is_empty() {
        return Ok(ClaimedKeys::new());
    }
    if wanted.len() > CLAIMS_MAX {
        return Err(Error::TooLarge(format!("at most {CLAIMS_MAX} keys can be claimed at once")));
    }
    let owners: Vec<Id> = wanted.iter().map(|(user, ..)| *user).collect();
    let changed: BTreeSet<Id> = owners.iter().copied().collect();
    let epoch = app.db.epoch().to_owned();
    let write = app.db.write(move |txn| {
        Box::pin(async move {
            let mut claimed = Vec::new();
            for (user, user_id, device_id, algorithm) in wanted {
                let owner = Owner { user, device_id: device_id.as_str(), epoch: &epoch };
                let key = match claim_one_time_key(txn, owner, &algorithm).await? {
                    Some(key) => Some(key),
                    None => claim_fallback_key(txn, owner, &algorithm).await?,
                };
                if let Some(key) = key {
                    claimed.push((user_id, device_id, key));
                }
            }
            // The owners' counts are part of their sync.
            for user in changed {
                txn.next_position_of(Topic::Keys(user));
            }
            Ok::<_, storage::Error>(claimed)
        })
    });
    let mut keys = ClaimedKeys::new();
    for (user_id, device_id, key) in write.await? {
        let (id, key) = typed(key)?;
        keys.entry(user_id).or_default().entry(device_id).or_default().insert(id, key);
    }
    app.bell.ring_users(owners);
    Ok(keys)
}

fn typed(key: StoredKey) -> Result<(OwnedOneTimeKeyId, Raw<OneTimeKey>), Error> {
    let damaged = storage::Error::Damaged { what: "one-time key" };
    let id = OwnedOneTimeKeyId::try_from(format!("{}:{}", key.algorithm, key.key_id))
        .map_err(|_| damaged.clone())?;
    let json = RawValue::from_string(key.json).map_err(|_| damaged)?;
    Ok((id, Raw::from_json(json)))
}
