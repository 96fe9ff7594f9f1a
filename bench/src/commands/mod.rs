//! The commands: which scenarios on which servers, and where the figures go.

mod grow;
mod rounds;

use std::{fs, process::ExitCode};

use anyhow::{Context, Result};
use chrono::Local;
use clap::ValueEnum;

use crate::{
    ceiling,
    cli::{Command, Output, Report, Run, Servers, Tui},
    client::{Trust, read},
    figures::{Cell, Column, Line, Results, Table, memory},
    machine::Machine,
    measure::{QUICK, QUICK_COUNT},
    plan::Plan,
    report,
    scenarios::Scenario,
    server::{SLOW_DISK, candidates},
    site::Site,
};

/// How many requests tell what the load generator can do, and how many in a quick run.
const CEILING: usize = 50_000;
const CEILING_QUICK: usize = 500;

/// The line of a server's memory at the end.
const AFTER: &str = "after the run";

/// Does it. The exit code is a failure when a scenario failed; the others' figures are printed all the same.
pub(crate) async fn run(command: Command) -> Result<ExitCode> {
    match command {
        Command::Run(command) => run_scenarios(&command).await,
        Command::Grow(command) => grow::run(&command).await,
        Command::Tui(command) => tui(&command).await,
        Command::Report(command) => merge(&command),
        Command::Nothing { address } => ceiling::serve(address).await.map(|()| ExitCode::SUCCESS),
        Command::Ceiling => {
            let mut results = new_results("The load generator alone", None, Vec::new())?;
            push_ceiling(&mut results, CEILING, 16).await?;
            report::print(&report::tables(&results))?;
            Ok(ExitCode::SUCCESS)
        }
    }
}

async fn run_scenarios(command: &Run) -> Result<ExitCode> {
    let plan = command.size.plan();
    let title = if command.servers.slow_disk { "Run, slow disk" } else { "Run" };
    let notes = notes(&command.servers, &plan);
    let mut results = new_results(title, command.output.date.as_deref(), notes)?;
    let mut sites = Vec::new();
    for candidate in candidates(&command.servers)? {
        let trust = Trust::new(command.servers.ca.as_deref())?;
        let site = Site::open(&candidate, &plan, &trust).await?;
        let version = site.server.version().await?;
        report::progress(&format!("{}: {version}", site.name));
        results.columns.push(Column { name: site.name.clone(), version });
        sites.push(site);
    }
    let memory_before = resident(&sites, "idle, empty")?;
    let mut memory_after = None;
    for scenario in Scenario::value_variants() {
        if !command.only.is_empty() && !command.only.contains(scenario) {
            continue;
        }
        if scenario.restarts() && memory_after.is_none() {
            memory_after = Some(resident(&sites, AFTER)?);
        }
        let mut cells = Vec::new();
        // One server after the other within a scenario, so that a busy minute of the machine meets both.
        for site in &mut sites {
            let column = site.name.clone();
            cells.push(cell(*scenario, site, &column).await);
        }
        results.tables.push(table(*scenario, cells));
    }
    let memory_after = memory_after.map_or_else(|| resident(&sites, AFTER), Ok)?;
    results.tables.push(memory_table(&sites, memory_before, memory_after));
    let ceiling = if command.size.quick { CEILING_QUICK } else { CEILING };
    push_ceiling(&mut results, ceiling, plan.concurrency).await?;
    finish(&[results], &command.output)
}

/// Runs one scenario on one server, for `column`.
async fn cell(scenario: Scenario, site: &mut Site, column: &str) -> Cell {
    let outcome = scenario.run(site).await;
    let (lines, failure) = match outcome {
        Ok(lines) => (lines, None),
        Err(error) => (Vec::new(), Some(format!("{error:#}"))),
    };
    let cell = Cell { column: column.to_owned(), lines, failure };
    report::progress_cell(&scenario.key(), &cell);
    cell
}

