//! The bytes of a terminal as what they mean: keys, pastes, the mouse, the focus, and where the cursor stands when that was asked
//! for. crossterm reads the same, but keeps the last one to itself.

use crate::input::{Input, Key, Mouse, MouseKind};
use crossterm::event::{KeyCode, KeyModifiers};

/// A sequence longer than this is none.
const SEQUENCE_MAX: usize = 64;
const PASTE: &[u8] = b"\x1b[200~";
const PASTE_END: &[u8] = b"\x1b[201~";

/// Takes bytes as they come.
#[derive(Debug, Default)]
pub struct Decoder {
    /// The beginning of something.
    begun: Vec<u8>,
}

/// What the bytes begin with.
enum Found {
    /// So many bytes, and what they say, if that is known.
    Said(usize, Option<Input>),
    /// More has to come.
    Begun,
}

use Found::{Begun, Said};

impl Decoder {
    /// What `bytes`, all that could be read at once, say.
    pub fn take(&mut self, bytes: &[u8]) -> Vec<Input> {
        self.begun.extend_from_slice(bytes);
        let mut said = Vec::new();
        let mut rest = self.begun.as_slice();
        while !rest.is_empty() {
            match find(rest) {
                Said(used, input) => {
                    said.extend(input);
                    rest = rest.get(used.max(1)..).unwrap_or_default();
                }
                // Nothing came with it: the key, not the beginning of a sequence.
                Begun if rest == b"\x1b" => {
                    said.push(key(KeyCode::Esc, KeyModifiers::empty()));
                    rest = &[];
                }
                Begun if rest.len() > SEQUENCE_MAX && !rest.starts_with(PASTE) => rest = &[],
                Begun => break,
            }
        }
        self.begun = rest.to_vec();
        said
    }
}

fn key(code: KeyCode, modifiers: KeyModifiers) -> Input {
    Input::Key(Key { code, modifiers })
}

fn plain(code: KeyCode) -> Option<Input> {
    Some(key(code, KeyModifiers::empty()))
}

fn find(bytes: &[u8]) -> Found {
    match bytes {
        [0x1b] => Begun,
        [0x1b, 0x1b, ..] => Said(1, plain(KeyCode::Esc)),
        [0x1b, b'[', ..] => find_sequence(bytes),
        [0x1b, b'O'] => Begun,
        [0x1b, b'O', last, ..] => Said(3, lettered(*last, KeyModifiers::empty())),
        [0x1b, rest @ ..] => match find(rest) {
            Said(used, Some(Input::Key(typed))) => {
                let modifiers = typed.modifiers | KeyModifiers::ALT;
                Said(used + 1, Some(key(typed.code, modifiers)))
            }
            Said(used, _) => Said(used + 1, None),
            Begun => Begun,
        },
        [byte, ..] => match control(*byte) {
            Some(input) => Said(1, Some(input)),
            None => find_character(bytes, *byte),
        },
        [] => Begun,
    }
}

/// Keys that have one byte which is no character.
fn control(byte: u8) -> Option<Input> {
    let held = |c: u8| Some(key(KeyCode::Char(char::from(c)), KeyModifiers::CONTROL));
    match byte {
        b'\r' => plain(KeyCode::Enter),
        b'\t' => plain(KeyCode::Tab),
        0x7f => plain(KeyCode::Backspace),
        0 => held(b' '),
        0x01..=0x1a => held(byte - 1 + b'a'),
        0x1c..=0x1f => held(byte - 0x1c + b'4'),
        _ => None,
    }
}

fn find_character(bytes: &[u8], first: u8) -> Found {
    let length = match first {
        0x00..=0x7f => 1,
        0xc2..=0xdf => 2,
        0xe0..=0xef => 3,
        0xf0..=0xf4 => 4,
        _ => return Said(1, None),
    };
    match bytes.get(..length).map(std::str::from_utf8) {
        Some(Ok(text)) => Said(length, text.chars().next().and_then(|c| plain(KeyCode::Char(c)))),
        Some(Err(_)) => Said(1, None),
        None => Begun,
    }
}

