//! Who is there, in memory: what each device says, and what comes of it for its user.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use serde_json::{Value, json};

use super::Status;
use crate::{messaging::serial::Serial, storage::Id};

/// A user who does nothing for this long is shown as idle.
const IDLE_MS: i64 = 5 * 60 * 1_000;
/// A device that was last heard of this long ago is gone.
const LINGER_MS: i64 = 30 * 1_000;
/// Another server's word about a user holds for this long.
const HEARSAY_MS: i64 = 30 * 60 * 1_000;
/// Other servers are told again, so that our word holds with them.
const REPEAT_MS: i64 = 25 * 60 * 1_000;
/// Who did something this recently is at it right now.
const AT_IT_MS: i64 = 60 * 1_000;
/// Most users that are remembered; of those who are gone the longest go first.
const PEOPLE_MAX: usize = 50_000;

/// Everybody's presence.
#[derive(Debug)]
pub struct Presence {
    serial: Arc<Serial>,
    table: Mutex<Table>,
}

#[derive(Debug, Default)]
struct Table {
    people: HashMap<Id, Person>,
    /// Who changed, by the serial of their last change.
    changes: BTreeMap<u64, Id>,
}

#[derive(Debug, Default)]
struct Person {
    status: Status,
    status_msg: Option<String>,
    active_ms: i64,
    /// The serial of the last change.
    changed: u64,
    /// What our own users' devices say.
    devices: HashMap<Id, Device>,
    /// Another server's user, until when its word holds.
    hearsay_until_ms: Option<i64>,
    told_ms: i64,
}

#[derive(Debug)]
struct Device {
    says: Status,
    /// Requests that wait.
    open: usize,
    heard_ms: i64,
}

/// A user's presence as others see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    pub status: Status,
    pub status_msg: Option<String>,
    /// Milliseconds since they last did something.
    pub active_ago_ms: i64,
    pub currently_active: bool,
}

impl Shown {
    /// The content of an `m.presence` event, and the answer to who asks.
    pub fn content(&self) -> Value {
        let mut content = json!({
            "presence": self.status.as_str(), "last_active_ago": self.active_ago_ms,
            "currently_active": self.currently_active,
        });
        if let (Some(text), Value::Object(content)) = (&self.status_msg, &mut content) {
            content.insert("status_msg".to_owned(), text.as_str().into());
        }
        content
    }
}

/// What the passing of time changed.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Passed {
    pub changed: Vec<Id>,
    /// Users of ours whom other servers would forget soon.
    pub repeat: Vec<Id>,
}

impl Person {
    /// What their devices, or another server's word, come to.
    fn now(&self, now_ms: i64) -> Status {
        if let Some(until_ms) = self.hearsay_until_ms {
            return if now_ms < until_ms { self.status } else { Status::Offline };
        }
        let there = self.devices.values().filter(|device| device.is_there(now_ms));
        match there.map(|device| device.says).max().unwrap_or_default() {
            Status::Online if now_ms - self.active_ms >= IDLE_MS => Status::Unavailable,
            status => status,
        }
    }
}

impl Device {
    fn is_there(&self, now_ms: i64) -> bool {
        self.open > 0 || now_ms - self.heard_ms < LINGER_MS
    }
}

impl Table {
    /// Sets what came of a change; tells whether others see a difference.
    fn settle(&mut self, serial: &Serial, user: Id, (status, force): (Status, bool)) -> bool {
        let Some(person) = self.people.get_mut(&user) else { return false };
        if person.status == status && !force {
            return false;
        }
        person.status = status;
        self.changes.remove(&person.changed);
        person.changed = serial.next();
        self.changes.insert(person.changed, user);
        true
    }

    fn make_room(&mut self) {
        if self.people.len() < PEOPLE_MAX {
            return;
        }
        let gone = self.changes.iter().find(|(_, user)| {
            self.people.get(user).is_some_and(|person| person.status == Status::Offline)
        });
        let oldest = gone.or_else(|| self.changes.first_key_value()).map(|(at, user)| (*at, *user));
        if let Some((at, user)) = oldest {
            self.changes.remove(&at);
            self.people.remove(&user);
        }
    }

