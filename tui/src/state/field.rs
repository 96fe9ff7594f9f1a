//! Text that is being typed: the composer's, a form field's, the switcher's. The cursor moves by grapheme.

use super::seen;
use crate::wrap::wrap;
use unicode_segmentation::{GraphemeCursor, UnicodeSegmentation};

/// Text with a cursor in it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TextField {
    text: String,
    /// A byte index on a grapheme boundary of `text`.
    cursor: usize,
}

/// A place among the rows at some width, as it is seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    pub row: usize,
    pub column: usize,
}

impl TextField {
    /// A field with `text` and the cursor at its end.
    pub fn new(text: impl Into<String>) -> TextField {
        let text = text.into();
        TextField { cursor: text.len(), text }
    }

    pub fn text(&self) -> &str {
        &self.text
    }

    pub fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    /// The characters before the cursor.
    pub fn cursor_chars(&self) -> usize {
        self.before().graphemes(true).count()
    }

    /// The text before the cursor.
    pub fn before(&self) -> &str {
        self.text.get(..self.cursor).unwrap_or_default()
    }

    fn after(&self) -> &str {
        self.text.get(self.cursor..).unwrap_or_default()
    }

    pub fn insert(&mut self, text: &str) {
        let after = self.after().to_owned();
        self.text.truncate(self.cursor);
        self.text.push_str(text);
        self.cursor = self.text.len();
        self.text.push_str(&after);
    }

    /// Puts `text` in the place of everything from the byte `from` to the cursor.
    pub fn replace_before(&mut self, from: usize, text: &str) {
        if from <= self.cursor && self.text.is_char_boundary(from) {
            self.text.replace_range(from..self.cursor, text);
            self.cursor = from + text.len();
        }
    }

    /// Puts the cursor where a row and column are when the text is wrapped at `width`.
    pub fn click(&mut self, row: usize, column: usize, width: usize) {
        let last = wrap(&self.text, width).len().saturating_sub(1);
        self.go_to(Place { row: row.min(last), column }, width);
    }

    fn left_of(&self, at: usize) -> usize {
        GraphemeCursor::new(at, self.text.len(), true)
            .prev_boundary(&self.text, 0)
            .ok()
            .flatten()
            .unwrap_or(0)
    }

    fn right_of(&self, at: usize) -> usize {
        GraphemeCursor::new(at, self.text.len(), true)
            .next_boundary(&self.text, 0)
            .ok()
            .flatten()
            .unwrap_or(self.text.len())
    }

    fn word_left_of(&self) -> usize {
        let mut words = self.before().unicode_word_indices();
        words.next_back().map_or(0, |(at, _)| at)
    }

    fn word_right_of(&self) -> usize {
        let first = self.after().unicode_word_indices().next();
        first.map_or(self.text.len(), |(at, word)| self.cursor + at + word.len())
    }

    fn line_start_of(&self) -> usize {
        self.before().rfind('\n').map_or(0, |at| at + 1)
    }

    fn remove(&mut self, from: usize, to: usize) {
        if from < to && to <= self.text.len() {
            self.text.replace_range(from..to, "");
            self.cursor = from;
        }
    }

    pub fn left(&mut self) {
        self.cursor = self.left_of(self.cursor);
    }

    pub fn right(&mut self) {
        self.cursor = self.right_of(self.cursor);
    }

    pub fn word_left(&mut self) {
        self.cursor = self.word_left_of();
    }

    pub fn word_right(&mut self) {
        self.cursor = self.word_right_of();
    }

    pub fn line_start(&mut self) {
        self.cursor = self.line_start_of();
    }

    pub fn line_end(&mut self) {
        self.cursor += self.after().find('\n').unwrap_or(self.after().len());
    }

    pub fn backspace(&mut self) {
        self.remove(self.left_of(self.cursor), self.cursor);
    }

    pub fn delete(&mut self) {
        self.remove(self.cursor, self.right_of(self.cursor));
    }

    pub fn delete_word(&mut self) {
        self.remove(self.word_left_of(), self.cursor);
    }

    pub fn delete_to_start(&mut self) {
        self.remove(self.line_start_of(), self.cursor);
    }

    pub fn delete_to_end(&mut self) {
        let end = self.cursor + self.after().find('\n').unwrap_or(self.after().len());
        // At the end of a line its end goes, as people who press this twice expect.
        let end = if end == self.cursor { (end + 1).min(self.text.len()) } else { end };
        self.remove(self.cursor, end);
    }

    pub fn delete_word_forward(&mut self) {
        self.remove(self.cursor, self.word_right_of());
    }

