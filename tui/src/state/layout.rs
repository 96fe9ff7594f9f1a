//! A message as rows of the screen. Pure: the same message, surroundings and width give the same rows, so the conversation
//! keeps them until one of those changes.

use super::album::{self, Grid, Place};
use super::link_previews::Shown;
use super::transfers::size_words;
use crate::backend::{Body, FileKind, Message, Ticks};
use crate::bidi;
use crate::links::Links;
use crate::pictures::{self, Slot};
use crate::rich::{self, Block, Look};
use crate::theme;
use crate::width::{self, Habits};
use crate::wrap::{cut, wrap};
use crate::zone::Zone;
use ratatui::style::{Modifier, Style};
use ratatui::text::{Line, Span};
use std::sync::Arc;

/// Columns left of a message's text.
const INDENT: usize = 2;

/// Columns of time and ticks.
const META_COLUMNS: usize = 9;

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
    /// How the terminal draws.
    pub habits: Habits,
    /// What it hides has been asked for.
    pub revealed: bool,
    /// It is one of those chosen to be acted on together.
    pub chosen: bool,
    /// It is about to be deleted.
    pub leaving: bool,
    /// It is in a thread and stands among messages that are not.
    pub aside: bool,
    /// For the first of a thread: how many answers are known.
    pub answers: usize,
    /// The room of its picture.
    pub slot: Option<Slot>,
    /// Its place among pictures that are shown together.
    pub place: Option<Place>,
    /// All of these, on the first of them.
    pub grid: Option<Grid>,
    /// What the page that it links to says of itself.
    pub preview: Option<Arc<Shown>>,
}

/// What rows are laid out on.
pub struct Sheet<'a> {
    pub width: usize,
    pub zone: Zone,
    pub links: &'a mut Links,
}

/// A message as rows.
#[derive(Debug, Clone, Default)]
pub struct Rows {
    pub lines: Vec<Line<'static>>,
    /// The one with which its pictures begin.
    pub pictures: usize,
}

/// The rows of `message`.
pub fn lay(message: &Message, around: &Surroundings, sheet: &mut Sheet<'_>) -> Rows {
    let zone = sheet.zone;
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
        return Rows { lines: rows, pictures: 0 };
    }
    if around.named {
        let style = if message.own {
            theme::ACCENT.add_modifier(Modifier::BOLD)
        } else {
            theme::sender(&message.sender)
        };
        rows.push(Line::from(Span::styled(cut(&message.sender_name, width), style)));
    }
    lay_answered(message, around, width, &mut rows);
    let pictures = rows.len();
    if let Some(slot) = &around.slot {
        lay_picture(slot, &mut rows);
    }
    if let Some(grid) = &around.grid {
        album::lay(grid, &mut rows);
    }
    let first = rows.len();
    let (text, style) = words_in(message, around);
    if text.lines().any(bidi::is_right_to_left) {
        lay_right_to_left(&text, style, width, &mut rows);
    } else {
        let (blocks, mut base) = match around.place {
            Some(_) => (rich::of_text(&text), style),
            None => content(message),
        };
        if around.leaving {
            base = theme::QUIET.add_modifier(Modifier::CROSSED_OUT);
        }
        let links = &mut *sheet.links;
        let mut look = Look { width: width - INDENT, base, revealed: around.revealed, links };
        for mut row in rich::lay(&blocks, &mut look) {
            row.spans.insert(0, Span::raw("  "));
            rows.push(row);
        }
    }
    if let Some(warning) = &message.warning {
        rows.push(Line::from(vec![
            Span::raw("  "),
            Span::styled(cut(&format!("⚠ {warning}"), width - INDENT), theme::WARNING),
        ]));
    }
    if let Some(preview) = &around.preview {
        lay_preview(preview, width, &mut rows);
    }
    lay_reactions(message, width, &mut rows);
    add_meta(message, around, first, zone, &mut rows);
    lay_answers(around.answers, width, &mut rows);
    if around.chosen
        && let Some(span) = rows.get_mut(first).and_then(|row| row.spans.first_mut())
    {
        *span = Span::styled("✔ ", theme::ACCENT);
    }
    Rows { lines: rows, pictures }
}

