//! What is on the screen for a state: a buffer of cells and the place of the cursor. Changes nothing, asks nothing.

mod chat;
mod help;
mod list;
mod picker;
mod popups;

use crate::pictures::Mode;
use crate::state::form::Form;
use crate::state::{Popup, State};
use crate::terminal::Overlay;
use crate::widgets::form::FormBox;
use crate::widgets::status_line::StatusLine;
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use ratatui::widgets::Widget;

/// The field or button of the form on top at this place, by their order.
pub fn stop_at(state: &State, at: (u16, u16)) -> Option<usize> {
    let form = state.form()?;
    let area = Rect::new(0, 0, state.size.0, state.size.1.saturating_sub(1));
    FormBox { form }.stop_at(area, at.into())
}

/// The pictures that are painted over the cells of [`draw`]: those of what is on top.
pub fn pictures(state: &State) -> Vec<Overlay> {
    if let (Some(Popup::Form(form)), None, false) = (state.popups.last(), &state.lock, state.leader)
    {
        return form_picture(state, form).into_iter().collect();
    }
    let clear = state.popups.is_empty() && !state.leader && state.welcome.is_none();
    if clear { chat::pictures(state) } else { Vec::new() }
}

/// The picture of a form, where the terminal paints it over cells.
fn form_picture(state: &State, form: &Form) -> Option<Overlay> {
    let area = Rect::new(0, 0, state.size.0, state.size.1.saturating_sub(1));
    let (area, mode, shown) = FormBox { form }.picture(area)?;
    let painted = matches!(mode, Mode::Sixel | Mode::Iterm2);
    painted.then_some(Overlay { area, mode, shown })
}

/// Draws `state` at its size.
pub fn draw(state: &State) -> (Buffer, Option<Position>) {
    let area = Rect::new(0, 0, state.size.0, state.size.1);
    let mut buffer = Buffer::empty(area);
    if area.is_empty() {
        return (buffer, None);
    }
    if let Some(form) = &state.lock {
        let cursor = FormBox { form }.draw(area, &mut buffer);
        return (buffer, cursor);
    }
    let mut cursor = match &state.welcome {
        Some(welcome) => {
            let hints = state.settings.keymap.hints(state.focus());
            let status = Rect::new(0, area.height - 1, area.width, 1);
            StatusLine {
                connection: None,
                notice: state.notice.as_ref(),
                advice: None,
                meter: None,
                hints: &hints,
            }
            .render(status, &mut buffer);
            let above = Rect { height: area.height - 1, ..area };
            FormBox { form: &welcome.form }.draw(above, &mut buffer)
        }
        None => chat::draw(state, &mut buffer),
    };
    let above = Rect { height: area.height - 1, ..area };
    for popup in &state.popups {
        cursor = match popup {
            Popup::Form(form) => FormBox { form }.draw(above, &mut buffer),
            Popup::List(list) => Some(list::draw(state, list, above, &mut buffer)),
            Popup::Switcher { query, selected } => {
                Some(popups::draw_switcher(state, query, *selected, above, &mut buffer))
            }
            Popup::Picker(picker) => picker::draw(picker, above, &mut buffer),
            Popup::Help { top } => {
                help::draw(state, *top, above, &mut buffer);
                None
            }
        };
    }
    if state.leader {
        popups::draw_leader(state, above, &mut buffer);
    }
    (buffer, cursor)
}
