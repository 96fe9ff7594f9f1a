//! How a `ternd` is configured and run, with SQLite in a folder. The program is the one built beside these tests.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Stdio,
};

use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
};

/// Writes the configuration of a `ternd` on `port`.
pub(super) fn prepare(dir: &Path, port: u16) {
    let config = format!(
        "server_name = \"example.org\"\n\
         [listen]\nhttp = [\"127.0.0.1:{port}\"]\n\
         [registration]\nmode = \"open\"\n\
         [limits]\nrate = \"off\"\n"
    );
    fs::write(dir.join("tern.toml"), config).expect("a config file");
}

/// Whether it has been built: `cargo test -p tern-tui` alone does not.
pub(super) fn built() -> bool {
    program().exists()
}

/// `TERND_BIN`, or the one in the folder that the tests were built in.
fn program() -> PathBuf {
    std::env::var_os("TERND_BIN").map_or_else(
        || {
            let test = std::env::current_exe().expect("a test is a program");
            let folder = test.parent().and_then(Path::parent).expect("a target folder");
            folder.join("ternd")
        },
        PathBuf::from,
    )
}

/// Runs it in `dir` until it listens; `None` when it ends instead, say because the port was taken.
pub(super) async fn run(dir: &Path) -> Option<Child> {
    let mut process = Command::new(program())
        .args(["serve", "--config", "tern.toml"])
        .current_dir(dir)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("ternd starts");
    let mut log = BufReader::new(process.stderr.take().expect("a log")).lines();
    let mut said = Vec::new();
    while let Ok(Some(line)) = log.next_line().await {
        if line.contains("listening") {
            // The pipe must be read on, or a full one stops the server.
            tokio::spawn(async move { while let Ok(Some(_)) = log.next_line().await {} });
            return Some(process);
        }
        said.push(line);
    }
    eprintln!("ternd ended: {}", said.join("\n"));
    None
}
