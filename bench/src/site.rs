//! A server and the people who live on it: made once, used by every scenario.

use std::{
    cell::RefCell,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use anyhow::{Context, Result, bail};

use crate::{
    client::{Client, Trust},
    matrix::{self, Person, Room},
    measure::{Samples, drive},
    plan::Plan,
    server::{Candidate, Origin, Role, Server},
};
use tern_testkit::Loopback;

/// How many accounts are made at once: passwords are slow to hash, and two cores cannot do more.
pub(crate) const REGISTRATIONS: usize = 4;

/// People and rooms, with everybody in every room.
#[derive(Debug)]
pub(crate) struct Village {
    pub(crate) people: Vec<Person>,
    pub(crate) rooms: Vec<Room>,
}

/// One column of a run.
pub(crate) struct Site {
    pub(crate) name: String,
    pub(crate) server: Server,
    pub(crate) plan: Plan,
    loopback: Loopback,
    trust: Trust,
    peer: Origin,
    peers: usize,
    /// Begins the names of this run's people, so that a server may serve several runs.
    prefix: String,
    registered: usize,
    village: Option<Arc<Village>>,
    crowd: Vec<Person>,
    /// How many requests for first syncs there were: none may be like another, for a server may answer that from a cache.
    pub(crate) asked: usize,
}

impl Site {
    /// Starts the server of `candidate`.
    pub(crate) async fn open(candidate: &Candidate, plan: &Plan, trust: &Trust) -> Result<Self> {
        let loopback = Loopback::new()?;
        let server = Server::of(&candidate.subject, Role::Subject, &loopback, trust).await?;
        Ok(Self {
            name: candidate.name.clone(),
            server: server.context("no server")?,
            plan: plan.clone(),
            loopback,
            trust: trust.clone(),
            peer: candidate.peer.clone(),
            peers: 0,
            prefix: format!("b{:08x}", rand::random::<u32>()),
            registered: 0,
            village: None,
            crowd: Vec::new(),
            asked: 0,
        })
    }

    /// A second server of the same kind.
    pub(crate) async fn peer(&mut self) -> Result<Server> {
        self.peers += 1;
        let role = Role::Peer(self.peers);
        let peer = Server::of(&self.peer, role, &self.loopback, &self.trust).await?;
        peer.context("there is no second server to federate with (--peer)")
    }

    /// `count` connections to the server.
    pub(crate) fn clients(&self, count: usize) -> Vec<Client> {
        Client::many(&self.server.address, count)
    }

    /// A user name that nobody has.
    pub(crate) fn fresh_names(&mut self, count: usize) -> Vec<String> {
        let first = self.registered;
        self.registered += count;
        (first..self.registered).map(|number| format!("{}-{number}", self.prefix)).collect()
    }

    /// Makes accounts and keeps them for the crowd.
    pub(crate) async fn register(
        &mut self,
        count: usize,
        limit: Option<Duration>,
    ) -> Result<Samples> {
        let names = self.fresh_names(count);
        let made = RefCell::new(Vec::new());
        let mut load = self.plan.preparation(count);
        load.limit = limit;
        load.concurrency = REGISTRATIONS;
        let mut clients = self.clients(REGISTRATIONS);
        let samples = drive(load, &mut clients, async |client, number| {
            let began = std::time::Instant::now();
            let name = names.get(number).context("no name left")?;
            let person = matrix::register(client, name).await?;
            let took = began.elapsed();
            made.borrow_mut().push(person);
            Ok(took)
        });
        let samples = samples.await?;
        self.crowd.extend(made.into_inner());
        Ok(samples)
    }

    /// `count` people who are not of the village; their rooms do not matter to anybody's figures but their own.
    pub(crate) async fn crowd(&mut self, count: usize) -> Result<Vec<Person>> {
        let missing = count.saturating_sub(self.crowd.len());
        self.register(missing, None).await?;
        Ok(self.crowd.iter().take(count).cloned().collect())
    }

    /// The village; built when first asked for.
    pub(crate) async fn village(&mut self) -> Result<Arc<Village>> {
        if let Some(village) = &self.village {
            return Ok(Arc::clone(village));
        }
        let before = self.crowd.len();
        self.register(self.plan.people, None).await?;
        let people = self.crowd.split_off(before);
        let rooms = self.public_rooms(&people, self.plan.rooms).await?;
        let village = Arc::new(Village { people, rooms });
        self.village = Some(Arc::clone(&village));
        Ok(village)
    }

    /// `count` public rooms with all `people` in each; the first of them made them.
    pub(crate) async fn public_rooms(&self, people: &[Person], count: usize) -> Result<Vec<Room>> {
        let Some((creator, others)) = people.split_first() else { bail!("nobody to live there") };
        let body = matrix::new_room("public_chat", &self.plan.room_version);
        let rooms = RefCell::new(Vec::new());
        let mut clients = self.clients(self.plan.concurrency);
        let load = self.plan.preparation(count);
        drive(load, &mut clients, async |client, _| {
            let room = matrix::create(client, creator, &body).await?;
            rooms.borrow_mut().push(room);
            Ok(Duration::ZERO)
        })
        .await?;
        let rooms = rooms.into_inner();
        let load = self.plan.preparation(count * others.len());
        drive(load, &mut clients, async |client, number| {
            let (room, person) = diagonal(number, &rooms, others)?;
            matrix::join(client, person, room, None).await?;
            Ok(Duration::ZERO)
        })
        .await?;
        Ok(rooms)
    }

    /// Sends messages until each room of the village has `count`.
    pub(crate) async fn fill(&self, village: &Village, count: u64) -> Result<()> {
        let mut missing: Vec<&Room> = Vec::new();
        for room in &village.rooms {
            let has = room.messages.load(Ordering::Relaxed);
            missing.extend((has..count).map(|_| room));
        }
        let load = self.plan.preparation(missing.len());
        drive(load, &mut self.clients(load.concurrency), async |client, number| {
            let room = *missing.get(number).context("no room")?;
            let person = turn(&village.people, number)?;
            matrix::send(client, person, room, matrix::text("a word of the past")).await
        })
        .await?;
        Ok(())
    }
}

/// The `number`th of `all`, again from the beginning after the last.
pub(crate) fn turn<T>(all: &[T], number: usize) -> Result<&T> {
    all.get(number % all.len().max(1)).context("there are none")
}

/// Every pair of a room and a person once, neighbours unlike in both: what many people do at once in many rooms.
pub(crate) fn diagonal<'a>(
    number: usize,
    rooms: &'a [Room],
    people: &'a [Person],
) -> Result<(&'a Room, &'a Person)> {
    let round = number / rooms.len().max(1);
    let place = number % rooms.len().max(1);
    Ok((turn(rooms, place)?, turn(people, place + round)?))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_diagonal_meets_every_pair_once() {
        let rooms: Vec<Room> = (0..7).map(|number| Room::new(format!("!{number}"))).collect();
        let person = |number| Person { id: format!("@{number}:example.org"), bearer: None };
        let people: Vec<Person> = (0..3).map(person).collect();

        let pairs: BTreeSet<(&str, &str)> = (0..21)
            .map(|number| {
                let (room, person) = diagonal(number, &rooms, &people).unwrap();
                (room.id.as_str(), person.id.as_str())
            })
            .collect();

        assert_eq!(pairs.len(), 21);
    }
}
