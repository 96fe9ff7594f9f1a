//! A form or question as a box in the middle of the screen.

use super::{code, put, put_line};
use crate::backend::Code;
use crate::pictures::{self, Mode, Shown};
use crate::state::form::{Button, FieldKind, Form, FormField};
use crate::theme;
use crate::width;
use crate::wrap::wrap;
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use ratatui::style::Modifier;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Clear, Widget};

/// Widest a box gets.
const COLUMNS_MAX: u16 = 64;

/// A form, drawn over what is below.
pub struct FormBox<'a> {
    pub form: &'a Form,
}

/// One line inside the box.
enum Row<'a> {
    Picture(Vec<Span<'static>>),
    Text(String, ratatui::style::Style),
    Field(usize, &'a FormField),
    /// The buttons from here on, as many as there is room for.
    Buttons(usize, usize),
}

/// Where the parts of a form stand.
struct Laid<'a> {
    /// The box around all of it, where there is room for one.
    frame: Option<Rect>,
    /// The code, the squares of the zone around it, and its place.
    code: Option<(&'a Code, usize, Rect)>,
    text: Rect,
    rows: Vec<Row<'a>>,
}

/// The zone around a code in squares, and whether there is a box around: the first for which there is room. Four squares are what
/// the standard wants, two are enough for what scans them.
const CODE_PLACES: [(usize, bool); 3] = [(4, true), (2, true), (2, false)];
/// Columns between a code and the words.
const CODE_GAP: u16 = 2;
/// The least and the most columns of words beside a code.
const BESIDE_MIN: u16 = 26;
const BESIDE_MAX: u16 = 36;

fn cells(count: usize) -> u16 {
    u16::try_from(count).unwrap_or(u16::MAX)
}

fn middle(area: Rect, (columns, rows): (u16, u16)) -> Rect {
    let x = area.x + area.width.saturating_sub(columns) / 2;
    Rect::new(x, area.y + area.height.saturating_sub(rows) / 2, columns, rows)
}

/// The inside of a box, as [`super::frame`] draws it.
fn inside(frame: Rect) -> Rect {
    Rect::new(
        frame.x + 2,
        frame.y + 1,
        frame.width.saturating_sub(4),
        frame.height.saturating_sub(2),
    )
}

fn too_small(code: &Code) -> String {
    let (columns, rows) = code::size(code, 2);
    let columns = columns + CODE_GAP + BESIDE_MIN;
    format!(
        "This terminal is too small for the code, which takes {columns}×{}. Make it larger, or compare emoji.",
        rows + 1
    )
}

impl FormBox<'_> {
    /// `beside`: a code stands left of them.
    fn rows(&self, width: usize, beside: bool) -> Vec<Row<'_>> {
        let mut rows = Vec::new();
        let say = |rows: &mut Vec<Row<'_>>, text: &str, style| {
            let lines = wrap(text, width).into_iter();
            rows.extend(lines.map(|row| {
                Row::Text(text.get(row).unwrap_or_default().trim_end().to_owned(), style)
            }));
        };
        if let Some(slot) = &self.form.picture {
            rows.extend(pictures::cells(slot).into_iter().map(Row::Picture));
        }
        for line in &self.form.intro {
            say(&mut rows, line, theme::PLAIN);
        }
        if let Some((link, mark)) = &self.form.link {
            say(&mut rows, link, theme::ACCENT.underline_color(*mark));
        }
        if let Some(code) = self.form.code.as_ref().filter(|_| !beside) {
            say(&mut rows, &too_small(code), theme::WARNING);
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
        let mut first = 0;
        while first < self.form.buttons.len() {
            let count = self.buttons_in_row(first, width);
            rows.push(Row::Buttons(first, count));
            first += count;
        }
        rows
    }

    /// Where everything stands in `area`.
    fn lay(&self, area: Rect) -> Laid<'_> {
        if let Some(code) = &self.form.code
            && let Some(laid) = self.lay_beside(code, area)
        {
            return laid;
        }
        let columns = area.width.min(COLUMNS_MAX);
        let rows =
            self.rows_within(columns.saturating_sub(4), area.height.saturating_sub(2), false);
        let height = cells(rows.len()).saturating_add(2).min(area.height);
        let frame = middle(area, (columns, height));
        Laid { text: inside(frame), frame: Some(frame), code: None, rows }
    }

    /// The same with a code left of the words; `None` where there is no room for that.
    fn lay_beside<'a>(&'a self, code: &'a Code, area: Rect) -> Option<Laid<'a>> {
        let ((columns, rows), zone, border) = CODE_PLACES.iter().find_map(|(zone, framed)| {
            let (size, border) = (code::size(code, *zone), if *framed { (4, 2) } else { (0, 0) });
            let wide = size.0 + CODE_GAP + BESIDE_MIN + border.0 <= area.width;
            (wide && size.1 + border.1 <= area.height).then_some((size, *zone, border))
        })?;
        let left = area.width - columns - CODE_GAP - border.0;
        let width = left.min(BESIDE_MAX);
        let words = self.rows_within(width, area.height - border.1, true);
        let height = cells(words.len()).max(rows).min(area.height - border.1);
        let all = (columns + CODE_GAP + width + border.0, height + border.1);
        let place = middle(area, all);
        let (frame, inner) =
            if border == (0, 0) { (None, place) } else { (Some(place), inside(place)) };
        let squares = Rect::new(inner.x, inner.y, columns, rows);
        let text = Rect { x: inner.x + columns + CODE_GAP, width, ..inner };
        Some(Laid { frame, code: Some((code, zone, squares)), text, rows: words })
    }

    /// The rows, of which the picture and then the first go where there are too many: fields and buttons must be seen.
    fn rows_within(&self, width: u16, height: u16, beside: bool) -> Vec<Row<'_>> {
        let mut rows = self.rows(usize::from(width), beside);
        if rows.len() > usize::from(height) {
            rows.retain(|row| !matches!(row, Row::Picture(_)));
        }
        while rows.len() > usize::from(height) && matches!(rows.first(), Some(Row::Text(..))) {
            rows.remove(0);
        }
        rows
    }

    /// The field or button at a place, by their order.
    pub fn stop_at(&self, area: Rect, at: Position) -> Option<usize> {
        let Laid { text, rows, .. } = self.lay(area);
        let row = rows.get(usize::from(at.y.checked_sub(text.y)?))?;
        let mut x = at.x.checked_sub(text.x)?;
        match row {
            Row::Picture(_) | Row::Text(..) => None,
            Row::Field(index, _) => Some(*index),
            Row::Buttons(first, count) => {
                let buttons = self.form.buttons.iter().enumerate().skip(*first).take(*count);
                for (index, button) in buttons {
                    let columns =
                        u16::try_from(width::columns(&words_of(button))).unwrap_or(u16::MAX);
                    if x < columns {
                        return Some(self.form.fields.len() + index);
                    }
                    x = x.checked_sub(columns + 1)?;
                }
                None
            }
        }
    }

    /// Where the picture is, if it is shown and has come.
    pub fn picture(&self, area: Rect) -> Option<(Rect, Mode, Shown)> {
        let slot = self.form.picture.as_ref()?;
        let Laid { text, rows, .. } = self.lay(area);
        matches!(rows.first(), Some(Row::Picture(_))).then_some(())?;
        let (columns, rows) = (u16::try_from(slot.columns).ok()?, u16::try_from(slot.rows).ok()?);
        let place = Rect::new(text.x, text.y, columns, rows);
        Some((place, slot.mode, slot.picture.clone()?))
    }

    /// Draws the box in the middle of `area`; gives the place of the cursor if a text field has the focus.
    pub fn draw(&self, area: Rect, buffer: &mut Buffer) -> Option<Position> {
        let Laid { frame, code, text: inner, rows } = self.lay(area);
        match frame {
            Some(frame) => drop(super::frame(frame, &self.form.title, buffer)),
            None => Clear.render(area, buffer),
        }
        if let Some((code, zone, place)) = code {
            code::draw(code, zone, place, buffer);
        }
        let mut cursor = None;
        for (y, row) in (inner.top()..inner.bottom()).zip(&rows) {
            match row {
                Row::Picture(cells) => {
                    let row = Line::from(cells.clone());
                    width::write_line(buffer, (inner.x, y), &row, inner.width);
                }
                Row::Text(text, style) => {
                    put(buffer, (inner.x, y), text, inner.width, *style);
                }
                Row::Field(index, field) => {
                    let place =
                        self.field(*index, field, Rect::new(inner.x, y, inner.width, 1), buffer);
                    cursor = cursor.or(place);
                }
                Row::Buttons(first, count) => {
                    let area = Rect::new(inner.x, y, inner.width, 1);
                    self.buttons(*first, *count, area, buffer);
                }
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
        let line = match field.kind {
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
            FieldKind::Secret => field.input.dots(usize::from(area.width)),
            FieldKind::Text | FieldKind::Revealed => field.input.line(usize::from(area.width)),
        };
        buffer.set_style(area, theme::SELECTED);
        let cursor = put_line(buffer, area, &line);
        focused.then_some(cursor)
    }

    /// How many buttons from `first` on stand in one row.
    fn buttons_in_row(&self, first: usize, width: usize) -> usize {
        let mut used = 0;
        let fits = |button: &&Button| {
            used += width::columns(&words_of(button)) + 1;
            used <= width + 1
        };
        self.form.buttons.iter().skip(first).take_while(fits).count().max(1)
    }

    fn buttons(&self, first: usize, count: usize, area: Rect, buffer: &mut Buffer) {
        let mut x = area.x;
        for (index, button) in self.form.buttons.iter().enumerate().skip(first).take(count) {
            let style = if self.form.focus == self.form.fields.len() + index {
                theme::BUTTON
            } else {
                theme::QUIET
            };
            let label = words_of(button);
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

/// A button's label; where its letter is not in it, with that in front.
fn words_of(button: &Button) -> String {
    match button.letter() {
        Some(letter) if letter_at(&button.label, letter).is_none() => {
            format!(" {letter} {} ", button.label)
        }
        _ => format!(" {} ", button.label),
    }
}

/// The column of a label's letter.
fn letter_at(label: &str, letter: char) -> Option<u16> {
    let (before, _) = label.split_once([letter, letter.to_ascii_uppercase()])?;
    u16::try_from(width::columns(before)).ok()
}
