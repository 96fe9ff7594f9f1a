//! What a v3 filter takes ([spec]).
//!
//! [spec]: https://spec.matrix.org/v1.19/client-server-api/#filtering

use ruma::{
    RoomId,
    api::client::filter::{
        Filter, FilterDefinition, LazyLoadOptions, RoomEventFilter, RoomFilter, UrlFilter,
    },
};
use serde::Deserialize;

use super::Error;
use crate::{
    app::App,
    messaging::Pdu,
    storage::{Id, account_data},
};

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

/// Whether `pattern` stands for `text`; `*` stands for anything.
fn matches(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((start, rest)) => text.strip_prefix(start).is_some_and(|tail| {
            (0..=tail.len()).any(|skip| tail.get(skip..).is_some_and(|tail| matches(rest, tail)))
        }),
    }
}

fn takes_type(types: Option<&[String]>, not_types: &[String], event_type: &str) -> bool {
    let any = |patterns: &[String]| patterns.iter().any(|pattern| matches(pattern, event_type));
    types.is_none_or(any) && !any(not_types)
}

/// Whether a filter of top-level events takes this type.
pub(super) fn takes_global(filter: &Filter, event_type: &str) -> bool {
    takes_type(filter.types.as_deref(), &filter.not_types, event_type)
}

/// Whether a room's part of the filter takes this type of events without a sender.
pub(super) fn takes_room_type(filter: &RoomEventFilter, event_type: &str) -> bool {
    takes_type(filter.types.as_deref(), &filter.not_types, event_type)
}

/// Whether the filter takes this room at all.
pub(super) fn takes_room(filter: &RoomFilter, room_id: &RoomId) -> bool {
    filter.rooms.as_ref().is_none_or(|rooms| rooms.iter().any(|room| room == room_id))
        && !filter.not_rooms.iter().any(|room| room == room_id)
}

/// Whether a room's part of the filter takes this room.
pub(super) fn takes_part(filter: &RoomEventFilter, room_id: &RoomId) -> bool {
    filter.rooms.as_ref().is_none_or(|rooms| rooms.iter().any(|room| room == room_id))
        && !filter.not_rooms.iter().any(|room| room == room_id)
}

/// Whether a room's part of the filter takes this event.
pub(super) fn takes(filter: &RoomEventFilter, pdu: &Pdu) -> bool {
    if filter.types.is_some() || !filter.not_types.is_empty() {
        let event_type = pdu.event_type.to_string();
        if !takes_type(filter.types.as_deref(), &filter.not_types, &event_type) {
            return false;
        }
    }
    if filter.senders.as_ref().is_some_and(|senders| !senders.contains(&pdu.sender))
        || filter.not_senders.contains(&pdu.sender)
    {
        return false;
    }
    match filter.url_filter {
        Some(UrlFilter::EventsWithUrl) => has_url(pdu),
        Some(UrlFilter::EventsWithoutUrl) => !has_url(pdu),
        None => true,
    }
}

fn has_url(pdu: &Pdu) -> bool {
    #[derive(Deserialize)]
    struct Content {
        url: Option<serde::de::IgnoredAny>,
    }
    pdu.content_as::<Content>().is_some_and(|content| content.url.is_some())
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

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn a_star_stands_for_anything() {
        assert!(matches("m.*", "m.room.message"));
        assert!(matches("*", ""));
        assert!(matches("m.*.name", "m.room.name"));
        assert!(!matches("m.room", "m.room.message"));
        assert!(!matches("m.*.name", "m.room.topic"));
    }
}
