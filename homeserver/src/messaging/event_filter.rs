//! Which events a client's filter takes ([spec]).
//!
//! [spec]: https://spec.matrix.org/v1.19/client-server-api/#filtering

use ruma::{
    RoomId,
    api::client::filter::{RoomEventFilter, UrlFilter},
};
use serde::Deserialize;

use super::Pdu;

/// Whether `pattern` stands for `text`; `*` stands for anything.
fn matches(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((start, rest)) => text.strip_prefix(start).is_some_and(|tail| {
            (0..=tail.len()).any(|skip| tail.get(skip..).is_some_and(|tail| matches(rest, tail)))
        }),
    }
}

/// Whether these types and not those are `event_type`; no types are all.
pub fn takes_type(types: Option<&[String]>, not_types: &[String], event_type: &str) -> bool {
    let any = |patterns: &[String]| patterns.iter().any(|pattern| matches(pattern, event_type));
    types.is_none_or(any) && !any(not_types)
}

/// Whether a room's part of the filter takes this room.
pub fn takes_room(filter: &RoomEventFilter, room_id: &RoomId) -> bool {
    filter.rooms.as_ref().is_none_or(|rooms| rooms.iter().any(|room| room == room_id))
        && !filter.not_rooms.iter().any(|room| room == room_id)
}

/// Whether a room's part of the filter takes this event.
pub fn takes(filter: &RoomEventFilter, pdu: &Pdu) -> bool {
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
