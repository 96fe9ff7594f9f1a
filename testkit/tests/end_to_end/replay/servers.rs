//! The two servers that are told, and what they make of it.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use rand::Rng as _;
use reqwest::Method;
use ruma::{CanonicalJsonObject, OwnedEventId};
use serde_json::{Value, json};
use tern_testkit::{Api, Loopback, Peer, Synapse, Ternd, encode, until};
use tokio::{sync::Semaphore, task::JoinSet};

use super::world::{Wish, World};
use crate::people::PASSWORD;

/// Rooms joined at the same time.
const JOINS_AT_ONCE: usize = 4;
/// Synapse needs its time for a room's history, and for those of 49 others before it.
const LIMIT: Duration = Duration::from_secs(120);
/// Merges whose states are compared, of one history.
const MERGES_MAX: usize = 6;

/// A scripted peer, and one user on each of the servers it tells its histories.
pub(super) struct Pair {
    peer: Arc<Peer>,
    ternd: Ternd,
    synapse: Synapse,
    alice: Api,
    bob: Api,
}

/// What came of one history.
pub(super) struct Judged {
    pub(super) seed: u64,
    pub(super) events: usize,
    pub(super) merges: usize,
    /// What became of its events, in words.
    pub(super) outcomes: BTreeSet<&'static str>,
    /// Where the servers differ, with the whole history.
    pub(super) difference: Option<String>,
}

/// A room as one server's user sees it.
#[derive(Debug, PartialEq)]
struct Seen {
    state: BTreeMap<(String, String), String>,
    timeline: BTreeSet<String>,
}

impl Seen {
    async fn read(api: &Api, room_id: &str) -> Result<Self> {
        let path = format!("/_matrix/client/v3/rooms/{}/state", encode(room_id));
        let state = api.get(&path).await?.ok()?;
        let text = |event: &Value, key: &str| {
            event.get(key).and_then(Value::as_str).unwrap_or_default().to_owned()
        };
        let slot = |event: &Value| {
            ((text(event, "type"), text(event, "state_key")), text(event, "event_id"))
        };
        let timeline = api.messages(room_id).await?;
        Ok(Self {
            state: state.as_array().context("no state")?.iter().map(slot).collect(),
            timeline: timeline.iter().map(|event| text(event, "event_id")).collect(),
        })
    }
}

impl Pair {
    pub(super) async fn start(loopback: &Loopback) -> Result<Self> {
        let ternd = loopback.ternd("localhost").registration("open");
        let ternd = ternd.log_level("warn").start().await?;
        let synapse = loopback.synapse_builder().without_presence().log_level("WARNING");
        let synapse = synapse.start().await?;
        let alice = ternd.api().register_openly("alice", PASSWORD).await?;
        let bob = synapse.register("bob", PASSWORD).await?;
        // Synapse asks the system's resolver, which need not know names below localhost.
        let peer = Arc::new(Peer::start(loopback, "localhost").await?);
        Ok(Self { peer, ternd, synapse, alice, bob })
    }

    /// Tells both servers the histories with these seeds, and compares.
    pub(super) async fn play(&self, seeds: &[u64]) -> Result<Vec<Judged>> {
        let mut worlds = self.open(seeds).await?;
        for world in &mut worlds {
            for _ in 0..world.rng.random_range(10..26) {
                world.go_on(&self.peer)?;
            }
            world.conclude(&self.peer)?;
        }
        let longest = worlds.iter().map(|world| world.order.len()).max().unwrap_or_default();
        let begun = worlds.first().map_or(0, |world| world.begun);
        for step in begun..longest {
            let ids = worlds.iter().filter_map(|world| Some((world, world.order.get(step)?)));
            let pdus = ids.filter_map(|(world, id)| Some(world.events.get(id)?.json.clone()));
            self.tell(&pdus.collect::<Vec<_>>()).await?;
        }
        let mut judged = Vec::new();
        for world in &worlds {
            judged.push(self.compare(world).await?);
        }
        Ok(judged)
    }

