//! Which transaction ids devices have used, so that a new one costs no look into the database.
//!
//! Of each a number made from it: one that was seen before is looked up. Of a device, what it has sent since it was first seen here is
//! known; what it sent before is read when it is asked for again, so that somebody who says one thing a day costs one small look. The
//! ids stand by event too, for the device learns them again with its own events.

use std::{
    collections::{HashMap, HashSet},
    hash::{BuildHasher as _, RandomState},
    sync::{Mutex, PoisonError},
};

use super::{Engine, Error, Transaction};
use crate::storage::{Id, events};

/// Transactions that are kept of all devices together, and devices; about 120 bytes each.
const KEPT_MAX: usize = 40_000;
/// A device that others were looked at so often since is not in use.
const IDLE: u64 = 1_000;
/// Transaction ids that are kept of one device by their events: the newest. Of one that has sent more, the rest is not read.
const IDS_MAX: usize = 10_000;

/// What is known of a transaction id before the database is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Seen {
    /// The device has not used it.
    New,
    /// The device has most likely used it; what it sent may still be on its way to the database.
    Again,
    /// The device has not used it lately; the database knows the rest.
    NotLately,
}

/// What is here of the time before a device was first seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Before {
    Nothing,
    Everything,
    /// It is more than is read.
    TooMuch,
}

/// What a device has sent.
#[derive(Debug)]
struct Used {
    numbers: HashSet<u64>,
    /// By the interned id of the event.
    txn_ids: HashMap<Id, Box<str>>,
    /// What it sent after the event with this id is here.
    since: Id,
    before: Before,
    /// When it was last looked at: the higher the later.
    looked_at: u64,
}

impl Used {
    fn since(since: Id) -> Self {
        let (numbers, txn_ids) = (HashSet::new(), HashMap::new());
        Self { numbers, txn_ids, since, before: Before::Nothing, looked_at: 0 }
    }

    fn insert(&mut self, number: u64, event: Id, txn_id: &str) {
        self.numbers.insert(number);
        self.txn_ids.insert(event, txn_id.into());
        if self.txn_ids.len() > IDS_MAX {
            let mut events: Vec<Id> = self.txn_ids.keys().copied().collect();
            let (_, middle, _) = events.select_nth_unstable(IDS_MAX / 2);
            let middle = *middle;
            self.txn_ids.retain(|event, _| *event > middle);
        }
    }

    fn seen(&self, number: u64) -> Seen {
        match self.before {
            _ if self.numbers.contains(&number) => Seen::Again,
            Before::Everything => Seen::New,
            Before::Nothing | Before::TooMuch => Seen::NotLately,
        }
    }

    /// What it counts among what is kept.
    fn weight(&self) -> usize {
        1 + self.numbers.len()
    }
}

/// The transactions of the devices in use.
#[derive(Debug, Default)]
pub(super) struct Sent {
    hasher: RandomState,
    devices: Mutex<Devices>,
}

#[derive(Debug, Default)]
struct Devices {
    used: HashMap<Id, Used>,
    /// Of all devices together.
    weight: usize,
    looks: u64,
}

impl Devices {
    fn device(&mut self, device: Id) -> Option<&mut Used> {
        let used = self.used.get_mut(&device)?;
        self.looks += 1;
        used.looked_at = self.looks;
        Some(used)
    }

    /// Does something with a device that is here, or with one that is seen first now.
    fn change(&mut self, device: Id, new: impl FnOnce() -> Used, change: impl FnOnce(&mut Used)) {
        self.looks += 1;
        let before = self.used.get(&device).map_or(0, Used::weight);
        let used = self.used.entry(device).or_insert_with(new);
        used.looked_at = self.looks;
        change(used);
        self.weight = self.weight + used.weight() - before;
        self.let_go();
    }

    /// What a device sent before it was seen here. One that was let go meanwhile may have sent more since, so that is not all of it.
    fn tell(
        &mut self,
        device: Id,
        rows: &[(String, String, Id)],
        number: impl Fn(&str, &str) -> u64,
    ) {
        if !self.used.contains_key(&device) {
            return;
        }
        let told = |used: &mut Used| {
            if rows.len() > IDS_MAX {
                used.before = Before::TooMuch;
                return;
            }
            for (endpoint, txn_id, event) in rows {
                used.insert(number(endpoint, txn_id), *event, txn_id);
            }
            used.before = Before::Everything;
        };
        self.change(device, || Used::since(0), told);
    }

