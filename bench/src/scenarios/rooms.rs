//! Making rooms and joining them.

use std::{cell::RefCell, time::Duration, time::Instant};

use anyhow::{Context, Result};

use crate::{
    figures::{Line, timed},
    matrix,
    measure::{Meter, drive},
    site::{Site, diagonal, turn},
};

/// How many people join; with the one who made the room they are as many as a village has.
const JOINERS: usize = 19;

/// Rooms by as many people as are at it at once.
pub(super) async fn create(site: &mut Site) -> Result<Vec<Line>> {
    let people = site.crowd(site.plan.concurrency).await?;
    let body = matrix::new_room("private_chat", &site.plan.room_version);
    let mut clients = site.clients(site.plan.concurrency);
    let pids = site.server.pids();
    let meter = Meter::start(&pids)?;
    let samples = drive(site.plan.busy(), &mut clients, async |client, number| {
        let person = turn(&people, number)?;
        let began = Instant::now();
        matrix::create(client, person, &body).await?;
        Ok(began.elapsed())
    });
    timed(samples.await?, &meter.stop()?, &pids)
}

/// Local joins.
pub(super) async fn join(site: &mut Site) -> Result<Vec<Line>> {
    let people = site.crowd(1 + JOINERS.min(site.plan.count)).await?;
    let (creator, joiners) = people.split_first().context("nobody")?;
    let body = matrix::new_room("public_chat", &site.plan.room_version);
    let mut clients = site.clients(site.plan.concurrency);
    let rooms = RefCell::new(Vec::new());
    let preparation = site.plan.preparation(site.plan.count.div_ceil(joiners.len()));
    drive(preparation, &mut clients, async |client, _| {
        let room = matrix::create(client, creator, &body).await?;
        rooms.borrow_mut().push(room);
        Ok(Duration::ZERO)
    })
    .await?;
    let rooms = rooms.into_inner();
    let pids = site.server.pids();
    let meter = Meter::start(&pids)?;
    let samples = drive(site.plan.busy(), &mut clients, async |client, number| {
        let (room, person) = diagonal(number, &rooms, joiners)?;
        let began = Instant::now();
        matrix::join(client, person, room, None).await?;
        Ok(began.elapsed())
    });
    timed(samples.await?, &meter.stop()?, &pids)
}
