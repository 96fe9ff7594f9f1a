//! Typing, receipts and presence on their way to one server: latest wins, oldest first, bounded, never on disk.

use std::collections::{HashMap, VecDeque};

use ruma::{api::federation::transactions::edu::Edu, serde::Raw};

use super::EphemeralKey;

/// EDUs that may wait for one destination; when more come, the oldest go.
const WAITING_MAX: usize = 500;

/// What waits for one destination.
#[derive(Debug, Default)]
pub(super) struct Ephemerals {
    edus: HashMap<EphemeralKey, Raw<Edu>>,
    order: VecDeque<EphemeralKey>,
}

impl Ephemerals {
    /// Adds `edu` in the place of the one with the same key, or at the end.
    pub(super) fn put(&mut self, key: EphemeralKey, edu: Raw<Edu>) {
        if self.edus.insert(key.clone(), edu).is_none() {
            self.order.push_back(key);
        }
        if self.order.len() > WAITING_MAX
            && let Some(oldest) = self.order.pop_front()
        {
            self.edus.remove(&oldest);
        }
    }

    /// Takes the oldest, at most `max`.
    pub(super) fn take(&mut self, max: usize) -> Vec<Raw<Edu>> {
        let count = max.min(self.order.len());
        self.order.drain(..count).filter_map(|key| self.edus.remove(&key)).collect()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.order.is_empty()
    }

    /// Forgets everything: the destination is away, and none of this will mean anything when it is back.
    pub(super) fn clear(&mut self) {
        self.edus.clear();
        self.order.clear();
    }
}

#[cfg(test)]
mod tests {
    use ruma::{owned_room_id, owned_user_id};

    use super::*;

    fn typing(room: usize, typing: bool) -> (EphemeralKey, Raw<Edu>) {
        let room_id = format!("!{room}:example.org").try_into().unwrap();
        let user_id = owned_user_id!("@alice:example.org");
        let edu = format!(r#"{{"room":{room},"typing":{typing}}}"#);
        (EphemeralKey::Typing(room_id, user_id), Raw::from_json_string(edu).unwrap())
    }

    fn text(edus: Vec<Raw<Edu>>) -> Vec<String> {
        edus.iter().map(|edu| edu.json().get().to_owned()).collect()
    }

    #[test]
    fn the_latest_of_a_kind_takes_the_place_of_the_one_before() {
        let mut ephemerals = Ephemerals::default();
        for (room, state) in [(1, true), (2, true), (1, false)] {
            let (key, edu) = typing(room, state);
            ephemerals.put(key, edu);
        }
        let taken = text(ephemerals.take(10));
        assert_eq!(taken, [r#"{"room":1,"typing":false}"#, r#"{"room":2,"typing":true}"#]);
        assert!(ephemerals.is_empty());
    }

    #[test]
    fn a_flood_pushes_out_the_oldest() {
        let mut ephemerals = Ephemerals::default();
        for room in 0..WAITING_MAX + 3 {
            let (key, edu) = typing(room, true);
            ephemerals.put(key, edu);
        }
        let taken = text(ephemerals.take(usize::MAX));
        assert_eq!(taken.len(), WAITING_MAX);
        assert_eq!(taken[0], r#"{"room":3,"typing":true}"#);
    }

    #[test]
    fn receipts_of_different_threads_do_not_replace_each_other() {
        let key = |thread: &str| {
            EphemeralKey::Receipt(
                owned_room_id!("!room:example.org"),
                owned_user_id!("@alice:example.org"),
                thread.to_owned(),
            )
        };
        let edu = || Raw::from_json_string("{}".to_owned()).unwrap();
        let mut ephemerals = Ephemerals::default();
        ephemerals.put(key(""), edu());
        ephemerals.put(key("$thread"), edu());
        ephemerals.put(key(""), edu());
        assert_eq!(ephemerals.take(10).len(), 2);
    }
}
