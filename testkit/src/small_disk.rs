//! A file system of a few megabytes that only one server sees, so that a test can fill it: a tmpfs in a mount namespace, which a
//! process that does nothing else holds open.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result};

use crate::{
    patience::{PATIENCE, until},
    process::Process,
};

/// Mounts at `$1` as many bytes as `$2` says, tells it, and stays.
const HOLD: &str =
    r#"mount -t tmpfs -o "size=$2,mode=700" tern "$1" && echo mounted && exec tail -f /dev/null"#;

/// A namespace as an ordinary user may make one, where the system lets them.
const UNSHARE: [&str; 3] = ["--user", "--map-root-user", "--mount"];

/// The file system. It goes with all that is in it when this is dropped.
#[derive(Debug)]
pub struct SmallDisk {
    holder: Process,
    folder: PathBuf,
}

impl SmallDisk {
    /// Whether the system lets this process have one.
    pub fn available() -> bool {
        let Ok(folder) = tempfile::tempdir() else { return false };
        let mut command = Command::new("unshare");
        command.args(UNSHARE).args(["/bin/sh", "-c", r#"mount -t tmpfs tern "$1" && nsenter -h"#]);
        let output = command.arg("sh").arg(folder.path()).output();
        output.is_ok_and(|output| output.status.success())
    }

    /// An empty one of `bytes` in the place of `folder`.
    ///
    /// # Errors
    /// When the system does not let it be.
    pub(crate) async fn mount(folder: &Path, bytes: u64) -> Result<Self> {
        fs::create_dir_all(folder)?;
        let log = folder.with_extension("mount.log");
        fs::remove_file(&log).ok();
        let mut command = Command::new("unshare");
        command.args(UNSHARE).args(["/bin/sh", "-c", HOLD, "sh"]).arg(folder);
        command.arg(bytes.to_string());
        let holder = Process::spawn("small disk", &command, &log)?;
        until("the small disk", PATIENCE, async || {
            Ok(holder.log_tail(1).ends_with("mounted").then_some(()))
        })
        .await
        .with_context(|| holder.log_tail(10))?;
        Ok(Self { holder, folder: folder.to_owned() })
    }

    /// `command` where the file system is seen.
    pub(crate) fn inside(&self, command: &Command) -> Command {
        let mut inside = Command::new("nsenter");
        inside.args(["--target", &self.holder.pid().to_string(), "--user", "--mount"]);
        inside.args(["--preserve-credentials", "--"]);
        inside.arg(command.get_program()).args(command.get_args());
        for (key, value) in command.get_envs() {
            if let Some(value) = value {
                inside.env(key, value);
            }
        }
        inside
    }

    /// Its folder as this process sees it.
    pub(crate) fn seen_outside(&self) -> PathBuf {
        let root = PathBuf::from(format!("/proc/{}/root", self.holder.pid()));
        root.join(self.folder.strip_prefix("/").unwrap_or(&self.folder))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_written_on_a_small_disk_ends_at_its_size_and_is_seen_from_outside() {
        if !SmallDisk::available() {
            eprintln!("namespaces may not be made here: nothing shown");
            return;
        }
        let folder = tempfile::tempdir().unwrap();
        let (place, file) = (folder.path().join("disk"), folder.path().join("disk/file"));
        let disk = SmallDisk::mount(&place, 1024 * 1024).await.unwrap();
        let mut writer = Command::new("dd");
        writer.args(["if=/dev/zero", "bs=65536", "count=32"]).arg(format!("of={}", file.display()));

        let output = disk.inside(&writer).output().unwrap();

        assert!(!output.status.success(), "{output:?}");
        assert!(!file.exists());
        let written = disk.seen_outside().join("file").metadata().unwrap().len();
        assert!((500_000..=1024 * 1024).contains(&written), "{written}");
    }
}
