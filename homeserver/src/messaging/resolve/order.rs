//! The two orders of state resolution: power events by power, everything else along the mainline.
//!
//! Spec: <https://spec.matrix.org/v1.19/rooms/v2/#definitions>.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet, BinaryHeap, HashMap},
    sync::Arc,
};

use ruma::{
    MilliSecondsSinceUnixEpoch, OwnedEventId,
    events::{StateEventType, TimelineEventType},
    room_version_rules::AuthorizationRules,
};

use super::{
    super::{
        Error, Membership, Pdu,
        build::standing,
        power::{self, Power},
    },
    Candidate, Candidates,
    graph::{Nodes, node},
};
use crate::storage::Id;

/// Whether an event can take somebody's power away.
fn is_power_event(pdu: &Pdu) -> bool {
    match pdu.event_type {
        TimelineEventType::RoomPowerLevels
        | TimelineEventType::RoomJoinRules
        | TimelineEventType::RoomCreate => pdu.state_key.as_deref() == Some(""),
        TimelineEventType::RoomMember => {
            matches!(standing(pdu), Some(Membership::Leave | Membership::Ban))
                && pdu.state_key.as_deref() != Some(pdu.sender.as_str())
        }
        _ => false,
    }
}

/// The power of an event's sender, as its own auth events have it.
fn sender_power(
    rules: &AuthorizationRules,
    create: Option<&Arc<Pdu>>,
    candidate: &Candidate,
) -> Power {
    let levels = candidate.auth.iter().find(|auth| auth.fills("m.room.power_levels", ""));
    let create = candidate.auth.iter().find(|auth| auth.fills("m.room.create", "")).or(create);
    power::of_events(rules, create.cloned(), levels.cloned()).of(&candidate.pdu.sender)
}

type PowerKey = (Reverse<Power>, MilliSecondsSinceUnixEpoch, OwnedEventId);

/// The power events among `candidates` and what of `candidates` authorises them, earliest first: the reverse topological power
/// ordering.
pub(super) fn by_power(
    rules: &AuthorizationRules,
    create: Option<&Arc<Pdu>>,
    candidates: &Candidates,
) -> Vec<Id> {
    let mut waiting: BTreeMap<Id, usize> = BTreeMap::new();
    let mut dependants: BTreeMap<Id, Vec<Id>> = BTreeMap::new();
    let is_power = |(_, candidate): &(&Id, &Candidate)| is_power_event(&candidate.pdu);
    let mut open: Vec<Id> = candidates.iter().filter(is_power).map(|(id, _)| *id).collect();
    while let Some(id) = open.pop() {
        let Some(candidate) = candidates.get(&id).filter(|_| !waiting.contains_key(&id)) else {
            continue;
        };
        let auth: BTreeSet<Id> = candidate.auth.iter().map(|auth| auth.id).collect();
        let inside: Vec<Id> = auth.into_iter().filter(|id| candidates.contains_key(id)).collect();
        waiting.insert(id, inside.len());
        for auth in inside {
            dependants.entry(auth).or_default().push(id);
            open.push(auth);
        }
    }
    let key = |id: Id| -> Option<PowerKey> {
        let candidate = candidates.get(&id)?;
        let power = sender_power(rules, create, candidate);
        let Pdu { origin_server_ts, event_id, .. } = &*candidate.pdu;
        Some((Reverse(power), *origin_server_ts, event_id.clone()))
    };
    let free = waiting.iter().filter(|(_, count)| **count == 0);
    let mut ready: BinaryHeap<Reverse<(Option<PowerKey>, Id)>> =
        free.map(|(id, _)| Reverse((key(*id), *id))).collect();
    let mut sorted = Vec::with_capacity(waiting.len());
    while let Some(Reverse((_, id))) = ready.pop() {
        sorted.push(id);
        for dependant in dependants.remove(&id).unwrap_or_default() {
            let Some(count) = waiting.get_mut(&dependant) else { continue };
            *count -= 1;
            if *count == 0 {
                ready.push(Reverse((key(dependant), dependant)));
            }
        }
    }
    sorted
}

/// `ids` in mainline order: along the power level events that led to `levels`, the earliest first.
pub(super) async fn by_mainline(
    nodes: &impl Nodes,
    candidates: &Candidates,
    ids: Vec<Id>,
    levels: Option<&Arc<Pdu>>,
) -> Result<Vec<Id>, Error> {
    let mut mainline = Mainline::default();
    if let Some(levels) = levels {
        mainline.slot = Some(node(nodes, levels.id).await?.slot);
        mainline.next = Some(levels.id);
    }
    let mut keyed = Vec::with_capacity(ids.len());
    for id in ids {
        let Some(Candidate { pdu, .. }) = candidates.get(&id) else { continue };
        let place = mainline.place_of(nodes, id).await?;
        keyed.push(((place, pdu.origin_server_ts, pdu.event_id.clone()), id));
    }
    keyed.sort_unstable();
    Ok(keyed.into_iter().map(|(_, id)| id).collect())
}

/// The line from the power levels that hold now back to the first, known only as far back as anything asked about goes: a room's
/// age costs nothing.
#[derive(Default)]
struct Mainline {
    /// How many steps back the events of the known part are.
    line: HashMap<Id, usize>,
    /// Where the rest of it begins.
    next: Option<Id>,
    /// The event of the line that an event is based on, in steps back; `None`: on none.
    places: HashMap<Id, Place>,
    /// The slot of power level events, once one is known.
    slot: Option<Id>,
}

/// The earliest first: what is based on no event of the line, then the most steps back.
type Place = Option<Reverse<usize>>;

impl Mainline {
    /// The power level event that authorises `id`.
    async fn levels_of(&self, nodes: &impl Nodes, id: Id) -> Result<Option<Id>, Error> {
        let Some(slot) = self.slot else { return Ok(None) };
        let auth = node(nodes, id).await?.auth.clone();
        let found = nodes.nodes(&auth).await?;
        let mut pairs = auth.iter().zip(found);
        Ok(pairs.find(|(_, node)| node.slot == slot).map(|(id, _)| *id))
    }

    /// How many steps back `id` is on the line, if it is on it. Ranks only fall along the line, so it is followed no further than there.
    async fn steps_back(&mut self, nodes: &impl Nodes, id: Id) -> Result<Option<usize>, Error> {
        let rank = node(nodes, id).await?.rank;
        while let Some(next) = self.next {
            if node(nodes, next).await?.rank < rank {
                break;
            }
            self.line.insert(next, self.line.len());
            self.next = self.levels_of(nodes, next).await?;
        }
        Ok(self.line.get(&id).copied())
    }

    async fn place_of(&mut self, nodes: &impl Nodes, id: Id) -> Result<Place, Error> {
        let (mut path, mut next) = (Vec::new(), Some(id));
        let mut place = None;
        while let Some(id) = next {
            if let Some(known) = self.places.get(&id) {
                place = *known;
                break;
            }
            path.push(id);
            if let Some(steps) = self.steps_back(nodes, id).await? {
                place = Some(Reverse(steps));
                break;
            }
            next = self.levels_of(nodes, id).await?;
        }
        // Whoever comes by here again need not walk on.
        self.places.extend(path.into_iter().map(|id| (id, place)));
        Ok(place)
    }
}

/// The slot name of power levels in an [`super::AuthState`].
pub(super) fn levels_slot() -> (StateEventType, String) {
    (StateEventType::RoomPowerLevels, String::new())
}
