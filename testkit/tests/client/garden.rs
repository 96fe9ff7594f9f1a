//! A chat in the clear between alice, who sits at `tern`, and bob, whose client is the test itself.

use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::{Value, json};
use tern_testkit::{Api, Loopback, PATIENCE, Size, Tern, Ternd, encode, until};

use crate::people;

/// Alice's client, bob's session, and their chat, open in `tern` with the focus in the composer.
pub(crate) struct Garden {
    pub(crate) ternd: Ternd,
    pub(crate) alice: Tern,
    pub(crate) bob: Api,
    pub(crate) room: String,
    /// Ends its servers when it goes, so it goes last.
    _loopback: Loopback,
}

impl Garden {
    /// Both registered, alice in bob's group called “Garden”. `before` is what bob does there before she comes.
    pub(crate) async fn open(before: impl AsyncFnOnce(&Api, &str) -> Result<()>) -> Result<Garden> {
        let loopback = Loopback::new()?;
        let ternd = loopback.ternd("localhost").registration("open").start().await?;
        let bob = ternd.api().register_openly("bob", people::PASSWORD).await?;
        let room = bob.create_room(json!({ "preset": "public_chat", "name": "Garden" })).await?;
        before(&bob, &room).await?;
        let mut alice = Tern::open(&loopback, "alice", Size::STANDARD)?;
        people::register_without_email(&mut alice, &ternd, "alice").await?;
        bob.invite(&room, &ternd.user_id("alice")).await?;
        people::accept_invitation(&mut alice, "invited by bob").await?;
        Ok(Garden { ternd, alice, bob, room, _loopback: loopback })
    }

    /// Sends what bob writes, and waits until alice sees it in the open chat; the list may show it earlier. Gives its id.
    pub(crate) async fn bob_says(&self, text: &str) -> Result<String> {
        let id = self.bob.send_text(&self.room, text).await?;
        wait_in_chat(&self.alice, text).await?;
        Ok(id)
    }

    /// Bob's `PUT` below the room.
    pub(crate) async fn bob_puts(&self, path: &str, body: Value) -> Result<()> {
        let path = format!("/_matrix/client/v3/rooms/{}/{path}", encode(&self.room));
        self.bob.put(&path, body).await?.ok()?;
        Ok(())
    }

    /// Presses keys one after another.
    pub(crate) fn press(&mut self, keys: &[&str]) -> Result<()> {
        keys.iter().try_for_each(|key| self.alice.press(key))
    }

    /// Goes from the composer to the messages. What is pressed right after Esc would be taken for one key with it.
    pub(crate) async fn go_to_messages(&mut self) -> Result<()> {
        self.alice.press("Esc")?;
        self.alice.wait_for("r reply").await
    }

    /// Waits until bob can read an event such that `is_it`; `what` names it.
    pub(crate) async fn bob_finds(
        &self,
        what: &str,
        is_it: impl Fn(&Value) -> bool,
    ) -> Result<Value> {
        until(what, PATIENCE, async || {
            Ok(self.bob.messages(&self.room).await?.into_iter().find(&is_it))
        })
        .await
        .with_context(|| self.alice.picture())
    }

    /// Waits until bob can read alice's message `text`. Gives the event.
    pub(crate) async fn bob_reads(&self, text: &str) -> Result<Value> {
        self.bob_finds(&format!("{text:?} at bob"), |event| body(event) == text).await
    }

    /// Waits until bob is told that alice is typing.
    pub(crate) async fn bob_sees_typing(&self) -> Result<()> {
        let alice = self.ternd.user_id("alice");
        until("alice to be typing", PATIENCE, async || {
            let answer = self.bob.sync(None, Duration::ZERO).await?;
            let events = answer
                .pointer("/rooms/join")
                .and_then(|rooms| rooms.get(&self.room))
                .and_then(|room| room.pointer("/ephemeral/events"))
                .and_then(Value::as_array)
                .cloned()
                .unwrap_or_default();
            let typing = events.iter().any(|event| {
                event.get("type").and_then(Value::as_str) == Some("m.typing")
                    && event.to_string().contains(&alice)
            });
            Ok(typing.then_some(()))
        })
        .await
    }
}

/// Waits until `text` stands in the open chat. The list left of it shows the newest message too, and often earlier.
pub(crate) async fn wait_in_chat(tern: &Tern, text: &str) -> Result<()> {
    tern.wait_until(&format!("{text:?} in the chat"), |screen| {
        screen.lines().any(|row| row.split_once('│').is_some_and(|(_, chat)| chat.contains(text)))
    })
    .await
}

/// The text of a message.
pub(crate) fn body(event: &Value) -> &str {
    text(event, "/content/body")
}

/// The text at `pointer`, or nothing.
pub(crate) fn text<'a>(event: &'a Value, pointer: &str) -> &'a str {
    event.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}
