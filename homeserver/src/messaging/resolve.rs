//! State resolution: several states of one room into one, by the algorithm of its version.
//!
//! States are maps of interned ids; what they agree on is never looked at. Spec:
//! <https://spec.matrix.org/v1.19/rooms/v12/#state-resolution>.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    sync::Arc,
};

use ruma::{
    OwnedEventId,
    events::StateEventType,
    room_version_rules::StateResolutionVersion,
    state_res::{self, StateMap as NamedState},
};

use super::{Engine, Error, Pdu, Room, state::StateMap};
use crate::storage::Id;

/// Most events one resolution may look at; a room that needs more is under attack.
const EVENTS_MAX: usize = 200_000;

/// The one state that `states` resolve to.
pub(super) async fn resolve(
    engine: &Engine,
    room: &Room,
    states: Vec<StateMap>,
) -> Result<StateMap, Error> {
    let Some(first) = states.first() else { return Ok(StateMap::new()) };
    if states.iter().all(|state| state == first) {
        return Ok(first.clone());
    }
    let StateResolutionVersion::V2(rules) = room.rules.state_res else {
        return Err(Error::UnsupportedRoomVersion(room.version.to_string()));
    };
    let ids: BTreeSet<Id> = states.iter().flat_map(|state| state.values().copied()).collect();
    let events = Events::load(engine, room, ids.into_iter().collect()).await?;
    let named: Vec<NamedState<OwnedEventId>> =
        states.iter().map(|state| events.named(state)).collect();
    let chains =
        named.iter().map(|state| events.chain(state.values()).into_iter().collect()).collect();
    let resolved = state_res::resolve(
        &room.rules.authorization,
        &rules,
        &named,
        chains,
        |event_id| events.by_name.get(event_id).cloned(),
        |conflicted| Some(events.subgraph(conflicted).into_iter().collect()),
    )
    .map_err(|error| Error::BadEvent(format!("state resolution: {error}")))?;
    let mut state = StateMap::new();
    for ((event_type, state_key), event_id) in resolved {
        let slot = engine.app().db.state_key(&event_type.to_string(), &state_key).await?;
        if let Some(pdu) = events.by_name.get(&event_id) {
            state.insert(slot, pdu.id);
        }
    }
    Ok(state)
}

/// The events of the states and everything that authorises them.
struct Events {
    by_id: HashMap<Id, Arc<Pdu>>,
    by_name: HashMap<OwnedEventId, Arc<Pdu>>,
}

impl Events {
    async fn load(engine: &Engine, room: &Room, ids: Vec<Id>) -> Result<Self, Error> {
        let mut events = Self { by_id: HashMap::new(), by_name: HashMap::new() };
        let mut found = engine.pdus(room, &ids).await?;
        while !found.is_empty() {
            let mut wanted = BTreeSet::new();
            for pdu in found {
                wanted.extend(pdu.auth_events.iter().cloned());
                events.by_name.insert(pdu.event_id.clone(), pdu.clone());
                events.by_id.insert(pdu.id, pdu);
            }
            if events.by_id.len() > EVENTS_MAX {
                return Err(Error::BadEvent(
                    "the room's auth chains are too large to resolve".to_owned(),
                ));
            }
            let missing: Vec<_> =
                wanted.into_iter().filter(|name| !events.by_name.contains_key(name)).collect();
            found = engine.find_pdus(room, &missing).await?;
        }
        Ok(events)
    }

    fn named(&self, state: &StateMap) -> NamedState<OwnedEventId> {
        state
            .values()
            .filter_map(|id| self.by_id.get(id))
            .filter_map(|pdu| {
                let event_type = StateEventType::from(pdu.event_type.to_string());
                Some(((event_type, pdu.state_key.clone()?), pdu.event_id.clone()))
            })
            .collect()
    }

    /// Everything that authorises `from`, directly or not.
    fn chain<'a>(&self, from: impl Iterator<Item = &'a OwnedEventId>) -> HashSet<OwnedEventId> {
        let mut chain = HashSet::new();
        let mut open: Vec<&OwnedEventId> = from.collect();
        while let Some(name) = open.pop() {
            let Some(pdu) = self.by_name.get(name) else { continue };
            for auth in &pdu.auth_events {
                if chain.insert(auth.clone()) {
                    open.extend(self.by_name.get_key_value(auth).map(|(name, _)| name));
                }
            }
        }
        chain
    }

    /// The conflicted events and all events on paths between them.
    fn subgraph(&self, conflicted: &NamedState<Vec<OwnedEventId>>) -> HashSet<OwnedEventId> {
        let ends: HashSet<OwnedEventId> = conflicted.values().flatten().cloned().collect();
        let below = self.chain(ends.iter());
        // Which events have a conflicted one below them: from the ends upward, over the chain's own edges.
        let mut children: BTreeMap<&OwnedEventId, Vec<&OwnedEventId>> = BTreeMap::new();
        for name in below.iter().chain(&ends) {
            let Some(pdu) = self.by_name.get(name) else { continue };
            for auth in &pdu.auth_events {
                children.entry(auth).or_default().push(name);
            }
        }
        let mut above: HashSet<&OwnedEventId> = HashSet::new();
        let mut open: Vec<&OwnedEventId> = ends.iter().collect();
        while let Some(name) = open.pop() {
            for child in children.get(name).into_iter().flatten() {
                if above.insert(child) {
                    open.push(child);
                }
            }
        }
        let between = below.iter().filter(|name| above.contains(name)).cloned();
        between.chain(ends.iter().cloned()).collect()
    }
}
