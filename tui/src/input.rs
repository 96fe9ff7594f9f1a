//! What comes from the terminal, and keys as the table writes them (`ctrl-k`, `alt-enter`, `G`, `pageup`).

use crate::terminal;
use crossterm::event::{Event, EventStream, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use futures_util::{Stream, StreamExt, stream::poll_fn};
use std::fmt;
use std::future::ready;
use std::task::Poll;

/// One thing the terminal said.
#[derive(Debug, Clone, PartialEq)]
pub enum Input {
    Key(Key),
    /// Pasted text (bracketed paste).
    Paste(String),
    /// Columns and rows.
    Resized(u16, u16),
    /// The terminal window got or lost the focus.
    Focused,
    Unfocused,
}

/// A key with what was held down. Letters carry their case, never Shift.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Key {
    pub code: KeyCode,
    pub modifiers: KeyModifiers,
}

/// The terminal's input; ends when the terminal is gone.
pub fn from_terminal() -> impl Stream<Item = Input> {
    let mut events = EventStream::new();
    // Reading from a terminal that is gone gives nothing, and crossterm would try for ever.
    let events = poll_fn(move |context| match terminal::is_gone() {
        true => Poll::Ready(None),
        false => events.poll_next_unpin(context),
    });
    let events = events.take_while(|event| ready(event.is_ok()));
    events.filter_map(|event| ready(event.ok().and_then(Input::from_event)))
}

impl Input {
    /// `None` for what the client does not use (releases, mouse).
    pub fn from_event(event: Event) -> Option<Input> {
        match event {
            Event::Key(key) if key.kind != KeyEventKind::Release => {
                Some(Input::Key(Key::from_event(key)))
            }
            Event::Paste(text) => Some(Input::Paste(text)),
            Event::Resize(columns, rows) => Some(Input::Resized(columns, rows)),
            Event::FocusGained => Some(Input::Focused),
            Event::FocusLost => Some(Input::Unfocused),
            Event::Key(_) | Event::Mouse(_) => None,
        }
    }
}

impl Key {
    fn from_event(key: KeyEvent) -> Key {
        let mut modifiers =
            key.modifiers & (KeyModifiers::CONTROL | KeyModifiers::ALT | KeyModifiers::SHIFT);
        let code = match key.code {
            KeyCode::Char(c) => {
                modifiers -= KeyModifiers::SHIFT;
                // Terminals send Ctrl with a letter in one case only; caps lock must not make another key of it.
                let held = modifiers.contains(KeyModifiers::CONTROL);
                KeyCode::Char(if held { c.to_ascii_lowercase() } else { c })
            }
            KeyCode::BackTab => {
                modifiers -= KeyModifiers::SHIFT;
                KeyCode::BackTab
            }
            code => code,
        };
        Key { code, modifiers }
    }

    /// The character this key types, if it types one.
    pub fn typed(self) -> Option<char> {
        match self.code {
            KeyCode::Char(c) if self.modifiers.is_empty() => Some(c),
            _ => None,
        }
    }

    /// Reads `ctrl-k`, `enter`, `G`, `?`.
    pub fn parse(text: &str) -> Option<Key> {
        let mut modifiers = KeyModifiers::empty();
        let mut rest = text;
        loop {
            if let Some(after) = rest.strip_prefix("ctrl-") {
                (modifiers, rest) = (modifiers | KeyModifiers::CONTROL, after);
            } else if let Some(after) = rest.strip_prefix("alt-") {
                (modifiers, rest) = (modifiers | KeyModifiers::ALT, after);
            } else if let Some(after) = rest.strip_prefix("shift-") {
                (modifiers, rest) = (modifiers | KeyModifiers::SHIFT, after);
            } else {
                break;
            }
        }
        let named = NAMES.iter().find(|(name, _)| *name == rest).map(|(_, code)| *code);
        let code = match (named, rest.strip_prefix('f').and_then(|n| n.parse().ok())) {
            (Some(code), _) => code,
            (None, Some(n)) => KeyCode::F(n),
            (None, None) => {
                let mut chars = rest.chars();
                let c = chars.next()?;
                if chars.next().is_some() {
                    return None;
                }
                KeyCode::Char(c)
            }
        };
        Some(Key { code, modifiers })
    }
}

const NAMES: [(&str, KeyCode); 16] = [
    ("enter", KeyCode::Enter),
    ("esc", KeyCode::Esc),
    ("tab", KeyCode::Tab),
    ("backtab", KeyCode::BackTab),
    ("space", KeyCode::Char(' ')),
    ("backspace", KeyCode::Backspace),
    ("delete", KeyCode::Delete),
    ("insert", KeyCode::Insert),
    ("up", KeyCode::Up),
    ("down", KeyCode::Down),
    ("left", KeyCode::Left),
    ("right", KeyCode::Right),
    ("home", KeyCode::Home),
    ("end", KeyCode::End),
    ("pageup", KeyCode::PageUp),
    ("pagedown", KeyCode::PageDown),
];

impl fmt::Display for Key {
    /// As people write it: `Ctrl+K`, `Alt+Enter`, `G`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.modifiers.contains(KeyModifiers::CONTROL) {
            f.write_str("Ctrl+")?;
        }
        if self.modifiers.contains(KeyModifiers::ALT) {
            f.write_str("Alt+")?;
        }
        if self.modifiers.contains(KeyModifiers::SHIFT) {
            f.write_str("Shift+")?;
        }
        match self.code {
            KeyCode::Char(' ') => f.write_str("Space"),
            KeyCode::Char(c) if !self.modifiers.is_empty() => {
                write!(f, "{}", c.to_ascii_uppercase())
            }
            KeyCode::Char(c) => write!(f, "{c}"),
            KeyCode::F(n) => write!(f, "F{n}"),
            KeyCode::Up => f.write_str("↑"),
            KeyCode::Down => f.write_str("↓"),
            KeyCode::Left => f.write_str("←"),
            KeyCode::Right => f.write_str("→"),
            KeyCode::PageUp => f.write_str("PgUp"),
            KeyCode::PageDown => f.write_str("PgDn"),
            KeyCode::BackTab => f.write_str("Shift+Tab"),
            code => write!(f, "{code:?}"),
        }
    }
}

/// Reads a script of keys such as `"j j enter h i enter"`, one input each. For tests; `None` if a word is no key.
pub fn script(keys: &str) -> Option<Vec<Input>> {
    keys.split_whitespace().map(|key| Key::parse(key).map(Input::Key)).collect()
}

#[cfg(test)]
mod tests {
    use super::{Input, Key};
    use crossterm::event::{Event, KeyCode, KeyEvent, KeyModifiers};

    #[test]
    fn a_shifted_letter_is_that_letter() {
        let event = Event::Key(KeyEvent::new(KeyCode::Char('G'), KeyModifiers::SHIFT));
        assert_eq!(Input::from_event(event), Key::parse("G").map(Input::Key));
    }

    #[test]
    fn keys_are_shown_as_people_write_them() {
        for (written, shown) in [
            ("ctrl-k", "Ctrl+K"),
            ("alt-enter", "Alt+Enter"),
            ("G", "G"),
            ("pageup", "PgUp"),
            ("f1", "F1"),
            ("f", "f"),
            ("-", "-"),
        ] {
            assert_eq!(Key::parse(written).unwrap().to_string(), shown);
        }
        assert_eq!(Key::parse("word"), None);
    }
}
