//! The states that events of the history stood on.
//!
//! First downwards from what follows them: a message changes nothing, and a member event names the one before it among what authorises
//! it. Where that leads no further a server is asked, and from there on states are resolved upwards, as those of new events are.
//!
//! Nothing is rejected by them: a server that lies about the past, or knows it in part, must not make that final.

use std::{collections::HashMap, sync::Arc, time::Duration};

use ruma::{OwnedEventId, ServerName, events::TimelineEventType};

use super::{
    super::{Engine, Error, Membership, Pdu, Room, build, import, inbound, resolve},
    Gap,
};
use crate::{
    messaging::state::{Lineage, NOTHING, StateMap},
    storage::{Id, NewSnapshot, events},
};

/// Most states that a server is asked for while one page is fetched.
const ASKED_MAX: usize = 3;
/// How long one of them is waited for.
const PATIENCE: Duration = Duration::from_secs(20);

/// An event with the states before and after it; `None`: nobody told.
pub(in crate::messaging) struct Past {
    pub pdu: Pdu,
    pub around: Option<(Lineage, Lineage)>,
}

/// What is known of the states of some events.
struct Walk<'a> {
    engine: &'a Engine,
    room: &'a Arc<Room>,
    before: HashMap<OwnedEventId, Lineage>,
    after: HashMap<OwnedEventId, Lineage>,
    snapshots: Vec<NewSnapshot>,
}

/// Finds the states of events right below a gap. `pdus`: stored without a place, newest first; they come
/// back so, with the snapshots to be stored with them.
pub(super) async fn find(
    engine: &Engine,
    room: &Arc<Room>,
    server: &ServerName,
    gap: &Gap,
    pdus: Vec<Pdu>,
) -> Result<(Vec<Past>, Vec<NewSnapshot>), Error> {
    let (before, after) = (HashMap::new(), HashMap::new());
    let mut walk = Walk { engine, room, before, after, snapshots: Vec::new() };
    // Where the event above follows one alone, the state before it is that one's.
    if let Some(above) = &gap.above
        && let [prev] = above.prev_events.as_slice()
        && above.place.state_before.is_some()
        && above.place.has_state()
    {
        walk.after.insert(prev.clone(), gap.state.clone());
    }
    for pdu in &pdus {
        walk.down(pdu).await?;
    }
    let mut asked = 0;
    for pdu in pdus.iter().rev() {
        walk.up(pdu, (server, &gap.state, &mut asked)).await?;
    }
    let Walk { before, after, snapshots, .. } = walk;
    let past = |pdu: Pdu| {
        let around = before.get(&pdu.event_id).zip(after.get(&pdu.event_id));
        let around = around.map(|(before, after)| (before.clone(), after.clone()));
        Past { pdu, around }
    };
    Ok((pdus.into_iter().map(past).collect(), snapshots))
}

