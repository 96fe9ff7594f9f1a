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
    measure::{Meter, Samples, Usage, pass, until_quiet},
    proc,
    site::{Site, turn},
};

/// Longer than the scenario; each connection adds some milliseconds, so that no two requests of a person are the same.
const WAIT: Duration = Duration::from_secs(240);

/// How many connections the message wakes, however many wait: each is the only one of somebody in the room.
const WOKEN: usize = 10;

/// How long a server may take to become quiet, or to wake somebody.
const PATIENCE: Duration = Duration::from_secs(60);

/// By this the last message is known.
const MARK: &str = "wake up, some of you.";

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
    let shares = Shares::of(site.plan.idle, site.plan.idle_people, way);
    let people = site.crowd(shares.people()).await?;
    let village = site.village().await?;
    let sender = turn(&village.people, 0)?;
    let woken = people.get(..shares.woken).context("too few people")?;
    let room = room_of(site, sender, woken).await?;
    if site.server.is_ours() {
        // Of a fresh process nothing is left that the connections could use again.
        site.server.stop().await?;
        site.server.restart().await?;
    }
    let mut crowd = Crowd { waiting: JoinSet::new(), in_vain: Arc::default() };
    let mut lines = crowd.gather(site, way, &people, shares).await?;
    let mut client = site.server.client();
    let sent = Instant::now();
    matrix::send(&mut client, sender, &room, matrix::text(MARK)).await?;
    let mut arrivals = crowd.arrivals(shares.woken, sent).await?;
    until_quiet(&site.server.pids(), PATIENCE).await?;
    crowd.latecomers(&mut arrivals, sent)?;
    lines.push(Line::fact("connections woken by a message", count(arrivals.count()), ""));
    lines.push(Line::cost("send to woken, p50", millis(arrivals.quantile(0.5)?), "ms"));
    lines.push(Line::cost("send to woken, max", millis(arrivals.quantile(1.0)?), "ms"));
    let in_vain = number(crowd.in_vain.load(Ordering::Relaxed));
    lines.push(Line::cost("woken in vain", in_vain, ""));
    Ok(lines)
}

/// How many connections there are, and whose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Shares {
    connections: usize,
    /// People with one connection each, whom the message wakes. They come first.
    woken: usize,
    /// People who share the other connections.
    others: usize,
}

impl Shares {
    fn of(connections: usize, others: usize, way: Way) -> Self {
        let woken = WOKEN.min(connections);
        let shared = connections - woken;
        let others = match way {
            Way::LongPoll => others,
            Way::Socket => others.max(shared.div_ceil(SOCKETS_OF_ONE)),
        };
        Self { connections, woken, others: others.min(shared) }
    }

    fn people(self) -> usize {
        self.woken + self.others
    }

    /// Which of the people the connection is of.
    fn owner(self, connection: usize) -> usize {
        match connection.checked_sub(self.woken) {
            None => connection,
            Some(shared) => self.woken + shared % self.others.max(1),
        }
    }
}

async fn room_of(site: &Site, sender: &Person, people: &[Person]) -> Result<Room> {
    let everybody: Vec<Person> = std::iter::once(sender).chain(people).cloned().collect();
    let rooms = site.public_rooms(&everybody, 1).await?;
    rooms.into_iter().next().context("no room")
}

fn resident(pids: &[u32]) -> Result<u64> {
    pids.iter().map(|pid| proc::resident(*pid)).sum()
}

/// The waiting connections.
struct Crowd {
    waiting: JoinSet<Result<Instant>>,
    /// Answers without the message that wakes.
    in_vain: Arc<AtomicU64>,
}

impl Crowd {
    /// Lets all connections wait; gives what they cost while nothing happens.
    async fn gather(
        &mut self,
        site: &Site,
        way: Way,
        people: &[Person],
        shares: Shares,
    ) -> Result<Vec<Line>> {
        let mut positions = Vec::new();
        for person in people {
            positions.push(matrix::sync_position(&mut site.server.client(), person).await?);
        }
        let pids = site.server.pids();
        until_quiet(&pids, PATIENCE).await?;
        let before = resident(&pids)?;
        let (first, mut after_first) = (shares.connections / 10, before);
        for connection in 0..shares.connections {
            if connection == first {
                until_quiet(&pids, PATIENCE).await?;
                after_first = resident(&pids)?;
            }
            // Each is open before the next, so that no backlog of a listener overflows.
            let mut client = site.server.client();
            let owner = shares.owner(connection);
            let person = turn(people, owner)?;
            self.add(match way {
                Way::LongPoll => {
                    client.open().await?;
                    let since = turn(&positions, owner)?.clone();
                    // No two requests of a person are the same.
                    let wait = WAIT + Duration::from_millis(u64::try_from(connection)?);
                    Listener::LongPoll(Follower { client, person: person.clone(), since, wait })
                }
                Way::Socket => {
                    Listener::open(&client, person, &format!("idle{connection}"), 1).await?
                }
            });
        }
        until_quiet(&pids, PATIENCE).await?;
        self.in_vain.store(0, Ordering::Relaxed);
        let now = resident(&pids)?;
        let all = (shares.connections, now.saturating_sub(before));
        let later = (shares.connections - first, now.saturating_sub(after_first));
        let meter = Meter::start(&pids)?;
        pass(site.plan.idle_window).await;
        Ok(costs(all, later, &meter.stop()?))
    }

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

    /// Counts those too who have the message though nobody expected it.
    fn latecomers(&mut self, samples: &mut Samples, sent: Instant) -> Result<()> {
        while let Some(woken) = self.waiting.try_join_next() {
            samples.push(woken??.saturating_duration_since(sent));
        }
        Ok(())
    }
}

/// What waiting connections cost, of which nothing came: how many, and by how many KiB the server grew, for all of them and for those
/// after the first tenth.
fn costs(all: (usize, u64), later: (usize, u64), usage: &Usage) -> Vec<Line> {
    let (connections, _) = all;
    let each = |(connections, grown_kib): (usize, u64)| number(grown_kib) / count(connections);
    let mut lines = vec![Line::fact("connections", count(connections), "")];
    if let Some(cpu) = usage.server {
        let part = cpu.as_secs_f64() / usage.wall.as_secs_f64();
        lines.push(Line::cost("memory each", each(all), "KiB"));
        lines.push(Line::cost("memory each after the first tenth", each(later), "KiB"));
        lines.push(Line::cost("CPU of all, of one core", 100.0 * part, "%"));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(connections: usize, people: usize, way: Way, most_of_one: usize) {
        let shares = Shares::of(connections, people, way);
        let mut owned = vec![0; shares.people()];
        (0..connections).for_each(|connection| owned[shares.owner(connection)] += 1);

        let (woken, others) = owned.split_at(shares.woken);
        assert_eq!(woken, vec![1; WOKEN.min(connections)], "{shares:?}");
        assert!(others.iter().all(|count| (1..=most_of_one).contains(count)), "{owned:?}");
        assert_eq!(owned.iter().sum::<usize>(), connections);
    }

    #[test]
    fn ten_people_have_one_connection_each_however_many_wait() {
        check(20, 4, Way::LongPoll, 3);
        check(20, 4, Way::Socket, 3);
        check(10_000, 100, Way::LongPoll, 100);
        check(10_000, 100, Way::Socket, SOCKETS_OF_ONE);
        check(12, 100, Way::LongPoll, 1);
        check(3, 100, Way::LongPoll, 0);
        check(0, 100, Way::Socket, 0);
    }
}
