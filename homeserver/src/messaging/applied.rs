//! What a commit changes in memory, and the one task that applies it in the order of commits.

use std::{pin::Pin, sync::Arc};

use ruma::ServerName;
use tokio::sync::{mpsc, oneshot};

use super::{
    Engine, Error,
    pdu::Pdu,
    room::{Member, Room},
    state::{self, Link, StateMap},
};
use crate::storage::{self, Id, Written, events};

/// A commit's answer: the events with their positions.
pub(super) type Outcome = Result<Vec<Arc<Pdu>>, Error>;

/// What to change in a room's committed memory once its batch is durable.
#[derive(Debug)]
pub(super) struct Change {
    pub engine: Option<Engine>,
    pub room: Arc<Room>,
    /// The batch's events, in its order.
    pub events: Vec<Pdu>,
    /// Slots of current state that changed.
    pub state: StateMap,
    /// The snapshot of current state after the change and its base; `None`: as before.
    pub snapshot: Option<(Arc<Link>, Option<Id>)>,
    /// Standings that changed; `true`: the user is this server's.
    pub members: Vec<(Id, Member, bool)>,
    /// Events that were pruned, as they now read.
    pub pruned: Vec<Arc<Pdu>>,
}

/// A change waiting for its commit.
pub(super) struct Applying {
    pub change: Change,
    pub written: Pin<Box<dyn Future<Output = Result<Written, storage::Error>> + Send>>,
    pub answer: oneshot::Sender<Outcome>,
}

impl std::fmt::Debug for Applying {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Applying").field("room", &self.change.room.room_id).finish_non_exhaustive()
    }
}

/// Applies changes as their commits come back, in order.
pub(super) async fn run(mut queue: mpsc::UnboundedReceiver<Applying>) {
    while let Some(Applying { change, written, answer }) = queue.recv().await {
        let outcome = match written.await {
            Ok(written) => Ok(change.apply(&written)),
            Err(error) => {
                change.fail();
                Err(Error::Storage(error))
            }
        };
        // Whoever asked may have gone; the commit stands all the same.
        answer.send(outcome).ok();
    }
}

impl Change {
    pub(super) fn new(room: Arc<Room>) -> Self {
        Self {
            engine: None,
            room,
            events: Vec::new(),
            state: StateMap::new(),
            snapshot: None,
            members: Vec::new(),
            pruned: Vec::new(),
        }
    }

    fn apply(mut self, written: &Written) -> Vec<Arc<Pdu>> {
        let engine = self.engine.take();
        let mut events = Vec::with_capacity(self.events.len());
        for (mut pdu, position) in self.events.drain(..).zip(&written.positions) {
            pdu.place.position = *position;
            events.push(Arc::new(pdu));
        }
        // Whoever is in the room learns of it; so do those who just came or went.
        let (mut moved, mut gone) = (Vec::new(), Vec::new());
        if let (Some(engine), Some(snapshot)) = (&engine, &self.snapshot) {
            engine.keep_snapshot(snapshot.clone());
        }
        // What was taken back as it came has its position only now.
        for pruned in &mut self.pruned {
            if let Some(pdu) = events.iter().find(|pdu| pdu.id == pruned.id) {
                Arc::make_mut(pruned).place.position = pdu.place.position;
            }
        }
        {
            let mut seen = self.room.seen_mut();
            state::apply(&mut seen.state, &self.state);
            seen.snapshot = self.snapshot.as_ref().map(|(link, _)| link.id).or(seen.snapshot);
            for (user, mut member, is_ours) in self.members.drain(..) {
                member.position = written.upto;
                if is_ours {
                    moved.push(user);
                } else {
                    gone.push(member.user_id.server_name().to_owned());
                }
                seen.set_member(user, member, is_ours);
            }
            for pdu in &events {
                if let Some(order) = pdu.place.order.filter(|order| *order > seen.last_order) {
                    seen.last_order = order;
                    seen.countable = pdu.place.countable;
                    let in_thread = pdu.place.thread.and(Some(order));
                    seen.last_thread_order = seen.last_thread_order.max(in_thread);
                    seen.push_recent(pdu.clone());
                }
            }
            for pruned in &self.pruned {
                seen.replace_recent(pruned);
            }
            seen.position = seen.position.max(written.upto);
        }
        if let Some(engine) = engine {
            for pdu in events.iter().chain(&self.pruned) {
                engine.cache(pdu.clone());
            }
            self.land(&events);
            engine.reweigh(&self.room);
            engine.set_applied(written.upto);
            let app = engine.app();
            let seen = self.room.seen();
            app.bell.ring_all(&seen.local_joined);
            app.bell.ring_users(moved);
            let is_ours = |pdu: &&Arc<Pdu>| pdu.place.flags & events::LOCAL != 0;
            let senders: Vec<&ServerName> =
                events.iter().filter(is_ours).map(|pdu| pdu.sender.server_name()).collect();
            let others = seen.servers.keys().filter(|server| !app.is_ours(server)).chain(&gone);
            // A join that we let in is news to all but the server that made it.
            others
                .filter(|server| senders.iter().any(|sender| sender != server))
                .for_each(|server| app.outbound.wake(server));
        }
        events
    }

    fn fail(self) {
        if let Some(engine) = self.engine {
            engine.drop_room(&self.room);
            engine.set_applied(0);
        }
    }

    fn land(&self, events: &[Arc<Pdu>]) {
        let mut in_flight = self.room.in_flight();
        for pdu in events {
            in_flight.remove(&pdu.id);
        }
    }
}