    fn person(&mut self, user: Id) -> &mut Person {
        if !self.people.contains_key(&user) {
            self.make_room();
        }
        self.people.entry(user).or_default()
    }
}

impl Presence {
    /// Nobody is there; changes are counted on `serial`.
    pub(in crate::messaging) fn new(serial: Arc<Serial>) -> Self {
        Self { serial, table: Mutex::default() }
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for a change that is being made, so that a serial read meanwhile counts only finished ones.
    pub(in crate::messaging) fn hold(&self) -> impl Drop + '_ {
        self.table()
    }

    /// A user says how they are, by one of their devices. Every answer tells whether others see a difference.
    pub(super) fn declare(
        &self,
        (user, device): (Id, Id),
        says: Status,
        status_msg: Option<String>,
        now_ms: i64,
    ) -> bool {
        let mut table = self.table();
        let person = table.person(user);
        let reworded = person.status_msg != status_msg;
        person.status_msg = status_msg;
        person.active_ms = now_ms;
        let open = person.devices.get(&device).map_or(0, |device| device.open);
        person.devices.insert(device, Device { says, open, heard_ms: now_ms });
        let status = person.now(now_ms);
        table.settle(&self.serial, user, (status, reworded))
    }

    /// A device begins to wait for news.
    pub(super) fn open(&self, (user, device): (Id, Id), says: Status, now_ms: i64) -> bool {
        let mut table = self.table();
        let person = table.person(user);
        let known = person.devices.get(&device);
        // Coming, or coming back to it, is doing something; going on to wait is not.
        if says == Status::Online
            && known.is_none_or(|known| known.says != says || !known.is_there(now_ms))
        {
            person.active_ms = now_ms;
        }
        let open = known.map_or(0, |known| known.open) + 1;
        person.devices.insert(device, Device { says, open, heard_ms: now_ms });
        let status = person.now(now_ms);
        table.settle(&self.serial, user, (status, false))
    }

    /// A device no longer waits. That it is gone shows only when it does not come back.
    pub(super) fn close(&self, (user, device): (Id, Id), now_ms: i64) {
        let mut table = self.table();
        let person = table.people.get_mut(&user);
        if let Some(device) = person.and_then(|person| person.devices.get_mut(&device)) {
            device.open = device.open.saturating_sub(1);
            device.heard_ms = now_ms;
        }
    }

    /// A user of ours did something.
    pub(super) fn act(&self, user: Id, now_ms: i64) -> bool {
        let mut table = self.table();
        let Some(person) = table.people.get_mut(&user) else { return false };
        person.active_ms = now_ms;
        let status = person.now(now_ms);
        table.settle(&self.serial, user, (status, false))
    }

    /// Another server says how a user of its own is.
    pub(super) fn hear(&self, user: Id, heard: &Shown, now_ms: i64) -> bool {
        let mut table = self.table();
        let person = table.person(user);
        let reworded = person.status_msg != heard.status_msg;
        person.status_msg.clone_from(&heard.status_msg);
        person.active_ms = now_ms - heard.active_ago_ms.clamp(0, now_ms);
        person.hearsay_until_ms = Some(now_ms + HEARSAY_MS);
        table.settle(&self.serial, user, (heard.status, reworded))
    }

    /// What time has changed by `now_ms`.
    pub(super) fn pass(&self, now_ms: i64) -> Passed {
        let mut table = self.table();
        let mut passed = Passed::default();
        let mut changes = Vec::new();
        for (user, person) in &mut table.people {
            person.devices.retain(|_, device| device.is_there(now_ms));
            let status = person.now(now_ms);
            if status != person.status {
                changes.push((*user, status));
            } else if person.hearsay_until_ms.is_none()
                && status != Status::Offline
                && now_ms - person.told_ms >= REPEAT_MS
            {
                passed.repeat.push(*user);
            }
        }
        for (user, status) in changes {
            table.settle(&self.serial, user, (status, false));
            passed.changed.push(user);
        }
        passed
    }

    /// Other servers were told of a user.
    pub(super) fn note_told(&self, user: Id, now_ms: i64) {
        if let Some(person) = self.table().people.get_mut(&user) {
            person.told_ms = now_ms;
        }
    }

