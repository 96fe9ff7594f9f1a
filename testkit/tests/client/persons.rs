//! Finding people and looking at them.

use anyhow::Result;
use serde_json::json;
use tern_testkit::{Loopback, encode};

use crate::{
    keyboard::{account, client, close, leader, select, server_says},
    people,
};

#[tokio::test(flavor = "multi_thread")]
async fn people_are_found_by_name_looked_at_and_written_to() -> Result<()> {
    let loopback = Loopback::new()?;
    let ternd = loopback.ternd("localhost").registration("open").start().await?;
    let alice = account(&ternd, "alice").await?;
    let bob = account(&ternd, "bob").await?;
    let me = encode(bob.user_id());
    let profile = |field: &str| format!("/_matrix/client/v3/profile/{me}/{field}");
    bob.put(&profile("displayname"), json!({ "displayname": "Robert Harbour" })).await?.ok()?;
    let bio = json!({ "m.text": [{ "body": "Sails on weekends" }] });
    bob.put(&profile("gay.fomx.biography"), json!({ "gay.fomx.biography": bio })).await?.ok()?;
    let here = format!("/_matrix/client/v3/presence/{me}/status");
    bob.put(&here, json!({ "presence": "online" })).await?.ok()?;
    let garden = bob
        .create_room(
            json!({ "name": "Garden", "preset": "public_chat", "invite": [alice.user_id()] }),
        )
        .await?;
    alice.join(&garden, &[]).await?.ok()?;
    bob.send_text(&garden, "the plumbing is dreadful").await?;
    let mut tern = client(&loopback, &ternd, "alice").await?;

    // By a part of the name, from the form that starts chats.
    tern.press("n")?;
    tern.wait_for("New chat").await?;
    tern.type_text("harbour")?;
    tern.press("Enter")?;
    tern.wait_for("Find people").await?;
    tern.wait_for("Robert Harbour  @bob").await?;
    tern.press("Enter")?;
    tern.wait_for("Sails on weekends").await?;
    tern.wait_for("Both in: Garden").await?;
    tern.wait_for("not verified yet").await?;
    tern.wait_for("online").await?;
    tern.press("m")?;
    tern.wait_for("new line").await?;
    people::say(&mut tern, "hello robert").await?;
    bob.wait_for_invite().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_ignored_is_not_heard_and_what_is_wrong_is_reported() -> Result<()> {
    let loopback = Loopback::new()?;
    let ternd = loopback.ternd("localhost").registration("open").start().await?;
    let alice = account(&ternd, "alice").await?;
    let bob = account(&ternd, "bob").await?;
    let garden = bob
        .create_room(
            json!({ "name": "Garden", "preset": "public_chat", "invite": [alice.user_id()] }),
        )
        .await?;
    alice.join(&garden, &[]).await?.ok()?;
    bob.send_text(&garden, "buy my plumbing").await?;
    let mut tern = client(&loopback, &ternd, "alice").await?;
    select(&mut tern, "Garden").await?;
    tern.press("Enter")?;
    tern.wait_until("the message in the chat", |screen| {
        screen.lines().any(|row| row.split('│').nth(1).is_some_and(|row| row.contains("plumbing")))
    })
    .await?;

    // A message and a chat are reported.
    tern.press("Esc")?;
    tern.wait_for("+ react").await?;
    for what in ["this message", "this chat"] {
        if what == "this message" {
            tern.press("!")?;
        } else {
            leader(&mut tern, "!", "Report").await?;
        }
        tern.wait_for(what).await?;
        tern.press("Enter")?;
        tern.wait_for("Say in a few words").await?;
        tern.type_text("unwanted advertising")?;
        tern.press("Enter")?;
        tern.wait_for("Reported.").await?;
        tern.wait_gone("Reported.").await?;
    }

    // Bob is ignored: the server knows it, and what he says is not shown.
    leader(&mut tern, "y", "Members of Garden").await?;
    tern.type_text("bob")?;
    tern.wait_for("@bob:").await?;
    tern.press("Enter")?;
    tern.wait_for("Profile").await?;
    tern.press("p")?;
    tern.wait_for("Ignore").await?;
    tern.press("g")?;
    tern.wait_for("is ignored from now on").await?;
    let me = encode(alice.user_id());
    let list = format!("/_matrix/client/v3/user/{me}/account_data/m.ignored_user_list");
    let has = |body: &serde_json::Value| body.to_string().contains(bob.user_id());
    server_says(&alice, &list, "bob in the list", has).await?;
    bob.send_text(&garden, "still plumbing").await?;
    let carol = account(&ternd, "carol").await?;
    carol.join(&garden, &[]).await?.ok()?;
    carol.send_text(&garden, "good evening").await?;
    close(&mut tern, "Members of Garden").await?;
    tern.wait_for("good evening").await?;
    assert!(!tern.text().contains("still plumbing"), "{}", tern.picture());
    leader(&mut tern, "I", "People you ignore").await?;
    tern.wait_for(bob.user_id()).await
}
