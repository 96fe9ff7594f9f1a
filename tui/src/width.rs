//! How many columns the terminal draws a text in: measured here and nowhere else. Terminals disagree about a few kinds of signs, so
//! they are asked at start ([`QUESTIONS`]); until they have answered, and where they never do, what Unicode has to say holds.

use ratatui::buffer::{Buffer, Cell, CellDiffOption, CellWidth};
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::Line;
use std::cell::Cell as Slot;
use std::num::NonZeroU16;
use unicode_segmentation::UnicodeSegmentation;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// What a terminal makes of the signs that are drawn differently.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Habits {
    /// Columns of a sign that U+FE0F makes an emoji: 2 or 1.
    pub emoji_style: u8,
    /// Emoji that U+200D joins are one sign.
    pub joins: bool,
    /// A skin tone is part of the emoji before it.
    pub tones: bool,
    /// Columns of a flag: 2, or 4 where its two letters stand side by side.
    pub flag: u8,
    /// Columns of what is wide in East Asian fonts only: 1 or 2.
    pub ambiguous: u8,
}

/// What is drawn to learn each of them.
pub const QUESTIONS: [&str; 5] = ["❤\u{fe0f}", "👩\u{200d}🌾", "👍🏽", "🇩🇪", "α"];

/// What holds for terminals that do not answer.
pub const USUAL: Habits =
    Habits { emoji_style: 2, joins: true, tones: true, flag: 2, ambiguous: 1 };

thread_local! {
    /// Of the terminal that this thread draws on; there is one, but in tests.
    static HABITS: Slot<Habits> = const { Slot::new(USUAL) };
}

/// What is known of the terminal.
pub fn habits() -> Habits {
    HABITS.get()
}

/// Measures as `habits` say from now on.
pub fn set_habits(habits: Habits) {
    HABITS.set(habits);
}

impl Default for Habits {
    fn default() -> Habits {
        USUAL
    }
}

impl Habits {
    /// Takes the answer to a question: how many columns its sign took. An answer that makes no sense changes nothing.
    #[must_use]
    pub fn learn(self, question: usize, columns: u16) -> Habits {
        match (question, columns) {
            (0, 1) => Habits { emoji_style: 1, ..self },
            (0, 2) => Habits { emoji_style: 2, ..self },
            (1, 2) => Habits { joins: true, ..self },
            (1, 3..=6) => Habits { joins: false, ..self },
            (2, 2) => Habits { tones: true, ..self },
            (2, 3 | 4) => Habits { tones: false, ..self },
            (3, 1 | 2 | 4) => Habits { flag: u8::try_from(columns).unwrap_or(self.flag), ..self },
            (4, 1) => Habits { ambiguous: 1, ..self },
            (4, 2) => Habits { ambiguous: 2, ..self },
            _ => self,
        }
    }

    /// Columns of one grapheme.
    pub fn measure(self, grapheme: &str) -> usize {
        if grapheme.len() == 1 {
            return usize::from(!grapheme.starts_with(char::is_control));
        }
        let mut chars = grapheme.chars();
        let Some(first) = chars.next() else { return 0 };
        if chars.as_str().is_empty() {
            let wide = self.ambiguous > 1 && stand_in(first).is_none() && is_ambiguous(first);
            return if wide { 2 } else { usize::from(grapheme.cell_width()) };
        }
        self.measure_several(grapheme)
    }

    /// The same for one that several characters make up.
    fn measure_several(self, grapheme: &str) -> usize {
        if !self.joins && grapheme.contains('\u{200d}') {
            return grapheme.split('\u{200d}').map(|part| self.measure(part)).sum();
        }
        if grapheme.chars().all(is_flag_letter) {
            return usize::from(self.flag);
        }
        if let Some((emoji, _)) = grapheme.split_once(is_tone).filter(|_| !self.tones) {
            return self.measure(emoji) + 2;
        }
        if self.emoji_style == 1 && grapheme.contains('\u{fe0f}') && !grapheme.contains('\u{200d}')
        {
            return grapheme.replace('\u{fe0f}', "").width();
        }
        usize::from(grapheme.cell_width())
    }
}

/// Whether it is wide in East Asian fonts only.
fn is_ambiguous(c: char) -> bool {
    // Letters, too, on terminals; unicode-width leaves them out.
    let is_letter = matches!(
        u32::from(c),
        0xaa | 0xc6 | 0xd0 | 0xd8 | 0xde..=0xe1 | 0xe6 | 0xe8..=0xea | 0xec | 0xed | 0xf0 | 0xf2
            | 0xf3 | 0xf8..=0xfa | 0xfc | 0xfe | 0x101 | 0x111 | 0x113 | 0x11b | 0x126 | 0x127
            | 0x12b | 0x131..=0x133 | 0x138 | 0x13f..=0x142 | 0x144 | 0x148..=0x14b | 0x14d
            | 0x152 | 0x153 | 0x166 | 0x167 | 0x16b | 0x1ce | 0x1d0 | 0x1d2 | 0x1d4 | 0x1d6
            | 0x1d8 | 0x1da | 0x1dc | 0x251 | 0x261 | 0x391..=0x3a9 | 0x3b1..=0x3c1
            | 0x3c3..=0x3c9 | 0x401 | 0x410..=0x44f | 0x451
    );
    is_letter || (c.width() == Some(1) && c.width_cjk() == Some(2))
}

fn is_flag_letter(c: char) -> bool {
    matches!(c, '\u{1f1e6}'..='\u{1f1ff}')
}

fn is_tone(c: char) -> bool {
    matches!(c, '\u{1f3fb}'..='\u{1f3ff}')
}

