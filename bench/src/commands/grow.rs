//! `bench grow`: what a server costs that is empty, and one that holds a lot which the work does not touch.

use std::{
    cell::RefCell,
    process::ExitCode,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use tokio::time::sleep_until;

use super::{finish, new_results, notes, rounds, table};
use crate::{
    cli::Grow,
    client::Trust,
    figures::{Cell, Column, Line, Results, Table, count, memory, names, number},
    matrix::{self, Person, Room},
    measure::drive,
    proc, report,
    scenarios::{Scenario, UNTOUCHED_BY_GROWTH},
    server::{Candidate, candidates},
    site::{Site, turn},
};

pub(super) async fn run(command: &Grow) -> Result<ExitCode> {
    let mut all = Vec::new();
    for candidate in candidates(&command.servers)? {
        all.push(grow(command, &candidate).await?);
    }
    finish(&all, &command.output)
}

/// A server that uses less than a twentieth of a core for so long has nothing left to do.
const QUIET: Duration = Duration::from_secs(3);
/// How long a server may take to let go of what nobody uses any more. `ternd` does after one to two minutes, beside what it is asked for
/// meanwhile.
const LETS_GO: Duration = Duration::from_secs(150);
/// The longest that is waited for both.
const SETTLES_WITHIN: Duration = Duration::from_secs(300);

/// The names of the two columns.
const GROWN: &str = "grown";
const SMALL: &str = "small";

/// Of a server that the bench can start there are two, which are measured in turn. One that runs elsewhere is measured before it is filled
/// and after.
async fn grow(command: &Grow, candidate: &Candidate) -> Result<Results> {
    let plan = command.size.plan();
    let title = format!("Growth, {}", candidate.name);
    let notes = notes(&command.servers, &plan);
    let mut results = new_results(&title, command.output.date.as_deref(), notes)?;
    let trust = Trust::new(command.servers.ca.as_deref())?;
    let mut site = Site::open(candidate, &plan, &trust).await?;
    let version = site.server.version().await?;
    let column = |name: &str| Column { name: name.to_owned(), version: version.clone() };
    // How many times better it is grown: the figure that must stay near one.
    results.columns = vec![column(GROWN), column(SMALL)];
    let history = History::of(command);
    results.notes.push(history.described());
    let rounds = command.rounds.max(1);
    let before = match site.server.is_ours() {
        true => Vec::new(),
        false => {
            wake(&mut site).await?;
            measure(&mut [&mut site], &[SMALL], rounds).await
        }
    };
    let size = history.make(&mut site).await?;
    settle(&site, if command.size.quick { QUIET } else { LETS_GO }).await?;
    wake(&mut site).await?;
    let tables = if site.server.is_ours() {
        let mut small = Site::open(candidate, &plan, &trust).await?;
        wake(&mut small).await?;
        settle(&small, QUIET).await?;
        results.notes.push(format!(
            "Two servers, in turn: medians of {rounds} runs each, of what was longest the longest."
        ));
        measure(&mut [&mut site, &mut small], &[GROWN, SMALL], rounds).await
    } else {
        let after = measure(&mut [&mut site], &[GROWN], rounds).await;
        results.notes.push(format!("Before it was filled and after: medians of {rounds} runs each, of what was longest the longest."));
        let both = after.into_iter().zip(before);
        both.map(|(after, before)| after.into_iter().chain(before).collect()).collect()
    };
    let of = |(scenario, cells): (&Scenario, Vec<Cell>)| table(*scenario, cells);
    results.tables.extend(UNTOUCHED_BY_GROWTH.iter().zip(tables).map(of));
    let cell = Cell { column: GROWN.to_owned(), lines: size, failure: None };
    report::progress_cell("history", &cell);
    results.tables.push(Table {
        scenario: "history".to_owned(),
        title: "The history".to_owned(),
        about: "Made through the API before.".to_owned(),
        cells: vec![cell],
    });
    Ok(results)
}

/// Each scenario on each of the servers; the cells of a scenario are in the order of `columns`.
async fn measure(sites: &mut [&mut Site], columns: &[&str], rounds: usize) -> Vec<Vec<Cell>> {
    let mut tables = Vec::new();
    for scenario in UNTOUCHED_BY_GROWTH {
        tables.push(rounds::measure(scenario, sites, columns, rounds).await);
    }
    tables
}

/// Waits until the server has done what the history left it to do, such as indexing it and letting go of it: what is measured is the work
/// that it then has. Where its process is not known, only that time is waited for.
async fn settle(site: &Site, at_least: Duration) -> Result<()> {
    let used = || site.server.pids().into_iter().map(proc::cpu).sum::<Result<Duration>>();
    let began = Instant::now();
    let mut before = used()?;
    while began.elapsed() < SETTLES_WITHIN {
        sleep_until((Instant::now() + QUIET).into()).await;
        let now = used()?;
        if now - before < QUIET / 20 && began.elapsed() >= at_least {
            break;
        }
        before = now;
    }
    report::progress(&format!("settled after {:?}", began.elapsed()));
    Ok(())
}

/// Says something in every room of the village. While the history was made nobody did, and a server may have let the rooms go meanwhile:
/// what is compared is the same rooms in use.
async fn wake(site: &mut Site) -> Result<()> {
    let village = site.village().await?;
    let person = turn(&village.people, 0)?;
    let mut client = site.server.client();
    for room in &village.rooms {
        matrix::send(&mut client, person, room, matrix::text("Is anybody here?")).await?;
    }
    Ok(())
}

/// What a server is filled with.
#[derive(Debug, Clone, Copy)]
struct History {
    users: usize,
    rooms: usize,
    memberships: usize,
    messages: usize,
}

impl History {
    fn of(command: &Grow) -> Self {
        if command.size.quick {
            return Self { users: 6, rooms: 4, memberships: 2, messages: 100 };
        }
        let memberships = command.memberships.clamp(1, command.rooms.max(1));
        let joins = command.users * memberships;
        let messages = command.events.saturating_sub(joins);
        Self { users: command.users.max(1), rooms: command.rooms.max(1), memberships, messages }
    }

    fn described(self) -> String {
        let Self { users, rooms, memberships, messages } = self;
        format!(
            "In the grown one the bench made {users} users, {rooms} rooms with each user in {memberships} of them, and {messages} messages, and waited until the server had nothing to do and had let go of what it held of them in memory (150 s); what is measured touches none of them. Before, somebody said something in every room of the village, so that all are in use."
        )
    }

    /// Fills the server; gives what that took.
    async fn make(self, site: &mut Site) -> Result<Vec<Line>> {
        let began = Instant::now();
        let ours = site.server.is_ours();
        let bytes_before = if ours { site.server.database_bytes()? } else { 0 };
        let people = site.crowd(self.users).await?;
        report::progress(&format!("{} users after {:?}", people.len(), began.elapsed()));
        let rooms = self.rooms_of(site, &people).await?;
        report::progress(&format!("{} rooms after {:?}", rooms.len(), began.elapsed()));
        let took = self.talk(site, &people, &rooms).await?;
        let mut lines = vec![
            Line::fact("users", count(self.users), ""),
            Line::fact("rooms", count(self.rooms), ""),
            Line::fact("messages", count(self.messages), ""),
            Line::new(
                "messages per second",
                count(self.messages) / took.as_secs_f64(),
                "/s",
                crate::figures::Better::More,
            ),
        ];
        if ours {
            let grown = site.server.database_bytes()?.saturating_sub(bytes_before);
            let events = self.messages + self.users * self.memberships;
            lines.push(Line::cost("database", number(grown) / 1024.0 / 1024.0, "MiB"));
            lines.push(Line::cost("database bytes per event", number(grown) / count(events), "B"));
        }
        lines.extend(memory(names::MEMORY, &site.server.pids())?);
        Ok(lines)
    }

    /// Each room is made by one of the people who are in it.
    async fn rooms_of(self, site: &Site, people: &[Person]) -> Result<Vec<Room>> {
        let body = matrix::new_room("public_chat", &site.plan.room_version);
        let made = RefCell::new(Vec::new());
        let mut clients = site.clients(site.plan.concurrency);
        let load = site.plan.preparation(self.rooms);
        drive(load, &mut clients, async |client, room| {
            let room = matrix::create(client, turn(people, room)?, &body).await?;
            made.borrow_mut().push(room);
            Ok(Duration::ZERO)
        })
        .await?;
        let rooms = made.into_inner();
        let load = site.plan.preparation(self.users * self.memberships);
        drive(load, &mut clients, async |client, number| {
            let (person, room) = self.member(number);
            matrix::join(client, turn(people, person)?, turn(&rooms, room)?, None).await?;
            Ok(Duration::ZERO)
        })
        .await?;
        Ok(rooms)
    }

    /// The `number`th membership: a user and a room. The same for joining and for talking.
    fn member(self, number: usize) -> (usize, usize) {
        let (person, round) = (number % self.users, number / self.users % self.memberships);
        // Rounds are shifted, so that a user's rooms differ and rooms share different people.
        (person, (person + round * (person / self.rooms + 1)) % self.rooms)
    }

    /// Messages by members, all rooms in turn.
    async fn talk(self, site: &Site, people: &[Person], rooms: &[Room]) -> Result<Duration> {
        let began = Instant::now();
        let content =
            matrix::text("One of very many words that were said here long ago, by somebody.");
        let mut clients = site.clients(site.plan.concurrency);
        let load = site.plan.preparation(self.messages);
        drive(load, &mut clients, async |client, number| {
            if number > 0 && number.is_multiple_of(100_000) {
                report::progress(&format!("{number} messages after {:?}", began.elapsed()));
            }
            let (person, room) = self.member(number);
            let room = rooms.get(room).context("no room")?;
            matrix::send(client, turn(people, person)?, room, content.clone()).await
        })
        .await?;
        Ok(began.elapsed())
    }
}
