//! The chat list: two rows a chat; name, lock and time above, the newest message with its ticks and the unread count below.

use super::put;
use crate::backend::{AccountId, Chat, ChatKind, account_of};
use crate::state::layout::ticks_sign;
use crate::theme;
use crate::width;
use crate::zone::Zone;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Modifier;
use ratatui::widgets::Widget;
use std::collections::BTreeMap;

/// The chats from `top` on.
pub struct ChatList<'a> {
    pub chats: &'a [&'a Chat],
    /// Whose chats they are, where there are several accounts.
    pub marks: &'a BTreeMap<AccountId, String>,
    /// What of the chats is shown, if it is not everything.
    pub title: Option<&'a str>,
    /// It is a tab.
    pub narrowed: bool,
    pub top: usize,
    pub selected: Option<&'a str>,
    pub open: Option<&'a str>,
    /// Chats with something written and not sent.
    pub drafts: &'a [&'a str],
    pub focused: bool,
    pub zone: Zone,
    pub now_ms: u64,
}

impl Widget for ChatList<'_> {
    fn render(self, area: Rect, buffer: &mut Buffer) {
        let mut area = area;
        if let Some(title) = self.title {
            let text = format!("‹ {title} ›");
            put(buffer, (area.x + 1, area.y), &text, area.width.saturating_sub(1), theme::ACCENT);
            let below = area.height.saturating_sub(1);
            area = Rect::new(area.x, area.y + 1, area.width, below);
        }
        if self.chats.is_empty() {
            let text = if self.narrowed {
                "None here: < goes back."
            } else {
                "No chats yet: n starts one."
            };
            put(buffer, (area.x + 1, area.y), text, area.width.saturating_sub(1), theme::QUIET);
        }
        let mut y = area.y;
        for &chat in self.chats.iter().skip(self.top) {
            if y + 1 >= area.bottom() {
                break;
            }
            self.row(chat, Rect::new(area.x, y, area.width, 2), buffer);
            y += 2;
        }
    }
}

impl ChatList<'_> {
    fn row(&self, chat: &Chat, area: Rect, buffer: &mut Buffer) {
        let selected = self.selected == Some(chat.id.as_str());
        if selected && self.focused {
            buffer.set_style(area, theme::SELECTED);
            put(buffer, (area.x, area.y), "▌", 1, theme::ACCENT);
            put(buffer, (area.x, area.y + 1), "▌", 1, theme::ACCENT);
        } else if self.open == Some(chat.id.as_str()) {
            buffer.set_style(area, theme::OPEN);
        }
        let inner = Rect::new(area.x + 1, area.y, area.width.saturating_sub(2), 2);
        self.name_row(chat, inner, buffer);
        self.preview_row(chat, Rect::new(inner.x, inner.y + 1, inner.width, 1), buffer);
    }

    fn name_row(&self, chat: &Chat, area: Rect, buffer: &mut Buffer) {
        let time = chat
            .last
            .as_ref()
            .map(|last| self.zone.short(last.at_ms, self.now_ms))
            .unwrap_or_default();
        let columns = columns(&time);
        put(buffer, (area.right().saturating_sub(columns), area.y), &time, columns, theme::QUIET);
        let mark = self.marks.get(&account_of(&chat.id));
        let mut marks = mark.map_or(String::new(), |mark| format!(" · {mark}"));
        if chat.pinned {
            marks.push_str(" ⚲");
        }
        if chat.muted {
            marks.push_str(" 🔕");
        }
        if chat.encrypted {
            marks.push_str(" 🔒");
        }
        let room = area.width.saturating_sub(columns + 1 + self::columns(&marks));
        let used = put(buffer, (area.x, area.y), &chat.name, room, theme::STRONG);
        put(buffer, (area.x + used, area.y), &marks, self::columns(&marks), theme::QUIET);
    }

    fn preview_row(&self, chat: &Chat, area: Rect, buffer: &mut Buffer) {
        let badge = badge(chat);
        let badge_columns = columns(&badge);
        let style = if chat.muted { theme::BADGE_MUTED } else { theme::BADGE };
        put(
            buffer,
            (area.right().saturating_sub(badge_columns), area.y),
            &badge,
            badge_columns,
            style,
        );
        let mut room =
            area.width.saturating_sub(if badge_columns > 0 { badge_columns + 1 } else { 0 });
        if let Some(inviter) = &chat.invited_by {
            put(buffer, (area.x, area.y), &format!("invited by {inviter}"), room, theme::ACCENT);
            return;
        }
        if chat.knocked {
            put(buffer, (area.x, area.y), "asked to be let in", room, theme::QUIET);
            return;
        }
        let mut x = area.x;
        if self.drafts.contains(&chat.id.as_str()) {
            let used = put(buffer, (x, area.y), "✎ ", room, theme::WARNING);
            (x, room) = (x + used, room - used);
        }
        let Some(last) = &chat.last else { return };
        if let Some(ticks) = last.ticks {
            let (sign, style) = ticks_sign(ticks);
            let sign = sign.split(' ').next().unwrap_or_default();
            let used = put(buffer, (x, area.y), &format!("{sign} "), room, style);
            (x, room) = (x + used, room - used);
        }
        let who = if last.own {
            "You: ".to_owned()
        } else if chat.kind == ChatKind::Direct || last.sender.is_empty() {
            String::new()
        } else {
            format!("{}: ", last.sender)
        };
        put(buffer, (x, area.y), &format!("{who}{}", last.text), room, theme::QUIET);
    }
}

fn columns(text: &str) -> u16 {
    u16::try_from(width::columns(text)).unwrap_or(u16::MAX)
}

fn badge(chat: &Chat) -> String {
    let count = match chat.unread {
        0 if chat.invited_by.is_some() => "!".to_owned(),
        0 if chat.mentions == 0 && chat.marked_unread => "•".to_owned(),
        0 if chat.mentions == 0 => return String::new(),
        0..=999 => chat.unread.to_string(),
        _ => "999+".to_owned(),
    };
    if chat.mentions > 0 { format!(" @ {count} ") } else { format!(" {count} ") }
}

/// A line between panes.
pub struct Rule;

impl Widget for Rule {
    fn render(self, area: Rect, buffer: &mut Buffer) {
        for y in area.top()..area.bottom() {
            put(buffer, (area.x, y), "│", 1, theme::RULE.remove_modifier(Modifier::BOLD));
        }
    }
}
