//! Who learns that a device list changed: local users by the bell, other servers by EDUs that must arrive.
//!
//! The change is written in the commit that makes it; telling comes after it, from the database, so that a crash between the two
//! loses nothing: call [`announce`] at start too.

use std::{collections::BTreeSet, time::Duration};

use ruma::{
    DeviceId, OwnedServerName, OwnedUserId, UserId,
    api::federation::transactions::edu::{DeviceListUpdateContent, Edu, SigningKeyUpdateContent},
    serde::Raw,
};

use super::{Error, query};
use crate::{
    app::App,
    storage::{
        self, Id, Position, Txn, device_keys,
        device_lists::{self, OwedChange},
        outbound_edus::insert_outbound_edu,
    },
};

/// Changes announced in one go.
const BATCH_MAX: i64 = 100;

/// Puts a change of our user's device (`None`: of the cross-signing keys) into the device list's log, inside the commit that
/// makes it. After the commit: [`announce`].
pub async fn record_change(
    txn: &Txn,
    user: Id,
    device_id: Option<&DeviceId>,
) -> Result<Position, storage::Error> {
    device_lists::insert_change(txn, user, device_id.map_or("", DeviceId::as_str), false).await
}

/// Forgets the keys and messages of devices of ours that were deleted, and tells who has to know. What an earlier call missed,
/// because the server stopped in between, is forgotten too.
pub async fn forget_devices(app: &App, user: Id, devices: &[Id]) -> Result<(), Error> {
    let devices = devices.to_vec();
    let write = app.db.write(move |txn| {
        Box::pin(async move { device_keys::delete_gone_devices(txn, user, &devices).await })
    });
    write.await?;
    announce(app).await
}

/// A device of ours got another name: its user's clients and friends look again.
pub async fn device_renamed(app: &App, user: Id, device_id: &DeviceId) -> Result<(), Error> {
    let device_id = device_id.to_owned();
    let write = app.db.write(move |txn| {
        Box::pin(async move { record_change(txn, user, Some(&device_id)).await })
    });
    write.await?;
    announce(app).await
}

/// Tells of changes that a stop kept from being told, and fetches other servers' lists that were missed; at start and now and
/// then, for ever.
pub async fn catch_up(app: App) {
    const EVERY: Duration = Duration::from_secs(600);
    loop {
        if let Err(error) = announce(&app).await {
            tracing::warn!(%error, "changes of device lists could not be announced");
        }
        if let Err(error) = super::resync_stale(&app).await {
            tracing::warn!(%error, "other servers' device lists could not be read");
        }
        app.clock.sleep(EVERY).await;
    }
}

/// Tells of every change that nobody was told of: rings local users who share a room, owes EDUs to servers who do.
pub async fn announce(app: &App) -> Result<(), Error> {
    loop {
        let owed = device_lists::list_owed_changes(app.db.read(), BATCH_MAX).await?;
        if owed.is_empty() {
            return Ok(());
        }
        for change in owed {
            announce_one(app, change).await?;
        }
    }
}

async fn announce_one(app: &App, change: OwedChange) -> Result<(), Error> {
    let user_id = user_id_of(app, change.user).await?;
    let sharing = device_lists::list_users_sharing_rooms(app.db.read(), change.user).await?;
    let destinations = servers(app, &sharing);
    let edu = edu(app, &user_id, &change).await?;
    let owed_to = destinations.clone();
    let user = change.user;
    let write = app.db.write(move |txn| {
        Box::pin(async move {
            if !device_lists::update_announced(txn, &change).await? {
                return Ok(());
            }
            // Always one: an update without any is an introduction, which changes nothing.
            let before = device_lists::find_stream_id(txn.db(), change.user).await?.unwrap_or(0);
            let (json, is_update) = edu.into_json(&change, Some(before))?;
            if is_update {
                device_lists::upsert_stream_id(txn, change.user, change.position).await?;
            }
            for destination in owed_to {
                insert_outbound_edu(txn, destination.as_str(), &json).await?;
            }
            Ok::<_, storage::Error>(())
        })
    });
    write.await?;
    app.bell.ring_users(sharing.iter().map(|(id, _)| *id).chain([user]));
    for destination in destinations {
        app.outbound.wake(&destination);
    }
    Ok(())
}

