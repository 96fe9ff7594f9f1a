//! Tables: one row of the screen for each of theirs, columns as wide as they need and the screen allows.

use super::Run;
use super::lay::{Look, style_of, text_of};
use crate::theme;
use crate::width;
use crate::wrap::cut;
use ratatui::style::Style;
use ratatui::text::{Line, Span};

/// More columns than this are not shown.
const COLUMNS_MAX: usize = 20;
const BETWEEN: &str = " │ ";

/// Adds the rows of a table.
pub(super) fn lay(
    table: &[Vec<Vec<Run>>],
    head: bool,
    look: &mut Look<'_>,
    rows: &mut Vec<Line<'static>>,
) {
    let widths = widths(table, look);
    for (index, cells) in table.iter().enumerate() {
        let mut spans = Vec::new();
        for (column, width) in widths.iter().enumerate() {
            if column > 0 {
                spans.push(Span::styled(BETWEEN, theme::RULE));
            }
            let runs = cells.get(column).map(Vec::as_slice).unwrap_or_default();
            let used = lay_cell(runs, *width, head && index == 0, look, &mut spans);
            if column + 1 < widths.len() {
                spans.push(Span::raw(" ".repeat(width - used)));
            }
        }
        rows.push(Line::from(spans));
        if head && index == 0 {
            let line: Vec<String> = widths.iter().map(|width| "─".repeat(*width)).collect();
            rows.push(Line::from(Span::styled(line.join("─┼─"), theme::RULE)));
        }
    }
}

/// The columns' widths: what their cells need, the widest ones shortened until all fit.
fn widths(table: &[Vec<Vec<Run>>], look: &Look<'_>) -> Vec<usize> {
    let columns = table.iter().map(Vec::len).max().unwrap_or(0).min(COLUMNS_MAX);
    let mut widths = vec![1; columns];
    for cells in table {
        for (width, cell) in widths.iter_mut().zip(cells) {
            let needed: usize = cell.iter().map(|run| width::columns(&text_of(run, look))).sum();
            *width = needed.max(*width);
        }
    }
    let room =
        look.width.saturating_sub(width::columns(BETWEEN) * columns.saturating_sub(1)).max(columns);
    while widths.iter().sum::<usize>() > room {
        let Some(widest) = widths.iter_mut().max() else { break };
        *widest -= 1;
    }
    widths
}

/// Adds one cell; gives the columns it takes.
fn lay_cell(
    runs: &[Run],
    width: usize,
    strong: bool,
    look: &mut Look<'_>,
    spans: &mut Vec<Span<'static>>,
) -> usize {
    let mut used = 0;
    for run in runs {
        let text = cut(&text_of(run, look), width - used);
        let style = style_of(run, look).patch(if strong { theme::STRONG } else { Style::new() });
        used += width::columns(&text);
        let is_cut = text.ends_with('…');
        spans.push(Span::styled(text, style));
        if is_cut || used >= width {
            break;
        }
    }
    used
}
