//! kitty's graphics protocol with placeholders: the pixels are sent once, and cells that name them stand wherever text can.

use super::Picture;
use crate::notify::through_tmux;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ratatui::style::{Color, Style};
use ratatui::text::Span;

/// The character that stands for a part of a picture.
pub const PLACEHOLDER: char = '\u{10eeee}';
/// Bytes of base64 in one sequence.
const CHUNK: usize = 4096;

/// The marks that number rows and columns, from the protocol's table.
const NUMBERS: [char; 40] = [
    '\u{305}', '\u{30d}', '\u{30e}', '\u{310}', '\u{312}', '\u{33d}', '\u{33e}', '\u{33f}',
    '\u{346}', '\u{34a}', '\u{34b}', '\u{34c}', '\u{350}', '\u{351}', '\u{352}', '\u{357}',
    '\u{35b}', '\u{363}', '\u{364}', '\u{365}', '\u{366}', '\u{367}', '\u{368}', '\u{369}',
    '\u{36a}', '\u{36b}', '\u{36c}', '\u{36d}', '\u{36e}', '\u{36f}', '\u{483}', '\u{484}',
    '\u{485}', '\u{486}', '\u{487}', '\u{592}', '\u{593}', '\u{594}', '\u{595}', '\u{597}',
];

/// The cells that stand for the picture called `id`, row by row.
pub fn rows(id: u8, (columns, rows): (usize, usize)) -> Vec<Vec<Span<'static>>> {
    let style = Style::new().fg(Color::Indexed(id));
    let number = |n: usize| NUMBERS.get(n).copied().unwrap_or('\u{305}');
    (0..rows)
        .map(|row| {
            let cell = |column| format!("{PLACEHOLDER}{}{}", number(row), number(column));
            (0..columns).map(|column| Span::styled(cell(column), style)).collect()
        })
        .collect()
}

/// The bytes that give the terminal a picture to be called `id`, in a grid of cells.
pub fn transmit(picture: &Picture, id: u8, (columns, rows): (usize, usize), tmux: bool) -> String {
    let data = STANDARD.encode(&picture.pixels);
    let (width, height) = (picture.width, picture.height);
    let chunks: Vec<&str> =
        data.as_bytes().chunks(CHUNK).filter_map(|chunk| str::from_utf8(chunk).ok()).collect();
    let mut bytes = String::new();
    for (index, chunk) in chunks.iter().enumerate() {
        let more = u8::from(index + 1 < chunks.len());
        let first = format!("a=T,U=1,q=2,f=24,i={id},s={width},v={height},c={columns},r={rows},");
        let head = if index == 0 { first } else { "q=2,".to_owned() };
        let sequence = format!("\x1b_G{head}m={more};{chunk}\x1b\\");
        bytes.push_str(&if tmux { through_tmux(&sequence) } else { sequence });
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::{PLACEHOLDER, rows, transmit};
    use crate::pictures::Picture;
    use unicode_width::UnicodeWidthStr;

    #[test]
    fn every_placeholder_is_one_column_wide() {
        let cells = rows(7, (3, 2));
        assert_eq!((cells.len(), cells[0].len()), (2, 3));
        for span in cells.iter().flatten() {
            assert_eq!(span.content.width(), 1);
            assert!(span.content.starts_with(PLACEHOLDER));
        }
    }

    #[test]
    fn pixels_go_in_chunks_the_last_of_which_says_so() {
        let picture = Picture { width: 64, height: 64, pixels: vec![9; 64 * 64 * 3] };
        let bytes = transmit(&picture, 7, (8, 4), false);
        assert!(bytes.starts_with("\x1b_Ga=T,U=1,q=2,f=24,i=7,s=64,v=64,c=8,r=4,m=1;"));
        assert_eq!(bytes.matches("\x1b_G").count(), 4);
        assert_eq!(bytes.matches("m=0;").count(), 1);
        assert!(transmit(&picture, 7, (8, 4), true).starts_with("\x1bPtmux;\x1b\x1b_G"));
    }
}
