//! The clients that are measured: how each is started, and what a person would do and see in it.

use std::{
    fs,
    path::{Path, PathBuf, absolute},
    process::Command,
};

use anyhow::{Context, Result};

use super::account::{Account, OPEN, PASSWORD};
use crate::cli::Tui;

/// One of them.
#[derive(Debug, Clone)]
pub(super) struct Program {
    pub(super) kind: Kind,
    pub(super) path: PathBuf,
}

/// Which.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Ours: the list and a chat.
    Tern,
    /// A Matrix client with vim's keys: one room in its window, no list.
    Iamb,
}

impl Program {
    /// What the command line names, ours first.
    pub(super) fn all(command: &Tui) -> Result<Vec<Self>> {
        let ours = Self { kind: Kind::Tern, path: absolute(&command.tern)? };
        let iamb = command.iamb.as_ref().map(absolute).transpose()?;
        Ok([ours].into_iter().chain(iamb.map(|path| Self { kind: Kind::Iamb, path })).collect())
    }

    /// What it says it is.
    pub(super) fn version(&self) -> Result<String> {
        let said = Command::new(&self.path).arg("--version").output();
        let said = said.with_context(|| format!("{} --version", self.path.display()))?;
        Ok(String::from_utf8_lossy(&said.stdout)
            .lines()
            .next()
            .unwrap_or_default()
            .trim()
            .to_owned())
    }

    /// Writes the settings it needs, where it needs any.
    pub(super) fn prepare(&self, account: &Account) -> Result<()> {
        if self.kind == Kind::Tern {
            return Ok(());
        }
        let home = self.home(account);
        let folder = home.join(".config/iamb");
        fs::create_dir_all(&folder)?;
        let password = home.join("password");
        fs::write(&password, PASSWORD)?;
        let settings = format!(
            "default_profile = \"bench\"\n\n\
             [profiles.bench]\nuser_id = \"{}\"\nurl = \"{}\"\npassword_file = \"{}\"\n\n\
             [layout]\nstyle = \"config\"\n\n[[layout.tabs]]\nwindow = \"{}\"\n",
            account.user_id(),
            account.plain_url()?,
            password.display(),
            account.open,
        );
        Ok(fs::write(folder.join("config.toml"), settings)?)
    }

    /// Where it keeps everything.
    pub(super) fn home(&self, account: &Account) -> PathBuf {
        account.folder.join(self.kind.name())
    }

    /// Its arguments.
    pub(super) fn args(&self, account: &Account) -> Result<Vec<String>> {
        match self.kind {
            Kind::Tern => {
                let (data, authority) = (text(&self.home(account))?, text(&account.authority)?);
                Ok(vec!["--data".to_owned(), data, "--ca".to_owned(), authority])
            }
            Kind::Iamb => Ok(Vec::new()),
        }
    }
}

impl Kind {
    /// The name of its column.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Tern => "tern",
            Self::Iamb => "iamb",
        }
    }

    /// Whether its first look is there: the list and the end of the open chat, or whatever the window begins with.
    pub(super) fn is_painted(self, screen: &str, last: &str) -> bool {
        match self {
            Self::Tern => {
                screen.contains(OPEN) && screen.contains("Room ") && screen.contains(last)
            }
            Self::Iamb => !screen.trim().is_empty(),
        }
    }

    /// Whether `text` stands in the open chat.
    pub(super) fn is_in_chat(self, screen: &str, text: &str) -> bool {
        screen.lines().any(|row| match self {
            Self::Tern => row.split_once('│').is_some_and(|(_, row)| row.contains(text)),
            Self::Iamb => row.contains(text),
        })
    }
}

fn text(path: &Path) -> Result<String> {
    Ok(path.to_str().context("a path that is no text")?.to_owned())
}
