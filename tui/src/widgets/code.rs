//! A QR code: two squares a character, black on white in every theme, in a white zone.

use crate::backend::Code;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Color, Style};

/// Not the theme's colours: scanners want black on white. Dark squares are the text, so that where there are no colours and a
/// ground is text reversed, they stay dark on a dark terminal.
const STYLE: Style = Style::new().fg(Color::Rgb(0, 0, 0)).bg(Color::Rgb(255, 255, 255));

/// The columns and rows of a code with a zone of so many squares around it.
pub fn size(code: &Code, zone: usize) -> (u16, u16) {
    let side = code.side + 2 * zone;
    let cells = |squares| u16::try_from(squares).unwrap_or(u16::MAX);
    (cells(side), cells(side.div_ceil(2)))
}

/// Draws it in `area`, whose size is [`size`] of it and that zone.
pub fn draw(code: &Code, zone: usize, area: Rect, buffer: &mut Buffer) {
    let dark = |x: usize, y: usize| match (x.checked_sub(zone), y.checked_sub(zone)) {
        (Some(x), Some(y)) => code.is_dark(x, y),
        _ => false,
    };
    for (row, y) in (area.top()..area.bottom()).enumerate() {
        for (x, column) in (area.left()..area.right()).enumerate() {
            let sign = match (dark(x, 2 * row), dark(x, 2 * row + 1)) {
                (true, true) => "█",
                (true, false) => "▀",
                (false, true) => "▄",
                (false, false) => " ",
            };
            if let Some(cell) = buffer.cell_mut((column, y)) {
                cell.set_symbol(sign).set_style(STYLE);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{draw, size};
    use crate::backend::Code;
    use ratatui::buffer::Buffer;
    use ratatui::layout::Rect;
    use ratatui::style::Color;

    #[test]
    fn two_rows_of_squares_are_one_of_characters_black_on_white() {
        let dark = [true, false, true, true, true, false, false, false, true];
        let code = Code { side: 3, dark: dark.into() };
        let (columns, rows) = size(&code, 1);
        assert_eq!((columns, rows), (5, 3));
        let area = Rect::new(0, 0, columns, rows);
        let mut buffer = Buffer::empty(area);
        draw(&code, 1, area, &mut buffer);
        let row = |y: u16| -> String {
            (0..columns).map(|x| buffer.cell((x, y)).unwrap().symbol()).collect()
        };
        assert_eq!([row(0), row(1), row(2)], [" ▄ ▄ ", " ▀▀▄ ", "     "]);
        for cell in buffer.content() {
            assert_eq!((cell.fg, cell.bg), (Color::Rgb(0, 0, 0), Color::Rgb(255, 255, 255)));
        }
    }
}
