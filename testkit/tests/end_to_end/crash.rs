//! A server that is killed again and again in the middle of its work: what was acknowledged is there, and what is there holds
//! together (`ternd check`). `TERN_KILLS` asks for more kills than `./test` does, `TERN_KILL_SEED` for those of an earlier run.
//!
//! Half of the kills fall inside a commit: strace ends the server as it begins to write a page of the group or to sync it, and its
//! record shows that it did. Before the server starts again, some of what was not synced by then is overwritten with zeros, as if the
//! machine had lost its power.

use std::{
    env,
    fmt::Debug,
    fs::{self, OpenOptions},
    io::{Write as _, stderr},
    ops::Range,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    str::FromStr,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use rand::{Rng, SeedableRng, rngs::StdRng};
use serde_json::json;
use tern_testkit::{Api, Loopback, PATIENCE, Strace, Ternd, Trace, can_trace, until};

use crate::{
    acknowledged::{Acknowledged, Load, check, look},
    people::PASSWORD,
};

const KILLS: u64 = 30;
/// A server of its own for so many: every check reads all that was written so far.
const KILLS_EACH: usize = 100;

/// How the server comes to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kill {
    /// After so many answers, and then so long.
    AnyMoment { answers: u32, then: Duration },
    /// As it begins its n-th sync of the log.
    InSync { nth: u32 },
    /// As it begins to write the n-th piece of a page to the log.
    InGroup { nth: u32 },
    /// As it begins to write the n-th page from the log back into the database, or to sync it.
    InCheckpoint { nth: u32 },
}

impl Kill {
    /// The kill of a number: every other one inside a group, and some of the others in a checkpoint.
    fn choose(kill: u64, rng: &mut impl Rng, traced: bool) -> Self {
        match kill % 10 {
            // What a start writes, to the log and back from it, is less than where these begin.
            0 | 4 | 8 if traced => Self::InSync { nth: rng.random_range(8..40) },
            2 | 6 if traced => Self::InGroup { nth: rng.random_range(60..600) },
            9 if traced => Self::InCheckpoint { nth: rng.random_range(40..100) },
            _ => {
                let then = Duration::from_micros(rng.random_range(0..4_000));
                Self::AnyMoment { answers: rng.random_range(1..24), then }
            }
        }
    }

    /// The strace that does it, if it is strace that does.
    fn strace(self, ternd: &Ternd) -> Option<Strace> {
        let (log, database, wal) = (record(ternd), database(ternd, ""), database(ternd, "-wal"));
        match self {
            Self::AnyMoment { .. } => None,
            Self::InSync { nth } => Some(Strace::killing(&log, "fsync,fdatasync", nth, &[&wal])),
            Self::InGroup { nth } => Some(Strace::killing(&log, "pwrite64", nth, &[&wal])),
            Self::InCheckpoint { nth } => {
                Some(Strace::killing(&log, "pwrite64,fsync,fdatasync", nth, &[&database]))
            }
        }
    }
}

fn record(ternd: &Ternd) -> PathBuf {
    ternd.folder().join("strace.log")
}

fn database(ternd: &Ternd, suffix: &str) -> PathBuf {
    ternd.data().join(format!("tern.db{suffix}"))
}

/// What the record of a killed server says.
struct LastMoment {
    /// The file of the call that was cut off; empty when none was.
    file: String,
    /// What had been written and not synced by then: where and how much.
    unsynced: Vec<(u64, u64)>,
}

impl LastMoment {
    /// Waits until strace has written all of its record of `process`, and reads it.
    async fn read(log: &Path, process: u32) -> Result<Self> {
        // Threads are told of before the process they are of.
        let process = process.to_string();
        let is_end = |line: &str| {
            let (thread, rest) = line.split_once(' ').unwrap_or_default();
            thread == process && rest.trim_start() == "+++ killed by SIGKILL +++"
        };
        until("strace to write its record", PATIENCE, async || {
            Ok(fs::read_to_string(log)?.lines().any(is_end).then_some(()))
        })
        .await?;
        let trace = Trace::read(log)?;
        let (mut file, mut unsynced) = (String::new(), Vec::new());
        for call in trace.calls() {
            if call.was_cut_off() {
                call.file().clone_into(&mut file);
            } else if call.is_sync() {
                unsynced.clear();
            } else if let (Some(bytes), Some(offset)) =
                (call.number_from_end(1), call.number_from_end(0))
            {
                unsynced.push((offset, bytes));
            }
        }
        Ok(Self { file, unsynced })
    }
}

/// Overwrites some of what was not synced with zeros: a disk that lost its power may have kept any of it.
fn lose_some(file: &Path, unsynced: &[(u64, u64)], rng: &mut impl Rng) -> Result<()> {
    let file = OpenOptions::new().write(true).open(file)?;
    for (offset, bytes) in unsynced {
        if rng.random() {
            file.write_all_at(&vec![0; usize::try_from(*bytes)?], *offset)?;
        }
    }
    Ok(())
}

/// A server under load, from one kill to the next.
struct Victim {
    ternd: Ternd,
    alice: Api,
    rooms: Vec<String>,
    /// Kills inside a group, and inside a checkpoint.
    in_group: u64,
    in_checkpoint: u64,
}

