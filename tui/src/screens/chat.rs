//! The chat screen: list, conversation, composer, status line.

use crate::backend::Recovery;
use crate::keymap::{self, Focus};
use crate::state::conversation::Edge;
use crate::state::{Pane, State, geometry};
use crate::theme;
use crate::widgets::chat_list::{ChatList, Rule};
use crate::widgets::composer::{AimBar, Text};
use crate::widgets::history::{Head, History, Typing};
use crate::widgets::status_line::StatusLine;
use ratatui::buffer::Buffer;
use ratatui::layout::Position;
use ratatui::widgets::Widget;

/// Draws it; gives the place of the cursor if the composer has the focus.
pub(super) fn draw(state: &State, buffer: &mut Buffer) -> Option<Position> {
    let parts = geometry::parts(state);
    if let Some(area) = parts.list {
        let drafts: Vec<&str> = state.drafts.keys().map(String::as_str).collect();
        ChatList {
            chats: &state.chats,
            top: state.list_top,
            selected: state.selected.as_deref(),
            open: state.open.as_ref().map(|open| open.chat.as_str()),
            drafts: &drafts,
            focused: state.pane == Pane::List,
            zone: state.zone,
            now_ms: state.now_ms,
        }
        .render(area, buffer);
    }
    if let Some(area) = parts.rule {
        Rule.render(area, buffer);
        if state.open.is_none() {
            let text = "Choose a chat and press Enter.";
            crate::widgets::put(
                buffer,
                (area.x + 2, area.height / 2),
                text,
                buffer.area.width.saturating_sub(area.x + 2),
                theme::QUIET,
            );
        }
    }
    let cursor = draw_conversation(state, parts.conversation, buffer);
    draw_status(state, parts.status, buffer);
    cursor
}

fn draw_conversation(
    state: &State,
    parts: Option<geometry::Conversation>,
    buffer: &mut Buffer,
) -> Option<Position> {
    let (open, parts) = (state.open.as_ref()?, parts?);
    Head {
        chat: state.find_chat(&open.chat),
        id: &open.chat,
        focused: state.pane == Pane::History,
    }
    .render(parts.head, buffer);
    let rows = open.view(usize::from(parts.history.height));
    let empty = if open.live { "No messages yet." } else { "Loading…" };
    let held = open.edge != Edge::Newest;
    History {
        rows: &rows,
        selected: open.selected.as_deref(),
        empty,
        new_below: open.new_below,
        held,
    }
    .render(parts.history, buffer);
    Typing { names: &open.typing }.render(parts.typing, buffer);
    if let Some(area) = parts.aim {
        AimBar { aim: &open.composer.aim }.render(area, buffer);
    }
    let focused = state.pane == Pane::Composer;
    let text = Text { field: &open.composer.field, focused };
    let cursor = focused.then(|| text.cursor(parts.composer));
    text.render(parts.composer, buffer);
    cursor
}

fn draw_status(state: &State, area: ratatui::layout::Rect, buffer: &mut Buffer) {
    let advice = state.encryption.as_ref().and_then(|encryption| match encryption.recovery {
        Recovery::Disabled => Some("no recovery key yet"),
        Recovery::Incomplete | Recovery::Elsewhere => Some("old messages locked"),
        Recovery::Unknown | Recovery::Enabled => None,
    });
    let advice = advice.map(|advice| {
        let leader = if state.focus() == Focus::Composer { "Ctrl+Space" } else { "Space" };
        format!("{advice}: {leader} s")
    });
    let hints = keymap::hints(state.focus());
    StatusLine {
        connection: state.connection,
        notice: state.notice.as_ref(),
        advice: advice.as_deref(),
        hints: &hints,
    }
    .render(area, buffer);
}
