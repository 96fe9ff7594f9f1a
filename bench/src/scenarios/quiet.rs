//! Somebody in a quiet corner of a busy server: what their sync costs must not depend on what goes on elsewhere.

use std::{
    cell::Cell,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use futures_util::future::try_join_all;
use tokio::time::{MissedTickBehavior, interval, sleep_until};

use crate::{
    client::Client,
    figures::{Line, count, millis, names},
    matrix::{self, Follower, Person, Room},
    measure::{Samples, drive},
    site::{Site, turn},
};

/// How many rooms the quiet person is in.
const ROOMS: usize = 50;
/// Events a minute elsewhere.
const RATES: [u32; 2] = [10, 10_000];
/// How often the quiet person syncs.
const PACE: Duration = Duration::from_millis(5);
/// What is said there.
const NOISE: &str = "What the quiet person does not hear,";
/// How many talk at once elsewhere: one alone says no more than the server answers them.
const MOUTHS: usize = 4;

/// Incremental syncs that bring nothing, while the others talk a little and while they talk a lot.
pub(super) async fn beside_noise(site: &mut Site) -> Result<Vec<Line>> {
    if site.plan.neighbours == 0 {
        return Ok(Vec::new());
    }
    let people = site.crowd(site.plan.neighbours).await?;
    let (quiet, others) = people.split_first().context("nobody")?;
    let speaker = others.first().context("nobody else")?;
    let mut all: Vec<&Person> = others.iter().collect();
    let busy = settle(site, speaker, &all, 1).await?;
    all.push(quiet);
    settle(site, speaker, &all, ROOMS).await?;
    let busy = busy.first().context("no room")?;
    let mut lines = vec![
        Line::fact("people", count(people.len()), ""),
        Line::fact("rooms, the busy one too", count(ROOMS + 1), ""),
    ];
    let mut halves = Vec::new();
    for rate in RATES {
        let noise = Noise::new(busy, rate);
        let mut samples = tokio::select! {
            samples = syncs(site, quiet) => samples?,
            ended = noise.of(site, others) => {
                ended?;
                bail!("the noise ended");
            }
        };
        let (half, most) = (samples.quantile(0.5)?, samples.quantile(0.99)?);
        let named = |name: &str| format!("{name}, {rate} a minute elsewhere");
        lines.extend([
            Line::fact(&named("events meanwhile"), count(noise.sent.get()), ""),
            Line::fact(&named(names::TIMED), count(samples.count()), ""),
            Line::cost(&named(names::P50), millis(half), "ms"),
            Line::cost(&named(names::P99), millis(most), "ms"),
        ]);
        halves.push(half);
    }
    if let [calm, loud] = halves.as_slice() {
        let times = loud.as_secs_f64() / calm.as_secs_f64();
        lines.push(Line::cost("p50 of the second by that of the first", times, ""));
    }
    Ok(lines)
}

/// Makes rooms with all of these people in them.
async fn settle(
    site: &Site,
    owner: &Person,
    people: &[&Person],
    count: usize,
) -> Result<Vec<Room>> {
    let body = matrix::new_room("public_chat", &site.plan.room_version);
    let mut rooms = Vec::new();
    let mut client = site.server.client();
    for _ in 0..count {
        rooms.push(matrix::create(&mut client, owner, &body).await?);
    }
    let load = site.plan.preparation(people.len() * count);
    drive(load, &mut site.clients(site.plan.concurrency), async |client, number| {
        // Those under way at one time are in different rooms.
        let (person, room) = (number / count, turn(&rooms, number)?);
        let person = people.get(person).context("nobody left")?;
        if person.id != owner.id {
            matrix::join(client, person, room, None).await?;
        }
        Ok(Duration::ZERO)
    })
    .await?;
    Ok(rooms)
}

/// Syncs at an even pace, however quick they are: the noise takes its time. Each goes on where the one before ended, so that none is
/// answered from a cache of responses.
async fn syncs(site: &Site, person: &Person) -> Result<Samples> {
    let mut follower = Follower::begin(site.server.client(), person).await?;
    follower.wait = Duration::ZERO;
    let mut samples = Samples::default();
    let mut clock = interval(PACE);
    clock.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let end = Instant::now() + site.plan.quiet_span;
    while Instant::now() < end {
        clock.tick().await;
        let began = Instant::now();
        let heard = follower.poll(NOISE).await?;
        samples.push(began.elapsed());
        ensure!(heard.is_none(), "the quiet person hears the noise");
    }
    Ok(samples)
}

/// Talk in one room, spread evenly.
struct Noise<'a> {
    room: &'a Room,
    apart: Duration,
    began: Instant,
    begun: Cell<u32>,
    sent: Cell<usize>,
}

impl<'a> Noise<'a> {
    fn new(room: &'a Room, a_minute: u32) -> Self {
        let apart = Duration::from_secs(60) / a_minute;
        Self { room, apart, began: Instant::now(), begun: Cell::new(0), sent: Cell::new(0) }
    }

    /// Lasts until nobody listens any more.
    async fn of(&self, site: &Site, people: &[Person]) -> Result<()> {
        let mouths = site.clients(MOUTHS).into_iter().zip(people);
        try_join_all(mouths.map(|(client, person)| self.mouth(client, person))).await?;
        Ok(())
    }

    /// Says whatever is next to be said.
    async fn mouth(&self, mut client: Client, person: &Person) -> Result<()> {
        loop {
            let number = self.begun.replace(self.begun.get() + 1);
            sleep_until((self.began + self.apart * number).into()).await;
            let words = matrix::text(&format!("{NOISE} {number}"));
            matrix::send(&mut client, person, self.room, words).await?;
            self.sent.set(self.sent.get() + 1);
        }
    }
}
