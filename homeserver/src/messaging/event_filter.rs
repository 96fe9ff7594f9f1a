//! Which events a client's filter takes ([spec]).
//!
//! [spec]: https://spec.matrix.org/v1.19/client-server-api/#filtering

use ruma::{
    RoomId,
    api::client::filter::{RoomEventFilter, UrlFilter},
};
use serde::{Deserialize, Deserializer, de::IgnoredAny};

use super::Pdu;

/// Whether `pattern` stands for `text`; `*` stands for anything.
fn matches(pattern: &str, text: &str) -> bool {
    let Some((start, rest)) = pattern.split_once('*') else { return pattern == text };
    let (middle, end) = rest.rsplit_once('*').unwrap_or(("", rest));
    let inner = text.strip_prefix(start).and_then(|text| text.strip_suffix(end));
    let Some(mut text) = inner else { return false };
    // The first place where a part fits is as good as any: to try them all would let one filter hold up a server.
    middle.split('*').all(|part| {
        let found = text.split_once(part);
        text = found.map_or("", |(_, tail)| tail);
        found.is_some()
    })
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
    takes_url(filter.url_filter, pdu.content.get())
}

/// Whether the filter takes a content for the `url` it has or has not.
pub fn takes_url(filter: Option<UrlFilter>, content: &str) -> bool {
    match filter {
        Some(UrlFilter::EventsWithUrl) => has_url(content),
        Some(UrlFilter::EventsWithoutUrl) => !has_url(content),
        None => true,
    }
}

fn has_url(content: &str) -> bool {
    #[derive(Deserialize)]
    struct Content {
        #[serde(default, deserialize_with = "is_there")]
        url: bool,
    }
    serde_json::from_str::<Content>(content).is_ok_and(|content| content.url)
}

/// A key counts with whatever value, null among them.
fn is_there<'de, D: Deserializer<'de>>(value: D) -> Result<bool, D::Error> {
    IgnoredAny::deserialize(value).map(|_| true)
}

#[cfg(test)]
mod tests {
    use super::{has_url, matches};

    #[test]
    fn a_star_stands_for_anything() {
        assert!(matches("m.*", "m.room.message"));
        assert!(matches("*", ""));
        assert!(matches("m.*.name", "m.room.name"));
        assert!(!matches("m.room", "m.room.message"));
        assert!(!matches("m.*.name", "m.room.topic"));
        assert!(matches("*room*", "m.room.message"));
        assert!(matches("m.**e*ge", "m.room.message"));
        assert!(matches("*é*", "org.é.ü"));
        assert!(!matches("m.room*room", "m.room"), "no letter stands twice");
        assert!(!matches("*room*topic*", "m.room.message"));
    }

    #[test]
    fn a_pattern_of_many_stars_is_judged_at_once() {
        assert!(!matches(&"*a".repeat(5_000), &"a".repeat(255)));
        assert!(!matches(&format!("{}b", "*a".repeat(100)), &"a".repeat(255)));
        assert!(matches(&"*a".repeat(255), &"a".repeat(255)));
    }

    #[test]
    fn a_url_is_a_key_of_the_content_whatever_its_value() {
        assert!(has_url(r#"{"url":"mxc://example.org/a"}"#));
        assert!(has_url(r#"{"url":null}"#));
        assert!(!has_url(r#"{"info":{"url":"mxc://example.org/a"}}"#));
    }
}