/// Arrows and the like, by the letter their sequence ends with.
fn lettered(last: u8, modifiers: KeyModifiers) -> Option<Input> {
    let code = match last {
        b'A' => KeyCode::Up,
        b'B' => KeyCode::Down,
        b'C' => KeyCode::Right,
        b'D' => KeyCode::Left,
        b'H' => KeyCode::Home,
        b'F' => KeyCode::End,
        b'P'..=b'S' => KeyCode::F(last - b'P' + 1),
        b'M' => KeyCode::Enter,
        b'Z' => return Some(key(KeyCode::BackTab, modifiers - KeyModifiers::SHIFT)),
        _ => return None,
    };
    Some(key(code, modifiers))
}

/// What begins with `ESC [`.
fn find_sequence(bytes: &[u8]) -> Found {
    if bytes.starts_with(PASTE) {
        let text = bytes.get(PASTE.len()..).unwrap_or_default();
        let end = text.windows(PASTE_END.len()).position(|part| part == PASTE_END);
        return end.map_or(Begun, |end| {
            let text = String::from_utf8_lossy(text.get(..end).unwrap_or_default()).into_owned();
            Said(PASTE.len() + end + PASTE_END.len(), Some(Input::Paste(text)))
        });
    }
    match bytes {
        // The function keys of the Linux console.
        [_, _, b'[', letter, ..] => {
            let code = letter.checked_sub(b'A').filter(|n| *n < 5).map(|n| KeyCode::F(n + 1));
            return Said(4, code.and_then(plain));
        }
        [_, _, b'['] => return Begun,
        // The mouse of terminals without the other notation.
        [_, _, b'M', button, x, y, ..] => {
            let place = |byte: &u8| u16::from(byte.saturating_sub(33));
            let mouse = mouse(u16::from(button.saturating_sub(32)), (place(x), place(y)));
            return Said(6, mouse);
        }
        [_, _, b'M', ..] => return Begun,
        _ => {}
    }
    let inside = bytes.get(2..).unwrap_or_default();
    let Some(end) = inside.iter().position(|byte| !(0x20..=0x3f).contains(byte)) else {
        return Begun;
    };
    let (words, last) = (inside.get(..end).unwrap_or_default(), inside.get(end));
    match last {
        Some(last @ 0x40..=0x7e) => Said(end + 3, sequence(words, *last)),
        // Cut off by something else, which counts for itself.
        _ => Said(end + 2, None),
    }
}

fn sequence(words: &[u8], last: u8) -> Option<Input> {
    let words = std::str::from_utf8(words).ok()?;
    if let Some(words) = words.strip_prefix('<') {
        let [button, x, y] = numbers(words).try_into().ok()?;
        let place = (x.checked_sub(1)?, y.checked_sub(1)?);
        return (last == b'M').then(|| mouse(button, place)).flatten();
    }
    if words.starts_with(['?', '>', '=']) {
        return None;
    }
    let is_release = words.split(';').nth(1).is_some_and(|word| word.ends_with(":3"));
    if is_release {
        return None;
    }
    let numbers = numbers(words);
    let number = |at: usize| numbers.get(at).copied();
    let modifiers = modifiers(number(1).unwrap_or(1));
    match last {
        b'I' => Some(Input::Focused),
        b'O' => Some(Input::Unfocused),
        b'~' if number(0) == Some(27) => coded(number(2)?, modifiers),
        b'~' => numbered(number(0)?, modifiers),
        b'u' => coded(number(0)?, modifiers),
        // F3 with something held down looks the same in the first row.
        b'R' if number(0).is_some_and(|row| row > 1) => {
            Some(Input::Cursor(number(1)?.checked_sub(1)?, number(0)? - 1))
        }
        last => lettered(last, modifiers),
    }
}

