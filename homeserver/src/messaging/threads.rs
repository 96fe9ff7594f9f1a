//! Threads: which one an event is in, what it counts there, and the list of a room's threads.
//!
//! Spec: <https://spec.matrix.org/v1.19/client-server-api/#threaded-read-receipts>,
//! <https://spec.matrix.org/v1.19/client-server-api/#querying-threads-in-a-room>.

use std::{collections::HashMap, sync::Arc};

use ruma::{EventId, OwnedEventId, RoomId};

use super::{Building, Engine, Error, Pdu, Room, build::GAP_ROOM, history, room::Head, visibility};
use crate::{
    auth::Requester,
    storage::{
        self, Id, events,
        threads::{self, StoredThread},
    },
};

/// The relation of a thread's events to its root.
const THREAD: &str = "m.thread";
/// Threads a room remembers before it starts afresh.
const KNOWN_MAX: usize = 4_096;
/// Most roots looked at for one page, many of which its reader may not see.
const LOOKED_AT_MAX: usize = 500;

impl Building<'_> {
    /// Gives an event the next place in the timeline; after a gap, with room for what is missing.
    pub(super) async fn count(&mut self, pdu: &mut Pdu) -> Result<(), Error> {
        self.next.last_order += if pdu.place.is_after_gap() { GAP_ROOM } else { 1 };
        let order = self.next.last_order;
        pdu.place.order = Some(order);
        let counts = pdu.is_countable();
        if counts {
            pdu.place.flags |= events::COUNTED;
        }
        match self.thread_of(pdu).await? {
            None => self.next.countable += i64::from(counts),
            Some((root, mut thread)) => {
                thread.countable += i64::from(counts);
                pdu.place.thread = Some(thread.id);
                pdu.place.thread_countable = Some(thread.countable);
                // A reaction is nothing to read a thread for.
                if counts || pdu.relation().is_some_and(|to| to.rel_type.as_deref() == Some(THREAD))
                {
                    thread.last_order = order;
                    self.batch.threads.push(row(root.clone(), thread));
                    self.next.threads.insert(root, thread);
                }
            }
        }
        pdu.place.countable = self.next.countable;
        Ok(())
    }

    /// The thread an event is in, by its root: that which it names, or that of the event it relates to.
    async fn thread_of(&self, pdu: &Pdu) -> Result<Option<(String, StoredThread)>, Error> {
        if pdu.is_state() {
            return Ok(None);
        }
        let relation = pdu.relation().and_then(|to| Some((to.rel_type?, to.event_id?)));
        let Some((rel_type, target)) = relation else { return Ok(None) };
        if rel_type == THREAD {
            let root = target.to_string();
            let thread = match self.next.threads.get(&root) {
                Some(thread) => Some(*thread),
                None => known_thread(self.engine, &self.room, &self.head, &root).await?,
            };
            let new = StoredThread { id: pdu.id, countable: 0, last_order: -1 };
            return Ok(Some((root, thread.unwrap_or(new))));
        }
        let Some(thread) = self.parent(&target).await?.and_then(|parent| parent.place.thread)
        else {
            return Ok(None);
        };
        let known = self.next.threads.iter().chain(&self.head.threads);
        if let Some((root, thread)) = known.into_iter().find(|(_, known)| known.id == thread) {
            return Ok(Some((root.clone(), *thread)));
        }
        Ok(threads::find_thread_by_id(&self.engine.app().db, thread).await?)
    }

    /// The event that another relates to, which may be of this batch or in flight.
    async fn parent(&self, event_id: &EventId) -> Result<Option<Arc<Pdu>>, Error> {
        let named = |pdu: &&Arc<Pdu>| pdu.event_id == event_id;
        if let Some(pdu) = self.own.values().find(named) {
            return Ok(Some(pdu.clone()));
        }
        if let Some(pdu) = self.room.in_flight().values().find(named) {
            return Ok(Some(pdu.clone()));
        }
        if let Some(pdu) = self.room.seen().recent.iter().rev().find(named) {
            return Ok(Some(pdu.clone()));
        }
        self.engine.find_pdu(&self.room, event_id).await
    }

    /// Takes what the room knows of its threads, with what changed.
    pub(super) fn next_threads(
        &mut self,
        changed: HashMap<String, StoredThread>,
    ) -> HashMap<String, StoredThread> {
        // What is in flight must stay known: the database does not have it yet.
        if self.head.threads.len() > KNOWN_MAX && self.room.in_flight().is_empty() {
            self.head.threads.clear();
        }
        let mut known = std::mem::take(&mut self.head.threads);
        known.extend(changed);
        known
    }
}

