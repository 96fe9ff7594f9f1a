//! The command line: one file a command. Called by `main` only.

mod admin;
mod check;
mod init;
mod mail;
mod purge;
mod reports;
mod serve;
mod settings;
mod token;

use std::{
    io::{self, Write},
    path::PathBuf,
};

use clap::{Args, Parser, Subcommand};

use crate::{
    config::{Config, ConfigError},
    serve::ServeError,
    storage,
};

/// A Matrix homeserver of one's own.
#[derive(Debug, Parser)]
#[command(name = "ternd", version)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make a config and a signing key for a new server. Asks for what the options leave out.
    Init(init::Init),
    /// Run the server until SIGTERM.
    Serve(ConfigFile),
    /// Check a config and print the effective settings, secrets hidden.
    Config(ConfigFile),
    /// Check that the database and the files of a stopped server hold together.
    Check(ConfigFile),
    /// Show the mails that the file transport wrote, newest last.
    Mail(mail::Mail),
    /// Make a registration token and print it.
    Token(token::Token),
    /// Make a user an administrator of the server.
    Admin(admin::Admin),
    /// Show what users reported, newest last.
    Reports(reports::Reports),
    /// Remove a room that nobody here is in from the database of a stopped server.
    Purge(purge::Purge),
}

/// Which config.
#[derive(Debug, Args)]
struct ConfigFile {
    /// The config file.
    #[arg(long, value_name = "FILE", default_value = "tern.toml", env = "TERN_CONFIG")]
    config: PathBuf,
}

impl ConfigFile {
    fn load(&self) -> Result<Config, CliError> {
        Ok(Config::load(&self.config)?)
    }
}

/// Why a command failed; what the person at the terminal reads.
#[derive(Debug, thiserror::Error)]
pub enum CliError {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    Serve(#[from] ServeError),
    #[error(transparent)]
    Storage(#[from] storage::Error),
    #[error("{what} {}: {source}", path.display())]
    File { what: &'static str, path: PathBuf, source: io::Error },
    #[error("{} exists already: nothing was changed", .0.display())]
    Exists(PathBuf),
    /// An option is missing or cannot be meant.
    #[error("{0}")]
    Usage(String),
    #[error("{0}")]
    Io(#[from] io::Error),
}

impl Cli {
    /// Runs the command.
    ///
    /// # Errors
    /// [`CliError`], whose text is for the person at the terminal.
    pub fn run(self) -> Result<(), CliError> {
        match self.command {
            Command::Init(options) => init::run(options),
            Command::Serve(file) => serve::run(&file.load()?),
            Command::Config(file) => settings::run(&file.load()?),
            Command::Check(file) => check::run(&file),
            Command::Mail(options) => mail::run(&options),
            Command::Token(options) => token::run(&options),
            Command::Admin(options) => admin::run(&options),
            Command::Reports(options) => reports::run(&options),
            Command::Purge(options) => purge::run(&options),
        }
    }
}

/// Prints to standard output.
fn print(text: &str) -> Result<(), CliError> {
    match io::stdout().write_all(text.as_bytes()) {
        // The reader had enough: `ternd mail | head`.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => Ok(other?),
    }
}

/// What others wrote must not steer the terminal.
fn printable(text: &str) -> String {
    text.chars().filter(|char| *char == '\n' || !char.is_control()).collect()
}

/// A runtime for one command.
fn block_on<T>(work: impl Future<Output = Result<T, CliError>>) -> Result<T, CliError> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(work)
}
