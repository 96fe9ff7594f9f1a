//! Random room histories with forks: what our resolution makes of them against ruma's, which shares no code with it.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use rand::{Rng as _, SeedableRng as _, rngs::StdRng, seq::IndexedRandom as _};
use ruma::{
    OwnedEventId, RoomVersionId,
    events::StateEventType,
    room_version_rules::{RoomVersionRules, StateResolutionVersion},
    state_res,
};
use serde_json::{Value, json};

use super::{Closure, Conflict, Key, Node, Source, graph::Nodes, settle};
use crate::{
    messaging::{
        Error, Pdu,
        build::AuthState,
        state::{Lineage, StateMap},
    },
    storage::Id,
};

/// Histories of one run of the test; `TERN_HISTORIES` asks for more.
const HISTORIES: u64 = 1_200;
const USERS: [&str; 5] =
    ["@u0:example.org", "@u1:example.org", "@u2:example.org", "@u3:example.org", "@u4:example.org"];

/// A room in memory.
struct World {
    version: RoomVersionId,
    rules: RoomVersionRules,
    room_id: String,
    pdus: HashMap<Id, Arc<Pdu>>,
    names: HashMap<OwnedEventId, Id>,
    nodes: HashMap<Id, Arc<Node>>,
    slots: BTreeMap<(String, String), Id>,
    /// The state after each event, in the order of their making.
    after: BTreeMap<Id, Lineage>,
    snapshots: Id,
    rng: StdRng,
}

impl Nodes for World {
    async fn nodes(&self, ids: &[Id]) -> Result<Vec<Arc<Node>>, Error> {
        Ok(ids.iter().map(|id| self.nodes[id].clone()).collect())
    }
}

impl Source for World {
    async fn pdus(&self, ids: &[Id]) -> Result<Vec<Arc<Pdu>>, Error> {
        Ok(ids.iter().filter_map(|id| self.pdus.get(id).cloned()).collect())
    }

    async fn slot(&self, key: &Key) -> Result<Option<Id>, Error> {
        Ok(self.slots.get(&(key.0.to_string(), key.1.clone())).copied())
    }

    async fn key(&self, slot: Id) -> Result<Key, Error> {
        let (name, _) = self.slots.iter().find(|(_, id)| **id == slot).unwrap();
        Ok((name.0.as_str().into(), name.1.clone()))
    }
}

/// An event that somebody wants to send.
struct Wish {
    sender: &'static str,
    event_type: &'static str,
    state_key: String,
    content: Value,
}

impl World {
    fn new(seed: u64) -> Self {
        let versions = [
            RoomVersionId::V6,
            RoomVersionId::V7,
            RoomVersionId::V8,
            RoomVersionId::V9,
            RoomVersionId::V10,
            RoomVersionId::V11,
            // The only ones that resolve by v2.1.
            RoomVersionId::V12,
            RoomVersionId::V12,
            RoomVersionId::V12,
        ];
        let version = versions[usize::try_from(seed).unwrap() % versions.len()].clone();
        let rules = version.rules().unwrap();
        Self {
            version,
            rules,
            room_id: "!room:example.org".to_owned(),
            pdus: HashMap::new(),
            names: HashMap::new(),
            nodes: HashMap::new(),
            slots: BTreeMap::new(),
            after: BTreeMap::new(),
            snapshots: 1_000_000,
            rng: StdRng::seed_from_u64(seed),
        }
    }

    fn event_id(&mut self) -> String {
        let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
        let char = |_| char::from(*alphabet.choose(&mut self.rng).unwrap());
        format!("${}", (0..43).map(char).collect::<String>())
    }

