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
    terminal::Manners,
};

/// A person's client; use it as the [`Screen`] it is.
pub struct Tern {
    screen: Screen,
    data: PathBuf,
    authority: PathBuf,
    binary: PathBuf,
    size: Size,
    surroundings: Vec<(String, String)>,
    manners: Manners,
}

impl Tern {
    /// Opens it for `person`, whose data folder has that name, trusting the authority of `loopback`. A second call for the same
    /// person opens it with what the first left.
    ///
    /// # Errors
    /// When it is not built or cannot be started.
    pub fn open(loopback: &Loopback, person: &str, size: Size) -> Result<Self> {
        Self::open_on(Manners::default(), loopback, person, size)
    }

    /// The same in a terminal with such manners.
    ///
    /// # Errors
    /// As [`Tern::open`].
    pub fn open_on(
        manners: Manners,
        loopback: &Loopback,
        person: &str,
        size: Size,
    ) -> Result<Self> {
        let binary = binary("tern")?;
        let data = loopback.subfolder(&format!("client-{person}"))?;
        let authority = loopback.authority().file().to_owned();
        let surroundings = Vec::new();
        let screen = start(&binary, &data, &authority, size, (&surroundings, manners))?;
        Ok(Self { screen, data, authority, binary, size, surroundings, manners })
    }

    /// Writes the settings of `person`, for the next time their client is opened.
    ///
    /// # Errors
    /// When they cannot be written.
    pub fn set(loopback: &Loopback, person: &str, settings: &str) -> Result<()> {
        let folder = loopback.subfolder(&format!("client-{person}"))?.join(".config/tern");
        std::fs::create_dir_all(&folder)?;
        Ok(std::fs::write(folder.join("config.toml"), settings)?)
    }

    /// Opens it again after it has ended.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn reopen(&mut self) -> Result<()> {
        self.screen = self.start()?;
        Ok(())
    }

    /// Sets variables of the environment that it is opened in from the next time on, and no others besides its own.
    pub fn surround(&mut self, variables: &[(&str, &str)]) {
        let text = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        self.surroundings = variables.iter().map(text).collect();
    }

    /// Runs it with `args` instead of opening it, in the same surroundings; gives whether it went well, and what it printed.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn run(&self, args: &[&str]) -> Result<(bool, String)> {
        let output = std::process::Command::new(&self.binary)
            .args(args)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", &self.data)
            .env("TERN_DATA", &self.data)
            .env("LANG", "C.UTF-8")
            .env("TERM", "xterm-256color")
            .output()?;
        let text = [output.stdout, output.stderr].concat();
        Ok((output.status.success(), String::from_utf8_lossy(&text).into_owned()))
    }

    /// Kills it without a word and opens it again.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn kill_9_and_reopen(&mut self) -> Result<()> {
        self.screen.kill_9()?;
        self.reopen()
    }

    /// Opens it again after it has ended, in a terminal with other manners.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn reopen_on(&mut self, manners: Manners) -> Result<()> {
        self.manners = manners;
        self.reopen()
    }

    /// What `tern` with `args` shows in a terminal of its own with such manners, until it has ended.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn show(&self, args: &[&str], manners: Manners) -> Result<Screen> {
        let data = self.data.to_str().context("a path that is no text")?;
        let envs = [("HOME", data), ("TERN_DATA", data), ("LANG", "C.UTF-8")];
        Screen::open_on(manners, &self.binary, args, &envs, &self.data, self.size)
    }

    fn start(&self) -> Result<Screen> {
        start(
            &self.binary,
            &self.data,
            &self.authority,
            self.size,
            (&self.surroundings, self.manners),
        )
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

fn start(
    binary: &Path,
    data: &Path,
    authority: &Path,
    size: Size,
    (surroundings, manners): (&[(String, String)], Manners),
) -> Result<Screen> {
    let text = |path: &Path| path.to_str().map(str::to_owned).context("a path that is no text");
    let (data_text, authority) = (text(data)?, text(authority)?);
    let args = ["--data", &data_text, "--ca", &authority];
    // All that a program may take for its home is inside the folder that is searched afterwards.
    let log = std::env::var("TERN_LOG").unwrap_or("info".to_owned());
    let mut envs =
        vec![("HOME", data_text.as_str()), ("LANG", "C.UTF-8"), ("TZ", "UTC"), ("RUST_LOG", &log)];
    envs.extend(surroundings.iter().map(|(name, value)| (name.as_str(), value.as_str())));
    Screen::open_on(manners, binary, &args, &envs, data, size)
}
