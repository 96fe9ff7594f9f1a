//! The page `docs/benchmarks.md`.

use std::fmt::Write as _;

use super::numbers::{rounded, shown, times_better};
use crate::{
    figures::{Better, Cell, Line, Results, Table, names},
    machine::Machine,
};

const INTRODUCTION: &str = "# Benchmarks

The same work for each server, in the same run on the same machine, by the load bench in `bench/`. The load generator shares the
cores with the servers, so ratios within one run are what counts. While one server works the others wait. All have their embedded
databases, log warnings only, and have presence and rate limits switched off. The people of a run are in all of its rooms, which
are not encrypted. A scenario ends after its count or after its time, whichever comes first, so a slow server is timed less often;
the time does not count for what takes under 4 ms on average, before 5,000 of it are timed.
Resident memory is what the processes have in RAM at the end of the scenario.

```sh
cargo build --release -p tern-homeserver -p tern-bench
target/release/bench run --server ternd=target/release/ternd --server synapse=/path/to/venv/bin/python3 --json run.json
target/release/bench run --slow-disk …    # 5 ms more for every sync call to the disk
target/release/bench grow …               # with a million events, beside one without
target/release/bench report run.json …    # this page
```
";

/// The whole page.
pub(super) fn page(results: &[Results]) -> String {
    let mut page = INTRODUCTION.to_owned();
    for run in results {
        let Results { title, notes, machine, date, .. } = run;
        write!(page, "\n## {title}\n\n{date}. {}\n", described(machine)).ok();
        for note in notes {
            writeln!(page, "{note}").ok();
        }
        for column in &run.columns {
            writeln!(page, "- {}: {}", column.name, column.version).ok();
        }
        page.push('\n');
        page.push_str(&overview(run));
        page.push_str(&tables(run));
    }
    page
}

fn described(machine: &Machine) -> String {
    let Machine { cpu, cores, memory_gib, kernel, sync_ms } = machine;
    format!(
        "{cpu}, {cores} cores, {memory_gib:.0} GiB of memory, Linux {kernel}; a 4 KiB write with `fdatasync` takes {} ms (median).",
        rounded(*sync_ms)
    )
}

/// The most telling figure of each scenario.
fn overview(run: &Results) -> String {
    let mut text = String::from("| |");
    for column in &run.columns {
        write!(text, " {} |", column.name).ok();
    }
    text.push_str("\n|---|");
    text.push_str(&"---|".repeat(run.columns.len()));
    text.push('\n');
    for table in &run.tables {
        write!(text, "| {} |", table.title).ok();
        for column in &run.columns {
            let cell = table.cells.iter().find(|cell| cell.column == column.name);
            write!(text, " {} |", cell.map_or_else(|| "–".to_owned(), main_figures)).ok();
        }
        text.push('\n');
    }
    text.push('\n');
    text
}

fn main_figures(cell: &Cell) -> String {
    if cell.failure.is_some() {
        return "failed".to_owned();
    }
    let main = [names::RATE, names::P50, names::P99, names::SERVER_CPU];
    let mut shown_lines: Vec<String> = main
        .iter()
        .filter_map(|name| line_named(cell, name))
        .map(|line| match line.name.as_str() {
            names::RATE => shown(line),
            names::SERVER_CPU => format!("{} CPU", shown(line)),
            name => format!("{name} {}", shown(line)),
        })
        .collect();
    if shown_lines.is_empty() {
        let named = |line: &Line| format!("{} {}", line.name, shown(line));
        let told = cell.lines.iter().filter(|line| line.better != Better::Neither);
        shown_lines = told.map(named).collect();
    }
    shown_lines.join(", ")
}

fn line_named<'a>(cell: &'a Cell, name: &str) -> Option<&'a Line> {
    cell.lines.iter().find(|line| line.name == name)
}

/// A table a scenario: a row a figure, a column a server, and how many times better the first is than the second.
pub(crate) fn tables(run: &Results) -> String {
    let mut text: String = run.tables.iter().map(|table| one_table(run, table)).collect();
    if !run.ceiling.is_empty() {
        text.push_str("### The load generator alone\n\nThe sends, to a process that answers at once: above this rate nothing can be measured here.\n\n");
        let shown: Vec<String> =
            run.ceiling.iter().map(|line| format!("{} {}", line.name, shown(line))).collect();
        writeln!(text, "{}.\n", shown.join(", ")).ok();
    }
    text
}

fn one_table(run: &Results, table: &Table) -> String {
    let mut text = format!("### {}\n\n{}\n\n|", table.title, table.about);
    let two = run.columns.len() == 2;
    for column in &run.columns {
        write!(text, " | {}", column.name).ok();
    }
    text.push_str(if two { " | times better |\n|---|" } else { " |\n|---|" });
    text.push_str(&"---:|".repeat(run.columns.len() + usize::from(two)));
    text.push('\n');
    let cells: Vec<Option<&Cell>> = run
        .columns
        .iter()
        .map(|column| table.cells.iter().find(|cell| cell.column == column.name))
        .collect();
    for name in line_names(&table.cells) {
        let lines: Vec<Option<&Line>> =
            cells.iter().map(|cell| cell.and_then(|cell| line_named(cell, name))).collect();
        write!(text, "| {name}").ok();
        for line in &lines {
            write!(text, " | {}", line.map_or_else(|| "–".to_owned(), shown)).ok();
        }
        if let [one, other] = lines.as_slice() {
            let ratio = one.zip(*other).and_then(|(one, other)| times_better(one, other));
            write!(text, " | {}", ratio.unwrap_or_default()).ok();
        }
        text.push_str(" |\n");
    }
    for cell in &table.cells {
        if let Some(failure) = &cell.failure {
            write!(text, "\n{}: {failure}\n", cell.column).ok();
        }
    }
    text.push('\n');
    text
}

/// The names of all lines, in the order in which they first come.
fn line_names(cells: &[Cell]) -> Vec<&str> {
    let mut found: Vec<&str> = Vec::new();
    for line in cells.iter().flat_map(|cell| &cell.lines) {
        if !found.contains(&line.name.as_str()) {
            found.push(&line.name);
        }
    }
    found
}
