//! Parts of screens. Each is a struct of borrowed values that draws itself: it fetches, sorts and remembers nothing.

pub mod chat_list;
pub mod code;
pub mod composer;
pub mod form;
pub mod history;
pub mod offers;
pub mod status_line;

use crate::state::seen::Line;
use crate::{bidi, width, wrap};
use ratatui::buffer::{Buffer, Cell, CellDiffOption, CellWidth};
use ratatui::layout::{Position, Rect};
use ratatui::style::Style;
use ratatui::widgets::{Block, BorderType, Clear, Widget};

/// Columns of the widest sign.
const SIGN_MAX: u16 = 8;

/// Writes `text` at (x, y), cut to `width` columns. Gives the columns used.
pub(crate) fn put(
    buffer: &mut Buffer,
    (x, y): (u16, u16),
    text: &str,
    width: u16,
    style: Style,
) -> u16 {
    let area = buffer.area;
    if x >= area.right() || y >= area.bottom() || y < area.top() || width == 0 {
        return 0;
    }
    let text = bidi::visual(&wrap::cut(text, usize::from(width)));
    width::write(buffer, (x, y), &text, width, style)
}

/// Writes what is typed into the one row of `area`. Gives the place of the cursor.
pub(crate) fn put_line(buffer: &mut Buffer, area: Rect, line: &Line) -> Position {
    let column = |column: usize| u16::try_from(column).unwrap_or(area.width).min(area.width);
    let indent = column(line.indent);
    let place = (area.x + indent, area.y);
    width::write(buffer, place, &line.text, area.width - indent, crate::theme::PLAIN);
    Position::new(area.x + column(line.cursor).min(area.width.saturating_sub(1)), area.y)
}

/// Where a list over the screen stands: in the middle, rather high, and no larger than this.
pub(crate) fn list_place(area: Rect, columns_max: u16, rows_max: u16) -> Rect {
    let (columns, rows) = (area.width.min(columns_max), area.height.min(rows_max));
    let (x, y) = (area.x + (area.width - columns) / 2, area.y + (area.height - rows) / 4);
    Rect::new(x, y, columns, rows)
}

/// A box with a title over what is below; gives its inside. A wide character that reaches under its edge goes.
pub(crate) fn frame(area: Rect, title: &str, buffer: &mut Buffer) -> Rect {
    for y in area.top()..area.bottom() {
        for (left, over) in (area.left().saturating_sub(SIGN_MAX)..area.left()).rev().zip(1..) {
            let reaches = |cell: &&mut Cell| cell.cell_width() > over;
            if let Some(cell) = buffer.cell_mut((left, y)).filter(reaches) {
                cell.set_symbol(" ").set_diff_option(CellDiffOption::None);
            }
        }
    }
    Clear.render(area, buffer);
    let block = Block::bordered().border_type(BorderType::Rounded).border_style(crate::theme::RULE);
    block.render(area, buffer);
    let title = format!(" {title} ");
    let room = area.width.saturating_sub(2);
    put(buffer, (area.x + 1, area.y), &title, room, crate::theme::STRONG);
    Rect::new(area.x + 2, area.y + 1, area.width.saturating_sub(4), area.height.saturating_sub(2))
}
