//! Whether what the database says of rooms holds together: every event whole and in its place, the state after it the state before it
//! with its own change, the room's end and its members as the state says.
//!
//! Called by `ternd check`, on a database that nobody writes to.

use std::{collections::BTreeMap, sync::Arc};

use ruma::{CanonicalJsonObject, OwnedRoomId, events::TimelineEventType};

use super::{
    Engine, Error, Pdu, Room, build, pdu, resolve,
    state::{Lineage, StateMap},
};
use crate::storage::{Database, Id, events, rooms};

/// Rooms and events that are read at once.
const PAGE: u64 = 500;

/// How much was looked at.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Checked {
    pub rooms: u64,
    pub events: u64,
    /// Rows that states are read from.
    pub states: u64,
    /// Those of them that nothing stands on.
    pub idle_states: u64,
}

/// Looks at every room this server is or was in, and tells `fault` in a sentence what does not hold.
///
/// # Errors
/// When the database cannot be read. What reads and makes no sense is a fault.
pub async fn check(engine: &Engine, fault: &mut impl FnMut(String)) -> Result<Checked, Error> {
    let (mut checked, mut after) = (Checked::default(), 0);
    loop {
        let page = rooms::list_rooms_after(&engine.app().db, after, PAGE).await?;
        let Some(last) = page.last() else {
            let counts = rooms::count_snapshots(&engine.app().db).await?;
            (checked.states, checked.idle_states) = (counts.all, counts.idle);
            if counts.missing > 0 {
                fault(format!("{} states that something stands on are missing", counts.missing));
            }
            check_names(&engine.app().db, fault).await?;
            return Ok(checked);
        };
        after = last.id;
        for stored in page.iter().filter(|room| room.snapshot.is_some()) {
            let Ok(room_id) = OwnedRoomId::try_from(stored.room_id.as_str()) else {
                fault(format!("{}: no room id", stored.room_id));
                continue;
            };
            let mut in_room = |text: String| fault(format!("{room_id}: {text}"));
            match engine.find_room(&room_id).await {
                Ok(Some(room)) => {
                    let looked = Look { engine, room: &room }.room(&mut in_room).await;
                    checked.events += tell(looked, &mut in_room).unwrap_or_default();
                }
                Ok(None) => in_room("it is not there".to_owned()),
                Err(error) => drop(tell::<()>(Err(error), &mut in_room)),
            }
            checked.rooms += 1;
        }
    }
}

/// Whether each event, in a timeline or not, is what is found by its id.
async fn check_names(db: &Database, fault: &mut impl FnMut(String)) -> Result<(), Error> {
    let mut after = 0;
    loop {
        let page = events::list_names_after(db, after, PAGE).await?;
        let Some((last, _)) = page.last() else { return Ok(()) };
        after = *last;
        let mut found: BTreeMap<String, Vec<Id>> = BTreeMap::new();
        for brief in events::list_brief_by_name(db, page.iter().map(|(_, name)| &**name)).await? {
            found.entry(brief.event_id).or_default().push(brief.id);
        }
        for (id, name) in page {
            let ids = found.remove(&name).unwrap_or_default();
            if ids != [id] {
                fault(format!("{name}: it is event {id}, and by its id {ids:?} are found"));
            }
        }
    }
}

/// What can't be read is a fault too, and no reason to stop.
fn tell<T>(looked: Result<T, Error>, fault: &mut impl FnMut(String)) -> Option<T> {
    looked.map_err(|error| fault(format!("it cannot be read: {error}"))).ok()
}

struct Look<'a> {
    engine: &'a Engine,
    room: &'a Arc<Room>,
}

