//! A screen as a picture for the documents: SVG, so that text stays text.

use std::fmt::Write;

use vt100::{Cell, Color, Screen};

/// A cell, in the picture's own units.
const WIDTH: f32 = 8.4;
const HEIGHT: f32 = 18.0;
/// Around the screen.
const EDGE: f32 = 12.0;
const INK: &str = "#d4d7dd";
const PAPER: &str = "#17191e";
/// The sixteen colours that a terminal has names for.
const NAMED: [&str; 16] = [
    "#2a2e36", "#e06c75", "#98c379", "#e5c07b", "#61afef", "#c678dd", "#56b6c2", "#d4d7dd",
    "#7a818e", "#ef8a92", "#b1d695", "#f0d197", "#82c2f5", "#d591e8", "#76ccd6", "#ffffff",
];

/// The picture.
pub(crate) fn picture(screen: &Screen) -> String {
    let (rows, columns) = screen.size();
    let (wide, high) =
        (f32::from(columns) * WIDTH + 2.0 * EDGE, f32::from(rows) * HEIGHT + 2.0 * EDGE);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{wide}\" height=\"{high}\" viewBox=\"0 0 {wide} {high}\">\n\
         <rect width=\"{wide}\" height=\"{high}\" rx=\"8\" fill=\"{PAPER}\"/>\n\
         <g font-family=\"'DejaVu Sans Mono','Menlo','Consolas',monospace\" font-size=\"14\">\n"
    );
    for row in 0..rows {
        let mut column = 0;
        while column < columns {
            column += run(&mut svg, screen, row, column).max(1);
        }
    }
    svg.push_str("</g>\n</svg>\n");
    svg
}

/// Draws the cells from here on that look alike; gives how many.
fn run(svg: &mut String, screen: &Screen, row: u16, first: u16) -> u16 {
    let (_, columns) = screen.size();
    let Some(cell) = screen.cell(row, first) else { return 1 };
    let look = Look::of(cell);
    let mut text = String::new();
    let mut end = first;
    while end < columns {
        let Some(cell) = screen.cell(row, end).filter(|cell| Look::of(cell) == look) else { break };
        // A sign of two cells, or half a picture's cell, stands alone: fonts differ in how wide theirs are.
        let alone = cell.is_wide() || half(cell.contents()).is_some();
        if alone && end > first {
            break;
        }
        text.push_str(if cell.has_contents() { cell.contents() } else { " " });
        end += if cell.is_wide() { 2 } else { 1 };
        if alone {
            break;
        }
    }
    let (x, y) = (EDGE + f32::from(first) * WIDTH, EDGE + f32::from(row) * HEIGHT);
    let width = f32::from(end - first) * WIDTH;
    if look.paper != PAPER {
        rect(svg, (x, y), (width, HEIGHT), &look.paper);
    }
    match half(&text) {
        Some(upper) => {
            let top = if upper { y } else { y + HEIGHT / 2.0 };
            rect(svg, (x, top), (width, HEIGHT / 2.0), &look.ink);
        }
        None if text.trim().is_empty() => {}
        None => look.write(svg, &text, (x, y), end - first),
    }
    end - first
}

/// Whether it is the upper or the lower half of a cell.
fn half(text: &str) -> Option<bool> {
    match text {
        "▀" => Some(true),
        "▄" => Some(false),
        _ => None,
    }
}

fn rect(svg: &mut String, (x, y): (f32, f32), (width, height): (f32, f32), fill: &str) {
    // Cells that touch must not let the paper through.
    let (width, height) = (width + 0.3, height + 0.3);
    _ = writeln!(
        svg,
        "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height:.1}\" fill=\"{fill}\"/>"
    );
}

#[derive(PartialEq)]
struct Look {
    ink: String,
    paper: String,
    bold: bool,
    italic: bool,
    underlined: bool,
}

impl Look {
    fn of(cell: &Cell) -> Self {
        let (ink, paper) = (color(cell.fgcolor(), INK), color(cell.bgcolor(), PAPER));
        let (ink, paper) = if cell.inverse() { (paper, ink) } else { (ink, paper) };
        let ink = if cell.dim() { format!("{ink}b0") } else { ink };
        Self { ink, paper, bold: cell.bold(), italic: cell.italic(), underlined: cell.underline() }
    }

    /// Writes a text of so many cells.
    fn write(&self, svg: &mut String, text: &str, (x, y): (f32, f32), cells: u16) {
        // Viewers differ in what they do with spaces: those around the words are left out, those between them made hard.
        let spaces = |rest: usize| u16::try_from(text.len() - rest).unwrap_or(0);
        let (before, after) = (spaces(text.trim_start().len()), spaces(text.trim_end().len()));
        let shown = text.trim().replace(' ', "\u{a0}");
        let x = x + f32::from(before) * WIDTH;
        let width = f32::from(cells.saturating_sub(before + after)) * WIDTH;
        let mut style = String::new();
        for (is, words) in [
            (self.bold, " font-weight=\"bold\""),
            (self.italic, " font-style=\"italic\""),
            (self.underlined, " text-decoration=\"underline\""),
        ] {
            if is {
                style.push_str(words);
            }
        }
        let text = shown.replace('&', "&amp;").replace('<', "&lt;");
        let y = y + HEIGHT * 0.75;
        _ = writeln!(
            svg,
            "<text x=\"{x:.1}\" y=\"{y:.1}\" fill=\"{}\" textLength=\"{width:.1}\" lengthAdjust=\"spacingAndGlyphs\"{style}>{text}</text>",
            self.ink
        );
    }
}

/// As `#rrggbb`.
fn color(color: Color, default: &str) -> String {
    match color {
        Color::Default => default.to_owned(),
        Color::Rgb(red, green, blue) => format!("#{red:02x}{green:02x}{blue:02x}"),
        Color::Idx(index) => match NAMED.get(usize::from(index)) {
            Some(named) => (*named).to_owned(),
            // A cube of six steps a side, then greys.
            None if index < 232 => {
                let step = |at: u8| if at == 0 { 0 } else { 55 + 40 * at };
                let at = index - 16;
                format!("#{:02x}{:02x}{:02x}", step(at / 36), step(at / 6 % 6), step(at % 6))
            }
            None => {
                let grey = 8 + 10 * (index - 232);
                format!("#{grey:02x}{grey:02x}{grey:02x}")
            }
        },
    }
}

#[cfg(test)]
mod tests {
    use super::picture;

    #[test]
    fn colours_wide_signs_and_halves_are_in_the_picture() {
        let mut parser = vt100::Parser::new(2, 20, 0);
        parser.process("\x1b[1;31mred <&\x1b[0m 日\x1b[38;2;1;2;3;48;5;21m▀\x1b[7m x".as_bytes());
        let svg = picture(parser.screen());
        for part in [
            "red\u{a0}&lt;&amp;</text>",
            "font-weight=\"bold\"",
            "#e06c75",
            ">日</text>",
            "#010203",
            "#0000ff",
        ] {
            assert!(svg.contains(part), "{part} is not in\n{svg}");
        }
    }
}
