//! A program in a pseudo terminal, and what a person in front of it sees.

use std::{
    io::{Read, Write},
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, anyhow, bail};
use portable_pty::{Child, CommandBuilder, ExitStatus, MasterPty, PtySize, native_pty_system};
use tokio::{sync::watch, time::timeout};

use crate::{
    patience::{PATIENCE, until},
    svg,
    terminal::{Manners, Terminal},
};

/// Columns and rows of a terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    /// Characters in a row.
    pub columns: u16,
    /// Rows.
    pub rows: u16,
}

impl Size {
    /// 80×24, the smallest terminal everything must work in.
    pub const STANDARD: Self = Self { columns: 80, rows: 24 };
    /// 120×40.
    pub const LARGE: Self = Self { columns: 120, rows: 40 };
}

impl From<Size> for PtySize {
    fn from(size: Size) -> Self {
        Self { rows: size.rows, cols: size.columns, pixel_width: 0, pixel_height: 0 }
    }
}

/// One read from the terminal, for byte counts and latencies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Chunk {
    /// When it came, counted from the program's start.
    pub at: Duration,
    /// How many bytes had come with it.
    pub bytes_until: usize,
}

/// What the reader thread and the test share.
struct Received {
    terminal: Terminal,
    bytes: Vec<u8>,
    chunks: Vec<Chunk>,
}

/// What the program reads: keys, and what the terminal answers.
type Keys = Arc<Mutex<Box<dyn Write + Send>>>;

/// A terminal with a program in it. Dropping it ends the program.
pub struct Screen {
    name: String,
    received: Arc<Mutex<Received>>,
    /// Ticks at every read; closed when the program is gone.
    news: watch::Receiver<usize>,
    writer: Keys,
    master: Box<dyn MasterPty + Send>,
    child: Box<dyn Child + Send + Sync>,
}

impl Screen {
    /// Starts `program` in a new terminal. It gets `envs` and of this process' environment only `PATH`.
    ///
    /// # Errors
    /// When the system gives no terminal or the program cannot be started.
    pub fn open(
        program: &Path,
        args: &[&str],
        envs: &[(&str, &str)],
        folder: &Path,
        size: Size,
    ) -> Result<Self> {
        Self::open_on(Manners::default(), program, args, envs, folder, size)
    }

    /// The same in a terminal with such manners.
    ///
    /// # Errors
    /// As [`Screen::open`].
    pub fn open_on(
        manners: Manners,
        program: &Path,
        args: &[&str],
        envs: &[(&str, &str)],
        folder: &Path,
        size: Size,
    ) -> Result<Self> {
        let name = program.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let mut command = CommandBuilder::new(program);
        command.args(args);
        command.cwd(folder);
        command.env_clear();
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.env("TERM", "xterm-256color");
        for (key, value) in envs {
            command.env(key, value);
        }
        let pair = native_pty_system().openpty(size.into())?;
        let child =
            pair.slave.spawn_command(command).with_context(|| format!("cannot start {name}"))?;
        // Held open here, the terminal would never report its end.
        drop(pair.slave);
        let reader = pair.master.try_clone_reader()?;
        let writer: Keys = Arc::new(Mutex::new(pair.master.take_writer()?));
        let received = Arc::new(Mutex::new(Received {
            terminal: Terminal::new(size.rows, size.columns, manners),
            bytes: Vec::new(),
            chunks: Vec::new(),
        }));
        let (bell, news) = watch::channel(0);
        let (shared, keys) = (Arc::clone(&received), Arc::clone(&writer));
        thread::spawn(move || read_all(reader, &shared, &keys, &bell));
        Ok(Self { name, received, news, writer, master: pair.master, child })
    }

    /// Types `text` as keys, without Enter.
    ///
    /// # Errors
    /// When the program is gone.
    pub fn type_text(&mut self, text: &str) -> Result<()> {
        type_bytes(&self.writer, text.as_bytes())
    }

