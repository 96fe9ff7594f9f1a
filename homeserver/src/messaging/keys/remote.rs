//! Asking other servers for their users' keys, and the copies we keep of the answers.
//!
//! A copy is kept only while one of ours shares a room with the user: only then does their server tell us of changes.

use std::{collections::BTreeMap, time::Duration};

use ruma::{
    OwnedDeviceId, OwnedUserId, ServerName, UInt, UserId,
    api::federation::{
        device::get_devices,
        keys::{claim_keys, get_keys},
    },
    encryption::CrossSigningKey,
    serde::Raw,
};
use tern_federation::CallLimits;

use super::{
    ClaimedKeys, Claims, Error, QueriedKeys, query,
    signed_json::{self, check_device_keys, parse_object},
};
use crate::{
    app::App,
    auth::Requester,
    storage::{
        self, Id, Txn,
        cross_signing::{self, StoredCrossSigningKey},
        device_keys,
        device_lists::{self, RemoteList},
    },
};

/// Most devices of a remote user that are copied.
const DEVICES_MAX: usize = 1_000;

/// Asks `server` for keys of its users; copies whole lists of those who share a room with the requester on the way.
pub(super) async fn query_keys(
    app: &App,
    requester: &Requester,
    server: &ServerName,
    mut wanted: BTreeMap<OwnedUserId, Vec<OwnedDeviceId>>,
    timeout: Duration,
) -> Result<QueriedKeys, Error> {
    let mut answer = QueriedKeys::default();
    for user_id in wanted.keys().cloned().collect::<Vec<_>>() {
        if copy_if_shared(app, requester, &user_id, timeout).await? {
            let devices = wanted.remove(&user_id).unwrap_or_default();
            query::add_known(app, &mut answer, &user_id, &devices, Some(requester)).await?;
        }
    }
    if wanted.is_empty() {
        return Ok(answer);
    }
    let request = get_keys::v1::Request::new(wanted.clone());
    let limits = CallLimits { timeout, ..app.federation.limits() };
    let response =
        app.federation.send_with(server, request, limits).await.map_err(|e| failed(server, e))?;
    // A server speaks for its own users, and only for those it was asked for.
    let asked = |user_id: &OwnedUserId| wanted.contains_key(user_id);
    answer.device_keys.extend(response.device_keys.into_iter().filter(|(user, _)| asked(user)));
    answer.master_keys.extend(response.master_keys.into_iter().filter(|(user, _)| asked(user)));
    answer
        .self_signing_keys
        .extend(response.self_signing_keys.into_iter().filter(|(user, _)| asked(user)));
    Ok(answer)
}

/// Claims one-time keys of `server`'s users.
pub(super) async fn claim_keys(
    app: &App,
    server: &ServerName,
    wanted: Claims,
    timeout: Duration,
) -> Result<ClaimedKeys, Error> {
    let request = claim_keys::v1::Request::new(wanted.clone());
    let limits = CallLimits { timeout, ..app.federation.limits() };
    let response =
        app.federation.send_with(server, request, limits).await.map_err(|e| failed(server, e))?;
    let mut keys = response.one_time_keys;
    keys.retain(|user_id, _| wanted.contains_key(user_id));
    Ok(keys)
}

/// Makes a copy of the user's list if they share a room with the requester; false when they share none.
async fn copy_if_shared(
    app: &App,
    requester: &Requester,
    user_id: &UserId,
    timeout: Duration,
) -> Result<bool, Error> {
    let Some(user) = app.db.find_user(user_id.as_str()).await? else { return Ok(false) };
    if !device_lists::share_a_room(app.db.read(), requester.user, user).await? {
        return Ok(false);
    }
    // A failure is no reason to give nothing: the query itself follows.
    match copy_list(app, user_id, user, timeout).await {
        Ok(()) => Ok(true),
        Err(Error::Remote { .. }) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Fetches a remote user's whole list from their server and replaces the copy with it.
pub(super) async fn copy_list(
    app: &App,
    user_id: &UserId,
    user: Id,
    timeout: Duration,
) -> Result<(), Error> {
    let server = user_id.server_name();
    // Before asking: whoever joins later is not covered by this copy.
    let position = app.db.position();
    let request = get_devices::v1::Request::new(user_id.to_owned());
    let limits = CallLimits { timeout, ..app.federation.limits() };
    let response =
        app.federation.send_with(server, request, limits).await.map_err(|e| failed(server, e))?;
    if response.user_id != user_id {
        return Err(failed(server, "it answered for another user"));
    }
    let mut devices = Vec::new();
    for device in response.devices.into_iter().take(DEVICES_MAX) {
        if let Some(keys) = checked_keys(user_id, device.device_id.as_str(), device.keys.json()) {
            devices.push((device.device_id.to_string(), keys, device.device_display_name));
        }
    }
    let mut keys = Vec::new();
    keys.extend(response.master_key.and_then(|key| checked_key(user_id, "master", &key)));
    keys.extend(
        response.self_signing_key.and_then(|key| checked_key(user_id, "self_signing", &key)),
    );
    let stream_id = i64::from(response.stream_id);
    let write = app.db.write(move |txn| {
        Box::pin(async move {
            device_keys::delete_all_device_keys(txn, user).await?;
            for (device_id, keys, name) in devices {
                device_keys::upsert_device_keys(txn, user, &device_id, &keys, name.as_deref())
                    .await?;
            }
            replace_cross_signing_keys(txn, user, &keys).await?;
            let list = RemoteList { stream_id, position, stale: false };
            device_lists::upsert_remote_list(txn, user, list).await
        })
    });
    Ok(write.await?)
}

/// Replaces the copy of a remote user's cross-signing keys; signatures upon a replaced key go with it.
pub(super) async fn replace_cross_signing_keys(
    txn: &Txn,
    user: Id,
    keys: &[StoredCrossSigningKey],
) -> Result<(), storage::Error> {
    for old in cross_signing::list_cross_signing_keys(txn.db(), user).await? {
        if !keys.iter().any(|new| new.usage == old.usage && new.public_key == old.public_key) {
            cross_signing::delete_cross_signing_key(txn, user, &old.usage, &old.public_key).await?;
        }
    }
    for key in keys {
        cross_signing::upsert_cross_signing_key(txn, user, key).await?;
    }
    Ok(())
}

/// A remote device's keys as they are stored, or nothing if they do not hold together.
pub(super) fn checked_keys(
    user_id: &UserId,
    device_id: &str,
    keys: &serde_json::value::RawValue,
) -> Option<String> {
    let checked = parse_object(keys.get()).and_then(|mut keys| {
        check_device_keys(&keys, user_id.as_str(), device_id)?;
        keys.remove("unsigned");
        Ok(signed_json::to_text(&keys))
    });
    checked
        .inspect_err(|error| tracing::debug!(%user_id, device_id, %error, "bad device keys"))
        .ok()
}

/// A remote cross-signing key as it is stored, or nothing if it does not hold together.
pub(super) fn checked_key(
    user_id: &UserId,
    usage: &str,
    key: &Raw<CrossSigningKey>,
) -> Option<StoredCrossSigningKey> {
    super::cross_sign::check_key(user_id, usage, key.json().get())
        .inspect_err(|error| tracing::debug!(%user_id, usage, %error, "bad cross-signing key"))
        .ok()
        .map(|(stored, _)| stored)
}

/// A stream id of another server as we keep it.
pub(super) fn stream_id(id: UInt) -> i64 {
    i64::from(id)
}

fn failed(server: &ServerName, reason: impl std::fmt::Display) -> Error {
    Error::Remote { server: server.to_owned(), reason: reason.to_string() }
}
