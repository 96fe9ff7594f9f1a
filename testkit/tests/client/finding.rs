//! What was said is found again, in encrypted chats too, and what one keeps for oneself.

use anyhow::Result;
use serde_json::json;
use tern_testkit::{Loopback, Tern};

use crate::{
    keyboard::{account, client, leader, to_list},
    people,
};

#[tokio::test(flavor = "multi_thread")]
async fn words_are_found_in_all_chats_and_in_saved_messages() -> Result<()> {
    let loopback = Loopback::new()?;
    let ternd = loopback.ternd("localhost").registration("open").start().await?;
    let alice = account(&ternd, "alice").await?;
    let bob = account(&ternd, "bob").await?;
    let plain = json!({ "name": "Harbour", "preset": "public_chat",
        "creation_content": { "chat.tern.encryption": false } });
    let harbour = bob.create_room(plain).await?;
    alice.join(&harbour, &[]).await?.ok()?;
    bob.send_text(&harbour, "The lighthouse of Nørre is lit").await?;
    let mut tern = client(&loopback, &ternd, "alice").await?;

    // The chat with oneself: there once, under the same key again.
    leader(&mut tern, "0", "Saved Messages").await?;
    tern.wait_for("new line").await?;
    people::say(&mut tern, "buy paint for the lighthouse").await?;
    to_list(&mut tern).await?;
    // An encrypted group.
    tern.press("N")?;
    tern.wait_for("New group").await?;
    tern.type_text("Keepers")?;
    tern.press("Enter")?;
    tern.press("Enter")?;
    tern.wait_for("Keepers 🔒").await?;
    tern.wait_for("new line").await?;
    people::say(&mut tern, "who has the LIGHTHOUSE key?").await?;
    to_list(&mut tern).await?;
    leader(&mut tern, "0", "new line").await?;
    assert_eq!(tern.text().matches("Saved Messages").count(), 2, "{}", tern.picture());

    // Words of all three, without regard to case and accents; the chosen one is gone to.
    to_list(&mut tern).await?;
    search(&mut tern, "lighthouse").await?;
    tern.wait_until("all three", |screen| {
        ["alice: buy paint", "alice: who has the LIGHTHOUSE key?", "bob: The lighthouse of Nørre"]
            .iter()
            .all(|found| screen.contains(found))
    })
    .await?;
    tern.press("Ctrl+U")?;
    tern.type_text("lighthouse norre")?;
    tern.wait_gone("alice: buy paint").await?;
    tern.wait_for("bob: The lighthouse of Nørre").await?;
    tern.press("Ctrl+U")?;
    tern.type_text("lighthouse key")?;
    tern.wait_gone("is lit").await?;
    tern.wait_for("alice: who has the LIGHTHOUSE key?").await?;
    tern.press("Enter")?;
    tern.wait_gone("Search in all chats").await?;
    tern.wait_until("the message chosen in its chat", |screen| {
        screen.lines().any(|row| row.contains("│▌") && row.contains("LIGHTHOUSE key"))
    })
    .await
}

async fn search(tern: &mut Tern, words: &str) -> Result<()> {
    leader(tern, "/", "Search in all chats").await?;
    tern.type_text(words)
}