    /// Presses one key: `Enter`, `Esc`, `Tab`, `BackTab`, `Backspace`, `Delete`, `Up`, `PageUp`, `F1`, `Space`, `Ctrl+K`, `Alt+A`,
    /// or a character.
    ///
    /// # Errors
    /// When there is no such key or the program is gone.
    pub fn press(&mut self, key: &str) -> Result<()> {
        let bytes = key_bytes(key).with_context(|| format!("no key is called {key}"))?;
        type_bytes(&self.writer, &bytes)
    }

    /// Pastes `text` as a terminal with bracketed paste does.
    ///
    /// # Errors
    /// When the program is gone.
    pub fn paste(&mut self, text: &str) -> Result<()> {
        self.type_text(&format!("\x1b[200~{text}\x1b[201~"))
    }

    /// Waits until `text` stands on the screen, all in one row.
    ///
    /// # Errors
    /// When it does not come within [`PATIENCE`] or the program ends; the screen is shown.
    pub async fn wait_for(&self, text: &str) -> Result<()> {
        self.wait_until(&format!("{text:?}"), |screen| screen.contains(text)).await
    }

    /// Waits until `text` is gone from the screen.
    ///
    /// # Errors
    /// As [`Screen::wait_for`].
    pub async fn wait_gone(&self, text: &str) -> Result<()> {
        self.wait_until(&format!("{text:?} to go"), |screen| !screen.contains(text)).await
    }

    /// Waits until one of `texts` stands on the screen; gives which.
    ///
    /// # Errors
    /// As [`Screen::wait_for`].
    pub async fn wait_for_any(&self, texts: &[&str]) -> Result<usize> {
        let mut found = 0;
        self.wait_until(&format!("one of {texts:?}"), |screen| {
            match texts.iter().position(|text| screen.contains(text)) {
                Some(index) => {
                    found = index;
                    true
                }
                None => false,
            }
        })
        .await?;
        Ok(found)
    }

