//! What is on the screen for a state: a buffer of cells and the place of the cursor. Changes nothing, asks nothing.

mod chat;
mod help;
mod popups;

use crate::state::{Popup, State};
use crate::widgets::form::FormBox;
use crate::widgets::status_line::StatusLine;
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use ratatui::widgets::Widget;

/// Draws `state` at its size.
pub fn draw(state: &State) -> (Buffer, Option<Position>) {
    let area = Rect::new(0, 0, state.size.0, state.size.1);
    let mut buffer = Buffer::empty(area);
    if area.is_empty() {
        return (buffer, None);
    }
    let mut cursor = match &state.welcome {
        Some(welcome) => {
            let hints = crate::keymap::hints(state.focus());
            let status = Rect::new(0, area.height - 1, area.width, 1);
            StatusLine {
                connection: None,
                notice: state.notice.as_ref(),
                advice: None,
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
            Popup::Switcher { query, selected } => {
                Some(popups::draw_switcher(state, query, *selected, above, &mut buffer))
            }
            Popup::Help { top } => {
                help::draw(*top, above, &mut buffer);
                None
            }
        };
    }
    if state.leader {
        popups::draw_leader(above, &mut buffer);
    }
    (buffer, cursor)
}
