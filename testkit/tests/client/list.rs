//! The chat list: what it says of chats, arranging it, and the ways from chat to chat.

use anyhow::Result;
use serde_json::{Value, json};
use tern_testkit::{Api, Loopback, Tern, Ternd, encode};

use crate::keyboard::{account, client, leader, rows_of, select, server_says, to_list, wait_row};

/// A group of bob's with alice in it.
async fn group(bob: &Api, alice: &Api, name: &str, encrypted: bool) -> Result<String> {
    let encryption = json!([{ "type": "m.room.encryption", "state_key": "",
        "content": { "algorithm": "m.megolm.v1.aes-sha2" } }]);
    let room = bob
        .create_room(json!({
            "name": name, "preset": "private_chat", "invite": [alice.user_id()],
            "creation_content": { "chat.tern.encryption": false },
            "initial_state": if encrypted { encryption } else { json!([]) },
        }))
        .await?;
    alice.join(&room, &[]).await?.ok()?;
    Ok(room)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_chat_list_says_what_is_new_and_is_arranged_by_keys() -> Result<()> {
    let loopback = Loopback::new()?;
    let ternd: Ternd = loopback.ternd("localhost").registration("open").start().await?;
    let (alice, bob) = (account(&ternd, "alice").await?, account(&ternd, "bob").await?);
    let garden = group(&bob, &alice, "Garden", false).await?;
    let walks = group(&bob, &alice, "Walks", false).await?;
    group(&bob, &alice, "Secrets", true).await?;
    let mut tern = client(&loopback, &ternd, "alice").await?;

    // Counts, a mention, the newest message with its sender and time.
    for text in ["one", "two"] {
        bob.send_text(&garden, text).await?;
    }
    let mention = json!({ "msgtype": "m.text", "body": "three, alice",
        "m.mentions": { "user_ids": [alice.user_id()] } });
    bob.send(&garden, "m.room.message", mention).await?;
    bob.send_text(&walks, "rain today").await?;
    wait_row(&tern, "Garden", "three unread, one a mention", |first, second| {
        first.contains(':') && second.contains("bob: three, alice") && second.contains("@ 3")
    })
    .await?;
    wait_row(&tern, "Walks", "one unread", |_, second| {
        second.contains("bob: rain today") && second.contains(" 1")
    })
    .await?;
    wait_row(&tern, "Secrets", "a lock", |first, _| first.contains("🔒")).await?;

    pinned(&mut tern, &alice, &garden).await?;
    muted_and_archived(&mut tern, &alice, &walks).await?;
    tabs(&mut tern).await?;
    read_and_found(&mut tern).await
}

/// Pinned ones stay on top, in an order made by hand.
async fn pinned(tern: &mut Tern, alice: &Api, garden: &str) -> Result<()> {
    // The newest is on top; pinned ones stay above it, in an order made by hand.
    let tags = |room: &str| {
        let (user, room) = (encode(alice.user_id()), encode(room));
        format!("/_matrix/client/v3/user/{user}/rooms/{room}/tags")
    };
    let order = |tags: &Value| tags.pointer("/tags/m.favourite/order").and_then(Value::as_f64);
    select(tern, "Secrets").await?;
    tern.press("p")?;
    wait_row(tern, "Secrets", "a pin", |first, _| first.contains('⚲')).await?;
    select(tern, "Garden").await?;
    tern.press("p")?;
    wait_row(tern, "Garden", "a pin", |first, _| first.contains('⚲')).await?;
    wait_order(tern, &["Garden", "Secrets", "Walks"]).await?;
    tern.press("J")?;
    wait_order(tern, &["Secrets", "Garden", "Walks"]).await?;
    server_says(alice, &tags(garden), "the pin's place", |tags| order(tags) > Some(0.5)).await?;
    tern.kill_9_and_reopen()?;
    wait_order(tern, &["Secrets", "Garden", "Walks"]).await?;
    tern.wait_for("● ").await?;
    select(tern, "Garden").await?;
    tern.press("p")?;
    wait_row(tern, "Garden", "no pin", |first, _| !first.contains('⚲')).await?;
    server_says(alice, &tags(garden), "no pin", |tags| order(tags).is_none()).await?;
    Ok(())
}

/// Both are kept on the server, for every client.
async fn muted_and_archived(tern: &mut Tern, alice: &Api, walks: &str) -> Result<()> {
    // Muted: a sign, and a rule on the server for every client.
    select(tern, "Walks").await?;
    tern.press("M")?;
    tern.wait_for("you hear of as for all chats").await?;
    tern.press("n")?;
    wait_row(tern, "Walks", "muted", |first, _| first.contains("🔕")).await?;
    let rule = |rules: &Value| rules.to_string().contains(walks);
    server_says(alice, "/_matrix/client/v3/pushrules/", "a rule for the room", rule).await?;

    // Archived: gone from the list, in a tab of its own, and back.
    tern.press("A")?;
    tern.wait_until("Walks to go", |screen| rows_of(screen, "Walks").is_none()).await?;
    tern.press("<")?;
    tern.wait_for("‹ Archive ›").await?;
    select(tern, "Walks").await?;
    tern.press("A")?;
    tern.wait_for("None here").await?;
    tern.press(">")?;
    wait_row(tern, "Walks", "back", |_, second| second.contains("rain")).await?;
    Ok(())
}

/// The tabs over the list.
async fn tabs(tern: &mut Tern) -> Result<()> {
    // Tabs: what is unread, people, groups.
    tern.press(">")?;
    tern.wait_for("‹ Unread ›").await?;
    tern.wait_until("only unread chats", |screen| {
        rows_of(screen, "Garden").is_some() && rows_of(screen, "Secrets").is_none()
    })
    .await?;
    tern.press(">")?;
    tern.wait_for("‹ People ›").await?;
    tern.wait_for("None here").await?;
    for _ in 0..2 {
        tern.press("<")?;
    }
    tern.wait_gone("‹ ").await?;
    Ok(())
}

/// Marks made by hand, and the finder.
async fn read_and_found(tern: &mut Tern) -> Result<()> {
    // Read and unread by hand.
    select(tern, "Garden").await?;
    tern.press("Ctrl+R")?;
    wait_row(tern, "Garden", "nothing unread", |_, second| !second.contains("@ 3")).await?;
    tern.press("U")?;
    wait_row(tern, "Garden", "marked unread", |_, second| second.contains('•')).await?;
    select(tern, "Secrets").await?;
    // The next unread chat is the marked one: the other is muted.
    tern.press("Alt+A")?;
    tern.wait_for("new line").await?;
    tern.wait_for("three, alice").await?;
    wait_row(tern, "Garden", "no mark", |_, second| !second.contains('•')).await?;

    // The finder goes to chats by a few letters, and knows every command with its keys.
    tern.press("Ctrl+K")?;
    tern.wait_for("Find a chat").await?;
    tern.type_text("wlk")?;
    tern.press("Enter")?;
    tern.wait_for("rain today").await?;
    tern.wait_gone("Find a chat").await?;
    tern.press("Ctrl+K")?;
    tern.type_text(">archive")?;
    tern.wait_for("A in the list").await?;
    tern.press("Esc")?;
    tern.wait_gone("Find a chat").await?;
    to_list(tern).await?;
    leader(tern, "?", "List, messages and composer").await?;
    Ok(())
}

/// Waits until the chats stand in this order.
async fn wait_order(tern: &Tern, names: &[&str]) -> Result<()> {
    tern.wait_until(&format!("the order {names:?}"), |screen| {
        let places: Vec<_> = names
            .iter()
            .map(|name| {
                screen
                    .lines()
                    .position(|row| row.trim_start_matches('▌').trim_start().starts_with(name))
            })
            .collect();
        places.iter().all(Option::is_some) && places.is_sorted()
    })
    .await
}
