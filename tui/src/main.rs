//! `tern`: arguments, log file, keys, and the loop on this terminal.

use anyhow::Context;
use clap::Parser;
use futures_util::{Stream, StreamExt, stream};
use std::fs::OpenOptions;
use std::io;
use std::path::{Path, PathBuf};
use tern_tui::action::Action;
use tern_tui::app::{App, Signal};
use tern_tui::backend::{self, Config, Connection};
use tern_tui::input;
use tern_tui::lock::DataLock;
use tern_tui::snapshot::SnapshotFile;
use tern_tui::state::State;
use tern_tui::state::welcome::Welcome;
use tern_tui::terminal::{self, Screen, restore_on_panic};
use tern_tui::{keys, sanitize};
use tokio::signal::unix::{SignalKind, signal};

/// A log that has grown past this is begun anew at start.
const LOG_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// A Matrix client for the terminal.
#[derive(Parser)]
#[command(name = "tern", version, about)]
struct Arguments {
    /// Keep everything in this folder.
    #[arg(long, value_name = "DIR", env = "TERN_DATA")]
    data: Option<PathBuf>,
    /// Trust the certificates in this PEM file, too.
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// Offer this server first.
    #[arg(long, value_name = "URL")]
    server: Option<String>,
    /// Open this chat: its id, its name, or the other person's id.
    #[arg(long, value_name = "ROOM")]
    open: Option<String>,
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let data_dir = match arguments.data {
        Some(data_dir) => data_dir,
        None => default_data_dir()
            .context("no home folder is known: say where to keep data with --data DIR")?,
    };
    let store_key = keys::store_key(&data_dir)?;
    let _lock = DataLock::take(&data_dir)?;
    start_log(&data_dir)?;
    if rustls::crypto::aws_lc_rs::default_provider().install_default().is_err() {
        tracing::debug!("a TLS provider was installed already");
    }
    let config = Config { data_dir, extra_ca: arguments.ca, server: arguments.server, store_key };
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let shown = runtime.block_on(show(config, arguments.open));
    // Tasks of the network may be in the middle of something; the terminal has been given back, they are not waited for.
    runtime.shutdown_background();
    shown
}

async fn show(config: Config, wanted: Option<String>) -> anyhow::Result<()> {
    // Listening begins before the terminal is taken over: a signal or a new size in between must not be lost.
    let (inputs, signals) = (input::from_terminal(), signals()?);
    let size = crossterm::terminal::size().context("tern needs a terminal")?;
    restore_on_panic();
    let colors = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    let mut screen = Screen::new(io::stdout(), colors);
    screen.enter().context("tern needs a terminal")?;
    let welcome = Welcome::new(&sanitize::line(config.server.as_deref().unwrap_or_default()));
    let state = State { size, wanted, welcome: Some(welcome), ..State::default() };
    let file = SnapshotFile::new(&config.data_dir, config.store_key);
    let last = file.load();
    let mut app = App::new(state, screen, Some(file));
    match last {
        Some(last) => app.act(Action::Restore(Box::new(last)))?,
        // Somebody is logged in: an empty chat screen fills, a first-run screen would only flash up.
        None if backend::matrix::has_session(&config.data_dir) => {
            app.state.welcome = None;
            app.state.connection = Some(Connection::Connecting);
        }
        None => {}
    }
    // The first paint waits for no store and no network.
    app.draw()?;
    let (sender, mut reports) = tokio::sync::mpsc::unbounded_channel();
    app.attach(backend::matrix::start(config, sender));
    let ran = app.run(inputs, &mut reports, signals).await;
    app.screen_mut().leave()?;
    Ok(ran?)
}

fn signals() -> io::Result<impl Stream<Item = Signal>> {
    let listen = |kind, means| {
        let listening = signal(kind)?;
        io::Result::Ok(stream::unfold(listening, move |mut listening| async move {
            listening.recv().await?;
            Some((means, listening))
        }))
    };
    let quit = [SignalKind::terminate(), SignalKind::hangup(), SignalKind::interrupt()];
    let mut all = stream::SelectAll::new();
    all.push(stream::once(terminal::gone()).map(|()| Signal::Quit).boxed());
    for kind in quit {
        all.push(listen(kind, Signal::Quit)?.boxed());
    }
    all.push(listen(SignalKind::from_raw(signal_hook::consts::SIGTSTP), Signal::Suspend)?.boxed());
    all.push(listen(SignalKind::from_raw(signal_hook::consts::SIGCONT), Signal::Continue)?.boxed());
    Ok(all)
}

/// `$XDG_DATA_HOME/tern`, or `~/.local/share/tern`.
fn default_data_dir() -> Option<PathBuf> {
    let set = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let base = set("XDG_DATA_HOME").or_else(|| Some(set("HOME")?.join(".local/share")))?;
    Some(base.join("tern"))
}

/// Warnings go to `tern.log` in the data folder; RUST_LOG asks for more.
fn start_log(data_dir: &Path) -> anyhow::Result<()> {
    let path = data_dir.join("tern.log");
    let full = std::fs::metadata(&path).is_ok_and(|file| file.len() > LOG_BYTES_MAX);
    let file = OpenOptions::new()
        .create(true)
        .write(true)
        .append(!full)
        .truncate(full)
        .open(&path)
        .with_context(|| format!("{}", path.display()))?;
    let filter =
        tracing_subscriber::EnvFilter::try_from_default_env().unwrap_or_else(|_| "warn".into());
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(false)
        .with_writer(std::sync::Mutex::new(sanitize::Writer::new(file)))
        .init();
    Ok(())
}
