//! What other servers ask of us and tell us: our users' devices; changes of theirs; messages for our devices.

use std::collections::BTreeMap;

use ruma::{
    OwnedDeviceId, OwnedUserId, ServerName, UserId,
    api::federation::{
        device::get_devices,
        transactions::edu::{
            DeviceListUpdateContent, DirectDeviceContent, SigningKeyUpdateContent,
        },
    },
};

use super::{
    Error, QueriedKeys, announce, is_local, query, remote,
    to_device::{deliver, deliveries},
};
use crate::{
    app::App,
    storage::{
        self, Id,
        cross_signing::{self, StoredCrossSigningKey},
        device_keys,
        device_lists::{self, RemoteList},
        to_device,
    },
};

/// Most bytes of a message id.
const MESSAGE_ID_BYTES_MAX: usize = 255;
/// Stale copies fetched in one round.
const STALE_MAX: i64 = 100;

/// `GET /user/devices/{userId}`: all devices of a user of ours; their names only where the config says so.
///
/// # Errors
/// [`Error::NotFound`] when the user is not ours.
pub async fn federation_devices(
    app: &App,
    user_id: &UserId,
) -> Result<get_devices::v1::Response, Error> {
    let unknown = Error::NotFound("no such user");
    if !is_local(app, user_id) {
        return Err(unknown);
    }
    let user = app.db.find_user(user_id.as_str()).await?.ok_or(unknown)?;
    // The id first: what changes after it is told by an EDU with a later one.
    let stream_id = device_lists::find_stream_id(app.db.read(), user).await?.unwrap_or(0);
    let keys = query::published(app, user_id, user, None).await?;
    let mut response =
        get_devices::v1::Response::new(user_id.to_owned(), announce::stream_id(stream_id));
    for device in keys.devices {
        let keys = query::to_raw(&device.keys)?;
        let mut told = get_devices::v1::UserDevice::new(device.device_id.into(), keys);
        told.device_display_name =
            device.display_name.filter(|_| app.config.federation.share_device_names);
        response.devices.push(told);
    }
    response.master_key = query::raw(keys.master)?;
    response.self_signing_key = query::raw(keys.self_signing)?;
    Ok(response)
}

/// `POST /user/keys/query`: of our users only (never what we know of others), without user-signing keys, and
/// without device names unless the config says so.
pub async fn federation_query_keys(
    app: &App,
    wanted: BTreeMap<OwnedUserId, Vec<OwnedDeviceId>>,
) -> Result<QueriedKeys, Error> {
    let mut answer = QueriedKeys::default();
    for (user_id, devices) in wanted {
        if is_local(app, &user_id) {
            query::add_known(app, &mut answer, &user_id, &devices, None).await?;
        }
    }
    Ok(answer)
}

/// `m.device_list_update`. True when an update before it was missed: the caller then runs [`resync_stale`] beside its answer.
///
/// # Errors
/// [`Error::Forbidden`] when the user is not `origin`'s.
pub async fn receive_device_list_update(
    app: &App,
    origin: &ServerName,
    update: DeviceListUpdateContent,
) -> Result<bool, Error> {
    let user = owned_by(app, origin, &update.user_id).await?;
    let copy = device_lists::find_remote_list(app.db.read(), user).await?;
    // The first that is heard of somebody who came into a room, which clients learned from the join: nobody has an older list.
    if copy.is_none() && update.prev_id.is_empty() {
        return Ok(false);
    }
    let stream_id = remote::stream_id(update.stream_id);
    if copy.is_some_and(|copy| !copy.stale && stream_id <= copy.stream_id) {
        return Ok(false);
    }
    let keys = update.keys.as_ref().and_then(|keys| {
        remote::checked_keys(&update.user_id, update.device_id.as_str(), keys.json())
    });
    // Keys that do not hold together: the server itself may know better.
    let bad = update.keys.is_some() && keys.is_none();
    let missed = |copy: RemoteList| {
        let newest = update.prev_id.iter().map(|id| remote::stream_id(*id)).max();
        copy.stale || bad || newest.is_some_and(|newest| newest > copy.stream_id)
    };
    let stale = copy.is_some_and(missed);
    let (device_id, name) = (update.device_id.to_string(), update.device_display_name);
    let deleted = update.deleted == Some(true);
    let write = app.db.write(move |txn| {
        Box::pin(async move {
            if let Some(copy) = copy {
                if deleted {
                    device_keys::delete_device_keys(txn, user, &device_id).await?;
                } else if let Some(keys) = keys {
                    device_keys::upsert_device_keys(txn, user, &device_id, &keys, name.as_deref())
                        .await?;
                }
                let list = RemoteList { stream_id, stale, ..copy };
                device_lists::upsert_remote_list(txn, user, list).await?;
            }
            device_lists::insert_change(txn, user, &device_id, true).await?;
            Ok::<_, storage::Error>(())
        })
    });
    write.await?;
    app.bell.ring_users(announce::users_sharing_rooms(app, user).await?);
    Ok(stale)
}

