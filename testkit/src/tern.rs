//! The real `tern` in a pseudo terminal, with a data folder of its own.

use std::{
    ops::{Deref, DerefMut},
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};

use crate::{
    loopback::Loopback,
    process::binary,
    pty::{Screen, Size},
    search_bytes::{Finding, Marker},
};

/// A person's client; use it as the [`Screen`] it is.
pub struct Tern {
    screen: Screen,
    data: PathBuf,
    authority: PathBuf,
    binary: PathBuf,
    size: Size,
}

impl Tern {
    /// Opens it for `person`, whose data folder has that name, trusting the authority of `loopback`. A second call for the same
    /// person opens it with what the first left.
    ///
    /// # Errors
    /// When it is not built or cannot be started.
    pub fn open(loopback: &Loopback, person: &str, size: Size) -> Result<Self> {
        let binary = binary("tern")?;
        let data = loopback.subfolder(&format!("client-{person}"))?;
        let authority = loopback.authority().file().to_owned();
        let screen = start(&binary, &data, &authority, size)?;
        Ok(Self { screen, data, authority, binary, size })
    }

    /// Kills it without a word and opens it again.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn kill_9_and_reopen(&mut self) -> Result<()> {
        self.screen.kill_9()?;
        self.screen = start(&self.binary, &self.data, &self.authority, self.size)?;
        Ok(())
    }

    /// Everything it keeps.
    pub fn data(&self) -> &Path {
        &self.data
    }

    /// Where in its stores `marker` stands.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn find(&self, marker: &Marker) -> Result<Vec<Finding>> {
        marker.find_below(&self.data)
    }
}

impl Deref for Tern {
    type Target = Screen;

    fn deref(&self) -> &Screen {
        &self.screen
    }
}

impl DerefMut for Tern {
    fn deref_mut(&mut self) -> &mut Screen {
        &mut self.screen
    }
}

fn start(binary: &Path, data: &Path, authority: &Path, size: Size) -> Result<Screen> {
    let text = |path: &Path| path.to_str().map(str::to_owned).context("a path that is no text");
    let (data_text, authority) = (text(data)?, text(authority)?);
    let args = ["--data", &data_text, "--ca", &authority];
    // All that a program may take for its home is inside the folder that is searched afterwards.
    let log = std::env::var("TERN_LOG").unwrap_or("info".to_owned());
    let envs =
        [("HOME", data_text.as_str()), ("LANG", "C.UTF-8"), ("TZ", "UTC"), ("RUST_LOG", &log)];
    Screen::open(binary, &args, &envs, data, size)
}
