//! The parts of an answer that are a device's: messages to it, its keys, other people's devices.

use std::{collections::BTreeMap, sync::Arc};

use ruma::{OwnedUserId, UserId};
use serde_json::value::RawValue;

use super::{
    Error, Sync,
    response::{DeviceLists, Event},
};
use crate::{
    app::App,
    auth::Requester,
    messaging::Engine,
    storage::{self, Id, Position, Topic, device_lists, one_time_keys, to_device},
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
    state: &Sync,
    requester: &Requester,
    (since, upto): (Position, Position),
    limit: i64,
) -> Result<ToDevice, Error> {
    if !has_messages(app, state, requester.device).await? {
        return Ok(ToDevice { events: Vec::new(), upto });
    }
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

/// Whether anything may be in the device's queue.
async fn has_messages(app: &App, state: &Sync, device: Id) -> Result<bool, Error> {
    let read = to_device::has_to_device(app.db.read(), device, Position::MAX);
    Ok(state.0.queues.get(&app.db, (device, Topic::ToDevice(device)), read, |_| 1).await?)
}

/// Deletes what the device has: it came back with the cursor of the answer that told it.
pub(super) async fn acknowledge(
    app: &App,
    state: &Sync,
    device: Id,
    upto: Position,
) -> Result<(), Error> {
    if upto <= 0
        || !has_messages(app, state, device).await?
        || !to_device::has_to_device(app.db.read(), device, upto).await?
    {
        return Ok(());
    }
    let write = app.db.write(move |txn| Box::pin(to_device::delete_to_device(txn, device, upto)));
    write.await.map_err(Error::Storage)?;
    state.0.queues.forget(device);
    Ok(())
}

/// What other devices have left of a device's keys.
#[derive(Debug, Clone, Default)]
pub(super) struct Keys {
    /// One-time keys left, by algorithm; `signed_curve25519` is always there.
    pub one_time: BTreeMap<String, i64>,
    /// Algorithms whose fallback key nobody has used.
    pub unused_fallback: Vec<String>,
}

/// The keys that the device has left.
pub(super) async fn keys(
    app: &App,
    state: &Sync,
    requester: &Requester,
) -> Result<Arc<Keys>, Error> {
    let (user, device_id) = (requester.user, requester.device_id.as_str());
    let read = async {
        let owner = one_time_keys::Owner { user, device_id, epoch: app.db.epoch() };
        let counts = one_time_keys::count_one_time_keys(app.db.read(), owner).await?;
        let mut one_time: BTreeMap<String, i64> = counts.into_iter().collect();
        one_time.entry("signed_curve25519".to_owned()).or_insert(0);
        let unused_fallback =
            one_time_keys::list_unused_fallback_types(app.db.read(), user, device_id).await?;
        Ok::<_, storage::Error>(Arc::new(Keys { one_time, unused_fallback }))
    };
    Ok(state.0.keys.get(&app.db, (requester.device, Topic::Keys(user)), read, |_| 1).await?)
}

/// Whose devices changed in `(since, upto]`.
pub(super) async fn device_lists(
    engine: &Engine,
    user: Id,
    (since, upto): (Position, Position),
) -> Result<DeviceLists, Error> {
    let app = engine.app();
    if since >= upto || !may_differ(engine, user, since).await? {
        return Ok(DeviceLists::default());
    }
    let changed = device_lists::list_changed_for(app.db.read(), user, since, upto).await?;
    let left = device_lists::list_left_for(app.db.read(), user, since, upto).await?;
    Ok(DeviceLists { changed: names(app, &changed).await?, left: names(app, &left).await? })
}

/// Whether anybody's devices changed, or anybody came into or went out of a room of the user.
async fn may_differ(engine: &Engine, user: Id, since: Position) -> Result<bool, Error> {
    let changes = engine.app().db.changes();
    if [Topic::DeviceLists, Topic::Memberships(user)]
        .into_iter()
        .any(|topic| changes.any_since(topic, since))
    {
        return Ok(true);
    }
    let standings = engine.standings(user).await?;
    let mut joined = standings.iter().filter(|standing| standing.membership == "join");
    Ok(joined.any(|standing| changes.any_since(Topic::Members(standing.room), since)))
}

async fn names(app: &App, users: &[Id]) -> Result<Vec<OwnedUserId>, Error> {
    let mut names = Vec::with_capacity(users.len());
    for user in users {
        let name = app.db.user_name(*user).await?;
        names.extend(UserId::parse(name.as_str()).ok());
    }
    Ok(names)
}
