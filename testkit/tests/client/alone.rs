//! Alice alone: a server, her account there, and her client, in which she writes to herself.

use anyhow::Result;
use tern_testkit::{Api, Loopback, Size, Tern, Ternd};

use crate::{
    keyboard::{account, client},
    people,
};

/// What she has. Taken apart, the servers are to be named first, for they have to go last.
pub(crate) struct Alone {
    pub(crate) loopback: Loopback,
    pub(crate) ternd: Ternd,
    pub(crate) api: Api,
    pub(crate) tern: Tern,
}

impl Alone {
    /// Logged in, with the list in front.
    pub(crate) async fn open() -> Result<Alone> {
        let loopback = Loopback::new()?;
        let ternd = loopback.ternd("localhost").registration("open").start().await?;
        let api = account(&ternd, "alice").await?;
        let tern = client(&loopback, &ternd, "alice").await?;
        Ok(Alone { loopback, ternd, api, tern })
    }

    /// The same, and she has written to herself; that chat is open.
    pub(crate) async fn having_said(text: &str) -> Result<Alone> {
        let mut alone = Alone::open().await?;
        alone.tern.press("Alt+0")?;
        alone.tern.wait_for("new line").await?;
        people::say(&mut alone.tern, text).await?;
        Ok(alone)
    }

    /// Another client of hers, not yet logged in.
    pub(crate) fn another(loopback: &Loopback, name: &str) -> Result<Tern> {
        Tern::open(loopback, &format!("alice-{name}"), Size::LARGE)
    }
}
