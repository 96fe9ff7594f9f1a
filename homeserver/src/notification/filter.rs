//! What a v3 filter takes ([spec]).
//!
//! [spec]: https://spec.matrix.org/v1.19/client-server-api/#filtering

use ruma::{
    RoomId, UserId,
    api::client::filter::{Filter, FilterDefinition, LazyLoadOptions, RoomEventFilter, RoomFilter},
};

use super::Error;
use crate::{
    app::App,
    messaging::event_filter::{takes_type, takes_url},
    storage::{Id, account_data},
};

pub(super) use crate::messaging::event_filter::{takes, takes_room as takes_part};

/// A filter that the user keeps here.
pub async fn stored_filter(
    app: &App,
    user: Id,
    filter_id: &str,
) -> Result<FilterDefinition, Error> {
    let id = filter_id.parse().map_err(|_| Error::UnknownFilter)?;
    let json = account_data::find_filter(app.db.read(), user, id).await?;
    let json = json.ok_or(Error::UnknownFilter)?;
    serde_json::from_str(&json).map_err(|error| Error::InvalidParam(error.to_string()))
}

/// Timeline events a client gets when it names no number, and the most it gets.
const LIMIT_DEFAULT: usize = 10;
const LIMIT_MAX: usize = 1_000;

/// Whether a filter of top-level events takes this type.
pub(super) fn takes_global(filter: &Filter, event_type: &str) -> bool {
    takes_type(filter.types.as_deref(), &filter.not_types, event_type)
}

/// Whether a filter of top-level events takes this sender.
pub(super) fn takes_sender(filter: &Filter, sender: &UserId) -> bool {
    filter.senders.as_ref().is_none_or(|senders| senders.iter().any(|other| other == sender))
        && !filter.not_senders.iter().any(|other| other == sender)
}

/// Whether a filter takes this type of account data. Nobody sent it: it is of none of the senders that a filter names.
pub(super) fn takes_data(filter: &Filter, event_type: &str) -> bool {
    filter.senders.is_none() && takes_global(filter, event_type)
}

/// Whether a room's part of the filter takes account data of the room.
pub(super) fn takes_room_data(
    filter: &RoomEventFilter,
    room_id: &RoomId,
    event_type: &str,
    content: &str,
) -> bool {
    takes_part(filter, room_id)
        && filter.senders.is_none()
        && takes_type(filter.types.as_deref(), &filter.not_types, event_type)
        && takes_url(filter.url_filter, content)
}

/// Whether a room's part of the filter takes this type of what passes by; that has neither a sender nor a `url`.
pub(super) fn takes_passing(filter: &RoomEventFilter, room_id: &RoomId, event_type: &str) -> bool {
    takes_room_data(filter, room_id, event_type, "{}")
}

/// Whether a room's part of the filter takes some of the events there may be.
pub(super) fn takes_any(filter: &RoomEventFilter, room_id: &RoomId) -> bool {
    takes_part(filter, room_id)
        && filter.types.as_ref().is_none_or(|types| !types.is_empty())
        && filter.senders.as_ref().is_none_or(|senders| !senders.is_empty())
        && !filter.not_types.iter().any(|pattern| pattern == "*")
}

/// Whether a room's part of the filter takes member events.
pub(super) fn takes_members(filter: &RoomEventFilter) -> bool {
    takes_type(filter.types.as_deref(), &filter.not_types, "m.room.member")
}

/// Whether the filter takes this room at all.
pub(super) fn takes_room(filter: &RoomFilter, room_id: &RoomId) -> bool {
    filter.rooms.as_ref().is_none_or(|rooms| rooms.iter().any(|room| room == room_id))
        && !filter.not_rooms.iter().any(|room| room == room_id)
}

/// How many timeline events a room may have in the answer.
pub(super) fn limit(filter: &RoomEventFilter) -> usize {
    filter
        .limit
        .map_or(LIMIT_DEFAULT, |limit| usize::try_from(limit).unwrap_or(LIMIT_MAX).min(LIMIT_MAX))
}

/// Whether members are loaded lazily, and if so whether those told before are told again.
pub(super) fn lazy(filter: &RoomFilter) -> Option<bool> {
    match filter.state.lazy_load_options {
        LazyLoadOptions::Enabled { include_redundant_members } => Some(include_redundant_members),
        LazyLoadOptions::Disabled => None,
    }
}
