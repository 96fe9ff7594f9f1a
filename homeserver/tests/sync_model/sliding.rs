//! Clients of sliding sync, in both its forms and over the socket.

use serde_json::{Value, json};

use super::{
    clients::{Client, Door, Site},
    dump::Dump,
    view::{Pages, RoomView, Section, Slice, list, take_account_data},
};
use crate::common::{TestServer, User};

const DEPLOYED: &str = "/_matrix/client/unstable/org.matrix.simplified_msc3575/sync";
const STABLE: &str = "/_matrix/client/v4/sync";

/// All rooms with all their state, and few events of each.
pub fn stable_request(is_socket: bool) -> Value {
    let (limit, name) = if is_socket { (4, "socket") } else { (2, "poll") };
    json!({
        "conn_id": name,
        "lists": { "all": {
            "timeline_limit": limit, "range": [0, 99], "required_state": { "include": [{}] },
        } },
        "extensions": { "account_data": { "enabled": true }, "receipts": { "enabled": true } },
    })
}

fn deployed_request() -> Value {
    json!({
        "conn_id": "deployed",
        "lists": { "all": {
            "timeline_limit": 3, "ranges": [[0, 99]], "required_state": [["*", "*"]],
        } },
        "extensions": { "account_data": { "enabled": true }, "receipts": { "enabled": true } },
    })
}

/// `None`: the server cannot go on from this `pos`.
pub async fn ask(
    site: &Site,
    user: &User,
    door: Door,
    (pos, timeout_ms): (Option<&str>, u64),
) -> Option<Value> {
    let (path, body) = if door == Door::Deployed {
        let pos = pos.map(|pos| format!("&pos={pos}")).unwrap_or_default();
        (format!("{DEPLOYED}?timeout={timeout_ms}{pos}"), deployed_request())
    } else {
        let mut body = stable_request(false);
        body["timeout"] = json!(timeout_ms);
        if let Some(pos) = pos {
            body["pos"] = json!(pos);
        }
        (STABLE.to_owned(), body)
    };
    let (status, answer) = site.server.post(&path, &user.token, body).await;
    if status == 400 && answer["errcode"] == "M_UNKNOWN_POS" {
        return None;
    }
    assert_eq!(status, 200, "{answer}");
    Some(answer)
}

/// Puts an answer into the client's view. `limit`: events a page.
pub async fn apply(
    client: &mut Client,
    (server, dump): (&TestServer, &Dump),
    limit: usize,
    answer: &Value,
) {
    let Client { view, user, told, door, own_data, .. } = client;
    for (room_id, news) in answer["rooms"].as_object().into_iter().flatten() {
        let room = view.entry(room_id.clone()).or_default();
        let mut pages = Pages { server, user, room_id, limit, told: Vec::new() };
        take_room(room, &mut pages, news).await;
        if news["initial"] == true {
            room.untold_receipts = dump.receipts_for(room_id, &user.user_id);
            let is_told = |event: &String| {
                list(&news["timeline"]).iter().any(|told| told["event_id"] == **event)
            };
            room.untold_receipts.retain(|_, event| !is_told(event));
        }
        if *door == Door::Deployed {
            room.unread = news["notification_count"].as_u64();
        }
        pages.told.extend(list(&news["timeline"]).iter().cloned());
        let is_there = |event: &&Value| event["event_id"].is_string();
        pages.told.extend(list(&news["required_state"]).iter().filter(is_there).cloned());
        told.extend(pages.told.into_iter().map(|event| (room_id.clone(), event)));
    }
    let extensions = &answer["extensions"];
    for (room_id, data) in extensions["account_data"]["rooms"].as_object().into_iter().flatten() {
        take_account_data(&mut view.entry(room_id.clone()).or_default().account_data, data);
    }
    take_account_data(own_data, &extensions["account_data"]["global"]);
    for (room_id, receipts) in extensions["receipts"]["rooms"].as_object().into_iter().flatten() {
        // The deployed form has an event, the other one its content.
        let content = if *door == Door::Deployed { &receipts["content"] } else { receipts };
        view.entry(room_id.clone()).or_default().take_receipts(content);
    }
}

/// The section that a room's news say it is in.
fn section(news: &Value, me: &str) -> Section {
    if news["membership"] == "invite" || news["invite_state"].is_array() {
        return Section::Invite;
    }
    let is_own = |event: &&Value| event["type"] == "m.room.member" && event["state_key"] == me;
    let own = list(&news["required_state"]).iter().find(is_own);
    let said =
        news["membership"].as_str().or(own.and_then(|own| own["content"]["membership"].as_str()));
    match said {
        Some("leave" | "ban") => Section::Leave,
        _ => Section::Join,
    }
}

async fn take_room(room: &mut RoomView, pages: &mut Pages<'_>, news: &Value) {
    room.section = Some(section(news, &pages.user.user_id));
    let events = list(&news["timeline"]);
    let limited = news["limited"] == true;
    let is_end = room.section == Some(Section::Leave) && events.is_empty() && !limited;
    if room.section == Some(Section::Invite) || is_end {
        if is_end && news["initial"] == true {
            room.is_whole = false;
        }
        return;
    }
    let is_initial = news["initial"] == true;
    if is_initial {
        room.state.clear();
        room.account_data.clear();
        room.receipts.clear();
    } else {
        assert_eq!(news["num_live"], events.len(), "{news}");
    }
    let prev_batch = news["prev_batch"].as_str();
    let slice = Slice { events, limited, prev_batch, is_anew: is_initial, replaces: is_initial };
    room.extend(pages, slice).await;
    if room.is_whole {
        list(&news["required_state"]).iter().for_each(|event| room.set(event));
    }
    room.joined_count = news["joined_count"].as_u64().or(room.joined_count);
}
