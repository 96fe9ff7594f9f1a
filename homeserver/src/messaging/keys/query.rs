//! Device and cross-signing keys of anybody: ours from the database, others' from a fresh copy or from their server.

use std::{collections::BTreeMap, time::Duration};

use futures_util::future::join_all;
use ruma::{
    CanonicalJsonObject, CanonicalJsonValue, OwnedDeviceId, OwnedServerName, OwnedUserId, UserId,
    encryption::{CrossSigningKey, DeviceKeys},
    serde::Raw,
};
use serde_json::{Value, json};

use super::{Error, is_local, remote, signed_json};
use crate::{
    app::App,
    auth::Requester,
    storage::{self, Id, cross_signing, device_keys, device_lists},
};

/// How long another server may take, unless the client says less.
const TIMEOUT: Duration = Duration::from_secs(10);

/// The answer to a query, by user.
#[derive(Debug, Clone, Default)]
pub struct QueriedKeys {
    /// Servers that could not be asked, each with why.
    pub failures: BTreeMap<String, Value>,
    pub device_keys: BTreeMap<OwnedUserId, BTreeMap<OwnedDeviceId, Raw<DeviceKeys>>>,
    pub master_keys: BTreeMap<OwnedUserId, Raw<CrossSigningKey>>,
    pub self_signing_keys: BTreeMap<OwnedUserId, Raw<CrossSigningKey>>,
    /// Only ever the asking user's own.
    pub user_signing_keys: BTreeMap<OwnedUserId, Raw<CrossSigningKey>>,
}

/// All that a user has published, signatures merged as somebody may see them.
#[derive(Debug, Default)]
pub(super) struct Published {
    pub(super) devices: Vec<PublishedDevice>,
    pub(super) master: Option<CanonicalJsonObject>,
    pub(super) self_signing: Option<CanonicalJsonObject>,
    pub(super) user_signing: Option<CanonicalJsonObject>,
}

#[derive(Debug)]
pub(super) struct PublishedDevice {
    pub(super) device_id: String,
    pub(super) keys: CanonicalJsonObject,
    pub(super) display_name: Option<String>,
}

/// The keys of the users asked for; an empty list of devices means all. What another server does not answer in time is in
/// `failures`.
pub async fn query_keys(
    app: &App,
    requester: &Requester,
    wanted: BTreeMap<OwnedUserId, Vec<OwnedDeviceId>>,
    timeout: Option<Duration>,
) -> Result<QueriedKeys, Error> {
    let mut answer = QueriedKeys::default();
    let mut elsewhere: BTreeMap<OwnedServerName, BTreeMap<OwnedUserId, Vec<OwnedDeviceId>>> =
        BTreeMap::new();
    for (user_id, devices) in wanted {
        if is_local(app, &user_id) || has_fresh_copy(app, requester.user, &user_id).await? {
            add_known(app, &mut answer, &user_id, &devices, Some(requester)).await?;
        } else {
            let server = user_id.server_name().to_owned();
            elsewhere.entry(server).or_default().insert(user_id, devices);
        }
    }
    let timeout = timeout.unwrap_or(TIMEOUT).min(TIMEOUT);
    let asked = elsewhere.into_iter().map(|(server, wanted)| async move {
        let outcome = remote::query_keys(app, requester, &server, wanted, timeout).await;
        (server, outcome)
    });
    for (server, outcome) in join_all(asked).await {
        match outcome {
            Ok(keys) => answer.absorb(keys),
            Err(error) => {
                let failure = json!({ "errcode": "M_UNAVAILABLE", "error": error.to_string() });
                answer.failures.insert(server.to_string(), failure);
            }
        }
    }
    Ok(answer)
}

impl QueriedKeys {
    fn absorb(&mut self, other: Self) {
        self.device_keys.extend(other.device_keys);
        self.master_keys.extend(other.master_keys);
        self.self_signing_keys.extend(other.self_signing_keys);
    }
}

/// Whether we hold a whole copy of a remote user's list that was kept fresh by the room they share with `user` ever since.
async fn has_fresh_copy(app: &App, user: Id, other: &UserId) -> Result<bool, Error> {
    let Some(other) = app.db.find_user(other.as_str()).await? else { return Ok(false) };
    let copy = device_lists::find_remote_list(app.db.read(), other).await?;
    let Some(copy) = copy.filter(|copy| !copy.stale) else { return Ok(false) };
    Ok(device_lists::have_shared_since(app.db.read(), user, other, copy.position).await?)
}

