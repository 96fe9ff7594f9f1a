//! A slower disk than the machine has: time added to every call that waits for it.

use std::{process::Command, time::Duration};

/// `command` below strace, which lets each of its `fsync` and `fdatasync` wait before it begins. Nothing else is traced, so the rest
/// runs at full speed; the process id stays the program's own.
pub(crate) fn below(command: Command, delay: Option<Duration>) -> Command {
    let Some(delay) = delay else { return command };
    let mut traced = Command::new("strace");
    traced.args(["-D", "-f", "--seccomp-bpf", "-o", "/dev/null", "-e", "trace=fsync,fdatasync"]);
    let inject = format!("inject=fsync,fdatasync:delay_enter={}", delay.as_micros());
    traced.args(["-e", &inject]).arg(command.get_program()).args(command.get_args());
    for (key, value) in command.get_envs() {
        if let Some(value) = value {
            traced.env(key, value);
        }
    }
    if let Some(folder) = command.get_current_dir() {
        traced.current_dir(folder);
    }
    traced
}

/// Whether strace is there and may trace.
pub fn disk_can_be_slowed() -> bool {
    let command = below(Command::new("true"), Some(Duration::from_millis(1))).output();
    command.is_ok_and(|output| output.status.success())
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    #[test]
    fn every_sync_call_of_a_program_on_a_slow_disk_waits() {
        if !disk_can_be_slowed() {
            eprintln!("strace is not here or may not trace: nothing shown");
            return;
        }
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        let mut writer = Command::new("dd");
        writer.args(["if=/dev/zero", "bs=512", "count=1", "conv=fsync"]);
        writer.arg(format!("of={}", file.display()));

        let began = Instant::now();
        let output = below(writer, Some(Duration::from_millis(700))).output().unwrap();

        assert!(output.status.success(), "{output:?}");
        assert_eq!(std::fs::read(file).unwrap().len(), 512);
        assert!(began.elapsed() >= Duration::from_millis(700));
    }
}
