//! The real binary in a pty: what the terminal gets, and what it is left with.

use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};
use std::io::{Read, Write};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

/// Longer than any machine needs; a test that gets here has failed.
const PATIENCE: Duration = Duration::from_secs(30);

struct Pty {
    terminal: vt100::Parser,
    bytes: Receiver<Vec<u8>>,
    /// Everything since the last look.
    heard: Vec<u8>,
    writer: Box<dyn Write + Send>,
    child: Box<dyn Child + Send + Sync>,
    master: Box<dyn MasterPty + Send>,
    folder: tempfile::TempDir,
}

impl Pty {
    fn start() -> Pty {
        let folder = tempfile::tempdir().unwrap();
        let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_tern"));
        command.args(["--data", folder.path().to_str().unwrap()]);
        command.env("TERM", "xterm-256color");
        Pty::run(command, folder)
    }

    fn run(command: CommandBuilder, folder: tempfile::TempDir) -> Pty {
        let pair = native_pty_system()
            .openpty(PtySize { rows: 24, cols: 80, pixel_width: 0, pixel_height: 0 })
            .unwrap();
        let child = pair.slave.spawn_command(command).unwrap();
        drop(pair.slave);
        let mut reader = pair.master.try_clone_reader().unwrap();
        let (sender, bytes) = channel();
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(count @ 1..) = reader.read(&mut buffer) {
                if sender.send(buffer[..count].to_vec()).is_err() {
                    return;
                }
            }
        });
        let writer = pair.master.take_writer().unwrap();
        Pty {
            terminal: vt100::Parser::new(24, 80, 0),
            bytes,
            heard: Vec::new(),
            writer,
            child,
            master: pair.master,
            folder,
        }
    }

    fn wait_for(&mut self, what: &str, seen: impl Fn(&vt100::Screen) -> bool) {
        let end = Instant::now() + PATIENCE;
        while !seen(self.terminal.screen()) {
            let left = end.saturating_duration_since(Instant::now());
            let bytes = self.bytes.recv_timeout(left);
            let bytes = bytes.unwrap_or_else(|_| {
                panic!("{what} never came:\n{}", self.terminal.screen().contents())
            });
            self.terminal.process(&bytes);
            self.heard.extend(bytes);
        }
    }

    fn wait_for_text(&mut self, text: &str) {
        self.wait_for(text, |screen| screen.contents().contains(text));
    }

    fn types(&mut self, text: &str) {
        self.writer.write_all(text.as_bytes()).unwrap();
        self.writer.flush().unwrap();
    }

    /// The bytes since the last look.
    fn heard(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.heard)
    }

    /// Reads to the end and waits for the process.
    fn finish(&mut self) -> portable_pty::ExitStatus {
        while let Ok(bytes) = self.bytes.recv_timeout(PATIENCE) {
            self.terminal.process(&bytes);
            self.heard.extend(bytes);
        }
        self.child.wait().unwrap()
    }
}

fn assert_given_back(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    for code in ["\x1b[?1049l", "\x1b[?2004l", "\x1b[?1004l", "\x1b[?25h"] {
        assert!(text.contains(code), "{code:?} is missing in {text:?}");
    }
}

#[test]
fn the_first_screen_comes_echoes_keys_cheaply_and_gives_the_terminal_back() {
    let mut pty = Pty::start();
    pty.wait_for_text("Server, email or user id");
    for (typed, letter) in ["e", "ex", "exa", "exam"].iter().zip("exam".chars()) {
        pty.heard();
        pty.types(&letter.to_string());
        pty.wait_for(typed, |screen| screen.contents().contains(&format!("│ {typed}  ")));
        let bytes = pty.heard();
        assert!(
            bytes.len() <= 45,
            "{} bytes for one key: {:?}",
            bytes.len(),
            String::from_utf8_lossy(&bytes)
        );
    }
    pty.types("\x11");
    assert!(pty.finish().success());
    assert_given_back(&pty.heard());
}

#[test]
fn a_key_after_a_pause_is_shown_without_another() {
    let mut pty = Pty::start();
    pty.wait_for_text("Server, email or user id");
    for (letter, text) in [("z", "│ z "), ("q", "│ zq "), ("j", "│ zqj ")] {
        pty.types(letter);
        pty.wait_for_text(text);
        // Nothing more comes, so the next key finds the loop asleep.
        let more = pty.bytes.recv_timeout(Duration::from_millis(300));
        assert!(
            more.is_err(),
            "idle, and yet {:?}",
            more.map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
        );
    }
    pty.types("\x11");
    assert!(pty.finish().success());
}

#[test]
fn sigterm_gives_the_terminal_back() {
    let mut pty = Pty::start();
    pty.wait_for_text("Server, email or user id");
    let process = pty.child.process_id().unwrap();
    assert!(
        std::process::Command::new("kill")
            .args(["-TERM", &process.to_string()])
            .status()
            .unwrap()
            .success()
    );
    assert!(pty.finish().success());
    assert_given_back(&pty.heard());
}

#[test]
fn a_resized_terminal_is_filled_again() {
    let mut pty = Pty::start();
    pty.wait_for_text("Server, email or user id");
    pty.master.resize(PtySize { rows: 20, cols: 40, pixel_width: 0, pixel_height: 0 }).unwrap();
    pty.terminal = vt100::Parser::new(20, 40, 0);
    pty.wait_for_text("Server, email or user id");
    pty.types("\x11");
    assert!(pty.finish().success());
}

