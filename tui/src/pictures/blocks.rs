//! Two pixels a cell: the upper half in the text's colour, the lower one in the ground's.

use super::Picture;
use ratatui::style::{Color, Style};
use ratatui::text::Span;

/// The cells of `picture`, row by row.
pub fn rows(picture: &Picture, (columns, rows): (usize, usize)) -> Vec<Vec<Span<'static>>> {
    let color = |x, y| {
        let [red, green, blue] = picture.mean((x, y), (columns, rows * 2));
        Color::Rgb(red, green, blue)
    };
    (0..rows)
        .map(|row| {
            let cell = |x| {
                let style = Style::new().fg(color(x, row * 2)).bg(color(x, row * 2 + 1));
                Span::styled("▀", style)
            };
            (0..columns).map(cell).collect()
        })
        .collect()
}
