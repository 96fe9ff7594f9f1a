//! Pictures that somebody sent together, shown side by side: which they are, and where each of them stands.
//!
//! ```text
//! alice
//!   ▀▀▀▀▀▀▀▀▀▀▀▀▀▀  ▀▀▀▀▀▀▀  ▀▀▀▀▀▀▀▀▀▀▀▀▀▀    the grid: rows of the first message
//!   ▀▀▀▀▀▀▀▀▀▀▀▀▀▀  ▀▀▀▀▀▀▀  ▀▀▀▀▀▀▀▀▀▀▀▀▀▀
//!         1            2           3
//!   what grows                                the caption, the first message's too
//!   [picture 1] roses.png, 31 KiB             and a row for each, to be chosen by
//!   [picture 2] bees.png, 12 KiB
//!   [picture 3] shed.png, 40 KiB   10:41 ✓✓
//! ```

use crate::backend::{Body, FileKind, Message, MessageKey, Ticks};
use crate::pictures::{self, Mode, Slot};
use crate::theme;
use ratatui::text::{Line, Span};

/// More pictures begin another album.
const PICTURES_MAX: usize = 10;
/// Pictures of one album come at most so long after each other.
const APART_MS: u64 = 60_000;
/// So many stand side by side at least, where the terminal is not very narrow.
const ACROSS: usize = 3;
/// Columns between two of them.
const GAP: usize = 2;
/// Columns of one at least and at most, and rows at most. They do not depend on how many there are: one that comes later moves
/// none of those that are there.
const COLUMNS_MIN: usize = 8;
const COLUMNS_MAX: usize = 24;
const ROWS_MAX: usize = 9;

/// The place of a picture in its album.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// From 1 on.
    pub number: usize,
    pub of: usize,
    /// How much of the album is on the server, in hundredths, until all of it is. The last picture says it.
    pub sent: Option<u8>,
}

impl Place {
    pub fn is_last(&self) -> bool {
        self.number == self.of
    }
}

/// The pictures of an album side by side.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grid {
    pub tiles: Vec<Tile>,
    /// All rows, those with the numbers included.
    pub rows: usize,
}

/// One of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tile {
    pub key: MessageKey,
    /// The cell at its top left.
    pub row: usize,
    pub column: usize,
    /// The row below it and its neighbours, where its number stands.
    pub number_row: usize,
    pub slot: Slot,
}

/// Where albums begin and end among `messages`: the indexes of the pictures of each. A line stands above those that are `apart`.
pub fn albums(messages: &[Message], apart: impl Fn(usize) -> bool) -> Vec<Vec<usize>> {
    let mut albums: Vec<Vec<usize>> = Vec::new();
    let mut album: Vec<usize> = Vec::new();
    for (index, message) in messages.iter().enumerate() {
        let before = album.last().and_then(|last| messages.get(*last));
        let follows = before.is_some_and(|before| follows(before, message)) && !apart(index);
        match (&message.body, follows) {
            (Body::Deleted, true) => {}
            (_, true) if is_picture(message) && album.len() < PICTURES_MAX => album.push(index),
            _ => {
                albums.push(std::mem::take(&mut album));
                album.extend(is_picture(message).then_some(index));
            }
        }
    }
    albums.push(album);
    albums.retain(|album| album.len() > 1);
    albums
}

fn is_picture(message: &Message) -> bool {
    matches!(message.body, Body::File { kind: FileKind::Image, pixels: Some(_), .. })
}

/// Whether `message` can stand in the album that `before` is in: words of its own or an answer begin something else.
fn follows(before: &Message, message: &Message) -> bool {
    message.sender == before.sender
        && message.sender_name == before.sender_name
        && message.at_ms.abs_diff(before.at_ms) < APART_MS
        && message.relations.thread == before.relations.thread
        && message.reply.is_none()
        && !matches!(message.body, Body::File { caption: Some(_), .. })
}

/// How much of the album is on the server; `None` when all of it is, or when what is not there was given up.
pub fn sent<'a>(album: impl Iterator<Item = &'a Message>) -> Option<u8> {
    let (mut count, mut sum, mut waits) = (0, 0, false);
    for message in album {
        let hundredths = match message.ticks {
            Some(Ticks::Sending) => 0,
            Some(Ticks::Uploading(hundredths)) => u64::from(hundredths),
            Some(Ticks::Failed) => continue,
            Some(Ticks::Sent | Ticks::Read) | None => 100,
        };
        waits |= matches!(message.ticks, Some(Ticks::Sending | Ticks::Uploading(_)));
        count += 1;
        sum += hundredths;
    }
    waits.then(|| u8::try_from(sum / count.max(1)).unwrap_or(100))
}

