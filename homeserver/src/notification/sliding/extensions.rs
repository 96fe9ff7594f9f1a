//! What a sliding sync tells beside rooms: messages to the device, keys, account data, receipts, typing.

use std::collections::BTreeMap;

use ruma::OwnedRoomId;

use super::{
    answer::{AccountData, ByRoom, EndToEnd, Extensions, Keyed, ToDevice},
    look::{Asides, Look, Looked},
    marks::{Aside, Mark},
    request::{self, Request},
};
use crate::{
    account,
    app::App,
    auth::Requester,
    messaging::Membership,
    notification::{Error, Sync, account_data, devices, ephemeral, response::Event},
    storage::{Position, unread},
};

/// Refuses settings that cannot be meant.
pub(super) fn check(request: &Request) -> Result<(), Error> {
    let Some(wanted) = &request.extensions.to_device else { return Ok(()) };
    if wanted.limit.is_some_and(|limit| limit <= 0) {
        return Err(Error::InvalidParam("limit is a positive number".to_owned()));
    }
    if wanted.since.as_deref().is_some_and(|since| Cursor::parse(since).is_none()) {
        return Err(Error::InvalidParam("since is no next_batch of to_device here".to_owned()));
    }
    Ok(())
}

/// Deletes the messages that the client came back with the cursor of.
pub(super) async fn acknowledge(
    app: &App,
    state: &Sync,
    requester: &Requester,
    request: &Request,
) -> Result<(), Error> {
    match request.extensions.to_device.as_ref().and_then(|wanted| since(app, wanted)) {
        Some(since) => devices::acknowledge(app, state, requester.device, since).await,
        None => Ok(()),
    }
}

/// The place in a device's queue of messages, written `d1_<epoch>_<boot>_<position>`; earlier ones had no boot.
struct Cursor<'a> {
    epoch: &'a str,
    boot: Option<u32>,
    position: Position,
}

impl<'a> Cursor<'a> {
    fn parse(text: &'a str) -> Option<Self> {
        let (epoch, rest) = text.strip_prefix("d1_")?.split_once('_')?;
        let (boot, position) = match rest.split_once('_') {
            Some((boot, position)) => (Some(u32::from_str_radix(boot, 16).ok()?), position),
            None => (None, rest),
        };
        let position = position.parse().ok().filter(|position| *position >= 0)?;
        Some(Self { epoch, boot, position })
    }

    fn write(app: &App, position: Position) -> String {
        format!("d1_{}_{:08x}_{position}", app.db.epoch(), app.db.boot())
    }
}

/// Up to where the client has its messages. A cursor of another database, or of what a restored backup does not have,
/// says nothing: whatever is here comes again.
fn since(app: &App, wanted: &request::ToDevice) -> Option<Position> {
    let cursor = Cursor::parse(wanted.since.as_deref()?)?;
    (cursor.epoch == app.db.epoch() && app.db.has_told(cursor.boot, cursor.position))
        .then_some(cursor.position)
}

/// The extensions the client asked for.
pub(super) async fn of(
    look: &Look<'_>,
    rooms: &[Looked<'_>],
    asides: &mut Asides,
) -> Result<Extensions, Error> {
    let wanted = &look.request.extensions;
    let mut extensions = Extensions::default();
    if let Some(wanted) = &wanted.to_device {
        let part = to_device(look, wanted).await?;
        extensions.to_device = Some(Keyed { key: wanted.key, part });
    }
    if let Some(wanted) = &wanted.e2ee {
        extensions.e2ee = Some(Keyed { key: wanted.key, part: end_to_end(look).await? });
    }
    if let Some(wanted) = &wanted.account_data {
        let part = account_data(look, rooms, asides).await?;
        extensions.account_data = Some(Keyed { key: wanted.key, part });
    }
    if let Some(wanted) = &wanted.receipts {
        let part = receipts(look, rooms, asides).await?;
        extensions.receipts = Some(Keyed { key: wanted.key, part });
    }
    if let Some(wanted) = &wanted.typing {
        extensions.typing = Some(Keyed { key: wanted.key, part: typing(look, rooms) });
    }
    Ok(extensions)
}

/// The rooms in the scope of an extension, each with how far it was told before this answer.
fn in_scope<'r, 'c>(
    look: &'r Look<'_>,
    rooms: &'r [Looked<'c>],
    aside: Aside,
) -> impl Iterator<Item = (&'r Looked<'c>, Mark)> {
    rooms.iter().filter(move |looked| looked.told.marks.of(aside) == Mark::Current).map(
        move |looked| {
            let before = look.base.rooms.get(&looked.pick.candidate.membership.room);
            let mark = match before {
                Some(told) if !looked.is_anew() => told.marks.of(aside),
                _ => Mark::Never,
            };
            (looked, mark)
        },
    )
}

impl Looked<'_> {
    fn is_anew(&self) -> bool {
        self.shown.as_ref().is_some_and(|shown| shown.is_initial)
    }

    fn is_joined(&self) -> bool {
        self.pick.candidate.standing == Membership::Join
    }

    fn room_id(&self) -> &OwnedRoomId {
        &self.pick.candidate.room_id
    }
}

