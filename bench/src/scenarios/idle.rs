//! Connections that wait for something that does not happen.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Context, Result, anyhow};
use tokio::{task::JoinSet, time::timeout};

use super::listener::{Listener, Way};
use crate::{
    figures::{Line, count, millis, number},
    matrix::{self, Follower, Person, Room},
    measure::{Meter, Samples, pass, until_quiet},
    proc,
    site::{Site, turn},
};

/// Longer than the scenario; each connection adds some milliseconds, so that no two requests of a person are the same.
const WAIT: Duration = Duration::from_secs(240);

/// How many connections the message wakes, about.
const WOKEN: usize = 10;

/// How long a server may take to become quiet, or to wake somebody.
const PATIENCE: Duration = Duration::from_secs(60);

/// By this the last message is known.
const MARK: &str = "wake up, some of you.";

/// The waiting connections.
struct Crowd {
    waiting: JoinSet<Result<Instant>>,
    /// Answers without the message that wakes.
    in_vain: Arc<AtomicU64>,
}

/// Most sockets of one device: a server need not keep more connections of sliding sync.
const SOCKETS_OF_ONE: usize = 8;

/// Long polls of v3.
pub(super) async fn long_polls(site: &mut Site) -> Result<Vec<Line>> {
    waiting(site, Way::LongPoll).await
}

/// The notification socket.
pub(super) async fn sockets(site: &mut Site) -> Result<Vec<Line>> {
    waiting(site, Way::Socket).await
}

async fn waiting(site: &mut Site, way: Way) -> Result<Vec<Line>> {
    proc::raise_file_limit()?;
    let people = match way {
        Way::LongPoll => site.plan.idle_people,
        Way::Socket => site.plan.idle_people.max(site.plan.idle.div_ceil(SOCKETS_OF_ONE)),
    };
    let people = site.crowd(people).await?;
    let village = site.village().await?;
    let sender = turn(&village.people, 0)?;
    let each = site.plan.idle.div_ceil(people.len());
    let woken = WOKEN.div_ceil(each).min(people.len());
    let room = room_of(site, sender, people.get(..woken).context("too few people")?).await?;
    let mut positions = Vec::new();
    for person in &people {
        positions.push(matrix::sync_position(&mut site.server.client(), person).await?);
    }
    let mut crowd = Crowd { waiting: JoinSet::new(), in_vain: Arc::default() };
    let pids = site.server.pids();
    until_quiet(&pids, PATIENCE).await?;
    let before = resident(&pids)?;
    for connection in 0..site.plan.idle {
        // Each is open before the next, so that no backlog of a listener overflows.
        let mut client = site.server.client();
        let person = turn(&people, connection)?;
        let listener = match way {
            Way::LongPoll => {
                client.open().await?;
                let since = turn(&positions, connection)?.clone();
                // No two requests of a person are the same.
                let wait = WAIT + Duration::from_millis(u64::try_from(connection)?);
                Listener::LongPoll(Follower { client, person: person.clone(), since, wait })
            }
            Way::Socket => Listener::open(&client, person, &format!("idle{connection}"), 1).await?,
        };
        crowd.add(listener);
    }
    until_quiet(&pids, PATIENCE).await?;
    crowd.in_vain.store(0, Ordering::Relaxed);
    let after = resident(&pids)?;
    let meter = Meter::start(&pids)?;
    pass(site.plan.idle_window).await;
    let usage = meter.stop()?;
    let connections = count(site.plan.idle);
    let mut lines = vec![Line::fact("connections", connections, "")];
    if !pids.is_empty() {
        let memory = number(after.saturating_sub(before)) / connections;
        lines.push(Line::cost("memory each", memory, "KiB"));
    }
    if let Some(cpu) = usage.server {
        let part = cpu.as_secs_f64() / usage.wall.as_secs_f64();
        lines.push(Line::cost("CPU of all, of one core", 100.0 * part, "%"));
    }
    let expected = (0..site.plan.idle).filter(|index| index % people.len() < woken).count();
    let mut client = site.server.client();
    let sent = Instant::now();
    matrix::send(&mut client, sender, &room, matrix::text(MARK)).await?;
    let mut arrivals = crowd.arrivals(expected, sent).await?;
    until_quiet(&pids, PATIENCE).await?;
    lines.push(Line::fact("connections woken by a message", count(arrivals.count()), ""));
    lines.push(Line::cost("send to woken, p50", millis(arrivals.quantile(0.5)?), "ms"));
    lines.push(Line::cost("send to woken, max", millis(arrivals.quantile(1.0)?), "ms"));
    let in_vain = number(crowd.in_vain.load(Ordering::Relaxed));
    lines.push(Line::cost("woken in vain", in_vain, ""));
    Ok(lines)
}

async fn room_of(site: &Site, sender: &Person, people: &[Person]) -> Result<Room> {
    let everybody: Vec<Person> = std::iter::once(sender).chain(people).cloned().collect();
    let rooms = site.public_rooms(&everybody, 1).await?;
    rooms.into_iter().next().context("no room")
}

fn resident(pids: &[u32]) -> Result<u64> {
    pids.iter().map(|pid| proc::resident(*pid)).sum()
}

impl Crowd {
    /// One more, who begins to wait as soon as others let it.
    fn add(&mut self, mut listener: Listener) {
        let in_vain = Arc::clone(&self.in_vain);
        self.waiting.spawn(async move {
            loop {
                if let Some(arrived) = listener.hear(MARK).await? {
                    return Ok(arrived);
                }
                in_vain.fetch_add(1, Ordering::Relaxed);
            }
        });
    }

    /// Waits until `expected` connections have the message.
    async fn arrivals(&mut self, expected: usize, sent: Instant) -> Result<Samples> {
        let mut samples = Samples::default();
        while samples.count() < expected {
            let woken = timeout(PATIENCE, self.waiting.join_next()).await;
            let woken = woken.map_err(|_| anyhow!("{} of {expected} woke", samples.count()))?;
            let arrived = woken.context("nobody waits")???;
            samples.push(arrived.saturating_duration_since(sent));
        }
        Ok(samples)
    }
}
