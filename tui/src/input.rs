//! What comes from the terminal, and keys as the table writes them (`ctrl-k`, `alt-enter`, `G`, `pageup`).

use crate::decode::Decoder;
use crossterm::event::{KeyCode, KeyModifiers};
use futures_util::Stream;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use std::fmt;
use std::fs::File;
use std::io::{self, IsTerminal};
use std::net::Shutdown;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::thread::JoinHandle;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// One thing the terminal said.
#[derive(Debug, Clone, PartialEq)]
pub enum Input {
    Key(Key),
    /// Pasted text (bracketed paste).
    Paste(String),
    /// Columns and rows.
    Resized(u16, u16),
    Mouse(Mouse),
    /// The terminal window got or lost the focus.
    Focused,
    Unfocused,
    /// Where the cursor stands, which was asked for: column and row.
    Cursor(u16, u16),
}

/// What the mouse did, and where: column and row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mouse {
    pub what: MouseKind,
    pub at: (u16, u16),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MouseKind {
    Click,
    RightClick,
    WheelUp,
    WheelDown,
}

/// A key with what was held down. Letters carry their case, never Shift.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Key {
    pub code: KeyCode,
    pub modifiers: KeyModifiers,
}

/// The terminal's input; ends when the terminal is gone. Nobody else may read the terminal meanwhile, unless the gate is closed.
#[derive(Clone)]
pub struct Gate(Arc<Mutex<Reading>>);

struct Reading {
    reader: Option<Reader>,
    /// Another program has the terminal.
    closed: bool,
    /// `None`: the terminal is gone.
    said: UnboundedReceiver<Option<Input>>,
    say: UnboundedSender<Option<Input>>,
    resized: Signal,
}

/// Reads the terminal until it is dropped.
struct Reader {
    stop: UnixStream,
    thread: Option<JoinHandle<()>>,
}

/// The terminal's input. Reading begins when somebody waits for it; new sizes are noticed from now on.
pub fn from_terminal() -> io::Result<Gate> {
    let (say, said) = unbounded_channel();
    let resized = signal(SignalKind::window_change())?;
    let reading = Reading { reader: None, closed: false, said, say, resized };
    Ok(Gate(Arc::new(Mutex::new(reading))))
}

/// What the keys come from.
pub(crate) fn terminal() -> io::Result<OwnedFd> {
    let stdin = io::stdin();
    match stdin.is_terminal() {
        true => stdin.as_fd().try_clone_to_owned(),
        false => Ok(File::open("/dev/tty")?.into()),
    }
}

impl Gate {
    fn reading(&self) -> MutexGuard<'_, Reading> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Stops reading: another program has the terminal.
    pub fn close(&self) {
        let mut reading = self.reading();
        reading.closed = true;
        reading.reader = None;
    }

    /// Reads again.
    pub fn open(&self) {
        let mut reading = self.reading();
        reading.closed = false;
        reading.begin();
    }
}

impl Reading {
    fn begin(&mut self) {
        if self.reader.is_some() || self.closed {
            return;
        }
        match Reader::start(self.say.clone()) {
            Ok(reader) => self.reader = Some(reader),
            Err(error) => {
                tracing::error!(%error, "the terminal can't be read");
                drop(self.say.send(None));
            }
        }
    }
}

impl Reader {
    fn start(say: UnboundedSender<Option<Input>>) -> io::Result<Reader> {
        let terminal = terminal()?;
        let (stop, stopped) = UnixStream::pair()?;
        let thread = std::thread::Builder::new()
            .name("keys".to_owned())
            .spawn(move || read(&terminal, &stopped, &say))?;
        Ok(Reader { stop, thread: Some(thread) })
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        // Whoever reads next must not share the terminal with this one.
        drop(self.stop.shutdown(Shutdown::Both));
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

fn read(terminal: &OwnedFd, stopped: &UnixStream, say: &UnboundedSender<Option<Input>>) {
    let mut decoder = Decoder::default();
    let mut buffer = [0; 4096];
    loop {
        let mut watched =
            [PollFd::new(terminal, PollFlags::IN), PollFd::new(stopped, PollFlags::IN)];
        match poll(&mut watched, None) {
            Err(Errno::INTR) => continue,
            Err(_) => break,
            Ok(_) => {}
        }
        let [_, stopped] = watched;
        if !stopped.revents().is_empty() {
            return;
        }
        let count = match rustix::io::read(terminal, &mut buffer) {
            Err(Errno::INTR | Errno::AGAIN) => continue,
            Ok(0) | Err(_) => break,
            Ok(count) => count,
        };
        for input in decoder.take(buffer.get(..count).unwrap_or_default()) {
            drop(say.send(Some(input)));
        }
    }
    drop(say.send(None));
}

impl Stream for Gate {
    type Item = Input;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Input>> {
        let mut reading = self.reading();
        reading.begin();
        while let Poll::Ready(Some(())) = reading.resized.poll_recv(context) {
            if let Ok((columns, rows)) = crossterm::terminal::size() {
                return Poll::Ready(Some(Input::Resized(columns, rows)));
            }
        }
        reading.said.poll_recv(context).map(Option::flatten)
    }
}

impl Key {
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
    use super::Key;

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
