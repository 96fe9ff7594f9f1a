//! Rooms whose graph has many ends: an event of ours that says nothing draws them together.
//!
//! Every end costs whoever builds on it a look at its state. As other servers do it, such an event has the type
//! `org.matrix.dummy_event`, is shown to no client, and goes to no other server before an event that builds on it does.

use std::sync::Arc;

use ruma::{CanonicalJsonObject, OwnedUserId};

use super::{
    Building, Draft, Engine, Error, Pdu, Room, funnel, funnel::Below, power, resolve::Merged,
    signed::PREV_EVENTS_MAX, state::Lineage,
};
use crate::storage::Id;

/// A room has no more ends than this for long.
pub(super) const ENDS_MAX: usize = 10;
/// Most events that one call makes.
const MERGES_MAX: usize = 50;
/// Users who are tried as senders.
const SENDERS_MAX: usize = 20;
/// Users of ours with power of their own who are looked up: not all of them need be in the room.
const NAMED_MAX: usize = 200;
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
        let speakers = self.speakers().await?;
        if speakers.is_empty() {
            return Ok(false);
        }
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
        let Some(before) = Merged::of(engine, &room, states).await? else { return Ok(false) };
        for sender in speakers {
            let draft = Draft::message(sender, DUMMY.into(), CanonicalJsonObject::new());
            let pdu = self.signed_on(draft, &ends, Some(&before.state)).await?;
            if funnel::allowed_in(engine, &room, &pdu, &before.state).await?.is_ok() {
                let followed = ends.into_iter().map(|end| end.event_id).collect();
                let below = Below { before, followed, missing: Vec::new() };
                self.place_received(pdu, 0, below).await?;
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Users of ours who may send such an event as the room stands, the most powerful first.
    ///
    /// Who may only at the ends that are drawn together is none of them: other servers would not go on from what the room's
    /// own state forbids ([spec](https://spec.matrix.org/v1.19/server-server-api/#soft-failure)).
    async fn speakers(&self) -> Result<Vec<OwnedUserId>, Error> {
        let (app, room) = (self.engine.app(), &self.room);
        let create = self.state_event("m.room.create", "").await?;
        let levels = self.state_event("m.room.power_levels", "").await?;
        let levels = power::of_events(&room.rules.authorization, create, levels);
        let needed = levels.to_send(DUMMY);
        let named = levels.named().into_iter().take_while(|(power, _)| *power >= needed);
        let ours = named.map(|(_, user)| user).filter(|user| app.is_ours(user.server_name()));
        let mut ids = Vec::new();
        for user in ours.take(NAMED_MAX) {
            ids.extend(app.db.find_user(user.as_str()).await?);
        }
        let seen = room.seen();
        ids.retain(|user| seen.local_joined.contains(user));
        let all = (levels.of_others() >= needed).then_some(&seen.local_joined);
        let others = all.into_iter().flatten().filter(|user| !ids.contains(user));
        let users = ids.iter().chain(others).filter_map(|user| seen.members.get(user));
        let able = users.map(|member| &member.user_id).filter(|user| levels.of(user) >= needed);
        Ok(able.take(SENDERS_MAX).cloned().collect())
    }
}