    /// When there are too many, lets the devices go that were not looked at for longest, and some more: the search is long. One that
    /// was just looked at may be about to send.
    fn let_go(&mut self) {
        if self.weight <= KEPT_MAX {
            return;
        }
        let looks = self.looks;
        let idle = self.used.iter().filter(|(_, used)| used.looked_at + IDLE < looks);
        let mut idle: Vec<(u64, Id)> = idle.map(|(id, used)| (used.looked_at, *id)).collect();
        idle.sort_unstable();
        for (_, device) in idle {
            if self.weight <= KEPT_MAX / 10 * 9 {
                return;
            }
            self.weight -= self.used.remove(&device).map_or(0, |used| used.weight());
        }
    }
}

impl Sent {
    fn number(&self, endpoint: &str, txn_id: &str) -> u64 {
        self.hasher.hash_one((endpoint, txn_id))
    }

    fn with<T>(&self, go: impl FnOnce(&mut Devices) -> T) -> T {
        go(&mut self.devices.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// What `look` finds of the device; `None` when nothing is here of it.
    fn find<T>(&self, device: Id, look: impl FnOnce(&Used) -> T) -> Option<T> {
        self.with(|devices| devices.device(device).map(|used| look(used)))
    }

    /// Notes what the device sends from now on; `now`: an id that no event of its has yet.
    fn begin(&self, device: Id, now: Id) {
        self.with(|devices| devices.change(device, || Used::since(now), |_| {}));
    }

    /// Notes that an event is on its way to the database under this id.
    pub(super) fn note(&self, transaction: &Transaction, event: Id) {
        let Transaction { device, endpoint, txn_id } = transaction;
        let number = self.number(endpoint, txn_id);
        // Where it let the device go since it was looked at, this is the first that is known of it.
        let new = || Used::since(event - 1);
        self.with(|devices| {
            devices.change(*device, new, |used| used.insert(number, event, txn_id));
        });
    }
}

/// What is known of a transaction id. Of a device that is seen first, only what it sends from now on.
pub(super) async fn look(engine: &Engine, transaction: &Transaction) -> Result<Seen, Error> {
    let sent = engine.sent();
    let Transaction { device, endpoint, txn_id } = transaction;
    let number = sent.number(endpoint, txn_id);
    let known = |used: &Used| (used.seen(number), used.before);
    match sent.find(*device, known) {
        None => {
            sent.begin(*device, engine.app().db.new_id());
            Ok(Seen::NotLately)
        }
        Some((Seen::NotLately, Before::Nothing)) => {
            read(engine, *device).await?;
            Ok(sent.find(*device, known).map_or(Seen::NotLately, |(seen, _)| seen))
        }
        Some((seen, _)) => Ok(seen),
    }
}

/// Whether the device has used a transaction id since it was looked for.
pub(super) fn is_noted(engine: &Engine, transaction: &Transaction) -> bool {
    let sent = engine.sent();
    let number = sent.number(&transaction.endpoint, &transaction.txn_id);
    sent.find(transaction.device, |used| used.numbers.contains(&number)).unwrap_or(false)
}

/// The transaction id under which the device sent an event, if it did.
pub(super) async fn txn_id(
    engine: &Engine,
    device: Id,
    event: Id,
) -> Result<Option<String>, Error> {
    let sent = engine.sent();
    let known = |used: &Used| {
        let txn_id = used.txn_ids.get(&event).map(|txn_id| txn_id.to_string());
        (txn_id, event > used.since, used.before)
    };
    let first = sent.find(device, known);
    let found = match first {
        None | Some((None, false, Before::Nothing)) => {
            read(engine, device).await?;
            sent.find(device, known)
        }
        first => first,
    };
    match found {
        Some((txn_id, true, _) | (txn_id, _, Before::Everything)) => Ok(txn_id),
        Some((Some(txn_id), ..)) => Ok(Some(txn_id)),
        _ => Ok(events::find_transaction_id(&engine.app().db, device, event).await?),
    }
}

/// Reads what the device has sent before.
async fn read(engine: &Engine, device: Id) -> Result<(), Error> {
    let (sent, db) = (engine.sent(), &engine.app().db);
    // Before it is read: what is sent meanwhile is noted.
    let now = db.new_id();
    sent.begin(device, now);
    let rows = events::list_transactions(db, device, IDS_MAX + 1).await?;
    sent.with(|devices| {
        devices.tell(device, &rows, |endpoint, txn_id| sent.number(endpoint, txn_id));
    });
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn transaction(device: Id, txn_id: &str) -> Transaction {
        Transaction {
            device,
            endpoint: "!room/m.room.message".to_owned(),
            txn_id: txn_id.to_owned(),
        }
    }

    fn knows(sent: &Sent, device: Id, txn_id: &str) -> Option<Seen> {
        let number = sent.number("!room/m.room.message", txn_id);
        sent.find(device, |used| used.seen(number))
    }

    fn tell(sent: &Sent, device: Id, rows: &[(String, String, Id)]) {
        let number = |endpoint: &str, txn_id: &str| sent.number(endpoint, txn_id);
        sent.with(|devices| devices.tell(device, rows, number));
    }

    fn rows(count: usize) -> Vec<(String, String, Id)> {
        let row = |number: usize| {
            let event = Id::try_from(number).unwrap() + 1;
            ("!room/m.room.message".to_owned(), format!("before {number}"), event)
        };
        (0..count).map(row).collect()
    }

    #[test]
    fn what_a_device_sent_before_it_was_seen_is_known_once_it_was_read() {
        let sent = Sent::default();
        assert_eq!(knows(&sent, 7, "1"), None);
        sent.begin(7, 69);
        assert_eq!(knows(&sent, 7, "1"), Some(Seen::NotLately));
        sent.note(&transaction(7, "1"), 70);
        assert_eq!(knows(&sent, 7, "1"), Some(Seen::Again));
        assert_eq!(sent.find(7, |used| used.txn_ids[&70].clone()), Some("1".into()));
        assert_eq!(knows(&sent, 7, "before 0"), Some(Seen::NotLately));
        tell(&sent, 7, &rows(1));
        assert_eq!(knows(&sent, 7, "before 0"), Some(Seen::Again));
        assert_eq!(knows(&sent, 7, "1"), Some(Seen::Again));
        assert_eq!(knows(&sent, 7, "2"), Some(Seen::New));
    }

    #[test]
    fn of_a_device_that_sent_too_much_only_the_new_is_known() {
        let sent = Sent::default();
        sent.begin(7, 69);
        tell(&sent, 7, &rows(IDS_MAX + 1));
        assert_eq!(knows(&sent, 7, "before 0"), Some(Seen::NotLately));
        sent.note(&transaction(7, "1"), 70);
        assert_eq!(knows(&sent, 7, "1"), Some(Seen::Again));
    }

    #[test]
    fn a_device_in_use_stays_and_others_go() {
        let sent = Sent::default();
        for device in [1, 2] {
            sent.begin(device, 0);
            sent.note(&transaction(device, "first"), device);
        }
        for number in 0..KEPT_MAX {
            sent.note(&transaction(1, &number.to_string()), 3 + Id::try_from(number).unwrap());
        }
        assert_eq!(knows(&sent, 1, "first"), Some(Seen::Again));
        assert_eq!(knows(&sent, 2, "first"), None);
        // What was read of one that is gone is not all that it sent.
        tell(&sent, 2, &rows(1));
        assert_eq!(knows(&sent, 2, "first"), None);
        let kept = sent.find(1, |used| used.txn_ids.len()).unwrap();
        assert!((IDS_MAX / 2 - 1..=IDS_MAX).contains(&kept), "{kept}");
        sent.with(|devices| {
            let weight: usize = devices.used.values().map(Used::weight).sum();
            assert_eq!(devices.weight, weight);
        });
    }
}
