//! The last line: how the connection is, and the keys that matter where the focus is.

use super::put;
use crate::backend::Connection;
use crate::state::Notice;
use crate::theme;
use crate::width;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::widgets::Widget;

/// The status line.
pub struct StatusLine<'a> {
    pub connection: Option<Connection>,
    pub notice: Option<&'a Notice>,
    /// Something about encryption that waits for the user.
    pub advice: Option<&'a str>,
    /// How much went over a slow line.
    pub meter: Option<&'a str>,
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
        let meter = self.meter.unwrap_or_default();
        let columns = u16::try_from(width::columns(meter)).unwrap_or(0).min(area.width);
        put(buffer, (area.right() - columns, area.y), meter, columns, theme::QUIET);
        let right = area.right() - columns - u16::from(columns > 0).min(area.width - columns);
        let room = |x: u16| right.saturating_sub(x);
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
            let columns =
                u16::try_from(width::columns(key) + 1 + width::columns(label)).unwrap_or(u16::MAX);
            if columns > room(x) {
                break;
            }
            x += put(buffer, (x, area.y), key, room(x), theme::STRONG) + 1;
            x += put(buffer, (x, area.y), label, room(x), theme::QUIET) + 2;
        }
    }
}
