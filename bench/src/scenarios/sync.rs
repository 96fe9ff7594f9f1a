//! Sync v3: from nothing, and from a token.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::{
    client::{Client, read},
    figures::{Line, timed},
    matrix::{self, Follower, Person},
    measure::{Meter, drive},
    site::{Site, turn},
};

/// How far apart the timeouts of an untimed look and of the timed ones are.
const FIRST_TIMEOUT: usize = 1_000;

/// One initial sync; `timeout` says nothing to a server that has something to say, but makes the request unlike others.
pub(super) async fn first(
    client: &mut Client,
    person: &Person,
    timeout: usize,
) -> Result<(Duration, bytes::Bytes)> {
    let path = format!("/_matrix/client/v3/sync?timeout={timeout}");
    let began = Instant::now();
    let answer = client.get(&person.bearer, &path).await?;
    let took = began.elapsed();
    Ok((took, answer.ok().context("sync")?))
}

/// Initial syncs, one after the other.
pub(super) async fn initial(site: &mut Site) -> Result<Vec<Line>> {
    let village = site.village().await?;
    let mut clients = site.clients(1);
    for client in &mut clients {
        let (_, body) = first(client, turn(&village.people, 0)?, 0).await?;
        let body: Value = read(&body)?;
        let rooms = body.pointer("/rooms/join").and_then(Value::as_object);
        let rooms = rooms.context("no rooms")?;
        let all = village.rooms.iter().all(|room| rooms.contains_key(&room.id));
        ensure!(all, "the sync lacks rooms of the village");
    }
    let (pids, asked) = (site.server.pids(), site.asked);
    let meter = Meter::start(&pids)?;
    let samples = drive(site.plan.in_turn(), &mut clients, async |client, number| {
        let person = turn(&village.people, number)?;
        Ok(first(client, person, FIRST_TIMEOUT + asked + number).await?.0)
    });
    let samples = samples.await?;
    site.asked += samples.count();
    timed(samples, &meter.stop()?, &pids)
}

/// Syncs that bring one message each. Everybody reads a message before the next is sent, so that little of the cost is the sending.
pub(super) async fn incremental(site: &mut Site) -> Result<Vec<Line>> {
    let village = site.village().await?;
    let (sender, others) = village.people.split_first().context("nobody")?;
    let mut followers = Vec::new();
    for person in others {
        followers.push(Follower::begin(site.server.client(), person).await?);
    }
    let pids = site.server.pids();
    let meter = Meter::start(&pids)?;
    let mut workers = [(site.server.client(), followers)];
    let samples = drive(site.plan.in_turn(), &mut workers, async |(client, followers), number| {
        let (message, reader) = (number / others.len(), number % others.len());
        let mark = format!("incremental number {message}.");
        if reader == 0 {
            let room = turn(&village.rooms, message)?;
            matrix::send(client, sender, room, matrix::text(&mark)).await?;
        }
        let follower = followers.get_mut(reader).context("no reader")?;
        let began = Instant::now();
        Ok(follower.until(&mark).await?.saturating_duration_since(began))
    });
    timed(samples.await?, &meter.stop()?, &pids)
}
