//! The real `ternd`, as an operator runs it: a configuration file, a data folder, a process.

use std::{
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    time::Duration,
};

use anyhow::{Result, bail, ensure};

use crate::{
    certificates::ServerCertificate,
    front::Front,
    http::Api,
    loopback::{Loopback, free_port},
    mail::Mail,
    patience::{PATIENCE, until},
    postgres::{Database, Postgres},
    process::{Process, binary},
    search_bytes::{Finding, Marker},
    small_disk::SmallDisk,
    strace::Strace,
};

/// How often a start is tried again with another port when somebody took the first.
const START_ATTEMPTS: u32 = 5;

/// How long a graceful stop may take.
const STOP_LIMIT: Duration = Duration::from_secs(20);

/// A server not started yet.
pub struct TerndBuilder<'a> {
    loopback: &'a Loopback,
    host: String,
    database: Database,
    registration: String,
    smtp_url: Option<String>,
    allow_loopback: bool,
    limits_off: bool,
    more: Vec<(String, String)>,
    launch: Launch,
    plain_http: bool,
    front: bool,
}

/// How the program is started.
#[derive(Debug, Clone, Default)]
struct Launch {
    /// The program; the workspace's own when none is named.
    binary: Option<PathBuf>,
    /// `RUST_LOG`.
    log_level: Option<String>,
    /// What it runs below.
    strace: Option<Strace>,
    /// The size of the file system of its own for its data, if it has one.
    disk_bytes: Option<u64>,
}

impl<'a> TerndBuilder<'a> {
    pub(crate) fn new(loopback: &'a Loopback, host: &str, database: Database) -> Self {
        Self {
            loopback,
            host: host.to_owned(),
            database,
            registration: "email".to_owned(),
            smtp_url: None,
            allow_loopback: true,
            limits_off: true,
            more: Vec::new(),
            launch: Launch::default(),
            plain_http: false,
            front: false,
        }
    }

    /// Which database.
    #[must_use]
    pub fn database(mut self, database: Database) -> Self {
        self.database = database;
        self
    }

    /// `email` (the default here), `token`, `open` or `closed`.
    #[must_use]
    pub fn registration(mut self, mode: &str) -> Self {
        mode.clone_into(&mut self.registration);
        self
    }

    /// Sends mail there instead of writing files.
    #[must_use]
    pub fn smtp(mut self, url: &str) -> Self {
        self.smtp_url = Some(url.to_owned());
        self
    }

    /// Leaves `federation.allow_networks` at its default, so that loopback is out of bounds.
    #[must_use]
    pub fn private_networks_refused(mut self) -> Self {
        self.allow_loopback = false;
        self
    }

    /// Leaves the rate limits at their default; they are off otherwise.
    #[must_use]
    pub fn with_rate_limits(mut self) -> Self {
        self.limits_off = false;
        self
    }

    /// One more line in a table of the configuration: `setting("rooms", "default_version = \"11\"")`.
    #[must_use]
    pub fn setting(mut self, table: &str, line: &str) -> Self {
        self.more.push((table.to_owned(), line.to_owned()));
        self
    }

    /// Another program than the one built beside the running one.
    #[must_use]
    pub fn binary(mut self, path: &Path) -> Self {
        self.launch.binary = Some(path.to_owned());
        self
    }

    /// What it logs, instead of what `TERND_LOG` says or `info`.
    #[must_use]
    pub fn log_level(mut self, level: &str) -> Self {
        self.launch.log_level = Some(level.to_owned());
        self
    }

    /// Adds `delay` to every sync call to the disk; needs strace.
    #[must_use]
    pub fn slow_disk(mut self, delay: Option<Duration>) -> Self {
        self.launch.strace = delay.map(Strace::slowing);
        self
    }

    /// Runs it below strace from its first start on.
    #[must_use]
    pub fn strace(mut self, strace: Strace) -> Self {
        self.launch.strace = Some(strace);
        self
    }

    /// Keeps its data on a file system of this size, which only it sees; [`SmallDisk::available`] says whether that can be.
    #[must_use]
    pub fn small_disk(mut self, bytes: u64) -> Self {
        self.launch.disk_bytes = Some(bytes);
        self
    }

    /// Serves plain HTTP too, on one port over all starts: [`Ternd::plain_url`].
    #[must_use]
    pub fn plain_http(mut self) -> Self {
        self.plain_http = true;
        self
    }

    /// Has a proxy speak TLS in front of it, which itself serves plain HTTP alone: its record shows what others say to it.
    #[must_use]
    pub fn behind_front(mut self) -> Self {
        self.front = true;
        self.plain_http()
    }

