//! Cells to bytes: what changed since the last frame, in as few bytes as that takes, for one write.
//!
//! ratatui's own terminal resets colours and moves the cursor in every frame; over SSH a typed letter should cost little
//! more than itself.

use crate::links::Links;
use crate::palette::{self, ThemeName};
use crate::pictures::PLACEHOLDER;
use crate::width;
use ratatui::buffer::{Buffer, Cell, CellWidth};
use ratatui::layout::{Position, Rect};
use ratatui::style::{Color, Modifier};
use std::fmt::Write;

/// Frames with at most so many changed cells leave the cursor visible while painting.
const FEW_CELLS: usize = 8;
/// Unchanged cells in between that are cheaper to write again than to jump over.
const GAP_MAX: u16 = 3;

/// Knows what the terminal shows, and paints the next frame over it.
pub struct Painter {
    shown: Buffer,
    cursor: Option<Position>,
    /// Nothing is known about the screen: the next frame paints all of it.
    lost: bool,
    look: Look,
}

/// Which colours the terminal gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Look {
    /// `false` keeps to bold, reversed and the like.
    pub colors: bool,
    pub theme: ThemeName,
    /// More than 256 of them.
    pub true_color: bool,
}

/// How cells look, as far as the terminal has been told.
#[derive(Clone, Copy, PartialEq)]
struct Pen {
    fg: Color,
    bg: Color,
    modifier: Modifier,
    /// The mark of a link, for [`Links::find`].
    link: Color,
}

const PLAIN_PEN: Pen =
    Pen { fg: Color::Reset, bg: Color::Reset, modifier: Modifier::empty(), link: Color::Reset };

/// A frame being written.
struct Frame<'a> {
    links: &'a Links,
    bytes: String,
    pen: Pen,
    /// Where the terminal's cursor is, if that is certain.
    at: Option<Position>,
}

impl Painter {
    /// A painter of an unknown screen in the dark theme. `colors: false` keeps to bold, reversed and the like.
    pub fn new(colors: bool) -> Painter {
        let look = Look { colors, theme: ThemeName::Dark, true_color: false };
        Painter { shown: Buffer::empty(Rect::ZERO), cursor: None, lost: true, look }
    }

    /// Paints in these colours from the next frame on.
    pub fn set_look(&mut self, look: Look) {
        self.lost |= self.look != look;
        self.look = look;
    }

    /// The colours it paints in.
    pub fn look(&self) -> Look {
        self.look
    }

    /// Forgets what is shown: the next frame paints everything.
    pub fn lose(&mut self) {
        self.lost = true;
    }

    /// Whether the next frame of this size paints everything.
    pub fn is_lost(&self, area: Rect) -> bool {
        self.lost || self.shown.area != area
    }

    /// Forgets what is shown in `area`: something else was painted there.
    pub fn forget(&mut self, area: Rect) {
        for place in area.intersection(self.shown.area).positions() {
            if let Some(cell) = self.shown.cell_mut(place) {
                cell.set_symbol("\u{fffd}");
            }
        }
    }

    /// The bytes that turn what is shown into `next`, whose links are in `links`; none when nothing changed.
    pub fn frame(&mut self, next: Buffer, cursor: Option<Position>, links: &Links) -> String {
        let lost = self.lost || self.shown.area != next.area;
        let mut frame = Frame { links, bytes: String::new(), pen: PLAIN_PEN, at: self.cursor };
        if lost {
            self.shown = Buffer::empty(next.area);
            frame.bytes.push_str("\x1b[0m\x1b[2J");
            frame.at = None;
        }
        width::uncover(&mut self.shown, &next);
        let changed = self.shown.diff(&next);
        let hide = lost || (changed.len() > FEW_CELLS && self.cursor.is_some());
        if hide {
            frame.bytes.push_str("\x1b[?25l");
        }
        let mut cleared: Option<u16> = None;
        for (x, y, cell) in changed {
            if cleared == Some(y) {
                continue;
            }
            if self.rest_is_blank(&next, x, y) {
                frame.go_to(&next, Position::new(x, y), self.look);
                frame.set_pen(PLAIN_PEN);
                frame.bytes.push_str("\x1b[K");
                cleared = Some(y);
                continue;
            }
            frame.go_to(&next, Position::new(x, y), self.look);
            frame.put(cell, next.area, self.look);
        }
        frame.set_pen(PLAIN_PEN);
        if let Some(cursor) = cursor {
            frame.go_to_exactly(cursor);
        }
        match (hide || self.cursor.is_none(), cursor) {
            (true, Some(_)) => frame.bytes.push_str("\x1b[?25h"),
            (false, None) => frame.bytes.push_str("\x1b[?25l"),
            _ => {}
        }
        self.shown = next;
        self.cursor = cursor;
        self.lost = false;
        // Cursor-less frames leave the cursor anywhere.
        if frame.bytes.is_empty() {
            frame.bytes
        } else {
            format!("\x1b[?2026h{}\x1b[?2026l", frame.bytes)
        }
    }

