//! The one function that text from the network passes before it reaches cells, the title or the clipboard.
//!
//! `update/reports.rs` and `snapshot.rs` call it on everything that comes in, so state holds clean text only.

use std::io::{self, Write};
use unicode_width::UnicodeWidthChar;

/// Marks that may stack on one character; more is somebody drawing over their neighbours' lines.
const STACKED_MAX: usize = 8;

/// `text` without control characters and bidi overrides. Line ends stay (as `\n`), tabs become spaces.
pub fn clean(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    let mut stacked = 0;
    for c in text.chars() {
        match c {
            '\n' | '\u{2028}' | '\u{2029}' => clean.push('\n'),
            '\t' => clean.push_str("    "),
            c if c.is_control() || is_direction_mark(c) || is_invisible(c) => {}
            c if c.width() == Some(0) => {
                stacked += 1;
                if stacked <= STACKED_MAX {
                    clean.push(c);
                }
            }
            c => {
                stacked = 0;
                clean.push(c);
            }
        }
    }
    clean
}

/// [`clean`], on one line.
pub fn line(text: &str) -> String {
    let text = clean(text);
    if text.contains('\n') {
        text.split('\n')
            .map(str::trim)
            .filter(|part| !part.is_empty())
            .collect::<Vec<_>>()
            .join(" ")
    } else {
        text
    }
}

/// Cleans text on its way to something that a terminal will show later, such as a log.
pub struct Writer<W>(W);

impl<W: Write> Writer<W> {
    /// One that writes to `out`.
    pub fn new(out: W) -> Writer<W> {
        Writer(out)
    }
}

impl<W: Write> Write for Writer<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write_all(clean(&String::from_utf8_lossy(bytes)).as_bytes())?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

fn is_direction_mark(c: char) -> bool {
    matches!(c, '\u{061c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200b}' | '\u{2060}'..='\u{2064}' | '\u{206a}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0001}')
}

#[cfg(test)]
mod tests {
    use super::{Writer, clean, line};
    use std::io::Write;

    #[test]
    fn a_log_gets_no_control_characters() {
        let mut log = Writer::new(Vec::new());
        writeln!(log, "a name: \x1b]0;evil\x07\u{202e}").unwrap();
        assert_eq!(log.0, b"a name: ]0;evil\n");
    }

    #[test]
    fn escape_sequences_lose_their_power() {
        assert_eq!(clean("\x1b]52;c;ZXZpbA==\x07hi\x1b[2J"), "]52;c;ZXZpbA==hi[2J");
        assert_eq!(clean("a\u{9b}31mb\u{7f}"), "a31mb");
    }

    #[test]
    fn direction_overrides_are_removed_but_right_to_left_letters_stay() {
        assert_eq!(clean("\u{202e}שלום\u{2066}x\u{2069}"), "שלוםx");
    }

    #[test]
    fn line_ends_stay_in_bodies_and_go_from_names() {
        assert_eq!(clean("a\r\nb\tc"), "a\nb    c");
        assert_eq!(line("a\r\n\n b\u{2028}c"), "a b c");
    }

    #[test]
    fn piles_of_marks_are_cut() {
        let pile = format!("e{}", "\u{301}".repeat(500));
        assert_eq!(clean(&pile).chars().count(), 9);
        assert_eq!(clean("👩‍👩‍👧"), "👩‍👩‍👧");
    }
}
