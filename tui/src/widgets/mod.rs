//! Parts of screens. Each is a struct of borrowed values that draws itself: it fetches, sorts and remembers nothing.

pub mod chat_list;
pub mod composer;
pub mod form;
pub mod history;
pub mod status_line;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::widgets::{Block, BorderType, Clear, Widget};
use unicode_width::UnicodeWidthStr;

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
    let (end, _) = buffer.set_stringn(
        x,
        y,
        crate::wrap::cut(text, usize::from(width)),
        usize::from(width),
        style,
    );
    end - x
}

/// A box with a title over what is below; gives its inside. A wide character that reaches under its edge goes.
pub(crate) fn frame(area: Rect, title: &str, buffer: &mut Buffer) -> Rect {
    if let Some(left) = area.x.checked_sub(1) {
        for y in area.top()..area.bottom() {
            if let Some(cell) = buffer.cell_mut((left, y)).filter(|cell| cell.symbol().width() > 1)
            {
                cell.set_symbol(" ");
            }
        }
    }
    Clear.render(area, buffer);
    let block = Block::bordered().border_type(BorderType::Rounded).border_style(crate::theme::RULE);
    block.title(format!(" {title} ")).title_style(crate::theme::STRONG).render(area, buffer);
    Rect::new(area.x + 2, area.y + 1, area.width.saturating_sub(4), area.height.saturating_sub(2))
}
