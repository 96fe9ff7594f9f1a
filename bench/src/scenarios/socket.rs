//! Syncs over the socket `chat.tern.socket`: what sliding sync answers, on a connection that stays.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use memchr::memmem;
use serde_json::Value;

use super::sliding::{Form, ensure_all_shown};
use crate::{
    client::{Client, Delta, Socket},
    figures::{Line, timed},
    matrix::{self, Person},
    measure::{Meter, drive},
    site::{Site, turn},
};

/// An open socket, and what is wanted there.
struct Connection {
    socket: Socket,
    request: Value,
    /// The delta that is not acknowledged: nothing comes before it is.
    unacknowledged: Delta,
    requests: usize,
}

impl Connection {
    /// Opens it; the first delta is there and waits for its acknowledgement.
    async fn open(client: &Client, person: &Person, rooms: usize, id: &str) -> Result<Self> {
        let request = Form::Stable.body(person, rooms, id);
        let mut socket = Socket::begin(client.address(), &person.bearer, request.clone()).await?;
        let unacknowledged = socket.unacknowledged().await?;
        ensure_all_shown(&unacknowledged.text, "/response/rooms", rooms)?;
        Ok(Self { socket, request, unacknowledged, requests: 0 })
    }

    /// Asks for everything anew; gives how long the answer took.
    async fn begin_anew(&mut self) -> Result<Duration> {
        self.requests += 1;
        let id = self.requests.to_string();
        let began = Instant::now();
        self.socket.request(&id, &self.request).await?;
        loop {
            let delta = self.socket.unacknowledged().await?;
            let took = began.elapsed();
            // One that was on its way answers the request before.
            if delta.id.as_ref() == Some(&id) {
                self.unacknowledged = delta;
                return Ok(took);
            }
        }
    }

    /// Acknowledges until a delta holds `mark`; gives how long that took.
    async fn until(&mut self, mark: &str) -> Result<Duration> {
        let began = Instant::now();
        loop {
            self.socket.acknowledge(&self.unacknowledged.pos).await?;
            self.unacknowledged = self.socket.unacknowledged().await?;
            let took = began.elapsed();
            if memmem::find(&self.unacknowledged.text, mark.as_bytes()).is_some() {
                return Ok(took);
            }
        }
    }
}

/// Everything anew, one after the other.
pub(super) async fn initial(site: &mut Site) -> Result<Vec<Line>> {
    let village = site.village().await?;
    let client = site.server.client();
    let mut connections = Vec::new();
    for person in &village.people {
        let rooms = village.rooms.len();
        connections.push(Connection::open(&client, person, rooms, "bench-socket").await?);
    }
    let pids = site.server.pids();
    let meter = Meter::start(&pids)?;
    // One worker that goes round all connections, so that one asks at a time.
    let mut workers = [connections];
    let samples = drive(site.plan.in_turn(), &mut workers, async |connections, number| {
        let index = number % connections.len().max(1);
        connections.get_mut(index).context("no connection")?.begin_anew().await
    });
    timed(samples.await?, &meter.stop()?, &pids)
}

/// Deltas that bring one message each. A reader holds back the acknowledgement until it is their turn, so that the delta is made then.
pub(super) async fn incremental(site: &mut Site) -> Result<Vec<Line>> {
    let village = site.village().await?;
    let (sender, others) = village.people.split_first().context("nobody")?;
    let client = site.server.client();
    let mut readers = Vec::new();
    for person in others {
        let rooms = village.rooms.len();
        readers.push(Connection::open(&client, person, rooms, "incremental-socket").await?);
    }
    let pids = site.server.pids();
    let meter = Meter::start(&pids)?;
    let mut workers = [(client, readers)];
    let samples = drive(site.plan.in_turn(), &mut workers, async |(client, readers), number| {
        let (message, reader) = (number / others.len(), number % others.len());
        let mark = format!("socket number {message}.");
        if reader == 0 {
            let room = turn(&village.rooms, message)?;
            matrix::send(client, sender, room, matrix::text(&mark)).await?;
        }
        readers.get_mut(reader).context("no reader")?.until(&mark).await
    });
    timed(samples.await?, &meter.stop()?, &pids)
}