    /// The first events of the room, in a line.
    fn begin(&mut self) -> Vec<Id> {
        let create = if self.version == RoomVersionId::V12 {
            json!({ "room_version": "12" })
        } else {
            json!({ "room_version": self.version.as_str(), "creator": USERS[0] })
        };
        let mut levels =
            json!({ "users": { USERS[1]: 50 }, "users_default": 0, "state_default": 50 });
        if self.version != RoomVersionId::V12 {
            levels["users"][USERS[0]] = json!(100);
        }
        let rules = json!({ "join_rule": "public" });
        let join = json!({ "membership": "join" });
        let wish = |event_type, state_key: &str, content| Wish {
            sender: USERS[0],
            event_type,
            state_key: state_key.to_owned(),
            content,
        };
        let first = [
            wish("m.room.create", "", create),
            wish("m.room.member", USERS[0], join),
            wish("m.room.power_levels", "", levels),
            wish("m.room.join_rules", "", rules),
        ];
        let mut ids: Vec<Id> = Vec::new();
        for wish in first {
            let prevs: Vec<Id> = ids.last().copied().into_iter().collect();
            let before = ids.last().map_or_else(Lineage::default, |id| self.after[id].clone());
            ids.push(self.send(&wish, &prevs, &before).expect("the room cannot begin"));
        }
        ids
    }

    fn wish(&mut self) -> Wish {
        let sender = *USERS.choose(&mut self.rng).unwrap();
        let target = *USERS.choose(&mut self.rng).unwrap();
        let member = |membership: &str| json!({ "membership": membership, "n": sender.len() });
        let (event_type, state_key, content) = match self.rng.random_range(0..17) {
            0..4 => ("m.room.member", sender, member("join")),
            4 => ("m.room.member", sender, member("leave")),
            5 => ("m.room.member", target, member("leave")),
            6 | 7 => ("m.room.member", target, member("ban")),
            8 => ("m.room.member", target, member("invite")),
            9 | 10 => ("m.room.power_levels", "", self.levels()),
            11 => {
                let rules = ["public", "invite", "knock", "restricted", "knock_restricted"];
                let rule = *rules.choose(&mut self.rng).unwrap();
                let allow =
                    json!([{ "type": "m.room_membership", "room_id": "!other:example.org" }]);
                ("m.room.join_rules", "", json!({ "join_rule": rule, "allow": allow }))
            }
            // Versions that know no knocks and no restricted joins refuse them.
            14 => ("m.room.member", sender, member("knock")),
            15 | 16 => {
                let via =
                    json!({ "membership": "join", "join_authorised_via_users_server": target });
                ("m.room.member", sender, via)
            }
            12 => ("m.room.topic", "", json!({ "topic": self.rng.random_range(0..9) })),
            _ => ("org.example.note", target, json!({ "n": self.rng.random_range(0..9) })),
        };
        Wish { sender, event_type, state_key: state_key.to_owned(), content }
    }

    fn levels(&mut self) -> Value {
        let mut users = serde_json::Map::new();
        for user in USERS {
            // Creators have no level since version 12.
            if user == USERS[0] && self.version == RoomVersionId::V12 {
                continue;
            }
            let level = [0, 0, 50, 60, 100].choose(&mut self.rng).unwrap();
            users.insert(user.to_owned(), json!(if user == USERS[0] { &100 } else { level }));
        }
        let state = [0, 50].choose(&mut self.rng).unwrap();
        json!({ "users": users, "users_default": 0, "state_default": state, "ban": 50, "kick": 50 })
    }

