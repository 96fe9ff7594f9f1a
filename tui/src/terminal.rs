//! The terminal: taking it over, giving it back (also on panic), and writing frames to it, each in one write.

use crate::paint::Painter;
use crate::sanitize;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ratatui::buffer::Buffer;
use ratatui::layout::Position;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use std::io::{self, Write};
use std::time::Duration;

/// Title kept, other screen, bracketed paste, focus reports.
const ENTER: &str = "\x1b[22;2t\x1b[?1049h\x1b[?2004h\x1b[?1004h\x1b[2J";
/// The same undone; ends a frame that a panic cut short, shows the cursor.
const LEAVE: &str = "\x1b[?2026l\x1b[0m\x1b[?1004l\x1b[?2004l\x1b[?25h\x1b[?1049l\x1b[23;2t";

/// How long the client may take to end after its terminal is gone.
const LAST_WORK: Duration = Duration::from_secs(5);

/// Ends when the terminal behind stdout is gone. SIGHUP tells only the session that owned it, and reading from a terminal that is
/// gone does not end: who was reading at that moment would read nothing for ever, so the process ends in any case a little later.
/// Where nobody can tell, it waits for ever.
pub async fn gone() {
    let (sender, gone) = tokio::sync::oneshot::channel();
    std::thread::spawn(move || {
        if waits_for_hang_up() {
            sender.send(()).ok();
            std::thread::sleep(LAST_WORK);
            std::process::exit(1);
        }
    });
    if gone.await.is_err() {
        std::future::pending::<()>().await;
    }
}

/// Whether the terminal behind stdout is gone.
pub fn is_gone() -> bool {
    let stdout = io::stdout();
    let mut watched = [PollFd::new(&stdout, PollFlags::empty())];
    let told = poll(&mut watched, Some(&Timespec { tv_sec: 0, tv_nsec: 0 }));
    let [watched] = watched;
    told.is_ok() && watched.revents().intersects(PollFlags::HUP | PollFlags::ERR)
}

/// Blocks until the terminal hangs up. `false`: it can't be watched, which says nothing about whether it is there.
fn waits_for_hang_up() -> bool {
    let stdout = io::stdout();
    loop {
        // Asked for nothing, `poll` still tells of a hang-up.
        let mut watched = [PollFd::new(&stdout, PollFlags::empty())];
        match poll(&mut watched, None) {
            Err(Errno::INTR) => {}
            Err(_) => return false,
            Ok(_) => {
                let [watched] = watched;
                return watched.revents().intersects(PollFlags::HUP | PollFlags::ERR);
            }
        }
    }
}

/// Somewhere to show frames.
pub struct Screen<W: Write> {
    out: W,
    painter: Painter,
}

impl<W: Write> Screen<W> {
    /// A screen that writes to `out`.
    pub fn new(out: W, colors: bool) -> Screen<W> {
        Screen { out, painter: Painter::new(colors) }
    }

    /// Shows a frame: one write, or none when nothing changed.
    pub fn show(&mut self, next: Buffer, cursor: Option<Position>) -> io::Result<()> {
        let bytes = self.painter.frame(next, cursor);
        self.write(&bytes)
    }

    /// The next frame paints everything.
    pub fn repaint(&mut self) {
        self.painter.lose();
    }

    /// Puts text into the clipboard of the terminal the user sits at, through SSH and tmux.
    pub fn copy(&mut self, text: &str) -> io::Result<()> {
        self.write(&format!("\x1b]52;c;{}\x07", STANDARD.encode(sanitize::clean(text))))
    }

    /// Sets the title.
    pub fn title(&mut self, title: &str) -> io::Result<()> {
        self.write(&format!("\x1b]0;{}\x07", sanitize::line(title)))
    }

    /// Takes the terminal over.
    pub fn enter(&mut self) -> io::Result<()> {
        crossterm::terminal::enable_raw_mode()?;
        self.painter.lose();
        self.write(ENTER)
    }

    /// Gives it back.
    pub fn leave(&mut self) -> io::Result<()> {
        self.write(LEAVE)?;
        crossterm::terminal::disable_raw_mode()
    }

    fn write(&mut self, bytes: &str) -> io::Result<()> {
        if bytes.is_empty() {
            return Ok(());
        }
        self.out.write_all(bytes.as_bytes())?;
        self.out.flush()
    }
}

/// Has a panic of the screen's thread give the terminal back before it is told. Panics of background tasks are logged: the
/// screen lives on.
pub fn restore_on_panic() {
    let before = std::panic::take_hook();
    let screen = std::thread::current().id();
    std::panic::set_hook(Box::new(move |panic| {
        if std::thread::current().id() != screen {
            tracing::error!(%panic, "a background task panicked");
            return;
        }
        // Nothing better can be done about a failure here.
        drop(io::stdout().write_all(LEAVE.as_bytes()));
        drop(io::stdout().flush());
        drop(crossterm::terminal::disable_raw_mode());
        before(panic);
    }));
}

#[cfg(test)]
mod tests {
    use super::{Engine, STANDARD, Screen};

    #[test]
    fn the_clipboard_and_the_title_get_no_escape_from_inside() {
        let mut screen = Screen::new(Vec::new(), true);
        screen.copy("\x1b]0;evil\x07\u{202e}\ntwo").unwrap();
        screen.title("a\x07\x1b[2Jb\n").unwrap();
        let text = String::from_utf8(screen.out).unwrap();
        let copied = text
            .strip_prefix("\x1b]52;c;")
            .and_then(|text| text.strip_suffix("\x07\x1b]0;a[2Jb\x07"))
            .unwrap();
        assert_eq!(STANDARD.decode(copied).unwrap(), b"]0;evil\ntwo");
    }
}
