//! The conversation above the composer: its head, the rows in view, who is typing.

use super::put;
use crate::backend::{Chat, Message};
use crate::theme;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Line;
use ratatui::widgets::Widget;
use unicode_width::UnicodeWidthStr;

/// The chat's name and what kind of chat it is.
pub struct Head<'a> {
    pub chat: Option<&'a Chat>,
    /// What to call a chat whose row has not come yet.
    pub id: &'a str,
    pub focused: bool,
}

impl Widget for Head<'_> {
    fn render(self, area: Rect, buffer: &mut Buffer) {
        let style = if self.focused { theme::STRONG.patch(theme::ACCENT) } else { theme::STRONG };
        let room = area.width.saturating_sub(2);
        let Some(chat) = self.chat else {
            put(buffer, (area.x + 1, area.y), self.id, room, style);
            return;
        };
        let mut about = String::new();
        if chat.encrypted {
            about.push_str(" 🔒");
        }
        match &chat.peer {
            Some(peer) => about.push_str(&format!(" {peer}")),
            None => about.push_str(&format!(" {} members", chat.members)),
        }
        let about_columns = u16::try_from(about.width()).unwrap_or(u16::MAX).min(room / 2);
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
    pub selected: Option<&'a str>,
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
        let mut y = area.bottom() - rows;
        for (message, row) in self.rows.iter().take(usize::from(rows)) {
            if self.selected == Some(message.key.as_str()) {
                buffer.set_style(Rect::new(area.x, y, area.width, 1), theme::SELECTED);
                put(buffer, (area.x, y), "▌", 1, theme::ACCENT);
            }
            buffer.set_line(area.x + 1, y, row, area.width.saturating_sub(2));
            y += 1;
        }
        if self.held {
            let text = if self.new_below > 0 {
                format!(" ↓ {} new ", self.new_below)
            } else {
                " ↓ ".to_owned()
            };
            let columns = u16::try_from(text.width()).unwrap_or(0);
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
