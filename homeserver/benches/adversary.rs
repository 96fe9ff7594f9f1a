//! What rooms made to be costly cost: deep auth chains, many ends, wide forks, many members that two branches do not agree on.
//!
//! `cargo bench --workspace --bench adversary` prints a table a case; each line comes from a process of its own, so that its memory is
//! its own.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a bench may stop at anything unforeseen, and prints"
)]

mod history;

use std::{
    env, fs,
    process::Command,
    time::{Duration, Instant},
};

use history::{History, REMOTE, Wish, Written};
use serde_json::json;

/// A kind of room: its name, what it is, and its sizes.
type Case = (&'static str, &'static str, &'static [usize]);

const CASES: [Case; 7] = [
    (
        "deep",
        "n power levels in a line, each authorised by the one before; then two topics that stand side by side on the last",
        &[10, 100, 1_000, 10_000],
    ),
    (
        "old",
        "the same line, then one other power level event on its root, and an event on both",
        &[10, 100, 1_000, 10_000],
    ),
    (
        "rival",
        "the other power level event first, then the line, so that each event of it meets the other; then an event on both",
        &[10, 100, 1_000, 3_000],
    ),
    ("ends", "n messages that all follow one event", &[10, 100, 1_000, 5_000]),
    (
        "mute",
        "the same where nobody here may speak, so that the ends stay",
        &[10, 100, 1_000, 3_000],
    ),
    (
        "wide",
        "n branches, each with a topic and a note of its own, sent one after the other",
        &[2, 10, 100, 1_000],
    ),
    (
        "split",
        "two branches that grow in turn by n joins each; then an event on both",
        &[10, 100, 1_000, 3_000],
    ),
];

fn main() {
    let arguments: Vec<String> = env::args().skip(1).filter(|word| word != "--bench").collect();
    if let [case, version, size] = arguments.as_slice() {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
        let size = size.parse().unwrap();
        println!("{}", runtime.block_on(line(case, version, size)));
        return;
    }
    for (case, about, sizes) in CASES {
        if arguments.first().is_some_and(|only| only != case) {
            continue;
        }
        println!("\n{case}: {about}\n");
        println!("| version | n | in all, ms | an event, ms | at the end, ms | MiB |");
        println!("|--:|--:|--:|--:|--:|--:|");
        // Since version 12 a creator may always speak.
        let versions: &[&str] = if case == "mute" { &["11"] } else { &["11", "12"] };
        for version in versions {
            for size in sizes {
                let size = size.to_string();
                let own = Command::new(env::current_exe().unwrap());
                let output = { own }.args([case, version, &size]).output().unwrap();
                let said = String::from_utf8_lossy(&output.stdout);
                assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
                println!("{}", said.trim());
            }
        }
    }
}

/// Milliseconds for all of it, for its n events, and at its end.
struct Took {
    all: Duration,
    events: usize,
    end: Duration,
}

async fn line(case: &str, version: &str, size: usize) -> String {
    let mut room = Adversary::start(version, if case == "mute" { 101 } else { 0 }).await;
    // What came before, such as the hash of a password, is not the room's.
    fs::write("/proc/self/clear_refs", "5").unwrap();
    let before = memory_kib();
    let took = match case {
        "deep" => room.deep(size).await,
        "old" => room.old(size).await,
        "rival" => room.rival(size).await,
        "ends" => room.ends(size).await,
        "mute" => room.mute(size).await,
        "wide" => room.wide(size).await,
        "split" => room.split(size).await,
        other => panic!("no such case: {other}"),
    };
    let ms = |time: Duration| time.as_secs_f64() * 1_000.0;
    let each = ms(took.all) / f64::from(u32::try_from(took.events).unwrap());
    let mib = (memory_kib() - before) / 1_024;
    let (all, end) = (ms(took.all), ms(took.end));
    format!("| {version} | {size} | {all:.0} | {each:.2} | {end:.1} | {mib} |")
}

/// The most this process had in memory since that was last forgotten.
fn memory_kib() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// Alice, who means ill.
struct Adversary {
    history: History,
    alice: String,
    /// What authorises what she does.
    member: Written,
    levels: Written,
    rules: Written,
    root: Written,
}

impl Adversary {
    async fn start(version: &str, events_default: u32) -> Self {
        let history = History::start(version, events_default).await;
        let alice = history.alice.user_id.clone();
        Self {
            member: history.standing("m.room.member", &alice).await,
            levels: history.standing("m.room.power_levels", "").await,
            rules: history.standing("m.room.join_rules", "").await,
            root: history.tip().await,
            alice,
            history,
        }
    }

    /// An event of alice's.
    async fn event(
        &mut self,
        (kind, state_key): (&str, Option<&str>),
        content: serde_json::Value,
        prevs: &[&Written],
    ) -> Written {
        let auth = self.history.with_create(&[&self.levels, &self.member]).await;
        let auth: Vec<&Written> = auth.iter().collect();
        let sender = &self.alice.clone();
        self.history.write(&Wish { sender, kind, state_key, content, prevs, auth: &auth })
    }

    async fn message(&mut self, prevs: &[&Written]) -> Written {
        let content = json!({ "msgtype": "m.text", "body": "hello" });
        self.event(("m.room.message", None), content, prevs).await
    }

    async fn topic(&mut self, prev: &Written, topic: &str) -> Written {
        self.event(("m.room.topic", Some("")), json!({ "topic": topic }), &[prev]).await
    }

    /// `count` power level events in a line from the root; the last of them authorises what follows.
    async fn levels(&mut self, count: usize) -> Vec<Written> {
        let mut line: Vec<Written> = Vec::with_capacity(count);
        let (root, alice) = (self.root.clone(), self.alice.clone());
        for number in 0..count {
            let mut users = json!({ "@bob:example.org": number % 50 });
            if !self.history.is_12() {
                users[alice.as_str()] = json!(100);
            }
            let content = json!({ "users": users, "state_default": 0 });
            let prev = line.last().unwrap_or(&root).clone();
            let event = self.event(("m.room.power_levels", Some("")), content, &[&prev]).await;
            self.levels = event.clone();
            line.push(event);
        }
        line
    }

    /// Has the server receive `events`, and then the `last`, which must be let in.
    async fn receive(&self, events: &[Written], last: &[Written]) -> Took {
        let begun = Instant::now();
        self.history.receive(events).await;
        let all = begun.elapsed();
        let begun = Instant::now();
        self.history.receive(last).await;
        let end = begun.elapsed();
        assert!(self.history.has(last.last().unwrap()).await, "the last event was not let in");
        Took { all, events: events.len(), end }
    }

    async fn deep(&mut self, size: usize) -> Took {
        let line = self.levels(size).await;
        let tip = line.last().unwrap().clone();
        let (one, two) = (self.topic(&tip, "one").await, self.topic(&tip, "two").await);
        let both = self.message(&[&one, &two]).await;
        self.receive(&line, &[one, two, both]).await
    }

    async fn old(&mut self, size: usize) -> Took {
        let (line, beside, both) = self.rivals(size).await;
        self.receive(&line, &[beside, both]).await
    }

    async fn rival(&mut self, size: usize) -> Took {
        let (line, beside, both) = self.rivals(size).await;
        self.history.receive(&[beside]).await;
        self.receive(&line, &[both]).await
    }

    /// A line of power levels, one beside it, and an event on both.
    async fn rivals(&mut self, size: usize) -> (Vec<Written>, Written, Written) {
        let first = self.levels.clone();
        let beside = self.levels(1).await.remove(0);
        self.levels = first;
        let line = self.levels(size).await;
        let both = self.message(&[line.last().unwrap(), &beside]).await;
        (line, beside, both)
    }

    async fn ends(&mut self, size: usize) -> Took {
        let root = self.root.clone();
        let mut ends = Vec::with_capacity(size);
        for _ in 0..size {
            ends.push(self.message(&[&root]).await);
        }
        let last = self.message(&[&ends[0], ends.last().unwrap()]).await;
        self.receive(&ends, &[last]).await
    }

    async fn mute(&mut self, size: usize) -> Took {
        let root = self.root.clone();
        let mut ends = Vec::with_capacity(size);
        for number in 0..size {
            let slot = ("org.example.note", Some(""));
            ends.push(self.event(slot, json!({ "n": number }), &[&root]).await);
        }
        let (slot, content) = (("org.example.note", Some("")), json!({ "n": "last" }));
        let last = self.event(slot, content, &[&ends[0], ends.last().unwrap()]).await;
        self.receive(&ends, &[last]).await
    }

    async fn wide(&mut self, size: usize) -> Took {
        let root = self.root.clone();
        let (mut events, mut ends) = (Vec::new(), Vec::new());
        for branch in 0..size {
            let topic = self.topic(&root, &branch.to_string()).await;
            let key = branch.to_string();
            let slot = ("org.example.note", Some(key.as_str()));
            let note = self.event(slot, json!({ "n": branch }), &[&topic]).await;
            events.extend([topic, note.clone()]);
            ends.push(note);
        }
        // As many as an event may name.
        let named: Vec<&Written> = ends.iter().rev().take(20).collect();
        let last = self.message(&named).await;
        self.receive(&events, &[last]).await
    }

    async fn split(&mut self, size: usize) -> Took {
        let auth = self.history.with_create(&[&self.levels, &self.rules]).await;
        let mut tips = [self.root.clone(), self.root.clone()];
        let mut events = Vec::with_capacity(size * 2);
        for number in 0..size {
            for (side, tip) in tips.iter_mut().enumerate() {
                let user = format!("@u{side}_{number}:{REMOTE}");
                let auth: Vec<&Written> = auth.iter().collect();
                let event = self.history.write(&Wish {
                    sender: &user,
                    kind: "m.room.member",
                    state_key: Some(&user),
                    content: json!({ "membership": "join" }),
                    prevs: &[tip],
                    auth: &auth,
                });
                *tip = event.clone();
                events.push(event);
            }
        }
        let last = self.message(&[&tips[0], &tips[1]]).await;
        self.receive(&events, &[last]).await
    }
}