impl Victim {
    /// Starts it so that it will come to its end as chosen, and looks for what it said yes to before.
    async fn start(&mut self, kill: Kill, said: &Acknowledged) -> Result<()> {
        let strace = kill.strace(&self.ternd);
        fs::remove_file(record(&self.ternd)).ok();
        self.ternd.set_strace(strace);
        self.ternd.restart().await?;
        look(&self.alice, said).await
    }

    /// Lets it work until it is killed.
    async fn kill(&mut self, round: u64, kill: Kill, rng: &mut StdRng) -> Result<Acknowledged> {
        let mut load = Load::start(&self.alice, &self.rooms, round);
        if let Kill::AnyMoment { answers, then } = kill {
            for _ in 0..answers {
                load.next_yes().await.context("a writer writes")?;
            }
            let answered = Instant::now();
            while answered.elapsed() < then {
                tokio::task::yield_now().await;
            }
            self.ternd.kill_9()?;
        }
        let (said, refusals) = load.end().await?;
        ensure!(refusals.is_empty(), "refused: {refusals:?}");
        until("its end", PATIENCE, async || Ok(self.ternd.has_ended()?.then_some(()))).await?;
        let process = self.ternd.pid();
        self.ternd.kill_9()?;
        if let (Some(_), Some(process)) = (kill.strace(&self.ternd), process) {
            self.lost_power(kill, process, rng).await?;
        }
        Ok(said)
    }

    /// Whether strace killed it where it was to, and what that leaves on the disk.
    async fn lost_power(&mut self, kill: Kill, process: u32, rng: &mut StdRng) -> Result<()> {
        let last = LastMoment::read(&record(&self.ternd), process).await?;
        let (wal, checkpoint) = (database(&self.ternd, "-wal"), database(&self.ternd, ""));
        let file = if let Kill::InCheckpoint { .. } = kill { checkpoint } else { wal };
        ensure!(Path::new(&last.file) == file, "it was killed in {:?}", last.file);
        match kill {
            Kill::InCheckpoint { .. } => self.in_checkpoint += 1,
            _ => self.in_group += 1,
        }
        lose_some(&file, &last.unsynced, rng)
    }
}

fn number_from_env<T: FromStr<Err: Debug>>(name: &str, default: T) -> Result<T> {
    match env::var(name) {
        Ok(text) => text.parse().map_err(|_| anyhow::anyhow!("{name} is a number")),
        Err(_) => Ok(default),
    }
}

/// What came of some kills.
#[derive(Default)]
struct Tally {
    /// Some kills were aimed at a commit.
    traced: bool,
    in_group: u64,
    in_checkpoint: u64,
    events: usize,
}

/// One server and its kills, those of these numbers. What an earlier kill left is looked for again after the last.
async fn kill_again_and_again(loopback: &Loopback, kills: Range<u64>, seed: u64) -> Result<Tally> {
    let name = format!("from-{}.localhost", kills.start);
    let ternd = loopback.ternd(&name).registration("open").start().await?;
    let alice = ternd.api().register_openly("alice", PASSWORD).await?;
    let mut rooms = Vec::new();
    for _ in 0..2 {
        rooms.push(alice.create_room(json!({ "preset": "public_chat" })).await?);
    }
    let traced = can_trace() && ternd.database_url().starts_with("sqlite:");
    let mut victim = Victim { ternd, alice, rooms, in_group: 0, in_checkpoint: 0 };
    let (mut all, mut said) = (Acknowledged::default(), Acknowledged::default());
    for number in kills {
        let mut rng = StdRng::seed_from_u64(seed.wrapping_add(number));
        let kill = Kill::choose(number, &mut rng, traced);
        let round = async {
            victim.start(kill, &said).await?;
            all.add(std::mem::take(&mut said));
            said = victim.kill(number + 1, kill, &mut rng).await?;
            check(&victim.ternd)
        };
        round.await.with_context(|| format!("kill {number} of seed {seed}, {kill:?}"))?;
    }
    all.add(said);
    victim.ternd.set_strace(None);
    victim.ternd.restart().await?;
    look(&victim.alice, &all)
        .await
        .with_context(|| format!("at the end of {name}, seed {seed}"))?;
    let Victim { in_group, in_checkpoint, .. } = victim;
    Ok(Tally { traced, in_group, in_checkpoint, events: all.events.len() })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_killed_at_any_moment_keeps_what_it_acknowledged_and_holds_together() -> Result<()>
{
    let kills = number_from_env("TERN_KILLS", KILLS)?;
    let seed: u64 = number_from_env("TERN_KILL_SEED", rand::random::<u32>().into())?;
    let loopback = Loopback::new()?;
    let mut all = Tally::default();
    for first in (0..kills).step_by(KILLS_EACH) {
        let some = first..kills.min(first + KILLS_EACH as u64);
        let tally = kill_again_and_again(&loopback, some, seed).await?;
        all.traced = tally.traced;
        all.in_group += tally.in_group;
        all.in_checkpoint += tally.in_checkpoint;
        all.events += tally.events;
    }
    let Tally { traced, in_group, in_checkpoint, events } = all;
    ensure!(events as u64 > kills, "the server was killed before it did anything");
    writeln!(
        stderr(),
        "{kills} kills (seed {seed}): {in_group} inside a group commit, {in_checkpoint} inside a checkpoint; {events} events kept"
    )?;
    if traced {
        ensure!(in_group * 2 >= kills, "only {in_group} of {kills} kills were inside a group");
    } else {
        writeln!(stderr(), "no strace, or no SQLite: no kill was aimed at a commit")?;
    }
    Ok(())
}
