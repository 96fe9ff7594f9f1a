//! The bell: tells whoever waits that there is something new. It carries no data; who hears it looks for himself.
//!
//! A waiting client costs one entry in its user's list. Lower floors ring, upper floors wait; neither knows the other.

use std::{
    collections::{BTreeSet, HashMap},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use tokio::sync::Notify;

use crate::storage::Id;

/// Rings for users, whose syncs wait.
#[derive(Debug, Clone, Default)]
pub struct Bell(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    closed: AtomicBool,
    users: Mutex<HashMap<Id, Waiters>>,
}

#[derive(Debug, Default)]
struct Waiters {
    notify: Arc<Notify>,
    count: usize,
}

/// One client's wait for its user's bell. Made before looking, so that no ring is missed.
#[derive(Debug)]
pub struct Waiter {
    bell: Bell,
    user: Id,
    notify: Arc<Notify>,
}

impl Bell {
    /// Something changed for these users.
    pub fn ring_users(&self, users: impl IntoIterator<Item = Id>) {
        let waiting = self.0.users.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.is_empty() {
            return;
        }
        for user in users {
            if let Some(waiters) = waiting.get(&user) {
                waiters.notify.notify_waiters();
            }
        }
    }

    /// Something changed for all of `users`, of whom there may be many more than wait.
    pub fn ring_all(&self, users: &BTreeSet<Id>) {
        let waiting = self.0.users.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.len() < users.len() {
            let rung = waiting.iter().filter(|(user, _)| users.contains(user));
            rung.for_each(|(_, waiters)| waiters.notify.notify_waiters());
        } else {
            let rung = users.iter().filter_map(|user| waiting.get(user));
            rung.for_each(|waiters| waiters.notify.notify_waiters());
        }
    }

    /// The server stops: everybody who waits, and whoever would wait from now on, is told to answer.
    pub fn close(&self) {
        self.0.closed.store(true, Ordering::Release);
        let waiting = self.0.users.lock().unwrap_or_else(PoisonError::into_inner);
        for waiters in waiting.values() {
            waiters.notify.notify_waiters();
        }
    }

    /// Whether nobody should wait any more.
    pub fn is_closed(&self) -> bool {
        self.0.closed.load(Ordering::Acquire)
    }

    /// Starts listening for `user`.
    pub fn wait_for(&self, user: Id) -> Waiter {
        let mut users = self.0.users.lock().unwrap_or_else(PoisonError::into_inner);
        let waiters = users.entry(user).or_default();
        waiters.count += 1;
        Waiter { bell: self.clone(), user, notify: waiters.notify.clone() }
    }
}

impl Waiter {
    /// A future that ends at the next ring after this call (not after its first poll).
    pub fn rung(&self) -> tokio::sync::futures::Notified<'_> {
        self.notify.notified()
    }
}

impl Drop for Waiter {
    fn drop(&mut self) {
        let mut users = self.bell.0.users.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(waiters) = users.get_mut(&self.user) {
            waiters.count -= 1;
            if waiters.count == 0 {
                users.remove(&self.user);
            }
        }
    }
}