    /// The same to both, at the same time.
    async fn tell(&self, pdus: &[CanonicalJsonObject]) -> Result<()> {
        let (one, other) = tokio::join!(
            self.peer.send(self.ternd.name(), pdus),
            self.peer.send(self.synapse.name(), pdus),
        );
        one?.ok()?;
        other?.ok()?;
        Ok(())
    }

    /// Rooms with these seeds, joined by alice and by bob.
    async fn open(&self, seeds: &[u64]) -> Result<Vec<World>> {
        let turns = Arc::new(Semaphore::new(JOINS_AT_ONCE));
        let mut joining = JoinSet::new();
        for seed in seeds {
            let mut world = World::new(&self.peer, *seed)?;
            let (peer, turns) = (self.peer.clone(), turns.clone());
            let (alice, bob) = (self.alice.clone(), self.bob.clone());
            joining.spawn(async move {
                let _turn = turns.acquire().await?;
                join(&peer, &mut world, &alice).await?;
                join(&peer, &mut world, &bob).await?;
                anyhow::Ok(world)
            });
        }
        let mut worlds = Vec::new();
        while let Some(world) = joining.join_next().await {
            worlds.push(world??);
        }
        worlds.sort_by_key(|world| world.seed);
        // Who comes second is known to the first by what the peer sends on.
        let bobs: Vec<CanonicalJsonObject> = worlds
            .iter_mut()
            .filter_map(|world| {
                let id = world.order.last()?;
                world.begun = world.order.len();
                Some(world.events.get(id)?.json.clone())
            })
            .collect();
        self.peer.send(self.ternd.name(), &bobs).await?.ok()?;
        Ok(worlds)
    }

    async fn compare(&self, world: &World) -> Result<Judged> {
        let last = world.order.last().context("no event")?;
        let path = format!(
            "/_matrix/client/v3/rooms/{}/event/{}",
            encode(&world.room_id),
            encode(last.as_str())
        );
        let mut notes = Vec::new();
        for api in [&self.alice, &self.bob] {
            let told = until("the end of a history", LIMIT, async || {
                Ok((api.get(&path).await?.status == 200).then_some(()))
            });
            notes.extend(told.await.err().map(|error| format!("{}: {error}", api.user_id())));
        }
        let ternd = Seen::read(&self.alice, &world.room_id).await?;
        let synapse = Seen::read(&self.bob, &world.room_id).await?;
        if ternd.state != synapse.state {
            notes.push(differs("the current state", world, &ternd.state, &synapse.state));
        }
        let history = world.order.get(world.begun..).unwrap_or_default();
        let in_timeline = |seen: &Seen, id: &OwnedEventId| seen.timeline.contains(id.as_str());
        let let_in_by = |id: &OwnedEventId| (in_timeline(&ternd, id), in_timeline(&synapse, id));
        let mut outcomes = BTreeSet::new();
        for id in history {
            let (ours, theirs) = let_in_by(id);
            if ours != theirs {
                notes.push(format!("{id} is let in by ternd: {ours}, by Synapse: {theirs}"));
            }
            let rejected = world.events.get(id).is_some_and(|event| event.rejected.is_some());
            outcomes.insert(match (ours, rejected) {
                (true, _) => "accepted",
                (false, true) => "rejected",
                (false, false) => "soft-failed",
            });
        }
        let merges = self.merges(world, &synapse);
        for id in &merges {
            notes.extend(self.compare_before(world, id).await?);
        }
        let word = |id: &OwnedEventId| {
            let (ours, theirs) = let_in_by(id);
            format!("ternd: {ours}, Synapse: {theirs}")
        };
        let difference =
            (!notes.is_empty()).then(|| format!("{}\n{}", world.told(word), notes.join("\n")));
        let (seed, events, merges) = (world.seed, history.len(), merges.len());
        Ok(Judged { seed, events, merges, outcomes, difference })
    }

    /// The last of the events that draw branches together.
    fn merges(&self, world: &World, seen: &Seen) -> Vec<OwnedEventId> {
        let merges = |id: &&OwnedEventId| {
            let event = world.events.get(*id);
            event.is_some_and(|event| event.prevs.len() > 1) && seen.timeline.contains(id.as_str())
        };
        world.order.iter().rev().filter(merges).take(MERGES_MAX).cloned().collect()
    }

