//! A form or question as a box in the middle of the screen.

use super::put;
use crate::state::form::{FieldKind, Form, FormField};
use crate::theme;
use crate::wrap::wrap;
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use ratatui::style::Modifier;
use unicode_width::UnicodeWidthStr;

/// Widest a box gets.
const COLUMNS_MAX: u16 = 64;

/// A form, drawn over what is below.
pub struct FormBox<'a> {
    pub form: &'a Form,
}

/// One line inside the box.
enum Row<'a> {
    Text(String, ratatui::style::Style),
    Field(usize, &'a FormField),
    Buttons,
}

impl FormBox<'_> {
    fn rows(&self, width: usize) -> Vec<Row<'_>> {
        let mut rows = Vec::new();
        let say = |rows: &mut Vec<Row<'_>>, text: &str, style| {
            let lines = wrap(text, width).into_iter();
            rows.extend(lines.map(|row| {
                Row::Text(text.get(row).unwrap_or_default().trim_end().to_owned(), style)
            }));
        };
        for line in &self.form.intro {
            say(&mut rows, line, theme::PLAIN);
        }
        if !self.form.intro.is_empty() {
            rows.push(Row::Text(String::new(), theme::PLAIN));
        }
        for (index, field) in self.form.fields.iter().enumerate() {
            if !field.is_switch() {
                let style = if index == self.form.focus { theme::ACCENT } else { theme::QUIET };
                rows.push(Row::Text(field.label.to_owned(), style));
            }
            rows.push(Row::Field(index, field));
            if let Some(error) = &field.error {
                say(&mut rows, error, theme::ERROR);
            } else if index == self.form.focus && !field.advice.is_empty() {
                say(&mut rows, field.advice, theme::QUIET);
            }
        }
        if let Some(error) = &self.form.error {
            say(&mut rows, error, theme::ERROR);
        }
        if let Some(busy) = self.form.busy {
            say(&mut rows, busy, theme::QUIET);
        }
        rows.push(Row::Text(String::new(), theme::PLAIN));
        rows.push(Row::Buttons);
        rows
    }

    /// Draws the box in the middle of `area`; gives the place of the cursor if a text field has the focus.
    pub fn draw(&self, area: Rect, buffer: &mut Buffer) -> Option<Position> {
        let columns = area.width.min(COLUMNS_MAX);
        let width = columns.saturating_sub(4);
        let mut rows = self.rows(usize::from(width));
        let height_max = usize::from(area.height.saturating_sub(2));
        // On a low screen the words above go first: fields and buttons must be seen.
        while rows.len() > height_max && matches!(rows.first(), Some(Row::Text(..))) {
            rows.remove(0);
        }
        let height =
            u16::try_from(rows.len()).unwrap_or(area.height).saturating_add(2).min(area.height);
        let frame = Rect::new(
            area.x + (area.width - columns) / 2,
            area.y + (area.height - height) / 2,
            columns,
            height,
        );
        let inner = super::frame(frame, &self.form.title, buffer);
        let mut cursor = None;
        for (y, row) in (inner.top()..inner.bottom()).zip(&rows) {
            match row {
                Row::Text(text, style) => {
                    put(buffer, (inner.x, y), text, inner.width, *style);
                }
                Row::Field(index, field) => {
                    let place =
                        self.field(*index, field, Rect::new(inner.x, y, inner.width, 1), buffer);
                    cursor = cursor.or(place);
                }
                Row::Buttons => self.buttons(Rect::new(inner.x, y, inner.width, 1), buffer),
            }
        }
        cursor
    }

    fn field(
        &self,
        index: usize,
        field: &FormField,
        area: Rect,
        buffer: &mut Buffer,
    ) -> Option<Position> {
        let focused = index == self.form.focus;
        let text = match field.kind {
            FieldKind::On | FieldKind::Off => {
                let sign = if field.kind == FieldKind::On { "[x]" } else { "[ ]" };
                let style = if focused { theme::ACCENT } else { theme::PLAIN };
                put(
                    buffer,
                    (area.x, area.y),
                    &format!("{sign} {}", field.label),
                    area.width,
                    style,
                );
                return None;
            }
            FieldKind::Secret => "•".repeat(
                unicode_segmentation::UnicodeSegmentation::graphemes(field.input.text(), true)
                    .count(),
            ),
            FieldKind::Text | FieldKind::Revealed => field.input.text().to_owned(),
        };
        let column = if field.kind == FieldKind::Secret {
            field.input.cursor_chars()
        } else {
            field.input.cursor_column()
        };
        buffer.set_style(area, theme::SELECTED);
        // A long text is shown around its cursor.
        let room = usize::from(area.width.saturating_sub(1));
        let hidden = column.saturating_sub(room);
        let shown = skip_columns(&text, hidden);
        buffer.set_stringn(area.x, area.y, shown, usize::from(area.width), theme::PLAIN);
        let x = u16::try_from(column - hidden).unwrap_or(0);
        focused.then(|| Position::new(area.x + x, area.y))
    }

    fn buttons(&self, area: Rect, buffer: &mut Buffer) {
        let mut x = area.x;
        for (index, button) in self.form.buttons.iter().enumerate() {
            let style = if self.form.focus == self.form.fields.len() + index {
                theme::BUTTON
            } else {
                theme::QUIET
            };
            let label = match button.letter() {
                // A label without its letter has it in front.
                Some(letter) if letter_at(button.label, letter).is_none() => {
                    format!(" {letter} {} ", button.label)
                }
                _ => format!(" {} ", button.label),
            };
            let width = area.right().saturating_sub(x);
            let used = put(buffer, (x, area.y), &label, width, style);
            if let Some(at) = button.letter().and_then(|letter| letter_at(&label, letter))
                && let Some(cell) = buffer.cell_mut((x + at, area.y)).filter(|_| at < used)
            {
                cell.modifier |= Modifier::UNDERLINED;
            }
            x += used + 1;
        }
    }
}

/// The column of a label's letter.
fn letter_at(label: &str, letter: char) -> Option<u16> {
    let (before, _) = label.split_once([letter, letter.to_ascii_uppercase()])?;
    u16::try_from(before.width()).ok()
}

fn skip_columns(text: &str, columns: usize) -> &str {
    let mut used = 0;
    for (at, grapheme) in unicode_segmentation::UnicodeSegmentation::grapheme_indices(text, true) {
        if used >= columns {
            return text.get(at..).unwrap_or_default();
        }
        used += grapheme.width();
    }
    if columns == 0 { text } else { "" }
}
