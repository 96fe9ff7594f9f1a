//! Rooms that are elsewhere, by the word of a server that is in them.

use std::collections::HashMap;

use ruma::{OwnedRoomId, OwnedServerName, RoomId, api::federation::space::get_hierarchy};
use serde_json::Value;

use super::{Entry, Summary};
use crate::messaging::Engine;

/// Servers that are asked about one room.
const SERVERS_MAX: usize = 3;

/// What another server tells of a room.
#[derive(Debug)]
pub(super) struct Told {
    pub entry: Entry,
    /// The rooms right below it that the other server could describe, and (`None`) those that we may not know of.
    pub children: HashMap<OwnedRoomId, Option<Summary>>,
}

/// Asks the servers, one after the other, until one knows the room; `None` when none does.
pub(super) async fn ask(
    engine: &Engine,
    room_id: &RoomId,
    via: &[OwnedServerName],
    suggested_only: bool,
) -> Option<Told> {
    let app = engine.app();
    let others = via.iter().filter(|server| !app.is_ours(server));
    for server in others.take(SERVERS_MAX) {
        let mut request = get_hierarchy::v1::Request::new(room_id.to_owned());
        request.suggested_only = suggested_only;
        let told = match app.federation.send(server, request).await {
            Ok(answer) => read(answer, room_id, suggested_only),
            Err(error) => {
                tracing::info!(%server, room.id = %room_id, %error, "a server did not describe a room");
                None
            }
        };
        if told.is_some() {
            return told;
        }
    }
    None
}

fn read(
    answer: get_hierarchy::v1::Response,
    room_id: &RoomId,
    suggested_only: bool,
) -> Option<Told> {
    let events = answer.room.children_state.iter();
    let events = events.filter_map(|event| serde_json::from_str(event.json().get()).ok());
    let top = summary(&answer.room.summary)?;
    if top.room_id != room_id.as_str() {
        return None;
    }
    let entry = Entry::new(top, events.collect(), suggested_only);
    let mut children = HashMap::new();
    for child in &answer.children {
        children.insert(child.room_id.clone(), summary(child));
    }
    children.extend(answer.inaccessible_children.into_iter().map(|room_id| (room_id, None)));
    Some(Told { entry, children })
}

fn summary(told: &ruma::room::RoomSummary) -> Option<Summary> {
    let value: Value = serde_json::to_value(told).ok()?;
    let mut summary: Summary = serde_json::from_value(value).ok()?;
    // ruma leaves the default away.
    summary.join_rule.get_or_insert_with(|| "public".to_owned());
    Some(summary)
}
