//! The index of words, fed from the log behind the commits: a send costs it nothing.
//!
//! How far it goes is kept with it, so that it goes on where it was. What is encrypted never enters it, and neither does what is
//! said in the clear in a room that is encrypted by the time it is read.

use std::{collections::HashMap, sync::Arc, time::Duration};

use ruma::{RoomId, events::TimelineEventType};
use serde::Deserialize;

use crate::{
    messaging::{Engine, Error, Pdu, Room},
    storage::{
        Id, Position, events, rooms,
        search::{self, Words},
    },
};

/// Events of one write.
const PIECE: u64 = 200;
/// Pieces that a search waits for, before it goes on with what there is.
const PIECES_MAX: usize = 25;
/// How long new events wait for company.
const PAUSE: Duration = Duration::from_secs(1);
/// The longest text that is indexed of an event, in characters.
const TEXT_MAX: usize = 16_384;

/// Keeps the index up with the log, for ever.
pub async fn run(engine: Engine) {
    let app = engine.app();
    let mut seen = -1;
    loop {
        let position = app.db.position();
        if position != seen {
            match catch_up(&engine, PIECES_MAX).await {
                Ok(true) => seen = position,
                // Whoever searches meanwhile has its turn.
                Ok(false) => continue,
                Err(error) => tracing::warn!(%error, "the search index does not keep up"),
            }
        }
        app.clock.sleep(PAUSE).await;
    }
}

/// Brings the index up to the newest event, as far as that takes a bounded time.
pub(super) async fn keep_up(engine: &Engine) -> Result<(), Error> {
    // One that was found damaged is gone by then, and made anew.
    if catch_up(engine, PIECES_MAX).await.is_err() {
        catch_up(engine, PIECES_MAX).await?;
    }
    Ok(())
}

/// Whether the index is then up to the newest event of the beginning.
async fn catch_up(engine: &Engine, pieces: usize) -> Result<bool, Error> {
    let _turn = engine.indexing().lock().await;
    let db = &engine.app().db;
    let upto = db.position();
    let mut after = search::find_progress(db).await?;
    let mut rooms = HashMap::new();
    for _ in 0..pieces {
        if after >= upto {
            return Ok(true);
        }
        let events = search::list_unindexed(db, (after, upto), PIECE).await?;
        let is_last = (events.len() as u64) < PIECE;
        let reached = if is_last {
            upto
        } else {
            events.last().and_then(|last| last.position).unwrap_or(upto)
        };
        let (mut added, mut removed) = (Vec::new(), Vec::new());
        for stored in events {
            let Some(room) = room_of(engine, &mut rooms, stored.room).await? else { continue };
            let Ok(pdu) = engine.read(stored, &room) else { continue };
            if pdu.event_type == TimelineEventType::RoomRedaction {
                removed.extend(redacted(engine, &room, &pdu).await?);
            } else {
                added.extend(words(&room, &pdu));
            }
        }
        // An event and its redaction may be in one piece.
        added.retain(|words| !removed.contains(&words.position));
        search::update_index(db, added, removed, reached).await?;
        after = reached;
    }
    Ok(after >= upto)
}

/// The room of an event, if it is one whose words are indexed.
async fn room_of(
    engine: &Engine,
    rooms: &mut HashMap<Id, Option<Arc<Room>>>,
    id: Id,
) -> Result<Option<Arc<Room>>, Error> {
    if let Some(known) = rooms.get(&id) {
        return Ok(known.clone());
    }
    let db = &engine.app().db;
    let stored = rooms::find_room_by_id(db, id).await?;
    let room_id = stored.and_then(|stored| RoomId::parse(stored.room_id).ok());
    let mut room = match room_id {
        Some(room_id) => engine.find_room(&room_id).await?,
        None => None,
    };
    if let Some(found) = &room
        && engine.state_event(found, "m.room.encryption", "").await?.is_some()
    {
        room = None;
    }
    rooms.insert(id, room.clone());
    Ok(room)
}

/// Where the event stands that a redaction took back.
async fn redacted(
    engine: &Engine,
    room: &Room,
    redaction: &Pdu,
) -> Result<Option<Position>, Error> {
    let Some(target) = &redaction.redacts else { return Ok(None) };
    let target = events::find_event(&engine.app().db, target.as_str()).await?;
    let target = target.filter(|target| target.room == room.id && target.redacted_by.is_some());
    Ok(target.and_then(|target| target.position))
}

/// The words of an event, if it is in the timeline and has any.
fn words(room: &Room, pdu: &Pdu) -> Option<Words> {
    #[derive(Deserialize)]
    struct Content {
        body: Option<String>,
        name: Option<String>,
        topic: Option<String>,
    }
    pdu.place.order?;
    let content: Content = pdu.content_as()?;
    let text = |text: Option<String>| text.map(|text| plain(&text)).unwrap_or_default();
    let mut words = Words { position: pdu.place.position?, room: room.id, ..Words::default() };
    match pdu.event_type {
        TimelineEventType::RoomMessage => words.body = text(content.body),
        TimelineEventType::RoomName => words.name = text(content.name),
        TimelineEventType::RoomTopic => words.topic = text(content.topic),
        _ => {}
    }
    let any = [&words.body, &words.name, &words.topic].iter().any(|text| !text.is_empty());
    any.then_some(words)
}

/// A text's words and nothing between them, in small letters: both databases then agree on where words end.
pub(super) fn plain(text: &str) -> String {
    let spaced: String = text
        .chars()
        .take(TEXT_MAX)
        .map(|letter| if letter.is_alphanumeric() { letter } else { ' ' })
        .collect();
    spaced.split_whitespace().map(str::to_lowercase).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::plain;

    #[test]
    fn words_are_letters_and_digits() {
        assert_eq!(plain("Don't  click http://Example.org!"), "don t click http example org");
        assert_eq!(plain(" … \u{0} \" ' "), "");
    }
}
