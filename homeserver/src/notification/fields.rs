//! In which form a v3 answer tells events: with all of their fields or some, for clients or as servers send them ([spec]).
//!
//! [spec]: https://spec.matrix.org/v1.19/client-server-api/#filtering

use std::collections::BTreeMap;

use ruma::api::client::filter::{EventFormat, FilterDefinition};
use serde_json::value::{RawValue, to_raw_value};

use super::response::Event;

/// JSON that nests deeper is not read here, so that no field is below.
const DEPTH_MAX: usize = 128;

/// The form of the events in timelines and states.
///
/// What has no place in a room's history keeps all of its fields, as it may: fields are chosen with messages in mind, and would leave
/// nothing of receipts or account data.
#[derive(Debug)]
pub(super) struct Shape {
    /// As servers send them to each other.
    pub is_raw: bool,
    /// `None`: all.
    fields: Option<Fields>,
}

impl Shape {
    /// The form that a filter asks for. An empty list of fields is none: events without any field would tell nothing.
    pub(super) fn of(filter: &FilterDefinition) -> Self {
        let paths = filter.event_fields.as_deref().filter(|paths| !paths.is_empty());
        Self {
            is_raw: filter.event_format == EventFormat::Federation,
            fields: paths.map(Fields::new),
        }
    }

    /// The events with the fields that are asked for.
    pub(super) fn cut(&self, events: Vec<Event>) -> Vec<Event> {
        let Some(fields) = &self.fields else { return events };
        let nothing = || RawValue::from_string("{}".to_owned()).ok();
        events.iter().filter_map(|event| fields.pick(event).or_else(nothing)).collect()
    }
}

/// Fields that are told, as a tree of keys.
#[derive(Debug, Default)]
struct Fields {
    /// This one is told with everything in it.
    is_whole: bool,
    inner: BTreeMap<String, Self>,
}

impl Fields {
    fn new(paths: &[String]) -> Self {
        let mut fields = Self::default();
        for keys in paths.iter().map(|path| keys(path)).filter(|keys| keys.len() <= DEPTH_MAX) {
            let mut field = &mut fields;
            for key in keys {
                field = field.inner.entry(key).or_default();
            }
            field.is_whole = true;
        }
        fields
    }

    /// What is told of a value; `None` when none of the fields is there.
    fn pick(&self, json: &RawValue) -> Option<Event> {
        if self.is_whole {
            return Some(json.to_owned());
        }
        let object: BTreeMap<String, &RawValue> = serde_json::from_str(json.get()).ok()?;
        let pick =
            |(key, fields): (&String, &Self)| Some((key.clone(), fields.pick(object.get(key)?)?));
        let picked: BTreeMap<String, Event> = self.inner.iter().filter_map(pick).collect();
        if picked.is_empty() { None } else { to_raw_value(&picked).ok() }
    }
}

/// The keys of a dot-separated path ([spec]): a backslash escapes a dot or another one, before anything else it is itself.
///
/// [spec]: https://spec.matrix.org/v1.19/appendices/#dot-separated-property-paths
fn keys(path: &str) -> Vec<String> {
    let (mut keys, mut key) = (Vec::new(), String::new());
    let mut chars = path.chars().peekable();
    while let Some(char) = chars.next() {
        match char {
            '.' => keys.push(std::mem::take(&mut key)),
            '\\' => key.push(chars.next_if(|next| matches!(next, '.' | '\\')).unwrap_or('\\')),
            other => key.push(other),
        }
    }
    keys.push(key);
    keys
}

#[cfg(test)]
mod tests {
    use super::{DEPTH_MAX, Fields, keys};

    fn picked(paths: &[&str], json: &str) -> Option<String> {
        let paths: Vec<String> = paths.iter().map(|path| (*path).to_owned()).collect();
        let picked = Fields::new(&paths).pick(serde_json::from_str(json).ok()?)?;
        Some(picked.get().to_owned())
    }

    #[test]
    fn a_path_is_keys_between_dots_that_are_not_escaped() {
        assert_eq!(keys("content.body"), ["content", "body"]);
        assert_eq!(keys(r"content.m\.relates_to.key"), ["content", "m.relates_to", "key"]);
        assert_eq!(keys(r"a\\.b"), [r"a\", "b"]);
        assert_eq!(keys(r"a\\\.b"), [r"a\.b"]);
        assert_eq!(keys(r"a\x.b\"), [r"a\x", r"b\"]);
        assert_eq!(keys(""), [""]);
        assert_eq!(keys("a..b"), ["a", "", "b"]);
    }

    #[test]
    fn a_field_is_told_where_it_is_and_the_wider_of_two_paths_counts() {
        let json = r#"{"a":{"b":1,"c":{"d":[2]}},"e":null,"f":3}"#;
        assert_eq!(
            picked(&["a.c.d", "e"], json).as_deref(),
            Some(r#"{"a":{"c":{"d":[2]}},"e":null}"#)
        );
        let whole = Some(r#"{"a":{"b":1,"c":{"d":[2]}}}"#);
        assert_eq!(picked(&["a.b", "a"], json).as_deref(), whole);
        assert_eq!(picked(&["a", "a.b"], json).as_deref(), whole);
        assert_eq!(picked(&["f.a", "g", "a.x"], json), None, "none of them is there");
    }

    #[test]
    fn a_path_as_deep_as_no_event_is_nothing() {
        let deep = vec!["a"; DEPTH_MAX + 1].join(".");
        assert_eq!(picked(&[&deep, "b"], r#"{"a":{"a":1},"b":2}"#).as_deref(), Some(r#"{"b":2}"#));
    }
}
