//! Searching messages: what this device keeps, decrypted, and on the server what is not encrypted there.

use std::collections::HashSet;

use matrix_sdk::{Room, RoomState, deserialized_responses::TimelineEvent};
use ruma::{
    api::client::search::search_events::v3 as server_search,
    events::{
        AnyMessageLikeEvent, AnySyncMessageLikeEvent, AnySyncTimelineEvent, AnyTimelineEvent,
        room::message::Relation,
    },
};

use super::{items::member_name, session::Session};
use crate::{
    backend::{FoundMessage, Item},
    fuzzy::{fold, has_all},
};

/// Most messages of one answer, newest first.
const FOUND_MAX: usize = 200;

/// Messages with all these words.
pub(super) async fn messages(session: &Session, typed: &str) -> Option<Vec<Item>> {
    let words: Vec<String> = typed.split_whitespace().map(fold).collect();
    if words.is_empty() {
        return Some(Vec::new());
    }
    let (mut hits, plain) = tokio::join!(kept(session, &words), on_server(session, typed));
    let known: HashSet<String> = hits.iter().map(|hit| hit.event.clone()).collect();
    hits.extend(plain.into_iter().filter(|hit| !known.contains(&hit.event)));
    hits.sort_by_key(|hit| std::cmp::Reverse(hit.at_ms));
    hits.truncate(FOUND_MAX);
    Some(hits.into_iter().map(Item::Message).collect())
}

/// What this device keeps.
async fn kept(session: &Session, words: &[String]) -> Vec<FoundMessage> {
    let mut hits = Vec::new();
    for room in session.client.rooms() {
        if room.state() != RoomState::Joined {
            continue;
        }
        for event in events(session, &room).await {
            let Some((id, sender, at_ms, text)) = text_of(&event) else { continue };
            if has_all(&text, words) {
                let sender = member_name(&room, &sender).await;
                hits.push(FoundMessage {
                    chat: room.room_id().to_string(),
                    event: id,
                    sender,
                    text,
                    at_ms,
                });
            }
        }
    }
    hits
}

async fn events(session: &Session, room: &Room) -> Vec<TimelineEvent> {
    let Ok(store) = session.client.event_cache_store().lock().await else { return Vec::new() };
    let Some(store) = store.as_clean() else { return Vec::new() };
    store.get_room_events(room.room_id(), None, None).await.unwrap_or_default()
}

/// Id, sender, time and text of a message; edits and what has been deleted are none.
fn text_of(event: &TimelineEvent) -> Option<(String, ruma::OwnedUserId, u64, String)> {
    let AnySyncTimelineEvent::MessageLike(AnySyncMessageLikeEvent::RoomMessage(message)) =
        event.raw().deserialize().ok()?
    else {
        return None;
    };
    let message = message.as_original()?;
    if matches!(message.content.relates_to, Some(Relation::Replacement(_))) {
        return None;
    }
    let at_ms = message.origin_server_ts.get().into();
    let text = message.content.body().to_owned();
    Some((message.event_id.to_string(), message.sender.clone(), at_ms, text))
}

/// What the server finds; it reads what is not encrypted only.
async fn on_server(session: &Session, typed: &str) -> Vec<FoundMessage> {
    let mut categories = server_search::Categories::new();
    categories.room_events = Some(server_search::Criteria::new(typed.to_owned()));
    let Ok(answer) = session.client.send(server_search::Request::new(categories)).await else {
        return Vec::new();
    };
    let mut hits = Vec::new();
    for found in answer.search_categories.room_events.results {
        let Some(Ok(AnyTimelineEvent::MessageLike(AnyMessageLikeEvent::RoomMessage(message)))) =
            found.result.map(|raw| raw.deserialize())
        else {
            continue;
        };
        let Some(message) = message.as_original() else { continue };
        let Some(room) = session.client.get_room(&message.room_id) else { continue };
        hits.push(FoundMessage {
            chat: message.room_id.to_string(),
            event: message.event_id.to_string(),
            sender: member_name(&room, &message.sender).await,
            text: message.content.body().to_owned(),
            at_ms: message.origin_server_ts.get().into(),
        });
    }
    hits
}

#[cfg(test)]
mod tests {
    use super::{fold, has_all};

    #[test]
    fn case_and_accents_do_not_matter_and_all_words_must_be_there() {
        let words = [fold("CAFE"), fold("über")];
        assert!(has_all("Ein Uberblick: das Café", &words));
        assert!(!has_all("das Café", &words));
        assert!(has_all("今日は世界", &[fold("世界")]));
    }
}
