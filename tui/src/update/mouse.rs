//! What clicks and the wheel do. Everything here can be done with keys, too.

use super::{chats, history, history_size, popups};
use crate::action::Command;
use crate::effect::Effect;
use crate::input::{Mouse, MouseKind};
use crate::state::geometry::{self, PROMPT_COLUMNS};
use crate::state::{Pane, Popup, State};
use ratatui::layout::{Position, Rect};

/// Rows that one step of the wheel scrolls.
const WHEEL_ROWS: usize = 3;

pub(super) fn take(state: &mut State, mouse: Mouse) -> Vec<Effect> {
    if let Some(popup) = state.popups.last() {
        return on_popup(state, mouse.what, matches!(popup, Popup::Form(_)));
    }
    if state.welcome.is_some() {
        return Vec::new();
    }
    state.leader = false;
    let parts = geometry::parts(state);
    let at = Position::from(mouse.at);
    if let Some(area) = parts.list.filter(|area| area.contains(at)) {
        return on_list(state, mouse.what, usize::from(at.y - area.y));
    }
    let Some(parts) = parts.conversation else { return Vec::new() };
    if parts.history.contains(at) {
        on_history(state, mouse.what, parts.history, at)
    } else if parts.composer.contains(at) {
        on_composer(state, mouse.what, parts.composer, at)
    } else if parts.head.contains(at) && mouse.what == MouseKind::Click {
        popups::open(state, Command::ChatInfo)
    } else {
        Vec::new()
    }
}

/// The wheel walks lists; a click beside a question answers nothing.
fn on_popup(state: &mut State, what: MouseKind, is_form: bool) -> Vec<Effect> {
    match what {
        MouseKind::WheelUp if !is_form => super::run(state, Command::Previous),
        MouseKind::WheelDown if !is_form => super::run(state, Command::Next),
        _ => Vec::new(),
    }
}

fn on_list(state: &mut State, what: MouseKind, row: usize) -> Vec<Effect> {
    let below_title = row.checked_sub(usize::from(state.list_title().is_some()));
    let index = below_title.map(|row| state.list_top + row / chats::CHAT_ROWS);
    let listed = state.listed();
    let chat = index.and_then(|index| listed.get(index)).map(|chat| chat.id.clone());
    match (what, chat) {
        (MouseKind::WheelUp, _) => chats::run(state, Command::Previous),
        (MouseKind::WheelDown, _) => chats::run(state, Command::Next),
        (MouseKind::Click, Some(chat)) => chats::open(state, &chat),
        (MouseKind::RightClick, Some(chat)) => {
            state.selected = Some(chat.clone());
            popups::show_chat_info(state, &chat)
        }
        (_, None) => Vec::new(),
    }
}

fn on_history(state: &mut State, what: MouseKind, area: Rect, at: Position) -> Vec<Effect> {
    let (_, height) = history_size(state);
    let Some(open) = &mut state.open else { return Vec::new() };
    let view = open.view(height);
    let above = usize::from(area.height).saturating_sub(view.len());
    let row = usize::from(at.y - area.y).checked_sub(above);
    let hit = row.and_then(|row| view.get(row)).map(|(message, _)| *message);
    // The margin of the history and of its messages.
    let column = usize::from(at.x).checked_sub(usize::from(area.x) + 3);
    let picture = row.zip(column).and_then(|(row, column)| open.picture_at((column, row), height));
    let hit = picture.or(hit).cloned();
    match what {
        MouseKind::WheelUp => open.scroll_up(WHEEL_ROWS, height),
        MouseKind::WheelDown => open.scroll_down(WHEEL_ROWS),
        MouseKind::Click | MouseKind::RightClick => {
            let Some(message) = hit.filter(history::can_be_chosen) else { return Vec::new() };
            let again = open.selected.as_ref() == Some(&message.key);
            open.selected = Some(message.key.clone());
            state.pane = Pane::History;
            state.completion = None;
            if what == MouseKind::RightClick {
                return popups::show_message_info(state, &message);
            }
            if again {
                return history::second_click(state, &message);
            }
        }
    }
    Vec::new()
}

fn on_composer(state: &mut State, what: MouseKind, area: Rect, at: Position) -> Vec<Effect> {
    if what != MouseKind::Click {
        return Vec::new();
    }
    let effects = super::go_to(state, Pane::Composer);
    let width = usize::from(area.width.saturating_sub(PROMPT_COLUMNS + 1));
    if let Some(open) = &mut state.open {
        let field = &mut open.composer.field;
        // Rows above those shown are scrolled away.
        let hidden = (field.place(width).row + 1).saturating_sub(usize::from(area.height));
        let column = usize::from(at.x.saturating_sub(area.x + PROMPT_COLUMNS));
        field.click(hidden + usize::from(at.y - area.y), column, width);
    }
    effects
}
