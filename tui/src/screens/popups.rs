//! The switcher, and what can follow the leader.

use crate::keymap::{self, Focus};
use crate::state::field::TextField;
use crate::state::{Found, State};
use crate::theme;
use crate::widgets::{frame, put};
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};

/// The switcher: what is typed, and below it what matches.
pub(super) fn draw_switcher(
    state: &State,
    query: &TextField,
    selected: usize,
    area: Rect,
    buffer: &mut Buffer,
) -> Position {
    let found = state.find(query.text());
    let columns = area.width.min(60);
    let height = area.height.min(16);
    let area = Rect::new(
        area.x + (area.width - columns) / 2,
        area.y + (area.height - height) / 4,
        columns,
        height,
    );
    let inner = frame(area, "Find a chat (> for commands)", buffer);
    let room = usize::from(inner.width.saturating_sub(1));
    put(buffer, (inner.x, inner.y), query.text(), inner.width, theme::PLAIN);
    if found.is_empty() {
        put(
            buffer,
            (inner.x, inner.y + 1),
            "Nothing matches; n in the list starts a new chat.",
            inner.width,
            theme::QUIET,
        );
    }
    let rows = usize::from(inner.height.saturating_sub(1));
    let top = (selected + 1).saturating_sub(rows);
    for (y, (index, found)) in
        (inner.top() + 1..inner.bottom()).zip(found.iter().enumerate().skip(top))
    {
        let (text, quiet) = match found {
            Found::Chat(id) => state.find_chat(id).map_or((id.as_str(), ""), |chat| {
                (chat.name.as_str(), chat.peer.as_deref().unwrap_or_default())
            }),
            Found::Command(_, label) => (*label, ""),
        };
        if index == selected {
            buffer.set_style(Rect::new(inner.x, y, inner.width, 1), theme::SELECTED);
        }
        let used = put(buffer, (inner.x, y), text, inner.width, theme::PLAIN);
        put(
            buffer,
            (inner.x + used + 1, y),
            quiet,
            inner.width.saturating_sub(used + 1),
            theme::QUIET,
        );
    }
    let column = u16::try_from(query.cursor_column().min(room)).unwrap_or(0);
    Position::new(inner.x + column, inner.y)
}

/// The keys that can follow the leader, at the bottom; in two columns where one is too high.
pub(super) fn draw_leader(area: Rect, buffer: &mut Buffer) {
    const COLUMN: u16 = 38;
    let rows = keymap::rows(Focus::Leader);
    let room = usize::from(area.height.saturating_sub(2)).max(1);
    let columns = rows.len().div_ceil(room).min(usize::from(area.width / COLUMN).max(1));
    let height = rows.len().div_ceil(columns);
    let width = (u16::try_from(columns).unwrap_or(1) * COLUMN + 4).min(area.width);
    let frame_height = u16::try_from(height + 2).unwrap_or(area.height).min(area.height);
    let inner = frame(
        Rect::new(area.right() - width, area.bottom() - frame_height, width, frame_height),
        "Space",
        buffer,
    );
    for (x, part) in
        (inner.left()..inner.right()).step_by(usize::from(COLUMN)).zip(rows.chunks(height))
    {
        for (y, (key, label)) in (inner.top()..inner.bottom()).zip(part) {
            put(buffer, (x, y), key, 7, theme::STRONG);
            put(
                buffer,
                (x + 7, y),
                label,
                COLUMN.saturating_sub(8).min(inner.right().saturating_sub(x + 7)),
                theme::PLAIN,
            );
        }
    }
}