/// Adds a user whose keys are in the database. `asking`: our user who asks, or none when a server does.
pub(super) async fn add_known(
    app: &App,
    answer: &mut QueriedKeys,
    user_id: &UserId,
    devices: &[OwnedDeviceId],
    asking: Option<&Requester>,
) -> Result<(), Error> {
    let Some(user) = app.db.find_user(user_id.as_str()).await? else { return Ok(()) };
    let keys = published(app, user_id, user, asking).await?;
    let mut found = BTreeMap::new();
    for device in keys.devices {
        if !devices.is_empty() && !devices.iter().any(|wanted| wanted.as_str() == device.device_id)
        {
            continue;
        }
        let mut object = device.keys;
        let is_told = asking.is_some() || app.config.federation.share_device_names;
        if let Some(name) = device.display_name.filter(|_| is_told) {
            let name = CanonicalJsonValue::String(name);
            let unsigned = [("device_display_name".to_owned(), name)].into_iter().collect();
            object.insert("unsigned".to_owned(), CanonicalJsonValue::Object(unsigned));
        }
        found.insert(OwnedDeviceId::from(device.device_id), to_raw(&object)?);
    }
    answer.device_keys.insert(user_id.to_owned(), found);
    let user_id = user_id.to_owned();
    answer.master_keys.extend(raw(keys.master)?.map(|key| (user_id.clone(), key)));
    answer.self_signing_keys.extend(raw(keys.self_signing)?.map(|key| (user_id.clone(), key)));
    if asking.is_some_and(|asking| asking.user_id == user_id) {
        answer.user_signing_keys.extend(raw(keys.user_signing)?.map(|key| (user_id, key)));
    }
    Ok(())
}

/// What is in the database of `user`, ours or a copy, with the user's own signatures and those of who asks.
pub(super) async fn published(
    app: &App,
    user_id: &UserId,
    user: Id,
    asking: Option<&Requester>,
) -> Result<Published, Error> {
    let db = app.db.read();
    let viewer = asking.map_or(user, |asking| asking.user);
    let signatures = cross_signing::list_signatures(db, user, viewer).await?;
    let viewer_id = asking.map_or(user_id, |asking| &asking.user_id);
    let dress = |json: &str, target: &str| {
        let mut object =
            signed_json::parse_object(json).map_err(|_| storage::Error::Damaged { what: "key" })?;
        signed_json::keep_signatures_of(&mut object, &[user_id.as_str(), viewer_id.as_str()]);
        for made in signatures.iter().filter(|made| made.target == target) {
            let signer = if made.signer == user { user_id } else { viewer_id };
            let (key_id, signature) = (made.key_id.as_str(), made.signature.as_str());
            signed_json::add_signature(&mut object, signer.as_str(), key_id, signature);
        }
        Ok::<_, Error>(object)
    };
    let mut keys = Published::default();
    for device in device_keys::list_device_keys(db, user).await? {
        let object = dress(&device.json, &device.device_id)?;
        keys.devices.push(PublishedDevice {
            device_id: device.device_id,
            keys: object,
            display_name: device.display_name,
        });
    }
    for key in cross_signing::list_cross_signing_keys(db, user).await? {
        let object = Some(dress(&key.json, &key.public_key)?);
        match key.usage.as_str() {
            "master" => keys.master = object,
            "self_signing" => keys.self_signing = object,
            _ => keys.user_signing = object,
        }
    }
    Ok(keys)
}

/// A typed view of an object.
pub(super) fn to_raw<T>(object: &CanonicalJsonObject) -> Result<Raw<T>, Error> {
    let raw = Raw::new(object).map_err(|_| storage::Error::Damaged { what: "key" })?;
    Ok(raw.cast_unchecked())
}

/// As [`to_raw`], of what may be absent.
pub(super) fn raw<T>(object: Option<CanonicalJsonObject>) -> Result<Option<Raw<T>>, Error> {
    object.as_ref().map(to_raw).transpose()
}
