//! Where everything is kept.

use super::Arguments;
use crate::backend::matrix;
use crate::settings::{Settings, SettingsError};
use std::io::{self, Write};
use std::path::PathBuf;

/// The files and folders of this client.
pub struct Places {
    pub data: PathBuf,
    pub config: PathBuf,
    /// Certificates to trust besides the system's.
    pub ca: Option<PathBuf>,
}

fn variable(name: &str) -> Option<PathBuf> {
    std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from)
}

impl Places {
    /// What the arguments and the environment say; `None` when they name no folder.
    pub fn new(arguments: &Arguments) -> Option<Places> {
        let below_home =
            |name, usual| variable(name).or_else(|| Some(variable("HOME")?.join(usual)));
        let data = arguments
            .data
            .clone()
            .or_else(|| Some(below_home("XDG_DATA_HOME", ".local/share")?.join("tern")))?;
        let config = arguments
            .config
            .clone()
            .or_else(|| Some(below_home("XDG_CONFIG_HOME", ".config")?.join("tern/config.toml")));
        // Without a home there is no config file; everything can be set without one.
        let config = config.unwrap_or_else(|| data.join("config.toml"));
        Some(Places { data, config, ca: arguments.ca.clone() })
    }

    /// What the config file sets.
    pub fn settings(&self) -> Result<Settings, SettingsError> {
        Settings::load(&self.config)
    }

    /// The log.
    pub fn log(&self) -> PathBuf {
        self.data.join("tern.log")
    }

    pub(super) fn print(&self, out: &mut impl Write) -> io::Result<()> {
        let there = |path: &PathBuf| if path.exists() { "" } else { "  (not there yet)" };
        let log = self.log();
        for (what, path) in [("data", &self.data), ("config", &self.config), ("log", &log)] {
            writeln!(out, "{what:10} {}{}", path.display(), there(path))?;
        }
        if let Ok(settings) = self.settings() {
            writeln!(out, "{:10} {}", "downloads", settings.download_folder().display())?;
        }
        let session = match matrix::accounts(&self.data).len() {
            0 => "nobody is logged in".to_owned(),
            1 => "somebody is logged in".to_owned(),
            accounts => format!("{accounts} accounts are logged in"),
        };
        writeln!(out, "{:10} {session}", "session")
    }
}
