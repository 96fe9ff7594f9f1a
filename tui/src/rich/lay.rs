//! Blocks to rows of the screen.

use super::{Block, Run, highlight, table};
use crate::links::Links;
use crate::theme;
use crate::width;
use crate::wrap::wrap;
use ratatui::style::{Modifier, Style};
use ratatui::text::{Line, Span};
use unicode_segmentation::UnicodeSegmentation;

/// Narrower than this nothing is indented any further.
const WIDTH_MIN: usize = 8;

/// How the text is to look.
pub struct Look<'a> {
    pub width: usize,
    /// Of text without marks.
    pub base: Style,
    /// What is hidden has been asked for.
    pub revealed: bool,
    pub links: &'a mut Links,
}

/// The rows of `blocks`; never empty.
pub fn lay(blocks: &[Block], look: &mut Look<'_>) -> Vec<Line<'static>> {
    let mut rows = Vec::new();
    for (index, block) in blocks.iter().enumerate() {
        if index > 0 && stands_apart(block) && blocks.get(index - 1).is_some_and(stands_apart) {
            rows.push(Line::default());
        }
        lay_block(block, look, &mut rows);
    }
    if rows.is_empty() {
        rows.push(Line::default());
    }
    rows
}

/// Paragraphs and the like have an empty row between them.
fn stands_apart(block: &Block) -> bool {
    matches!(block, Block::Paragraph(_) | Block::Heading(_) | Block::Table { .. })
}

fn lay_block(block: &Block, look: &mut Look<'_>, rows: &mut Vec<Line<'static>>) {
    match block {
        Block::Paragraph(runs) => rows.extend(lay_runs(runs, look)),
        Block::Heading(runs) => {
            let base = look.base;
            look.base = base.patch(theme::STRONG);
            rows.extend(lay_runs(runs, look));
            look.base = base;
        }
        Block::Code { language, text } => lay_code(language.as_deref(), text, look, rows),
        Block::Quote(blocks) => {
            indented(blocks, ("▎ ", "▎ "), theme::QUIET, look, rows);
        }
        Block::List { first, items } => {
            let widest = first.map_or(0, |first| first + items.len() as u64).to_string().len();
            for (index, item) in items.iter().enumerate() {
                let sign = match first {
                    Some(first) => format!("{:>widest$}. ", first + index as u64),
                    None => "• ".to_owned(),
                };
                let rest = " ".repeat(width::columns(&sign));
                indented(item, (&sign, &rest), look.base, look, rows);
            }
        }
        Block::Table { head, rows: cells } => table::lay(cells, *head, look, rows),
        Block::Rule => {
            let text = "─".repeat(look.width.min(24));
            rows.push(Line::from(Span::styled(text, theme::QUIET)));
        }
    }
}

/// Blocks behind a sign: the first row behind the first, all others behind the second.
fn indented(
    blocks: &[Block],
    (first, other): (&str, &str),
    style: Style,
    look: &mut Look<'_>,
    rows: &mut Vec<Line<'static>>,
) {
    let columns = width::columns(first);
    if look.width < WIDTH_MIN + columns {
        rows.extend(lay(blocks, look));
        return;
    }
    let width = look.width;
    look.width -= columns;
    for (index, mut row) in lay(blocks, look).into_iter().enumerate() {
        let sign = if index == 0 { first } else { other };
        row.spans.insert(0, Span::styled(sign.to_owned(), style));
        rows.push(row);
    }
    look.width = width;
}

/// The style of a run.
pub(super) fn style_of(run: &Run, look: &mut Look<'_>) -> Style {
    let mut style = look.base.add_modifier(run.modifier);
    if run.code {
        style = style.patch(theme::CODE);
    }
    if run.hidden && !look.revealed {
        return theme::QUIET;
    }
    if let Some(link) = &run.link {
        style = style
            .patch(theme::ACCENT)
            .add_modifier(Modifier::UNDERLINED)
            .underline_color(look.links.mark(link));
    }
    style
}

/// The text of a run as it may be seen.
pub(super) fn text_of(run: &Run, look: &Look<'_>) -> String {
    if !run.hidden || look.revealed {
        return run.text.clone();
    }
    run.text
        .graphemes(true)
        .map(|grapheme| match grapheme {
            " " | "\n" => grapheme.to_owned(),
            grapheme => "▒".repeat(width::of(grapheme)),
        })
        .collect()
}

/// Runs of text, broken into rows together.
pub(super) fn lay_runs(runs: &[Run], look: &mut Look<'_>) -> Vec<Line<'static>> {
    let mut text = String::new();
    let mut styles = Vec::with_capacity(runs.len());
    for run in runs {
        text.push_str(&text_of(run, look));
        styles.push((text.len(), style_of(run, look)));
    }
    wrap(&text, look.width)
        .into_iter()
        .map(|row| {
            let shown = text.get(row.clone()).unwrap_or_default().trim_end_matches([' ', '\n']);
            let end = row.start + shown.len();
            let mut spans = Vec::new();
            let mut from = row.start;
            for (until, style) in &styles {
                let until = (*until).min(end);
                if until > from {
                    let part = text.get(from..until).unwrap_or_default();
                    spans.push(Span::styled(part.to_owned(), *style));
                    from = until;
                }
            }
            Line::from(spans)
        })
        .collect()
}

fn lay_code(
    language: Option<&str>,
    text: &str,
    look: &mut Look<'_>,
    rows: &mut Vec<Line<'static>>,
) {
    const SIGN: &str = "│ ";
    let width = look.width.saturating_sub(width::columns(SIGN)).max(1);
    for line in highlight::lines(text, language.unwrap_or_default()) {
        let whole: String = line.iter().map(|(text, _)| *text).collect();
        for row in wrap_hard(&whole, width) {
            let mut spans = vec![Span::styled(SIGN, theme::RULE)];
            let mut at = 0;
            for (part, style) in &line {
                let (from, until) = (row.start.max(at), row.end.min(at + part.len()));
                if from < until {
                    let part = whole.get(from..until).unwrap_or_default();
                    spans.push(Span::styled(part.to_owned(), *style));
                }
                at += part.len();
            }
            rows.push(Line::from(spans));
        }
    }
}

/// The byte ranges of a line of code at `width` columns: broken anywhere, since its blanks mean something.
fn wrap_hard(line: &str, width: usize) -> Vec<std::ops::Range<usize>> {
    let mut rows = Vec::new();
    let (mut from, mut used) = (0, 0);
    for (at, grapheme) in line.grapheme_indices(true) {
        if used + width::of(grapheme) > width && at > from {
            rows.push(from..at);
            (from, used) = (at, 0);
        }
        used += width::of(grapheme);
    }
    rows.push(from..line.len());
    rows
}

#[cfg(test)]
mod tests {
    use super::{Look, lay};
    use crate::links::Links;
    use crate::rich::{of_html, of_text};
    use ratatui::style::{Modifier, Style};
    use ratatui::text::Line;

    fn laid(html: &str, width: usize, revealed: bool) -> Vec<Line<'static>> {
        let mut links = Links::default();
        let mut look = Look { width, base: Style::new(), revealed, links: &mut links };
        lay(&of_html(html).unwrap(), &mut look)
    }

    fn shown(html: &str, width: usize) -> Vec<String> {
        laid(html, width, false).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn lists_quotes_and_code_stand_behind_their_signs() {
        let html = "<p>Bring:</p><ol><li>one two three</li><li>x<ul><li>y</li></ul></li></ol>\
                    <blockquote>said long ago</blockquote><pre><code>fn  a()\n  b</code></pre>";
        assert_eq!(
            shown(html, 14),
            [
                "Bring:",
                "1. one two",
                "   three",
                "2. x",
                "   • y",
                "▎ said long",
                "▎ ago",
                "│ fn  a()",
                "│   b"
            ]
        );
    }

    #[test]
    fn paragraphs_have_an_empty_row_between_them() {
        assert_eq!(shown("<p>one</p><p>two</p>", 20), ["one", "", "two"]);
    }

    #[test]
    fn what_is_hidden_is_not_on_the_screen_until_it_is_asked_for() {
        let html = "it was <span data-mx-spoiler>the cook</span>";
        assert_eq!(shown(html, 40), ["it was ▒▒▒ ▒▒▒▒"]);
        assert_eq!(laid(html, 40, true)[0].to_string(), "it was the cook");
    }

    #[test]
    fn a_table_keeps_its_columns_and_fits() {
        let html = "<table><tr><th>name</th><th>what it is for</th></tr>\
                    <tr><td>oak</td><td>shade in the summer</td></tr></table>";
        assert_eq!(
            shown(html, 30),
            ["name │ what it is for", "─────┼────────────────────", "oak  │ shade in the summer"]
        );
        assert!(shown(html, 16).iter().all(|row| row.chars().count() <= 16));
    }

    #[test]
    fn a_link_is_marked_in_every_row_it_stands_in() {
        let mut links = Links::default();
        let mut look = Look { width: 10, base: Style::new(), revealed: false, links: &mut links };
        let rows = lay(&of_text("go https://example.org/long/way now"), &mut look);
        let marked: Vec<String> = rows
            .iter()
            .flat_map(|row| &row.spans)
            .filter(|span| span.style.add_modifier.contains(Modifier::UNDERLINED))
            .map(|span| span.content.to_string())
            .collect();
        assert_eq!(marked.concat(), "https://example.org/long/way");
        assert!(marked.len() > 1);
    }
}