impl Walk<'_> {
    /// Gives a state a snapshot of its own.
    fn attach(&mut self, state: Lineage) -> Lineage {
        let (lineage, row) = state.attach(self.engine.app().db.new_id());
        self.snapshots.extend(row);
        lineage
    }

    /// From the state after an event to the one before it, and so after what it follows.
    async fn down(&mut self, pdu: &Pdu) -> Result<(), Error> {
        let Some(after) = self.after.get(&pdu.event_id).cloned() else { return Ok(()) };
        let Some(before) = self.undone(pdu, after).await? else { return Ok(()) };
        let before = self.attach(before);
        if let [prev] = pdu.prev_events.as_slice() {
            self.after.entry(prev.clone()).or_insert_with(|| before.clone());
        }
        self.before.insert(pdu.event_id.clone(), before);
        Ok(())
    }

    /// A state without what an event did to it, if that can be told.
    async fn undone(&self, pdu: &Pdu, after: Lineage) -> Result<Option<Lineage>, Error> {
        let Some(state_key) = &pdu.state_key else { return Ok(Some(after)) };
        if pdu.place.flags & events::REJECTED != 0 {
            return Ok(Some(after));
        }
        let slot = self.engine.app().db.state_key(&pdu.event_type.to_string(), state_key).await?;
        if pdu.event_type != TimelineEventType::RoomMember || after.get(slot) != Some(pdu.id) {
            return Ok(None);
        }
        let auth = self.engine.find_pdus(self.room, &pdu.auth_events).await?;
        let is_before =
            |auth: &&Arc<Pdu>| auth.event_type == pdu.event_type && auth.state_key == pdu.state_key;
        let previous = match (auth.iter().find(is_before), build::standing(pdu)) {
            (Some(previous), _) => previous.id,
            // Who only comes may be new; for anything else somebody was something before, whoever leaves it out.
            (None, Some(Membership::Invite | Membership::Join | Membership::Knock)) => NOTHING,
            (None, _) => return Ok(None),
        };
        Ok(Some(after.with_changes(StateMap::from([(slot, previous)]))))
    }

    /// The state before an event, from what it follows or from a server, and the one after it.
    async fn up(
        &mut self,
        pdu: &Pdu,
        (server, base, asked): (&ServerName, &Lineage, &mut usize),
    ) -> Result<(), Error> {
        let is_rejected = pdu.place.flags & events::REJECTED != 0;
        let known = match self.before.get(&pdu.event_id) {
            Some(before) => Some(before.clone()),
            None => self.own(pdu).await?,
        };
        let before = match known {
            Some(before) => before,
            None => match self.resolved(pdu).await? {
                Some(before) => before,
                None if *asked < ASKED_MAX && !is_rejected && pdu.place.order.is_none() => {
                    *asked += 1;
                    let Some(before) = self.asked(pdu, server, base).await? else {
                        return Ok(());
                    };
                    before
                }
                None => return Ok(()),
            },
        };
        let mut after = before.clone();
        if let (false, Some(state_key)) = (is_rejected, &pdu.state_key) {
            let db = &self.engine.app().db;
            let slot = db.state_key(&pdu.event_type.to_string(), state_key).await?;
            if after.get(slot) != Some(pdu.id) {
                let change = StateMap::from([(slot, pdu.id)]);
                after = match self.after.remove(&pdu.event_id) {
                    // As what follows it stands on it.
                    Some(known) if known.get(slot) == Some(pdu.id) => known,
                    _ => self.attach(after.with_changes(change)),
                };
            }
        }
        self.before.insert(pdu.event_id.clone(), before);
        self.after.insert(pdu.event_id.clone(), after);
        Ok(())
    }

    /// The state before an event that is placed already.
    async fn own(&self, pdu: &Pdu) -> Result<Option<Lineage>, Error> {
        // One that stood in for itself may have the state of all that what follows it follows.
        if pdu.place.order.is_none() || !pdu.place.has_state() {
            return Ok(None);
        }
        self.engine.state_at(pdu.place.state_before).await.map(Some)
    }

    /// The states after what an event follows, resolved; `None` when one of them is not known.
    async fn resolved(&mut self, pdu: &Pdu) -> Result<Option<Lineage>, Error> {
        let here = self.engine.find_pdus(self.room, &pdu.prev_events).await?;
        let mut snapshots: Vec<Id> = Vec::new();
        let mut states: Vec<Lineage> = Vec::new();
        for name in &pdu.prev_events {
            let state = match self.after.get(name) {
                Some(state) => state.clone(),
                None => {
                    let prev = here.iter().find(|prev| prev.event_id == *name);
                    let Some(prev) = prev.filter(|prev| prev.place.has_state()) else {
                        return Ok(None);
                    };
                    self.engine.state_at(prev.place.state_after).await?
                }
            };
            if !state.id().is_some_and(|id| snapshots.contains(&id)) {
                snapshots.extend(state.id());
                states.push(state);
            }
        }
        let Some(first) = states.first().cloned() else { return Ok(None) };
        if states.len() == 1 {
            return Ok(Some(first));
        }
        let changes = resolve::resolve(self.engine, self.room, &states).await?;
        Ok(Some(self.attach(first.with_changes(changes))))
    }

    /// The state before an event as a server tells it. That it does not is no error: history is shown without too.
    async fn asked(
        &mut self,
        pdu: &Pdu,
        server: &ServerName,
        base: &Lineage,
    ) -> Result<Option<Lineage>, Error> {
        if pdu.event_type == TimelineEventType::RoomCreate {
            return Ok(Some(Lineage::default()));
        }
        let (engine, room) = (self.engine, self.room);
        let told = async {
            let Some(answer) = inbound::state_by_ids(engine, room, server, &pdu.event_id).await?
            else {
                return Ok(None);
            };
            import::told_state(engine, room, answer, base).await.map(Some)
        };
        match tokio::time::timeout(PATIENCE, told).await {
            Ok(Ok(Some((state, row)))) => {
                self.snapshots.extend(row);
                Ok(Some(state))
            }
            Err(_) | Ok(Ok(None)) => Ok(None),
            Ok(Err(Error::Storage(error))) => Err(error.into()),
            Ok(Err(error)) => {
                tracing::debug!(%server, event.id = %pdu.event_id, %error, "the state of the history was not told");
                Ok(None)
            }
        }
    }
}