impl Look<'_> {
    /// Everything of one room; returns how many events it has.
    async fn room(&self, fault: &mut impl FnMut(String)) -> Result<u64, Error> {
        let (mut after, mut seen) = (i64::MIN, 0);
        loop {
            let db = &self.engine.app().db;
            let page = events::list_timeline_after(db, self.room.id, after, PAGE).await?;
            let Some(last) = page.last() else { break };
            after = last.timeline_order.unwrap_or(i64::MAX);
            for stored in page {
                let name = stored.event_id.clone();
                seen += 1;
                let looked = async {
                    let pdu = self.engine.read(stored, self.room)?;
                    self.event(&pdu).await
                };
                match looked.await {
                    Ok(None) => {}
                    Ok(Some(text)) => fault(format!("{name}: {text}")),
                    Err(error) => fault(format!("{name}: it cannot be read: {error}")),
                }
            }
        }
        self.end(fault).await?;
        Ok(seen)
    }

    /// What is wrong with one event of the timeline.
    async fn event(&self, pdu: &Pdu) -> Result<Option<String>, Error> {
        if pdu.place.redacted_by.is_none() {
            let object: Option<CanonicalJsonObject> = serde_json::from_slice(&pdu.json).ok();
            let named = object.and_then(|object| pdu::event_id_of(&object, &self.room.rules).ok());
            if named.as_ref() != Some(&pdu.event_id) {
                return Ok(Some(format!("its content is that of {named:?}")));
            }
        }
        if pdu.place.state_after.is_none() || pdu.place.flags & events::STAND_IN != 0 {
            return Ok(None);
        }
        let before = self.engine.state_at(pdu.place.state_before).await?;
        let after = self.engine.state_at(pdu.place.state_after).await?;
        let counts = pdu.place.flags & (events::REJECTED | events::SOFT_FAILED) == 0;
        let mut expected = StateMap::new();
        if let Some(state_key) = pdu.state_key.as_ref().filter(|_| counts) {
            let db = &self.engine.app().db;
            let slot = db.state_key(&pdu.event_type.to_string(), state_key).await?;
            if before.get(slot) != Some(pdu.id) {
                expected.insert(slot, pdu.id);
            }
        }
        let changes = before.changes_to(&after);
        if counts && changes != expected {
            return Ok(Some(format!("it changes {changes:?} of the state, not {expected:?}")));
        }
        let Some(built) = self.built_on(pdu).await? else { return Ok(None) };
        let differs = built.different_slots(&before);
        Ok((!differs.is_empty()).then(|| {
            format!("the state before it differs from that of its prev events in {differs:?}")
        }))
    }

    /// The state that the prev events of an event make, where all were here when it came.
    async fn built_on(&self, pdu: &Pdu) -> Result<Option<Lineage>, Error> {
        let prevs = self.engine.find_pdus(self.room, &pdu.prev_events).await?;
        let was_here = |prev: &Arc<Pdu>| {
            prev.place.is_live()
                && prev.place.flags & events::STAND_IN == 0
                && prev.place.order < pdu.place.order
        };
        let all_here = prevs.len() == pdu.prev_events.len() && prevs.iter().all(was_here);
        if prevs.is_empty() || !all_here || !pdu.place.is_live() {
            return Ok(None);
        }
        self.resolved(prevs.iter().map(|prev| prev.place.state_after)).await
    }

    async fn resolved(
        &self,
        after: impl Iterator<Item = Option<Id>>,
    ) -> Result<Option<Lineage>, Error> {
        let mut states = Vec::new();
        for snapshot in after {
            states.push(self.engine.state_at(snapshot).await?);
        }
        let changes = resolve::resolve(self.engine, self.room, &states).await?;
        Ok(states.into_iter().next().map(|first| first.with_changes(changes)))
    }

    /// The room's newest state, and who is in it.
    async fn end(&self, fault: &mut impl FnMut(String)) -> Result<(), Error> {
        let head = self.room.head.lock().await.clone();
        let ends = head.extremities.iter().map(|end| end.state_after);
        if head.extremities.is_empty() {
            fault("it has no end to go on from".to_owned());
        } else if let Some(resolved) = self.resolved(ends).await? {
            let differs = resolved.different_slots(&head.lineage);
            if !differs.is_empty() {
                fault(format!("its state differs from that of its ends in {differs:?}"));
            }
        }
        let mut said = BTreeMap::new();
        let events: Vec<Id> = head.state.values().copied().collect();
        for page in events.chunks(usize::try_from(PAGE).unwrap_or(usize::MAX)) {
            let pdus = self.engine.pdus(self.room, page).await?;
            if pdus.len() < page.len() {
                fault("events of its state are missing".to_owned());
            }
            let members = pdus.iter().filter(|pdu| pdu.event_type == TimelineEventType::RoomMember);
            for pdu in members {
                let Some(standing) = build::standing(pdu) else { continue };
                said.insert(pdu.state_key.clone().unwrap_or_default(), standing.as_str());
            }
        }
        let members = rooms::list_members(&self.engine.app().db, self.room.id).await?;
        let stored: BTreeMap<&str, &str> =
            members.iter().map(|row| (row.user_id.as_str(), row.membership.as_str())).collect();
        for (user_id, membership) in said {
            let row = stored.get(user_id.as_str()).copied();
            if row != Some(membership) {
                fault(format!("{user_id} is {membership} in the state and {row:?} in the list"));
            }
        }
        Ok(())
    }
}
