//! Walks between two pages: in memory only, for a few minutes; a client whose token is gone begins anew.

use std::{
    collections::VecDeque,
    sync::{Mutex, PoisonError},
};

use ruma::OwnedRoomId;

use super::walk::Walk;
use crate::storage::Id;

/// Most walks that are kept; the oldest go first.
const WALKS_MAX: usize = 100;
/// How long a walk is kept.
const KEPT_MS: i64 = 10 * 60 * 1_000;

/// What must not change from page to page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Standing {
    pub user: Id,
    pub room_id: OwnedRoomId,
    pub max_depth: Option<u64>,
    pub suggested_only: bool,
}

/// The walks that may go on.
#[derive(Debug, Default)]
pub(in crate::messaging) struct Walks(Mutex<VecDeque<Kept>>);

#[derive(Debug)]
struct Kept {
    token: String,
    standing: Standing,
    walk: Walk,
    at_ms: i64,
}

impl Walks {
    /// Keeps a walk, to go on by this token.
    pub(super) fn keep(&self, token: String, standing: Standing, walk: Walk, now_ms: i64) {
        let mut walks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        walks.retain(|kept| now_ms - kept.at_ms < KEPT_MS);
        if walks.len() >= WALKS_MAX {
            walks.pop_front();
        }
        walks.push_back(Kept { token, standing, walk, at_ms: now_ms });
    }

    /// The walk behind a token, if it was given for this question. It stays, for a client whose answer was lost.
    pub(super) fn find(&self, token: &str, standing: &Standing, now_ms: i64) -> Option<Walk> {
        let walks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_it = |kept: &&Kept| {
            kept.token == token && kept.standing == *standing && now_ms - kept.at_ms < KEPT_MS
        };
        walks.iter().find(is_it).map(|kept| kept.walk.clone())
    }
}
