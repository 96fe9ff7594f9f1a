//! The parts of an answer that are a device's: messages to it, its keys, other people's devices.

use std::collections::BTreeMap;

use ruma::{OwnedUserId, UserId};
use serde_json::value::RawValue;

use super::{
    Error,
    response::{DeviceLists, Event},
};
use crate::{
    app::App,
    auth::Requester,
    storage::{Id, Position, device_lists, one_time_keys, to_device},
};

/// Most messages to a device in one answer.
pub(super) const TO_DEVICE_MAX: i64 = 100;

/// Messages to a device, and up to where they go.
#[derive(Debug)]
pub(super) struct ToDevice {
    pub events: Vec<Event>,
    pub upto: Position,
}

/// The messages after `since`, oldest first, at most `limit`.
pub(super) async fn to_device(
    app: &App,
    requester: &Requester,
    (since, upto): (Position, Position),
    limit: i64,
) -> Result<ToDevice, Error> {
    let messages =
        to_device::list_to_device(app.db.read(), requester.device, since, upto, limit).await?;
    let is_full = i64::try_from(messages.len()).unwrap_or(i64::MAX) >= limit;
    let last = messages.last().map(|message| message.position);
    let events = messages
        .into_iter()
        .filter_map(|message| RawValue::from_string(message.json).ok())
        .collect();
    Ok(ToDevice { events, upto: last.filter(|_| is_full).unwrap_or(upto) })
}

/// Deletes what the device has: it came back with the cursor of the answer that told it.
pub(super) async fn acknowledge(app: &App, device: Id, upto: Position) -> Result<(), Error> {
    if upto <= 0 || !to_device::has_to_device(app.db.read(), device, upto).await? {
        return Ok(());
    }
    app.db
        .write(move |txn| Box::pin(to_device::delete_to_device(txn, device, upto)))
        .await
        .map_err(Error::Storage)
}

/// One-time keys left, by algorithm; `signed_curve25519` is always there.
pub(super) async fn one_time_key_counts(
    app: &App,
    requester: &Requester,
) -> Result<BTreeMap<String, i64>, Error> {
    let owner = one_time_keys::Owner {
        user: requester.user,
        device_id: requester.device_id.as_str(),
        epoch: app.db.epoch(),
    };
    let counts = one_time_keys::count_one_time_keys(app.db.read(), owner).await?;
    let mut counts: BTreeMap<String, i64> = counts.into_iter().collect();
    counts.entry("signed_curve25519".to_owned()).or_insert(0);
    Ok(counts)
}

/// Algorithms whose fallback key nobody has used.
pub(super) async fn unused_fallback_types(
    app: &App,
    requester: &Requester,
) -> Result<Vec<String>, Error> {
    let (user, device_id) = (requester.user, requester.device_id.as_str());
    Ok(one_time_keys::list_unused_fallback_types(app.db.read(), user, device_id).await?)
}

/// Whose devices changed in `(since, upto]`.
pub(super) async fn device_lists(
    app: &App,
    user: Id,
    (since, upto): (Position, Position),
) -> Result<DeviceLists, Error> {
    if since >= upto {
        return Ok(DeviceLists::default());
    }
    let changed = device_lists::list_changed_for(app.db.read(), user, since, upto).await?;
    let left = device_lists::list_left_for(app.db.read(), user, since, upto).await?;
    Ok(DeviceLists { changed: names(app, &changed).await?, left: names(app, &left).await? })
}

async fn names(app: &App, users: &[Id]) -> Result<Vec<OwnedUserId>, Error> {
    let mut names = Vec::with_capacity(users.len());
    for user in users {
        let name = app.db.user_name(*user).await?;
        names.extend(UserId::parse(name.as_str()).ok());
    }
    Ok(names)
}
