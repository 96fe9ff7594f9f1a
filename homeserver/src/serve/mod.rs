//! A running server: everything opened, every listener up, until SIGTERM. Called by `ternd serve`.
//!
//! Not here: routes and layers (`gateway`).

mod connection;
mod listeners;
mod systemd;
mod tls;

use std::{
    fs::{File, TryLockError},
    io,
    path::{Path, PathBuf},
    time::Duration,
};

use tokio::signal::unix::{SignalKind, signal};

use self::{connection::Connections, listeners::Listeners};
use crate::{
    app::{App, AppError},
    clock::Clock,
    config::{Config, RateLimits},
    disk,
    gateway::{self, Server},
    media::{Media, MediaError},
    messaging,
    random::Random,
    storage,
    tasks::Tasks,
};

/// How long requests under way and background loops may take to end.
const STOP_TIME_MAX: Duration = Duration::from_secs(10);

/// Why a server would not start.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    #[error("{what} {}: {source}", path.display())]
    File { what: &'static str, path: PathBuf, source: io::Error },
    #[error("another ternd is using {}", .0.display())]
    InUse(PathBuf),
    #[error("cannot listen on {address}: {source}")]
    Listen { address: String, source: io::Error },
    #[error("the certificate {}: {problem}", file.display())]
    Certificate { file: PathBuf, problem: String },
    #[error(transparent)]
    App(#[from] AppError),
    #[error(transparent)]
    Messaging(#[from] messaging::Error),
    #[error(transparent)]
    Media(#[from] MediaError),
    #[error("cannot wait for signals: {0}")]
    Signals(io::Error),
}

/// Opens the database and builds every floor. The folder `data_dir` is made if it is missing.
///
/// # Errors
/// [`ServeError`] for whatever cannot be opened.
pub async fn open(config: Config) -> Result<Server, ServeError> {
    let (app, media) = open_tools(config).await?;
    Ok(Server::start(app, media).await?)
}

/// Opens the database and the files, and starts nothing.
///
/// # Errors
/// As [`open`].
pub async fn open_tools(config: Config) -> Result<(App, Media), ServeError> {
    make_folder(&config.data_dir)?;
    let app = App::open(config, Clock::default(), Random::default()).await?;
    let media = Media::open(&app)?;
    Ok((app, media))
}

/// Runs the server until it is told to stop.
///
/// # Errors
/// [`ServeError`] for whatever cannot be opened or listened on.
pub async fn run(config: Config) -> Result<(), ServeError> {
    make_folder(&config.data_dir)?;
    let _lock = lock(&config.data_dir)?;
    raise_file_limit();
    if config.limits.rate == RateLimits::Off {
        tracing::warn!("rate limits are off: for load tests and conformance only");
    }
    let mut signals = Signals::new().map_err(ServeError::Signals)?;
    let listen = config.listen.clone();
    let data_dir = config.data_dir.clone();
    let server = open(config).await?;
    let (app, sync) = (server.app.clone(), server.sync.clone());

    let tasks = app.tasks.clone();
    start_loops(&server, &tasks);
    let listeners = Listeners::bind(&listen).await?;
    let certificates = listeners.certificates();
    let addresses = listeners.addresses();
    let connections = Connections::new(gateway::router(server), &listen, app.clock.clone());
    listeners.serve(&connections, &tasks);
    addresses.write(&data_dir)?;
    addresses.log();
    systemd::notify("READY=1");

    signals.wait_for_stop(|| tls::reload(&certificates)).await;
    tracing::info!("stopping");
    systemd::notify("STOPPING=1");
    addresses.remove(&data_dir);
    app.bell.close();
    // Side by side: a neighbour that is slow to answer must not take the time of the requests under way.
    let (tasks_ended, connections_ended, sockets_ended, ()) = tokio::join!(
        tasks.stop(STOP_TIME_MAX),
        connections.stop(STOP_TIME_MAX),
        sync.stop_sockets(STOP_TIME_MAX),
        app.outbound.stop(STOP_TIME_MAX)
    );
    if !tasks_ended || !connections_ended || !sockets_ended {
        tracing::warn!("some requests were cut off: they took longer than {STOP_TIME_MAX:?}");
    }
    app.db.close().await;
    tracing::info!("stopped");
    Ok(())
}

/// Starts the background loops, each of which is on its floor. A loop is cut off where it waits; what it was doing is done
/// again after the next start.
fn start_loops(server: &Server, tasks: &Tasks) {
    tasks.start_interruptible("jobs", server.jobs().run());
    let (db, clock) = (server.app.db.clone(), server.app.clock.clone());
    tasks.start_interruptible("retention", storage::retention::run(db, clock));
    tasks.start_interruptible("memory", messaging::shares::run(server.engine.clone()));
    tasks.start_interruptible("typing", messaging::typing::expire(server.engine.clone()));
    if server.app.config.presence.enabled {
        tasks.start_interruptible("presence", messaging::presence::watch(server.engine.clone()));
    }
    tasks.start_interruptible("device lists", messaging::keys::catch_up(server.app.clone()));
    tasks.start_interruptible("search index", messaging::search::run(server.engine.clone()));
    tasks.start_interruptible("received events", messaging::reception::run(server.engine.clone()));
}

/// Makes a folder that only its owner may read; its name is on the disk then.
pub fn make_folder(path: &Path) -> Result<(), ServeError> {
    disk::make_folder(path, disk::PRIVATE).map_err(|source| ServeError::File {
        what: "cannot make the folder",
        path: path.to_owned(),
        source,
    })
}

/// Holds the data folder for this process; the lock ends with it, however it ends.
///
/// # Errors
/// [`ServeError::InUse`] when another process holds it.
pub fn lock(data_dir: &Path) -> Result<File, ServeError> {
    let path = data_dir.join("ternd.lock");
    let failed = |source| ServeError::File { what: "cannot lock", path: path.clone(), source };
    let file = File::create(&path).map_err(failed)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(ServeError::InUse(data_dir.to_owned())),
        Err(TryLockError::Error(source)) => Err(failed(source)),
    }
}

/// Every waiting client holds a file descriptor, and the usual soft limit is 1,024.
fn raise_file_limit() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    if limit.current != limit.maximum
        && let Err(error) = setrlimit(Resource::Nofile, raised)
    {
        tracing::warn!(%error, "the limit of open files stays at {:?}", limit.current);
    }
}

/// What the operator or the system tells the process.
struct Signals {
    terminate: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
    hang_up: tokio::signal::unix::Signal,
}

impl Signals {
    fn new() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hang_up: signal(SignalKind::hangup())?,
        })
    }

    /// Returns at SIGTERM or SIGINT; calls `reload` at each SIGHUP until then.
    async fn wait_for_stop(&mut self, reload: impl Fn()) {
        loop {
            tokio::select! {
                _ = self.terminate.recv() => return,
                _ = self.interrupt.recv() => return,
                _ = self.hang_up.recv() => reload(),
            }
        }
    }
}
