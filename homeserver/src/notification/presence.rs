//! Presence in a v3 answer: of those whom the user shares a room with, what changed.

use std::collections::BTreeSet;

use ruma::UserId;
use serde_json::{json, value::to_raw_value};

use super::{Error, filter, response::Event, sync::Look};
use crate::{messaging::presence::Status, storage::mutual_rooms};

/// Who changed, and who is newly of interest: `come` share a room with the user since.
pub(super) async fn told(look: &Look<'_>, come: &[ruma::OwnedUserId]) -> Result<Vec<Event>, Error> {
    let (app, user, presence) = (look.engine.app(), look.requester.user, look.engine.presence());
    let wanted = &look.request.filter.presence;
    if !app.config.presence.enabled || !filter::takes_global(wanted, "m.presence") {
        return Ok(Vec::new());
    }
    let mut people: BTreeSet<_> = match look.since {
        None => presence.present(),
        Some(since) => presence.changed_since(since.serial),
    }
    .into_iter()
    .collect();
    for user_id in come {
        people.extend(app.db.find_user(user_id.as_str()).await?);
    }
    people.remove(&user);
    let people: Vec<_> = people.into_iter().collect();
    let now_ms = app.clock.now_ms();
    let mut events = Vec::new();
    for other in mutual_rooms::list_sharing(&app.db, user, &people).await? {
        let Some(shown) = presence.shown(other, now_ms) else { continue };
        let name = app.db.user_name(other).await?;
        let Ok(user_id) = UserId::parse(name.as_str()) else { continue };
        let is_wanted = filter::takes_sender(wanted, &user_id);
        // Who is gone is no news to somebody who knows of nobody.
        if !is_wanted || look.since.is_none() && shown.status == Status::Offline {
            continue;
        }
        let event = json!({ "type": "m.presence", "sender": user_id, "content": shown.content() });
        events.extend(to_raw_value(&event).ok());
    }
    Ok(events)
}
