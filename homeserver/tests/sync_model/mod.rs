//! A model of sync: people, clients and chance against an oracle that only reads the database.

mod check;
mod classic;
mod clients;
mod dice;
mod dump;
mod operations;
mod oracle;
mod sliding;
mod tally;
mod turns;
mod view;
mod world;

use std::{
    panic::{AssertUnwindSafe, resume_unwind},
    sync::{Arc, Mutex},
};

use futures_util::FutureExt as _;

pub use tally::{Happening, Tally};

/// Lives one life of a server, and tells how to live it again where it ends badly.
pub async fn live(seed: u64, steps: usize) -> Tally {
    let log = Arc::new(Mutex::new(Vec::new()));
    let life = AssertUnwindSafe(turns::life(seed, steps, log.clone()));
    life.catch_unwind().await.unwrap_or_else(|panic| {
        for line in log.lock().unwrap().iter() {
            eprintln!("{line}");
        }
        eprintln!(
            "again: TERN_MODEL_SEED={seed} TERN_MODEL_STEPS={steps} cargo test --workspace --test sync_model"
        );
        resume_unwind(panic)
    })
}

/// A number that the environment may set.
pub fn setting(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap())
}
