//! What is looked at before a client's state event is made: what no event may say is refused as such, not by the room's rules.

use ruma::{OwnedRoomAliasId, RoomAliasId, RoomId, events::TimelineEventType};
use serde::Deserialize;

use super::{Draft, Engine, Error, aliases, power};

/// Most aliases of a room's canonical alias event.
const ALIASES_MAX: usize = 100;

/// Checks a state event of a client by its type.
///
/// # Errors
/// [`Error::BadEvent`] for a second create event and for creators among the power levels, [`Error::BadAlias`] for an alias that
/// does not lead to the room, [`Error::InvalidParam`] for one that is none.
pub async fn checked(engine: &Engine, room_id: &RoomId, mut draft: Draft) -> Result<Draft, Error> {
    match draft.event_type {
        TimelineEventType::RoomCreate => {
            return Err(Error::BadEvent("a room is created once".to_owned()));
        }
        // Whoever is in needs nobody to vouch for them, and whoever is not comes in by joining.
        TimelineEventType::RoomMember => {
            draft.content.remove("join_authorised_via_users_server");
        }
        TimelineEventType::RoomCanonicalAlias => check_aliases(engine, room_id, &draft).await?,
        TimelineEventType::RoomPowerLevels => {
            if let Some(room) = engine.find_room(room_id).await? {
                power::check_users(engine, &room, &draft.content).await?;
            }
        }
        _ => {}
    }
    Ok(draft)
}

/// The names that a canonical alias event gives a room.
#[derive(Deserialize, Default)]
struct Names {
    alias: Option<String>,
    #[serde(default)]
    alt_aliases: Vec<String>,
}

impl Names {
    fn all(self) -> impl Iterator<Item = String> {
        self.alias.into_iter().filter(|alias| !alias.is_empty()).chain(self.alt_aliases)
    }
}

/// Every alias that the event adds must lead to the room.
async fn check_aliases(engine: &Engine, room_id: &RoomId, draft: &Draft) -> Result<(), Error> {
    let said = serde_json::to_value(&draft.content).map_err(Error::bad_event)?;
    let said: Names =
        serde_json::from_value(said).map_err(|error| Error::InvalidParam(error.to_string()))?;
    let standing = match engine.find_room(room_id).await? {
        Some(room) => engine.state_event(&room, "m.room.canonical_alias", "").await?,
        None => None,
    };
    let standing = standing.and_then(|pdu| pdu.content_as::<Names>()).unwrap_or_default();
    let standing: Vec<String> = standing.all().collect();
    let mut added = Vec::new();
    for alias in said.all() {
        let parsed: OwnedRoomAliasId = RoomAliasId::parse(&*alias)
            .map_err(|error| Error::InvalidParam(format!("{alias}: {error}")))?;
        if !standing.contains(&alias) {
            added.push(parsed);
        }
    }
    if added.len() > ALIASES_MAX {
        return Err(Error::InvalidParam(format!("at most {ALIASES_MAX} aliases at a time")));
    }
    for alias in added {
        match aliases::resolve(engine, &alias).await {
            Ok((found, _)) if found == room_id => {}
            Ok(_) | Err(_) => return Err(Error::BadAlias(alias.to_string())),
        }
    }
    Ok(())
}
