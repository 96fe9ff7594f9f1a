//! What a run found, as it is kept between runs and printed.

use std::time::Duration;

use anyhow::Result;
use serde::{Deserialize, Serialize};

use crate::{
    machine::Machine,
    measure::{Samples, Usage},
    proc,
};

/// One run: the same scenarios on each of some servers.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Results {
    /// The heading.
    pub(crate) title: String,
    /// What a reader has to know beside the machine.
    pub(crate) notes: Vec<String>,
    pub(crate) machine: Machine,
    pub(crate) date: String,
    pub(crate) columns: Vec<Column>,
    pub(crate) tables: Vec<Table>,
    /// What the load generator alone can do; no lines where it was not asked.
    pub(crate) ceiling: Vec<Line>,
}

/// A server, or a state of one.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Column {
    pub(crate) name: String,
    /// What the server says it is.
    pub(crate) version: String,
}

/// One scenario.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Table {
    /// Its name on the command line.
    pub(crate) scenario: String,
    pub(crate) title: String,
    /// What exactly is timed.
    pub(crate) about: String,
    pub(crate) cells: Vec<Cell>,
}

/// One scenario on one server.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Cell {
    pub(crate) column: String,
    pub(crate) lines: Vec<Line>,
    /// Why there are no lines.
    pub(crate) failure: Option<String>,
}

/// One figure.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Line {
    pub(crate) name: String,
    pub(crate) value: f64,
    pub(crate) unit: String,
    pub(crate) better: Better,
}

/// Which way a figure is good.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Better {
    More,
    Less,
    /// It only says under what conditions the others came about.
    Neither,
}

impl Line {
    pub(crate) fn new(name: &str, value: f64, unit: &str, better: Better) -> Self {
        Self { name: name.to_owned(), value, unit: unit.to_owned(), better }
    }

    /// A figure of which less is better.
    pub(crate) fn cost(name: &str, value: f64, unit: &str) -> Self {
        Self::new(name, value, unit, Better::Less)
    }

    /// A figure that is a condition.
    pub(crate) fn fact(name: &str, value: f64, unit: &str) -> Self {
        Self::new(name, value, unit, Better::Neither)
    }
}

/// The names of the lines that more than one place knows.
pub(crate) mod names {
    pub(crate) const RATE: &str = "rate";
    pub(crate) const P50: &str = "p50";
    pub(crate) const P99: &str = "p99";
    pub(crate) const MAX: &str = "max";
    pub(crate) const SERVER_CPU: &str = "server CPU each";
    pub(crate) const TIMED: &str = "timed";
    pub(crate) const MEMORY: &str = "resident memory";
}

/// The lines of a scenario that timed many of one thing.
pub(crate) fn timed(mut samples: Samples, usage: &Usage, pids: &[u32]) -> Result<Vec<Line>> {
    let count = count(samples.count());
    let mut lines = vec![
        Line::fact(names::TIMED, count, ""),
        Line::new(names::RATE, count / usage.wall.as_secs_f64(), "/s", Better::More),
        Line::cost(names::P50, millis(samples.quantile(0.5)?), "ms"),
        Line::cost(names::P99, millis(samples.quantile(0.99)?), "ms"),
        Line::cost(names::MAX, millis(samples.quantile(1.0)?), "ms"),
    ];
    lines.extend(costs(usage, count, pids)?);
    Ok(lines)
}

/// What `count` operations cost.
pub(crate) fn costs(usage: &Usage, count: f64, pids: &[u32]) -> Result<Vec<Line>> {
    let mut lines = Vec::new();
    if let Some(server) = usage.server {
        lines.push(Line::cost(names::SERVER_CPU, millis(server) / count, "ms"));
    }
    lines.push(Line::fact("load generator CPU each", millis(usage.generator) / count, "ms"));
    let share = usage.generator.as_secs_f64() / usage.wall.as_secs_f64();
    lines.push(Line::fact("load generator, of one core", 100.0 * share, "%"));
    lines.push(Line::fact("CPU used by others meanwhile", 100.0 * usage.elsewhere, "%"));
    lines.extend(memory(names::MEMORY, pids)?);
    Ok(lines)
}

/// The memory of some processes together; no line where they are not known.
pub(crate) fn memory(name: &str, pids: &[u32]) -> Result<Option<Line>> {
    let mut kib = 0;
    for pid in pids {
        kib += proc::resident(*pid)?;
    }
    Ok((!pids.is_empty()).then(|| Line::cost(name, number(kib) / 1024.0, "MiB")))
}

/// In milliseconds, with the fraction.
pub(crate) fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

/// For division.
pub(crate) fn count(count: usize) -> f64 {
    number(u64::try_from(count).unwrap_or(u64::MAX))
}

/// For division.
#[expect(clippy::cast_precision_loss, reason = "figures are printed with four digits")]
pub(crate) fn number(number: u64) -> f64 {
    number as f64
}
