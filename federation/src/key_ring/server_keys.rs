//! One server's keys as we know them, and how a published document is checked and merged into that.

use std::{collections::BTreeMap, time::Duration};

use ruma::{
    CanonicalJsonObject, MilliSecondsSinceUnixEpoch, OwnedServerName, OwnedServerSigningKeyId,
    ServerName, ServerSigningKeyId,
    api::federation::discovery::ServerSigningKeys,
    serde::{Base64, Raw},
    signatures::{PublicKeyMap, PublicKeySet, verify_json},
};
use serde::{Deserialize, Serialize};

use super::KeyError;
use crate::{clock::later, signing::SigningKey};

/// However long a document claims to be valid, it is believed for this long (spec: "Publishing Keys").
const VALIDITY_MAX: Duration = Duration::from_secs(7 * 24 * 3600);
/// More keys than any honest server has.
const KEYS_MAX: usize = 200;

/// What we know of one server's keys. The host stores it whole, as JSON, in its [`super::KeyStore`].
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ServerKeys {
    pub server_name: OwnedServerName,
    /// Every key this server was ever seen to use.
    pub keys: BTreeMap<OwnedServerSigningKeyId, KnownKey>,
    /// When the newest document was fetched.
    pub fetched_at_ts: MilliSecondsSinceUnixEpoch,
    /// Until when the newest document is believed.
    pub valid_until_ts: MilliSecondsSinceUnixEpoch,
    /// The newest document as the server signed it, for passing on as a notary.
    pub document: Raw<ServerSigningKeys>,
}

/// One key and until when events signed with it are believed.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct KnownKey {
    pub key: Base64,
    /// Events and requests dated later than this need a newer document.
    pub valid_until_ts: MilliSecondsSinceUnixEpoch,
}

impl ServerKeys {
    /// Reads a document that `server_name` published, if it is signed by one of its current keys and no signature is wrong.
    pub(crate) fn from_document(
        server_name: &ServerName,
        document: Raw<ServerSigningKeys>,
        now: MilliSecondsSinceUnixEpoch,
    ) -> Result<Self, KeyError> {
        let bad = |reason: String| KeyError::BadDocument { server: server_name.to_owned(), reason };
        let parsed = document.deserialize().map_err(|error| bad(error.to_string()))?;
        if parsed.server_name != server_name {
            return Err(bad(format!("it is {}'s", parsed.server_name)));
        }
        if parsed.verify_keys.is_empty()
            || parsed.verify_keys.len() + parsed.old_verify_keys.len() > KEYS_MAX
        {
            return Err(bad("it has no keys, or too many".to_owned()));
        }
        let published =
            parsed.verify_keys.iter().map(|(id, key)| (id.to_string(), key.key.clone()));
        check_signature(&document, server_name, published.collect())
            .map_err(|error| bad(error.to_string()))?;

        let valid_until_ts = parsed.valid_until_ts.min(later(now, VALIDITY_MAX));
        let current = parsed
            .verify_keys
            .into_iter()
            .map(|(id, key)| (id, KnownKey { key: key.key, valid_until_ts }));
        let old = parsed.old_verify_keys.into_iter().map(|(id, old)| {
            let valid_until_ts = old.expired_ts.min(now);
            (id, KnownKey { key: old.key, valid_until_ts })
        });
        // A key listed as both is current.
        let keys = old.chain(current).collect();
        Ok(Self {
            server_name: server_name.to_owned(),
            keys,
            fetched_at_ts: now,
            valid_until_ts,
            document,
        })
    }

    /// Our own keys, as others would know them, without an end.
    pub(crate) fn our_own(
        server_name: &ServerName,
        key: &SigningKey,
        document: Raw<ServerSigningKeys>,
        now: MilliSecondsSinceUnixEpoch,
    ) -> Self {
        let forever = MilliSecondsSinceUnixEpoch(ruma::UInt::MAX);
        let old = key.old_keys().iter().map(|(id, old)| {
            (id.clone(), KnownKey { key: old.key.clone(), valid_until_ts: old.expired_ts })
        });
        let current = KnownKey { key: key.public_key(), valid_until_ts: forever };
        let keys = old.chain([(key.key_id().to_owned(), current)]).collect();
        Self {
            server_name: server_name.to_owned(),
            keys,
            fetched_at_ts: now,
            valid_until_ts: forever,
            document,
        }
    }

    /// Keeps the keys of an earlier document that this one no longer names: old events still need them.
    pub(crate) fn remember(mut self, earlier: &Self) -> Self {
        for (id, key) in &earlier.keys {
            if self.keys.len() >= KEYS_MAX {
                break;
            }
            self.keys.entry(id.clone()).or_insert_with(|| key.clone());
        }
        self
    }

    /// Whether one of `wanted` is known and valid at `at`.
    pub(crate) fn has_any(
        &self,
        wanted: &[OwnedServerSigningKeyId],
        at: Option<MilliSecondsSinceUnixEpoch>,
    ) -> bool {
        wanted.iter().any(|id| self.key(id, at).is_some())
    }

    /// The key `id` if it is valid at `at` (at any time, if that is nothing).
    pub(crate) fn key(
        &self,
        id: &ServerSigningKeyId,
        at: Option<MilliSecondsSinceUnixEpoch>,
    ) -> Option<&KnownKey> {
        self.keys.get(id).filter(|key| at.is_none_or(|at| key.valid_until_ts >= at))
    }

    /// The keys valid at `at`, as the verification functions take them.
    pub(crate) fn valid_set(&self, at: Option<MilliSecondsSinceUnixEpoch>) -> PublicKeySet {
        self.keys
            .iter()
            .filter(|(_, key)| at.is_none_or(|at| key.valid_until_ts >= at))
            .map(|(id, key)| (id.to_string(), key.key.clone()))
            .collect()
    }
}

/// Checks the signature of `signer` under a key document. Other signatures are not looked at.
pub(crate) fn check_signature(
    document: &Raw<ServerSigningKeys>,
    signer: &ServerName,
    keys: PublicKeySet,
) -> Result<(), ruma::signatures::VerificationError> {
    let mut object: CanonicalJsonObject = serde_json::from_str(document.json().get())?;
    if let Some(ruma::CanonicalJsonValue::Object(signatures)) = object.get_mut("signatures") {
        signatures.retain(|name, _| name == signer.as_str());
    }
    if !object.get("signatures").is_some_and(|signatures| {
        signatures.as_object().is_some_and(|signatures| !signatures.is_empty())
    }) {
        return Err(ruma::signatures::VerificationError::NoSignaturesForEntity(signer.to_string()));
    }
    verify_json(&PublicKeyMap::from([(signer.to_string(), keys)]), &object)
}
