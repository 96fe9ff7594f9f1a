//! What a sliding sync tells beside rooms: messages to the device, keys, account data, receipts, typing.

use std::collections::BTreeMap;

use ruma::{OwnedRoomId, api::client::sync::sync_events::v5::Request};

use super::{
    Asides, Look,
    lists::Candidate,
    response::{AccountData, ByRoom, EndToEnd, Extensions, ToDevice},
};
use crate::{
    app::App,
    auth::Requester,
    messaging::Membership,
    notification::{Error, account_data, devices, ephemeral, response::Event},
    storage::{Position, unread},
};

/// Deletes the messages that the client came back with the token of.
pub(super) async fn acknowledge(
    app: &App,
    requester: &Requester,
    request: &Request,
) -> Result<(), Error> {
    let extension = &request.extensions.to_device;
    if extension.enabled != Some(true) {
        return Ok(());
    }
    let since = extension.since.as_deref().and_then(|since| read_cursor(app, since));
    match since.filter(|since| *since <= app.db.position()) {
        Some(since) => devices::acknowledge(app, requester.device, since).await,
        None => Ok(()),
    }
}

/// The cursor of the messages to a device, written `d1_<epoch>_<position>`.
fn write_cursor(app: &App, position: Position) -> String {
    format!("d1_{}_{position}", app.db.epoch())
}

fn read_cursor(app: &App, text: &str) -> Option<Position> {
    let (epoch, position) = text.strip_prefix("d1_")?.split_once('_')?;
    position.parse().ok().filter(|_| epoch == app.db.epoch())
}

/// The extensions the client asked for. `shown`: the rooms it looks at, and whether this answer begins them.
pub(super) async fn of(
    look: &Look<'_>,
    shown: &[(&Candidate, bool)],
    asides: Asides,
) -> Result<Extensions, Error> {
    let wanted = &look.request.extensions;
    let is_on = |enabled: Option<bool>| enabled == Some(true);
    let joined: Vec<(&Candidate, bool)> = shown
        .iter()
        .filter(|(candidate, _)| candidate.standing == Membership::Join)
        .copied()
        .collect();
    let mut extensions = Extensions::default();
    if is_on(wanted.to_device.enabled) {
        extensions.to_device = Some(to_device(look).await?);
    }
    if is_on(wanted.e2ee.enabled) {
        extensions.e2ee = Some(end_to_end(look).await?);
    }
    if is_on(wanted.receipts.enabled) {
        extensions.receipts = Some(receipts(look, &joined, &asides).await?);
    }
    if is_on(wanted.typing.enabled) {
        extensions.typing = Some(typing(look, &joined));
    }
    if is_on(wanted.account_data.enabled) {
        extensions.account_data = Some(account_data(look, shown, asides).await?);
    }
    Ok(extensions)
}

async fn to_device(look: &Look<'_>) -> Result<ToDevice, Error> {
    let (app, extension) = (look.engine.app(), &look.request.extensions.to_device);
    let since = extension.since.as_deref().and_then(|since| read_cursor(app, since)).unwrap_or(0);
    let limit = extension
        .limit
        .and_then(|limit| i64::try_from(u64::from(limit)).ok())
        .map_or(devices::TO_DEVICE_MAX, |limit| limit.clamp(1, devices::TO_DEVICE_MAX));
    let messages =
        devices::to_device(app, look.requester, (since, look.now.position), limit).await?;
    Ok(ToDevice { next_batch: write_cursor(app, messages.upto), events: messages.events })
}

async fn end_to_end(look: &Look<'_>) -> Result<EndToEnd, Error> {
    let (app, requester) = (look.engine.app(), look.requester);
    let device_lists = match look.since {
        Some(since) => {
            let span = (since.position, look.now.position);
            devices::device_lists(app, requester.user, span).await?
        }
        None => Default::default(),
    };
    Ok(EndToEnd {
        device_lists,
        device_one_time_keys_count: devices::one_time_key_counts(app, requester).await?,
        device_unused_fallback_key_types: devices::unused_fallback_types(app, requester).await?,
    })
}

async fn receipts(
    look: &Look<'_>,
    joined: &[(&Candidate, bool)],
    asides: &Asides,
) -> Result<ByRoom, Error> {
    let (db, user) = (&look.engine.app().db, look.requester.user);
    let mut rooms: BTreeMap<OwnedRoomId, Event> = BTreeMap::new();
    for (candidate, is_initial) in joined {
        let room = candidate.membership.room;
        let all;
        let told = if *is_initial {
            all = unread::list_room_receipts_for(db, user, room, look.now.position).await?;
            &all
        } else if let Some(told) = asides.receipts.get(&room) {
            told
        } else {
            continue;
        };
        if let Some(event) = ephemeral::receipts(told) {
            rooms.insert(candidate.room_id.clone(), event);
        }
    }
    Ok(ByRoom { rooms })
}

fn typing(look: &Look<'_>, joined: &[(&Candidate, bool)]) -> ByRoom {
    let since = look.since.map(|since| since.serial);
    let of_room = |(candidate, is_initial): &(&Candidate, bool)| {
        let since = since.filter(|_| !*is_initial);
        let event = ephemeral::typing(look.engine, &candidate.room_id, since)?;
        Some((candidate.room_id.clone(), event))
    };
    ByRoom { rooms: joined.iter().filter_map(of_room).collect() }
}

async fn account_data(
    look: &Look<'_>,
    shown: &[(&Candidate, bool)],
    mut asides: Asides,
) -> Result<AccountData, Error> {
    let (app, user) = (look.engine.app(), look.requester.user);
    let mut rooms: BTreeMap<OwnedRoomId, Vec<Event>> = BTreeMap::new();
    for (candidate, is_initial) in shown {
        let room_id = &candidate.room_id;
        let pieces = if *is_initial {
            account_data::of_room(app, user, room_id.as_str()).await?
        } else {
            asides.room_data.remove(room_id.as_str()).unwrap_or_default()
        };
        let events: Vec<Event> = pieces.iter().filter_map(account_data::event).collect();
        if !events.is_empty() {
            rooms.insert(room_id.clone(), events);
        }
    }
    let global = asides.global_data.iter().filter_map(account_data::event).collect();
    Ok(AccountData { global, rooms })
}
