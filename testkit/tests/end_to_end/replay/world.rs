//! A room that the scripted peer hosts, with a history that forks: the graph, and the state after each event as ruma has it.
//!
//! The states here only make the histories plausible, for an event must name what authorises it. Who is right is what the two
//! servers agree on.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

use anyhow::{Context, Result, ensure};
use rand::{SeedableRng as _, rngs::StdRng};
use ruma::{
    CanonicalJsonObject, MilliSecondsSinceUnixEpoch, OwnedEventId, OwnedRoomId, OwnedUserId,
    RoomId, RoomVersionId, UserId,
    events::{StateEventType, TimelineEventType},
    room_version_rules::{RoomVersionRules, StateResolutionVersion},
    state_res::{
        self, auth_types_for_event, check_state_dependent_auth_rules,
        check_state_independent_auth_rules,
    },
};
use serde_json::{Value, json, value::RawValue};
use tern_testkit::{Peer, event_id};

/// When every history begins.
pub(super) const BEGINNING_MS: u64 = 1_760_000_000_000;

/// Type and state key → event.
pub(super) type State = state_res::StateMap<OwnedEventId>;

/// An event as the rules see it.
#[derive(Debug)]
pub(super) struct Event {
    pub(super) id: OwnedEventId,
    pub(super) json: CanonicalJsonObject,
    room_id: Option<OwnedRoomId>,
    pub(super) sender: OwnedUserId,
    pub(super) kind: TimelineEventType,
    pub(super) state_key: Option<String>,
    pub(super) content: Box<RawValue>,
    pub(super) at_ms: MilliSecondsSinceUnixEpoch,
    pub(super) prevs: Vec<OwnedEventId>,
    pub(super) auth: Vec<OwnedEventId>,
    /// Why ruma would not have it.
    pub(super) rejected: Option<String>,
}

impl Event {
    fn read(version: &RoomVersionId, json: CanonicalJsonObject) -> Result<Self> {
        let id = event_id(version, &json)?.try_into()?;
        let value = serde_json::to_value(&json)?;
        let field = |name: &str| value.get(name).cloned().unwrap_or_default();
        let text = |name: &str| value.get(name).and_then(Value::as_str);
        Ok(Self {
            id,
            json,
            room_id: text("room_id").map(OwnedRoomId::try_from).transpose()?,
            sender: text("sender").context("no sender")?.try_into()?,
            kind: text("type").context("no type")?.into(),
            state_key: text("state_key").map(str::to_owned),
            content: serde_json::value::to_raw_value(&field("content"))?,
            at_ms: serde_json::from_value(field("origin_server_ts"))?,
            prevs: serde_json::from_value(field("prev_events"))?,
            auth: serde_json::from_value(field("auth_events"))?,
            rejected: None,
        })
    }

    fn slot(&self) -> Option<(StateEventType, String)> {
        Some((self.kind.to_string().into(), self.state_key.clone()?))
    }
}

impl state_res::Event for Event {
    type Id = OwnedEventId;

    fn event_id(&self) -> &OwnedEventId {
        &self.id
    }

    fn room_id(&self) -> Option<&RoomId> {
        self.room_id.as_deref()
    }

    fn sender(&self) -> &UserId {
        &self.sender
    }

    fn origin_server_ts(&self) -> MilliSecondsSinceUnixEpoch {
        self.at_ms
    }

    fn event_type(&self) -> &TimelineEventType {
        &self.kind
    }

    fn content(&self) -> &RawValue {
        &self.content
    }

    fn state_key(&self) -> Option<&str> {
        self.state_key.as_deref()
    }

    fn prev_events(&self) -> Box<dyn DoubleEndedIterator<Item = &OwnedEventId> + '_> {
        Box::new(self.prevs.iter())
    }

    fn auth_events(&self) -> Box<dyn DoubleEndedIterator<Item = &OwnedEventId> + '_> {
        Box::new(self.auth.iter())
    }

    fn redacts(&self) -> Option<&OwnedEventId> {
        None
    }

    fn rejected(&self) -> bool {
        self.rejected.is_some()
    }
}

/// What somebody wants to send.
#[derive(Debug, Clone)]
pub(super) struct Wish {
    pub(super) sender: String,
    pub(super) kind: &'static str,
    pub(super) state_key: Option<String>,
    pub(super) content: Value,
}

