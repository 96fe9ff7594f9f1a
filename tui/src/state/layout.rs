//! A message as rows of the screen. Pure: the same message, surroundings and width give the same rows, so the conversation
//! keeps them until one of those changes.

use crate::backend::{Body, FileKind, Message, Ticks};
use crate::theme;
use crate::wrap::{cut, wrap};
use crate::zone::Zone;
use ratatui::style::{Modifier, Style};
use ratatui::text::{Line, Span};
use unicode_width::UnicodeWidthStr;

/// Columns left of a message's text.
const INDENT: usize = 2;

/// What a message's rows depend on besides the message.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Surroundings {
    /// The day line above it.
    pub day: Option<String>,
    /// The "new" line above it, with how many follow.
    pub new: Option<u64>,
    /// The sender's name stands above it: it begins a group.
    pub named: bool,
    /// For service lines: this one stands for so many; 0 is one that another stands for.
    pub folded: usize,
    pub width: usize,
}

/// The rows of `message`.
pub fn lay(message: &Message, around: &Surroundings, zone: Zone) -> Vec<Line<'static>> {
    let mut rows = Vec::new();
    let width = around.width.max(8);
    if let Some(day) = &around.day {
        rows.push(rule_with(day, width, theme::QUIET));
    }
    if let Some(count) = around.new {
        rows.push(rule_with(&format!("{count} new"), width, theme::ACCENT));
    }
    if let Body::Service(text) = &message.body {
        lay_service(text, around, width, &mut rows);
        return rows;
    }
    if around.named {
        let style = if message.own {
            theme::ACCENT.add_modifier(Modifier::BOLD)
        } else {
            theme::sender(&message.sender)
        };
        rows.push(Line::from(Span::styled(cut(&message.sender_name, width), style)));
    }
    if let Some((name, line)) = &message.reply {
        let text = format!("┃ {name}: {line}");
        rows.push(Line::from(vec![
            Span::raw("  "),
            Span::styled(cut(&text, width - INDENT), theme::QUIET),
        ]));
    }
    let first = rows.len();
    let (text, style) = words(message);
    for row in wrap(&text, width - INDENT) {
        let text = text.get(row).unwrap_or_default().trim_end_matches(' ');
        rows.push(Line::from(vec![Span::raw("  "), Span::styled(text.to_owned(), style)]));
    }
    if let Some(warning) = &message.warning {
        rows.push(Line::from(vec![
            Span::raw("  "),
            Span::styled(cut(&format!("⚠ {warning}"), width - INDENT), theme::WARNING),
        ]));
    }
    lay_reactions(message, width, &mut rows);
    add_meta(message, width, first, zone, &mut rows);
    rows
}

fn rule_with(text: &str, width: usize, style: Style) -> Line<'static> {
    let text = cut(text, width.saturating_sub(6));
    let left = width.saturating_sub(text.width() + 2) / 2;
    let side = "─".repeat(left.min(8));
    let padding = " ".repeat(left.saturating_sub(8));
    Line::from(Span::styled(format!("{padding}{side} {text} {side}"), style))
}

fn lay_service(text: &str, around: &Surroundings, width: usize, rows: &mut Vec<Line<'static>>) {
    let text = match around.folded {
        0 => return,
        1 => text.to_owned(),
        n => format!("{text} · and {} more changes", n - 1),
    };
    rows.push(Line::from(Span::styled(
        format!("· {}", cut(&text, width.saturating_sub(2))),
        theme::QUIET,
    )));
}

/// A message's text and how it looks.
fn words(message: &Message) -> (String, Style) {
    match &message.body {
        Body::Text { text, .. } => (text.clone(), theme::PLAIN),
        Body::Emote(text) => (
            format!("* {} {text}", message.sender_name),
            Style::new().add_modifier(Modifier::ITALIC),
        ),
        Body::Notice(text) => (text.clone(), theme::QUIET),
        Body::File { kind, name, bytes, caption } => {
            (file_words(*kind, name, *bytes, caption.as_deref()), theme::PLAIN)
        }
        Body::Deleted => ("deleted".to_owned(), theme::QUIET),
        Body::Undecryptable { reason } => {
            (format!("🔒 can't be read yet: {reason}"), theme::WARNING)
        }
        Body::Service(text) => (text.clone(), theme::QUIET),
    }
}

fn file_words(kind: FileKind, name: &str, bytes: Option<u64>, caption: Option<&str>) -> String {
    let kind = match kind {
        FileKind::Image => "picture",
        FileKind::Video => "video",
        FileKind::Audio => "audio",
        FileKind::File => "file",
        FileKind::Sticker => "sticker",
    };
    let size = bytes.map(|bytes| format!(", {}", size_words(bytes))).unwrap_or_default();
    let caption = caption.map(|caption| format!("\n{caption}")).unwrap_or_default();
    format!("[{kind}] {name}{size}{caption}")
}

fn size_words(bytes: u64) -> String {
    match bytes {
        0..1024 => format!("{bytes} B"),
        1024..1_048_576 => format!("{} KiB", bytes / 1024),
        _ => format!("{}.{} MiB", bytes / 1_048_576, bytes % 1_048_576 * 10 / 1_048_576),
    }
}

fn lay_reactions(message: &Message, width: usize, rows: &mut Vec<Line<'static>>) {
    if message.reactions.is_empty() {
        return;
    }
    let mut spans = vec![Span::raw("  ")];
    let mut used = INDENT;
    for (reaction, count, own) in &message.reactions {
        let text = format!("{} {count}", cut(reaction, 12));
        used += text.width() + 2;
        if used > width {
            spans.push(Span::styled("…", theme::QUIET));
            break;
        }
        spans.push(Span::styled(text, if *own { theme::ACCENT } else { theme::QUIET }));
        spans.push(Span::raw("  "));
    }
    rows.push(Line::from(spans));
}

/// The sign of how far a message got.
pub fn ticks_sign(ticks: Ticks) -> (&'static str, Style) {
    match ticks {
        Ticks::Sending => ("◷", theme::QUIET),
        Ticks::Sent => ("✓", theme::QUIET),
        Ticks::Read => ("✓✓", theme::ACCENT),
        Ticks::Failed => ("! not sent: u tries again", theme::ERROR),
    }
}

/// Time, "edited" and ticks at the right of the text's last row, or below where there is no room.
fn add_meta(
    message: &Message,
    width: usize,
    first: usize,
    zone: Zone,
    rows: &mut Vec<Line<'static>>,
) {
    let mut time = zone.time(message.at_ms);
    if message.edited {
        time = format!("edited {time}");
    }
    let mut meta = vec![Span::styled(time, theme::QUIET)];
    if let Some(ticks) = message.ticks {
        let (sign, style) = ticks_sign(ticks);
        meta.push(Span::raw(" "));
        meta.push(Span::styled(sign, style));
    }
    let columns: usize = meta.iter().map(Span::width).sum();
    let Some(row) = rows.get_mut(first..).and_then(<[_]>::last_mut) else { return };
    let used = row.width();
    if used + 1 + columns <= width {
        row.spans.push(Span::raw(" ".repeat(width - used - columns)));
        row.spans.extend(meta);
    } else {
        let mut spans = vec![Span::raw(" ".repeat(width.saturating_sub(columns)))];
        spans.extend(meta);
        rows.push(Line::from(spans));
    }
}
