//! Signatures and hashes of events: whose are needed, which keys count at the event's date, and many at once on all cores.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use futures_util::{StreamExt as _, stream};
use ruma::{
    CanonicalJsonObject, CanonicalJsonValue, MilliSecondsSinceUnixEpoch, OwnedServerName,
    OwnedServerSigningKeyId, ServerName,
    canonical_json::redact,
    room_version_rules::RoomVersionRules,
    signatures::{
        PublicKeyMap, PublicKeySet, VerificationError, Verified,
        required_server_signatures_to_verify_event, verify_event, verify_json,
    },
};

use super::{KeyError, KeyRing, ServerKeys};
use crate::parallel::{Interrupted, on_all_cores};

/// The keys of each server that was asked for them.
type Found = HashMap<OwnedServerName, Result<Arc<ServerKeys>, KeyError>>;

/// Which keys of which server are wanted, and for which date.
type Wanted =
    BTreeMap<(OwnedServerName, Vec<OwnedServerSigningKeyId>), Option<MilliSecondsSinceUnixEpoch>>;

/// Servers asked for their keys at the same time.
const FETCHES_AT_ONCE: usize = 64;

/// Why an event is refused. A wrong content hash is no error: the event comes back redacted.
#[derive(Debug, Clone, thiserror::Error)]
pub enum EventError {
    #[error("the event is malformed: {0}")]
    Malformed(String),
    #[error("no signature of {0} under the event")]
    NotSigned(OwnedServerName),
    /// The key is not published, or was no longer valid at the event's date.
    #[error("no valid key of {0} for this event")]
    NoValidKey(OwnedServerName),
    #[error("a signature under the event is wrong: {0}")]
    WrongSignature(String),
    #[error(transparent)]
    Keys(#[from] KeyError),
    #[error("the verification was interrupted")]
    Interrupted,
}

/// An event whose signatures were checked. Only [`KeyRing`] makes one.
#[derive(Debug, Clone)]
pub struct VerifiedEvent {
    json: CanonicalJsonObject,
    hash_matches: bool,
}

impl VerifiedEvent {
    /// The event; redacted if its content hash was wrong.
    pub fn json(&self) -> &CanonicalJsonObject {
        &self.json
    }

    /// The event; redacted if its content hash was wrong.
    pub fn into_json(self) -> CanonicalJsonObject {
        self.json
    }

    /// False if the content hash was wrong and the event was therefore redacted.
    pub fn hash_matches(&self) -> bool {
        self.hash_matches
    }
}

/// Whose signatures an event needs, with the keys they are said to be made with, and when it says it was made.
struct Needs {
    servers: BTreeMap<OwnedServerName, Vec<OwnedServerSigningKeyId>>,
    /// The date the keys must be valid at; nothing in room versions that don't ask.
    at: Option<MilliSecondsSinceUnixEpoch>,
}

impl KeyRing {
    /// Checks the signatures and the content hash of one event.
    ///
    /// Needed are the sender's server and, for restricted joins, the authorising user's (room versions 1 and 2: also the
    /// event id's). Spec: server-server API, "Checks performed on receipt of a PDU", 2 and 3.
    pub async fn verify_event(
        &self,
        event: CanonicalJsonObject,
        rules: &RoomVersionRules,
    ) -> Result<VerifiedEvent, EventError> {
        let mut results = self.verify_events(vec![event], rules).await;
        results.pop().unwrap_or(Err(EventError::Interrupted))
    }

    /// Checks many events of one room version: all servers' keys are fetched at the same time, then all cores verify.
    ///
    /// The results are in the order of `events`.
    pub async fn verify_events(
        &self,
        events: Vec<CanonicalJsonObject>,
        rules: &RoomVersionRules,
    ) -> Vec<Result<VerifiedEvent, EventError>> {
        let count = events.len();
        let events = events.into_iter().map(|event| ((), event)).collect();
        let verified = self.verify_events_into(events, rules, |(), result| result).await;
        verified.unwrap_or_else(|error| (0..count).map(|_| Err(error.clone())).collect())
    }

    /// The same, and what `read` makes of each result, on the same cores. Each event comes with a mark that is given back.
    ///
    /// # Errors
    /// [`EventError::Interrupted`].
    pub async fn verify_events_into<T, U>(
        &self,
        events: Vec<(T, CanonicalJsonObject)>,
        rules: &RoomVersionRules,
        read: impl Fn(T, Result<VerifiedEvent, EventError>) -> U + Send + Sync + 'static,
    ) -> Result<Vec<U>, EventError>
    where
        T: Send + 'static,
        U: Send + 'static,
    {
        let look_rules = rules.clone();
        let look = move |(mark, event): (T, CanonicalJsonObject)| {
            let needs = needs_of(&event, &look_rules);
            (mark, event, needs)
        };
        let work = on_all_cores(events, look).await.map_err(interrupted)?;
        let wanted = wanted(work.iter().filter_map(|(.., needs)| needs.as_ref().ok()));
        let keys = self.fetch_all(wanted).await;
        let rules = rules.clone();
        let verify = move |(mark, event, needs)| read(mark, check(event, needs, &keys, &rules));
        on_all_cores(work, verify).await.map_err(interrupted)
    }