/// The room.
pub(super) struct World {
    pub(super) seed: u64,
    pub(super) version: RoomVersionId,
    pub(super) rules: RoomVersionRules,
    pub(super) room_id: String,
    /// Those whom the history moves about; the first made the room.
    pub(super) users: Vec<String>,
    /// Somebody who is in the room for good, and may always speak.
    pub(super) herald: String,
    pub(super) events: HashMap<OwnedEventId, Arc<Event>>,
    /// In the order of their making.
    pub(super) order: Vec<OwnedEventId>,
    /// Where the history can go on: what nothing follows.
    pub(super) ends: Vec<OwnedEventId>,
    /// How many events there are before the history begins.
    pub(super) begun: usize,
    pub(super) rng: StdRng,
    after: HashMap<OwnedEventId, State>,
    depths: HashMap<OwnedEventId, u64>,
}

impl World {
    /// A public room of a version from 6 to 12, by its seed.
    pub(super) fn new(peer: &Peer, seed: u64) -> Result<Self> {
        let number = 6 + seed % 7;
        let version = RoomVersionId::try_from(number.to_string())?;
        let rules = version.rules().context("unknown room version")?;
        let mut world = Self {
            seed,
            rules,
            room_id: format!("!history{seed}:{}", peer.name()),
            users: (0..5).map(|number| peer.user_id(&format!("u{number}"))).collect(),
            herald: peer.user_id("herald"),
            events: HashMap::new(),
            order: Vec::new(),
            ends: Vec::new(),
            begun: 0,
            rng: StdRng::seed_from_u64(seed),
            after: HashMap::new(),
            depths: HashMap::new(),
            version,
        };
        world.begin(peer, number)?;
        Ok(world)
    }

    fn begin(&mut self, peer: &Peer, version: u64) -> Result<()> {
        let (creator, herald) = (self.user(0), self.herald.clone());
        let mut create = json!({ "room_version": version.to_string() });
        let mut levels = json!({ "users": { &self.user(1): 50 } });
        if version < 11 {
            set(&mut create, "creator", json!(creator));
        }
        if version < 12 {
            set(&mut levels, "users", json!({ &creator: 100, &self.user(1): 50 }));
        } else if self.seed.is_multiple_of(2) {
            set(&mut create, "additional_creators", json!([self.user(2)]));
        }
        // Whoever makes two rooms of one content in one millisecond makes one room of version 12.
        set(&mut create, "org.example.seed", json!(self.seed));
        let join = json!({ "membership": "join" });
        let rule = json!({ "join_rule": "public" });
        for (sender, kind, state_key, content) in [
            (&creator, "m.room.create", "", create),
            (&creator, "m.room.member", creator.as_str(), join.clone()),
            (&creator, "m.room.power_levels", "", levels),
            (&creator, "m.room.join_rules", "", rule),
            (&herald, "m.room.member", herald.as_str(), join),
        ] {
            let (sender, state_key) = (sender.clone(), Some(state_key.to_owned()));
            let wish = Wish { sender, kind, state_key, content };
            let before = self.state_before(&self.ends)?;
            let json = peer.sign_event(&self.version, self.event(&wish, &self.ends, &before)?)?;
            let event = self.judged(json, &before)?;
            if kind == "m.room.create" && version >= 12 {
                self.room_id = event.id.as_str().replacen('$', "!", 1);
            }
            ensure!(event.rejected.is_none(), "{kind}: {:?}", event.rejected);
            self.add(event, before);
        }
        self.begun = self.order.len();
        Ok(())
    }

    pub(super) fn user(&self, index: usize) -> String {
        self.users.get(index).cloned().unwrap_or_default()
    }

    /// The state before an event that follows `prevs`.
    pub(super) fn state_before(&self, prevs: &[OwnedEventId]) -> Result<State> {
        let mut states: Vec<&State> = prevs.iter().filter_map(|id| self.after.get(id)).collect();
        states.dedup();
        if let [only] = states.as_slice() {
            return Ok((*only).clone());
        }
        let StateResolutionVersion::V2(rules) = self.rules.state_res else {
            return Ok(State::new());
        };
        let chain = |state: &&State| self.chain(state.values()).into_iter().collect();
        let chains = states.iter().map(chain).collect();
        let subgraph = |conflicted: &state_res::StateMap<Vec<OwnedEventId>>| {
            let ends: BTreeSet<&OwnedEventId> = conflicted.values().flatten().collect();
            let below = self.chain(ends.iter().copied());
            let leads = |id: &OwnedEventId| self.chain([id]).iter().any(|id| ends.contains(id));
            Some(below.into_iter().filter(leads).collect())
        };
        let find = |id: &ruma::EventId| self.events.get(id).cloned();
        let auth = &self.rules.authorization;
        Ok(state_res::resolve(auth, &rules, states, chains, find, subgraph)?)
    }

