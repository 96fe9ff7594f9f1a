//! The account: a server of its own with many rooms in it, and each client logged in once.

use std::path::{PathBuf, absolute};

use anyhow::{Context, Result};
use serde_json::json;
use tern_testkit::{Api, Loopback, Screen, Size, Ternd};

use super::{
    program::{Kind, Program},
    window::Window,
};
use crate::{cli::Tui, report};

/// The chat that is open.
pub(super) const OPEN: &str = "Garden";
/// In every message that ends it.
pub(super) const LAST: &str = "while away";
/// After the messages in another chat.
pub(super) const LAST_BUT_ONE: &str = "and all the others";
pub(super) const PASSWORD: &str = "correct horse battery staple";

/// Everything the windows need. The server ends with it.
pub(super) struct Account {
    /// The clients keep theirs in it.
    pub(super) folder: PathBuf,
    pub(super) authority: PathBuf,
    pub(super) bob: Api,
    /// The room that is open.
    pub(super) open: String,
    /// One in the middle of the list.
    pub(super) other: String,
    ternd: Ternd,
    _loopback: Loopback,
}

impl Account {
    /// Makes the account and its rooms.
    pub(super) async fn make(command: &Tui) -> Result<Self> {
        let loopback = Loopback::new()?;
        let ternd =
            loopback.ternd("localhost").registration("open").binary(&absolute(&command.ternd)?);
        let ternd = ternd.plain_http().start().await?;
        let alice = ternd.api().register_openly("alice", PASSWORD).await?;
        let bob = ternd.api().register_openly("bob", PASSWORD).await?;
        report::progress(&format!("{} rooms for one account", command.rooms));
        let mut other = String::new();
        for number in 0..command.rooms {
            let room = room(&bob, &alice, &format!("Room {number:04}")).await?;
            bob.send_text(&room, &words(number * 7 % 40, "and so on.")).await?;
            if number == command.rooms / 2 {
                other = room;
            }
        }
        let open = room(&bob, &alice, OPEN).await?;
        for number in 0..200 {
            bob.send_text(&open, &words(number * 7 % 60, "there.")).await?;
        }
        bob.send_text(&open, LAST).await?;
        Ok(Self {
            folder: loopback.subfolder("clients")?,
            authority: loopback.authority().file().to_owned(),
            bob,
            open,
            other,
            ternd,
            _loopback: loopback,
        })
    }

    /// The id of whose it is.
    pub(super) fn user_id(&self) -> String {
        self.ternd.user_id("alice")
    }

    /// Its server without TLS.
    pub(super) fn plain_url(&self) -> Result<&str> {
        self.ternd.plain_url().context("it serves no plain HTTP")
    }

    /// Logs a client in, lets it catch up and leaves it with the chat open.
    pub(super) async fn log_in(&self, program: &Program) -> Result<()> {
        program.prepare(self)?;
        let mut window = Window::open(self, program, Size::STANDARD)?;
        if program.kind == Kind::Tern {
            enter(&mut window, self.ternd.name()).await?;
            window.press("Ctrl+K")?;
            window.wait_for("Find a chat").await?;
            window.type_text(OPEN)?;
            window
                .wait_until("the chat to be found", |screen| screen.matches(OPEN).count() > 1)
                .await?;
            window.press("Enter")?;
        }
        window.wait_in_chat(LAST).await?;
        window.settle().await?;
        window.quit().await
    }
}

async fn room(bob: &Api, alice: &Api, name: &str) -> Result<String> {
    let room = bob
        .create_room(json!({ "name": name, "preset": "public_chat",
            "creation_content": { "chat.tern.encryption": false } }))
        .await?;
    alice.join(&room, &[]).await?.ok()?;
    Ok(room)
}

async fn enter(window: &mut Screen, server: &str) -> Result<()> {
    window.wait_for("Welcome to Tern").await?;
    window.type_text(server)?;
    window.press("Enter")?;
    window.wait_for("answers.").await?;
    window.press("l")?;
    window.wait_for("Log in on").await?;
    window.type_text("alice")?;
    window.press("Tab")?;
    window.type_text(PASSWORD)?;
    window.press("Enter")?;
    window.wait_for("Later").await?;
    window.press("Esc")?;
    window.wait_gone("Later").await
}

/// So many words, and the last one.
pub(super) fn words(count: usize, last: &str) -> String {
    let words =
        ["the", "water", "is", "rising", "over", "yellow", "stones", "and", "nobody", "minds"];
    let words = words.into_iter().cycle().take(count);
    words.chain([last]).collect::<Vec<_>>().join(" ")
}