/// Text with right-to-left lines in it: plain, for what stands where in it has to be worked out for the whole of a line.
fn lay_right_to_left(text: &str, style: Style, width: usize, rows: &mut Vec<Line<'static>>) {
    let ranges = wrap(text, width - INDENT);
    for (range, seen) in ranges.iter().zip(bidi::visual_rows(text, &ranges)) {
        let line = line_around(text, range.start);
        let seen = if bidi::is_right_to_left(line) {
            let seen = seen.trim_start_matches(' ');
            // Right of it stand the time and the ticks.
            let left = (width - INDENT).saturating_sub(width::columns(seen) + META_COLUMNS);
            format!("{}{seen}", " ".repeat(left))
        } else {
            seen.trim_end_matches(' ').to_owned()
        };
        rows.push(Line::from(vec![Span::raw("  "), Span::styled(seen, style)]));
    }
}

/// The line that the byte `at` belongs to.
fn line_around(text: &str, at: usize) -> &str {
    let from = text.get(..at).and_then(|before| before.rfind('\n')).map_or(0, |end| end + 1);
    text.get(from..).and_then(|rest| rest.lines().next()).unwrap_or_default()
}

fn rule_with(text: &str, width: usize, style: Style) -> Line<'static> {
    let text = cut(text, width.saturating_sub(6));
    let left = width.saturating_sub(width::columns(&text) + 2) / 2;
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

/// A message's text as blocks, and how it looks.
pub fn content(message: &Message) -> (Vec<Block>, Style) {
    if let Body::Text { html: Some(html), .. } = &message.body
        && let Some(blocks) = rich::of_html(html)
    {
        return (blocks, theme::PLAIN);
    }
    let (text, style) = words(message);
    (rich::of_text(&text), style)
}

/// The same where it stands: the first picture of an album has the words for all, and each has a row with its number.
fn words_in(message: &Message, around: &Surroundings) -> (String, Style) {
    let (Some(place), Body::File { name, bytes, caption, .. }) = (&around.place, &message.body)
    else {
        return words(message);
    };
    let caption = caption.as_ref().map(|caption| format!("{caption}\n")).unwrap_or_default();
    let number = place.number;
    (format!("{caption}[picture {number}] {name}{}", size_in_words(*bytes)), theme::PLAIN)
}

