//! The auth graph of a room over interned ids: who authorises whom, and what several states do not agree on below them.
//!
//! Everything here costs what the states disagree on: what they share is a [`Closure`] that follows the room's state, and a walk
//! ends where it meets it.

use std::{
    collections::{BTreeSet, BinaryHeap, HashMap},
    sync::Arc,
};

use super::super::{Error, state::Lineage};
use crate::storage::Id;

/// Most events one walk may visit; a room that needs more is under attack.
const VISITS_MAX: usize = 200_000;

/// A state event in the auth graph.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::messaging) struct Node {
    /// The state slot it fills.
    pub slot: Id,
    /// One more than the highest rank of what authorises it, counted by us: unlike `depth`, nobody can lie about it.
    pub rank: i64,
    /// Its auth events, in its own order.
    pub auth: Box<[Id]>,
}

/// Where nodes come from.
pub(super) trait Nodes: Sync {
    /// The nodes of these events, in their order.
    fn nodes(&self, ids: &[Id]) -> impl Future<Output = Result<Vec<Arc<Node>>, Error>> + Send;
}

/// The node of one event.
pub(super) async fn node(nodes: &impl Nodes, id: Id) -> Result<Arc<Node>, Error> {
    nodes.nodes(&[id]).await?.pop().ok_or_else(too_large)
}

fn too_large() -> Error {
    Error::BadEvent("the room's auth chains are too large to resolve".to_owned())
}

/// The events of a state and everything that authorises them, with how often each is referred to: so that an event of the state
/// can be exchanged for another at the price of what only it brought in.
#[derive(Debug, Default)]
pub(in crate::messaging) struct Closure {
    references: HashMap<Id, u32>,
    at: Lineage,
    without: BTreeSet<Id>,
}

impl Closure {
    /// Whether `id` is in the state or authorises anything in it.
    pub(super) fn contains(&self, id: Id) -> bool {
        self.references.contains_key(&id)
    }

    /// Makes it the closure of `state` without the events in the slots `without`.
    pub(super) async fn move_to(
        &mut self,
        nodes: &impl Nodes,
        state: &Lineage,
        without: &BTreeSet<Id>,
    ) -> Result<(), Error> {
        let mut slots = self.at.different_slots(state);
        slots.extend(self.without.iter().chain(without));
        let root = |state: &Lineage, without: &BTreeSet<Id>, slot: Id| {
            state.get(slot).filter(|_| !without.contains(&slot))
        };
        let (mut added, mut removed) = (Vec::new(), Vec::new());
        for slot in slots {
            let (old, new) = (root(&self.at, &self.without, slot), root(state, without, slot));
            if old != new {
                added.extend(new);
                removed.extend(old);
            }
        }
        self.add(nodes, added).await?;
        self.remove(nodes, removed).await?;
        (self.at, self.without) = (state.clone(), without.clone());
        Ok(())
    }

    async fn add(&mut self, nodes: &impl Nodes, mut ids: Vec<Id>) -> Result<(), Error> {
        while !ids.is_empty() {
            ids.retain(|id| {
                let count = self.references.entry(*id).or_default();
                *count += 1;
                *count == 1
            });
            let found = nodes.nodes(&ids).await?;
            ids = found.iter().flat_map(|node| node.auth.iter().copied()).collect();
        }
        Ok(())
    }

    async fn remove(&mut self, nodes: &impl Nodes, mut ids: Vec<Id>) -> Result<(), Error> {
        while !ids.is_empty() {
            ids.retain(|id| {
                let Some(count) = self.references.get_mut(id) else { return false };
                *count -= 1;
                let last = *count == 0;
                if last {
                    self.references.remove(id);
                }
                last
            });
            let found = nodes.nodes(&ids).await?;
            ids = found.iter().flat_map(|node| node.auth.iter().copied()).collect();
        }
        Ok(())
    }
}

/// Which of the states reach an event.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Reached(Vec<u64>);

impl Reached {
    fn only(state: usize, states: usize) -> Self {
        let mut words = vec![0; states.div_ceil(64)];
        if let Some(word) = words.get_mut(state / 64) {
            *word |= 1 << (state % 64);
        }
        Self(words)
    }

    fn join(&mut self, other: &Self) {
        for (word, more) in self.0.iter_mut().zip(&other.0) {
            *word |= more;
        }
    }

    fn by(&self) -> u32 {
        self.0.iter().map(|word| word.count_ones()).sum()
    }
}

