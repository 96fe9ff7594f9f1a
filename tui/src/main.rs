//! `tern`: arguments, log file, keys, and the loop on this terminal.

use anyhow::Context;
use clap::Parser;
use futures_util::{Stream, StreamExt, stream};
use std::fs::OpenOptions;
use std::io;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;
use tern_tui::action::Action;
use tern_tui::app::{App, Signal};
use tern_tui::backend::{self, Config, Connection};
use tern_tui::browser;
use tern_tui::cli::{self, Arguments, Places};
use tern_tui::input;
use tern_tui::lock::DataLock;
use tern_tui::notify::Notifier;
use tern_tui::passcode::Passcode;
use tern_tui::pictures::Protocol;
use tern_tui::settings::Settings;
use tern_tui::snapshot::SnapshotFile;
use tern_tui::state::State;
use tern_tui::state::welcome::Welcome;
use tern_tui::terminal::{self, Screen, restore_on_panic};
use tern_tui::{keys, probe, sanitize};
use tokio::signal::unix::{SignalKind, signal};

/// The system's is what a message cost most of all that is not its own work.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// A log that has grown past this is begun anew at start.
const LOG_BYTES_MAX: u64 = 4 * 1024 * 1024;
/// The longest that the stores may take to close.
const LAST_WORK: Duration = Duration::from_secs(3);

fn main() -> ExitCode {
    match run() {
        Ok(code) => code,
        Err(error) => {
            // For people: what is wrong, without where in the program.
            eprintln!("tern: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> anyhow::Result<ExitCode> {
    let arguments = Arguments::parse();
    let places = Places::new(&arguments)
        .context("no home folder is known: say where to keep data with --data DIR")?;
    if let Some(command) = arguments.command {
        backend::matrix::http::install_crypto_provider();
        return Ok(match cli::run(command, &places) {
            Ok(true) => ExitCode::SUCCESS,
            // Whoever reads has read enough.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
            Ok(false) => ExitCode::FAILURE,
            Err(error) => return Err(error.into()),
        });
    }
    let settings = places.settings()?;
    let data_dir = places.data.clone();
    let store_key = keys::store_key(&data_dir)?;
    let _lock = DataLock::take(&data_dir)?;
    start_log(&data_dir)?;
    if rustls::crypto::aws_lc_rs::default_provider().install_default().is_err() {
        tracing::debug!("a TLS provider was installed already");
    }
    let config = Config {
        data_dir,
        extra_ca: arguments.ca,
        server: arguments.server,
        store_key,
        socket: settings.socket,
    };
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let shown = runtime.block_on(show(config, settings, arguments.open));
    // Tasks of the network may be in the middle of something; the terminal has been given back, they are not waited for.
    runtime.shutdown_background();
    shown.map(|()| ExitCode::SUCCESS)
}

async fn show(config: Config, settings: Settings, wanted: Option<String>) -> anyhow::Result<()> {
    // Listening begins before the terminal is taken over: a signal or a new size in between must not be lost.
    let (inputs, signals) = (input::from_terminal()?, signals()?);
    let size = crossterm::terminal::size().context("tern needs a terminal")?;
    restore_on_panic();
    let colors = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    tern_tui::bidi::judge_terminal(variable);
    let notifier = Notifier::new(&settings.notify, variable);
    let true_color =
        variable("COLORTERM").is_some_and(|value| value.contains("24bit") || value == "truecolor");
    let mut screen =
        Screen::new(io::stdout(), colors).with_mouse(settings.mouse).with_true_color(true_color);
    screen.set_theme(settings.theme);
    screen.set_pictures(Protocol::new(settings.images, variable));
    screen.enter().context("tern needs a terminal")?;
    screen.say(&probe::questions(size.1))?;
    let welcome = Welcome::new(&sanitize::line(config.server.as_deref().unwrap_or_default()));
    let (zone, theme, slow_link) = (settings.zone, settings.theme, settings.slow_link);
    let picture_mode = Protocol::new(settings.images, variable).mode;
    let settings = Arc::new(settings);
    let state = State {
        size,
        picture_mode,
        wanted,
        welcome: Some(welcome),
        opens_links: browser::is_near(),
        settings,
        zone,
        theme,
        slow_link,
        ..State::default()
    };
    let file = SnapshotFile::new(&config.data_dir, config.store_key);
    let accounts = backend::matrix::accounts(&config.data_dir);
    let last = file.load().and_then(|last| last.of(&accounts));
    let passcode = Passcode::new(&config.data_dir);
    let mut app = App::new(state, screen, Some(file)).with_passcode(passcode);
    app.furnish(inputs.clone(), notifier);
    match last {
        Some(last) => app.act(Action::Restore(Box::new(last)))?,
        // Somebody is logged in: an empty chat screen fills, a first-run screen would only flash up.
        None if !accounts.is_empty() => app.state.welcome = None,
        None => {}
    }
    for account in accounts {
        let account = app.state.accounts.entry(account).or_default();
        account.connection = Some(Connection::Connecting);
    }
    // The first paint waits for no store and no network.
    app.draw()?;
    let (sender, mut reports) = tokio::sync::mpsc::unbounded_channel();
    let (backend, worker) = backend::matrix::start(config, sender);
    app.attach(backend);
    let ran = app.run(inputs, &mut reports, signals).await;
    app.screen_mut().leave()?;
    drop(app);
    if tokio::time::timeout(LAST_WORK, worker).await.is_err() {
        tracing::warn!("the stores did not close in time");
    }
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
