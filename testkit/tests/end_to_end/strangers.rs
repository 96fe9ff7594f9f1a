//! Two `ternd` whose users share no room, or one: what they learn of each other all the same.

use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::{Value, json};
use tern_testkit::{Api, Loopback, PATIENCE, until};

use crate::people;

#[tokio::test(flavor = "multi_thread")]
async fn a_profile_is_seen_from_the_other_server_and_a_new_name_reaches_the_room() -> Result<()> {
    let loopback = Loopback::new()?;
    let alpha = loopback.ternd("alpha.localhost").registration("open").start().await?;
    let beta = loopback.ternd("beta.localhost").registration("open").start().await?;
    let alice = alpha.api().register_openly("alice", people::PASSWORD).await?;
    let bob = beta.api().register_openly("bob", people::PASSWORD).await?;
    let profile = format!("/_matrix/client/v3/profile/{}", bob.user_id());

    let bio = json!({ "m.text": [{ "body": "Ferries and tea." }] });
    for (field, value) in [("displayname", json!("Bob")), ("gay.fomx.biography", bio.clone())] {
        let path = format!("{profile}/{field}");
        bob.put(&path, json!({ field: value })).await?.ok()?;
    }
    let seen = alice.get(&profile).await?.ok()?;
    assert_eq!(seen, json!({ "displayname": "Bob", "gay.fomx.biography": bio }));
    let field = alice.get(&format!("{profile}/gay.fomx.biography")).await?.ok()?;
    assert_eq!(field, json!({ "gay.fomx.biography": bio }));
    let nobody = format!("/_matrix/client/v3/profile/{}", beta.user_id("nobody"));
    assert_eq!(alice.get(&nobody).await?.errcode(), "M_NOT_FOUND");

    let room = alice.create_room(json!({ "preset": "public_chat" })).await?;
    bob.join(&room, &[alpha.name()]).await?.ok()?;
    let path = format!("{profile}/displayname");
    bob.put(&path, json!({ "displayname": "Captain Bob" })).await?.ok()?;
    let member = format!("/_matrix/client/v3/rooms/{room}/state/m.room.member/{}", bob.user_id());
    let renamed = until("the new name", PATIENCE, async || {
        let content = alice.get(&member).await?.ok()?;
        Ok((content.get("displayname") == Some(&json!("Captain Bob"))).then_some(()))
    });
    renamed.await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_to_a_device_arrives_though_no_room_is_shared() -> Result<()> {
    let loopback = Loopback::new()?;
    let alpha = loopback.ternd("alpha.localhost").registration("open").start().await?;
    let beta = loopback.ternd("beta.localhost").registration("open").start().await?;
    let alice = alpha.api().register_openly("alice", people::PASSWORD).await?;
    let bob = beta.api().register_openly("bob", people::PASSWORD).await?;
    let messages = json!({ "messages": { bob.user_id(): { "*": { "body": "psst" } } } });
    alice.put("/_matrix/client/v3/sendToDevice/org.example.whisper/1", messages).await?.ok()?;
    let events = wait_for_to_device(&bob).await?;
    assert_eq!(events.pointer("/0/content/body"), Some(&json!("psst")), "{events}");
    assert_eq!(events.pointer("/0/sender"), Some(&json!(alice.user_id())), "{events}");
    Ok(())
}

async fn wait_for_to_device(person: &Api) -> Result<Value> {
    until("a message to the device", PATIENCE, async || {
        let synced = person.sync(None, Duration::ZERO).await?;
        let events = synced.pointer("/to_device/events").cloned().context("no events")?;
        Ok(events.as_array().is_some_and(|events| !events.is_empty()).then_some(events))
    })
    .await
}
