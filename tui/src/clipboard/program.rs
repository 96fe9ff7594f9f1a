//! One program asked for what a clipboard holds: without a shell, within a time and a size, and gone afterwards.

use rustix::process::{Pid, Signal, kill_process_group};
use std::io::{ErrorKind, Read};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Instant;

/// More is not taken from a clipboard.
const BYTES_MAX: u64 = 64 * 1024 * 1024;

/// Why a program gave nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RunError {
    /// It is not here, or can't be started.
    Absent,
    /// It has not ended in time.
    Slow,
    Large,
    /// It gave something else.
    NoPicture,
}

/// What a program writes. How it ends does not matter: nothing written is nothing in the clipboard, and all else is looked at.
pub(super) fn run(command: &[&str], deadline: Instant) -> Result<Vec<u8>, RunError> {
    let (program, args) = command.split_first().ok_or(RunError::Absent)?;
    let started = Command::new(program)
        .args(args)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        // Of its own, so that what it has started ends with it.
        .process_group(0)
        .spawn();
    let mut child = started.map_err(|error| {
        if error.kind() != ErrorKind::NotFound {
            tracing::warn!(%error, program, "a program for the clipboard can't be run");
        }
        RunError::Absent
    })?;
    let Some(output) = child.stdout.take() else { return Err(RunError::Absent) };
    let (sender, read) = mpsc::channel();
    thread::spawn(move || {
        let mut bytes = Vec::new();
        let read = output.take(BYTES_MAX + 1).read_to_end(&mut bytes);
        // Nobody waits for it any more when it comes late.
        drop(sender.send(read.map(|_| bytes)));
    });
    let came = read.recv_timeout(deadline.saturating_duration_since(Instant::now()));
    end(&mut child);
    match came {
        Ok(Ok(bytes)) if bytes.len() as u64 > BYTES_MAX => Err(RunError::Large),
        Ok(Ok(bytes)) => Ok(bytes),
        Ok(Err(_)) => Ok(Vec::new()),
        Err(_) => Err(RunError::Slow),
    }
}

fn end(child: &mut Child) {
    let runs = !matches!(child.try_wait(), Ok(Some(_)));
    if runs
        && let Some(group) = i32::try_from(child.id()).ok().and_then(Pid::from_raw)
        && let Err(error) = kill_process_group(group, Signal::KILL)
    {
        // It has ended meanwhile.
        tracing::debug!(%error, "a program for the clipboard needs no signal");
    }
    drop(child.wait());
}

#[cfg(test)]
mod tests {
    use super::{RunError, run};
    use std::time::{Duration, Instant};

    fn soon() -> Instant {
        Instant::now() + Duration::from_millis(200)
    }

    #[test]
    fn what_a_program_writes_is_taken_up_to_a_limit_of_time_and_size() {
        let later = Instant::now() + Duration::from_secs(20);
        assert_eq!(run(&["echo", "$HOME; *"], later), Ok(b"$HOME; *\n".to_vec()), "no shell");
        assert_eq!(run(&["cat", "/dev/zero"], later), Err(RunError::Large));
        assert_eq!(run(&["false"], later), Ok(Vec::new()));
        assert_eq!(run(&["/no/such/program"], later), Err(RunError::Absent));
        // One that hangs is ended with what it has started.
        assert_eq!(run(&["sh", "-c", "sleep 1000; echo late"], soon()), Err(RunError::Slow));
    }
}