async fn to_device(look: &Look<'_>, wanted: &request::ToDevice) -> Result<ToDevice, Error> {
    let app = look.engine.app();
    let limit =
        wanted.limit.map_or(devices::TO_DEVICE_MAX, |limit| limit.min(devices::TO_DEVICE_MAX));
    let span = (since(app, wanted).unwrap_or(0), look.now.position);
    let messages = devices::to_device(app, look.state, look.requester, span, limit).await?;
    Ok(ToDevice { next_batch: Cursor::write(app, messages.upto), events: messages.events })
}

async fn end_to_end(look: &Look<'_>) -> Result<EndToEnd, Error> {
    let (app, requester) = (look.engine.app(), look.requester);
    let device_lists = match look.since {
        Some(since) => {
            let span = (since.position, look.now.position);
            devices::device_lists(look.engine, requester.user, span).await?
        }
        None => Default::default(),
    };
    let keys = devices::keys(app, look.state, requester).await?;
    Ok(EndToEnd {
        device_lists,
        device_one_time_keys_count: keys.one_time.clone(),
        device_unused_fallback_key_types: keys.unused_fallback.clone(),
    })
}

async fn account_data(
    look: &Look<'_>,
    rooms: &[Looked<'_>],
    asides: &mut Asides,
) -> Result<AccountData, Error> {
    let (app, user) = (look.engine.app(), look.requester.user);
    let mut by_room: BTreeMap<OwnedRoomId, Vec<Event>> = BTreeMap::new();
    for (looked, mark) in in_scope(look, rooms, Aside::AccountData) {
        let room_id = looked.room_id();
        let mut pieces = match mark {
            Mark::Current => asides.room_data.remove(room_id.as_str()).unwrap_or_default(),
            Mark::Never | Mark::Until(_) => {
                account::list_room_account_data(app, user, room_id.as_str()).await?
            }
        };
        if let Mark::Until(left_at) = mark {
            pieces.retain(|piece| piece.position > left_at);
        }
        let events: Vec<Event> = pieces.iter().filter_map(account_data::event).collect();
        if !events.is_empty() {
            by_room.insert(room_id.clone(), events);
        }
    }
    let global = asides.global_data.iter().filter_map(account_data::event).collect();
    Ok(AccountData { global, rooms: by_room })
}

async fn receipts(
    look: &Look<'_>,
    rooms: &[Looked<'_>],
    asides: &mut Asides,
) -> Result<ByRoom, Error> {
    let (db, user) = (&look.engine.app().db, look.requester.user);
    let upto = look.now.position;
    let mut by_room = ByRoom::new();
    for (looked, mark) in in_scope(look, rooms, Aside::Receipts) {
        if !looked.is_joined() {
            continue;
        }
        let room = looked.pick.candidate.membership.room;
        let mut told = match mark {
            Mark::Never => Vec::new(),
            Mark::Current => asides.receipts.remove(&room).unwrap_or_default(),
            Mark::Until(left_at) => {
                unread::list_receipts_of_room_for(db, user, room, (left_at, upto)).await?
            }
        };
        // The events that the connection did not have yet come with who has read them.
        let is_older =
            looked.shown.as_ref().is_some_and(|shown| shown.is_initial || shown.is_expanded);
        if is_older || mark == Mark::Never {
            let on = looked.shown.as_ref().map(|shown| shown.event_ids.as_slice());
            let on = on.unwrap_or_default();
            told.extend(unread::list_receipts_on(db, user, room, on, upto).await?);
        }
        if let Some(content) = ephemeral::receipt_content(&told) {
            by_room.insert(looked.room_id().clone(), content);
        }
    }
    Ok(by_room)
}

fn typing(look: &Look<'_>, rooms: &[Looked<'_>]) -> ByRoom {
    let of_room = |(looked, mark): (&Looked<'_>, Mark)| {
        let since = look.since.filter(|_| mark == Mark::Current).map(|since| since.serial);
        let content = ephemeral::typing_content(look.engine, looked.room_id(), since)?;
        Some((looked.room_id().clone(), content))
    };
    let joined = in_scope(look, rooms, Aside::Typing).filter(|(looked, _)| looked.is_joined());
    joined.filter_map(of_room).collect()
}

#[cfg(test)]
mod tests {
    use super::Cursor;

    #[test]
    fn a_cursor_is_read_or_refused() {
        for (text, boot) in [("d1_0a1b2c3d_42", None), ("d1_0a1b2c3d_0000feed_42", Some(0xfeed))] {
            let cursor = Cursor::parse(text).unwrap();
            assert_eq!((cursor.epoch, cursor.boot, cursor.position), ("0a1b2c3d", boot, 42));
        }
        let bad = ["", "42", "d1_", "d1_0a1b2c3d", "d1_0a1b2c3d_x", "d1_0a1b2c3d_-1", "d1_e_x_1"];
        for text in bad {
            assert!(Cursor::parse(text).is_none(), "{text}");
        }
    }
}