    /// Where the cursor stands when the text is wrapped at `width`.
    pub fn place(&self, width: usize) -> Place {
        let rows = wrap(&self.text, width);
        let row = rows.iter().rposition(|row| row.start <= self.cursor).unwrap_or(0);
        let range = rows.get(row).cloned().unwrap_or_default();
        Place { row, column: seen::cursor(&self.text, range, self.cursor, width) }
    }

    /// The rows at `width` from `first` on, at most so many, each as it is seen: columns left of it, and its text.
    pub fn rows(&self, width: usize, first: usize, count: usize) -> Vec<(usize, String)> {
        let rows: Vec<_> = wrap(&self.text, width).into_iter().skip(first).take(count).collect();
        seen::rows(&self.text, &rows, width)
    }

    /// The whole of it in one row of so many columns, or the part around the cursor.
    pub fn line(&self, columns: usize) -> seen::Line {
        seen::line(&self.text, self.cursor, columns)
    }

    /// The same with a dot for every character.
    pub fn dots(&self, columns: usize) -> seen::Line {
        const DOT: &str = "•";
        let dots = DOT.repeat(self.text.graphemes(true).count());
        seen::line(&dots, DOT.len() * self.cursor_chars(), columns)
    }

    /// One row up at `width`; `false` when there is none.
    pub fn up(&mut self, width: usize) -> bool {
        let place = self.place(width);
        place.row > 0 && self.go_to(Place { row: place.row - 1, ..place }, width)
    }

    /// One row down at `width`; `false` when there is none.
    pub fn down(&mut self, width: usize) -> bool {
        let place = self.place(width);
        self.go_to(Place { row: place.row + 1, ..place }, width)
    }

    fn go_to(&mut self, place: Place, width: usize) -> bool {
        let rows = wrap(&self.text, width);
        let Some(row) = rows.get(place.row).cloned() else { return false };
        let last = place.row + 1 == rows.len() || self.text.get(row.end..=row.end) == Some("\n");
        let at = seen::hit(&self.text, row.clone(), place.column, width);
        // The end of a row that goes on below is the beginning of that.
        self.cursor = if at == row.end && !last { self.left_of(at).max(row.start) } else { at };
        true
    }
}

#[cfg(test)]
mod tests {
    use super::TextField;

    #[test]
    fn the_cursor_moves_over_whole_graphemes() {
        let mut field = TextField::new("a👩‍👩‍👧é");
        field.left();
        field.left();
        assert_eq!(field.cursor_chars(), 1);
        field.delete();
        assert_eq!(field.text(), "aé");
        field.backspace();
        assert_eq!(field.text(), "é");
        field.backspace();
        assert_eq!(field.text(), "é");
    }

    #[test]
    fn words_are_walked_and_deleted() {
        let mut field = TextField::new("one two, three");
        field.word_left();
        field.insert("x");
        assert_eq!(field.text(), "one two, xthree");
        field.delete_word();
        field.delete_word();
        assert_eq!(field.text(), "one three");
        field.line_start();
        field.word_right();
        field.delete_to_start();
        assert_eq!(field.text(), " three");
    }

    #[test]
    fn rows_are_walked_at_the_shown_width() {
        let mut field = TextField::new("hello world\nagain");
        assert_eq!(field.place(6).row, 2);
        assert!(field.up(6));
        assert_eq!((field.place(6).row, field.place(6).column), (1, 5));
        assert!(field.up(6));
        assert!(!field.up(6));
        assert!(field.down(6) && field.down(6) && !field.down(6));
    }

    #[test]
    fn right_to_left_the_cursor_goes_as_one_writes_and_stands_where_it_is_seen() {
        // Right-aligned in eleven columns, of which the first is for the cursor.
        let mut field = TextField::new("שלום ab");
        assert_eq!(field.rows(10, 0, 9), [(4, "ab םולש".to_owned())]);
        assert_eq!(field.place(10).column, 6, "Latin goes on at its right");
        field.left();
        field.left();
        assert_eq!(field.place(10).column, 5, "left of the space");
        field.line_start();
        assert_eq!(field.place(10).column, 10);
        field.right();
        assert_eq!(field.place(10).column, 9);
        field.insert("ו");
        assert_eq!(field.text(), "שולום ab");
        // Clicks: on the letter that is seen there, and beside the text.
        for (column, before) in [(10, ""), (9, "ש"), (0, "שולום ab"), (4, "שולום a")] {
            field.click(0, column, 10);
            assert_eq!(field.before(), before, "at {column}");
        }
    }
}
