//! The bell: tells whoever waits that there is something new. It carries no data; who hears it looks for himself.
//!
//! A waiting client costs one entry in its user's list. Lower floors ring, upper floors wait; neither knows the other.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use tokio::sync::{Notify, mpsc};

use crate::storage::Id;

/// Rings for users (their sync waits) and for destinations (their sender waits).
#[derive(Debug, Clone)]
pub struct Bell(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    users: Mutex<HashMap<Id, Waiters>>,
    destinations: mpsc::UnboundedSender<String>,
    heard: Mutex<Option<mpsc::UnboundedReceiver<String>>>,
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

impl Default for Bell {
    fn default() -> Self {
        let (destinations, heard) = mpsc::unbounded_channel();
        Self(Arc::new(Inner {
            users: Mutex::default(),
            destinations,
            heard: Mutex::new(Some(heard)),
        }))
    }
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

    /// Something is owed to this server.
    pub fn ring_destination(&self, server_name: &str) {
        // Without federation nobody listens, and nothing is lost: debts are in the database.
        self.0.destinations.send(server_name.to_owned()).ok();
    }

    /// The destinations rung for; taken once, by the federation sender.
    pub fn destinations(&self) -> Option<mpsc::UnboundedReceiver<String>> {
        self.0.heard.lock().unwrap_or_else(PoisonError::into_inner).take()
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