/// A walk from several states' events downward, highest rank first: when an event's turn comes, everything above it has had its.
struct Walk<'a, N> {
    nodes: &'a N,
    shared: &'a Closure,
    states: u32,
    turn: BinaryHeap<(i64, Id)>,
    reached: HashMap<Id, (Arc<Node>, Reached)>,
    /// Events waiting for their turn that not all states reach.
    partial: usize,
}

impl<N: Nodes> Walk<'_, N> {
    async fn meet(&mut self, ids: &[Id], reached: &Reached) -> Result<(), Error> {
        let ids: Vec<Id> = ids.iter().copied().filter(|id| !self.shared.contains(*id)).collect();
        let nodes = self.nodes.nodes(&ids).await?;
        for (id, node) in ids.into_iter().zip(nodes) {
            if let Some((_, known)) = self.reached.get_mut(&id) {
                let was_partial = known.by() < self.states;
                known.join(reached);
                self.partial -= usize::from(was_partial && known.by() == self.states);
            } else {
                self.partial += usize::from(reached.by() < self.states);
                self.turn.push((node.rank, id));
                self.reached.insert(id, (node, reached.clone()));
            }
        }
        Ok(())
    }
}

/// The auth difference ([spec]): the events that some of the states reach and others do not. `sets` holds each state's own
/// conflicted events; `shared` is the closure of what all states agree on. An event counts as reached by the state it is in.
///
/// [spec]: https://spec.matrix.org/v1.19/rooms/v2/#definitions
pub(super) async fn difference<N: Nodes>(
    nodes: &N,
    shared: &Closure,
    sets: &[Vec<Id>],
) -> Result<BTreeSet<Id>, Error> {
    let mut walk = Walk {
        nodes,
        shared,
        states: u32::try_from(sets.len()).unwrap_or(u32::MAX),
        turn: BinaryHeap::new(),
        reached: HashMap::new(),
        partial: 0,
    };
    for (state, ids) in sets.iter().enumerate() {
        walk.meet(ids, &Reached::only(state, sets.len())).await?;
    }
    let mut difference = BTreeSet::new();
    let mut visits = 0;
    // Below events that all states reach there is nothing to find, but they take others with them.
    while walk.partial > 0
        && let Some((_, id)) = walk.turn.pop()
    {
        let Some((node, reached)) = walk.reached.get(&id).cloned() else { continue };
        if reached.by() < walk.states {
            walk.partial -= 1;
            difference.insert(id);
        }
        walk.meet(&node.auth, &reached).await?;
        visits += 1;
        if visits > VISITS_MAX {
            return Err(too_large());
        }
    }
    Ok(difference)
}

/// The conflicted state subgraph of room version 12 ([spec]): the conflicted events and all events on paths between them.
///
/// [spec]: https://spec.matrix.org/v1.19/rooms/v12/#state-resolution
pub(super) async fn subgraph<N: Nodes>(
    nodes: &N,
    conflicted: &BTreeSet<Id>,
) -> Result<BTreeSet<Id>, Error> {
    let ids: Vec<Id> = conflicted.iter().copied().collect();
    let found = nodes.nodes(&ids).await?;
    let lowest = found.iter().map(|node| node.rank).min().unwrap_or_default();
    let mut seen: HashMap<Id, Arc<Node>> = HashMap::new();
    let mut open: Vec<(Id, Arc<Node>)> = ids.into_iter().zip(found).collect();
    while !open.is_empty() {
        open.retain(|(id, node)| node.rank >= lowest && !seen.contains_key(id));
        seen.extend(open.iter().cloned());
        if seen.len() > VISITS_MAX {
            return Err(too_large());
        }
        let mut below: Vec<Id> =
            open.iter().flat_map(|(_, node)| node.auth.iter().copied()).collect();
        below.sort_unstable();
        below.dedup();
        below.retain(|id| !seen.contains_key(id));
        let found = nodes.nodes(&below).await?;
        open = below.into_iter().zip(found).collect();
    }
    let mut upward: Vec<(i64, Id)> = seen.iter().map(|(id, node)| (node.rank, *id)).collect();
    upward.sort_unstable();
    let mut between = conflicted.clone();
    for (_, id) in upward {
        let leads = |node: &Arc<Node>| node.auth.iter().any(|auth| between.contains(auth));
        if seen.get(&id).is_some_and(leads) {
            between.insert(id);
        }
    }
    Ok(between)
}
