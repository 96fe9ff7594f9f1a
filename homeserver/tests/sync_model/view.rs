//! What a client keeps of a room: its timeline without gaps, the state, and what goes beside.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use serde_json::Value;

use super::oracle::State;
use crate::common::{TestServer, User, rooms::encoded};

/// In which part of the answers a room is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Section {
    Join,
    Invite,
    Leave,
}

/// The event by reader, kind and thread.
pub type Receipts = BTreeMap<[String; 3], String>;

/// A room as a client knows it.
#[derive(Debug, Default)]
pub struct RoomView {
    /// `None`: not told yet since the client began.
    pub section: Option<Section>,
    /// Event ids, oldest first, from the first event the user may see on.
    pub timeline: Vec<String>,
    /// Whether `timeline` and `state` were kept up to the last event of `timeline`.
    pub is_whole: bool,
    pub state: State,
    pub joined_count: Option<u64>,
    pub unread: Option<u64>,
    /// The event by reader, kind and thread.
    pub receipts: Receipts,
    /// The same of receipts that the client need not know: they were there before it was told of the room, on events that it was not
    /// told then.
    pub untold_receipts: Receipts,
    pub account_data: BTreeMap<String, Value>,
}

/// What an answer says of a timeline.
#[derive(Debug)]
pub struct Slice<'a> {
    pub events: &'a [Value],
    pub limited: bool,
    pub prev_batch: Option<&'a str>,
    /// The client was not in the room before, as far as it knows: it may be told again what it knows.
    pub is_anew: bool,
    /// Whatever was known is replaced.
    pub replaces: bool,
}

/// Reads pages of a room's history for a client.
pub struct Pages<'a> {
    pub server: &'a TestServer,
    pub user: &'a User,
    pub room_id: &'a str,
    /// Events a page.
    pub limit: usize,
    /// Everything that was told, page by page.
    pub told: Vec<Value>,
}

impl Pages<'_> {
    /// The events before `from`, newest first, and where to go on; `None` where the user may not read the room any more.
    async fn before(&mut self, from: &str) -> Option<(Vec<Value>, Option<String>)> {
        let (room_id, limit) = (encoded(self.room_id), self.limit);
        let path =
            format!("/_matrix/client/v3/rooms/{room_id}/messages?dir=b&limit={limit}&from={from}");
        let (status, mut page) = self.server.get(&path, &self.user.token).await;
        if status == 403 {
            return None;
        }
        assert_eq!(status, 200, "{page}");
        let next = page["end"].as_str().map(str::to_owned);
        let Value::Array(events) = page["chunk"].take() else { panic!("no chunk: {page}") };
        self.told.extend(events.iter().cloned());
        Some((events, next))
    }
}

pub fn id(event: &Value) -> String {
    event["event_id"].as_str().unwrap().to_owned()
}

pub fn list(events: &Value) -> &[Value] {
    events.as_array().map(Vec::as_slice).unwrap_or_default()
}

impl RoomView {
    /// Puts a part of the timeline behind what is there, and fills what lies between by pages.
    pub async fn extend(&mut self, pages: &mut Pages<'_>, slice: Slice<'_>) {
        let ids: Vec<String> = slice.events.iter().map(id).collect();
        let distinct: BTreeSet<&String> = ids.iter().collect();
        assert_eq!(distinct.len(), ids.len(), "an event twice in one answer: {ids:?}");
        self.is_whole = true;
        if !slice.limited {
            if slice.replaces {
                self.timeline.clear();
            }
            let again = ids.iter().find(|id| self.timeline.contains(id));
            assert_eq!(again, None, "told twice, with no gap before it");
            self.timeline.extend(ids);
            return;
        }
        let (mut new, mut meeting) = (VecDeque::new(), None);
        for id in ids.into_iter().rev() {
            meeting = self.timeline.iter().position(|known| *known == id);
            if meeting.is_some() {
                assert!(slice.is_anew, "{id} is told twice, behind a gap");
                break;
            }
            new.push_front(id);
        }
        let mut from = slice.prev_batch.map(str::to_owned);
        assert!(from.is_some(), "a gap without prev_batch");
        while meeting.is_none()
            && let Some(token) = from
        {
            let Some((events, next)) = pages.before(&token).await else {
                *self = Self { section: self.section, ..Self::default() };
                return;
            };
            for id in events.iter().map(id) {
                meeting = self.timeline.iter().position(|known| *known == id);
                if meeting.is_some() {
                    break;
                }
                assert!(!new.contains(&id), "{id} is in two pages");
                new.push_front(id);
            }
            from = next;
        }
        let known = meeting.map_or(0, |meeting| meeting + 1);
        assert!(slice.is_anew || known == self.timeline.len(), "a page leads behind what is known");
        self.timeline.truncate(known);
        self.timeline.extend(new);
    }

    /// Takes a state event, or that there is none any more.
    pub fn set(&mut self, event: &Value) {
        let Some(key) = event["state_key"].as_str() else { return };
        let slot = (event["type"].as_str().unwrap().to_owned(), key.to_owned());
        match event["event_id"].as_str() {
            Some(event_id) => self.state.insert(slot, event_id.to_owned()),
            None => self.state.remove(&slot),
        };
    }

    /// Takes the content of an `m.receipt` event.
    pub fn take_receipts(&mut self, content: &Value) {
        for (event_id, kinds) in content.as_object().into_iter().flatten() {
            for (kind, readers) in kinds.as_object().unwrap() {
                for (reader, data) in readers.as_object().unwrap() {
                    let thread = data["thread_id"].as_str().unwrap_or_default().to_owned();
                    let key = [reader.clone(), kind.clone(), thread];
                    self.receipts.insert(key, event_id.clone());
                }
            }
        }
    }
}

/// Takes account data events into what is known, by type.
pub fn take_account_data(known: &mut BTreeMap<String, Value>, events: &Value) {
    for event in list(events) {
        let kind = event["type"].as_str().unwrap().to_owned();
        known.insert(kind, event["content"].clone());
    }
}
