//! State resolution: several states of one room into one, by the algorithm of its version.
//!
//! States are lineages of interned ids; what they agree on is never looked at. `graph` finds what they do not agree on below them,
//! `order` puts it in order, `check` lets in what the rules allow. Spec:
//! <https://spec.matrix.org/v1.19/rooms/v12/#state-resolution>.

mod check;
mod graph;
mod merged;
mod nodes;
mod order;
#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

use ruma::{
    events::StateEventType,
    room_version_rules::{RoomVersionRules, StateResolutionV2Rules, StateResolutionVersion},
};

use self::{graph::Nodes, nodes::Stored};
pub(super) use self::{
    graph::{Closure, Node},
    merged::{Merged, Merges},
};
use super::{
    Engine, Error, Pdu, Room,
    build::AuthState,
    state::{Lineage, NOTHING, StateMap},
};
use crate::storage::Id;

/// An event that has to be judged, with its auth events.
#[derive(Debug, Clone)]
struct Candidate {
    pdu: Arc<Pdu>,
    auth: Vec<Arc<Pdu>>,
}

/// The full conflicted set.
type Candidates = BTreeMap<Id, Candidate>;

/// What a resolution asks about a room.
trait Source: Nodes {
    /// The events with these ids, in no particular order; unknown ones are left out.
    fn pdus(&self, ids: &[Id]) -> impl Future<Output = Result<Vec<Arc<Pdu>>, Error>> + Send;
    /// The slot of a type and a state key, if any event ever filled it.
    fn slot(&self, key: &Key) -> impl Future<Output = Result<Option<Id>, Error>> + Send;
    /// The type and the state key of a slot.
    fn key(&self, slot: Id) -> impl Future<Output = Result<Key, Error>> + Send;
}

/// Type and state key.
type Key = (StateEventType, String);

/// What the resolution of `states` changes in the first of them; [`NOTHING`] where a slot becomes empty.
pub(super) async fn resolve(
    engine: &Engine,
    room: &Room,
    states: &[Lineage],
) -> Result<StateMap, Error> {
    let Some(conflict) = Conflict::between(states) else { return Ok(StateMap::new()) };
    let mut kept = room.closure.lock().await;
    // Left out on an error, so that a half-moved one is not gone on with.
    let mut shared = kept.take().unwrap_or_default();
    let changes = settle(&Stored { engine, room }, &room.rules, &mut shared, &conflict).await?;
    *kept = Some(shared);
    Ok(changes)
}

/// What settling `conflict` changes in its first state. `shared` is the room's own closure.
async fn settle(
    source: &impl Source,
    rules: &RoomVersionRules,
    shared: &mut Closure,
    conflict: &Conflict<'_>,
) -> Result<StateMap, Error> {
    let StateResolutionVersion::V2(algorithm) = rules.state_res else {
        return Err(Error::BadEvent("this room version resolves states otherwise".to_owned()));
    };
    let full = conflict.full_set(source, shared, &algorithm).await?;
    let candidates = candidates(source, full).await?;
    let create = source.slot(&(StateEventType::RoomCreate, String::new())).await?;
    let create = match create.and_then(|slot| conflict.first.get(slot)) {
        Some(id) => source.pdus(&[id]).await?.pop(),
        None => None,
    };
    let initial = if algorithm.begin_iterative_auth_checks_with_empty_state_map {
        AuthState::new()
    } else {
        agreed(source, rules, conflict, &candidates).await?
    };
    let resolved = judge(source, rules, create.as_ref(), &candidates, initial).await?;
    let mut changes = StateMap::new();
    for slot in &conflict.slots {
        let winner = resolved.get(&source.key(*slot).await?).map_or(NOTHING, |pdu| pdu.id);
        if conflict.first.get(*slot).unwrap_or(NOTHING) != winner {
            changes.insert(*slot, winner);
        }
    }
    // What no state has any more, and the rules let in again.
    for id in resolved.values().map(|pdu| pdu.id).filter(|id| candidates.contains_key(id)) {
        let slot = graph::node(source, id).await?.slot;
        if !conflict.slots.contains(&slot) && conflict.first.get(slot).is_none() {
            changes.insert(slot, id);
        }
    }
    Ok(changes)
}