/// A message's plain text and how it looks.
fn words(message: &Message) -> (String, Style) {
    match &message.body {
        Body::Text { text, .. } => (text.clone(), theme::PLAIN),
        Body::Emote(text) => (
            format!("* {} {text}", message.sender_name),
            Style::new().add_modifier(Modifier::ITALIC),
        ),
        Body::Notice(text) => (text.clone(), theme::QUIET),
        Body::File { kind, name, bytes, caption, .. } => {
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
    let size = size_in_words(bytes);
    let caption = caption.map(|caption| format!("\n{caption}")).unwrap_or_default();
    format!("[{kind}] {name}{size}{caption}")
}

fn size_in_words(bytes: Option<u64>) -> String {
    bytes.map(|bytes| format!(", {}", size_words(bytes))).unwrap_or_default()
}

/// The rows of a picture.
fn lay_picture(slot: &Slot, rows: &mut Vec<Line<'static>>) {
    for spans in pictures::cells(slot) {
        rows.push(Line::from_iter(std::iter::once(Span::raw("  ")).chain(spans)));
    }
}

/// What the message answers, or the thread it is in.
fn lay_answered(
    message: &Message,
    around: &Surroundings,
    width: usize,
    rows: &mut Vec<Line<'static>>,
) {
    let sign = if around.aside { "⌥" } else { "┃" };
    let text = match &message.reply {
        Some((name, line)) => format!("{sign} {name}: {line}"),
        None if around.aside => "⌥ answer in a thread: t opens it".to_owned(),
        None => return,
    };
    let text = Span::styled(cut(&text, width - INDENT), theme::QUIET);
    rows.push(Line::from(vec![Span::raw("  "), text]));
}

/// What the page behind a link says of itself: site, title, the beginning of its description, a row each.
fn lay_preview(preview: &Shown, width: usize, rows: &mut Vec<Line<'static>>) {
    let mut say = |text: &str, style: Style| {
        let bar = Span::styled("  ┃ ", theme::QUIET);
        let text = cut(text, width.saturating_sub(INDENT + 2));
        rows.push(Line::from(vec![bar, Span::styled(text, style)]));
    };
    say(&preview.site, theme::QUIET);
    if let Some(title) = &preview.title {
        say(title, theme::QUIET.add_modifier(Modifier::BOLD));
    }
    if let Some(description) = &preview.description {
        say(description, theme::QUIET);
    }
}

/// The row below the first message of a thread.
fn lay_answers(answers: usize, width: usize, rows: &mut Vec<Line<'static>>) {
    let text = match answers {
        0 => return,
        1 => "  ⌥ 1 answer: t opens the thread".to_owned(),
        n => format!("  ⌥ {n} answers: t opens the thread"),
    };
    rows.push(Line::from(Span::styled(cut(&text, width), theme::ACCENT)));
}

fn lay_reactions(message: &Message, width: usize, rows: &mut Vec<Line<'static>>) {
    if message.reactions.is_empty() {
        return;
    }
    let mut spans = vec![Span::raw("  ")];
    let mut used = INDENT;
    for (reaction, count, own) in &message.reactions {
        let text = format!("{} {count}", cut(reaction, 12));
        used += width::columns(&text) + 2;
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
        Ticks::Sending | Ticks::Uploading(_) => ("◷", theme::QUIET),
        Ticks::Sent => ("✓", theme::QUIET),
        Ticks::Read => ("✓✓", theme::ACCENT),
        Ticks::Failed => ("! not sent: u tries again", theme::ERROR),
    }
}

/// Time, "edited" and ticks at the right of the text's last row, or below where there is no room. Pictures of an album have one
/// time, and each its own sign as long as it is not sent.
fn add_meta(
    message: &Message,
    around: &Surroundings,
    first: usize,
    zone: Zone,
    rows: &mut Vec<Line<'static>>,
) {
    let (width, place) = (around.width.max(8), around.place.as_ref());
    let mut meta = Vec::new();
    if message.relations.pinned {
        meta.push(Span::styled("📌 ", theme::QUIET));
    }
    if let Some((sent, of)) = place.and_then(|place| Some((place.sent?, place.of))) {
        meta.push(Span::styled(format!("{sent} % of {of} pictures  "), theme::QUIET));
    }
    let last = place.is_none_or(Place::is_last);
    if last {
        let edited = if message.edited { "edited " } else { "" };
        meta.push(Span::styled(format!("{edited}{} ", zone.time(message.at_ms)), theme::QUIET));
    }
    let told = |ticks: &Ticks| last || !matches!(ticks, Ticks::Sent | Ticks::Read);
    if let Some(ticks) = message.ticks.filter(told) {
        let (sign, style) = ticks_sign(ticks);
        meta.push(Span::styled(sign, style));
        if let Ticks::Uploading(hundredths) = ticks {
            meta.push(Span::styled(format!(" {hundredths} %"), theme::QUIET));
        }
    } else if let Some(last) = meta.last_mut() {
        last.content = last.content.trim_end().to_owned().into();
    }
    let columns: usize = meta.iter().map(|span| width::columns(&span.content)).sum();
    let Some(row) = rows.get_mut(first..).and_then(<[_]>::last_mut).filter(|_| columns > 0) else {
        return;
    };
    let used = width::of_line(row);
    if used + 1 + columns <= width {
        row.spans.push(Span::raw(" ".repeat(width - used - columns)));
        row.spans.extend(meta);
    } else {
        let mut spans = vec![Span::raw(" ".repeat(width.saturating_sub(columns)))];
        spans.extend(meta);
        rows.push(Line::from(spans));
    }
}
