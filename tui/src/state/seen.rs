//! Where a text that is being typed is seen: every row has `width` columns and one more, where the cursor stands behind a full one.
//! What is right-to-left stands at the right side.

use crate::bidi::{self, Row, seen_rows};
use crate::width;
use std::ops::Range;

/// A grapheme at its place.
struct Placed<'a> {
    at: usize,
    drawn: &'a str,
    right_to_left: bool,
    column: usize,
    columns: usize,
}

/// A text in one row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Columns left of it.
    pub indent: usize,
    pub text: String,
    /// The column of the cursor.
    pub cursor: usize,
}

fn place<'a>(row: &Row<'a>, width: usize) -> Vec<Placed<'a>> {
    let total: usize = row.signs.iter().map(|sign| width::of(sign.drawn)).sum();
    // Left of what is full there is still a column for the cursor.
    let mut column = if row.right_to_left { (width + 1).saturating_sub(total).max(1) } else { 0 };
    let placed = row.signs.iter().map(|sign| {
        let columns = width::of(sign.drawn);
        column += columns;
        Placed {
            at: sign.at,
            drawn: sign.drawn,
            right_to_left: sign.right_to_left,
            column: column - columns,
            columns,
        }
    });
    placed.collect()
}

/// Spaces that hang over the end of a row hang over its left side here.
fn without_hanging(mut row: Row<'_>, width: usize) -> Row<'_> {
    let total: usize = row.signs.iter().map(|sign| width::of(sign.drawn)).sum();
    if row.right_to_left && total > width {
        let spaces = row.signs.iter().take_while(|sign| sign.drawn == " ").count();
        row.signs.drain(..spaces.min(total - width));
    }
    row
}

fn one(text: &str, row: Range<usize>, width: usize) -> Row<'_> {
    let rows = seen_rows(text, std::slice::from_ref(&row));
    without_hanging(rows.into_iter().next().unwrap_or_default(), width)
}

/// Rows of a text: the columns left of each, and how it is seen.
pub fn rows(text: &str, rows: &[Range<usize>], width: usize) -> Vec<(usize, String)> {
    let seen = seen_rows(text, rows).into_iter().map(|row| without_hanging(row, width));
    let indent = |row: &Row<'_>| place(row, width).first().map_or(0, |first| first.column);
    seen.map(|row| (indent(&row), row.text())).collect()
}

/// The column of the cursor before the byte `cursor` of a row: behind what is written before it, on the side where that goes on.
pub fn cursor(text: &str, row: Range<usize>, cursor: usize, width: usize) -> usize {
    if bidi::is_plain(text) {
        return width::columns(text.get(row.start..cursor).unwrap_or_default());
    }
    column_of(&place(&one(text, row, width), width), cursor)
}

fn column_of(placed: &[Placed<'_>], cursor: usize) -> usize {
    let before = placed.iter().filter(|sign| sign.at < cursor).max_by_key(|sign| sign.at);
    match before {
        Some(sign) if sign.right_to_left => sign.column.saturating_sub(1),
        Some(sign) => sign.column + sign.columns,
        None => placed.iter().min_by_key(|sign| sign.at).map_or(0, |first| first.column),
    }
}

/// The byte of what is seen at a column of a row; beside the text, its end or beginning.
pub fn hit(text: &str, row: Range<usize>, column: usize, width: usize) -> usize {
    let seen = one(text, row.clone(), width);
    let placed = place(&seen, width);
    let left = placed.first().map_or(0, |sign| sign.column);
    let is_hit = |sign: &&Placed<'_>| (sign.column..sign.column + sign.columns).contains(&column);
    match placed.iter().find(is_hit) {
        Some(sign) => sign.at,
        None if seen.right_to_left && column >= left => row.start,
        None => row.end,
    }
}

/// A text in one row of so many columns, or the part of it around the cursor.
pub fn line(text: &str, cursor: usize, columns: usize) -> Line {
    let text = text.replace('\n', " ");
    let width = columns.saturating_sub(1);
    let row = seen_rows(&text, std::slice::from_ref(&(0..text.len()))).into_iter().next();
    let row = row.unwrap_or_default();
    let placed = place(&row, width);
    let cursor = column_of(&placed, cursor);
    let end = placed.last().map_or(0, |sign| sign.column + sign.columns);
    let hidden = if row.right_to_left {
        end.saturating_sub(columns).min(cursor)
    } else {
        cursor.saturating_sub(width)
    };
    let fits = |sign: &&Placed<'_>| {
        sign.column >= hidden && sign.column + sign.columns <= hidden + columns
    };
    let shown: Vec<_> = placed.iter().filter(fits).collect();
    Line {
        indent: shown.first().map_or(0, |sign| sign.column - hidden),
        text: shown.iter().map(|sign| sign.drawn).collect(),
        cursor: cursor - hidden,
    }
}

#[cfg(test)]
mod tests {
    use super::line;

    #[test]
    fn a_long_line_is_shown_around_its_cursor() {
        let shown = |text: &str, cursor, columns| {
            let line = line(text, cursor, columns);
            (line.indent, line.text, line.cursor)
        };
        assert_eq!(shown("abcdef", 6, 4), (0, "def".to_owned(), 3));
        assert_eq!(shown("abcdef", 1, 4), (0, "abcd".to_owned(), 1));
        assert_eq!(shown("a\nb", 3, 8), (0, "a b".to_owned(), 3));
        let hebrew = "אבגדה";
        assert_eq!(shown(hebrew, hebrew.len(), 8), (3, "הדגבא".to_owned(), 2));
        assert_eq!(shown(hebrew, hebrew.len(), 4), (1, "הדג".to_owned(), 0));
        assert_eq!(shown(hebrew, 0, 4), (0, "דגבא".to_owned(), 3));
    }
}
