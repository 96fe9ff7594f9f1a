//! A private PostgreSQL: one for the whole test process, a fresh database in it for each server.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::atomic::{AtomicU32, Ordering},
};

use anyhow::{Context, Result, bail, ensure};
use tokio::sync::OnceCell;
use url::Url;

use crate::{
    loopback::free_port,
    patience::PATIENCE,
    process::{Afterwards, Process},
};

/// What a server under test stores its data in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Database {
    /// The embedded database, a file in the server's data folder.
    Sqlite,
    /// A fresh database of [`Postgres::shared`].
    Postgres,
}

impl Database {
    /// What `TERN_TEST_DATABASE` says: `postgres`, or anything else for SQLite.
    pub fn from_env() -> Self {
        match env::var("TERN_TEST_DATABASE").as_deref() {
            Ok("postgres") => Self::Postgres,
            _ => Self::Sqlite,
        }
    }
}

/// A running PostgreSQL server of our own.
#[derive(Debug)]
pub struct Postgres {
    url: Url,
    folder: PathBuf,
    /// `None` where `TERN_TEST_POSTGRES` names one that was started by somebody else.
    _process: Option<Process>,
}

static SHARED: OnceCell<Postgres> = OnceCell::const_new();
static DATABASES: AtomicU32 = AtomicU32::new(0);

impl Postgres {
    /// The one of this test process, started at the first call; the one at `TERN_TEST_POSTGRES` (a URL without a database, its
    /// data folder in `TERN_TEST_POSTGRES_FOLDER`) where that is set. It ends with the process.
    ///
    /// # Errors
    /// When PostgreSQL is not installed or does not start.
    pub async fn shared() -> Result<&'static Self> {
        SHARED
            .get_or_try_init(async || match env::var("TERN_TEST_POSTGRES") {
                Ok(url) => Ok(Self {
                    url: Url::parse(&url).context("TERN_TEST_POSTGRES")?,
                    folder: env::var_os("TERN_TEST_POSTGRES_FOLDER").unwrap_or_default().into(),
                    _process: None,
                }),
                Err(_) => Self::start().await,
            })
            .await
    }

    /// Whether its programs are installed.
    pub fn available() -> bool {
        env::var_os("TERN_TEST_POSTGRES").is_some() || program("initdb").is_ok()
    }

    /// Starts one in a temporary folder, on a free port of 127.0.0.1, with nobody's password.
    async fn start() -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("tern-postgres-").tempdir()?.keep();
        let data = folder.join("data");
        fs::create_dir(&data)?;
        // The server refuses to run as root.
        let root = rustix::process::geteuid().is_root();
        if root {
            run(Command::new("chown").arg("-R").arg("postgres").arg(&folder))?;
        }
        run(as_postgres(root, &program("initdb")?).arg("-D").arg(&data).args([
            "--auth=trust",
            "--username=postgres",
            "--encoding=UTF8",
            "--locale=C",
            "--no-sync",
        ]))?;

        let port = free_port()?;
        let mut command = as_postgres(root, &program("postgres")?);
        command.arg("-D").arg(&data).arg("-k").arg(&folder).args(["-p", &port.to_string()]);
        // Durability is tested on SQLite and by tracing; here it would only cost time.
        for setting in ["fsync=off", "listen_addresses=127.0.0.1", "max_connections=300"] {
            command.args(["-c", setting]);
        }
        command.current_dir(&folder);
        let mut process = Process::spawn_with(
            "postgres",
            &command,
            &folder.join("postgres.log"),
            Afterwards::QuitAndRemove(&folder),
        )?;
        let url = Url::parse(&format!("postgres://postgres@127.0.0.1:{port}"))?;
        process
            .wait_ready(PATIENCE, async || {
                let ready = psql(&url, "postgres", "SELECT 1").is_ok();
                Ok(ready.then_some(()))
            })
            .await?;
        Ok(Self { url, folder, _process: Some(process) })
    }

    /// A new, empty database; gives its URL.
    ///
    /// # Errors
    /// When the server refuses.
    pub fn fresh_database(&self) -> Result<String> {
        let number = DATABASES.fetch_add(1, Ordering::Relaxed);
        // Several test processes may share the server.
        let name = format!("tern_{}_{number}", std::process::id());
        psql(&self.url, "postgres", &format!("CREATE DATABASE {name}"))?;
        let mut url = self.url.clone();
        url.set_path(&name);
        Ok(url.into())
    }

    /// All tables of a database as text; binary columns are in hexadecimal there.
    ///
    /// # Errors
    /// When `pg_dump` is missing or refuses.
    pub fn dump(url: &str) -> Result<Vec<u8>> {
        let output = Command::new(program("pg_dump")?).arg(url).stdin(Stdio::null()).output()?;
        let complaint = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "pg_dump: {complaint}");
        Ok(output.stdout)
    }

    /// The folder with its data and its write-ahead log; empty where that is unknown.
    pub fn folder(&self) -> &Path {
        &self.folder
    }
}

fn psql(server: &Url, database: &str, statement: &str) -> Result<()> {
    let mut url = server.clone();
    url.set_path(database);
    run(Command::new(program("psql")?).args(["-X", "-q", "-c", statement]).arg(url.as_str()))
}

fn run(command: &mut Command) -> Result<()> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output =
        command.stdin(Stdio::null()).output().with_context(|| format!("cannot run {name}"))?;
    let complaint = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{name}: {complaint}");
    Ok(())
}

fn as_postgres(root: bool, program: &Path) -> Command {
    if !root {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command.args(["--reuid=postgres", "--regid=postgres", "--init-groups", "--"]).arg(program);
    command
}

/// Finds one of PostgreSQL's programs; Debian keeps the server's out of `PATH`.
fn program(name: &str) -> Result<PathBuf> {
    let mut folders: Vec<PathBuf> = Vec::new();
    if let Ok(versions) = fs::read_dir("/usr/lib/postgresql") {
        let mut installed: Vec<PathBuf> =
            versions.flatten().map(|version| version.path().join("bin")).collect();
        installed.sort();
        folders.extend(installed.into_iter().rev());
    }
    folders.extend(env::split_paths(&env::var_os("PATH").unwrap_or_default()));
    match folders.into_iter().map(|folder| folder.join(name)).find(|path| path.is_file()) {
        Some(path) => Ok(path),
        None => bail!(
            "PostgreSQL's `{name}` is not installed: run ./test, or apt-get install postgresql"
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn every_database_is_a_fresh_one() {
        if !Postgres::available() {
            eprintln!("PostgreSQL is not installed here: nothing shown");
            return;
        }
        let postgres = Postgres::shared().await.unwrap();

        let (one, other) = (postgres.fresh_database().unwrap(), postgres.fresh_database().unwrap());
        let create = "CREATE TABLE messages (body TEXT); INSERT INTO messages VALUES ('hello')";
        run(Command::new("psql").args(["-X", "-q", "-c", create, &one])).unwrap();

        assert_ne!(one, other);
        let dumped = |url: &str| String::from_utf8(Postgres::dump(url).unwrap()).unwrap();
        assert!(dumped(&one).contains("hello"));
        assert!(!dumped(&other).contains("hello"));
    }
}
