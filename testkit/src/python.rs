//! Python programs as peers: finding an interpreter with the right packages, and talking to a script in lines of JSON.

use std::{
    env,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context, Result, anyhow, bail};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines},
    process::{Child, ChildStdin, ChildStdout},
    time::timeout,
};

use crate::patience::PATIENCE;

/// The interpreter: `TERN_PYTHON`, else the environment that `./test` made below the target folder, else `python3`.
pub fn python() -> PathBuf {
    if let Some(path) = env::var_os("TERN_PYTHON") {
        return PathBuf::from(path);
    }
    let exe = env::current_exe().unwrap_or_default();
    let mut beside = exe.ancestors().map(|folder| folder.join("venv/bin/python3"));
    beside.find(|path| path.is_file()).unwrap_or_else(|| "python3".into())
}

/// Whether that interpreter can import `module`.
pub fn python_has(module: &str) -> bool {
    imports(&python(), module)
}

/// Whether `interpreter` can import `module`.
pub(crate) fn imports(interpreter: &Path, module: &str) -> bool {
    let import = format!("import {module}");
    let mut command = Command::new(interpreter);
    command.args(["-c", &import]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

/// A script that stands for a person: it reads commands and writes answers, one JSON object a line. It ends with its input, so it
/// never outlives the test.
#[derive(Debug)]
pub struct Person {
    _child: Child,
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
}

impl Person {
    /// Starts `script`; its errors go to `log`.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start(script: &Path, args: &[&str], log: &Path) -> Result<Self> {
        let errors = std::fs::File::create(log)?;
        let mut child = tokio::process::Command::new(python())
            .arg(script)
            .args(args)
            .env("PYTHONUNBUFFERED", "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(errors)
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("cannot start {}", script.display()))?;
        let input = child.stdin.take().context("no input")?;
        let output = child.stdout.take().context("no output")?;
        Ok(Self { _child: child, input, output: BufReader::new(output).lines() })
    }

    /// Sends `{"do": command, …details}` and waits for the answer.
    ///
    /// # Errors
    /// When the script answers with an `error`, ends, or takes longer than [`PATIENCE`].
    pub async fn ask(&mut self, command: &str, details: Value) -> Result<Value> {
        let mut request = json!({ "do": command });
        if let (Some(request), Value::Object(details)) = (request.as_object_mut(), details) {
            request.extend(details);
        }
        self.input.write_all(format!("{request}\n").as_bytes()).await?;
        let line = timeout(PATIENCE, self.output.next_line())
            .await
            .map_err(|_| anyhow!("{command}: no answer within {PATIENCE:?}"))??;
        let line = line.with_context(|| format!("{command}: the script ended"))?;
        let answer: Value = serde_json::from_str(&line).with_context(|| line.clone())?;
        if let Some(error) = answer.get("error") {
            bail!("{command}: {error}");
        }
        Ok(answer)
    }
}