/// Numbers between semicolons; what follows a colon is about the number before it.
fn numbers(words: &str) -> Vec<u16> {
    let number =
        |word: &str| word.split(':').next().and_then(|word| word.parse().ok()).unwrap_or(0);
    if words.is_empty() { Vec::new() } else { words.split(';').map(number).collect() }
}

fn modifiers(number: u16) -> KeyModifiers {
    let bits = number.saturating_sub(1);
    let held = [(1, KeyModifiers::SHIFT), (2, KeyModifiers::ALT), (4, KeyModifiers::CONTROL)];
    held.into_iter().filter(|(bit, _)| bits & bit != 0).map(|(_, modifier)| modifier).collect()
}

/// Keys that have a number.
fn numbered(number: u16, modifiers: KeyModifiers) -> Option<Input> {
    let function = |number: u16| u8::try_from(number).map(KeyCode::F).ok();
    let code = match number {
        1 | 7 => KeyCode::Home,
        2 => KeyCode::Insert,
        3 => KeyCode::Delete,
        4 | 8 => KeyCode::End,
        5 => KeyCode::PageUp,
        6 => KeyCode::PageDown,
        11..=15 => function(number - 10)?,
        17..=21 => function(number - 11)?,
        23..=26 => function(number - 12)?,
        28 | 29 => function(number - 13)?,
        31..=34 => function(number - 14)?,
        _ => return None,
    };
    Some(key(code, modifiers))
}

/// Keys by the number of their character.
fn coded(number: u16, modifiers: KeyModifiers) -> Option<Input> {
    let code = match number {
        9 if modifiers.contains(KeyModifiers::SHIFT) => {
            return Some(key(KeyCode::BackTab, modifiers - KeyModifiers::SHIFT));
        }
        9 => KeyCode::Tab,
        13 | 57414 => KeyCode::Enter,
        27 => KeyCode::Esc,
        127 => KeyCode::Backspace,
        // The ten keys at the side, and others that stand for no character.
        57399..=57408 => KeyCode::Char(char::from(b'0' + u8::try_from(number - 57399).ok()?)),
        0..=31 | 0xe000..=0xf8ff => return None,
        number => {
            let typed = char::from_u32(u32::from(number))?;
            let held = modifiers.contains(KeyModifiers::CONTROL);
            let typed = match modifiers.contains(KeyModifiers::SHIFT) {
                true if !held => typed.to_uppercase().next()?,
                // With Ctrl a letter comes in one case only.
                _ if held => typed.to_ascii_lowercase(),
                _ => typed,
            };
            return Some(key(KeyCode::Char(typed), modifiers - KeyModifiers::SHIFT));
        }
    };
    Some(key(code, modifiers))
}

/// What a button did; `None` for what the client does not use (moving, letting go).
fn mouse(button: u16, at: (u16, u16)) -> Option<Input> {
    let what = match button & !(4 | 8 | 16) {
        0 => MouseKind::Click,
        2 => MouseKind::RightClick,
        64 => MouseKind::WheelUp,
        65 => MouseKind::WheelDown,
        _ => return None,
    };
    Some(Input::Mouse(Mouse { what, at }))
}

#[cfg(test)]
mod tests {
    use super::Decoder;
    use crate::input::{Input, Key, Mouse, MouseKind};

    fn said(bytes: &[u8]) -> Vec<Input> {
        Decoder::default().take(bytes)
    }

    fn keys(names: &str) -> Vec<Input> {
        names.split_whitespace().map(|name| Input::Key(Key::parse(name).unwrap())).collect()
    }