/// What the signs that frames and the like are made of become where they would be two columns wide.
fn stand_in(c: char) -> Option<&'static str> {
    Some(match c {
        '─' | '━' | '╌' | '┄' | '·' => "-",
        '│' | '┃' | '▌' | '▎' => "|",
        '▀' | '▄' | '█' => " ",
        '▒' | '░' | '▓' => "#",
        '…' => ".",
        '•' => "*",
        '\u{2500}'..='\u{257f}' => "+",
        _ => return None,
    })
}

/// What is written to the terminal for a cell.
pub(crate) fn drawn(cell: &Cell) -> &str {
    let symbol = cell.symbol();
    let mut chars = symbol.chars();
    let wide = habits().ambiguous > 1;
    match (chars.next(), chars.next()) {
        (Some(only), None) if wide => stand_in(only).unwrap_or(symbol),
        _ => symbol,
    }
}

/// Columns of a grapheme.
pub fn of(grapheme: &str) -> usize {
    habits().measure(grapheme)
}

/// Columns of a text.
pub fn columns(text: &str) -> usize {
    if text.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
        return text.len();
    }
    let habits = habits();
    text.graphemes(true).map(|grapheme| habits.measure(grapheme)).sum()
}

/// Columns of a row.
pub fn of_line(line: &Line<'_>) -> usize {
    line.spans.iter().map(|span| columns(&span.content)).sum()
}

/// Writes `text` as it is at (x, y), as much of it as fits into `room` columns. Gives the columns used.
pub fn write(buffer: &mut Buffer, (x, y): (u16, u16), text: &str, room: u16, style: Style) -> u16 {
    let area = buffer.area;
    if x < area.left() || y < area.top() || y >= area.bottom() {
        return 0;
    }
    let end = area.right().min(x.saturating_add(room));
    let habits = habits();
    let mut at = x;
    for grapheme in text.graphemes(true) {
        let columns = u16::try_from(habits.measure(grapheme)).unwrap_or(u16::MAX);
        if columns == 0 || grapheme.contains(char::is_control) {
            continue;
        }
        let next = at.saturating_add(columns);
        if next > end {
            break;
        }
        if let Some(cell) = buffer.cell_mut((at, y)) {
            let forced = NonZeroU16::new(columns).filter(|_| grapheme.cell_width() != columns);
            let option = forced.map_or(CellDiffOption::None, CellDiffOption::ForcedWidth);
            cell.set_symbol(grapheme).set_style(style).set_diff_option(option);
        }
        for hidden in at + 1..next {
            if let Some(cell) = buffer.cell_mut((hidden, y)) {
                cell.reset();
            }
        }
        at = next;
    }
    at.saturating_sub(x)
}

/// Writes a row at (x, y), as much of it as fits into `room` columns.
pub fn write_line(buffer: &mut Buffer, (x, y): (u16, u16), line: &Line<'_>, room: u16) {
    let mut used = 0;
    for span in &line.spans {
        let style = line.style.patch(span.style);
        used += write(buffer, (x + used, y), &span.content, room - used, style);
    }
}

/// Has the cells painted again that stood under a sign which is wider here than the terminal knows of, and goes.
pub(crate) fn uncover(shown: &mut Buffer, next: &Buffer) {
    let area = shown.area.intersection(next.area);
    for place in area.positions() {
        let (Some(old), Some(new)) = (shown.cell(place), next.cell(place)) else { continue };
        let CellDiffOption::ForcedWidth(columns) = old.diff_option else { continue };
        if old == new {
            continue;
        }
        let under = Rect::new(place.x, place.y, columns.get(), 1).intersection(area);
        for place in under.positions() {
            if let Some(cell) = shown.cell_mut(place) {
                cell.reset();
                cell.set_symbol("\u{fffd}");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Habits, QUESTIONS, USUAL, columns, set_habits, write};
    use ratatui::buffer::Buffer;
    use ratatui::layout::Rect;
    use ratatui::style::Style;

    fn all(habits: Habits) -> [usize; 5] {
        QUESTIONS.map(|sign| habits.measure(sign))
    }

    #[test]
    fn what_a_terminal_answers_is_what_is_measured() {
        assert_eq!(all(USUAL), [2, 2, 2, 2, 1]);
        let answers = [1, 4, 4, 4, 2];
        let asked = answers.iter().enumerate();
        let learnt = asked.fold(USUAL, |habits, (at, columns)| habits.learn(at, *columns));
        assert_eq!(all(learnt), [1, 4, 4, 4, 2]);
        assert_eq!(learnt.measure("👩🏽\u{200d}🌾"), 6);
        assert_eq!(learnt.measure("🏳\u{fe0f}\u{200d}🌈"), 3);
        assert_eq!(learnt.measure("日"), 2);
        assert_eq!(learnt.measure("│"), 1, "what frames are made of keeps its place");
        // Nonsense is no answer.
        assert_eq!(USUAL.learn(0, 0).learn(1, 80).learn(3, 3).learn(9, 2), USUAL);
    }

    #[test]
    fn a_text_is_written_in_the_columns_that_the_terminal_takes() {
        let text = "❤\u{fe0f}x 👍🏽y";
        assert_eq!(columns(text), 7);
        set_habits(USUAL.learn(0, 1).learn(2, 4));
        assert_eq!(columns(text), 8);
        let mut buffer = Buffer::empty(Rect::new(0, 0, 10, 1));
        assert_eq!(write(&mut buffer, (1, 0), text, 7, Style::new()), 7);
        let at = |x: u16| buffer.cell((x, 0)).unwrap().symbol();
        assert_eq!((at(1), at(2), at(4), at(8)), ("❤\u{fe0f}", "x", "👍🏽", " "));
        set_habits(USUAL);
    }
}