#[test]
fn a_closed_terminal_ends_the_client() {
    let folder = tempfile::tempdir().unwrap();
    let pair = native_pty_system().openpty(PtySize::default()).unwrap();
    let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_tern"));
    command.args(["--data", folder.path().to_str().unwrap()]);
    let mut child = pair.slave.spawn_command(command).unwrap();
    let mut reader = pair.master.try_clone_reader().unwrap();
    assert!(reader.read(&mut [0; 16]).unwrap() > 0);
    drop((reader, pair));
    let (sender, ended) = channel();
    let mut killer = child.clone_killer();
    std::thread::spawn(move || sender.send(child.wait().is_ok()));
    let ended = ended.recv_timeout(PATIENCE);
    if ended.is_err() {
        killer.kill().unwrap();
    }
    assert_eq!(ended, Ok(true));
}

#[test]
fn somebody_who_is_logged_in_sees_no_first_run_screen_when_the_snapshot_is_lost() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("session.json"), "{").unwrap();
    let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_tern"));
    command.args(["--data", folder.path().to_str().unwrap()]);
    command.env("TERM", "xterm-256color");
    let mut pty = Pty::run(command, folder);
    pty.wait_for_text("Your session can't be opened");
    let all = String::from_utf8_lossy(&pty.heard()).into_owned();
    assert!(!all.contains("Welcome to Tern"), "{all:?}");
    pty.types("\x11");
    assert!(pty.finish().success());
}

#[test]
fn a_second_tern_on_the_same_folder_is_turned_away_and_the_first_goes_on() {
    let mut pty = Pty::start();
    pty.wait_for_text("Server, email or user id");
    let second = std::process::Command::new(env!("CARGO_BIN_EXE_tern"))
        .arg("--data")
        .arg(pty.folder.path())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&second.stderr).into_owned();
    assert!(!second.status.success() && said.contains("another tern has"), "{said}");
    assert!(said.contains("--data"), "{said}");
    pty.types("x");
    pty.wait_for_text("│ x ");
    pty.types("\x11");
    assert!(pty.finish().success());
}

/// Run by the test below in a terminal of its own; without one there is nothing to do.
#[test]
fn somebody_who_panics() {
    if std::env::var_os("TERN_TEST_PANICS").is_some() {
        tern_tui::terminal::restore_on_panic();
        tern_tui::terminal::Screen::new(std::io::stdout(), true).enter().unwrap();
        panic!("on purpose");
    }
}

#[test]
fn a_panic_gives_the_terminal_back_and_is_told() {
    let mut command = CommandBuilder::new(std::env::current_exe().unwrap());
    command.args(["--exact", "terminal::somebody_who_panics", "--nocapture"]);
    command.env("TERN_TEST_PANICS", "1");
    command.env("TERM", "xterm-256color");
    let mut pty = Pty::run(command, tempfile::tempdir().unwrap());
    assert!(!pty.finish().success());
    let bytes = pty.heard();
    assert_given_back(&bytes);
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let (taken, rest) = text.split_once("\x1b[?1049h").expect("the terminal was taken over");
    assert!(!taken.contains("on purpose"));
    let (_, told) = rest.split_once("\x1b[?1049l").unwrap();
    // A line end that the terminal still takes raw would come without its carriage return.
    assert!(told.contains("on purpose") && told.contains("\r\n"), "{told:?}");
}

// The flag below is Linux' own number.
#[cfg(target_os = "linux")]
#[test]
fn a_terminal_that_goes_away_without_a_signal_ends_the_client() {
    use std::os::unix::fs::OpenOptionsExt as _;
    const O_NOCTTY: i32 = 0o400;

    let folder = tempfile::tempdir().unwrap();
    let pair = native_pty_system().openpty(PtySize::default()).unwrap();
    // Not the terminal of its session: nobody sends it SIGHUP.
    let path = pair.master.tty_name().unwrap();
    let mut options = std::fs::OpenOptions::new();
    let slave = options.read(true).write(true).custom_flags(O_NOCTTY).open(path).unwrap();
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_tern"));
    command.arg("--data").arg(folder.path()).env("TERM", "xterm-256color");
    command.stdin(slave.try_clone().unwrap()).stdout(slave.try_clone().unwrap()).stderr(slave);
    let mut child = command.spawn().unwrap();
    drop(command);
    drop(pair.slave);
    let mut reader = pair.master.try_clone_reader().unwrap();
    // Its first bytes: it has taken the terminal over.
    let began = reader.read(&mut [0; 4096]);
    drop(reader);
    drop(pair.master);
    let end = Instant::now() + PATIENCE;
    let mut ended = child.try_wait().unwrap();
    while ended.is_none() && Instant::now() < end {
        std::thread::park_timeout(Duration::from_millis(20));
        ended = child.try_wait().unwrap();
    }
    if ended.is_none() {
        child.kill().unwrap();
        child.wait().unwrap();
    }
    assert!(began.unwrap() > 0);
    assert!(ended.is_some(), "tern goes on without a terminal");
}
