//! The same scenario on several servers in turn, again and again: what the machine does meanwhile meets all of them.

use super::cell;
use crate::{
    figures::{Cell, Line, names},
    scenarios::Scenario,
    site::Site,
};

/// Runs `scenario` `rounds` times on each of `sites`, who goes first in turn; gives each one's medians, in the order of `sites`, by the
/// name in `columns`.
pub(super) async fn measure(
    scenario: Scenario,
    sites: &mut [&mut Site],
    columns: &[&str],
    rounds: usize,
) -> Vec<Cell> {
    let mut cells: Vec<Vec<Cell>> = sites.iter().map(|_| Vec::new()).collect();
    for round in 0..rounds {
        let mut turns: Vec<_> = sites.iter_mut().zip(&mut cells).zip(columns).collect();
        if !round.is_multiple_of(2) {
            turns.reverse();
        }
        for ((site, cells), column) in turns {
            cells.push(cell(scenario, site, column).await);
        }
    }
    cells.into_iter().zip(columns).map(|(cells, column)| together(cells, column)).collect()
}

/// What several runs of a scenario come to.
fn together(mut cells: Vec<Cell>, column: &str) -> Cell {
    let column = (*column).to_owned();
    if let Some(failed) = cells.iter_mut().find(|cell| cell.failure.is_some()) {
        return Cell { column, lines: Vec::new(), failure: failed.failure.take() };
    }
    let lines = cells.first().map(|cell| cell.lines.clone()).unwrap_or_default();
    let lines = lines.into_iter().map(|line| {
        let of = |cell: &Cell| cell.lines.iter().find(|other| other.name == line.name).map(value);
        let values: Vec<f64> = cells.iter().filter_map(of).collect();
        Line { value: combined(&line.name, values), ..line }
    });
    Cell { column, lines: lines.collect(), failure: None }
}

fn value(line: &Line) -> f64 {
    line.value
}

/// All of what was timed, the highest of what is the highest of each, and of everything else the middle one.
fn combined(name: &str, mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    if name == names::TIMED {
        values.iter().sum()
    } else if name.ends_with(names::MAX) {
        values.last().copied().unwrap_or_default()
    } else {
        let middle = [values.len().saturating_sub(1) / 2, values.len() / 2];
        middle.iter().filter_map(|at| values.get(*at)).sum::<f64>() / 2.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ran(rate: f64, max: f64) -> Cell {
        let lines = vec![
            Line::fact(names::TIMED, 20.0, ""),
            Line::cost(names::RATE, rate, "/s"),
            Line::cost(names::MAX, max, "ms"),
        ];
        Cell { column: "each".to_owned(), lines, failure: None }
    }

    #[test]
    fn several_runs_come_to_their_middle_and_their_highest() {
        let all = together(vec![ran(3.0, 1.0), ran(9.0, 7.0), ran(4.0, 2.0)], "all");
        assert_eq!(all.column, "all");
        assert_eq!(all.lines.iter().map(value).collect::<Vec<_>>(), [60.0, 4.0, 7.0]);
    }

    #[test]
    fn one_run_that_fails_fails_all() {
        let failed = Cell { failure: Some("no answer".to_owned()), ..ran(1.0, 1.0) };
        let all = together(vec![ran(3.0, 1.0), failed], "all");
        assert!(all.lines.is_empty() && all.failure.as_deref() == Some("no answer"));
    }
}
