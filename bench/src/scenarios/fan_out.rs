//! One message to everybody who waits for it.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail};
use tokio::{
    sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
    task::JoinSet,
    time::timeout,
};

use super::listener::{Listener, Way};
use crate::{
    client::Client,
    figures::{Line, timed},
    matrix::{self, Person, Room},
    measure::{Deadline, Meter, Samples},
    site::Site,
};

/// How long a delivery may take before it is lost.
const LOST: Duration = Duration::from_secs(60);

type Arrival = Result<Instant>;

/// By long polls of v3.
pub(super) async fn long_polls(site: &mut Site) -> Result<Vec<Line>> {
    deliveries(site, Way::LongPoll).await
}

/// By sockets.
pub(super) async fn sockets(site: &mut Site) -> Result<Vec<Line>> {
    deliveries(site, Way::Socket).await
}

/// Sends messages, each when all have the one before.
async fn deliveries(site: &mut Site, way: Way) -> Result<Vec<Line>> {
    let village = site.village().await?;
    let (sender, others) = village.people.split_first().context("nobody")?;
    let room = village.rooms.first().context("no room")?;
    let messages = site.plan.count.div_ceil(others.len());
    let (arrived, mut arrivals) = unbounded_channel();
    let mut listeners = JoinSet::new();
    for person in others {
        let client = site.server.client();
        let listener = Listener::begin(way, client, person, village.rooms.len()).await?;
        listeners.spawn(listen(listener, messages, arrived.clone()));
    }
    let mut client = site.server.client();
    let mut post = Post { sender, room, client: &mut client, arrivals: &mut arrivals };
    let pids = site.server.pids();
    let meter = Meter::start(&pids)?;
    let deadline = Deadline::after(Some(site.plan.limit));
    let mut samples = Samples::default();
    for number in 0..messages {
        post.deliver(number, others.len(), &mut samples).await?;
        if deadline.ends(&samples) {
            break;
        }
    }
    timed(samples, &meter.stop()?, &pids)
}

/// The words by which a message is known.
fn mark(number: usize) -> String {
    format!("fan-out number {number}.")
}

async fn listen(mut listener: Listener, messages: usize, arrived: UnboundedSender<Arrival>) {
    for number in 0..messages {
        let arrival = listener.until(&mark(number)).await;
        // Whoever listened has ended, or has heard of the error.
        if arrival.is_err() | arrived.send(arrival).is_err() {
            return;
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