    /// Starts it and waits until it answers.
    ///
    /// # Errors
    /// When it is not built or does not start; its log is shown.
    pub async fn start(self) -> Result<Ternd> {
        let binary = match &self.launch.binary {
            Some(path) => path.clone(),
            None => binary("ternd")?,
        };
        let folder = self.loopback.subfolder(&self.host)?;
        let certificate = self.loopback.authority().issue(&self.host, &folder)?;
        for attempt in 1.. {
            // The port is part of the name, and a database belongs to one name: another port begins anew.
            fs::remove_dir_all(folder.join("data")).ok();
            let database_url = match self.database {
                Database::Sqlite => "sqlite:tern.db".to_owned(),
                Database::Postgres => Postgres::shared().await?.fresh_database()?,
            };
            let port = free_port()?;
            let name = format!("{}:{port}", self.host);
            let config = folder.join("config.toml");
            let plain = format!("127.0.0.1:{}", if self.plain_http { free_port()? } else { 0 });
            let text = self.config(&name, &folder, &database_url, &plain, &certificate);
            fs::write(&config, text)?;
            let data = folder.join("data");
            let mount = async |bytes| SmallDisk::mount(&data, bytes).await;
            let disk = match self.launch.disk_bytes {
                Some(bytes) => Some(mount(bytes).await?),
                None => None,
            };
            let mut ternd = Ternd {
                api: self.loopback.api(&format!("https://{name}"))?,
                name,
                folder: folder.clone(),
                config,
                binary: binary.clone(),
                launch: self.launch.clone(),
                plain_url: self.plain_http.then(|| format!("http://{plain}")),
                database_url,
                process: None,
                disk,
                front: None,
            };
            let starting = async {
                if self.front {
                    ternd.front =
                        Some(Front::start(self.loopback, &self.host, port, &plain).await?);
                }
                ternd.restart().await
            };
            match starting.await {
                Ok(()) => return Ok(ternd),
                Err(error) if attempt < START_ATTEMPTS && port_taken(&error) => {}
                Err(error) => return Err(error),
            }
        }
        bail!("no port stayed free")
    }

    /// The configuration file; every path and name in it is of our own making, so quoting is Rust's.
    fn config(
        &self,
        name: &str,
        folder: &Path,
        database_url: &str,
        plain: &str,
        certificate: &ServerCertificate,
    ) -> String {
        let port = name.rsplit_once(':').map_or("0", |(_, port)| port);
        let tables = [
            ("", format!("server_name = {name:?}\ndata_dir = {:?}", folder.join("data"))),
            ("listen", format!("http = [{plain:?}]")),
            ("database", format!("url = {database_url:?}")),
            ("registration", format!("mode = {:?}", self.registration)),
            (
                "mail",
                match &self.smtp_url {
                    Some(url) => format!("transport = \"smtp\"\nsmtp_url = {url:?}"),
                    None => "transport = \"file\"".to_owned(),
                },
            ),
            (
                "federation",
                format!(
                    "extra_ca = [{:?}]\nallow_networks = [{}]",
                    self.loopback.authority().file(),
                    if self.allow_loopback { "\"127.0.0.0/8\", \"::1/128\"" } else { "" },
                ),
            ),
            ("limits", format!("rate = {:?}", if self.limits_off { "off" } else { "default" })),
        ];
        let mut text = String::new();
        let known: Vec<&str> = tables.iter().map(|(table, _)| *table).collect();
        for (table, lines) in &tables {
            if !table.is_empty() {
                writeln!(text, "[{table}]").ok();
            }
            writeln!(text, "{lines}").ok();
            for (_, line) in self.more.iter().filter(|(more, _)| more == table) {
                writeln!(text, "{line}").ok();
            }
        }
        for (table, line) in &self.more {
            if !known.contains(&table.as_str()) {
                writeln!(text, "[{table}]\n{line}").ok();
            }
        }
        if self.front {
            return text;
        }
        let ServerCertificate { certificate, private_key } = certificate;
        writeln!(text, "[[listen.tls]]\naddress = \"127.0.0.1:{port}\"").ok();
        writeln!(text, "certificate = {certificate:?}\nprivate_key = {private_key:?}").ok();
        text
    }
}

fn port_taken(error: &anyhow::Error) -> bool {
    let text = format!("{error:#}").to_lowercase();
    text.contains("address already in use") || text.contains("address in use")
}

/// A running `ternd`. Dropping it kills it.
pub struct Ternd {
    name: String,
    folder: PathBuf,
    config: PathBuf,
    binary: PathBuf,
    launch: Launch,
    plain_url: Option<String>,
    database_url: String,
    api: Api,
    process: Option<Process>,
    /// Given back after the process.
    disk: Option<SmallDisk>,
    front: Option<Front>,
}

impl Ternd {
    /// Its server name, such as `alpha.localhost:41234`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// `https://` and its name.
    pub fn url(&self) -> String {
        format!("https://{}", self.name)
    }

    /// Where it serves plain HTTP, if [`TerndBuilder::plain_http`] asked for it.
    pub fn plain_url(&self) -> Option<&str> {
        self.plain_url.as_deref()
    }

    /// The full id of a user here.
    pub fn user_id(&self, localpart: &str) -> String {
        format!("@{localpart}:{}", self.name)
    }

    /// Its folder: configuration, certificate, log and `data/`.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Its configuration file.
    pub fn config(&self) -> &Path {
        &self.config
    }

    /// Everything it printed, over all its starts.
    pub fn log(&self) -> PathBuf {
        self.folder.join("ternd.log")
    }

