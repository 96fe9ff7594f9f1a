//! The composer: what is replied to or edited, and the text with its cursor.

use super::put;
use crate::state::composer::Aim;
use crate::state::field::TextField;
use crate::state::geometry::PROMPT_COLUMNS;
use crate::theme;
use crate::width;
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use ratatui::widgets::Widget;

/// The bar above the text.
pub struct AimBar<'a> {
    pub aim: &'a Aim,
}

impl Widget for AimBar<'_> {
    fn render(self, area: Rect, buffer: &mut Buffer) {
        let text = match self.aim {
            Aim::New => return,
            Aim::Reply { name, line, .. } => format!("↩ {name}: {line}"),
            Aim::Edit { line, .. } => format!("✎ edit: {line}"),
        };
        put(buffer, (area.x + 1, area.y), &text, area.width.saturating_sub(2), theme::ACCENT);
    }
}

/// The text; its last rows where there are more than the area has.
pub struct Text<'a> {
    pub field: &'a TextField,
    pub focused: bool,
}

impl Text<'_> {
    fn width(area: Rect) -> usize {
        usize::from(area.width.saturating_sub(PROMPT_COLUMNS + 1))
    }

    /// The first row shown, so that the cursor's is.
    fn top(&self, area: Rect) -> usize {
        let row = self.field.place(Self::width(area)).row;
        (row + 1).saturating_sub(usize::from(area.height))
    }

    /// Where the terminal's cursor belongs.
    pub fn cursor(&self, area: Rect) -> Position {
        let place = self.field.place(Self::width(area));
        let row = u16::try_from(place.row - self.top(area).min(place.row)).unwrap_or(0);
        let column = u16::try_from(place.column.min(Self::width(area))).unwrap_or(0);
        Position::new(area.x + PROMPT_COLUMNS + column, area.y + row)
    }
}

impl Widget for Text<'_> {
    fn render(self, area: Rect, buffer: &mut Buffer) {
        put(
            buffer,
            (area.x, area.y),
            "›",
            1,
            if self.focused { theme::ACCENT } else { theme::QUIET },
        );
        let room = area.width.saturating_sub(PROMPT_COLUMNS);
        if self.field.is_empty() {
            if !self.focused {
                put(
                    buffer,
                    (area.x + PROMPT_COLUMNS, area.y),
                    "Write a message",
                    room,
                    theme::QUIET,
                );
            }
            return;
        }
        let rows = self.field.rows(Self::width(area), self.top(area), usize::from(area.height));
        for (y, (indent, text)) in (area.top()..area.bottom()).zip(rows) {
            let indent = u16::try_from(indent).unwrap_or(room).min(room);
            let x = area.x + PROMPT_COLUMNS + indent;
            width::write(buffer, (x, y), &text, room - indent, theme::PLAIN);
        }
    }
}
