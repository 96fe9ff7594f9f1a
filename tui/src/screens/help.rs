//! The help: the table of keys, printed.

use crate::state::State;
use crate::theme;
use crate::widgets::{frame, put};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

/// Columns for the keys.
const KEYS_COLUMNS: u16 = 24;

/// Draws it from line `top` on.
pub(super) fn draw(state: &State, top: usize, area: Rect, buffer: &mut Buffer) {
    let inner = frame(area, "Keys", buffer);
    let mut lines: Vec<(String, &str)> = Vec::new();
    for (title, rows) in state.settings.keymap.pages() {
        lines.push((String::new(), title));
        lines.extend(rows);
        lines.push((String::new(), ""));
    }
    let keys = KEYS_COLUMNS.min(inner.width / 2);
    for (y, (key, label)) in (inner.top()..inner.bottom()).zip(lines.iter().skip(top)) {
        if key.is_empty() {
            put(buffer, (inner.x, y), label, inner.width, theme::STRONG.patch(theme::ACCENT));
        } else {
            put(buffer, (inner.x, y), key, keys.saturating_sub(1), theme::STRONG);
            put(buffer, (inner.x + keys, y), label, inner.width.saturating_sub(keys), theme::PLAIN);
        }
    }
}
