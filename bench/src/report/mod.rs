//! Printing: to the terminal while it runs, and the page at the end.

mod markdown;
mod numbers;

use std::{
    fs,
    io::{self, Write},
    path::Path,
};

use anyhow::{Context, Result};

use crate::figures::{Cell, Results};

pub(crate) use markdown::tables;

/// What stands below it in an existing page is kept: it was written by people.
const REMARKS: &str = "\n## Remarks\n";

/// To the standard output.
pub(crate) fn print(text: &str) -> Result<()> {
    let mut output = io::stdout().lock();
    output.write_all(text.as_bytes())?;
    Ok(output.flush()?)
}

/// A line about what is going on, to the standard error output.
pub(crate) fn progress(text: &str) {
    // Where nobody listens there is nobody to tell.
    writeln!(io::stderr(), "{text}").ok();
}

/// A finished cell, in one line.
pub(crate) fn progress_cell(scenario: &str, cell: &Cell) {
    let figures = match &cell.failure {
        Some(failure) => failure.clone(),
        None => {
            let lines = cell.lines.iter();
            let shown = lines.map(|line| format!("{} {}", line.name, numbers::shown(line)));
            shown.collect::<Vec<_>>().join(", ")
        }
    };
    progress(&format!("{scenario} · {}: {figures}", cell.column));
}

/// Writes the page of several runs.
pub(crate) fn write_page(path: &Path, results: &[Results]) -> Result<()> {
    let old = fs::read_to_string(path).unwrap_or_default();
    let remarks = old.split_once(REMARKS).map(|(_, remarks)| remarks);
    let mut page = markdown::page(results);
    if let Some(remarks) = remarks {
        page.push_str(REMARKS);
        page.push_str(remarks);
    }
    fs::write(path, page).with_context(|| format!("cannot write {}", path.display()))
}
