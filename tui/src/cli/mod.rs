//! The command line: arguments, and the commands that print something and end.

mod doctor;
mod places;

pub use places::Places;

use crate::presets;
use clap::{CommandFactory, Parser, Subcommand};
use clap_complete::Shell;
use std::io::{self, Write};
use std::path::PathBuf;

/// A Matrix client for the terminal.
#[derive(Parser)]
#[command(name = "tern", version, about)]
pub struct Arguments {
    /// Keep everything in this folder.
    #[arg(long, value_name = "DIR", env = "TERN_DATA", global = true)]
    pub data: Option<PathBuf>,
    /// Read the settings from this file.
    #[arg(long, value_name = "FILE", env = "TERN_CONFIG", global = true)]
    pub config: Option<PathBuf>,
    /// Trust the certificates in this PEM file, too.
    #[arg(long, value_name = "FILE", global = true)]
    pub ca: Option<PathBuf>,
    /// Offer this server first.
    #[arg(long, value_name = "URL")]
    pub server: Option<String>,
    /// Open this chat: its id, its name, or the other person's id.
    #[arg(long, value_name = "ROOM")]
    pub open: Option<String>,
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// What is done instead of opening the client.
#[derive(Subcommand, Clone, Copy)]
pub enum Command {
    /// Look at this terminal, the settings, the data folder and the server, and say what is wrong.
    Doctor,
    /// Say where everything is kept.
    Where,
    /// List the commands that keys can be bound to, with their keys.
    Keys,
    /// Print a script that completes the arguments in a shell.
    Completions { shell: Shell },
    /// Print the manual page.
    Man,
}

/// Carries out `command`; `false` when something is wrong.
pub fn run(command: Command, places: &Places) -> io::Result<bool> {
    let mut out = io::stdout().lock();
    match command {
        Command::Doctor => doctor::run(places, &mut out),
        Command::Where => places.print(&mut out).map(|()| true),
        Command::Keys => keys(places, &mut out),
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Arguments::command(), "tern", &mut script);
            out.write_all(&script).map(|()| true)
        }
        Command::Man => clap_mangen::Man::new(Arguments::command()).render(&mut out).map(|()| true),
    }
}

fn keys(places: &Places, out: &mut impl Write) -> io::Result<bool> {
    let keymap = match places.settings() {
        Ok(settings) => settings.keymap,
        Err(error) => {
            writeln!(out, "{error}")?;
            return Ok(false);
        }
    };
    for (name, command) in presets::names() {
        let keys: Vec<String> = presets::FOCUSES
            .iter()
            .filter_map(|(part, focus)| Some(format!("{part} {}", keymap.key_of(*focus, command)?)))
            .collect();
        writeln!(out, "{name:22} {:42} {}", presets::label(command), keys.join(", "))?;
    }
    Ok(true)
}
