//! Right-to-left text in the order in which it is seen, for terminals that draw characters as they come. Some reorder by
//! themselves; those get text as it is.

use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use unicode_bidi::BidiInfo;
use unicode_segmentation::UnicodeSegmentation;

/// Whether the terminal does this itself. Said once, before the first frame.
static TERMINAL_REORDERS: AtomicBool = AtomicBool::new(false);

/// Says that the terminal, judged by the variables of its environment, does it itself.
pub fn judge_terminal(variable: impl Fn(&str) -> Option<String>) {
    let known = ["VTE_VERSION", "KONSOLE_VERSION"].into_iter().any(|name| variable(name).is_some());
    let named = ["TERM", "TERM_PROGRAM"].into_iter().filter_map(&variable);
    let reorders =
        known || named.into_iter().any(|name| name == "mlterm" || name == "Apple_Terminal");
    TERMINAL_REORDERS.store(reorders, Ordering::Relaxed);
}

/// A grapheme of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sign<'a> {
    /// The byte of the text at which it begins.
    pub at: usize,
    /// What is drawn for it.
    pub drawn: &'a str,
    /// What is written after it stands left of it.
    pub right_to_left: bool,
}

/// A row as it is seen.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Row<'a> {
    /// From left to right.
    pub signs: Vec<Sign<'a>>,
    /// It belongs to a line that begins at the right side.
    pub right_to_left: bool,
}

impl Row<'_> {
    /// The row as text.
    pub fn text(&self) -> String {
        self.signs.iter().map(|sign| sign.drawn).collect()
    }
}

/// Whether `text` is seen in the order in which it is written.
pub fn is_plain(text: &str) -> bool {
    let rtl = |c: char| matches!(u32::from(c), 0x590..=0x8ff | 0xfb1d..=0xfdff | 0xfe70..=0xfeff | 0x10800..=0x10fff | 0x1e800..=0x1efff);
    TERMINAL_REORDERS.load(Ordering::Relaxed) || !text.chars().any(rtl)
}

/// Whether `text` begins at the right side.
pub fn is_right_to_left(text: &str) -> bool {
    let first =
        || BidiInfo::new(text, None).paragraphs.first().is_some_and(|first| first.level.is_rtl());
    !is_plain(text) && first()
}

/// One line as it is seen.
pub fn visual(text: &str) -> String {
    visual_rows(text, std::slice::from_ref(&(0..text.len()))).pop().unwrap_or_default()
}

/// Rows of a text, each as it is seen.
pub fn visual_rows(text: &str, rows: &[Range<usize>]) -> Vec<String> {
    if is_plain(text) {
        let whole = |row: &Range<usize>| text.get(row.clone()).unwrap_or_default().to_owned();
        return rows.iter().map(whole).collect();
    }
    seen_rows(text, rows).iter().map(Row::text).collect()
}

/// Rows of a text, each as it is seen, sign by sign.
pub fn seen_rows<'a>(text: &'a str, rows: &[Range<usize>]) -> Vec<Row<'a>> {
    let whole = |row: &Range<usize>| Row {
        signs: signs(text, row.clone()).collect(),
        right_to_left: false,
    };
    if is_plain(text) {
        return rows.iter().map(whole).collect();
    }
    let info = BidiInfo::new(text, None);
    let seen = |row: &Range<usize>| {
        let paragraph =
            info.paragraphs.iter().find(|paragraph| paragraph.range.contains(&row.start));
        let Some(paragraph) = paragraph.filter(|_| !row.is_empty()) else { return whole(row) };
        let row = row.start..row.end.min(paragraph.range.end);
        let (levels, runs) = info.visual_runs(paragraph, row);
        let mut seen = Vec::new();
        for run in runs {
            let rtl = levels.get(run.start).is_some_and(|level| level.is_rtl());
            let signs = signs(text, run);
            if rtl {
                // Marks stay behind the letter they stand on.
                let signs: Vec<_> = signs.collect();
                seen.extend(signs.into_iter().rev().map(turned));
            } else {
                seen.extend(signs);
            }
        }
        Row { signs: seen, right_to_left: paragraph.level.is_rtl() }
    };
    rows.iter().map(seen).collect()
}

fn signs(text: &str, range: Range<usize>) -> impl Iterator<Item = Sign<'_>> {
    let start = range.start;
    let graphemes = text.get(range).unwrap_or_default().grapheme_indices(true);
    graphemes.map(move |(at, drawn)| Sign { at: start + at, drawn, right_to_left: false })
}

fn turned(sign: Sign<'_>) -> Sign<'_> {
    Sign { drawn: mirrored(sign.drawn), right_to_left: true, ..sign }
}

fn mirrored(grapheme: &str) -> &str {
    match grapheme {
        "(" => ")",
        ")" => "(",
        "[" => "]",
        "]" => "[",
        "{" => "}",
        "}" => "{",
        "<" => ">",
        ">" => "<",
        "«" => "»",
        "»" => "«",
        grapheme => grapheme,
    }
}

#[cfg(test)]
mod tests {
    use super::{is_right_to_left, seen_rows, visual, visual_rows};

    #[test]
    fn hebrew_is_turned_numbers_and_latin_inside_are_not() {
        assert_eq!(visual("שלום (עולם) 123"), "123 (םלוע) םולש");
        assert_eq!(visual("hello"), "hello");
        assert_eq!(visual("see שלום there"), "see םולש there");
        assert!(is_right_to_left("שלום hello") && !is_right_to_left("hello שלום"));
    }

    #[test]
    fn marks_stay_behind_their_letter_and_rows_keep_their_words() {
        assert_eq!(visual("שָׁב"), "בשָׁ");
        let text = "אחת שתיים";
        let cut = text.find(' ').unwrap() + 1;
        assert_eq!(visual_rows(text, &[0..cut, cut..text.len()]), [" תחא", "םייתש"]);
    }

    #[test]
    fn every_sign_knows_where_it_is_written() {
        let whole = 0..6;
        let [row] = seen_rows("a אב", std::slice::from_ref(&whole)).try_into().unwrap();
        let seen: Vec<_> = row.signs.iter().map(|sign| (sign.at, sign.drawn)).collect();
        assert_eq!(seen, [(0, "a"), (1, " "), (4, "ב"), (2, "א")]);
        assert!(!row.right_to_left);
    }
}