    /// Adds the event if the rules allow it in the state before it.
    fn send(&mut self, wish: &Wish, prevs: &[Id], before: &Lineage) -> Option<Id> {
        let is_create = wish.event_type == "m.room.create";
        let event_id = self.event_id();
        if is_create && self.version == RoomVersionId::V12 {
            self.room_id = event_id.replacen('$', "!", 1);
        }
        let content = serde_json::value::to_raw_value(&wish.content).unwrap();
        let wanted = state_res::auth_types_for_event(
            &wish.event_type.into(),
            wish.sender.try_into().unwrap(),
            Some(&wish.state_key),
            &content,
            &self.rules.authorization,
        );
        let mut auth = Vec::new();
        for key in wanted.ok()? {
            let slot = self.slots.get(&(key.0.to_string(), key.1));
            auth.extend(slot.and_then(|slot| before.get(*slot)));
        }
        let name = |id: &Id| self.pdus[id].event_id.clone();
        let mut json = json!({
            "type": wish.event_type, "sender": wish.sender, "state_key": wish.state_key,
            "content": wish.content, "depth": prevs.len(), "room_id": self.room_id,
            "prev_events": prevs.iter().map(name).collect::<Vec<_>>(),
            "auth_events": auth.iter().map(name).collect::<Vec<_>>(),
            // Few times, so that many are equal.
            "origin_server_ts": self.rng.random_range(1..12),
        });
        if is_create && self.version == RoomVersionId::V12 {
            json.as_object_mut().unwrap().remove("room_id");
        }
        let bytes: Vec<u8> = serde_json::to_vec(&json).unwrap();
        let id = Id::try_from(self.pdus.len()).unwrap() + 1;
        let mut pdu = Pdu::parse(event_id.try_into().unwrap(), bytes.into(), &self.rules).unwrap();
        pdu.id = id;
        if !is_create && !self.is_allowed(&pdu, before) {
            return None;
        }
        let slots = Id::try_from(self.slots.len()).unwrap() + 1;
        let slot_name = (wish.event_type.to_owned(), wish.state_key.clone());
        let slot = *self.slots.entry(slot_name).or_insert(slots);
        let rank = auth.iter().map(|id| self.nodes[id].rank + 1).max().unwrap_or_default();
        self.nodes.insert(id, Arc::new(Node { slot, rank, auth: auth.into() }));
        self.names.insert(pdu.event_id.clone(), id);
        self.pdus.insert(id, Arc::new(pdu));
        self.snapshots += 1;
        let (mut after, _) = before.clone().attach(self.snapshots);
        self.snapshots += 1;
        after.advance(self.snapshots, &StateMap::from([(slot, id)]));
        self.after.insert(id, after);
        Some(id)
    }

    fn is_allowed(&self, pdu: &Pdu, before: &Lineage) -> bool {
        let state: AuthState = before
            .state()
            .values()
            .map(|id| self.pdus[id].clone())
            .map(|pdu| ((pdu.event_type.to_string().into(), pdu.state_key.clone().unwrap()), pdu))
            .collect();
        let find = |event_type: &StateEventType, state_key: &str| {
            state.get(&(event_type.clone(), state_key.to_owned())).cloned()
        };
        state_res::check_state_dependent_auth_rules(&self.rules.authorization, pdu, find).is_ok()
    }

    /// Everything that `roots` are and are authorised by.
    fn chain(&self, roots: impl IntoIterator<Item = Id>) -> HashSet<Id> {
        let (mut chain, mut open) = (HashSet::new(), Vec::from_iter(roots));
        while let Some(id) = open.pop() {
            if chain.insert(id) {
                open.extend(self.nodes[&id].auth.iter());
            }
        }
        chain
    }

    fn named(&self, ids: impl IntoIterator<Item = Id>) -> HashSet<OwnedEventId> {
        ids.into_iter().map(|id| self.pdus[&id].event_id.clone()).collect()
    }

