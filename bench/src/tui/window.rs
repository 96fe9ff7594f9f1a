//! A window with the client in it.

use std::{
    ops::{Deref, DerefMut},
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use tern_testkit::{Manners, Screen, Size};

use super::{
    account::{Account, LAST},
    program::{Kind, Program},
};

/// Nothing came for so long: it has caught up.
const QUIET: Duration = Duration::from_secs(2);

/// After so long an Esc is a key of its own.
const ESC: Duration = Duration::from_millis(200);

/// Less than this is no more than a clock or a cursor.
const STIR: usize = 600;

/// The client in its terminal; use it as the [`Screen`] it is.
pub(super) struct Window {
    screen: Screen,
    kind: Kind,
}

impl Window {
    /// Starts it on the account.
    pub(super) fn open(account: &Account, program: &Program, size: Size) -> Result<Self> {
        Self::start(account, program, size, &[])
    }

    /// Starts it where no server can be reached.
    pub(super) fn open_offline(account: &Account, program: &Program, size: Size) -> Result<Self> {
        // No connection gets further than a proxy that is not there.
        const NOWHERE: &str = "http://127.0.0.1:9";
        let names = ["https_proxy", "HTTPS_PROXY", "http_proxy", "HTTP_PROXY"];
        Self::start(account, program, size, &names.map(|name| (name, NOWHERE)))
    }

    fn start(
        account: &Account,
        program: &Program,
        size: Size,
        more: &[(&str, &str)],
    ) -> Result<Self> {
        let home = program.home(account);
        std::fs::create_dir_all(&home)?;
        let folder = home.to_str().context("a folder that is no text")?;
        let args = program.args(account)?;
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        let mut envs = vec![("HOME", folder), ("LANG", "C.UTF-8"), ("TZ", "UTC")];
        envs.extend(more);
        // iamb ends where nobody says where the cursor is.
        let manners = Manners { answers: true, draws: &[] };
        let screen = Screen::open_on(manners, &program.path, &args, &envs, &home, size)?;
        Ok(Self { screen, kind: program.kind })
    }

    /// Waits until its first look is there.
    pub(super) async fn wait_painted(&self) -> Result<()> {
        self.wait_until("the first look", |screen| self.kind.is_painted(screen, LAST)).await
    }

    /// Waits until `text` stands in the conversation.
    pub(super) async fn wait_in_chat(&self, text: &str) -> Result<()> {
        self.wait_until(text, |screen| self.kind.is_in_chat(screen, text)).await
    }

    /// Whether other chats are on the screen too.
    pub(super) fn has_list(&self) -> bool {
        self.kind == Kind::Tern
    }

    /// Makes the next letters go into a message.
    pub(super) fn begin_to_type(&mut self) -> Result<()> {
        match self.kind {
            Kind::Tern => Ok(()),
            Kind::Iamb => self.press("i"),
        }
    }

    /// Waits until it is online and has been silent for a while.
    pub(super) async fn settle(&mut self) -> Result<()> {
        if self.kind == Kind::Tern {
            self.wait_for("●").await?;
        }
        loop {
            let before = self.bytes_received();
            tokio::time::sleep_until((Instant::now() + QUIET).into()).await;
            // One of them draws twice a second for ever.
            if self.bytes_received() - before < STIR {
                return Ok(());
            }
        }
    }

    /// Its process.
    pub(super) fn pid(&self) -> Result<u32> {
        self.screen.pid().context("it has ended")
    }

    /// Ends it as a person does.
    pub(super) async fn quit(mut self) -> Result<()> {
        match self.kind {
            Kind::Tern => self.press("Ctrl+Q")?,
            Kind::Iamb => {
                self.press("Esc")?;
                // Right behind Esc it would be one key with it.
                tokio::time::sleep_until((Instant::now() + ESC).into()).await;
                self.type_text(":qa!\r")?;
            }
        }
        self.screen.wait_exit().await?;
        Ok(())
    }

    /// Ends it where it reached no server: one of them takes no key before it has.
    pub(super) async fn quit_offline(self) -> Result<()> {
        match self.kind {
            Kind::Tern => self.quit().await,
            Kind::Iamb => Ok(()),
        }
    }
}

impl Deref for Window {
    type Target = Screen;

    fn deref(&self) -> &Screen {
        &self.screen
    }
}

impl DerefMut for Window {
    fn deref_mut(&mut self) -> &mut Screen {
        &mut self.screen
    }
}
