//! Sync against a model: random operations of several users in rooms of every kind, clients of every door that lose answers, come back
//! and outlive restarts and a restored backup, and an oracle that only reads what is in the database.
//!
//! `TERN_MODEL_RUNS=1000` lives that many lives, `TERN_MODEL_STEPS=1000` makes them longer, `TERN_MODEL_SEED=17` repeats one.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    unreachable_pub,
    reason = "a test may stop at anything unforeseen"
)]

mod common;
#[path = "sync_model/mod.rs"]
mod model;

/// Lives each of the tests lives by default, and steps of each.
const RUNS: u64 = 4;
const STEPS: u64 = 360;

/// Lives the lives of every third seed from `first` on: the tests run beside each other.
async fn live_some(first: u64) {
    let steps = usize::try_from(model::setting("TERN_MODEL_STEPS").unwrap_or(STEPS)).unwrap();
    let seeds = match model::setting("TERN_MODEL_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..model::setting("TERN_MODEL_RUNS").unwrap_or(3 * RUNS),
    };
    let mut tally = model::Tally::default();
    for seed in seeds.filter(|seed| seed % 3 == first) {
        tally += &model::live(seed, steps).await;
    }
    eprintln!("every third life from {first}: {tally}");
    // A few short lives may leave something out.
    if tally.of(model::Happening::Life) >= RUNS && steps >= 100 {
        tally.check();
    }
}

#[tokio::test]
async fn every_door_tells_each_user_what_they_may_see_once_and_in_order() {
    live_some(0).await;
}

#[tokio::test]
async fn nothing_is_lost_or_told_twice_through_restarts_backups_and_lost_answers() {
    live_some(1).await;
}

#[tokio::test]
async fn what_a_user_may_not_see_is_told_by_no_door() {
    live_some(2).await;
}