    #[test]
    fn keys_are_what_terminals_send_for_them() {
        let cases: [(&[u8], &str); 26] = [
            (b"aG?", "a G ?"),
            ("é日👍".as_bytes(), "é 日 👍"),
            (b"\r\t\x7f\x00", "enter tab backspace ctrl-space"),
            (b"\x0b\n\x08", "ctrl-k ctrl-j ctrl-h"),
            (b"\x1f", "ctrl-7"),
            (b"\x1b", "esc"),
            (b"\x1b\x1b", "esc esc"),
            (b"\x1bb\x1bM", "alt-b alt-M"),
            (b"\x1b\r\x1b\x7f", "alt-enter alt-backspace"),
            ("\x1bé".as_bytes(), "alt-é"),
            (b"\x1b[A\x1b[D\x1bOB", "up left down"),
            (b"\x1b[H\x1b[4~\x1b[7~\x1bOF", "home end home end"),
            (b"\x1b[5~\x1b[6~\x1b[2~\x1b[3~", "pageup pagedown insert delete"),
            (b"\x1bOP\x1b[12~\x1b[13~\x1bOS", "f1 f2 f3 f4"),
            (b"\x1b[15~\x1b[17~\x1b[24~", "f5 f6 f12"),
            (b"\x1b[[A\x1b[[E", "f1 f5"),
            (b"\x1b[1;5A\x1b[1;3B", "ctrl-up alt-down"),
            (b"\x1b[1;2C\x1b[3;5~\x1b[6;5~", "shift-right ctrl-delete ctrl-pagedown"),
            (b"\x1b[1;5R", "ctrl-f3"),
            (b"\x1b[Z\x1b[9;2u", "backtab backtab"),
            (b"\x1b[13;2u\x1b[27;2;13~", "shift-enter shift-enter"),
            (b"\x1b[97;5u\x1b[75;6u", "ctrl-a ctrl-k"),
            (b"\x1b[97;2u\x1b[97u", "A a"),
            (b"\x1b[97;1:3u\x1b[1;1:3A", ""),
            (b"\x1b[?1;2c\x1b[0nx", "x"),
            (b"\xff\xc3(x", "( x"),
        ];
        for (bytes, names) in cases {
            assert_eq!(said(bytes), keys(names), "{names}");
        }
    }

    #[test]
    fn the_mouse_the_focus_and_the_cursor_are_told_apart() {
        let mouse = |what, at| Input::Mouse(Mouse { what, at });
        assert_eq!(
            said(
                b"\x1b[<0;41;11M\x1b[<0;41;11m\x1b[<2;1;1M\x1b[<64;3;4M\x1b[<69;3;4M\x1b[<35;9;9M"
            ),
            [
                mouse(MouseKind::Click, (40, 10)),
                mouse(MouseKind::RightClick, (0, 0)),
                mouse(MouseKind::WheelUp, (2, 3)),
                mouse(MouseKind::WheelDown, (2, 3)),
            ]
        );
        assert_eq!(said(b"\x1b[M !!"), [mouse(MouseKind::Click, (0, 0))]);
        assert_eq!(said(b"\x1b[I\x1b[O"), [Input::Focused, Input::Unfocused]);
        assert_eq!(said(b"\x1b[2;3R\x1b[16;1R"), [Input::Cursor(2, 1), Input::Cursor(0, 15)]);
    }

    #[test]
    fn what_comes_in_pieces_is_put_together() {
        let whole = "é\x1b[1;5A\x1b[200~a\x1b[Ab\n日\x1b[201~\x1bOPx\x1b[2;3R".as_bytes();
        let expected = said(whole);
        assert_eq!(expected.len(), 6);
        assert_eq!(expected[2], Input::Paste("a\x1b[Ab\n日".to_owned()));
        for cut in 1..whole.len() {
            // Alone, the first byte of a sequence is a key.
            if whole[cut - 1] == 0x1b && !(10..=24).contains(&cut) {
                continue;
            }
            let mut decoder = Decoder::default();
            let mut put = decoder.take(&whole[..cut]);
            put.extend(decoder.take(&whole[cut..]));
            assert_eq!(put, expected, "cut at {cut}");
        }
        // What never ends is forgotten.
        let mut decoder = Decoder::default();
        decoder.take(b"\x1b[");
        decoder.take(&[b'1'; 100]);
        assert_eq!(decoder.take(b"x"), keys("x"));
    }
}
