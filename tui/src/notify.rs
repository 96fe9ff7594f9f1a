//! Telling of messages that are not on the screen: the bell, the sequences that terminals show notifications for (they reach
//! the desk the user sits at, also through SSH), `notify-send`, and a program of the user's own.

use crate::sanitize;
use crate::settings::{Notify, Terminal};
use crate::wrap::cut;
use std::io::Write;
use std::process::{Command, Stdio};

/// Longer texts are cut: it is a hint, not the message.
const TEXT_COLUMNS: usize = 160;

/// Who wrote, and what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notification {
    pub title: String,
    pub text: String,
}

/// Where notifications go.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Notifier {
    settings: Notify,
    terminal: Option<Sequence>,
    tmux: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sequence {
    Osc9,
    Osc777,
    Osc99,
}

impl Notifier {
    /// As `settings` say, on the terminal that the variables of the environment tell of.
    pub fn new(settings: &Notify, variable: impl Fn(&str) -> Option<String>) -> Notifier {
        let terminal = match settings.terminal {
            Terminal::Off => None,
            Terminal::Osc9 => Some(Sequence::Osc9),
            Terminal::Osc777 => Some(Sequence::Osc777),
            Terminal::Osc99 => Some(Sequence::Osc99),
            Terminal::Auto => guess(&variable),
        };
        let tmux = variable("TMUX").is_some_and(|value| !value.is_empty());
        Notifier { settings: settings.clone(), terminal, tmux }
    }

    /// What is done, in words.
    pub fn words(&self) -> String {
        let bell = self.settings.bell.then_some("bell");
        let sequence = self.terminal.map(|sequence| match sequence {
            Sequence::Osc9 => "OSC 9",
            Sequence::Osc777 => "OSC 777",
            Sequence::Osc99 => "OSC 99",
        });
        let desktop = self.settings.desktop.then_some("notify-send");
        let program = (!self.settings.command.is_empty()).then_some("a program of yours");
        let all: Vec<&str> = [bell, sequence, desktop, program].into_iter().flatten().collect();
        if all.is_empty() { "none".to_owned() } else { all.join(", ") }
    }

    /// The bytes for the terminal.
    pub fn bytes(&self, notification: &Notification) -> String {
        // No sign in them may end the sequence, or begin another field.
        let field = |text: &str| cut(&sanitize::line(text), TEXT_COLUMNS).replace(';', ",");
        let (title, text) = (field(&notification.title), field(&notification.text));
        let sequence = match self.terminal {
            None => String::new(),
            Some(Sequence::Osc9) if text.is_empty() => format!("\x1b]9;{title}\x07"),
            Some(Sequence::Osc9) => format!("\x1b]9;{title}: {text}\x07"),
            Some(Sequence::Osc777) => format!("\x1b]777;notify;{title};{text}\x07"),
            Some(Sequence::Osc99) => {
                format!("\x1b]99;i=tern:d=0;{title}\x1b\\\x1b]99;i=tern:p=body;{text}\x1b\\")
            }
        };
        let sequence = if self.tmux { through_tmux(&sequence) } else { sequence };
        format!("{sequence}{}", if self.settings.bell { "\x07" } else { "" })
    }

    /// Starts the programs, and waits for none of them.
    pub fn run_programs(&self, notification: &Notification) {
        let (title, text) =
            (sanitize::line(&notification.title), sanitize::line(&notification.text));
        if self.settings.desktop {
            let mut command = Command::new("notify-send");
            command.args(["--app-name=Tern", "--", &title, &text]);
            start(command, String::new());
        }
        if let Some((program, args)) = self.settings.command.split_first() {
            let mut command = Command::new(program);
            command.args(args);
            start(command, format!("{title}\n{text}\n"));
        }
    }
}

/// What tmux passes on to the terminal around it, where `allow-passthrough` is on.
pub fn through_tmux(sequence: &str) -> String {
    if sequence.is_empty() {
        return String::new();
    }
    format!("\x1bPtmux;{}\x1b\\", sequence.replace('\x1b', "\x1b\x1b"))
}

fn guess(variable: &impl Fn(&str) -> Option<String>) -> Option<Sequence> {
    let value = |name| variable(name).unwrap_or_default().to_lowercase();
    let (term, program, outer) = (value("TERM"), value("TERM_PROGRAM"), value("LC_TERMINAL"));
    let is = |name: &str| term.contains(name) || program.contains(name) || outer.contains(name);
    if is("kitty") || variable("KITTY_WINDOW_ID").is_some() {
        Some(Sequence::Osc99)
    } else if is("iterm") || is("wezterm") || is("ghostty") {
        Some(Sequence::Osc9)
    } else if is("foot") || is("rxvt") || is("contour") {
        Some(Sequence::Osc777)
    } else {
        None
    }
}

fn start(mut command: Command, input: String) {
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    std::thread::spawn(move || {
        let ran = command.spawn().and_then(|mut child| {
            if let Some(mut stdin) = child.stdin.take() {
                // A program may not care to read.
                drop(stdin.write_all(input.as_bytes()));
            }
            child.wait()
        });
        if let Err(error) = ran {
            tracing::warn!(%error, "a program for notifications can't be run");
        }
    });
}

#[cfg(test)]
mod tests {
    use super::{Notification, Notifier};
    use crate::settings::{Notify, Terminal};

    fn bytes(terminal: Terminal, set: &[(&str, &str)], title: &str, text: &str) -> String {
        let variable = |name: &str| {
            set.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        };
        let settings = Notify { terminal, ..Notify::default() };
        Notifier::new(&settings, variable)
            .bytes(&Notification { title: title.to_owned(), text: text.to_owned() })
    }

    #[test]
    fn the_sequence_fits_the_terminal() {
        let auto = |set: &[(&str, &str)]| bytes(Terminal::Auto, set, "bob", "hi");
        assert_eq!(auto(&[("TERM", "xterm-256color")]), "\x07");
        assert_eq!(auto(&[("TERM_PROGRAM", "WezTerm")]), "\x1b]9;bob: hi\x07\x07");
        assert_eq!(auto(&[("TERM", "foot")]), "\x1b]777;notify;bob;hi\x07\x07");
        assert!(auto(&[("TERM", "xterm-kitty")]).starts_with("\x1b]99;i=tern:d=0;bob\x1b\\"));
        assert_eq!(
            auto(&[("TERM", "tmux-256color"), ("LC_TERMINAL", "iTerm2"), ("TMUX", "/tmp/x,1,0")]),
            "\x1bPtmux;\x1b\x1b]9;bob: hi\x07\x1b\\\x07"
        );
    }

    #[test]
    fn a_hostile_name_ends_no_sequence_and_begins_no_field() {
        let evil = "\x1b\\\x07evil;\u{202e}\n;";
        let told = bytes(Terminal::Osc777, &[], evil, evil);
        assert_eq!(told, "\x1b]777;notify;\\evil, ,;\\evil, ,\x07\x07");
    }
}
