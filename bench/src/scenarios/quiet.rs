//! Somebody in a quiet corner of a busy server: what their sync costs must not depend on what goes on elsewhere.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::{
    client::{Client, read},
    figures::{Line, millis, names},
    matrix::{self, Person, Room},
    measure::{Samples, drive},
    site::{Site, turn},
};

/// How many rooms everybody is in.
const ROOMS: usize = 50;
/// Events a minute elsewhere.
const RATES: [u32; 2] = [10, 10_000];

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
    let mut lines = Vec::new();
    let mut halves = Vec::new();
    for rate in RATES {
        let mut noise = site.server.client();
        let mut clients = site.clients(1);
        let since = token(clients.first_mut().context("no client")?, quiet).await?;
        let path = matrix::sync_path(&since, Duration::ZERO);
        let syncs = drive(site.plan.in_turn(), &mut clients, async |client, _| {
            let began = Instant::now();
            client.get(&quiet.bearer, &path).await?.ok().context("sync")?;
            Ok(began.elapsed())
        });
        let mut samples: Samples = tokio::select! {
            samples = syncs => samples?,
            ended = talk(&mut noise, speaker, busy, rate) => {
                ended?;
                bail!("the noise ended");
            }
        };
        let (half, most) = (samples.quantile(0.5)?, samples.quantile(0.99)?);
        lines.push(Line::cost(
            &format!("{}, {rate} a minute elsewhere", names::P50),
            millis(half),
            "ms",
        ));
        lines.push(Line::cost(
            &format!("{}, {rate} a minute elsewhere", names::P99),
            millis(most),
            "ms",
        ));
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

async fn token(client: &mut Client, person: &Person) -> Result<String> {
    let (_, body) = super::sync::first(client, person, 0).await?;
    let body: Value = read(&body)?;
    let next = body.get("next_batch").and_then(Value::as_str);
    Ok(next.context("no next_batch")?.to_owned())
}

/// Talks evenly, until nobody listens any more.
async fn talk(client: &mut Client, person: &Person, room: &Room, a_minute: u32) -> Result<()> {
    let mut clock = tokio::time::interval(Duration::from_secs(60) / a_minute);
    for number in 0_u64.. {
        clock.tick().await;
        matrix::send(client, person, room, matrix::text(&format!("noise {number}"))).await?;
    }
    Ok(())
}
