//! Which transaction ids devices have used, so that a new one costs no look into the database.
//!
//! Of each a number made from it: one that was seen before is looked up. Of a device in use all are here, read at its first; the ids
//! too, by event, for the device learns them again with its own events.

use std::{
    collections::{HashMap, HashSet},
    hash::{BuildHasher as _, RandomState},
    sync::{Mutex, PoisonError},
};

use super::{Engine, Error, Transaction};
use crate::storage::{Id, events};

/// Transactions that are kept of all devices together; about 120 bytes each.
const KEPT_MAX: usize = 40_000;
/// A device that others were looked at so often since is not in use.
const IDLE: u64 = 1_000;
/// Transaction ids that are kept of one device by their events: the newest.
const IDS_MAX: usize = 10_000;

/// What a device has sent.
#[derive(Debug, Default)]
struct Used {
    numbers: HashSet<u64>,
    /// By the interned id of the event.
    txn_ids: HashMap<Id, Box<str>>,
    /// When it was last looked at: the higher the later.
    looked_at: u64,
}

impl Used {
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
    count: usize,
    looks: u64,
}

impl Devices {
    fn device(&mut self, device: Id) -> Option<&mut Used> {
        let used = self.used.get_mut(&device)?;
        self.looks += 1;
        used.looked_at = self.looks;
        Some(used)
    }

    /// What was read of a device. Another reader may have been first, and something sent since.
    fn add(&mut self, device: Id, read: Used) {
        self.looks += 1;
        let known = self.used.entry(device).or_default();
        let before = known.numbers.len();
        known.numbers.extend(read.numbers);
        known.txn_ids.extend(read.txn_ids);
        known.looked_at = self.looks;
        self.count += known.numbers.len() - before;
        self.let_go();
    }

    fn insert(&mut self, device: Id, number: u64, event: Id, txn_id: &str) {
        let Some(used) = self.device(device) else { return };
        let before = used.numbers.len();
        used.insert(number, event, txn_id);
        self.count += used.numbers.len() - before;
        self.let_go();
    }

    /// Lets the devices go that were not looked at for longest. One that was just looked at may be about to send.
    fn let_go(&mut self) {
        while self.count > KEPT_MAX {
            let oldest = self.used.iter().min_by_key(|(_, used)| used.looked_at);
            let idle = oldest.filter(|(_, used)| used.looked_at + IDLE < self.looks);
            let Some(oldest) = idle.map(|(device, _)| *device) else { return };
            let gone = self.used.remove(&oldest).map_or(0, |used| used.numbers.len());
            self.count -= gone;
        }
    }
}

impl Sent {
    fn number(&self, endpoint: &str, txn_id: &str) -> u64 {
        self.hasher.hash_one((endpoint, txn_id))
    }

    /// What `look` finds of the device; `None` when what it has sent is not here.
    fn find<T>(&self, device: Id, look: impl FnOnce(&Used) -> T) -> Option<T> {
        let mut devices = self.devices.lock().unwrap_or_else(PoisonError::into_inner);
        devices.device(device).map(|used| look(used))
    }

    /// Notes that an event is on its way to the database under this id.
    pub(super) fn note(&self, transaction: &Transaction, event: Id) {
        let Transaction { device, endpoint, txn_id } = transaction;
        let number = self.number(endpoint, txn_id);
        let mut devices = self.devices.lock().unwrap_or_else(PoisonError::into_inner);
        devices.insert(*device, number, event, txn_id);
    }
}

/// What `look` finds of what the device has sent.
async fn look<T>(engine: &Engine, device: Id, look: impl Fn(&Used) -> T) -> Result<T, Error> {
    let sent = engine.sent();
    if let Some(found) = sent.find(device, &look) {
        return Ok(found);
    }
    let mut used = Used::default();
    for (endpoint, txn_id, event) in events::list_transactions(&engine.app().db, device).await? {
        used.insert(sent.number(&endpoint, &txn_id), event, &txn_id);
    }
    let found = look(&used);
    sent.devices.lock().unwrap_or_else(PoisonError::into_inner).add(device, used);
    Ok(found)
}

/// Whether the device may have sent something under this id before; if not, it did not.
pub(super) async fn may_repeat(engine: &Engine, transaction: &Transaction) -> Result<bool, Error> {
    let number = engine.sent().number(&transaction.endpoint, &transaction.txn_id);
    look(engine, transaction.device, |used| used.numbers.contains(&number)).await
}

/// The transaction id under which the device sent an event, if it did.
pub(super) async fn txn_id(
    engine: &Engine,
    device: Id,
    event: Id,
) -> Result<Option<String>, Error> {
    look(engine, device, |used| used.txn_ids.get(&event).map(|txn_id| txn_id.to_string())).await
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

    fn knows(sent: &Sent, device: Id, txn_id: &str) -> Option<bool> {
        let number = sent.number("!room/m.room.message", txn_id);
        sent.find(device, |used| used.numbers.contains(&number))
    }

    fn open(sent: &Sent, device: Id) {
        sent.devices.lock().unwrap().add(device, Used::default());
    }

    #[test]
    fn an_id_is_known_once_it_was_noted_and_a_device_is_not_before_it_was_read() {
        let sent = Sent::default();
        sent.note(&transaction(7, "1"), 70);
        assert_eq!(knows(&sent, 7, "1"), None);
        open(&sent, 7);
        assert_eq!(knows(&sent, 7, "1"), Some(false));
        sent.note(&transaction(7, "1"), 70);
        assert_eq!(knows(&sent, 7, "1"), Some(true));
        assert_eq!(sent.find(7, |used| used.txn_ids[&70].clone()), Some("1".into()));
    }

    #[test]
    fn a_device_in_use_stays_and_others_go() {
        let sent = Sent::default();
        for device in [1, 2] {
            open(&sent, device);
            sent.note(&transaction(device, "first"), device);
        }
        for number in 0..KEPT_MAX {
            sent.note(&transaction(1, &number.to_string()), 3 + Id::try_from(number).unwrap());
        }
        assert_eq!(knows(&sent, 1, "first"), Some(true));
        assert_eq!(knows(&sent, 2, "first"), None);
        let kept = sent.find(1, |used| used.txn_ids.len()).unwrap();
        assert!((IDS_MAX / 2 - 1..=IDS_MAX).contains(&kept), "{kept}");
    }
}