    /// A logged-out client.
    pub fn api(&self) -> &Api {
        &self.api
    }

    /// The database URL of its configuration.
    pub fn database_url(&self) -> &str {
        &self.database_url
    }

    /// Its process id while it runs.
    pub fn pid(&self) -> Option<u32> {
        self.process.as_ref().map(Process::pid)
    }

    /// SIGKILL.
    ///
    /// # Errors
    /// When it cannot be waited for.
    pub fn kill_9(&mut self) -> Result<()> {
        match self.process.take() {
            Some(mut process) => process.kill_9(),
            None => Ok(()),
        }
    }

    /// What it runs below from its next start on.
    pub fn set_strace(&mut self, strace: Option<Strace>) {
        self.launch.strace = strace;
    }

    /// Its data folder as this process sees it.
    pub fn data(&self) -> PathBuf {
        let folder = self.folder.join("data");
        self.disk.as_ref().map_or(folder, SmallDisk::seen_outside)
    }

    /// Whether it has ended by itself.
    ///
    /// # Errors
    /// When the system cannot say.
    pub fn has_ended(&mut self) -> Result<bool> {
        Ok(match &mut self.process {
            Some(process) => process.exited()?.is_some(),
            None => true,
        })
    }

    /// SIGTERM, and waits for a graceful end.
    ///
    /// # Errors
    /// When it does not stop within 20 s or ends with an error.
    pub async fn stop(&mut self) -> Result<()> {
        if let Some(mut process) = self.process.take() {
            let status = process.terminate(STOP_LIMIT).await?;
            ensure!(status.success(), "{} ended with {status} on SIGTERM", self.name);
        }
        Ok(())
    }

    /// Starts it (again) with the same name, folder and database, and waits until it answers.
    ///
    /// # Errors
    /// When it does not; its log is shown.
    pub async fn restart(&mut self) -> Result<()> {
        self.stop().await?;
        let mut command = Command::new(&self.binary);
        command.args(["serve", "--config"]).arg(&self.config).current_dir(&self.folder);
        let log_level = self.launch.log_level.clone().or_else(|| std::env::var("TERND_LOG").ok());
        command.env("RUST_LOG", log_level.unwrap_or("info".to_owned()));
        let strace = self.launch.strace.as_ref();
        let command = self.inside(strace.map(|strace| strace.wrap(&command)).unwrap_or(command));
        let mut process = Process::spawn(&self.name, &command, &self.log())?;
        process
            .wait_ready(PATIENCE, async || {
                let answer = self.api.get("/_matrix/client/versions").await?;
                Ok((answer.status == 200).then_some(()))
            })
            .await?;
        self.process = Some(process);
        Ok(())
    }

    /// Runs another subcommand of the same program on the same configuration: `run(&["token"])`.
    ///
    /// # Errors
    /// When it cannot be started; a failure of its own is in the output.
    pub fn run(&self, args: &[&str]) -> Result<Output> {
        let mut command = Command::new(&self.binary);
        command.args(args).arg("--config").arg(&self.config);
        Ok(self.inside(command).stdin(Stdio::null()).output()?)
    }

    /// `command` where the server's own disk is seen.
    fn inside(&self, command: Command) -> Command {
        match &self.disk {
            Some(disk) => disk.inside(&command),
            None => command,
        }
    }

    /// The mails it wrote as files, oldest first, through `ternd mail --json`.
    ///
    /// # Errors
    /// When the command fails.
    pub fn mails(&self) -> Result<Vec<Mail>> {
        let output = self.run(&["mail", "--json"])?;
        let complaint = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "ternd mail: {complaint}");
        let text = String::from_utf8(output.stdout)?;
        text.lines().filter(|line| !line.trim().is_empty()).map(Mail::from_json).collect()
    }

    /// Waits for the mail number `index` (from 0) to `address`.
    ///
    /// # Errors
    /// When it does not come within [`PATIENCE`].
    pub async fn wait_for_mail(&self, address: &str, index: usize) -> Result<Mail> {
        until(&format!("mail number {index} for {address}"), PATIENCE, async || {
            Ok(self.mails()?.into_iter().filter(|mail| mail.is_for(address)).nth(index))
        })
        .await
    }

    /// Everywhere the server keeps something that contains `marker`: its folder (database, write-ahead log, media, mails, log) and,
    /// on PostgreSQL, a dump of all tables and the cluster's own files.
    ///
    /// # Errors
    /// When something cannot be read.
    pub fn find(&self, marker: &Marker) -> Result<Vec<Finding>> {
        let mut findings = marker.find_below(&self.folder)?;
        if self.database_url.starts_with("postgres") {
            let dump = Postgres::dump(&self.database_url)?;
            findings.extend(marker.find_in(Path::new("pg_dump"), &dump));
        }
        Ok(findings)
    }
}

impl Drop for Ternd {
    fn drop(&mut self) {
        if std::thread::panicking()
            && let Some(process) = &self.process
        {
            eprintln!("{}", process.log_tail(60));
        }
    }
}
