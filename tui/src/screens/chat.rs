//! The chat screen: list, conversation, composer, status line.

use crate::backend::{AccountId, Recovery, View, account_of, split};
use crate::keymap::Focus;
use crate::pictures::Mode;
use crate::state::conversation::Edge;
use crate::state::filter::Filter;
use crate::state::transfers::{Transfer, size_words};
use crate::state::{Pane, State, geometry};
use crate::terminal::Overlay;
use crate::theme;
use crate::widgets::chat_list::{ChatList, Rule};
use crate::widgets::composer::{AimBar, Text};
use crate::widgets::history::{Head, History, Typing};
use crate::widgets::offers::Offers;
use crate::widgets::status_line::StatusLine;
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use ratatui::widgets::Widget;

/// Draws it; gives the place of the cursor if the composer has the focus.
pub(super) fn draw(state: &State, buffer: &mut Buffer) -> Option<Position> {
    let parts = geometry::parts(state);
    if let Some(area) = parts.list {
        let drafts: Vec<&str> = state.drafts.keys().map(String::as_str).collect();
        let title = state.list_title();
        // Where one account's chats alone are shown, all of them are its own.
        let marks = |account: &AccountId| Some((*account, state.mark(*account)?));
        let marks = state.accounts.keys().filter(|_| state.chosen.is_none()).filter_map(marks);
        ChatList {
            chats: &state.listed(),
            marks: &marks.collect(),
            title: title.as_deref(),
            narrowed: state.filter != Filter::All,
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
    let chat = state.find_chat(&open.chat);
    let peer = chat.and_then(|chat| chat.peer.as_ref());
    let presence = state.presence.as_ref().filter(|(user, _)| Some(user) == peer);
    let presence = presence.map(|(_, presence)| state.presence_words(presence));
    let changed = open.changed_keys.join(", ");
    let changed = format!(" ⚠ other keys than before: {changed}. Space i says more ");
    let mark = state.mark(account_of(&open.chat));
    Head {
        chat,
        mark: mark.as_deref(),
        presence: presence.as_deref(),
        id: split(&open.chat).1,
        part: match open.viewing.view {
            View::Newest if open.changed_keys.is_empty() => None,
            View::Newest => Some(&changed),
            View::Around(_) => Some(" Further back: G goes to the newest "),
            View::Thread(_) => Some(" Thread: Esc and Backspace go back "),
        },
        focused: state.pane == Pane::History,
    }
    .render(parts.head, buffer);
    let rows = open.view(usize::from(parts.history.height));
    let empty = if open.live { "No messages yet." } else { "Loading…" };
    let held = open.edge != Edge::Newest || matches!(open.viewing.view, View::Around(_));
    History {
        rows: &rows,
        chosen: &open.chosen_in_view(usize::from(parts.history.height)),
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
    if let Some(completion) = state.completion.as_ref().filter(|_| focused) {
        Offers { completion }.render(parts.history, buffer);
    }
    cursor
}

/// The pictures over the history's cells.
pub(super) fn pictures(state: &State) -> Vec<Overlay> {
    let parts = geometry::parts(state);
    let (Some(open), Some(parts)) = (state.open.as_ref(), parts.conversation) else {
        return Vec::new();
    };
    let area = parts.history;
    if !matches!(state.picture_mode, Mode::Sixel | Mode::Iterm2) || state.completion.is_some() {
        return Vec::new();
    }
    let view_rows = open.view(usize::from(area.height)).len();
    let above = usize::from(area.height).saturating_sub(view_rows);
    let found = open.pictures_in_view(usize::from(area.height));
    let overlays = found.into_iter().filter_map(|((row, column), slot)| {
        let y = area.y + u16::try_from(above + row).ok()?;
        let (columns, rows) = (u16::try_from(slot.columns).ok()?, u16::try_from(slot.rows).ok()?);
        // The margin of the history and of its messages.
        let x = area.x + 3 + u16::try_from(column).ok()?;
        let area = Rect::new(x, y, columns, rows);
        Some(Overlay { area, mode: slot.mode, shown: slot.picture.clone()? })
    });
    overlays.collect()
}

fn draw_status(state: &State, area: Rect, buffer: &mut Buffer) {
    let account = state.account(state.front());
    let encryption = account.and_then(|account| account.encryption.as_ref());
    let advice = encryption.and_then(|encryption| match encryption.recovery {
        Recovery::Disabled => Some("no recovery key yet"),
        Recovery::Incomplete | Recovery::Elsewhere => Some("old messages locked"),
        Recovery::Unknown | Recovery::Enabled => None,
    });
    let advice = advice.map(|advice| {
        let leader = if state.focus() == Focus::Composer { "Ctrl+Space" } else { "Space" };
        format!("{advice}: {leader} s")
    });
    let hints = state.settings.keymap.hints(state.focus());
    let meter = state.slow_link.then(|| meter_words(state.bytes_written));
    let transfer = state.transfers.iter().rev().find_map(Transfer::words);
    let advice = transfer.or(advice);
    StatusLine {
        connection: account.and_then(|account| account.connection),
        notice: state.notice.as_ref(),
        advice: advice.as_deref(),
        meter: meter.as_deref(),
        hints: &hints,
    }
    .render(area, buffer);
}

/// How much the terminal has got, on a slow line.
fn meter_words(bytes: u64) -> String {
    format!("⇅ {}", size_words(bytes))
}
