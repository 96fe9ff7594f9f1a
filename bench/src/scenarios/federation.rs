//! Two servers of the same kind that know each other by TLS and signed requests.

use anyhow::{Context, Result};
use std::time::Instant;

use crate::{
    figures::{Line, count as number, timed},
    matrix::{self, Follower, Person},
    measure::{Load, Meter, drive},
    server::Server,
    site::{Site, turn},
};

/// The second server and somebody on it.
struct Abroad {
    server: Server,
    person: Person,
}

impl Abroad {
    async fn open(site: &mut Site) -> Result<Self> {
        let server = site.peer().await?;
        let name = site.fresh_names(1).pop().context("no name")?;
        let person = matrix::register(&mut server.client(), &name).await?;
        Ok(Self { server, person })
    }

    fn pids(&self, site: &Site) -> Vec<u32> {
        [site.server.pids(), self.server.pids()].concat()
    }
}

/// A message to somebody on another server.
pub(super) async fn send(site: &mut Site) -> Result<Vec<Line>> {
    let village = site.village().await?;
    let sender = turn(&village.people, 0)?;
    let abroad = Abroad::open(site).await?;
    let rooms = site.public_rooms(std::slice::from_ref(sender), 1).await?;
    let room = rooms.first().context("no room")?;
    let via = Some(sender.server_name());
    matrix::join(&mut abroad.server.client(), &abroad.person, room, via).await?;
    let mut client = site.server.client();
    let mut follower = Follower::begin(abroad.server.client(), &abroad.person).await?;
    // The first transaction pays for the connection between the two.
    matrix::send(&mut client, sender, room, matrix::text("federated to begin with")).await?;
    follower.until("federated to begin with").await?;
    let pids = abroad.pids(site);
    let meter = Meter::start(&pids)?;
    let mut workers = [(client, follower)];
    let samples = drive(site.plan.in_turn(), &mut workers, async |(client, follower), number| {
        let mark = format!("federated number {number}.");
        let began = Instant::now();
        // At once: the message may arrive there before the sender has its answer.
        let (sent, arrived) = tokio::join!(
            matrix::send(client, sender, room, matrix::text(&mark)),
            follower.until(&mark)
        );
        sent?;
        Ok(arrived?.saturating_duration_since(began))
    });
    timed(samples.await?, &meter.stop()?, &pids)
}

/// Joins of rooms on another server.
pub(super) async fn join(site: &mut Site) -> Result<Vec<Line>> {
    let village = site.village().await?;
    joins(site, &village.people, site.plan.federated_joins).await
}

/// Joins of rooms on another server that many are in.
pub(super) async fn join_large(site: &mut Site) -> Result<Vec<Line>> {
    let members = site.crowd(site.plan.large_room).await?;
    joins(site, &members, site.plan.large_joins).await
}

/// Joins of `count` rooms that all `members` are in.
async fn joins(site: &mut Site, members: &[Person], count: usize) -> Result<Vec<Line>> {
    let others = site.public_rooms(members, count).await?;
    let abroad = Abroad::open(site).await?;
    let creator = turn(members, 0)?;
    let via = creator.server_name().to_owned();
    // One more, which makes them known to each other.
    let first = site.public_rooms(std::slice::from_ref(creator), 1).await?;
    let mut clients = [abroad.server.client()];
    for client in &mut clients {
        matrix::join(client, &abroad.person, turn(&first, 0)?, Some(&via)).await?;
    }
    let pids = abroad.pids(site);
    let meter = Meter::start(&pids)?;
    let load = Load { count: others.len(), ..site.plan.in_turn() };
    let samples = drive(load, &mut clients, async |client, number| {
        let began = Instant::now();
        matrix::join(client, &abroad.person, turn(&others, number)?, Some(&via)).await?;
        Ok(began.elapsed())
    });
    let mut lines = timed(samples.await?, &meter.stop()?, &pids)?;
    lines.push(Line::fact("members of each room before", number(members.len()), ""));
    Ok(lines)
}