    /// Waits until `condition` holds for the screen's text; `what` names it in the error.
    ///
    /// # Errors
    /// As [`Screen::wait_for`].
    pub async fn wait_until(
        &self,
        what: &str,
        mut condition: impl FnMut(&str) -> bool,
    ) -> Result<()> {
        let mut news = self.news.clone();
        let waiting = async {
            loop {
                news.mark_unchanged();
                if condition(&self.text()) {
                    return Ok(());
                }
                if news.changed().await.is_err() {
                    break;
                }
            }
            // The last bytes may have come after the last look.
            condition(&self.text()).then_some(()).ok_or("it ended")
        };
        let problem = match timeout(PATIENCE, waiting).await {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(problem)) => problem,
            Err(_) => "too long",
        };
        Err(anyhow!("waited for {what} in {}: {problem}\n{}", self.name, self.picture()))
    }

    /// What stands on the screen, rows separated by newlines, without colours.
    pub fn text(&self) -> String {
        self.received().terminal.parser.screen().contents()
    }

    /// One row, counted from 0, without the spaces at its end.
    pub fn row(&self, row: u16) -> String {
        let received = self.received();
        let screen = received.terminal.parser.screen();
        let (_, columns) = screen.size();
        let text = screen.rows(0, columns).nth(usize::from(row)).unwrap_or_default();
        text.trim_end().to_owned()
    }

    /// What stands in a row between two columns, both from 0 and both included.
    pub fn part(&self, row: u16, from: u16, to: u16) -> String {
        let received = self.received();
        let screen = received.terminal.parser.screen();
        screen.contents_between(row, from, row, to.saturating_add(1))
    }

    /// The row that contains `text`, if any.
    pub fn row_with(&self, text: &str) -> Option<String> {
        self.text().lines().find(|row| row.contains(text)).map(str::to_owned)
    }

    /// Row and column of the cursor, from 0; `None` while it is hidden.
    pub fn cursor(&self) -> Option<(u16, u16)> {
        let received = self.received();
        let screen = received.terminal.parser.screen();
        (!screen.hide_cursor()).then(|| screen.cursor_position())
    }

    /// Whether the program has switched to the alternate screen.
    pub fn alternate(&self) -> bool {
        self.received().terminal.parser.screen().alternate_screen()
    }

    /// How many bytes the program has written.
    pub fn bytes_received(&self) -> usize {
        self.received().bytes.len()
    }

    /// All of them, raw.
    pub fn recording(&self) -> Vec<u8> {
        self.received().bytes.clone()
    }

    /// When they came.
    pub fn chunks(&self) -> Vec<Chunk> {
        self.received().chunks.clone()
    }

    /// Changes the terminal's size, as a person pulling at the window does.
    ///
    /// # Errors
    /// When the terminal is gone.
    pub fn resize(&self, size: Size) -> Result<()> {
        self.received().terminal.parser.screen_mut().set_size(size.rows, size.columns);
        self.master.resize(size.into())
    }

    /// The program's process id.
    pub fn pid(&self) -> Option<u32> {
        self.child.process_id()
    }

    /// Sends a signal, such as the SIGHUP of a terminal that is closed.
    ///
    /// # Errors
    /// When the program is gone.
    pub fn signal(&self, signal: rustix::process::Signal) -> Result<()> {
        let pid = self.pid().and_then(|pid| i32::try_from(pid).ok());
        let pid = pid.and_then(rustix::process::Pid::from_raw).context("the program is gone")?;
        Ok(rustix::process::kill_process(pid, signal)?)
    }

    /// Presses and lets go of the left button of the mouse at a column and row, both from 0.
    ///
    /// # Errors
    /// When the program is gone.
    pub fn click(&mut self, column: u16, row: u16) -> Result<()> {
        let (x, y) = (column + 1, row + 1);
        self.type_text(&format!("\x1b[<0;{x};{y}M\x1b[<0;{x};{y}m"))
    }

    /// SIGKILL.
    ///
    /// # Errors
    /// When it cannot be waited for.
    pub fn kill_9(&mut self) -> Result<()> {
        // portable-pty's kill begins with SIGHUP, which a program may answer; this is for those that must not.
        if let Some(pid) = self.pid().and_then(|pid| i32::try_from(pid).ok())
            && let Some(pid) = rustix::process::Pid::from_raw(pid)
            && self.child.try_wait()?.is_none()
        {
            rustix::process::kill_process(pid, rustix::process::Signal::KILL).ok();
        }
        self.child.wait()?;
        Ok(())
    }

    /// Waits for the program's end.
    ///
    /// # Errors
    /// When it still runs after [`PATIENCE`]; the screen is shown.
    pub async fn wait_exit(&mut self) -> Result<ExitStatus> {
        let ended =
            until("the program to end", PATIENCE, async || Ok(self.child.try_wait()?)).await;
        match ended {
            Ok(status) => Ok(status),
            Err(error) => bail!("{error}\n{}", self.picture()),
        }
    }

    /// The screen as an SVG.
    pub fn svg(&self) -> String {
        svg::picture(self.received().terminal.parser.screen())
    }

    /// The screen in a frame, for errors.
    pub fn picture(&self) -> String {
        let received = self.received();
        let screen = received.terminal.parser.screen();
        let (_, columns) = screen.size();
        let edge = format!("+{}+", "-".repeat(usize::from(columns)));
        let rows: Vec<String> = screen.rows(0, columns).map(|row| format!("|{row}")).collect();
        format!("{edge}\n{}\n{edge}", rows.join("\n"))
    }

    fn received(&self) -> MutexGuard<'_, Received> {
        self.received.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        self.kill_9().ok();
    }
}

fn type_bytes(keys: &Keys, bytes: &[u8]) -> Result<()> {
    let mut keys = keys.lock().unwrap_or_else(PoisonError::into_inner);
    keys.write_all(bytes)?;
    Ok(keys.flush()?)
}