/// Tells servers that were told nothing of a user of ours so far of all of the user's devices. It names no update before it, so
/// that whoever kept an old list reads it anew.
pub async fn introduce(
    app: &App,
    user: Id,
    destinations: BTreeSet<OwnedServerName>,
) -> Result<(), Error> {
    if destinations.is_empty() {
        return Ok(());
    }
    let user_id = user_id_of(app, user).await?;
    let position = device_lists::find_stream_id(app.db.read(), user).await?.unwrap_or(0);
    let mut edus = Vec::new();
    for (_, device_id) in device_keys::list_devices(app.db.read(), user, None).await? {
        let change = OwedChange { user, device_id, position };
        edus.push(edu(app, &user_id, &change).await?.into_json(&change, None)?.0);
    }
    let owed_to = destinations.clone();
    let write = app.db.write(move |txn| {
        Box::pin(async move {
            for destination in &owed_to {
                for edu in &edus {
                    insert_outbound_edu(txn, destination.as_str(), edu).await?;
                }
            }
            Ok::<_, storage::Error>(())
        })
    });
    write.await?;
    destinations.iter().for_each(|destination| app.outbound.wake(destination));
    Ok(())
}

/// An EDU that lacks its place in the stream yet.
enum Pending {
    Device(DeviceListUpdateContent),
    SigningKeys(SigningKeyUpdateContent),
}

impl Pending {
    /// The EDU as JSON, and whether it moves the user's stream.
    fn into_json(
        self,
        change: &OwedChange,
        before: Option<i64>,
    ) -> Result<(String, bool), storage::Error> {
        let (edu, is_update) = match self {
            Self::Device(mut content) => {
                content.stream_id = stream_id(change.position);
                content.prev_id = before.map(stream_id).into_iter().collect();
                (Edu::DeviceListUpdate(content), true)
            }
            Self::SigningKeys(content) => (Edu::SigningKeyUpdate(content), false),
        };
        let json = serde_json::to_string(&edu)
            .map_err(|_| storage::Error::Damaged { what: "device list change" })?;
        Ok((json, is_update))
    }
}

/// What another server is to know now; it may be newer than the change.
async fn edu(app: &App, user_id: &UserId, change: &OwedChange) -> Result<Pending, Error> {
    let keys = query::published(app, user_id, change.user, None).await?;
    if change.device_id.is_empty() {
        let mut content = SigningKeyUpdateContent::new(user_id.to_owned());
        content.master_key = query::raw(keys.master)?;
        content.self_signing_key = query::raw(keys.self_signing)?;
        return Ok(Pending::SigningKeys(content));
    }
    let device_id = change.device_id.as_str();
    let mut content =
        DeviceListUpdateContent::new(user_id.to_owned(), device_id.into(), stream_id(0));
    let exists =
        !device_keys::list_devices(app.db.read(), change.user, Some(device_id)).await?.is_empty();
    if exists {
        let device = keys.devices.into_iter().find(|device| device.device_id == device_id);
        content.device_display_name = device
            .as_ref()
            .and_then(|device| device.display_name.clone())
            .filter(|_| app.config.federation.share_device_names);
        content.keys = device
            .map(|device| Raw::new(&device.keys))
            .transpose()
            .map_err(damaged)?
            .map(Raw::cast_unchecked);
    } else {
        content.deleted = Some(true);
    }
    Ok(Pending::Device(content))
}

fn damaged(_: serde_json::Error) -> Error {
    storage::Error::Damaged { what: "device keys" }.into()
}

/// A position as a stream id: never negative.
pub(super) fn stream_id(position: Position) -> ruma::UInt {
    ruma::UInt::try_from(position).unwrap_or_default()
}

/// Users who share a room with `user` now, `user` included.
pub async fn users_sharing_rooms(app: &App, user: Id) -> Result<Vec<Id>, Error> {
    let sharing = device_lists::list_users_sharing_rooms(app.db.read(), user).await?;
    let mut ids: BTreeSet<Id> = sharing.into_iter().map(|(id, _)| id).collect();
    ids.insert(user);
    Ok(ids.into_iter().collect())
}

/// Other servers with a user in a room of `user`'s, in order of name.
pub async fn destinations_sharing_rooms(
    app: &App,
    user: Id,
) -> Result<Vec<OwnedServerName>, Error> {
    let sharing = device_lists::list_users_sharing_rooms(app.db.read(), user).await?;
    Ok(servers(app, &sharing).into_iter().collect())
}

fn servers(app: &App, users: &[(Id, String)]) -> BTreeSet<OwnedServerName> {
    users
        .iter()
        .filter_map(|(_, user_id)| <&UserId>::try_from(user_id.as_str()).ok())
        .map(UserId::server_name)
        .filter(|server| !app.is_ours(server))
        .map(ToOwned::to_owned)
        .collect()
}

/// The user id behind an interned one.
pub(super) async fn user_id_of(app: &App, user: Id) -> Result<OwnedUserId, Error> {
    let name = app.db.user_name(user).await?;
    OwnedUserId::try_from(name.as_str())
        .map_err(|_| storage::Error::Damaged { what: "user id" }.into())
}
