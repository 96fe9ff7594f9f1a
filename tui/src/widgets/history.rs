//! The conversation above the composer: its head, the rows in view, who is typing.

use super::put;
use crate::backend::{Chat, Message};
use crate::state::conversation::Chosen;
use crate::theme;
use crate::width;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Line;
use ratatui::widgets::Widget;

/// The chat's name and what kind of chat it is.
pub struct Head<'a> {
    pub chat: Option<&'a Chat>,
    /// Whose chat it is, where there are several accounts.
    pub mark: Option<&'a str>,
    /// What to call a chat whose row has not come yet.
    pub id: &'a str,
    /// What part of the chat is shown, where that is not its newest end.
    pub part: Option<&'a str>,
    /// Whether the other person is here.
    pub presence: Option<&'a str>,
    pub focused: bool,
}

impl Widget for Head<'_> {
    fn render(self, area: Rect, buffer: &mut Buffer) {
        let style = if self.focused { theme::STRONG.patch(theme::ACCENT) } else { theme::STRONG };
        let room = area.width.saturating_sub(2);
        if let Some(part) = self.part {
            let name = self.chat.map_or(self.id, |chat| chat.name.as_str());
            let used = put(buffer, (area.x + 1, area.y), part, room, theme::BADGE);
            let x = area.x + 2 + used;
            put(buffer, (x, area.y), name, (area.right() - 1).saturating_sub(x), style);
            return;
        }
        let Some(chat) = self.chat else {
            put(buffer, (area.x + 1, area.y), self.id, room, style);
            return;
        };
        let mut about = self.mark.map_or(String::new(), |mark| format!(" · {mark}"));
        if chat.encrypted {
            about.push_str(" 🔒");
        }
        match (&chat.peer, self.presence) {
            (Some(_), Some(presence)) => about.push_str(&format!(" {presence}")),
            (Some(peer), None) => about.push_str(&format!(" {peer}")),
            (None, _) => about.push_str(&format!(" {} members", chat.members)),
        }
        let about_columns = u16::try_from(width::columns(&about)).unwrap_or(u16::MAX).min(room / 2);
        let used = put(buffer, (area.x + 1, area.y), &chat.name, room - about_columns, style);
        let mut x = area.x + 1 + used;
        x += put(buffer, (x, area.y), &about, (area.right() - 1).saturating_sub(x), theme::QUIET);
        if let Some(topic) = &chat.topic {
            put(
                buffer,
                (x + 2, area.y),
                topic,
                (area.right() - 1).saturating_sub(x + 2),
                theme::QUIET,
            );
        }
    }
}

/// The rows in view.
pub struct History<'a> {
    /// From top to bottom; fewer than the area has rows stand at its bottom.
    pub rows: &'a [(&'a Message, &'a Line<'static>)],
    pub chosen: &'a Chosen,
    /// What to say when there are no rows.
    pub empty: &'a str,
    /// Messages below the view.
    pub new_below: usize,
    /// The view ends above the newest message.
    pub held: bool,
}

impl Widget for History<'_> {
    fn render(self, area: Rect, buffer: &mut Buffer) {
        if self.rows.is_empty() {
            put(
                buffer,
                (area.x + 1, area.bottom().saturating_sub(1)),
                self.empty,
                area.width.saturating_sub(2),
                theme::QUIET,
            );
        }
        let rows = u16::try_from(self.rows.len()).unwrap_or(area.height).min(area.height);
        let top = area.bottom() - rows;
        for (index, (y, (_, row))) in (top..area.bottom()).zip(self.rows).enumerate() {
            if self.chosen.rows.contains(&index) {
                buffer.set_style(Rect::new(area.x, y, area.width, 1), theme::SELECTED);
                put(buffer, (area.x, y), "▌", 1, theme::ACCENT);
            }
            width::write_line(buffer, (area.x + 1, y), row, area.width.saturating_sub(2));
        }
        if let Some((row, columns)) = &self.chosen.number {
            // The margin of the history and of its messages.
            let cell = |column: usize| u16::try_from(column).unwrap_or(area.width);
            let (x, columns) = (area.x + 3 + cell(columns.start), cell(columns.len()));
            let number = Rect::new(x, top + cell(*row), columns, 1).intersection(area);
            buffer.set_style(number, theme::SELECTED.patch(theme::ACCENT));
        }
        if self.held {
            let text = if self.new_below > 0 {
                format!(" ↓ {} new ", self.new_below)
            } else {
                " ↓ ".to_owned()
            };
            let columns = u16::try_from(width::columns(&text)).unwrap_or(0);
            put(
                buffer,
                (area.right().saturating_sub(columns + 1), area.bottom().saturating_sub(1)),
                &text,
                columns,
                theme::BADGE,
            );
        }
    }
}

/// Who is typing; its row is kept free so that nothing moves.
pub struct Typing<'a> {
    pub names: &'a [String],
}

impl Widget for Typing<'_> {
    fn render(self, area: Rect, buffer: &mut Buffer) {
        let text = match self.names {
            [] => return,
            [one] => format!("{one} is typing…"),
            [one, two] => format!("{one} and {two} are typing…"),
            [one, more @ ..] => format!("{one} and {} others are typing…", more.len()),
        };
        put(buffer, (area.x + 1, area.y), &text, area.width.saturating_sub(2), theme::QUIET);
    }
}