/// What several states do not agree on.
struct Conflict<'a> {
    first: &'a Lineage,
    slots: BTreeSet<Id>,
    /// Each state's events in those slots.
    sets: Vec<Vec<Id>>,
}

impl<'a> Conflict<'a> {
    /// `None`: they agree.
    fn between(states: &'a [Lineage]) -> Option<Self> {
        let (first, others) = states.split_first()?;
        let slots: BTreeSet<Id> =
            others.iter().flat_map(|other| first.different_slots(other)).collect();
        if slots.is_empty() {
            return None;
        }
        let events = |state: &Lineage| slots.iter().filter_map(|slot| state.get(*slot)).collect();
        let sets = states.iter().map(events).collect();
        Some(Self { first, slots, sets })
    }

    /// The full conflicted set. `shared` becomes the closure of what all states agree on.
    async fn full_set(
        &self,
        nodes: &impl Nodes,
        shared: &mut Closure,
        rules: &StateResolutionV2Rules,
    ) -> Result<BTreeSet<Id>, Error> {
        let conflicted: BTreeSet<Id> = self.sets.iter().flatten().copied().collect();
        shared.move_to(nodes, self.first, &self.slots).await?;
        let mut full = graph::difference(nodes, shared, &self.sets).await?;
        if rules.consider_conflicted_state_subgraph {
            full.extend(graph::subgraph(nodes, &conflicted).await?);
        }
        full.extend(conflicted);
        Ok(full)
    }
}

/// The steps of the algorithm that judge: from the full conflicted set to the state it leaves.
async fn judge(
    nodes: &impl Nodes,
    rules: &RoomVersionRules,
    create: Option<&Arc<Pdu>>,
    candidates: &Candidates,
    initial: AuthState,
) -> Result<AuthState, Error> {
    let rules = &rules.authorization;
    let power = order::by_power(rules, create, candidates);
    let mut state = initial;
    let in_order = |ids: &[Id]| -> Vec<&Candidate> {
        ids.iter().filter_map(|id| candidates.get(id)).collect()
    };
    check::apply(rules, create, in_order(&power), &mut state);
    let power: BTreeSet<Id> = power.into_iter().collect();
    let rest = candidates.keys().copied().filter(|id| !power.contains(id)).collect();
    let levels = state.get(&order::levels_slot()).cloned();
    let rest = order::by_mainline(nodes, candidates, rest, levels.as_ref()).await?;
    check::apply(rules, create, in_order(&rest), &mut state);
    Ok(state)
}

async fn candidates(source: &impl Source, full: BTreeSet<Id>) -> Result<Candidates, Error> {
    let ids: Vec<Id> = full.into_iter().collect();
    let found = source.nodes(&ids).await?;
    let mut wanted: BTreeSet<Id> = ids.iter().copied().collect();
    wanted.extend(found.iter().flat_map(|node| node.auth.iter().copied()));
    let wanted: Vec<Id> = wanted.into_iter().collect();
    let pdus: HashMap<Id, Arc<Pdu>> =
        source.pdus(&wanted).await?.into_iter().map(|pdu| (pdu.id, pdu)).collect();
    let candidate = |(id, node): (Id, Arc<Node>)| {
        let auth = node.auth.iter().filter_map(|id| pdus.get(id).cloned()).collect();
        Some((id, Candidate { pdu: pdus.get(&id)?.clone(), auth }))
    };
    Ok(ids.into_iter().zip(found).filter_map(candidate).collect())
}

/// What all states agree on, as far as the rules look at it when they judge `candidates`.
async fn agreed(
    source: &impl Source,
    rules: &RoomVersionRules,
    conflict: &Conflict<'_>,
    candidates: &Candidates,
) -> Result<AuthState, Error> {
    let keys: BTreeSet<Key> = candidates
        .values()
        .flat_map(|candidate| check::looked_at(&rules.authorization, &candidate.pdu))
        .collect();
    let mut state = AuthState::new();
    for key in keys {
        let slot = source.slot(&key).await?.filter(|slot| !conflict.slots.contains(slot));
        if let Some(id) = slot.and_then(|slot| conflict.first.get(slot)) {
            state.extend(source.pdus(&[id]).await?.pop().map(|pdu| (key, pdu)));
        }
    }
    Ok(state)
}