fn row(root: String, thread: StoredThread) -> storage::Thread {
    let StoredThread { id, countable, last_order } = thread;
    storage::Thread { id, root, countable, last_order }
}

/// The thread below `root`, in memory or in the database.
async fn known_thread(
    engine: &Engine,
    room: &Room,
    head: &Head,
    root: &str,
) -> Result<Option<StoredThread>, Error> {
    match head.threads.get(root) {
        Some(thread) => Ok(Some(*thread)),
        None => Ok(threads::find_thread(&engine.app().db, room.id, root).await?),
    }
}

/// Puts an event that was fetched later into the thread it names: it counts for nobody. `head` is the room's turn.
pub(super) async fn place_history(
    engine: &Engine,
    room: &Room,
    head: &mut Head,
    pdu: &mut Pdu,
) -> Result<Option<storage::Thread>, Error> {
    let relation = pdu.relation().and_then(|to| Some((to.rel_type?, to.event_id?)));
    let Some(root) = relation.and_then(|(rel_type, root)| (rel_type == THREAD).then_some(root))
    else {
        return Ok(None);
    };
    let root = root.to_string();
    let last_order = pdu.place.order.unwrap_or_default();
    let known = known_thread(engine, room, head, &root).await?;
    let thread = known.unwrap_or(StoredThread { id: pdu.id, countable: 0, last_order });
    pdu.place.thread = Some(thread.id);
    head.threads.insert(root.clone(), thread);
    Ok(Some(row(root, StoredThread { last_order, ..thread })))
}

/// A page of a room's threads.
#[derive(Debug)]
pub struct Roots {
    pub room: Arc<Room>,
    /// The threads' first events, the one that last went on first.
    pub events: Vec<Arc<Pdu>>,
    /// Where the next page goes on, if there is one.
    pub next: Option<i64>,
}

/// The threads of a room that last went on before the order `from`; with `participated` those that the requester wrote into.
pub async fn roots(
    engine: &Engine,
    requester: &Requester,
    room_id: &RoomId,
    participated: bool,
    (from, limit): (Option<i64>, u64),
) -> Result<Roots, Error> {
    let (room, _) = history::readable_room(engine, requester, room_id).await?;
    let limit = usize::try_from(limit.clamp(1, 100)).unwrap_or(100);
    let participant: Option<Id> = participated.then_some(requester.user);
    let db = &engine.app().db;
    let (mut events, mut before, mut looked_at) = (Vec::new(), from.unwrap_or(i64::MAX), 0);
    while looked_at < LOOKED_AT_MAX {
        let wanted = limit - events.len();
        let page = i64::try_from(wanted).unwrap_or(i64::MAX);
        let found = threads::list_roots_before(db, room.id, before, participant, page).await?;
        looked_at += found.len();
        let is_last = found.len() < wanted;
        before = found.last().map_or(before, |(_, order)| *order);
        let names: Vec<OwnedEventId> =
            found.into_iter().filter_map(|(root, _)| root.try_into().ok()).collect();
        let mut pdus = engine.find_pdus(&room, &names).await?;
        pdus.sort_by_key(|pdu| names.iter().position(|name| *name == pdu.event_id));
        for pdu in pdus {
            if visibility::may_see(engine, &room, requester.user, &pdu).await? {
                events.push(pdu);
            }
        }
        if is_last {
            return Ok(Roots { room, events, next: None });
        }
        if events.len() >= limit {
            break;
        }
    }
    Ok(Roots { room, events, next: Some(before) })
}

/// Whether `event_id` may be the root of a thread: it relates to no other event itself.
pub(super) async fn may_be_root(
    engine: &Engine,
    room: &Room,
    event_id: &EventId,
) -> Result<bool, Error> {
    let root = engine.find_pdu(room, event_id).await?;
    Ok(root.is_none_or(|root| root.relation().is_none_or(|relation| relation.rel_type.is_none())))
}
