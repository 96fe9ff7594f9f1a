//! A Synapse to federate with: installed by pip, unmodified, strict about certificates.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use anyhow::{Result, ensure};

use crate::{
    cas::Cas,
    http::Api,
    loopback::{Loopback, free_port},
    patience::PATIENCE,
    process::Process,
    python::{imports, python},
    smtp_sink::SmtpSink,
    strace::Strace,
    synapse_config::{Choices, config, logging},
};

/// Python needs a while to come up when two cores are busy.
const START_LIMIT: Duration = Duration::from_secs(120);

/// The program, as Python names it.
const MODULE: &str = "synapse.app.homeserver";

/// A Synapse not started yet.
pub struct SynapseBuilder<'a> {
    loopback: &'a Loopback,
    folder: String,
    python: PathBuf,
    disk_delay: Option<Duration>,
    plain_http: bool,
    choices: Choices,
}

impl<'a> SynapseBuilder<'a> {
    pub(crate) fn new(loopback: &'a Loopback) -> Self {
        Self {
            loopback,
            folder: "synapse".to_owned(),
            python: python(),
            disk_delay: None,
            plain_http: false,
            choices: Choices {
                presence: true,
                log_level: "INFO".to_owned(),
                plain_port: None,
                mail: None,
                cas: None,
            },
        }
    }

    /// The interpreter to run it with, instead of [`python`].
    #[must_use]
    pub fn python(mut self, path: &Path) -> Self {
        path.clone_into(&mut self.python);
        self
    }

    /// Its folder's name; a second Synapse on one [`Loopback`] needs another than `synapse`.
    #[must_use]
    pub fn folder(mut self, name: &str) -> Self {
        name.clone_into(&mut self.folder);
        self
    }

    /// Adds `delay` to every sync call to the disk; needs strace.
    #[must_use]
    pub fn slow_disk(mut self, delay: Option<Duration>) -> Self {
        self.disk_delay = delay;
        self
    }

    /// Serves plain HTTP too, on one port over all starts: [`Synapse::plain_url`].
    #[must_use]
    pub fn plain_http(mut self) -> Self {
        self.plain_http = true;
        self
    }

    /// Switches presence off.
    #[must_use]
    pub fn without_presence(mut self) -> Self {
        self.choices.presence = false;
        self
    }

    /// What it logs, such as `WARNING`, instead of `INFO`.
    #[must_use]
    pub fn log_level(mut self, level: &str) -> Self {
        level.clone_into(&mut self.choices.log_level);
        self
    }

    /// People register by email only, and its mails go to `sink`.
    #[must_use]
    pub fn mail(mut self, sink: &SmtpSink) -> Self {
        self.choices.mail = Some(sink.address());
        self
    }

    /// `cas` vouches for people, too.
    #[must_use]
    pub fn cas(mut self, cas: &Cas) -> Self {
        self.choices.cas = Some(cas.url());
        self
    }

    /// Starts it and waits until it answers.
    ///
    /// # Errors
    /// When it is not installed ([`Synapse::available`] says so beforehand) or does not start.
    pub async fn start(mut self) -> Result<Synapse> {
        let installed = imports(&self.python, MODULE);
        ensure!(installed, "matrix-synapse is not installed: ./test installs it");
        let folder = self.loopback.subfolder(&self.folder)?;
        let name = format!("localhost:{}", free_port()?);
        self.choices.plain_port = if self.plain_http { Some(free_port()?) } else { None };
        let certificate = self.loopback.authority().issue("localhost", &folder)?;
        let authority = self.loopback.authority().file();
        let config = config(&name, &folder, &certificate, authority, &self.choices);
        // JSON is YAML.
        fs::write(folder.join("homeserver.yaml"), serde_json::to_vec_pretty(&config)?)?;
        let logging = logging(&folder, &self.choices.log_level);
        fs::write(folder.join("log.yaml"), serde_json::to_vec_pretty(&logging)?)?;
        let mut synapse = Synapse {
            api: self.loopback.api(&format!("https://{name}"))?,
            plain_url: self.choices.plain_port.map(|port| format!("http://127.0.0.1:{port}")),
            name,
            folder,
            python: self.python,
            disk_delay: self.disk_delay,
            process: None,
        };
        let generate = synapse.command().arg("--generate-keys").output()?;
        let complaint = String::from_utf8_lossy(&generate.stderr);
        ensure!(generate.status.success(), "synapse --generate-keys: {complaint}");
        synapse.restart().await?;
        Ok(synapse)
    }
}