    /// These events and everything that authorises them.
    fn chain<'a>(
        &'a self,
        roots: impl IntoIterator<Item = &'a OwnedEventId>,
    ) -> BTreeSet<OwnedEventId> {
        let (mut chain, mut open) = (BTreeSet::new(), Vec::from_iter(roots));
        while let Some(id) = open.pop() {
            if chain.insert(id.clone()) {
                open.extend(self.events.get(id).into_iter().flat_map(|event| &event.auth));
            }
        }
        chain
    }

    /// The event that `wish` is about, after `prevs`, not signed.
    pub(super) fn event(
        &self,
        wish: &Wish,
        prevs: &[OwnedEventId],
        before: &State,
    ) -> Result<Value> {
        let auth = self.auth_events(wish, before)?;
        let depth = prevs.iter().filter_map(|id| self.depths.get(id)).max();
        let mut event = json!({
            "type": wish.kind, "room_id": self.room_id, "sender": wish.sender, "content": wish.content,
            "origin_server_ts": BEGINNING_MS, "depth": depth.map_or(1, |depth| depth + 1),
            "prev_events": prevs, "auth_events": auth,
        });
        if let Some(state_key) = &wish.state_key {
            set(&mut event, "state_key", json!(state_key));
        }
        let names_room = self.rules.authorization.room_create_event_id_as_room_id;
        if names_room && self.order.is_empty() {
            event.as_object_mut().context("no object")?.remove("room_id");
        }
        Ok(event)
    }

    fn auth_events(&self, wish: &Wish, before: &State) -> Result<Vec<OwnedEventId>> {
        let content = serde_json::value::to_raw_value(&wish.content)?;
        let sender = <&UserId>::try_from(wish.sender.as_str())?;
        let rules = &self.rules.authorization;
        let state_key = wish.state_key.as_deref();
        let wanted = auth_types_for_event(&wish.kind.into(), sender, state_key, &content, rules);
        // What does not read is refused anyway.
        Ok(wanted.unwrap_or_default().iter().filter_map(|key| before.get(key).cloned()).collect())
    }

    /// What ruma says of an event of `json`, without adding it.
    pub(super) fn judged(&self, json: CanonicalJsonObject, before: &State) -> Result<Event> {
        let mut event = Event::read(&self.version, json)?;
        event.rejected = self.judge(&event, before).err();
        Ok(event)
    }

    fn judge(&self, event: &Event, before: &State) -> Result<(), String> {
        let rules = &self.rules.authorization;
        check_state_independent_auth_rules(rules, event, |id| self.events.get(id).cloned())?;
        let create = (StateEventType::RoomCreate, String::new());
        let mut own: State = event
            .auth
            .iter()
            .filter_map(|id| Some((self.events.get(id)?.slot()?, id.clone())))
            .collect();
        if let (true, Some(id)) = (rules.room_create_event_id_as_room_id, before.get(&create)) {
            own.insert(create, id.clone());
        }
        for state in [&own, before] {
            let find = |kind: &StateEventType, state_key: &str| {
                let id = state.get(&(kind.clone(), state_key.to_owned()))?;
                self.events.get(id).cloned()
            };
            check_state_dependent_auth_rules(rules, event, find)?;
        }
        Ok(())
    }

    /// Adds an event that stands on `before`.
    pub(super) fn add(&mut self, event: Event, before: State) {
        let mut after = before;
        if event.rejected.is_none() {
            after.extend(event.slot().map(|slot| (slot, event.id.clone())));
            self.ends.retain(|end| !event.prevs.contains(end));
            self.ends.push(event.id.clone());
        }
        let depth = event.prevs.iter().filter_map(|id| self.depths.get(id)).max();
        self.depths.insert(event.id.clone(), depth.map_or(1, |depth| depth + 1));
        self.after.insert(event.id.clone(), after);
        self.order.push(event.id.clone());
        self.events.insert(event.id.clone(), Arc::new(event));
    }

    /// The events of a state, signed as they are.
    pub(super) fn jsons<'a>(
        &'a self,
        ids: impl IntoIterator<Item = &'a OwnedEventId>,
    ) -> Vec<&'a CanonicalJsonObject> {
        ids.into_iter().filter_map(|id| Some(&self.events.get(id)?.json)).collect()
    }
}

/// Sets a field of an object.
pub(super) fn set(object: &mut Value, key: &str, value: Value) {
    if let Some(fields) = object.as_object_mut() {
        fields.insert(key.to_owned(), value);
    }
}
