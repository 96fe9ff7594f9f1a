//! Parts of screens. Each is a struct of borrowed values that draws itself: it fetches, sorts and remembers nothing.

pub mod chat_list;
pub mod composer;
pub mod form;
pub mod history;
pub mod status_line;

use ratatui::buffer::Buffer;
use ratatui::style::Style;

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
