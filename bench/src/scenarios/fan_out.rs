//! One message to everybody who waits for it.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail};
use memchr::memmem;
use tokio::{
    sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
    task::JoinSet,
    time::timeout,
};

use crate::{
    client::{Client, Socket, all_rooms},
    figures::{Line, timed},
    matrix::{self, Follower, Person, Room},
    measure::{Meter, Samples},
    site::Site,
};

/// How long a delivery may take before it is lost.
const LOST: Duration = Duration::from_secs(60);

type Arrival = Result<Instant>;

/// By long polls of v3.
pub(super) async fn long_polls(site: &mut Site) -> Result<Vec<Line>> {
    let village = site.village().await?;
    let (sender, others) = village.people.split_first().context("nobody")?;
    let room = village.rooms.first().context("no room")?;
    let messages = site.plan.count.div_ceil(others.len());
    let (arrived, mut arrivals) = unbounded_channel();
    let mut followers = JoinSet::new();
    for person in others {
        let follower = Follower::begin(site.server.client(), person).await?;
        followers.spawn(follow(follower, messages, arrived.clone()));
    }
    deliveries(site, (sender, room), others.len(), &mut arrivals).await
}

/// By sockets.
pub(super) async fn sockets(site: &mut Site) -> Result<Vec<Line>> {
    let village = site.village().await?;
    let (sender, others) = village.people.split_first().context("nobody")?;
    let room = village.rooms.first().context("no room")?;
    let messages = site.plan.count.div_ceil(others.len());
    let (arrived, mut arrivals) = unbounded_channel();
    let mut listeners = JoinSet::new();
    for person in others {
        let client = site.server.client();
        let request = all_rooms("fan-out", village.rooms.len());
        let socket = Socket::open(client.address(), &person.bearer, request).await?;
        listeners.spawn(listen(socket, messages, arrived.clone()));
    }
    deliveries(site, (sender, room), others.len(), &mut arrivals).await
}

/// Sends messages, each when all have the one before.
async fn deliveries(
    site: &Site,
    (sender, room): (&Person, &Room),
    others: usize,
    arrivals: &mut UnboundedReceiver<Arrival>,
) -> Result<Vec<Line>> {
    let messages = site.plan.count.div_ceil(others);
    let mut client = site.server.client();
    let mut post = Post { sender, room, client: &mut client, arrivals };
    let pids = site.server.pids();
    let meter = Meter::start(&pids)?;
    let deadline = Instant::now() + site.plan.limit;
    let mut samples = Samples::default();
    for number in 0..messages {
        post.deliver(number, others, &mut samples).await?;
        if Instant::now() > deadline {
            break;
        }
    }
    timed(samples, &meter.stop()?, &pids)
}

/// The words by which a message is known.
fn mark(number: usize) -> String {
    format!("fan-out number {number}.")
}

async fn follow(mut follower: Follower, messages: usize, arrived: UnboundedSender<Arrival>) {
    for number in 0..messages {
        let arrival = follower.until(&mark(number)).await;
        // Whoever listened has ended, or has heard of the error.
        if arrival.is_err() | arrived.send(arrival).is_err() {
            return;
        }
    }
}

async fn listen(mut socket: Socket, messages: usize, arrived: UnboundedSender<Arrival>) {
    for number in 0..messages {
        let arrival = until(&mut socket, &mark(number)).await;
        if arrival.is_err() | arrived.send(arrival).is_err() {
            return;
        }
    }
}

/// Waits until a delta holds `mark`.
async fn until(socket: &mut Socket, mark: &str) -> Arrival {
    loop {
        let delta = socket.delta().await?;
        if memmem::find(&delta, mark.as_bytes()).is_some() {
            return Ok(Instant::now());
        }
    }
}

/// The sender's side.
struct Post<'a> {
    sender: &'a Person,
    room: &'a Room,
    client: &'a mut Client,
    arrivals: &'a mut UnboundedReceiver<Arrival>,
}

impl Post<'_> {
    /// Sends one message and waits until `others` have it.
    async fn deliver(&mut self, number: usize, others: usize, samples: &mut Samples) -> Result<()> {
        let began = Instant::now();
        matrix::send(self.client, self.sender, self.room, matrix::text(&mark(number))).await?;
        for _ in 0..others {
            let arrival = timeout(LOST, self.arrivals.recv()).await;
            let Some(arrived) = arrival.map_err(|_| anyhow!("a delivery was lost"))? else {
                bail!("nobody follows");
            };
            samples.push(arrived?.saturating_duration_since(began));
        }
        Ok(())
    }
}
