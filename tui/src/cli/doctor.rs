//! `tern doctor`: what this terminal, this machine and the server are like, and what to do about what is wrong.

use super::Places;
use crate::clipboard;
use crate::notify::Notifier;
use crate::pictures::Protocol;
use crate::probe;
use crate::settings::Settings;
use crate::width::QUESTIONS;
use std::io::{self, IsTerminal, Write};
use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use std::time::Duration;

/// How long the server may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// tmux waits this long after Esc at most before it is felt, in milliseconds.
const ESCAPE_TIME_MAX: u64 = 50;

/// How something is.
enum Finding {
    Good(String),
    Note(String),
    Bad(String),
}

use Finding::{Bad, Good, Note};

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// Prints one line a thing; `false` when one of them is bad.
pub(super) fn run(places: &Places, out: &mut impl Write) -> io::Result<bool> {
    let mut well = true;
    let mut tell = |what: &str, finding: Finding| {
        let (sign, text) = match finding {
            Good(text) => ("✓", text),
            Note(text) => ("·", text),
            Bad(text) => {
                well = false;
                ("!", text)
            }
        };
        writeln!(out, "{sign} {what:14} {text}")
    };
    tell("version", Good(env!("CARGO_PKG_VERSION").to_owned()))?;
    for (what, finding) in terminal() {
        tell(what, finding)?;
    }
    let settings = places.settings();
    tell(
        "settings",
        match &settings {
            Ok(_) if places.config.exists() => Good(places.config.display().to_string()),
            Ok(_) => Note(format!("{} is not there: everything as usual", places.config.display())),
            Err(error) => Bad(error.to_string()),
        },
    )?;
    for (what, finding) in abilities(&settings.unwrap_or_default()) {
        tell(what, finding)?;
    }
    tell("data", data(places))?;
    let servers = crate::backend::matrix::stored_servers(&places.data);
    if servers.is_empty() {
        tell("server", Note("nobody is logged in".to_owned()))?;
    }
    for server in servers {
        tell("server", reached(&server, places))?;
    }
    Ok(well)
}

fn terminal() -> Vec<(&'static str, Finding)> {
    let mut found = Vec::new();
    let term = variable("TERM").unwrap_or_default();
    found.push((
        "terminal",
        match (io::stdout().is_terminal(), term.as_str()) {
            (false, _) => Note("the output goes to no terminal".to_owned()),
            (true, "" | "dumb") => {
                Bad("TERM says that it can't do anything; set it to xterm-256color".to_owned())
            }
            (true, "screen") => Note(
                "TERM=screen has 8 colours; in tmux: set -g default-terminal tmux-256color"
                    .to_owned(),
            ),
            (true, term) => Good(term.to_owned()),
        },
    ));
    if let Ok((columns, rows)) = crossterm::terminal::size() {
        let size = format!("{columns} × {rows}");
        found.push((
            "size",
            if columns < 40 || rows < 12 {
                Note(format!("{size}: 80 × 24 is the least that shows everything"))
            } else {
                Good(size)
            },
        ));
    }
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().find_map(variable).unwrap_or_default();
    let utf8 = locale.to_lowercase().replace('-', "").contains("utf8");
    found.push((
        "characters",
        if utf8 {
            Good(locale)
        } else {
            Bad(format!("LANG is {locale:?}: set it to one in UTF-8, such as C.UTF-8"))
        },
    ));
    found.push(("colours", colours()));
    found.push(("widths", widths()));
    if let Some(connection) = variable("SSH_CONNECTION") {
        let from = connection.split(' ').next().unwrap_or_default().to_owned();
        found.push(("ssh", Good(format!("from {from}; Space B makes do with few bytes"))));
    }
    if variable("TMUX").is_some() {
        found.extend(tmux());
    }
    found
}

fn colours() -> Finding {
    if variable("NO_COLOR").is_some() {
        return Note("none: NO_COLOR is set".to_owned());
    }
    match true_color() {
        true => Good("16 million".to_owned()),
        false => Good("256".to_owned()),
    }
}

