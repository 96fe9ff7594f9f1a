//! A list to choose from.

use crate::state::picker::Picker;
use crate::theme;
use crate::widgets::{frame, list_place, put, put_line};
use crate::width;
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};

/// Draws it; gives the place of the cursor where something can be typed.
pub(super) fn draw(picker: &Picker, area: Rect, buffer: &mut Buffer) -> Option<Position> {
    let area = list_place(area, 72, 18);
    let inner = frame(area, &picker.title, buffer);
    let typed = u16::from(picker.takes_text());
    let cursor = picker.takes_text().then(|| {
        let line = picker.query.line(usize::from(inner.width));
        put_line(buffer, Rect { height: inner.height.min(1), ..inner }, &line)
    });
    let list = Rect::new(inner.x, inner.y + typed, inner.width, inner.height.saturating_sub(typed));
    let quiet = match (picker.rows.is_empty(), picker.busy) {
        (true, true) => "One moment…",
        (true, false) => picker.empty,
        (false, _) => "",
    };
    put(buffer, (list.x, list.y), quiet, list.width, theme::QUIET);
    let shown = usize::from(list.height);
    let top = (picker.selected + 1).saturating_sub(shown);
    for (y, (index, row)) in
        (list.top()..list.bottom()).zip(picker.rows.iter().enumerate().skip(top))
    {
        if index == picker.selected {
            buffer.set_style(Rect::new(list.x, y, list.width, 1), theme::SELECTED);
        }
        let mark = if picker.marked.contains(&index) { "✔ " } else { "" };
        let beside =
            u16::try_from(width::columns(&row.quiet) + 1).unwrap_or(u16::MAX).min(list.width / 2);
        let room = list.width.saturating_sub(if row.quiet.is_empty() { 0 } else { beside });
        let text = format!("{mark}{}", row.text);
        let used = put(buffer, (list.x, y), &text, room, theme::PLAIN);
        let x = list.x + used + 1;
        put(buffer, (x, y), &row.quiet, list.right().saturating_sub(x), theme::QUIET);
    }
    cursor
}
