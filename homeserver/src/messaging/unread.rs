//! Unread counts, derived: what counted in the room since the user's receipt, less what their push rules took away.
//!
//! Nothing is written for them when an event is sent. Called by `notification`.

use super::{Engine, Error, Room};
use crate::storage::{Id, events, unread};

/// A room's counts for one user ([spec]).
///
/// [spec]: https://spec.matrix.org/v1.19/client-server-api/#receiving-notifications
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Unread {
    pub notifications: u64,
    pub highlights: u64,
}

/// The user's counts of today.
pub async fn counts(engine: &Engine, room: &Room, user: Id) -> Result<Unread, Error> {
    let db = &engine.app().db;
    let (total, last_order, joined_at) = {
        let seen = room.seen();
        let Some(member) = seen.members.get(&user) else { return Ok(Unread::default()) };
        (seen.countable, seen.last_order, member.event)
    };
    let receipt = unread::find_read_order(db, room.id, user).await?.unwrap_or(-1);
    if receipt >= last_order {
        return Ok(Unread::default());
    }
    let joined = engine.pdu(room, joined_at).await?.place.order.unwrap_or(-1);
    let own = last_own_event(engine, room, user, receipt.max(joined)).await?;
    let read_upto = receipt.max(joined).max(own);
    if read_upto >= last_order {
        return Ok(Unread::default());
    }
    let read = countable_at(engine, room, read_upto).await?;
    let actions = unread::count_actions(db, user, room.id, read_upto).await?;
    let count = |number: i64| u64::try_from(number).unwrap_or_default();
    Ok(Unread {
        notifications: count(total - read - actions.muted),
        highlights: count(actions.highlights),
    })
}

/// The order of the user's last own event after `after`, or `after`.
async fn last_own_event(engine: &Engine, room: &Room, user: Id, after: i64) -> Result<i64, Error> {
    let front = {
        let seen = room.seen();
        let own = seen.recent.iter().rev().find(|pdu| pdu.sender_id == user);
        if let Some(order) = own.and_then(|pdu| pdu.place.order) {
            return Ok(order.max(after));
        }
        seen.recent.front().and_then(|pdu| pdu.place.order).unwrap_or_default()
    };
    if front <= after + 1 {
        return Ok(after);
    }
    let own =
        unread::find_last_order_of_sender(&engine.app().db, room.id, user, (after, front)).await?;
    Ok(own.unwrap_or(after))
}

/// The room's running total at `order`.
async fn countable_at(engine: &Engine, room: &Room, order: i64) -> Result<i64, Error> {
    {
        let seen = room.seen();
        let at = seen.recent.iter().rev().find(|pdu| pdu.place.order <= Some(order));
        if let Some(pdu) = at {
            return Ok(pdu.place.countable);
        }
    }
    let before =
        events::list_timeline_before(&engine.app().db, room.id, order.saturating_add(1), 1).await?;
    Ok(before.first().map_or(0, |event| event.countable))
}