/// A running Synapse. Dropping it kills it.
pub struct Synapse {
    name: String,
    folder: PathBuf,
    python: PathBuf,
    plain_url: Option<String>,
    disk_delay: Option<Duration>,
    api: Api,
    process: Option<Process>,
}

impl Synapse {
    /// Whether it is installed.
    pub fn available() -> bool {
        imports(&python(), MODULE)
    }

    /// The installed version.
    ///
    /// # Errors
    /// When it is not installed.
    pub fn version() -> Result<String> {
        let print = "import importlib.metadata as m; print(m.version('matrix-synapse'))";
        let output = Command::new(python()).args(["-c", print]).output()?;
        ensure!(output.status.success(), "matrix-synapse is not installed");
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    }

    /// Starts it (again) with the same name and data, and waits until it answers.
    ///
    /// # Errors
    /// When it does not within two minutes; its log is shown.
    pub async fn restart(&mut self) -> Result<()> {
        self.stop().await?;
        let log = self.folder.join("output.log");
        let command = self.command();
        let strace = self.disk_delay.map(Strace::slowing);
        let command = strace.map(|strace| strace.wrap(&command)).unwrap_or(command);
        let mut process = Process::spawn("synapse", &command, &log)?;
        process
            .wait_ready(START_LIMIT, async || {
                let answer = self.api.get("/_matrix/client/versions").await?;
                Ok((answer.status == 200).then_some(()))
            })
            .await?;
        self.process = Some(process);
        Ok(())
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.python);
        command.args(["-m", MODULE, "--config-path"]);
        command.arg(self.folder.join("homeserver.yaml")).current_dir(&self.folder);
        command
    }

    /// Its server name, such as `localhost:41234`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where it serves plain HTTP, if [`SynapseBuilder::plain_http`] asked for it.
    pub fn plain_url(&self) -> Option<&str> {
        self.plain_url.as_deref()
    }

    /// Its process id while it runs.
    pub fn pid(&self) -> Option<u32> {
        self.process.as_ref().map(Process::pid)
    }

    /// The full id of a user here.
    pub fn user_id(&self, localpart: &str) -> String {
        format!("@{localpart}:{}", self.name)
    }

    /// Its folder, with `homeserver.log`.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// A logged-out client.
    pub fn api(&self) -> &Api {
        &self.api
    }

    /// Registers a user; anyone may.
    ///
    /// # Errors
    /// When it is refused.
    pub async fn register(&self, username: &str, password: &str) -> Result<Api> {
        self.api.register_openly(username, password).await
    }

    /// SIGTERM, and waits for its end.
    ///
    /// # Errors
    /// When it does not stop within [`PATIENCE`].
    pub async fn stop(&mut self) -> Result<()> {
        if let Some(mut process) = self.process.take() {
            process.terminate(PATIENCE).await?;
        }
        Ok(())
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
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[tokio::test]
    async fn synapse_starts_takes_a_user_and_keeps_its_data_over_a_restart() {
        if !Synapse::available() {
            eprintln!("matrix-synapse is not installed here: nothing shown");
            return;
        }
        let loopback = Loopback::new().unwrap();
        let mut synapse = loopback.synapse().await.unwrap();
        let bob = synapse.register("bob", "a password for a test").await.unwrap();
        let room = bob.create_room(json!({ "preset": "public_chat" })).await.unwrap();

        let event = bob.send_text(&room, "hello").await.unwrap();
        synapse.restart().await.unwrap();

        assert_eq!(bob.user_id(), synapse.user_id("bob"));
        assert_eq!(bob.joined_rooms().await.unwrap(), std::slice::from_ref(&room));
        bob.wait_for_event(&room, &event).await.unwrap();
    }
}
