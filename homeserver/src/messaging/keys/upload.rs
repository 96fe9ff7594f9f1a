//! `POST /keys/upload`: a device's identity keys, one-time keys and fallback keys ([spec]).
//!
//! [spec]: https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3keysupload

use std::collections::BTreeMap;

use ruma::CanonicalJsonValue;

use super::{
    Error, announce,
    signed_json::{
        self, NAME_BYTES_MAX, check_device_keys, check_one_time_key, parse_object, text,
    },
};
use crate::{
    app::App,
    auth::Requester,
    storage::{
        Id, Txn, cross_signing, device_keys, device_lists,
        one_time_keys::{self, Owner, StoredKey},
    },
};

/// Most one-time keys in one upload.
const KEYS_MAX: usize = 1_000;

/// What a device uploads, as JSON text. Key ids are `algorithm:name`.
#[derive(Debug, Clone, Default)]
pub struct KeyUpload {
    pub device_keys: Option<String>,
    pub one_time_keys: BTreeMap<String, String>,
    pub fallback_keys: BTreeMap<String, String>,
}

/// What is checked and ready to be stored.
struct Checked {
    device_keys: Option<String>,
    one_time_keys: Vec<StoredKey>,
    fallback_keys: Vec<StoredKey>,
}

/// Stores what the requester's device uploads and counts its one-time keys. The same upload again changes nothing.
///
/// # Errors
/// [`Error::Malformed`] for device keys that are none, or not the device's own; [`Error::Invalid`] for one-time keys of low order, or
/// whose id was used for other content; [`Error::BadSignature`]. Nothing is stored then.
pub async fn upload_keys(
    app: &App,
    requester: &Requester,
    upload: KeyUpload,
) -> Result<BTreeMap<String, i64>, Error> {
    let checked = check(requester, &upload)?;
    let (user, device_id) = (requester.user, requester.device_id.to_string());
    let epoch = app.db.epoch().to_owned();
    let changed = app.db.write(move |txn| {
        Box::pin(async move {
            let owner = Owner { user, device_id: &device_id, epoch: &epoch };
            store(txn, owner, checked).await
        })
    });
    if changed.await? {
        announce(app).await?;
    }
    // The key counts are part of sync.
    app.bell.ring_users([requester.user]);
    one_time_key_counts(app, requester.user, requester.device_id.as_str()).await
}

/// How many one-time keys of each algorithm a device has left; `signed_curve25519` is always there.
pub async fn one_time_key_counts(
    app: &App,
    user: Id,
    device_id: &str,
) -> Result<BTreeMap<String, i64>, Error> {
    let owner = Owner { user, device_id, epoch: app.db.epoch() };
    let counts = one_time_keys::count_one_time_keys(app.db.read(), owner).await?;
    let mut counts: BTreeMap<String, i64> = counts.into_iter().collect();
    // Clients take a missing count for "enough".
    counts.entry("signed_curve25519".to_owned()).or_insert(0);
    Ok(counts)
}

/// Algorithms whose fallback key was not given out yet.
pub async fn unused_fallback_types(
    app: &App,
    user: Id,
    device_id: &str,
) -> Result<Vec<String>, Error> {
    Ok(one_time_keys::list_unused_fallback_types(app.db.read(), user, device_id).await?)
}

fn check(requester: &Requester, upload: &KeyUpload) -> Result<Checked, Error> {
    let device_keys = match &upload.device_keys {
        Some(json) => {
            let malformed = |error| match error {
                Error::Invalid(text) => Error::Malformed(text),
                other => other,
            };
            let mut keys = parse_object(json).map_err(malformed)?;
            check_device_keys(&keys, requester.user_id.as_str(), requester.device_id.as_str())
                .map_err(malformed)?;
            keys.remove("unsigned");
            Some(signed_json::to_text(&keys))
        }
        None => None,
    };
    if upload.one_time_keys.len() + upload.fallback_keys.len() > KEYS_MAX {
        return Err(Error::TooLarge(format!("at most {KEYS_MAX} one-time keys at a time")));
    }
    Ok(Checked {
        device_keys,
        one_time_keys: check_keys(&upload.one_time_keys)?,
        fallback_keys: check_keys(&upload.fallback_keys)?,
    })
}

fn check_keys(keys: &BTreeMap<String, String>) -> Result<Vec<StoredKey>, Error> {
    keys.iter()
        .map(|(id, json)| {
            let (algorithm, key_id) = id
                .split_once(':')
                .filter(|_| id.len() <= NAME_BYTES_MAX)
                .ok_or_else(|| Error::invalid("a one-time key id must be algorithm:name"))?;
            check_one_time_key(algorithm, json)?;
            let canonical: CanonicalJsonValue = serde_json::from_str(json)
                .map_err(|error| Error::invalid(format!("a one-time key: {error}")))?;
            Ok(StoredKey {
                algorithm: algorithm.to_owned(),
                key_id: key_id.to_owned(),
                json: canonical.to_string(),
            })
        })
        .collect()
}

/// Stores everything; true when the device list changed.
async fn store(txn: &Txn, owner: Owner<'_>, checked: Checked) -> Result<bool, Error> {
    let changed = match &checked.device_keys {
        Some(keys) => store_device_keys(txn, owner, keys).await?,
        None => false,
    };
    let mut new = Vec::new();
    for key in checked.one_time_keys {
        let known =
            one_time_keys::find_one_time_key(txn.db(), owner, &key.algorithm, &key.key_id).await?;
        match known {
            None => new.push(key),
            Some(known) if known == key.json => {}
            Some(_) => {
                return Err(Error::invalid(format!(
                    "the one-time key {}:{} is there already, with other content",
                    key.algorithm, key.key_id
                )));
            }
        }
    }
    one_time_keys::insert_one_time_keys(txn, owner, &new).await?;
    for key in &checked.fallback_keys {
        one_time_keys::upsert_fallback_key(txn, owner, key).await?;
    }
    Ok(changed)
}

async fn store_device_keys(txn: &Txn, owner: Owner<'_>, keys: &str) -> Result<bool, Error> {
    let known = device_keys::find_device_keys(txn.db(), owner.user, owner.device_id).await?;
    if known.as_deref() == Some(keys) {
        return Ok(false);
    }
    let cross_signing = cross_signing::list_cross_signing_keys(txn.db(), owner.user).await?;
    if cross_signing.iter().any(|key| key.public_key == owner.device_id) {
        return Err(Error::invalid("a device id must not be a cross-signing key"));
    }
    if let Some(known) = known
        && identity(&known, owner.device_id)? != identity(keys, owner.device_id)?
    {
        // Another identity: what the old one signed or owned would only fail at the other end.
        one_time_keys::delete_one_time_keys(txn, owner.user, owner.device_id).await?;
        cross_signing::delete_signatures_upon(txn, owner.user, owner.device_id).await?;
    }
    device_keys::upsert_device_keys(txn, owner.user, owner.device_id, keys, None).await?;
    device_lists::insert_change(txn, owner.user, owner.device_id, false).await?;
    Ok(true)
}

/// A device's two identity keys.
fn identity(keys: &str, device_id: &str) -> Result<[Option<String>; 2], Error> {
    let keys = parse_object(keys)?;
    let public = signed_json::object(&keys, "keys");
    Ok(["ed25519", "curve25519"].map(|algorithm| {
        public.and_then(|keys| text(keys, &format!("{algorithm}:{device_id}"))).map(str::to_owned)
    }))
}
