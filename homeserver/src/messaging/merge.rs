//! Rooms whose graph has many ends: an event of ours that says nothing draws them together.
//!
//! Every end costs whoever builds on it a look at its state. As other servers do it, such an event has the type
//! `org.matrix.dummy_event`, is shown to no client, and goes to no other server before an event that builds on it does.

use std::sync::Arc;

use ruma::{CanonicalJsonObject, OwnedUserId};

use super::{
    Building, Draft, Engine, Error, Pdu, Room, funnel, funnel::Below, resolve,
    signed::PREV_EVENTS_MAX, state::Lineage,
};
use crate::storage::Id;

/// A room has no more ends than this for long.
pub(super) const ENDS_MAX: usize = 10;
/// Most events that one call makes.
const MERGES_MAX: usize = 50;
/// Users who are tried as senders.
const SENDERS_MAX: usize = 20;
/// The type of an event that says nothing.
const DUMMY: &str = "org.matrix.dummy_event";

/// Whether an event is there for the graph only, and shown to nobody.
pub(super) fn is_dummy(pdu: &Pdu) -> bool {
    pdu.event_type.to_string() == DUMMY
}

/// Draws a room's ends together until there are few. Where none of our users may send, they stay.
pub(super) async fn merge_ends(engine: &Engine, room: &Arc<Room>) -> Result<(), Error> {
    for _ in 0..MERGES_MAX {
        let mut building = Building::begin(engine, room).await?;
        if building.next().extremities.len() <= ENDS_MAX || !building.merge().await? {
            return Ok(());
        }
        building.commit().await?;
    }
    Ok(())
}

impl Building<'_> {
    /// Adds an event on as many ends as one may name, oldest first. `false`: nobody of ours may send it.
    async fn merge(&mut self) -> Result<bool, Error> {
        let mut ends = self.next().extremities.clone();
        ends.sort_by_key(|end| end.depth);
        ends.truncate(PREV_EVENTS_MAX);
        let mut snapshots: Vec<Id> = ends.iter().filter_map(|end| end.state_after).collect();
        snapshots.sort_unstable();
        snapshots.dedup();
        let mut states: Vec<Lineage> = Vec::with_capacity(snapshots.len());
        for snapshot in snapshots {
            states.push(self.lineage_of(snapshot).await?);
        }
        let (engine, room) = (self.engine, self.room.clone());
        let changes = resolve::resolve(engine, &room, &states).await?;
        let Some(first) = states.into_iter().next() else { return Ok(false) };
        let before = first.with_changes(changes);
        let senders: Vec<OwnedUserId> = {
            let seen = room.seen();
            let members = seen.local_joined.iter().filter_map(|user| seen.members.get(user));
            members.map(|member| member.user_id.clone()).take(SENDERS_MAX).collect()
        };
        for sender in senders {
            let draft = Draft::message(sender, DUMMY.into(), CanonicalJsonObject::new());
            let pdu = self.signed_on(draft, &ends, Some(&before)).await?;
            if funnel::allowed_in(engine, &room, &pdu, &before).await?.is_ok() {
                let followed = ends.into_iter().map(|end| end.event_id).collect();
                let below = Below { before, followed, missing: Vec::new() };
                self.place_received(pdu, 0, below).await?;
                return Ok(true);
            }
        }
        Ok(false)
    }
}
