//! A child process that never outlives the test, with its output in a file.

use std::{
    env,
    fs::{self, File, OpenOptions},
    io::Write,
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, ExitStatus, Stdio},
    time::Duration,
};

use anyhow::{Context, Result, anyhow, bail};
use rustix::process::{Pid, Signal, kill_process};

use crate::patience::until;

/// Starts `"$@"` in the shell's own process and leaves a watcher beside it. The watcher reads a pipe whose other end only the
/// test holds: when the test dies, however it dies, the pipe ends and the watcher signals the program.
const GUARD: &str = r#"
signal=$1 folder=$2
shift 2
exec 3<&0 </dev/null
(
    # A terminal that is closed tells all that ran in it: the watcher has still to do its work then.
    trap '' HUP
    if ! read -r _ <&3; then
        kill -s "$signal" $$
        if [ -n "$folder" ]; then
            while kill -0 $$ 2>/dev/null; do sleep 0.05; done
            rm -rf -- "$folder"
        fi
    fi
) >/dev/null 2>&1 &
exec 3<&- "$@"
"#;

/// What becomes of a process when the test that started it is gone.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Afterwards<'a> {
    /// It is killed.
    Kill,
    /// It is asked to stop at once (SIGQUIT), and its folder goes too.
    QuitAndRemove(&'a Path),
}

/// A running program. Dropping it kills it.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    /// A line written here tells the watcher that the program ended in an orderly way.
    guard: Option<ChildStdin>,
    log: PathBuf,
}

impl Process {
    /// Starts `command` with both outputs appended to `log`.
    ///
    /// # Errors
    /// When the log cannot be opened or the program cannot be started.
    pub fn spawn(name: &str, command: &Command, log: &Path) -> Result<Self> {
        Self::spawn_with(name, command, log, Afterwards::Kill)
    }

    pub(crate) fn spawn_with(
        name: &str,
        command: &Command,
        log: &Path,
        afterwards: Afterwards<'_>,
    ) -> Result<Self> {
        let (signal, folder) = match afterwards {
            Afterwards::Kill => ("KILL", Path::new("")),
            Afterwards::QuitAndRemove(folder) => ("QUIT", folder),
        };
        let output = append(log)?;
        let mut guarded = Command::new("/bin/sh");
        guarded.args(["-c", GUARD, "guard", signal]).arg(folder);
        guarded.arg(command.get_program()).args(command.get_args());
        for (key, value) in command.get_envs() {
            match value {
                Some(value) => guarded.env(key, value),
                None => guarded.env_remove(key),
            };
        }
        if let Some(folder) = command.get_current_dir() {
            guarded.current_dir(folder);
        }
        let mut child = guarded
            .stdin(Stdio::piped())
            .stdout(output.try_clone()?)
            .stderr(output)
            .spawn()
            .with_context(|| format!("cannot start {name}"))?;
        let guard = child.stdin.take();
        Ok(Self { name: name.to_owned(), child, guard, log: log.to_owned() })
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Whether it has ended, and how.
    ///
    /// # Errors
    /// When the system cannot say.
    pub fn exited(&mut self) -> Result<Option<ExitStatus>> {
        Ok(self.child.try_wait()?)
    }

    /// SIGKILL, and waits until it is gone: nothing it had not written to disk or kernel survives.
    ///
    /// # Errors
    /// When it cannot be waited for.
    pub fn kill_9(&mut self) -> Result<()> {
        // It may have ended by itself; `wait` below knows.
        self.child.kill().ok();
        self.child.wait()?;
        self.dismiss_guard();
        Ok(())
    }

    /// SIGTERM, and waits up to `limit` for its end.
    ///
    /// # Errors
    /// When it still runs after `limit` (it is killed then).
    pub async fn terminate(&mut self, limit: Duration) -> Result<ExitStatus> {
        self.signal(Signal::TERM)?;
        let name = self.name.clone();
        let ended =
            until(&format!("{name} to stop"), limit, async || Ok(self.child.try_wait()?)).await;
        if ended.is_err() {
            self.kill_9()?;
        }
        self.dismiss_guard();
        ended.with_context(|| format!("{name} did not stop on SIGTERM\n{}", self.log_tail(40)))
    }

    fn signal(&self, signal: Signal) -> Result<()> {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        kill_process(pid.context("a process id beyond the system's range")?, signal)
            .with_context(|| format!("cannot signal {}", self.name))
    }

    /// The last `lines` lines of its log.
    pub fn log_tail(&self, lines: usize) -> String {
        let bytes = fs::read(&self.log).unwrap_or_default();
        let text = String::from_utf8_lossy(&bytes);
        let kept: Vec<&str> = text.lines().rev().take(lines).collect();
        let tail: Vec<&str> = kept.into_iter().rev().collect();
        format!("--- {} ({})\n{}", self.name, self.log.display(), tail.join("\n"))
    }

    /// Waits until `ready` gives a value, and fails at once, with the log, when the program ends before that.
    ///
    /// # Errors
    /// When the program ends or `limit` passes.
    pub(crate) async fn wait_ready<T>(
        &mut self,
        limit: Duration,
        mut ready: impl AsyncFnMut() -> Result<Option<T>>,
    ) -> Result<T> {
        let name = self.name.clone();
        let answer = until(&format!("{name} to be ready"), limit, async || {
            if let Some(status) = self.child.try_wait()? {
                return Ok(Some(Err(anyhow!("{name} ended with {status} while starting"))));
            }
            Ok(ready().await?.map(Ok))
        })
        .await;
        match answer {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(error)) | Err(error) => Err(error.context(self.log_tail(40))),
        }
    }

