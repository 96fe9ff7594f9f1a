//! Builds the programs that the demo starts: `cargo run` builds only the one it runs.

use std::{path::Path, process::Command};

use anyhow::{Context as _, Result, ensure};

/// Builds `ternd`, `tern` and the bot in the profile this program was built in.
///
/// # Errors
/// When cargo is not there or fails; it has said why.
pub(crate) fn build() -> Result<()> {
    println!("Building ternd and tern (the first time takes some minutes) …");
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("no workspace")?;
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    // All packages, as `cargo run --bin demo` has it: another choice would build the libraries again with other features.
    command.current_dir(workspace).args(["build", "--workspace", "--quiet", "--locked"]);
    command.args(["--bin", "ternd", "--bin", "tern", "--bin", "bot"]);
    if !cfg!(debug_assertions) {
        command.arg("--release");
    }
    let status = command.status().context("cargo does not start")?;
    ensure!(status.success(), "the programs could not be built");
    Ok(())
}