/// How wide the terminal draws what terminals disagree about.
fn widths() -> Finding {
    if !io::stdin().is_terminal() || !io::stdout().is_terminal() {
        return Note("not asked for: there is no terminal".to_owned());
    }
    match probe::ask() {
        Ok(Some(habits)) => {
            let signs = QUESTIONS.map(|sign| format!("{sign} {}", habits.measure(sign)));
            Good(format!("{} columns", signs.join(", ")))
        }
        Ok(None) => {
            Note("the terminal doesn't say: emoji are as wide as Unicode has it".to_owned())
        }
        Err(error) => Note(format!("the terminal can't be asked: {error}")),
    }
}

/// Whether the terminal says that it has more than 256 colours.
fn true_color() -> bool {
    variable("COLORTERM").is_some_and(|value| ["truecolor", "24bit"].contains(&value.as_str()))
}

fn tmux_option(args: &[&str]) -> Option<String> {
    let shown = Command::new("tmux").arg("show").args(args).output().ok()?;
    let text = String::from_utf8(shown.stdout).ok()?;
    Some(text.trim().to_owned()).filter(|text| !text.is_empty())
}

fn tmux() -> Vec<(&'static str, Finding)> {
    let mut found = Vec::new();
    if let Some(time) =
        tmux_option(&["-sv", "escape-time"]).and_then(|time| time.parse::<u64>().ok())
    {
        found.push((
            "tmux: Esc",
            if time > ESCAPE_TIME_MAX {
                Note(format!("comes after {time} ms; set -sg escape-time 10"))
            } else {
                Good(format!("{time} ms"))
            },
        ));
    }
    let wanted = [
        (
            "tmux: focus",
            &["-gv", "focus-events"][..],
            "on",
            "what is seen and what is news can't be told; set -g focus-events on",
        ),
        (
            "tmux: passing",
            &["-gwv", "allow-passthrough"][..],
            "on",
            "pictures are drawn in half blocks and notifications are a bell; set -g allow-passthrough on",
        ),
    ];
    for (what, option, good, advice) in wanted {
        let value = tmux_option(option).unwrap_or_default();
        let fine = value == good || value == "all";
        found.push((what, if fine { Good(value) } else { Note(advice.to_owned()) }));
    }
    if tmux_option(&["-sv", "set-clipboard"]).as_deref() == Some("off") {
        found.push(("tmux: copying", Note("stays in tmux; set -s set-clipboard on".to_owned())));
    }
    found
}

fn abilities(settings: &Settings) -> Vec<(&'static str, Finding)> {
    let notifier = Notifier::new(&settings.notify, variable);
    let pictures = Protocol::new(settings.images, variable);
    let pasting = match clipboard::program(settings.clipboard.as_deref(), variable) {
        Some(program) => Good(format!("pictures by {program}: Ctrl+V")),
        None => {
            Note("no program for pictures: install wl-clipboard or xclip, or send files".to_owned())
        }
    };
    vec![
        ("notifications", Good(notifier.words())),
        ("pictures", Good(pictures.words().to_owned())),
        ("pasting", pasting),
        (
            "clipboard",
            Note(
                "OSC 52: y on a message copies it, if the terminal lets programs do so".to_owned(),
            ),
        ),
    ]
}

fn data(places: &Places) -> Finding {
    let path = places.data.display();
    match std::fs::metadata(&places.data) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            Note(format!("{path} is made at the first start"))
        }
        Err(error) => Bad(format!("{path}: {error}")),
        Ok(about) if !about.is_dir() => Bad(format!("{path} is not a folder")),
        Ok(about) if about.permissions().mode() & 0o077 != 0 => {
            Note(format!("{path} can be looked into by others; chmod 700 it"))
        }
        Ok(_) => Good(path.to_string()),
    }
}

fn reached(server: &url::Url, places: &Places) -> Finding {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let Ok(runtime) = runtime else { return Bad("no request can be made here".to_owned()) };
    let asked = runtime.block_on(async {
        tokio::time::timeout(PATIENCE, crate::backend::matrix::reach(server, places.ca.as_deref()))
            .await
    });
    match asked {
        Ok(Ok(took)) => Good(format!("{server} answers in {} ms", took.as_millis())),
        Ok(Err(reason)) => Bad(format!("{server}: {reason}")),
        Err(_) => Bad(format!("{server} does not answer within {} s", PATIENCE.as_secs())),
    }
}
