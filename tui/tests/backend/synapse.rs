//! How a Synapse is configured and run, with SQLite in a folder.

use std::{
    ffi::OsString,
    path::Path,
    process::{Command as StdCommand, Stdio},
    time::Duration,
};

use tokio::{
    io::{AsyncBufReadExt, BufReader, Lines},
    process::{Child, ChildStderr, Command},
};

/// Writes the configuration and the signing key of a Synapse on `port`.
pub(super) async fn prepare(dir: &Path, port: u16, sliding_sync: bool) {
    std::fs::write(dir.join("homeserver.yaml"), homeserver_yaml(dir, port, sliding_sync))
        .expect("a config file");
    std::fs::write(dir.join("log.yaml"), LOG_YAML).expect("a log config");
    let keys = synapse(dir).arg("--generate-keys").output().await.expect("Synapse makes its keys");
    assert!(keys.status.success(), "{}", String::from_utf8_lossy(&keys.stderr));
}

/// Whether this machine has it.
pub(super) fn installed() -> bool {
    let tried =
        StdCommand::new(python()).args(["-c", "import synapse"]).stderr(Stdio::null()).status();
    tried.is_ok_and(|status| status.success())
}

/// The interpreter whose packages have Synapse.
fn python() -> OsString {
    std::env::var_os("TERN_PYTHON").unwrap_or_else(|| "python3".into())
}

fn synapse(dir: &Path) -> Command {
    let mut command = Command::new(python());
    command.args(["-m", "synapse.app.homeserver", "-c", "homeserver.yaml"]).current_dir(dir);
    command
}

/// Runs Synapse in `dir` until it listens; `None` when it ends instead, say because the port was taken.
pub(super) async fn run(dir: &Path) -> Option<Child> {
    let mut process = synapse(dir)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("Synapse starts");
    let mut log = BufReader::new(process.stderr.take().expect("a log")).lines();
    let up = tokio::time::timeout(Duration::from_secs(60), listening(&mut log)).await;
    // The pipe must be read on, or a full one stops the server.
    tokio::spawn(async move { while let Ok(Some(_)) = log.next_line().await {} });
    (up == Ok(true)).then_some(process)
}

async fn listening(log: &mut Lines<BufReader<ChildStderr>>) -> bool {
    let mut said = Vec::new();
    while let Ok(Some(line)) = log.next_line().await {
        if line.contains("Synapse now listening") {
            return true;
        }
        said.push(line);
    }
    eprintln!("Synapse ended: {}", said.join("\n"));
    false
}

fn homeserver_yaml(dir: &Path, port: u16, sliding_sync: bool) -> String {
    let dir = dir.display();
    let limits: String = [
        "rc_message",
        "rc_registration",
        "rc_joins_per_room",
        "rc_room_creation",
        "rc_profile",
        "rc_key_requests",
        "rc_presence_per_user",
    ]
    .map(|limit| format!("{limit}: {{ per_second: 10000, burst_count: 10000 }}\n"))
    .concat();
    let nested = "{ per_second: 10000, burst_count: 10000 }";
    format!(
        "server_name: example.org\n\
         pid_file: {dir}/pid\n\
         listeners:\n\
         \x20 - port: {port}\n\
         \x20   type: http\n\
         \x20   tls: false\n\
         \x20   bind_addresses: ['127.0.0.1']\n\
         \x20   resources: [{{ names: [client, federation], compress: false }}]\n\
         database: {{ name: sqlite3, args: {{ database: {dir}/homeserver.db }} }}\n\
         media_store_path: {dir}/media\n\
         signing_key_path: {dir}/signing.key\n\
         log_config: {dir}/log.yaml\n\
         macaroon_secret_key: for-this-run-only\n\
         form_secret: for-this-run-only\n\
         report_stats: false\n\
         trusted_key_servers: []\n\
         enable_registration: true\n\
         enable_registration_without_verification: true\n\
         bcrypt_rounds: 4\n\
         {limits}\
         rc_login: {{ address: {nested}, account: {nested}, failed_attempts: {nested} }}\n\
         rc_joins: {{ local: {nested}, remote: {nested} }}\n\
         rc_invites: {{ per_room: {nested}, per_user: {nested}, per_issuer: {nested} }}\n\
         experimental_features: {{ msc3575_enabled: {sliding_sync}, msc4133_enabled: true }}\n"
    )
}

const LOG_YAML: &str = "version: 1
formatters: { brief: { format: '%(levelname)s %(name)s %(message)s' } }
handlers: { console: { class: logging.StreamHandler, formatter: brief, stream: ext://sys.stderr } }
loggers: { synapse.access: { level: WARNING }, synapse.storage.SQL: { level: WARNING } }
root: { level: INFO, handlers: [console] }
disable_existing_loggers: false
";