    /// ruma's word on the same states.
    fn oracle(&self, states: &[Lineage]) -> BTreeSet<Id> {
        let StateResolutionVersion::V2(rules) = self.rules.state_res else { unreachable!() };
        let key = |pdu: &Pdu| (pdu.event_type.to_string().into(), pdu.state_key.clone().unwrap());
        let named = |state: &Lineage| -> state_res::StateMap<OwnedEventId> {
            let pdus = state.state().into_values().map(|id| self.pdus[&id].clone());
            pdus.map(|pdu| (key(&pdu), pdu.event_id.clone())).collect()
        };
        let maps: Vec<_> = states.iter().map(named).collect();
        let chain = |state: &Lineage| self.named(self.chain(state.state().into_values()));
        let chains = states.iter().map(|state| chain(state).into_iter().collect()).collect();
        let subgraph = |conflicted: &state_res::StateMap<Vec<OwnedEventId>>| {
            let ends: HashSet<Id> =
                conflicted.values().flatten().map(|id| self.names[id]).collect();
            let below = self.chain(ends.iter().copied());
            let leads = |id: &Id| self.chain([*id]).iter().any(|id| ends.contains(id));
            Some(self.named(below.into_iter().filter(leads)).into_iter().collect())
        };
        let resolved = state_res::resolve(
            &self.rules.authorization,
            &rules,
            &maps,
            chains,
            |name| self.names.get(name).map(|id| self.pdus[id].clone()),
            subgraph,
        );
        resolved.unwrap().into_values().map(|name| self.names[&name]).collect()
    }
}

/// One history: everybody does something again and again, on what they happen to have seen. Gives the number of resolutions.
async fn history(seed: u64) -> usize {
    let mut world = World::new(seed);
    let mut ids = world.begin();
    let mut closure = Closure::default();
    let mut resolutions = 0;
    for _ in 0..world.rng.random_range(12..40) {
        // Mostly the newest, so that forks are short, and sometimes long.
        let reach = if world.rng.random_ratio(1, 6) { ids.len() } else { ids.len().min(5) };
        let recent = ids[ids.len() - reach..].to_vec();
        let count = world.rng.random_range(1..=3.min(recent.len()));
        let prevs: Vec<Id> = recent.choose_multiple(&mut world.rng, count).copied().collect();
        let states: Vec<Lineage> = prevs.iter().map(|id| world.after[id].clone()).collect();
        let changes = match Conflict::between(&states) {
            Some(conflict) => settle(&world, &world.rules, &mut closure, &conflict).await.unwrap(),
            None => StateMap::new(),
        };
        let before = states[0].clone().with_changes(changes);
        if states.len() > 1 {
            resolutions += 1;
            let ours: BTreeSet<Id> = before.state().into_values().collect();
            let theirs = world.oracle(&states);
            assert_eq!(ours, theirs, "seed {seed}, version {}, after {prevs:?}", world.version);
        }
        let wish = world.wish();
        ids.extend(world.send(&wish, &prevs, &before));
    }
    resolutions
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn random_histories_resolve_as_the_reference_resolves_them() {
    let asked = std::env::var("TERN_HISTORIES").ok().and_then(|count| count.parse().ok());
    let histories = asked.unwrap_or(HISTORIES);
    let mut resolutions = 0;
    for seed in 0..histories {
        resolutions += history(seed).await;
    }
    assert!(resolutions > usize::try_from(histories).unwrap() * 5, "{resolutions} resolutions");
}

#[tokio::test]
async fn the_closure_follows_the_state_exactly() {
    for seed in 0..60 {
        let mut world = World::new(seed);
        let mut ids = world.begin();
        let mut closure = Closure::default();
        for _ in 0..60 {
            let prev = *ids.choose(&mut world.rng).unwrap();
            let before = world.after[&prev].clone();
            let wish = world.wish();
            ids.extend(world.send(&wish, &[prev], &before));
            let at = world.after[ids.choose(&mut world.rng).unwrap()].clone();
            let slots: Vec<Id> = at.state().into_keys().collect();
            let without: BTreeSet<Id> = slots.choose_multiple(&mut world.rng, 2).copied().collect();
            closure.move_to(&world, &at, &without).await.unwrap();
            let kept = at.state().into_iter().filter(|(slot, _)| !without.contains(slot));
            let expected = world.chain(kept.map(|(_, id)| id));
            assert!(ids.iter().all(|id| closure.contains(*id) == expected.contains(id)));
        }
    }
}
