//! A picture as sixels, and as a file that iTerm2 shows inline.

use super::Picture;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use image::{ExtendedColorType, ImageEncoder, codecs::png::PngEncoder};
use std::fmt::Write;

/// Levels of each of red, green and blue.
const LEVELS: usize = 6;
const COLORS: usize = LEVELS * LEVELS * LEVELS;

/// `picture` at `width` × `height` pixels as sixels.
pub fn sixel(picture: &Picture, (width, height): (usize, usize)) -> String {
    let mut bytes = format!("\x1bPq\"1;1;{width};{height}");
    for index in 0..COLORS {
        let percent = |level: usize| level * 100 / (LEVELS - 1);
        let (red, green, blue) =
            (index / (LEVELS * LEVELS), index / LEVELS % LEVELS, index % LEVELS);
        // Writing to a String cannot fail.
        let _written =
            write!(bytes, "#{index};2;{};{};{}", percent(red), percent(green), percent(blue));
    }
    let index_at = |x: usize, y: usize| {
        let (x, y) = (x * picture.width / width.max(1), y * picture.height / height.max(1));
        let level = |part: u8| (usize::from(part) * (LEVELS - 1) + 127) / 255;
        let [red, green, blue] = picture.at(x, y).map(level);
        (red * LEVELS + green) * LEVELS + blue
    };
    for top in (0..height).step_by(6) {
        // For each colour of this band, which of its six pixels each column has.
        let mut band = vec![Vec::new(); COLORS];
        for x in 0..width {
            for y in top..(top + 6).min(height) {
                let columns: &mut Vec<u8> = match band.get_mut(index_at(x, y)) {
                    Some(columns) => columns,
                    None => continue,
                };
                columns.resize(columns.len().max(width), 0);
                if let Some(column) = columns.get_mut(x) {
                    *column |= 1 << (y - top);
                }
            }
        }
        for (index, columns) in band.iter().enumerate().filter(|(_, columns)| !columns.is_empty()) {
            let _written = write!(bytes, "#{index}");
            run_lengths(columns, &mut bytes);
            bytes.push('$');
        }
        bytes.push('-');
    }
    bytes.push_str("\x1b\\");
    bytes
}

fn run_lengths(columns: &[u8], bytes: &mut String) {
    for run in columns.chunk_by(|a, b| a == b) {
        let sign = char::from(63 + run.first().copied().unwrap_or(0));
        if run.len() > 3 {
            let _written = write!(bytes, "!{}{sign}", run.len());
        } else {
            bytes.extend(std::iter::repeat_n(sign, run.len()));
        }
    }
}

/// `picture` as a file that iTerm2 shows in a grid of cells.
pub fn iterm2(picture: &Picture, (columns, rows): (usize, usize)) -> String {
    let mut png = Vec::new();
    let size = (u32::try_from(picture.width), u32::try_from(picture.height));
    let (Ok(width), Ok(height)) = size else { return String::new() };
    let encoder = PngEncoder::new(&mut png);
    if encoder.write_image(&picture.pixels, width, height, ExtendedColorType::Rgb8).is_err() {
        return String::new();
    }
    let (bytes, data) = (png.len(), STANDARD.encode(&png));
    format!(
        "\x1b]1337;File=inline=1;size={bytes};width={columns};height={rows};preserveAspectRatio=0:{data}\x07"
    )
}

#[cfg(test)]
mod tests {
    use super::{iterm2, sixel};
    use crate::pictures::Picture;

    #[test]
    fn a_red_square_is_runs_of_full_columns() {
        let picture = Picture { width: 2, height: 2, pixels: [255, 0, 0].repeat(4) };
        let bytes = sixel(&picture, (12, 12));
        assert!(bytes.starts_with("\x1bPq\"1;1;12;12#0;2;0;0;0"), "{bytes}");
        assert!(bytes.ends_with("#180!12~$-#180!12~$-\x1b\\"), "{bytes}");
    }

    #[test]
    fn an_inline_file_is_a_png() {
        let picture = Picture { width: 2, height: 2, pixels: [255, 0, 0].repeat(4) };
        let bytes = iterm2(&picture, (4, 2));
        assert!(bytes.contains(";width=4;height=2;") && bytes.contains(":iVBOR"), "{bytes}");
    }
}
