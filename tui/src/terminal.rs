//! The terminal: taking it over, giving it back (also on panic), and writing frames to it, each in one write.

use crate::links::Links;
use crate::paint::{Look, Painter};
use crate::pictures::{self, Mode, Protocol, Shown};
use crate::sanitize;
use crate::theme::ThemeName;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use std::io::{self, Write};
use std::time::Duration;

/// Title kept, other screen, bracketed paste, focus reports.
const ENTER: &str = "\x1b[22;2t\x1b[?1049h\x1b[?2004h\x1b[?1004h\x1b[2J";
/// The same undone; ends a frame that a panic cut short, shows the cursor.
const LEAVE: &str =
    "\x1b[?2026l\x1b[0m\x1b[?1006l\x1b[?1000l\x1b[?1004l\x1b[?2004l\x1b[?25h\x1b[?1049l\x1b[23;2t";

/// How long the client may take to end after its terminal is gone.
const LAST_WORK: Duration = Duration::from_secs(5);

/// Ends when the terminal behind stdout is gone: SIGHUP tells only the session that owned it. The process ends in any case a little
/// later. Where nobody can tell, it waits for ever.
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

/// Clicks and the wheel, in the notation that has no last column.
const MOUSE: &str = "\x1b[?1000h\x1b[?1006h";

/// Somewhere to show frames.
pub struct Screen<W: Write> {
    out: W,
    painter: Painter,
    mouse: bool,
    written: u64,
    protocol: Protocol,
    overlays: Vec<Overlay>,
}

/// A picture that is painted over free cells.
#[derive(Debug, Clone, PartialEq)]
pub struct Overlay {
    pub area: Rect,
    pub mode: Mode,
    pub shown: Shown,
}

impl<W: Write> Screen<W> {
    /// A screen that writes to `out`.
    pub fn new(out: W, colors: bool) -> Screen<W> {
        Screen {
            out,
            painter: Painter::new(colors),
            mouse: false,
            written: 0,
            protocol: Protocol::default(),
            overlays: Vec::new(),
        }
    }

    /// The same, which asks the terminal for the mouse.
    pub fn with_mouse(self, mouse: bool) -> Screen<W> {
        Screen { mouse, ..self }
    }

    /// The same, on a terminal that has more than 256 colours.
    pub fn with_true_color(mut self, true_color: bool) -> Screen<W> {
        self.painter.set_look(Look { true_color, ..self.painter.look() });
        self
    }

    /// Paints in this theme from the next frame on.
    pub fn set_theme(&mut self, theme: ThemeName) {
        self.painter.set_look(Look { theme, ..self.painter.look() });
    }

    /// How many bytes the terminal has got.
    pub fn bytes_written(&self) -> u64 {
        self.written
    }

    /// Writes sequences that change no cell.
    pub fn say(&mut self, bytes: &str) -> io::Result<()> {
        self.write(bytes)
    }

    /// Shows a frame: one write, or none when nothing changed.
    pub fn show(
        &mut self,
        next: Buffer,
        cursor: Option<Position>,
        links: &Links,
        overlays: Vec<Overlay>,
    ) -> io::Result<()> {
        let anew = overlays != self.overlays || self.painter.is_lost(next.area);
        for gone in self.overlays.iter().filter(|old| !overlays.contains(old)) {
            self.painter.forget(gone.area);
        }
        let mut bytes = self.painter.frame(next, cursor, links);
        for overlay in overlays.iter().filter(|_| anew) {
            bytes.push_str(&self.paint(overlay));
        }
        self.overlays = overlays;
        self.write(&bytes)
    }

    fn paint(&self, overlay: &Overlay) -> String {
        let Rect { x, y, width, height } = overlay.area;
        let grid = (usize::from(width), usize::from(height));
        let picture = &overlay.shown.picture;
        let data = match overlay.mode {
            Mode::Sixel => {
                let (wide, high) = cell_pixels();
                pictures::sixel(picture, (grid.0 * wide, grid.1 * high))
            }
            Mode::Iterm2 => pictures::iterm2(picture, grid),
            Mode::Off | Mode::Blocks | Mode::Kitty => String::new(),
        };
        format!("\x1b7\x1b[{};{}H{data}\x1b8", y + 1, x + 1)
    }

    /// Gives the terminal a picture that cells will stand for.
    pub fn transmit(&mut self, shown: &Shown, grid: (usize, usize)) -> io::Result<()> {
        let bytes = pictures::transmit(&shown.picture, shown.id, grid, self.protocol.tmux);
        self.write(&bytes)
    }

    /// How pictures reach it.
    pub fn set_pictures(&mut self, protocol: Protocol) {
        self.protocol = protocol;
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
        self.write(ENTER)?;
        if self.mouse { self.write(MOUSE) } else { Ok(()) }
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
        self.written += u64::try_from(bytes.len()).unwrap_or(0);
        self.out.flush()
    }
}

/// Width and height of a cell in pixels; a guess where the terminal doesn't say.
fn cell_pixels() -> (usize, usize) {
    match crossterm::terminal::window_size() {
        Ok(size) if size.width > 0 && size.height > 0 && size.columns > 0 && size.rows > 0 => {
            (usize::from(size.width / size.columns), usize::from(size.height / size.rows))
        }
        _ => (10, 20),
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