/// Feeds the terminal until the program is gone.
fn read_all(
    mut reader: Box<dyn Read + Send>,
    shared: &Mutex<Received>,
    keys: &Keys,
    bell: &watch::Sender<usize>,
) {
    let start = Instant::now();
    let mut buffer = [0; 16 * 1024];
    while let Ok(count) = reader.read(&mut buffer) {
        let Some(bytes) = buffer.get(..count).filter(|bytes| !bytes.is_empty()) else { return };
        let mut received = shared.lock().unwrap_or_else(PoisonError::into_inner);
        let answers = received.terminal.process(bytes);
        received.bytes.extend_from_slice(bytes);
        let bytes_until = received.bytes.len();
        received.chunks.push(Chunk { at: start.elapsed(), bytes_until });
        drop(received);
        if !answers.is_empty() {
            type_bytes(keys, &answers).ok();
        }
        bell.send_replace(bytes_until);
    }
}

/// The bytes an xterm sends for a key.
fn key_bytes(key: &str) -> Option<Vec<u8>> {
    if let Some(letter) = key.strip_prefix("Ctrl+") {
        return control(letter).map(|byte| vec![byte]);
    }
    if let Some(rest) = key.strip_prefix("Alt+") {
        let mut bytes = vec![0x1b];
        bytes.extend(key_bytes(&rest.to_lowercase()).or_else(|| key_bytes(rest))?);
        return Some(bytes);
    }
    let bytes: &[u8] = match key {
        "Enter" => b"\r",
        "Esc" => b"\x1b",
        "Tab" => b"\t",
        "BackTab" => b"\x1b[Z",
        "Backspace" => b"\x7f",
        "Delete" => b"\x1b[3~",
        "Space" => b" ",
        "Up" => b"\x1b[A",
        "Down" => b"\x1b[B",
        "Right" => b"\x1b[C",
        "Left" => b"\x1b[D",
        "Home" => b"\x1b[H",
        "End" => b"\x1b[F",
        "PageUp" => b"\x1b[5~",
        "PageDown" => b"\x1b[6~",
        "F1" => b"\x1bOP",
        "F2" => b"\x1bOQ",
        "F3" => b"\x1bOR",
        "F4" => b"\x1bOS",
        _ if key.chars().count() == 1 => key.as_bytes(),
        _ => return None,
    };
    Some(bytes.to_vec())
}

fn control(key: &str) -> Option<u8> {
    let mut characters = key.chars();
    let (first, rest) = (characters.next()?, characters.next());
    match (first.to_ascii_uppercase(), rest) {
        (letter @ '@'..='_', None) => u8::try_from(letter).ok().map(|byte| byte & 0x1f),
        ('6', None) => Some(0x1e),
        _ if key == "Space" => Some(0),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Screen {
        let args = ["-c", script];
        Screen::open(Path::new("/bin/sh"), &args, &[], Path::new("/"), Size::STANDARD).unwrap()
    }

    #[tokio::test]
    async fn what_is_typed_reaches_the_program_and_its_answer_the_screen() {
        let mut screen = shell("read name; printf '\\033[5;10Hhello %s' \"$name\"; read rest");

        screen.type_text("alice").unwrap();
        screen.press("Enter").unwrap();
        screen.wait_for("hello alice").await.unwrap();

        assert_eq!(screen.row(4), format!("{}hello alice", " ".repeat(9)));
        assert_eq!(screen.cursor(), Some((4, 20)));
        screen.press("Enter").unwrap();
        assert!(screen.wait_exit().await.unwrap().success());
    }

    #[tokio::test]
    async fn a_program_that_ends_is_reported_with_its_screen() {
        let screen = shell("echo last words");

        let error = screen.wait_for("more").await.unwrap_err().to_string();

        assert!(error.contains("it ended") && error.contains("last words"), "{error}");
    }

    #[test]
    fn keys_have_the_bytes_of_an_xterm() {
        assert_eq!(key_bytes("Ctrl+K"), Some(vec![0x0b]));
        assert_eq!(key_bytes("Ctrl+^"), Some(vec![0x1e]));
        assert_eq!(key_bytes("Ctrl+Space"), Some(vec![0]));
        assert_eq!(key_bytes("Alt+A"), Some(b"\x1ba".to_vec()));
        assert_eq!(key_bytes("PageUp"), Some(b"\x1b[5~".to_vec()));
        assert_eq!(key_bytes("NoSuchKey"), None);
    }
}
