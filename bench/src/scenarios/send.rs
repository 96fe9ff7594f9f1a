//! Sending messages.

use anyhow::Result;

use crate::{
    figures::{Line, timed},
    matrix::{self, Room},
    measure::{Meter, Samples, drive},
    site::{Site, Village, turn},
};

/// A message of usual length.
const WORDS: &str = "Shall we meet at the river at seven, or is that too early for you?";

/// Into all rooms in turn.
pub(super) async fn many_rooms(site: &mut Site) -> Result<Vec<Line>> {
    let village = site.village().await?;
    measured(site, &village, &village.rooms).await
}

/// Into one room.
pub(super) async fn one_room(site: &mut Site) -> Result<Vec<Line>> {
    let village = site.village().await?;
    measured(site, &village, village.rooms.get(..1).unwrap_or_default()).await
}

async fn measured(site: &Site, village: &Village, rooms: &[Room]) -> Result<Vec<Line>> {
    let pids = site.server.pids();
    let meter = Meter::start(&pids)?;
    let samples = messages(site, village, rooms).await?;
    timed(samples, &meter.stop()?, &pids)
}

/// As many messages as the run times, as many at once as it says.
pub(super) async fn messages(site: &Site, village: &Village, rooms: &[Room]) -> Result<Samples> {
    let load = site.plan.busy();
    let content = matrix::text(WORDS);
    let clients = site.clients(load.concurrency);
    let mut workers: Vec<_> = clients.into_iter().zip(village.people.iter().cycle()).collect();
    drive(load, &mut workers, async |(client, person), number| {
        matrix::send(client, person, turn(rooms, number)?, content.clone()).await
    })
    .await
}
