//! Random histories, told to `ternd` and to Synapse over federation: both must come to the same states, and let the same events in.
//!
//! The rules of authorization and the peer's own states are ruma's, as `ternd`'s rules are; Synapse shares no code with either.

mod servers;
mod wishes;
mod world;

use std::{collections::BTreeSet, env};

use anyhow::{Result, ensure};
use tern_testkit::{Loopback, Synapse};

use self::servers::Pair;

/// Histories of one run of the test, three of each room version: Synapse takes a second or two for one. `TERN_REPLAYS` asks for more,
/// `TERN_REPLAY_SEED` begins elsewhere.
const HISTORIES: u64 = 21;
/// Rooms that go on at the same time: a transaction has an event of each.
const AT_ONCE: usize = 50;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn random_histories_come_out_on_ternd_as_they_do_on_synapse() -> Result<()> {
    if !Synapse::available() {
        eprintln!("matrix-synapse is not installed here: nothing shown");
        return Ok(());
    }
    let number = |name| env::var(name).ok().and_then(|count| count.parse::<u64>().ok());
    let count = number("TERN_REPLAYS").unwrap_or(HISTORIES);
    let first = number("TERN_REPLAY_SEED").unwrap_or_default();
    let loopback = Loopback::new()?;
    let pair = Pair::start(&loopback).await?;
    let (mut differing, mut events, mut merges) = (Vec::new(), 0, 0);
    let mut outcomes = BTreeSet::new();
    let mut seeds = first..first + count;
    loop {
        let batch: Vec<u64> = seeds.by_ref().take(AT_ONCE).collect();
        if batch.is_empty() {
            break;
        }
        let played = pair.play(&batch).await?;
        for told in played.iter().filter_map(|judged| judged.difference.as_ref()) {
            eprintln!("{told}");
        }
        eprintln!("histories {batch:?} are played");
        for judged in played {
            events += judged.events;
            merges += judged.merges;
            outcomes.extend(judged.outcomes);
            differing.extend(judged.difference.map(|_| judged.seed));
        }
    }
    eprintln!(
        "{count} histories, {events} events, {merges} states at merges, {outcomes:?}; differ: {differing:?}"
    );
    ensure!(differing.is_empty(), "ternd and Synapse differ in the histories {differing:?}");
    ensure!(outcomes.len() > 2, "all that the histories show is {outcomes:?}");
    Ok(())
}
