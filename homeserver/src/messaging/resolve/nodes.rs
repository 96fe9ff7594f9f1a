//! Nodes of the auth graph from the database, the most recently used in memory.

use std::{collections::HashMap, sync::Arc};

use super::{
    super::{Engine, Error, Pdu, Room, state},
    Key, Source,
    graph::{Node, Nodes},
};
use crate::storage::{self, Id, events};

/// The rank of an event authorised by `auth`.
pub(super) fn rank_above<'a>(auth: impl Iterator<Item = &'a Arc<Node>>) -> i64 {
    auth.map(|node| node.rank + 1).max().unwrap_or_default()
}

/// The nodes of a room, as stored.
pub(super) struct Stored<'a> {
    pub engine: &'a Engine,
    pub room: &'a Room,
}

impl Nodes for Stored<'_> {
    async fn nodes(&self, ids: &[Id]) -> Result<Vec<Arc<Node>>, Error> {
        let mut found: HashMap<Id, Arc<Node>> = HashMap::with_capacity(ids.len());
        let mut missing = Vec::new();
        for id in ids {
            match self.engine.auth_nodes().find(*id) {
                Some(node) => drop(found.insert(*id, node)),
                None => missing.push(*id),
            }
        }
        if !missing.is_empty() {
            found.extend(self.read(&missing).await?);
        }
        let unknown = || Error::Storage(storage::Error::Damaged { what: "auth event" });
        ids.iter().map(|id| found.get(id).cloned().ok_or_else(unknown)).collect()
    }
}

impl Source for Stored<'_> {
    async fn pdus(&self, ids: &[Id]) -> Result<Vec<Arc<Pdu>>, Error> {
        self.engine.pdus(self.room, ids).await
    }

    async fn slot(&self, key: &Key) -> Result<Option<Id>, Error> {
        Ok(self.engine.app().db.find_state_key(&key.0.to_string(), &key.1).await?)
    }

    async fn key(&self, slot: Id) -> Result<Key, Error> {
        let name = self.engine.app().db.state_key_name(slot).await?;
        Ok((name.event_type.as_str().into(), name.state_key.clone()))
    }
}

impl Stored<'_> {
    async fn read(&self, ids: &[Id]) -> Result<HashMap<Id, Arc<Node>>, Error> {
        let damaged = || Error::Storage(storage::Error::Damaged { what: "auth event" });
        let (mut nodes, mut unranked) = (HashMap::new(), Vec::new());
        for row in events::list_auth(&self.engine.app().db, ids).await? {
            match row.auth {
                Some((rank, auth)) => {
                    let auth = state::unpack_ids(&auth).ok_or_else(damaged)?.into();
                    let node = Arc::new(Node { slot: row.slot, rank, auth });
                    self.engine.auth_nodes().keep(row.id, node.clone(), 1);
                    nodes.insert(row.id, node);
                }
                None => unranked.push(row.id),
            }
        }
        for id in unranked {
            nodes.insert(id, self.derive(id).await?);
        }
        Ok(nodes)
    }

    /// The node of an event whose row does not say it: one stored by an earlier version, or before what authorises it was known.
    /// What is below it is derived first, without recursion: such chains can be long.
    async fn derive(&self, id: Id) -> Result<Arc<Node>, Error> {
        let cache = self.engine.auth_nodes();
        let mut open: Vec<(Id, Option<Vec<Id>>)> = vec![(id, None)];
        while let Some((id, auth)) = open.pop() {
            if cache.find(id).is_some() {
                continue;
            }
            let pdu = self.engine.pdu(self.room, id).await?;
            let is_ready = auth.is_some();
            let auth = match auth {
                Some(auth) => auth,
                None => self.ids_of(&pdu).await?,
            };
            let unknown: Vec<Id> =
                auth.iter().copied().filter(|id| cache.find(*id).is_none()).collect();
            if !unknown.is_empty() && !is_ready {
                open.push((id, Some(auth)));
                open.extend(unknown.into_iter().map(|id| (id, None)));
                continue;
            }
            let below: Vec<Arc<Node>> = auth.iter().filter_map(|id| cache.find(*id)).collect();
            let (event_type, state_key) =
                (pdu.event_type.to_string(), pdu.state_key.clone().unwrap_or_default());
            let slot = self.engine.app().db.state_key(&event_type, &state_key).await?;
            let rank = rank_above(below.iter());
            cache.keep(id, Arc::new(Node { slot, rank, auth: auth.into() }), 1);
        }
        cache.find(id).ok_or(Error::Storage(storage::Error::Damaged { what: "auth event" }))
    }

    async fn ids_of(&self, pdu: &Pdu) -> Result<Vec<Id>, Error> {
        let auth = self.engine.find_pdus(self.room, &pdu.auth_events).await?;
        let id = |name: &ruma::OwnedEventId| {
            auth.iter().find(|auth| auth.event_id == *name).map(|auth| auth.id)
        };
        Ok(pdu.auth_events.iter().filter_map(id).collect())
    }
}

impl Engine {
    /// Notes what authorises a state event that is on its way into the database, so that what is built on it finds it. `None` when not
    /// all of that is here: then it is worked out when it is first needed.
    pub(in crate::messaging) async fn note_auth(
        &self,
        room: &Room,
        pdu: &Pdu,
        slot: Id,
    ) -> Result<Option<storage::NewAuth>, Error> {
        if pdu.auth_ids.len() != pdu.auth_events.len() {
            return Ok(None);
        }
        let below = Stored { engine: self, room }.nodes(&pdu.auth_ids).await?;
        let rank = rank_above(below.iter());
        let auth = pdu.auth_ids.clone().into();
        self.auth_nodes().keep(pdu.id, Arc::new(Node { slot, rank, auth }), 1);
        Ok(Some(storage::NewAuth { rank, auth: state::pack_ids(pdu.auth_ids.iter().copied()) }))
    }
}