    fn dismiss_guard(&mut self) {
        if let Some(mut guard) = self.guard.take() {
            // A watcher that is gone already needs no word.
            guard.write_all(b"done\n").ok();
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill_9().ok();
    }
}

fn append(log: &Path) -> Result<File> {
    OpenOptions::new()
        .create(true)
        .append(true)
        .open(log)
        .with_context(|| format!("cannot write {}", log.display()))
}

/// The path of one of the workspace's programs, `ternd` or `tern`.
///
/// `TERND_BIN` and `TERN_BIN` name another one; otherwise it is the one built beside the running test or example.
///
/// # Errors
/// When it has not been built.
pub fn binary(name: &str) -> Result<PathBuf> {
    if let Some(path) = env::var_os(format!("{}_BIN", name.to_uppercase())) {
        return Ok(PathBuf::from(path));
    }
    let exe = env::current_exe()?;
    // `target/debug/demo` stands beside it; `target/debug/deps/two_people-…` one folder below.
    for folder in exe.ancestors().skip(1).take(2) {
        let candidate = folder.join(name);
        if candidate.is_file() {
            return Ok(candidate);
        }
    }
    bail!("`{name}` is not built: run `cargo build --workspace --bins` first")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::patience::PATIENCE;

    fn sleeper(folder: &Path) -> Process {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", "trap 'echo bye; exit 3' TERM; echo up; while :; do sleep 0.05; done"]);
        Process::spawn("sleeper", &command, &folder.join("log")).unwrap()
    }

    #[tokio::test]
    async fn a_program_ends_when_the_test_that_started_it_is_gone() {
        let folder = tempfile::tempdir().unwrap();
        let mut process = sleeper(folder.path());

        // What the system does to the pipe of a process that dies.
        drop(process.guard.take());

        until("its end", PATIENCE, async || process.exited()).await.unwrap();
    }

    #[tokio::test]
    async fn a_program_may_say_goodbye_on_sigterm_but_not_on_sigkill() {
        let folder = tempfile::tempdir().unwrap();
        for gently in [true, false] {
            let mut process = sleeper(folder.path());
            let up = async || Ok(process.log_tail(1).contains("up").then_some(()));
            until("its first line", PATIENCE, up).await.unwrap();
            if gently {
                let status = process.terminate(PATIENCE).await.unwrap();
                assert_eq!(status.code(), Some(3));
                assert!(process.log_tail(1).ends_with("bye"));
            } else {
                process.kill_9().unwrap();
                assert!(process.log_tail(1).ends_with("up"));
            }
        }
    }
}
