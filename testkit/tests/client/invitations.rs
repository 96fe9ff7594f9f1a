//! A person at the screen and another whose client is a few requests, in a room that is not encrypted, so that what arrives can
//! be read at the server.

use anyhow::{Context, Result};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tern_testkit::{Api, Loopback, PATIENCE, Size, Tern, Ternd, until};

use crate::people;

/// alice at the screen, bob behind requests, and the room they share.
pub(crate) struct Pair {
    pub(crate) alice: Tern,
    pub(crate) bob: Api,
    pub(crate) room: String,
    server: Option<u32>,
}

/// Registers both; bob makes the room `name` and alice, whose settings are these, is in its composer.
pub(crate) async fn pair(
    loopback: &Loopback,
    ternd: &Ternd,
    name: &str,
    settings: &str,
    size: Size,
) -> Result<Pair> {
    ternd.register_by_email("bob", "bob@example.org", people::PASSWORD).await?;
    ternd.register_by_email("alice", "alice@example.org", people::PASSWORD).await?;
    let bob = ternd.api().session(ternd.api().login("bob", people::PASSWORD).await?)?;
    let alias = name.to_lowercase();
    let invite = [ternd.user_id("alice")];
    // The name by which servers that encrypt by default are told not to.
    let plain = json!({ "chat.tern.encryption": false });
    let body = json!({ "name": name, "room_alias_name": alias, "invite": invite,
        "preset": "public_chat", "creation_content": plain });
    let room = bob.create_room(body).await?;
    Tern::set(loopback, "alice", settings)?;
    let mut alice = Tern::open(loopback, "alice", size)?;
    people::log_in(&mut alice, ternd.name(), "alice", people::PASSWORD).await?;
    people::accept_invitation(&mut alice, "invited by bob").await?;
    Ok(Pair { alice, bob, room, server: ternd.pid() })
}

impl Pair {
    /// The server runs anew.
    pub(crate) fn moved_to(&mut self, ternd: &Ternd) {
        self.server = ternd.pid();
    }

    /// Sends a signal to the server.
    pub(crate) fn server(&self, signal: Signal) -> Result<()> {
        let pid = self.server.and_then(|pid| i32::try_from(pid).ok()).and_then(Pid::from_raw);
        Ok(kill_process(pid.context("the server is gone")?, signal)?)
    }

    /// The bodies of alice's messages at the server, oldest first.
    pub(crate) async fn said(&self) -> Result<Vec<String>> {
        let said = self.messages().await?;
        Ok(said.iter().map(|content| text(content, "/body")).collect())
    }

    /// The contents of alice's messages at the server, oldest first.
    pub(crate) async fn messages(&self) -> Result<Vec<Value>> {
        let mut events = self.bob.messages(&self.room).await?;
        events.sort_by_key(|event| event.get("origin_server_ts").and_then(Value::as_u64));
        let own = events.into_iter().filter(|event| text(event, "/sender").starts_with("@alice:"));
        let messages = own.filter(|event| text(event, "/type") == "m.room.message");
        Ok(messages.filter_map(|event| event.get("content").cloned()).collect())
    }

    /// Waits until a message of alice's is such, and gives it.
    pub(crate) async fn wait_for(
        &self,
        what: &str,
        such: impl Fn(&Value) -> bool,
    ) -> Result<Value> {
        let found = until(what, PATIENCE, async || {
            Ok(self.messages().await?.into_iter().find(|content| such(content)))
        });
        found.await.with_context(|| self.alice.picture())
    }
}

/// The text at a place of some JSON.
pub(crate) fn text(value: &Value, pointer: &str) -> String {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned()
}