    async fn fetch_all(&self, wanted: Wanted) -> Found {
        let found = stream::iter(wanted)
            .map(|((server, key_ids), at)| async move {
                let keys = self.find(&server, &key_ids, at).await;
                (server, keys)
            })
            .buffer_unordered(FETCHES_AT_ONCE);
        // Of several answers for one server the newest holds all keys.
        found
            .fold(Found::new(), async |mut all, (server, keys)| {
                let newer = match (all.get(&server), &keys) {
                    (Some(Ok(before)), Ok(keys)) => is_newer(keys, before),
                    (Some(Ok(_)), Err(_)) => false,
                    _ => true,
                };
                if newer {
                    all.insert(server, keys);
                }
                all
            })
            .await
    }
}

fn interrupted(_: Interrupted) -> EventError {
    EventError::Interrupted
}

/// The keys of every server whose signature is needed, each with the latest date; if that is covered, the others are.
fn wanted<'a>(needs: impl Iterator<Item = &'a Needs>) -> Wanted {
    let mut wanted = Wanted::new();
    for needs in needs {
        for (server, key_ids) in &needs.servers {
            let latest = wanted.entry((server.clone(), key_ids.clone())).or_default();
            *latest = (*latest).max(needs.at);
        }
    }
    wanted
}

fn is_newer(keys: &ServerKeys, before: &ServerKeys) -> bool {
    keys.fetched_at_ts >= before.fetched_at_ts
}

fn needs_of(event: &CanonicalJsonObject, rules: &RoomVersionRules) -> Result<Needs, EventError> {
    let servers = required_server_signatures_to_verify_event(event, &rules.signatures)
        .map_err(|error| EventError::Malformed(error.to_string()))?;
    let at = match event.get("origin_server_ts") {
        _ if !rules.enforce_key_validity => None,
        Some(CanonicalJsonValue::Integer(ts)) => {
            let ts = ruma::UInt::try_from(i64::from(*ts))
                .map_err(|_| EventError::Malformed("origin_server_ts is negative".to_owned()))?;
            Some(MilliSecondsSinceUnixEpoch(ts))
        }
        _ => return Err(EventError::Malformed("origin_server_ts is not a number".to_owned())),
    };
    let with_keys = |server: OwnedServerName| {
        let keys = signing_key_ids(event, &server);
        (server, keys)
    };
    Ok(Needs { servers: servers.into_iter().map(with_keys).collect(), at })
}

/// The pure part: everything is there, only arithmetic is left.
fn check(
    event: CanonicalJsonObject,
    needs: Result<Needs, EventError>,
    known: &Found,
    rules: &RoomVersionRules,
) -> Result<VerifiedEvent, EventError> {
    let needs = needs?;
    let mut keys = PublicKeyMap::new();
    for (server, signed_with) in &needs.servers {
        if signed_with.is_empty() {
            return Err(EventError::NotSigned(server.clone()));
        }
        let server_keys = match known.get(server) {
            Some(Ok(server_keys)) => server_keys,
            Some(Err(error)) => return Err(error.clone().into()),
            None => return Err(EventError::NoValidKey(server.clone())),
        };
        let valid: PublicKeySet = signed_with
            .iter()
            .filter_map(|id| {
                server_keys.key(id, needs.at).map(|key| (id.to_string(), key.key.clone()))
            })
            .collect();
        if valid.is_empty() {
            return Err(EventError::NoValidKey(server.clone()));
        }
        keys.insert(server.to_string(), valid);
    }
    match verify_event(&keys, &event, rules) {
        Ok(Verified::All) => Ok(VerifiedEvent { json: event, hash_matches: true }),
        Ok(Verified::Signatures) => {
            let json = redact(event, &rules.redaction, None)
                .map_err(|error| EventError::Malformed(error.to_string()))?;
            Ok(VerifiedEvent { json, hash_matches: false })
        }
        Err(VerificationError::Json(error)) => Err(EventError::Malformed(error.to_string())),
        Err(error) => Err(EventError::WrongSignature(error.to_string())),
    }
}

/// The keys that `server` claims to have signed `object` with.
pub(super) fn signing_key_ids(
    object: &CanonicalJsonObject,
    server: &ServerName,
) -> Vec<OwnedServerSigningKeyId> {
    let of_server = object
        .get("signatures")
        .and_then(CanonicalJsonValue::as_object)
        .and_then(|signatures| signatures.get(server.as_str()))
        .and_then(CanonicalJsonValue::as_object);
    of_server
        .into_iter()
        .flat_map(|signatures| signatures.keys())
        .filter_map(|id| OwnedServerSigningKeyId::try_from(id.as_str()).ok())
        .take(8)
        .collect()
}

/// Checks the signature of one server under `object`.
pub(super) fn json(
    server: &ServerName,
    object: &CanonicalJsonObject,
    keys: PublicKeySet,
) -> Result<(), EventError> {
    let signatures = object.get("signatures").and_then(CanonicalJsonValue::as_object);
    let Some(ours) = signatures.and_then(|signatures| signatures.get(server.as_str())) else {
        return Err(EventError::NotSigned(server.to_owned()));
    };
    let mut object = object.clone();
    object.insert(
        "signatures".to_owned(),
        CanonicalJsonValue::Object(BTreeMap::from([(server.to_string(), ours.clone())])),
    );
    if keys.is_empty() {
        return Err(EventError::NoValidKey(server.to_owned()));
    }
    verify_json(&PublicKeyMap::from([(server.to_string(), keys)]), &object)
        .map_err(|error| EventError::WrongSignature(error.to_string()))
}
