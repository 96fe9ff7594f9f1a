//! Messages from device to device: queued per device of ours until it acknowledges them, owed to other servers as EDUs.
//!
//! The sender is always who is logged in, or a user of the server that sent it; the content is passed on as it is.

use std::collections::BTreeMap;

use ruma::{
    OwnedServerName, OwnedTransactionId, OwnedUserId, UserId,
    api::federation::transactions::edu::{DirectDeviceContent, Edu},
    events::{AnyToDeviceEventContent, ToDeviceEventType},
    serde::Raw,
    to_device::DeviceIdOrAllDevices,
};
use serde_json::{json, value::RawValue};

use super::{Error, is_local};
use crate::{
    app::App,
    auth::Requester,
    storage::{
        self, Id, Position, Txn, device_keys, outbound_edus::insert_outbound_edu, to_device,
        to_device::ToDeviceMessage,
    },
};

/// Most recipients of one request.
const RECIPIENTS_MAX: usize = 10_000;

/// By user and device, or `*` for all of a user's devices.
pub(super) type Messages =
    BTreeMap<OwnedUserId, BTreeMap<DeviceIdOrAllDevices, Raw<AnyToDeviceEventContent>>>;

/// `PUT /sendToDevice/{eventType}/{txnId}`.
#[derive(Debug, Clone)]
pub struct ToDeviceRequest {
    pub event_type: ToDeviceEventType,
    pub txn_id: OwnedTransactionId,
    pub messages: Messages,
}

/// Sends to devices anywhere. The same transaction id from the same device again sends nothing.
pub async fn send_to_device(
    app: &App,
    requester: &Requester,
    request: ToDeviceRequest,
) -> Result<(), Error> {
    if request.messages.values().map(BTreeMap::len).sum::<usize>() > RECIPIENTS_MAX {
        return Err(Error::TooLarge(format!("at most {RECIPIENTS_MAX} messages at a time")));
    }
    let mut ours = Messages::new();
    let mut elsewhere: BTreeMap<OwnedServerName, Messages> = BTreeMap::new();
    for (user_id, messages) in request.messages {
        if is_local(app, &user_id) {
            ours.insert(user_id, messages);
        } else {
            let server = user_id.server_name().to_owned();
            elsewhere.entry(server).or_default().insert(user_id, messages);
        }
    }
    let deliveries = deliveries(app, &requester.user_id, &request.event_type, ours).await?;
    let edus = edus(app, requester, &request.event_type, elsewhere)?;
    let recipients: Vec<Id> = deliveries.iter().map(|delivery| delivery.user).collect();
    let destinations: Vec<_> = edus.iter().map(|(server, _)| server.clone()).collect();
    let (device, now) = (requester.device, app.clock.now_ms());
    let (event_type, txn_id) = (request.event_type.to_string(), request.txn_id.to_string());
    let write = app.db.write(move |txn| {
        Box::pin(async move {
            let key = (device, event_type.as_str(), txn_id.as_str());
            if !to_device::insert_transaction(txn, key, now).await? {
                return Ok(());
            }
            deliver(txn, &deliveries).await?;
            for (destination, edu) in &edus {
                insert_outbound_edu(txn, destination.as_str(), edu).await?;
            }
            Ok::<_, storage::Error>(())
        })
    });
    write.await?;
    app.bell.ring_users(recipients);
    for destination in destinations {
        app.outbound.wake(&destination);
    }
    Ok(())
}

/// A message for devices of one of our users.
pub(super) struct Delivery {
    pub(super) user: Id,
    devices: Vec<Id>,
    json: String,
}

/// Who of ours gets what. Unknown users and devices are passed over, as the specification wants.
pub(super) async fn deliveries(
    app: &App,
    sender: &UserId,
    event_type: &ToDeviceEventType,
    messages: Messages,
) -> Result<Vec<Delivery>, Error> {
    let mut deliveries = Vec::new();
    for (user_id, messages) in messages {
        let Some(user) = app.db.find_user(user_id.as_str()).await? else { continue };
        for (recipient, content) in messages {
            let content: &RawValue = content.json();
            if !content.get().trim_start().starts_with('{') {
                return Err(Error::invalid("the content of a message must be an object"));
            }
            let one = match &recipient {
                DeviceIdOrAllDevices::DeviceId(device_id) => Some(device_id.as_str()),
                DeviceIdOrAllDevices::AllDevices => None,
            };
            let devices = device_keys::list_devices(app.db.read(), user, one).await?;
            let event = json!({ "sender": sender, "type": event_type });
            // The content stays byte for byte what was sent.
            let head = event.to_string();
            let head = head.strip_suffix('}').unwrap_or(&head);
            deliveries.push(Delivery {
                user,
                devices: devices.into_iter().map(|(id, _)| id).collect(),
                json: format!("{head},\"content\":{}}}", content.get()),
            });
        }
    }
    Ok(deliveries)
}

/// Queues the messages.
pub(super) async fn deliver(txn: &Txn, deliveries: &[Delivery]) -> Result<(), storage::Error> {
    for delivery in deliveries {
        for device in &delivery.devices {
            to_device::insert_to_device(txn, *device, &delivery.json).await?;
        }
    }
    Ok(())
}

fn edus(
    app: &App,
    requester: &Requester,
    event_type: &ToDeviceEventType,
    elsewhere: BTreeMap<OwnedServerName, Messages>,
) -> Result<Vec<(OwnedServerName, String)>, Error> {
    elsewhere
        .into_iter()
        .map(|(server, messages)| {
            // Unlike the client's transaction id, one of our own making is unique for the whole server.
            let message_id = OwnedTransactionId::from(app.random.text::<16>());
            let mut content =
                DirectDeviceContent::new(requester.user_id.clone(), event_type.clone(), message_id);
            content.messages = messages;
            let edu = serde_json::to_string(&Edu::DirectToDevice(content))
                .map_err(|error| Error::invalid(error.to_string()))?;
            Ok((server, edu))
        })
        .collect()
}

/// Up to `limit` messages for `device` in `(since, upto]`, oldest first, each a whole event as JSON. They stay until
/// [`delete_to_device`].
pub async fn to_device_since(
    app: &App,
    device: Id,
    since: Position,
    upto: Position,
    limit: u32,
) -> Result<Vec<ToDeviceMessage>, Error> {
    let limit = i64::from(limit);
    Ok(to_device::list_to_device(app.db.read(), device, since, upto, limit).await?)
}

/// Whether messages wait for `device`, up to and including `upto`.
pub async fn has_to_device(app: &App, device: Id, upto: Position) -> Result<bool, Error> {
    Ok(to_device::has_to_device(app.db.read(), device, upto).await?)
}

/// The door that delivered messages up to and including `upto` to `device` was told that they arrived.
pub async fn delete_to_device(app: &App, device: Id, upto: Position) -> Result<(), Error> {
    if !to_device::has_to_device(app.db.read(), device, upto).await? {
        return Ok(());
    }
    let write = app.db.write(move |txn| {
        Box::pin(async move { to_device::delete_to_device(txn, device, upto).await })
    });
    Ok(write.await?)
}
