//! A program below strace: on a slower disk, killed in the middle of a chosen call, or with all it wrote on record.
//! [`crate::Trace`] reads what strace wrote.

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

/// Calls by which a program hears, keeps and answers. A question mark stands before those that some processors don't have.
const RECORDED: &str = "trace=read,recvfrom,write,writev,sendto,sendmsg,pwrite64,pwritev,\
     fsync,fdatasync,?rename,renameat,renameat2,?mkdir,mkdirat,openat";

/// Bytes of each write that are kept: a page of SQLite and a request are shorter.
const RECORDED_BYTES: &str = "5000";

/// What strace is to do with a program.
#[derive(Debug, Clone)]
pub struct Strace {
    options: Vec<OsString>,
    log: PathBuf,
}

impl Strace {
    fn new(log: &Path, options: &[&str]) -> Self {
        let mut all = vec!["-f".into(), "-y".into(), "-o".into(), log.into()];
        all.extend(options.iter().map(OsString::from));
        Self { options: all, log: log.to_owned() }
    }

    /// Lets each sync call wait before it begins. Nothing else is traced, so the rest runs at full speed.
    #[must_use]
    pub fn slowing(delay: Duration) -> Self {
        let inject = format!("inject=fsync,fdatasync:delay_enter={}", delay.as_micros());
        let options = ["--seccomp-bpf", "-e", "trace=fsync,fdatasync", "-e", &inject];
        Self::new(Path::new("/dev/null"), &options)
    }

    /// SIGKILL as a thread begins its `nth` call of `calls` (such as `fsync,fdatasync`) on one of `files`: that call is not made any
    /// more. Every write and sync of the files goes to `log`.
    #[must_use]
    pub fn killing(log: &Path, calls: &str, nth: u32, files: &[&Path]) -> Self {
        // No seccomp filter: below it strace delivers no signal.
        let inject = format!("inject={calls}:signal=KILL:when={nth}");
        let trace = "trace=fsync,fdatasync,pwrite64,pwritev";
        let mut strace = Self::new(log, &["-s", "0", "-e", trace, "-e", &inject]);
        for file in files {
            strace.options.extend(["-P".into(), file.as_os_str().to_owned()]);
        }
        strace
    }

    /// Writes everything the program heard, kept and answered to `log`.
    #[must_use]
    pub fn recording(log: &Path) -> Self {
        Self::new(log, &["--seccomp-bpf", "-s", RECORDED_BYTES, "-e", RECORDED])
    }

    /// Where it writes.
    pub fn log(&self) -> &Path {
        &self.log
    }

    /// `command` below this strace, which stays in the background: the process is the program's own.
    #[must_use]
    pub fn wrap(&self, command: &Command) -> Command {
        let mut options = vec!["-D".into()];
        options.extend(self.options.iter().cloned());
        Self { options, log: self.log.clone() }.wrap_in_front(command)
    }

    /// `command` below this strace, which ends after it: then the record is whole.
    #[must_use]
    pub fn wrap_in_front(&self, command: &Command) -> Command {
        let mut traced = Command::new("strace");
        traced.args(&self.options).arg(command.get_program()).args(command.get_args());
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
}

/// Whether strace is there and may trace.
pub fn can_trace() -> bool {
    let command = Strace::slowing(Duration::from_millis(1)).wrap(&Command::new("true")).output();
    command.is_ok_and(|output| output.status.success())
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;
    use crate::Trace;

    /// Writes 512 bytes three times and syncs.
    fn writer(file: &Path) -> Command {
        let mut writer = Command::new("dd");
        writer.args(["if=/dev/zero", "bs=512", "count=3", "conv=fsync"]);
        writer.arg(format!("of={}", file.display()));
        writer
    }

    #[test]
    fn every_sync_call_of_a_program_on_a_slow_disk_waits() {
        if !can_trace() {
            eprintln!("strace is not here or may not trace: nothing shown");
            return;
        }
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        let began = Instant::now();

        let output = Strace::slowing(Duration::from_millis(700)).wrap(&writer(&file)).output();

        assert!(output.unwrap().status.success());
        assert_eq!(std::fs::read(file).unwrap().len(), 1536);
        assert!(began.elapsed() >= Duration::from_millis(700));
    }

    #[test]
    fn a_program_is_killed_as_it_begins_the_chosen_call_and_the_record_says_so() {
        if !can_trace() {
            eprintln!("strace is not here or may not trace: nothing shown");
            return;
        }
        let folder = tempfile::tempdir().unwrap();
        let (file, log) = (folder.path().join("file"), folder.path().join("log"));

        let killing = Strace::killing(&log, "fsync", 1, &[&file]);
        let output = killing.wrap_in_front(&writer(&file)).output().unwrap();

        assert!(!output.status.success());
        let trace = Trace::read(&log).unwrap();
        let cut_off = trace.calls().iter().find(|call| call.was_cut_off()).unwrap();
        assert_eq!((cut_off.name(), cut_off.file()), ("fsync", file.to_str().unwrap()));
    }
}
