//! Spaces: the tree of rooms below one, over all servers that have a part of it, and one room's summary.
//!
//! Spec: <https://spec.matrix.org/v1.19/client-server-api/#discovering-rooms-within-spaces>.

mod access;
mod local;
mod preview;
mod remote;
mod walk;
mod walks;

pub use local::{ForServer, for_server};
pub use preview::preview;
pub use walk::{Asked, Page, hierarchy};
pub(super) use walks::Walks;

use ruma::{OwnedRoomId, OwnedServerName};
use serde::Serialize;
use serde_json::Value;

use super::summary::Summary;

/// Most children of one space that are told or followed.
const CHILDREN_MAX: usize = 1_000;

/// A room of a tree.
#[derive(Debug, Clone, Serialize)]
pub struct Entry {
    #[serde(flatten)]
    pub summary: Summary,
    /// The `m.space.child` events of a space, stripped; in the order in which its children are shown.
    pub children_state: Vec<Value>,
    #[serde(skip)]
    children: Vec<Child>,
}

/// A room that a space names.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Child {
    room_id: OwnedRoomId,
    via: Vec<OwnedServerName>,
}

impl Entry {
    /// From a room's summary and its child events, in any order: those that name no server are none, and where only suggested ones
    /// are asked for, the others are left out.
    fn new(summary: Summary, events: Vec<Value>, suggested_only: bool) -> Self {
        let mut listed: Vec<(Place, Child, Value)> = Vec::new();
        if summary.is_space() {
            listed.extend(events.into_iter().filter_map(|event| child(event, suggested_only)));
        }
        listed.sort_by(|one, other| one.0.cmp(&other.0));
        listed.truncate(CHILDREN_MAX);
        let (mut children, mut children_state) = (Vec::new(), Vec::new());
        for (_, child, event) in listed {
            children.push(child);
            children_state.push(event);
        }
        Self { summary, children_state, children }
    }
}

/// Where a child stands among its siblings ([spec]): by its `order`, else behind those that have one, by age.
///
/// [spec]: https://spec.matrix.org/v1.19/client-server-api/#ordering-of-children-within-a-space
type Place = (bool, String, u64, String);

fn child(event: Value, suggested_only: bool) -> Option<(Place, Child, Value)> {
    const ORDER_MAX: usize = 50;
    let content = event.get("content")?;
    let via: Vec<OwnedServerName> = content
        .get("via")?
        .as_array()?
        .iter()
        .filter_map(|server| server.as_str()?.try_into().ok())
        .collect();
    let suggested = content.get("suggested").and_then(Value::as_bool).unwrap_or_default();
    let room_id: OwnedRoomId = event.get("state_key")?.as_str()?.try_into().ok()?;
    if suggested_only && !suggested {
        return None;
    }
    let order = content.get("order").and_then(Value::as_str).filter(|order| {
        order.len() <= ORDER_MAX && order.bytes().all(|byte| (0x20..=0x7e).contains(&byte))
    });
    let at = event.get("origin_server_ts").and_then(Value::as_u64).unwrap_or(u64::MAX);
    let place = (order.is_none(), order.unwrap_or_default().to_owned(), at, room_id.to_string());
    Some((place, Child { room_id, via }, event))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{Entry, Summary};

    fn event(room: &str, at: u64, content: Value) -> Value {
        json!({ "state_key": room, "origin_server_ts": at, "content": content })
    }

    #[test]
    fn children_stand_by_their_order_then_by_age_and_those_without_a_server_are_none() {
        let summary = Summary { room_type: Some("m.space".to_owned()), ..Summary::default() };
        let via = json!(["example.org"]);
        let events = vec![
            event("!young:example.org", 9, json!({ "via": via })),
            event("!old:example.org", 1, json!({ "via": via, "order": "\u{7f}" })),
            event("!last:example.org", 3, json!({ "via": via, "order": "b" })),
            event("!first:example.org", 5, json!({ "via": via, "order": "a", "suggested": true })),
            event("!gone:example.org", 0, json!({})),
        ];
        let ids = |entry: Entry| -> Vec<String> {
            entry.children.iter().map(|child| child.room_id.to_string()).collect()
        };
        let all = Entry::new(summary.clone(), events.clone(), false);
        assert_eq!(all.children_state.len(), 4);
        let wanted =
            ["!first:example.org", "!last:example.org", "!old:example.org", "!young:example.org"];
        assert_eq!(ids(all), wanted);
        assert_eq!(ids(Entry::new(summary, events, true)), ["!first:example.org"]);
    }
}