    /// Everything from `x` to the end of the row is to be blank, and that is more than one cell.
    fn rest_is_blank(&self, next: &Buffer, x: u16, y: u16) -> bool {
        let cells = next.area.right().saturating_sub(x);
        cells > 3
            && (x..next.area.right()).all(|x| {
                next.cell((x, y)).is_some_and(|cell| {
                    cell.symbol() == " " && Pen::of(cell, self.look) == PLAIN_PEN
                })
            })
    }
}

impl Pen {
    fn of(cell: &Cell, look: Look) -> Pen {
        // What names a picture is no colour.
        if cell.symbol().starts_with(PLACEHOLDER) {
            return Pen { fg: cell.fg, ..PLAIN_PEN };
        }
        let link = cell.underline_color;
        if look.colors {
            let (fg, bg) = (look.theme.text(cell.fg, cell.bg), look.theme.ground(cell.bg));
            let fit = |color| match color {
                Color::Rgb(red, green, blue) if !look.true_color => {
                    Color::Indexed(palette::nearest([red, green, blue]))
                }
                color => color,
            };
            return Pen { fg: fit(fg), bg: fit(bg), modifier: cell.modifier, link };
        }
        let reversed = if cell.bg == Color::Reset { Modifier::empty() } else { Modifier::REVERSED };
        Pen { modifier: cell.modifier | reversed, link: cell.underline_color, ..PLAIN_PEN }
    }
}

impl Frame<'_> {
    /// Goes to a cell, over a short gap by writing what is there anyway.
    fn go_to(&mut self, next: &Buffer, to: Position, look: Look) {
        if let Some(at) = self.at.filter(|at| at.y == to.y && at.x < to.x && to.x - at.x <= GAP_MAX)
        {
            let gap: Vec<&Cell> = (at.x..to.x).filter_map(|x| next.cell((x, at.y))).collect();
            if gap.iter().all(|cell| Pen::of(cell, look) == self.pen && cell.symbol().is_ascii()) {
                for cell in gap {
                    self.bytes.push_str(cell.symbol());
                }
                self.at = Some(to);
                return;
            }
        }
        self.go_to_exactly(to);
    }

    fn go_to_exactly(&mut self, to: Position) {
        if self.at == Some(to) {
            return;
        }
        // Writing to a String cannot fail.
        let _written = match self.at {
            Some(at) if at.y == to.y && at.x < to.x => write!(self.bytes, "\x1b[{}C", to.x - at.x),
            Some(at) if at.y == to.y && at.x == to.x + 1 => write!(self.bytes, "\x08"),
            _ => write!(self.bytes, "\x1b[{};{}H", to.y + 1, to.x + 1),
        };
        self.at = Some(to);
    }

    fn put(&mut self, cell: &Cell, area: Rect, look: Look) {
        self.set_pen(Pen::of(cell, look));
        self.bytes.push_str(width::drawn(cell));
        let columns = cell.cell_width().max(1);
        // After the last column terminals differ; after signs of doubtful width, too.
        let certain = cell.symbol().chars().count() == 1;
        self.at = self
            .at
            .map(|at| Position::new(at.x + columns, at.y))
            .filter(|at| certain && at.x < area.right());
    }

    fn set_pen(&mut self, pen: Pen) {
        self.set_link(pen.link);
        if pen == self.pen {
            return;
        }
        let dropped = !(self.pen.modifier - pen.modifier).is_empty();
        let mut codes: Vec<String> = Vec::new();
        if dropped || pen == PLAIN_PEN {
            codes.push(String::new());
            self.pen = Pen { link: self.pen.link, ..PLAIN_PEN };
        }
        let signs = [
            (Modifier::BOLD, "1"),
            (Modifier::DIM, "2"),
            (Modifier::ITALIC, "3"),
            (Modifier::UNDERLINED, "4"),
            (Modifier::REVERSED, "7"),
            (Modifier::CROSSED_OUT, "9"),
        ];
        let added = pen.modifier - self.pen.modifier;
        codes.extend(
            signs
                .iter()
                .filter(|(modifier, _)| added.contains(*modifier))
                .map(|(_, code)| (*code).to_owned()),
        );
        if pen.fg != self.pen.fg {
            codes.push(color_code(pen.fg, 38));
        }
        if pen.bg != self.pen.bg {
            codes.push(color_code(pen.bg, 48));
        }
        self.bytes.push_str("\x1b[");
        self.bytes.push_str(&codes.join(";"));
        self.bytes.push('m');
        self.pen = pen;
    }
}

