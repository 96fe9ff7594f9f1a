//! A room's state at one of its events, read from snapshots that are shared and kept for a while.
//!
//! Called by `visibility`, `client_event` and `sync_view`. Writing snapshots is `build`'s.

use std::sync::Arc;

use super::{
    Engine, Error,
    state::{self, Lineage, Link},
};
use crate::storage::{self, Id, NewSnapshot, rooms};

/// One row of a state and the id of its base.
pub(super) type Snapshot = (Arc<Link>, Option<Id>);

impl Engine {
    pub(super) fn keep_snapshot(&self, snapshot: Snapshot) {
        let (id, weight) = (snapshot.0.id, snapshot.0.delta.len() + 8);
        self.snapshots().keep(id, snapshot, weight);
    }

    /// Keeps one that is on its way into the database.
    pub(super) fn keep_new_snapshot(&self, snapshot: &NewSnapshot) {
        let NewSnapshot { id, version, parent, delta } = snapshot;
        if let Some(delta) = state::unpack(delta) {
            self.keep_snapshot((Arc::new(Link { id: *id, version: *version, delta }), *parent));
        }
    }

    /// As [`Engine::state_at`], for a snapshot that may have been dropped since: then the empty state.
    pub async fn known_state_at(&self, snapshot: Option<Id>) -> Result<Lineage, Error> {
        match self.state_at(snapshot).await {
            Err(Error::Storage(storage::Error::Damaged { .. })) => Ok(Lineage::default()),
            other => other,
        }
    }

    /// The state that `snapshot` stands for.
    pub async fn state_at(&self, snapshot: Option<Id>) -> Result<Lineage, Error> {
        let damaged = || Error::Storage(storage::Error::Damaged { what: "state snapshot" });
        let (mut links, mut next) = (Vec::new(), snapshot);
        while let Some(id) = next {
            let (link, parent) = match self.snapshots().find(id) {
                Some(found) => found,
                None => {
                    let stored =
                        rooms::find_snapshot(&self.app().db, id).await?.ok_or_else(damaged)?;
                    let delta = state::unpack(&stored.delta).ok_or_else(damaged)?;
                    let link = Arc::new(Link { id, version: stored.version, delta });
                    self.keep_snapshot((link.clone(), stored.parent));
                    (link, stored.parent)
                }
            };
            links.push(link);
            next = parent;
        }
        Ok(Lineage::new(links))
    }
}
