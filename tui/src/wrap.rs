//! Breaking text into rows by display width. Used by the conversation's layout and by the composer.

use crate::width;
use std::ops::Range;
use unicode_segmentation::UnicodeSegmentation;

/// The byte ranges of `text`'s rows at `width` columns. Breaks after spaces and wide characters where it can, inside words
/// where it must; spaces at a row's end hang over. Never empty.
pub fn wrap(text: &str, width: usize) -> Vec<Range<usize>> {
    let width = width.max(1);
    let mut rows = Vec::new();
    let mut start = 0;
    for line in text.split('\n') {
        wrap_line(line, start, width, &mut rows);
        start += line.len() + 1;
    }
    rows
}

fn wrap_line(line: &str, offset: usize, width: usize, rows: &mut Vec<Range<usize>>) {
    let (mut row, mut used) = (0, 0);
    // The last place a row may end, and the columns used up to there.
    let (mut seam, mut seam_used) = (0, 0);
    for (at, grapheme) in line.grapheme_indices(true) {
        let columns = width::of(grapheme);
        let end = at + grapheme.len();
        if grapheme == " " {
            used += 1;
            (seam, seam_used) = (end, used);
            continue;
        }
        if used + columns > width && at > row {
            if seam > row && seam <= at {
                rows.push(offset + row..offset + seam);
                used -= seam_used;
                row = seam;
            }
            if used + columns > width && at > row {
                rows.push(offset + row..offset + at);
                (row, used) = (at, 0);
            }
            (seam, seam_used) = (row, 0);
        }
        used += columns;
        if columns > 1 {
            (seam, seam_used) = (end, used);
        }
    }
    rows.push(offset + row..offset + line.len());
}

/// `text` cut to `width` columns, with `…` where something was cut.
pub fn cut(text: &str, width: usize) -> String {
    if width::columns(text) <= width {
        return text.to_owned();
    }
    let mut cut = String::new();
    let mut used = 0;
    for grapheme in text.graphemes(true) {
        let columns = width::of(grapheme);
        if used + columns + 1 > width {
            break;
        }
        used += columns;
        cut.push_str(grapheme);
    }
    if width > 0 {
        cut.push('…');
    }
    cut
}

#[cfg(test)]
mod tests {
    use super::{cut, wrap};

    fn rows(text: &str, width: usize) -> Vec<&str> {
        wrap(text, width).into_iter().map(|row| &text[row]).collect()
    }

    #[test]
    fn words_stay_whole_where_they_fit() {
        assert_eq!(rows("the quick brown fox", 10), ["the quick ", "brown fox"]);
        assert_eq!(rows("abcdefghij", 4), ["abcd", "efgh", "ij"]);
        assert_eq!(rows("a\n\nb", 4), ["a", "", "b"]);
        assert_eq!(rows("", 4), [""]);
        assert_eq!(rows("see incomprehensible", 6), ["see ", "incomp", "rehens", "ible"]);
    }

    #[test]
    fn wide_characters_take_two_columns() {
        assert_eq!(rows("日本語テキスト", 5), ["日本", "語テ", "キス", "ト"]);
        assert_eq!(rows("👍👍👍", 4), ["👍👍", "👍"]);
    }

    #[test]
    fn every_byte_is_in_one_row() {
        for width in 1..12 {
            let text = "héllo wörld 日本 a  b   👩‍👩‍👧 end";
            let joined: String = rows(text, width).concat();
            assert_eq!(joined, text, "at {width}");
        }
    }

    #[test]
    fn a_cut_text_says_so() {
        assert_eq!(cut("hello", 5), "hello");
        assert_eq!(cut("hello!", 5), "hell…");
        assert_eq!(cut("日本語", 4), "日…");
        assert_eq!(cut("x", 0), "");
    }
}
