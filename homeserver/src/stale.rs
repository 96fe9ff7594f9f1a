//! Tells the floor that keeps what users wish for (push rules, ignored users) in memory whose wishes have changed.
//!
//! `account` marks after its commit, `messaging` takes before it judges. Neither knows the other.

use std::{
    collections::BTreeSet,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use crate::storage::Id;

/// The users whose wishes changed since somebody last looked. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Stale(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    users: Mutex<BTreeSet<Id>>,
    marks: AtomicU64,
}

impl Stale {
    /// What is kept of `user` is out of date.
    pub fn mark(&self, user: Id) {
        self.0.users.lock().unwrap_or_else(PoisonError::into_inner).insert(user);
        self.0.marks.fetch_add(1, Ordering::AcqRel);
    }

    /// How often was marked: who reads something to keep it looks before and after.
    pub fn marks(&self) -> u64 {
        self.0.marks.load(Ordering::Acquire)
    }

    /// Whom to forget.
    pub fn take(&self) -> BTreeSet<Id> {
        std::mem::take(&mut *self.0.users.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
