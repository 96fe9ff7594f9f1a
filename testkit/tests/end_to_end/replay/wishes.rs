//! What people in a history want: mostly what they may, now and then what they may not.

use std::collections::BTreeMap;

use anyhow::Result;
use rand::{Rng as _, seq::IndexedRandom as _, seq::SliceRandom as _};
use ruma::{OwnedEventId, events::TimelineEventType};
use serde_json::{Value, json};
use tern_testkit::Peer;

use super::world::{BEGINNING_MS, State, Wish, World, set};

/// The room has no more ends than this for long: with more than ten, servers draw them together by events of their own.
const ENDS_MAX: usize = 8;
/// How often somebody thinks of something else to do when they may not do what they want.
const TRIES: usize = 6;

impl World {
    /// The next event of the history, by whoever gets to it, on what they happen to have seen.
    pub(super) fn go_on(&mut self, peer: &Peer) -> Result<()> {
        let prevs = self.some_prevs();
        let before = self.state_before(&prevs)?;
        let bold = self.rng.random_ratio(1, 5);
        for attempt in 1..=TRIES {
            let wish = self.wish();
            let mut event = self.event(&wish, &prevs, &before)?;
            // Few times, so that many are equal and some go backwards.
            let later = self.rng.random_range(0..20) * 1_000;
            set(&mut event, "origin_server_ts", json!(BEGINNING_MS + later));
            if self.rng.random_ratio(1, 20) {
                self.tamper(&mut event);
            }
            let event = self.judged(peer.sign_event(&self.version, event)?, &before)?;
            if event.rejected.is_none() || bold || attempt == TRIES {
                self.add(event, before);
                return Ok(());
            }
        }
        Ok(())
    }

    /// The herald's word on everything there is: it draws all ends together.
    pub(super) fn conclude(&mut self, peer: &Peer) -> Result<()> {
        let content = json!({ "msgtype": "m.text", "body": "the end" });
        let (sender, kind) = (self.herald.clone(), "m.room.message");
        let wish = Wish { sender, kind, state_key: None, content };
        let before = self.state_before(&self.ends)?;
        let mut event = self.event(&wish, &self.ends, &before)?;
        set(&mut event, "origin_server_ts", json!(BEGINNING_MS + 100_000));
        let event = self.judged(peer.sign_event(&self.version, event)?, &before)?;
        self.add(event, before);
        Ok(())
    }

    fn some_prevs(&mut self) -> Vec<OwnedEventId> {
        if self.ends.len() > ENDS_MAX {
            self.ends.shuffle(&mut self.rng);
            return self.ends.iter().take(5).cloned().collect();
        }
        // Mostly the newest, so that forks are short, and sometimes long; what was there before the history is one.
        let first = self.begun.saturating_sub(1);
        let all = self.order.get(first..).unwrap_or_default();
        let reach = if self.rng.random_ratio(1, 5) { all.len() } else { all.len().min(4) };
        let recent = all.get(all.len() - reach..).unwrap_or_default();
        let rejected_too = self.rng.random_ratio(1, 10);
        let stands = |id: &&OwnedEventId| {
            rejected_too || self.events.get(*id).is_some_and(|event| event.rejected.is_none())
        };
        let recent: Vec<&OwnedEventId> = recent.iter().filter(stands).collect();
        let count = self.rng.random_range(1..=3.min(recent.len().max(1)));
        let chosen: Vec<OwnedEventId> =
            recent.choose_multiple(&mut self.rng, count).map(|id| (*id).clone()).collect();
        if chosen.is_empty() { self.ends.clone() } else { chosen }
    }

    fn somebody(&mut self) -> String {
        self.users.choose(&mut self.rng).cloned().unwrap_or_default()
    }

    fn wish(&mut self) -> Wish {
        let (sender, target) = (self.somebody(), self.somebody());
        let number: u32 = self.rng.random_range(0..9);
        let member =
            |membership: &str| json!({ "membership": membership, "org.example.n": number });
        let (kind, state_key, content) = match self.rng.random_range(0..24) {
            0..5 => ("m.room.member", sender.clone(), member("join")),
            5 => ("m.room.member", sender.clone(), self.vouched_for()),
            6 => ("m.room.member", sender.clone(), member("leave")),
            7 | 8 => ("m.room.member", target, member("leave")),
            9 | 10 => ("m.room.member", target, member("ban")),
            11 | 12 => ("m.room.member", target, member("invite")),
            13 => ("m.room.member", sender.clone(), member("knock")),
            14..17 => ("m.room.power_levels", String::new(), self.levels()),
            17 | 18 => ("m.room.join_rules", String::new(), self.join_rule()),
            19 => ("m.room.topic", String::new(), json!({ "topic": number.to_string() })),
            20 => ("org.example.note", target, json!({ "n": number })),
            21 => ("org.example.note", "note".to_owned(), json!({ "n": number })),
            22 => return self.oddity(sender, target),
            _ => {
                let content = json!({ "msgtype": "m.text", "body": number.to_string() });
                return Wish { sender, kind: "m.room.message", state_key: None, content };
            }
        };
        Wish { sender, kind, state_key: Some(state_key), content }
    }