fn table(scenario: Scenario, cells: Vec<Cell>) -> Table {
    Table {
        scenario: scenario.key(),
        title: scenario.title().to_owned(),
        about: scenario.about().to_owned(),
        cells,
    }
}

/// What each server weighs now; none where its process is not known.
fn resident(sites: &[Site], name: &str) -> Result<Vec<Option<Line>>> {
    sites.iter().map(|site| memory(name, &site.server.pids())).collect()
}

fn memory_table(sites: &[Site], before: Vec<Option<Line>>, after: Vec<Option<Line>>) -> Table {
    let lines =
        before.into_iter().zip(after).map(|(before, after)| before.into_iter().chain(after));
    let cell = |(site, lines): (&Site, _)| Cell {
        column: site.name.clone(),
        lines: Iterator::collect(lines),
        failure: None,
    };
    Table {
        scenario: "memory".to_owned(),
        title: "Memory".to_owned(),
        about: "What of the server's process is in RAM before anything was done, and after the scenarios above that don't stop it."
            .to_owned(),
        cells: sites.iter().zip(lines).map(cell).collect(),
    }
}

/// What the load generator can do.
async fn push_ceiling(results: &mut Results, count: usize, concurrency: usize) -> Result<()> {
    let lines = ceiling::measure(count, concurrency).await?;
    let cell = Cell { column: "nothing".to_owned(), lines, failure: None };
    report::progress_cell("ceiling", &cell);
    results.ceiling = cell.lines;
    Ok(())
}

fn new_results(title: &str, date: Option<&str>, notes: Vec<String>) -> Result<Results> {
    let folder = tempfile::tempdir()?;
    let today = || Local::now().format("%Y-%m-%d").to_string();
    Ok(Results {
        title: title.to_owned(),
        notes,
        machine: Machine::here(folder.path())?,
        date: date.map_or_else(today, str::to_owned),
        columns: Vec::new(),
        tables: Vec::new(),
        ceiling: Vec::new(),
    })
}

/// What the tables don't say themselves.
fn notes(servers: &Servers, plan: &Plan) -> Vec<String> {
    let disk = if servers.slow_disk {
        format!("Every `fsync` and `fdatasync` of the servers begins {SLOW_DISK:?} late (strace).")
    } else {
        "The disk is as it is.".to_owned()
    };
    let Plan { people, rooms, concurrency, count, limit, room_version, .. } = plan;
    let size = format!(
        "{people} people, {rooms} rooms of version {room_version}; {concurrency} at once where a scenario says so; {count} operations or {} s a scenario, and at least {} of what takes under {} ms on average.",
        limit.as_secs(),
        QUICK_COUNT.min(*count),
        QUICK.as_millis()
    );
    vec![disk, size]
}

/// Prints and writes what was found.
fn finish(results: &[Results], output: &Output) -> Result<ExitCode> {
    for run in results {
        report::print(&report::tables(run))?;
    }
    if let Some(path) = &output.json {
        let text = serde_json::to_string_pretty(results)?;
        fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))?;
    }
    if let Some(path) = &output.markdown {
        report::write_page(path, results)?;
    }
    let mut cells = results.iter().flat_map(|run| &run.tables).flat_map(|table| &table.cells);
    let failed = cells.any(|cell| cell.failure.is_some());
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// `bench tui`.
async fn tui(command: &Tui) -> Result<ExitCode> {
    let notes = vec![format!(
        "One account in {} rooms on `ternd`, both on this machine; {} keys and messages, {} starts.",
        command.rooms, command.count, command.starts
    )];
    let mut results =
        new_results("The client in a terminal", command.output.date.as_deref(), notes)?;
    (results.columns, results.tables) = crate::tui::measure(command).await?;
    finish(&[results], &command.output)
}

/// `bench report`.
fn merge(command: &Report) -> Result<ExitCode> {
    let mut all: Vec<Results> = Vec::new();
    for path in &command.results {
        let text = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
        all.extend(read::<Vec<Results>>(&text)?);
    }
    report::write_page(&command.markdown, &all)?;
    Ok(ExitCode::SUCCESS)
}