impl Frame<'_> {
    /// Begins or ends a link (OSC 8). Its number tells the terminal which parts of a broken link belong together.
    fn set_link(&mut self, link: Color) {
        if link == self.pen.link {
            return;
        }
        match self.links.find(link) {
            Some((number, url)) => {
                self.bytes.push_str(&format!("\x1b]8;id={number};{url}\x1b\\"));
            }
            None if self.links.find(self.pen.link).is_some() => {
                self.bytes.push_str("\x1b]8;;\x1b\\");
            }
            None => {}
        }
        self.pen.link = link;
    }
}

/// Themes use indexed colours only, pictures any; what is neither is the terminal's own colour.
fn color_code(color: Color, ground: u8) -> String {
    match color {
        Color::Indexed(index) => format!("{ground};5;{index}"),
        Color::Rgb(red, green, blue) => format!("{ground};2;{red};{green};{blue}"),
        _ => (ground + 1).to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::Painter;
    use crate::links::Links;
    use ratatui::buffer::Buffer;
    use ratatui::layout::Position;
    use ratatui::style::{Color, Style};

    fn painted(
        frames: &[(&Buffer, Option<Position>)],
        colors: bool,
    ) -> (vt100::Parser, Vec<String>) {
        let area = frames[0].0.area;
        let mut terminal = vt100::Parser::new(area.height, area.width, 0);
        let mut painter = Painter::new(colors);
        let mut all = Vec::new();
        for (buffer, cursor) in frames {
            let bytes = painter.frame((*buffer).clone(), *cursor, &Links::default());
            terminal.process(bytes.as_bytes());
            all.push(bytes);
        }
        (terminal, all)
    }

    #[test]
    fn the_terminal_shows_what_the_buffer_holds() {
        let mut first = Buffer::with_lines([
            "hello 日本 there    ",
            "🔒 second line      ",
            "                    ",
        ]);
        first
            .set_style(ratatui::layout::Rect::new(3, 0, 5, 1), Style::new().fg(Color::Indexed(75)));
        let second = Buffer::with_lines([
            "hallo 日x  there    ",
            "                    ",
            "third           line",
        ]);
        let (terminal, _) = painted(&[(&first, None), (&second, Some(Position::new(4, 2)))], true);
        assert_eq!(terminal.screen().contents(), "hallo 日x  there\n\nthird           line");
        assert_eq!(terminal.screen().cursor_position(), (2, 4));
        let (terminal, _) = painted(&[(&second, None), (&first, None)], true);
        assert_eq!(terminal.screen().contents(), "hello 日本 there\n🔒 second line");
        assert_eq!(terminal.screen().cell(0, 4).unwrap().fgcolor(), vt100::Color::Idx(75));
        assert_eq!(terminal.screen().cell(0, 9).unwrap().fgcolor(), vt100::Color::Default);
    }

    #[test]
    fn a_typed_letter_costs_one_byte_and_the_brackets() {
        let before = Buffer::with_lines(["› hell              "]);
        let after = Buffer::with_lines(["› hello             "]);
        let (_, frames) = painted(
            &[(&before, Some(Position::new(6, 0))), (&after, Some(Position::new(7, 0)))],
            true,
        );
        assert_eq!(frames[1], "\x1b[?2026ho\x1b[?2026l");
    }

    #[test]
    fn a_link_is_written_beside_its_text_and_ends_with_it() {
        let mut links = Links::default();
        let mut buffer = Buffer::with_lines(["go here now         "]);
        let link = Style::new().underline_color(links.mark("https://example.org/"));
        buffer.set_style(ratatui::layout::Rect::new(3, 0, 4, 1), link);
        for colors in [true, false] {
            let bytes = Painter::new(colors).frame(buffer.clone(), None, &links);
            let linked = "go \x1b]8;id=1;https://example.org/\x1b\\here\x1b[1C\x1b]8;;\x1b\\now";
            assert!(bytes.contains(linked), "{bytes:?}");
        }
    }

    #[test]
    fn nothing_new_costs_nothing() {
        let buffer = Buffer::with_lines(["same"]);
        let (_, frames) = painted(&[(&buffer, None), (&buffer, None)], true);
        assert_eq!(frames[1], "");
    }

    #[test]
    fn without_colours_a_background_is_reversed() {
        let mut buffer = Buffer::with_lines(["row"]);
        buffer.set_style(buffer.area, Style::new().bg(Color::Indexed(237)).fg(Color::Indexed(75)));
        let (_, frames) = painted(&[(&buffer, None)], false);
        assert!(frames[0].contains("\x1b[7mrow") && !frames[0].contains(";5;"), "{:?}", frames[0]);
    }
}
