//! Devices of a user: listing, renaming, deleting with their tokens.
//!
//! A device's keys and to-device messages belong to `messaging`: whoever deletes a device here (the doors) forgets them there,
//! by the interned `id` of the device.

use super::{Auth, AuthError};
use crate::{
    app::App,
    storage::{self, Id, devices::Device},
};

/// Most bytes of a device's name.
const NAME_BYTES_MAX: usize = 255;

/// All devices of `user`, oldest first.
pub async fn list_devices(app: &App, auth: &Auth, user: Id) -> Result<Vec<Device>, AuthError> {
    auth.write_seen(app).await;
    Ok(storage::devices::list_devices(app.db.read(), user).await?)
}

/// One device of `user`.
///
/// # Errors
/// [`AuthError::DeviceNotFound`].
pub async fn find_device(
    app: &App,
    auth: &Auth,
    user: Id,
    device_id: &str,
) -> Result<Device, AuthError> {
    auth.write_seen(app).await;
    let device = storage::devices::find_device(app.db.read(), user, device_id).await?;
    device.ok_or(AuthError::DeviceNotFound)
}

/// Renames a device of `user`; `None` changes nothing. Returns the device. Other servers learn of it through the door.
pub async fn rename_device(
    app: &App,
    auth: &Auth,
    user: Id,
    device_id: &str,
    name: Option<String>,
) -> Result<Device, AuthError> {
    let mut device = find_device(app, auth, user, device_id).await?;
    let Some(name) = name else { return Ok(device) };
    if name.len() > NAME_BYTES_MAX {
        return Err(AuthError::InvalidParam("a device's name has at most 255 bytes"));
    }
    device.display_name = Some(name.clone());
    let id = device.id;
    let write = app.db.write(move |txn| {
        Box::pin(
            async move { storage::devices::update_display_name(txn.db(), id, Some(&name)).await },
        )
    });
    write.await?;
    Ok(device)
}

/// Deletes devices of `user` by name and ends their sessions. Unknown names are passed over. Returns the deleted devices,
/// so that the door can forget their keys.
pub async fn delete_devices(
    app: &App,
    auth: &Auth,
    user: Id,
    device_ids: &[String],
) -> Result<Vec<Device>, AuthError> {
    let mut devices = storage::devices::list_devices(app.db.read(), user).await?;
    devices.retain(|device| device_ids.contains(&device.device_id));
    delete_ids(app, auth, user, devices.iter().map(|device| device.id).collect()).await?;
    Ok(devices)
}

/// Deletes devices of `user` and makes their tokens worthless at once.
pub(super) async fn delete_ids(
    app: &App,
    auth: &Auth,
    user: Id,
    ids: Vec<Id>,
) -> Result<(), AuthError> {
    let deleted = ids.clone();
    let write = app.db.write(move |txn| {
        Box::pin(async move {
            for id in ids {
                storage::devices::delete_device(txn.db(), id).await?;
            }
            Ok::<_, AuthError>(())
        })
    });
    write.await?;
    auth.forget(app, user, |requester| deleted.contains(&requester.device));
    Ok(())
}
