//! The switcher, and what can follow the leader.

use crate::backend::account_of;
use crate::keymap::Focus;
use crate::state::field::TextField;
use crate::state::{Found, State, finder};
use crate::theme;
use crate::widgets::{frame, list_place, put, put_line};
use crate::width;
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
    let area = list_place(area, 60, 16);
    let inner = frame(area, "Find a chat (> for commands, : for emoji)", buffer);
    let typed = Rect { height: inner.height.min(1), ..inner };
    let cursor = put_line(buffer, typed, &query.line(usize::from(inner.width)));
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
            Found::Chat(id) => state.find_chat(id).map_or((id.as_str(), String::new()), |chat| {
                let peer = chat.peer.as_deref().unwrap_or_default();
                let quiet = state.marked(peer, account_of(id)).trim_start().to_owned();
                (chat.name.as_str(), quiet)
            }),
            Found::Command(command, label) => {
                (*label, finder::keys_of(&state.settings.keymap, *command))
            }
            Found::Emoji(emoji, name) => (*emoji, (*name).to_owned()),
        };
        if index == selected {
            buffer.set_style(Rect::new(inner.x, y, inner.width, 1), theme::SELECTED);
        }
        let used = put(buffer, (inner.x, y), text, inner.width, theme::PLAIN);
        put(
            buffer,
            (inner.x + used + 1, y),
            &quiet,
            inner.width.saturating_sub(used + 1),
            theme::QUIET,
        );
    }
    cursor
}

/// The keys that can follow the leader, at the bottom; in as many columns as it takes to show them all.
pub(super) fn draw_leader(state: &State, area: Rect, buffer: &mut Buffer) {
    /// Of a column.
    const WIDTH_MAX: u16 = 38;
    let rows = state.settings.keymap.rows(Focus::Leader);
    let room = usize::from(area.height.saturating_sub(2)).max(1);
    let columns = u16::try_from(rows.len().div_ceil(room)).unwrap_or(1).max(1);
    let column = (area.width.saturating_sub(4) / columns).min(WIDTH_MAX);
    let height = rows.len().div_ceil(usize::from(columns));
    let width = (columns * column + 4).min(area.width);
    let frame_height = u16::try_from(height + 2).unwrap_or(area.height).min(area.height);
    let inner = frame(
        Rect::new(area.right() - width, area.bottom() - frame_height, width, frame_height),
        "Space",
        buffer,
    );
    let keys = rows.iter().map(|(key, _)| width::columns(key) + 1).max().unwrap_or(0);
    let keys = u16::try_from(keys).unwrap_or(column).min(column);
    for (x, part) in (inner.left()..).step_by(usize::from(column.max(1))).zip(rows.chunks(height)) {
        for (y, (key, label)) in (inner.top()..inner.bottom()).zip(part) {
            put(buffer, (x, y), key, keys, theme::STRONG);
            put(buffer, (x + keys, y), label, column.saturating_sub(keys + 1), theme::PLAIN);
        }
    }
}
