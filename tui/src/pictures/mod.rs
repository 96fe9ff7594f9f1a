//! Pictures in the conversation: as half blocks, which are ordinary cells and so stand right everywhere (tmux included); as
//! kitty's placeholders, which are, too; as sixels or iTerm2's inline files, which are painted over cells kept free for them.

mod blocks;
mod blur;
mod encode;
mod kitty;

pub use blocks::rows as block_rows;
pub use blur::{of_picture as blurhash, picture as of_blurhash};
pub use encode::{iterm2, sixel};
pub use kitty::{PLACEHOLDER, rows as placeholder_rows, transmit};

use crate::settings::Images;
use crate::theme;
use ratatui::text::Span;
use std::sync::Arc;

/// Widest a picture gets, in columns.
const COLUMNS_MAX: usize = 40;
/// Highest it gets, in rows.
const ROWS_MAX: usize = 12;
/// Rows of somebody's picture.
const AVATAR_ROWS: usize = 7;
/// Pixels of a decoded picture are at most so many each way.
pub const PIXELS_MAX: u32 = 400;

/// A decoded picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Picture {
    pub width: usize,
    pub height: usize,
    /// Red, green and blue, row by row.
    pub pixels: Vec<u8>,
}

impl Picture {
    /// The colour at a place; black outside.
    pub fn at(&self, x: usize, y: usize) -> [u8; 3] {
        let from = (y * self.width + x) * 3;
        match self.pixels.get(from..from + 3) {
            Some([red, green, blue]) if x < self.width => [*red, *green, *blue],
            _ => [0; 3],
        }
    }

    /// The middle of it, as wide as it is high.
    pub fn square(self) -> Picture {
        let side = self.width.min(self.height);
        let (left, top) = ((self.width - side) / 2, (self.height - side) / 2);
        let places = (top..top + side).flat_map(|y| (left..left + side).map(move |x| (x, y)));
        let pixels = places.flat_map(|(x, y)| self.at(x, y)).collect();
        Picture { width: side, height: side, pixels }
    }

    /// The mean colour of cell (`x`, `y`) of a grid of `columns` × `rows` over it.
    pub fn mean(&self, (x, y): (usize, usize), (columns, rows): (usize, usize)) -> [u8; 3] {
        let part = |at: usize, count: usize, size: usize| {
            let from = at * size / count.max(1);
            from..((at + 1) * size / count.max(1)).max(from + 1)
        };
        let (xs, ys) = (part(x, columns, self.width), part(y, rows, self.height));
        let mut sum = [0_u64; 3];
        let mut count = 0;
        for place in ys.flat_map(|y| xs.clone().map(move |x| (x, y))) {
            for (sum, part) in sum.iter_mut().zip(self.at(place.0, place.1)) {
                *sum += u64::from(part);
            }
            count += 1;
        }
        sum.map(|sum| u8::try_from(sum / count.max(1)).unwrap_or(u8::MAX))
    }
}

/// What stands in the place of a picture in a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slot {
    pub columns: usize,
    pub rows: usize,
    pub mode: Mode,
    /// The picture, once it is here.
    pub picture: Option<Shown>,
    /// What it looks like from afar, drawn until it is here.
    pub blur: Option<Arc<Picture>>,
}

/// A picture that is here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    pub picture: Arc<Picture>,
    /// Names it towards the terminal.
    pub id: u8,
}

impl Slot {
    /// The room of somebody's picture in their profile.
    pub fn avatar(mode: Mode) -> Slot {
        Slot { columns: AVATAR_ROWS * 2, rows: AVATAR_ROWS, mode, picture: None, blur: None }
    }

    /// The room for a picture of these pixels in `width` columns. It is kept free before the picture comes, so that nothing
    /// moves when it does.
    pub fn new(pixels: (u32, u32), width: usize, mode: Mode) -> Slot {
        Slot::within(pixels, (width.clamp(1, COLUMNS_MAX), ROWS_MAX), mode)
    }

    /// The same in so many columns and rows at most.
    pub fn within(pixels: (u32, u32), (columns_max, rows_max): (usize, usize), mode: Mode) -> Slot {
        let (wide, high) = (pixels.0.max(1) as usize, pixels.1.max(1) as usize);
        // A cell is twice as high as it is wide. Small pictures are not blown up.
        let natural = (wide / 8).clamp(1, columns_max);
        let rows = (natural * high / wide / 2).clamp(1, rows_max);
        let columns = (rows * 2 * wide / high).clamp(1, natural);
        Slot { columns, rows, mode, picture: None, blur: None }
    }
}

/// The cells of what is in a slot, row by row: the picture's own, or free ones until it is here or when it is painted over them.
pub fn cells(slot: &Slot) -> Vec<Vec<Span<'static>>> {
    let size = (slot.columns, slot.rows);
    if let (None, Some(blur)) = (&slot.picture, &slot.blur) {
        return block_rows(blur, size);
    }
    match (&slot.picture, slot.mode) {
        (Some(shown), Mode::Blocks) => block_rows(&shown.picture, size),
        (Some(shown), Mode::Kitty) => placeholder_rows(shown.id, size),
        (Some(_), _) => vec![Vec::new(); slot.rows],
        (None, _) => vec![vec![Span::styled("░".repeat(slot.columns), theme::QUIET)]; slot.rows],
    }
}