/// `m.signing_key_update`.
///
/// # Errors
/// [`Error::Forbidden`] when the user is not `origin`'s.
pub async fn receive_signing_key_update(
    app: &App,
    origin: &ServerName,
    update: SigningKeyUpdateContent,
) -> Result<(), Error> {
    let user = owned_by(app, origin, &update.user_id).await?;
    let copied = device_lists::find_remote_list(app.db.read(), user).await?.is_some();
    let keys: Vec<StoredCrossSigningKey> = [
        update.master_key.and_then(|key| remote::checked_key(&update.user_id, "master", &key)),
        update
            .self_signing_key
            .and_then(|key| remote::checked_key(&update.user_id, "self_signing", &key)),
    ]
    .into_iter()
    .flatten()
    .collect();
    let write = app.db.write(move |txn| {
        Box::pin(async move {
            if copied {
                // What the update leaves out has not changed.
                let mut all = cross_signing::list_cross_signing_keys(txn.db(), user).await?;
                all.retain(|old| !keys.iter().any(|new| new.usage == old.usage));
                all.extend(keys);
                remote::replace_cross_signing_keys(txn, user, &all).await?;
            }
            device_lists::insert_change(txn, user, "", true).await?;
            Ok::<_, storage::Error>(())
        })
    });
    write.await?;
    app.bell.ring_users(announce::users_sharing_rooms(app, user).await?);
    Ok(())
}

/// `m.direct_to_device`. The same message again is delivered once.
///
/// # Errors
/// [`Error::Forbidden`] when the sender is not `origin`'s.
pub async fn receive_direct_to_device(
    app: &App,
    origin: &ServerName,
    message: DirectDeviceContent,
) -> Result<(), Error> {
    if message.sender.server_name() != origin {
        return Err(Error::Forbidden("the sender belongs to another server"));
    }
    if message.message_id.as_str().len() > MESSAGE_ID_BYTES_MAX {
        return Err(Error::invalid("a message id has at most 255 bytes"));
    }
    let mut messages = message.messages;
    messages.retain(|user_id, _| is_local(app, user_id));
    let deliveries = deliveries(app, &message.sender, &message.ev_type, messages).await?;
    let recipients: Vec<Id> = deliveries.iter().map(|delivery| delivery.user).collect();
    let (origin, id) = (origin.to_string(), message.message_id.to_string());
    let now = app.clock.now_ms();
    let write = app.db.write(move |txn| {
        Box::pin(async move {
            if to_device::insert_received(txn, &origin, &id, now).await? {
                deliver(txn, &deliveries).await?;
            }
            Ok::<_, storage::Error>(())
        })
    });
    write.await?;
    app.bell.ring_users(recipients);
    Ok(())
}

/// Fetches every list whose copy missed an update. What a server does not answer stays stale, for the next round; until then
/// its users' keys are asked of it one query at a time. Called after [`receive_device_list_update`], at start, and now and then.
pub async fn resync_stale(app: &App) -> Result<(), Error> {
    let mut after = Id::MIN;
    loop {
        let users = device_lists::list_stale_users(app.db.read(), after, STALE_MAX).await?;
        let Some((last, _)) = users.last() else { return Ok(()) };
        after = *last;
        for (user, user_id) in users {
            let Ok(user_id) = OwnedUserId::try_from(user_id) else { continue };
            if let Err(error) = resync(app, &user_id, user).await {
                tracing::debug!(%user_id, %error, "a device list could not be fetched");
            }
        }
    }
}

/// Fetches one remote user's list anew, or forgets the copy when nobody here shares a room with them.
pub async fn resync(app: &App, user_id: &UserId, user: Id) -> Result<(), Error> {
    let sharing = device_lists::list_users_sharing_rooms(app.db.read(), user).await?;
    let wanted = sharing.iter().any(|(_, other)| {
        <&UserId>::try_from(other.as_str()).is_ok_and(|other| is_local(app, other))
    });
    if wanted {
        return remote::copy_list(app, user_id, user, app.federation.limits().timeout).await;
    }
    let write = app.db.write(move |txn| {
        Box::pin(async move {
            device_keys::delete_all_device_keys(txn, user).await?;
            device_lists::delete_remote_list(txn, user).await
        })
    });
    Ok(write.await?)
}

async fn owned_by(app: &App, origin: &ServerName, user_id: &UserId) -> Result<Id, Error> {
    if user_id.server_name() != origin || is_local(app, user_id) {
        return Err(Error::Forbidden("the user belongs to another server"));
    }
    Ok(app.db.user(user_id.as_str()).await?)
}