    /// A user as others see them; `None` for who was never heard of.
    pub fn shown(&self, user: Id, now_ms: i64) -> Option<Shown> {
        let table = self.table();
        let person = table.people.get(&user)?;
        let active_ago_ms = (now_ms - person.active_ms).max(0);
        Some(Shown {
            status: person.status,
            status_msg: person.status_msg.clone(),
            active_ago_ms,
            currently_active: person.status == Status::Online && active_ago_ms < AT_IT_MS,
        })
    }

    /// Who changed after `since`.
    pub fn changed_since(&self, since: u64) -> Vec<Id> {
        let table = self.table();
        table.changes.range(since.saturating_add(1)..).map(|(_, user)| *user).collect()
    }

    /// Who is there.
    pub fn present(&self) -> Vec<Id> {
        let table = self.table();
        let there = table.people.iter().filter(|(_, person)| person.status != Status::Offline);
        there.map(|(user, _)| *user).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALICE: (Id, Id) = (1, 10);
    const MINUTE: i64 = 60_000;

    fn status(presence: &Presence, now_ms: i64) -> Status {
        presence.shown(ALICE.0, now_ms).unwrap().status
    }

    fn presence() -> Presence {
        Presence::new(Arc::default())
    }

    #[test]
    fn who_waits_is_online_then_idle_and_who_is_gone_is_offline() {
        let presence = presence();
        assert!(presence.open(ALICE, Status::Online, 0));
        assert_eq!(status(&presence, 0), Status::Online);
        assert!(presence.pass(4 * MINUTE).changed.is_empty());
        assert_eq!(presence.pass(5 * MINUTE).changed, [ALICE.0]);
        assert_eq!(status(&presence, 5 * MINUTE), Status::Unavailable);
        assert!(presence.act(ALICE.0, 6 * MINUTE), "who does something is back");
        assert_eq!(status(&presence, 6 * MINUTE), Status::Online);
        presence.close(ALICE, 7 * MINUTE);
        assert!(presence.pass(7 * MINUTE + LINGER_MS - 1).changed.is_empty());
        assert_eq!(presence.pass(7 * MINUTE + LINGER_MS).changed, [ALICE.0]);
        assert_eq!(status(&presence, 8 * MINUTE), Status::Offline);
    }

    #[test]
    fn the_most_present_device_counts() {
        let presence = presence();
        presence.open((1, 10), Status::Unavailable, 0);
        assert!(presence.open((1, 11), Status::Online, 0));
        presence.close((1, 11), 0);
        assert_eq!(presence.pass(LINGER_MS).changed, [1]);
        assert_eq!(status(&presence, LINGER_MS), Status::Unavailable);
    }

    #[test]
    fn only_a_change_counts_on_the_serial_and_each_user_counts_once() {
        let presence = presence();
        presence.open(ALICE, Status::Online, 0);
        assert!(!presence.open(ALICE, Status::Online, 1));
        assert_eq!(presence.serial.read(), 1);
        assert!(presence.declare(ALICE, Status::Online, Some("here".to_owned()), 2));
        assert_eq!(presence.changed_since(0), [1]);
        assert!(presence.changed_since(2).is_empty());
    }

    #[test]
    fn another_servers_word_holds_for_half_an_hour() {
        let presence = presence();
        let heard = Shown {
            status: Status::Online,
            status_msg: None,
            active_ago_ms: 5,
            currently_active: true,
        };
        assert!(presence.hear(1, &heard, MINUTE));
        assert_eq!(presence.shown(1, MINUTE).unwrap().active_ago_ms, 5);
        assert!(presence.pass(30 * MINUTE).changed.is_empty());
        assert_eq!(presence.pass(31 * MINUTE).changed, [1]);
        assert_eq!(status(&presence, 31 * MINUTE), Status::Offline);
    }

    #[test]
    fn those_who_stay_are_told_of_again() {
        let presence = presence();
        presence.open(ALICE, Status::Unavailable, REPEAT_MS);
        assert_eq!(presence.pass(REPEAT_MS).repeat, [1]);
        presence.note_told(1, REPEAT_MS);
        assert_eq!(presence.pass(REPEAT_MS + 1), Passed::default());
    }
}