/// How pictures are drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mode {
    #[default]
    Off,
    Blocks,
    Kitty,
    /// Over free cells.
    Sixel,
    Iterm2,
}

/// What the terminal can draw, and whether tmux is in between.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Protocol {
    pub mode: Mode,
    pub tmux: bool,
}

impl Protocol {
    /// As `images` say, on the terminal that the variables of the environment tell of.
    pub fn new(images: Images, variable: impl Fn(&str) -> Option<String>) -> Protocol {
        let value = |name: &str| variable(name).unwrap_or_default().to_lowercase();
        let (term, program) = (value("TERM"), value("TERM_PROGRAM"));
        let is = |name: &str| term.contains(name) || program.contains(name);
        let tmux = variable("TMUX").is_some();
        let mode = match images {
            Images::Off => Mode::Off,
            // tmux knows nothing of what is painted over its panes; cells and placeholders move with them.
            Images::Sixel | Images::Iterm2 if tmux => Mode::Blocks,
            Images::HalfBlocks => Mode::Blocks,
            Images::Kitty => Mode::Kitty,
            Images::Sixel => Mode::Sixel,
            Images::Iterm2 => Mode::Iterm2,
            Images::Auto if variable("NO_COLOR").is_some() || is("dumb") || is("linux") => {
                Mode::Off
            }
            // What is around tmux can't be told from inside, and cells are always right.
            Images::Auto if tmux || is("screen") || is("tmux") => Mode::Blocks,
            Images::Auto if is("kitty") || is("ghostty") => Mode::Kitty,
            Images::Auto if is("iterm") || is("wezterm") => Mode::Iterm2,
            Images::Auto if is("foot") || is("mlterm") || is("contour") => Mode::Sixel,
            Images::Auto => Mode::Blocks,
        };
        Protocol { mode, tmux }
    }

    /// What it is, in words.
    pub fn words(self) -> &'static str {
        match self.mode {
            Mode::Off => "none",
            Mode::Blocks => "half blocks",
            Mode::Kitty => "kitty",
            Mode::Sixel => "sixel",
            Mode::Iterm2 => "iTerm2",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Mode, Picture, Protocol, Slot};
    use crate::settings::Images;

    #[test]
    fn a_slot_keeps_the_shape_and_stays_small() {
        let slot = |pixels| {
            let slot = Slot::new(pixels, 50, Mode::Blocks);
            (slot.columns, slot.rows)
        };
        assert_eq!(slot((1600, 1200)), (32, 12));
        assert_eq!(slot((4000, 400)), (40, 2));
        assert_eq!(slot((100, 4000)), (1, 12));
        assert_eq!(slot((16, 16)), (2, 1));
        assert_eq!(slot((0, 0)), (1, 1));
    }

    #[test]
    fn the_terminal_is_known_by_its_environment() {
        let of = |set: &'static [(&str, &str)]| {
            let variable = move |name: &str| {
                set.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
            };
            Protocol::new(Images::Auto, variable).mode
        };
        assert_eq!(of(&[("TERM", "xterm-kitty")]), Mode::Kitty);
        assert_eq!(of(&[("TERM", "xterm-kitty"), ("TMUX", "x")]), Mode::Blocks);
        assert_eq!(of(&[("TERM_PROGRAM", "iTerm.app")]), Mode::Iterm2);
        assert_eq!(of(&[("TERM", "foot")]), Mode::Sixel);
        assert_eq!(of(&[("TERM", "xterm-256color")]), Mode::Blocks);
        assert_eq!(of(&[("TERM", "linux")]), Mode::Off);
    }

    #[test]
    fn a_square_is_cut_out_of_the_middle() {
        let pixels = (0..12).flat_map(|n| [n, n, n]).collect();
        let square = Picture { width: 4, height: 3, pixels }.square();
        assert_eq!((square.width, square.height), (3, 3));
        assert_eq!((square.at(0, 0), square.at(2, 2)), ([0; 3], [10; 3]));
        let nothing = Picture { width: 0, height: 3, pixels: Vec::new() }.square();
        assert_eq!((nothing.width, nothing.height), (0, 0));
    }

    #[test]
    fn the_mean_of_a_cell_is_that_of_its_pixels() {
        let pixels = vec![0, 0, 0, 200, 100, 50, 0, 0, 0, 200, 100, 50];
        let picture = Picture { width: 2, height: 2, pixels };
        assert_eq!(picture.mean((0, 0), (1, 1)), [100, 50, 25]);
        assert_eq!(picture.mean((1, 0), (2, 1)), [200, 100, 50]);
        assert_eq!(picture.mean((3, 3), (4, 4)), [200, 100, 50]);
    }
}
