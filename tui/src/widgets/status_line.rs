//! The last line: how the connection is, and the keys that matter where the focus is.

use super::put;
use crate::backend::Connection;
use crate::state::Notice;
use crate::theme;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::widgets::Widget;
use unicode_width::UnicodeWidthStr;

/// The status line.
pub struct StatusLine<'a> {
    pub connection: Option<Connection>,
    pub notice: Option<&'a Notice>,
    /// Something about encryption that waits for the user.
    pub advice: Option<&'a str>,
    pub hints: &'a [(String, &'static str)],
}

impl Widget for StatusLine<'_> {
    fn render(self, area: Rect, buffer: &mut Buffer) {
        let (sign, style) = match self.connection {
            None => ("", theme::QUIET),
            Some(Connection::Connecting) => ("○ connecting", theme::WARNING),
            Some(Connection::Online) => ("●", theme::ACCENT),
            Some(Connection::Offline) => ("○ offline", theme::ERROR),
        };
        let mut x = area.x;
        x += put(buffer, (x, area.y), sign, area.width, style);
        x += u16::from(!sign.is_empty());
        let room = |x: u16| area.right().saturating_sub(x);
        if let Some(notice) = self.notice {
            put(
                buffer,
                (x, area.y),
                &notice.text,
                room(x),
                if notice.error { theme::ERROR } else { theme::ACCENT },
            );
            return;
        }
        if let Some(advice) = self.advice {
            x += put(buffer, (x, area.y), advice, room(x), theme::WARNING) + 2;
        }
        for (key, label) in self.hints {
            let columns = u16::try_from(key.width() + 1 + label.width()).unwrap_or(u16::MAX);
            if columns > room(x) {
                break;
            }
            x += put(buffer, (x, area.y), key, room(x), theme::STRONG) + 1;
            x += put(buffer, (x, area.y), label, room(x), theme::QUIET) + 2;
        }
    }
}