/// The room of a picture of these pixels in an album that has `width` columns.
pub fn slot(pixels: (u32, u32), width: usize, mode: Mode) -> Slot {
    let columns =
        (width.saturating_sub(GAP * (ACROSS - 1)) / ACROSS).clamp(COLUMNS_MIN, COLUMNS_MAX);
    Slot::within(pixels, (columns.min(width.max(1)), ROWS_MAX), mode)
}

/// Puts pictures side by side, as many as fit in `width` columns, and goes on below.
pub fn grid(pictures: Vec<(MessageKey, Slot)>, width: usize) -> Grid {
    let mut lines: Vec<Vec<Tile>> = vec![Vec::new()];
    let mut column = 0;
    for (key, slot) in pictures {
        if column > 0 && column + slot.columns > width {
            lines.push(Vec::new());
            column = 0;
        }
        let next = column + slot.columns + GAP;
        if let Some(line) = lines.last_mut() {
            line.push(Tile { key, row: 0, column, number_row: 0, slot });
        }
        column = next;
    }
    let mut top = 0;
    for line in &mut lines {
        let height = line.iter().map(|tile| tile.slot.rows).max().unwrap_or(0);
        for tile in line.iter_mut() {
            // Lower ones stand on the same ground.
            tile.row = top + height - tile.slot.rows;
            tile.number_row = top + height;
        }
        top += height + 1;
    }
    Grid { tiles: lines.into_iter().flatten().collect(), rows: top }
}

/// The rows of a grid.
pub fn lay(grid: &Grid, rows: &mut Vec<Line<'static>>) {
    let mut laid: Vec<(usize, Vec<Span<'static>>)> = vec![(0, vec![Span::raw("  ")]); grid.rows];
    let mut put = |row: usize, column: usize, spans: Vec<Span<'static>>| {
        let Some((used, row)) = laid.get_mut(row) else { return };
        row.push(Span::raw(" ".repeat(column.saturating_sub(*used))));
        *used = column + spans.iter().map(Span::width).sum::<usize>();
        row.extend(spans);
    };
    for (index, tile) in grid.tiles.iter().enumerate() {
        for (row, cells) in pictures::cells(&tile.slot).into_iter().enumerate() {
            put(tile.row + row, tile.column, cells);
        }
        let number = (index + 1).to_string();
        let middle = tile.column + tile.slot.columns.saturating_sub(number.len()) / 2;
        put(tile.number_row, middle, vec![Span::styled(number, theme::QUIET)]);
    }
    rows.extend(laid.into_iter().map(|(_, spans)| Line::from(spans)));
}

#[cfg(test)]
mod tests {
    use super::{grid, slot};
    use crate::pictures::Mode;

    #[test]
    fn three_stand_side_by_side_on_a_small_terminal_and_none_moves_when_another_comes() {
        let picture = |n: u32| (n.to_string(), slot((1600, 1200), 48, Mode::Blocks));
        let places = |count| {
            let grid = grid((0..count).map(picture).collect(), 48);
            let places = grid.tiles.iter().map(|tile| (tile.row, tile.column));
            (places.collect::<Vec<_>>(), grid.rows)
        };
        assert_eq!(places(3), (vec![(0, 0), (0, 15), (0, 30)], 6));
        let (four, rows) = places(4);
        assert_eq!((four[..3].to_vec(), four[3], rows), (places(3).0, (6, 0), 12));
    }

    #[test]
    fn pictures_of_another_shape_stand_on_the_same_ground() {
        let shapes = [(1600, 1200), (100, 4000), (4000, 400), (0, 0)];
        let pictures = shapes.iter().enumerate();
        let pictures = pictures.map(|(n, shape)| (n.to_string(), slot(*shape, 48, Mode::Blocks)));
        let grid = grid(pictures.collect(), 48);
        let ends: Vec<usize> = grid.tiles.iter().map(|tile| tile.row + tile.slot.rows).collect();
        assert!(ends.iter().all(|end| *end == grid.rows - 1), "{grid:?}");
        assert!(grid.tiles.iter().all(|tile| tile.column + tile.slot.columns <= 48), "{grid:?}");
    }
}
