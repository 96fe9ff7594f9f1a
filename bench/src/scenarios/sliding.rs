//! Sliding sync as deployed (`org.matrix.simplified_msc3575`).

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use memchr::memmem;
use serde::Deserialize;
use serde_json::{Value, json};
use tern_testkit::encode;

use crate::{
    client::{Client, read},
    figures::{Line, timed},
    matrix::{self, POLL, Person},
    measure::{Meter, drive},
    site::{Site, turn},
};

const PATH: &str = "/_matrix/client/unstable/org.matrix.simplified_msc3575/sync";

/// One connection of sliding sync.
struct Connection<'a> {
    client: Client,
    person: &'a Person,
    body: Value,
    pos: String,
}

impl<'a> Connection<'a> {
    /// Not opened yet: the first look opens it.
    fn new(client: Client, person: &'a Person, rooms: usize, id: &str) -> Self {
        let list = json!({
            "ranges": [[0, rooms.saturating_sub(1)]],
            "timeline_limit": 10,
            "required_state": [["m.room.name", ""], ["m.room.member", "$ME"]],
        });
        let body = json!({ "conn_id": id, "lists": { "all": list } });
        Self { client, person, body, pos: String::new() }
    }

    /// One request; gives its answer and how long it took.
    async fn look(&mut self) -> Result<(Duration, Bytes)> {
        #[derive(Deserialize)]
        struct Looked {
            pos: String,
        }
        let path = match self.pos.as_str() {
            "" => PATH.to_owned(),
            pos => format!("{PATH}?timeout={}&pos={}", POLL.as_millis(), encode(pos)),
        };
        let began = Instant::now();
        let answer = self.client.post(&self.person.bearer, &path, &self.body).await?;
        let took = began.elapsed();
        let body = answer.ok().context("sliding sync")?;
        self.pos = read::<Looked>(&body)?.pos;
        Ok((took, body))
    }

    /// Looks until an answer holds `mark`; gives how long all looks took.
    async fn until(&mut self, mark: &str) -> Result<Duration> {
        let mut whole = Duration::ZERO;
        loop {
            let (took, body) = self.look().await?;
            whole += took;
            if memmem::find(&body, mark.as_bytes()).is_some() {
                return Ok(whole);
            }
        }
    }
}

/// New connections, one after the other.
pub(super) async fn initial(site: &mut Site) -> Result<Vec<Line>> {
    let village = site.village().await?;
    let rooms = village.rooms.len();
    let mut connections = Vec::new();
    for person in &village.people {
        let mut connection = Connection::new(site.server.client(), person, rooms, "bench");
        let (_, body) = connection.look().await?;
        let body: Value = read(&body)?;
        let shown = body.pointer("/rooms").and_then(Value::as_object).context("no rooms")?;
        ensure!(shown.len() == rooms, "{} rooms came, not {rooms}", shown.len());
        connections.push(connection);
    }
    let pids = site.server.pids();
    let meter = Meter::start(&pids)?;
    // One worker that goes round all connections, so that one looks at a time.
    let mut workers = [connections];
    let samples = drive(site.plan.in_turn(), &mut workers, async |connections, number| {
        let index = number % connections.len().max(1);
        let connection = connections.get_mut(index).context("no connection")?;
        connection.pos.clear();
        Ok(connection.look().await?.0)
    });
    timed(samples.await?, &meter.stop()?, &pids)
}

/// Looks that bring one message each. Everybody reads a message before the next is sent, so that little of the cost is the sending.
pub(super) async fn incremental(site: &mut Site) -> Result<Vec<Line>> {
    let village = site.village().await?;
    let (sender, others) = village.people.split_first().context("nobody")?;
    let mut readers = Vec::new();
    for person in others {
        let client = site.server.client();
        let mut reader = Connection::new(client, person, village.rooms.len(), "incremental");
        reader.look().await?;
        readers.push(reader);
    }
    let pids = site.server.pids();
    let meter = Meter::start(&pids)?;
    let mut workers = [(site.server.client(), readers)];
    let samples = drive(site.plan.in_turn(), &mut workers, async |(client, readers), number| {
        let (message, reader) = (number / others.len(), number % others.len());
        let mark = format!("sliding number {message}.");
        if reader == 0 {
            let room = turn(&village.rooms, message)?;
            matrix::send(client, sender, room, matrix::text(&mark)).await?;
        }
        readers.get_mut(reader).context("no reader")?.until(&mark).await
    });
    timed(samples.await?, &meter.stop()?, &pids)
}
