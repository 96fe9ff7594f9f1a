//! A Synapse to federate with: installed by pip, unmodified, strict about certificates.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use anyhow::{Result, ensure};
use serde_json::json;

use crate::{
    certificates::ServerCertificate,
    http::Api,
    loopback::{Loopback, free_port},
    patience::PATIENCE,
    process::Process,
    python::{python, python_has},
    smtp_sink::SmtpSink,
};

/// Python needs a while to come up when two cores are busy.
const START_LIMIT: Duration = Duration::from_secs(120);

/// A running Synapse. Dropping it kills it.
pub struct Synapse {
    name: String,
    folder: PathBuf,
    api: Api,
    process: Option<Process>,
}

impl Synapse {
    /// Whether it is installed.
    pub fn available() -> bool {
        python_has("synapse.app.homeserver")
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

    /// `mail`: people register by email only, and mails go there; without it anybody may register.
    pub(crate) async fn start(loopback: &Loopback, mail: Option<&SmtpSink>) -> Result<Self> {
        ensure!(Self::available(), "matrix-synapse is not installed: ./test installs it");
        let folder = loopback.subfolder("synapse")?;
        let name = format!("localhost:{}", free_port()?);
        let certificate = loopback.authority().issue("localhost", &folder)?;
        let mut config = config(&name, &folder, &certificate, loopback.authority().file());
        if let (Some(sink), Some(fields)) = (mail, config.as_object_mut()) {
            fields.remove("enable_registration_without_verification");
            fields.insert("registrations_require_3pid".to_owned(), json!(["email"]));
            fields.insert("email".to_owned(), email(sink));
        }
        // JSON is YAML.
        fs::write(folder.join("homeserver.yaml"), serde_json::to_vec_pretty(&config)?)?;
        fs::write(folder.join("log.yaml"), serde_json::to_vec_pretty(&logging(&folder))?)?;
        let api = loopback.api(&format!("https://{name}"))?;
        let mut synapse = Self { name, folder, api, process: None };
        let generate = synapse.command().arg("--generate-keys").output()?;
        let complaint = String::from_utf8_lossy(&generate.stderr);
        ensure!(generate.status.success(), "synapse --generate-keys: {complaint}");
        synapse.restart().await?;
        Ok(synapse)
    }

    /// Starts it (again) with the same name and data, and waits until it answers.
    ///
    /// # Errors
    /// When it does not within two minutes; its log is shown.
    pub async fn restart(&mut self) -> Result<()> {
        self.stop().await?;
        let log = self.folder.join("output.log");
        let mut process = Process::spawn("synapse", &self.command(), &log)?;
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
        let mut command = Command::new(python());
        command.args(["-m", "synapse.app.homeserver", "--config-path"]);
        command.arg(self.folder.join("homeserver.yaml")).current_dir(&self.folder);
        command
    }

    /// Its server name, such as `localhost:41234`.
    pub fn name(&self) -> &str {
        &self.name
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

fn config(
    name: &str,
    folder: &Path,
    certificate: &ServerCertificate,
    authority: &Path,
) -> serde_json::Value {
    let port = name.rsplit_once(':').and_then(|(_, port)| port.parse::<u16>().ok());
    let unlimited = json!({ "per_second": 1e6, "burst_count": 1_000_000 });
    let resources = json!([{ "names": ["client", "federation"] }]);
    let mut config = json!({
        "server_name": name,
        "public_baseurl": format!("https://{name}/"),
        "pid_file": folder.join("homeserver.pid"),
        "listeners": [{
            "port": port, "type": "http", "tls": true, "bind_addresses": ["127.0.0.1"], "resources": resources,
        }],
        "tls_certificate_path": certificate.certificate,
        "tls_private_key_path": certificate.private_key,
        "federation_verify_certificates": true,
        "federation_custom_ca_list": [authority],
        "ip_range_blacklist": [],
        "federation_ip_range_blacklist": [],
        "ip_range_whitelist": ["127.0.0.0/8", "::1/128"],
        "database": { "name": "sqlite3", "args": { "database": folder.join("homeserver.db") } },
        "log_config": folder.join("log.yaml"),
        "media_store_path": folder.join("media"),
        "signing_key_path": folder.join("signing.key"),
        "macaroon_secret_key": "only for a test",
        "form_secret": "only for a test",
        "registration_shared_secret": "only for a test",
        "report_stats": false,
        "trusted_key_servers": [],
        "suppress_key_server_warning": true,
        "enable_registration": true,
        "enable_registration_without_verification": true,
        "presence": { "enabled": true },
        "experimental_features": { "msc3575_enabled": true, "msc4186_enabled": true },
        // A neighbour that was down for a moment is tried again at once.
        "federation": {
            "destination_min_retry_interval": 100,
            "destination_max_retry_interval": "1s",
            "destination_retry_multiplier": 1,
            "client_timeout": "10s",
        },
        "rc_federation": {
            "window_size": 1, "sleep_limit": 100_000, "sleep_delay": 1, "reject_limit": 100_000, "concurrent": 100,
        },
    });
    let limits = [
        "rc_message",
        "rc_registration",
        "rc_admin_redaction",
        "rc_3pid_validation",
        "rc_registration_token_validity",
        "rc_joins_per_room",
        "rc_key_requests",
        "rc_presence",
    ];
    if let Some(fields) = config.as_object_mut() {
        for limit in limits {
            fields.insert(limit.to_owned(), unlimited.clone());
        }
        fields.insert(
            "rc_login".to_owned(),
            json!({ "address": unlimited, "account": unlimited, "failed_attempts": unlimited }),
        );
        fields.insert("rc_joins".to_owned(), json!({ "local": unlimited, "remote": unlimited }));
        fields.insert(
            "rc_invites".to_owned(),
            json!({ "per_room": unlimited, "per_user": unlimited, "per_issuer": unlimited }),
        );
        fields.insert("rc_presence".to_owned(), json!({ "per_user": unlimited }));
    }
    config
}

fn email(sink: &SmtpSink) -> serde_json::Value {
    json!({
        "smtp_host": sink.address().ip().to_string(),
        "smtp_port": sink.address().port(),
        "enable_tls": false,
        "require_transport_security": false,
        "notif_from": "%(app)s <synapse@example.org>",
    })
}

fn logging(folder: &Path) -> serde_json::Value {
    json!({
        "version": 1,
        "formatters": { "plain": { "format": "%(asctime)s %(name)s %(levelname)s %(request)s %(message)s" } },
        "handlers": {
            "file": { "class": "logging.FileHandler", "formatter": "plain", "filename": folder.join("homeserver.log") },
        },
        "root": { "level": "INFO", "handlers": ["file"] },
        "disable_existing_loggers": false,
    })
}

#[cfg(test)]
mod tests {
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