    /// Where the states before an event differ.
    async fn compare_before(&self, world: &World, id: &OwnedEventId) -> Result<Option<String>> {
        let path = format!(
            "/_matrix/federation/v1/state_ids/{}?event_id={}",
            encode(&world.room_id),
            encode(id.as_str())
        );
        let mut answers: Vec<BTreeSet<String>> = Vec::new();
        for server in [self.ternd.name(), self.synapse.name()] {
            let answer = self.peer.request(server, Method::GET, &path, None).await?;
            let ids = answer.body.get("pdu_ids").filter(|_| answer.status == 200);
            let Some(ids) = ids else {
                return Ok(Some(format!("{server} has no state before {id}: {}", answer.body)));
            };
            answers.push(serde_json::from_value(ids.clone())?);
        }
        let [ours, theirs] = answers.as_slice() else { return Ok(None) };
        let (only_ours, only_theirs) = (difference(ours, theirs), difference(theirs, ours));
        let event = world.events.get(id).context("an unknown event")?;
        let ruma = world.state_before(&event.prevs)?;
        let ruma: BTreeSet<String> = ruma.values().map(ToString::to_string).collect();
        let (as_ours, as_theirs) = (ruma == *ours, ruma == *theirs);
        Ok((ours != theirs).then(|| {
            format!(
                "before {id} only ternd has {only_ours:?}, only Synapse {only_theirs:?}; \
                 ruma as ternd: {as_ours}, as Synapse: {as_theirs}"
            )
        }))
    }
}

fn difference<'a>(one: &'a BTreeSet<String>, other: &BTreeSet<String>) -> Vec<&'a String> {
    one.iter().filter(|id| !other.contains(*id)).collect()
}

fn differs(
    what: &str,
    world: &World,
    ours: &BTreeMap<(String, String), String>,
    theirs: &BTreeMap<(String, String), String>,
) -> String {
    let slots: BTreeSet<_> = ours.keys().chain(theirs.keys()).collect();
    let ruma = world.state_before(&world.ends).unwrap_or_default();
    let ruma = world.named_state(&ruma);
    let mut text = format!("{what}:");
    for slot in slots {
        let (one, other) = (ours.get(slot), theirs.get(slot));
        if one != other {
            let third = ruma.get(slot);
            text += &format!("\n  {slot:?}: ternd {one:?}, Synapse {other:?}, ruma {third:?}");
        }
    }
    text
}

/// `api`'s user joins by way of the peer.
async fn join(peer: &Peer, world: &mut World, api: &Api) -> Result<()> {
    let user_id = api.user_id();
    let before = world.state_before(&world.ends)?;
    let wish = Wish {
        sender: user_id.to_owned(),
        kind: "m.room.member",
        state_key: Some(user_id.to_owned()),
        content: json!({ "membership": "join" }),
    };
    let template = world.event(&wish, &world.ends, &before)?;
    let made = json!({ "room_version": world.version, "event": template });
    peer.answer(&format!("/_matrix/federation/v1/make_join/{}/", world.room_id), 200, made);
    let state = serde_json::to_value(world.jsons(before.values()))?;
    let joined = json!({ "origin": peer.name(), "state": state, "auth_chain": state });
    let path = format!("/_matrix/federation/v2/send_join/{}/", world.room_id);
    peer.answer(&path, 200, joined);
    let answer = api.join(&world.room_id, &[peer.name()]).await?;
    ensure!(answer.status == 200, "{user_id} joins {}: {}", world.seed, answer.body);
    let mut bodies = peer.asked(&path).into_iter().map(|asked| asked.body);
    let join = bodies.rfind(|body| body.get("sender").and_then(Value::as_str) == Some(user_id));
    let join: CanonicalJsonObject = serde_json::from_value(join.context("no join came")?)?;
    let join = world.judged(join, &before)?;
    ensure!(join.rejected.is_none(), "{:?}", join.rejected);
    world.add(join, before);
    Ok(())
}
