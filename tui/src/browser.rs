//! The browser of this machine, where it has a screen and the person sits at it.

use crate::links;
use std::ffi::OsStr;
use std::process::{Command, Stdio};

/// Whether there is one. Over SSH the browser would open where nobody sees it.
pub fn is_near() -> bool {
    let set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    let remote = set("SSH_CONNECTION") || set("SSH_TTY");
    !remote && (cfg!(target_os = "macos") || set("DISPLAY") || set("WAYLAND_DISPLAY"))
}

/// Opens an address that [`links::followable`] allows, in the program the system has for it. The address is one argument of
/// its own: no shell reads it.
pub fn open(link: &str) {
    let Some(link) = links::followable(link) else { return };
    let opener = OsStr::new(if cfg!(target_os = "macos") { "open" } else { "xdg-open" });
    let started = Command::new(opener)
        .arg(link)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    match started {
        // Waited for aside, so that it leaves no zombie.
        Ok(mut child) => drop(std::thread::spawn(move || child.wait())),
        Err(error) => tracing::warn!(%error, "no browser could be started"),
    }
}