    /// A join to a restricted room, for which somebody says that it is in order.
    fn vouched_for(&mut self) -> Value {
        json!({ "membership": "join", "join_authorised_via_users_server": self.somebody() })
    }

    fn join_rule(&mut self) -> Value {
        let rules = ["public", "public", "invite", "knock", "restricted", "knock_restricted"];
        let rule = rules.choose(&mut self.rng).copied().unwrap_or_default();
        if !rule.contains("restricted") {
            return json!({ "join_rule": rule });
        }
        let allow = json!([{ "type": "m.room_membership", "room_id": "!other:example.org" }]);
        json!({ "join_rule": rule, "allow": allow })
    }

    fn levels(&mut self) -> Value {
        let mut users = serde_json::Map::new();
        for (index, user) in self.users.iter().enumerate() {
            // Creators have no level since version 12.
            if index == 0 && self.is_12() && !self.rng.random_ratio(1, 10) {
                continue;
            }
            let usual = if index == 0 { [100; 5] } else { [0, 0, 50, 60, 100] };
            users.extend(usual.choose(&mut self.rng).map(|level| (user.clone(), json!(level))));
        }
        let mut pick = |levels: &[i64]| levels.choose(&mut self.rng).copied().unwrap_or_default();
        json!({
            "users": users, "users_default": 0, "events_default": 0,
            "state_default": pick(&[0, 50]), "ban": pick(&[0, 50, 60]), "kick": pick(&[50, 60]),
            "invite": pick(&[0, 0, 50]), "redact": 50,
            "events": { "m.room.topic": pick(&[0, 50, 100]), "m.room.power_levels": pick(&[50, 100]) },
            "notifications": { "room": pick(&[50, 50, 60]) },
        })
    }

    fn is_12(&self) -> bool {
        self.rules.authorization.room_create_event_id_as_room_id
    }

    /// What some server might think of sending. Not here: a membership of what is no user, which Synapse forgets instead of keeping it as
    /// rejected, so that what follows it has a gap there; and one that does not say which membership, which neither server keeps,
    /// for whose signatures it needs is not known.
    fn oddity(&mut self, sender: String, target: String) -> Wish {
        let (kind, state_key, content) = match self.rng.random_range(0..6) {
            0 | 1 => ("m.room.member", Some(target), json!({ "membership": "odd" })),
            2 => ("m.room.create", Some(String::new()), json!({ "room_version": "6" })),
            3 => {
                let mut levels = self.levels();
                set(&mut levels, "ban", json!("50"));
                ("m.room.power_levels", Some(String::new()), levels)
            }
            4 => ("m.room.third_party_invite", Some("token".to_owned()), json!({})),
            _ => ("org.example.note", Some(format!("{target}_")), json!({ "n": 1 })),
        };
        Wish { sender, kind, state_key, content }
    }

    /// Names as authorising it what does not authorise it, or leaves something out. Never the join rules: the specification does not say
    /// how people join where there are none. Synapse takes "invite" then; ruma, and so `ternd`, refuses.
    fn tamper(&mut self, event: &mut Value) {
        let named = event.get("auth_events").and_then(Value::as_array).cloned();
        let mut auth = named.unwrap_or_default();
        let any = self.order.choose(&mut self.rng).map(|id| json!(id));
        if self.rng.random_bool(0.5) {
            auth.pop_if(|id| !self.is_join_rules(id));
        } else {
            auth.extend(any.filter(|id| !auth.contains(id)));
        }
        set(event, "auth_events", Value::Array(auth));
    }

    fn is_join_rules(&self, id: &Value) -> bool {
        let events = self.order.iter().filter_map(|id| self.events.get(id));
        let mut rules = events.filter(|event| event.kind == TimelineEventType::RoomJoinRules);
        rules.any(|event| Some(event.id.as_str()) == id.as_str())
    }

    /// The history, a line an event, for whoever looks for what is wrong with it.
    pub(super) fn told(&self, word: impl Fn(&OwnedEventId) -> String) -> String {
        let short = |id: &OwnedEventId| id.as_str().chars().skip(1).take(6).collect::<String>();
        let names = |ids: &[OwnedEventId]| ids.iter().map(short).collect::<Vec<_>>().join(" ");
        let mut told = format!("seed {} version {} {}\n", self.seed, self.version, self.room_id);
        for event in self.order.iter().filter_map(|id| self.events.get(id)) {
            let sender = event.sender.localpart();
            let state_key = event.state_key.as_deref().unwrap_or("-");
            let at = u64::from(event.at_ms.0).saturating_sub(BEGINNING_MS) / 1_000;
            let ruma = event.rejected.as_deref().unwrap_or("fine");
            told += &format!(
                "{} at {at} {} [{state_key}] by {sender}: {} after {} by right of {} | ruma: {ruma} | {}\n",
                short(&event.id),
                event.kind,
                event.content,
                names(&event.prevs),
                names(&event.auth),
                word(&event.id),
            );
        }
        told
    }

    /// A state in words.
    pub(super) fn named_state(&self, state: &State) -> BTreeMap<(String, String), String> {
        state
            .iter()
            .map(|((kind, key), id)| ((kind.to_string(), key.clone()), id.to_string()))
            .collect()
    }
}
