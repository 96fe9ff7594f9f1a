//! Starting with the data of the run.

use std::time::{Duration, Instant};

use anyhow::{Result, anyhow, ensure};
use tokio::time::{MissedTickBehavior, interval, timeout};

use super::sync;
use crate::{
    client::Client,
    figures::{Line, memory, millis, names},
    measure::Samples,
    server::Server,
    site::{Site, turn},
};

/// How often it is asked whether it is there.
const STEP: Duration = Duration::from_millis(1);

/// Python takes its time.
const LIMIT: Duration = Duration::from_secs(120);

/// Stops and starts it; the first sync after that is cold.
pub(super) async fn starts(site: &mut Site) -> Result<Vec<Line>> {
    ensure!(site.server.is_ours(), "only for servers that the bench may stop");
    let village = site.village().await?;
    let (mut starts, mut syncs) = (Samples::default(), Samples::default());
    for number in 0..site.plan.restarts {
        starts.push(start(&mut site.server).await?);
        let mut client = site.server.client();
        syncs.push(sync::first(&mut client, turn(&village.people, number)?, number).await?.0);
    }
    let mut lines = vec![
        Line::cost("start to first answer, p50", millis(starts.quantile(0.5)?), "ms"),
        Line::cost("start to first answer, max", millis(starts.quantile(1.0)?), "ms"),
        Line::cost("initial sync, cold, p50", millis(syncs.quantile(0.5)?), "ms"),
        Line::cost("initial sync, cold, max", millis(syncs.quantile(1.0)?), "ms"),
    ];
    lines.extend(memory(names::MEMORY, &site.server.pids())?);
    Ok(lines)
}

async fn start(server: &mut Server) -> Result<Duration> {
    server.stop().await?;
    let mut client = server.client();
    // Both begin now; the first to be polled starts the process.
    let began = Instant::now();
    let (restarted, answered) =
        tokio::join!(server.restart(), timeout(LIMIT, first_answer(&mut client)));
    restarted?;
    let answered = answered.map_err(|_| anyhow!("no answer within {LIMIT:?}"))?;
    Ok(answered.saturating_duration_since(began))
}

async fn first_answer(client: &mut Client) -> Instant {
    let mut clock = interval(STEP);
    clock.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        clock.tick().await;
        let answer = client.get(&None, "/_matrix/client/versions").await;
        if answer.is_ok_and(|answer| answer.status == 200) {
            return Instant::now();
        }
    }
}
