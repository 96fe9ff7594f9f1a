//! What two servers show each other of rooms and people: trees of rooms, summaries, upgrades, presence.

use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::{Value, json};
use tern_testkit::{Api, Loopback, PATIENCE, until};

use crate::across::Pair;

async fn space(owner: &Api, name: &str) -> Result<String> {
    let kind = json!({ "type": "m.space" });
    owner
        .create_room(json!({ "preset": "public_chat", "name": name, "creation_content": kind }))
        .await
}

async fn put_child(owner: &Api, space: &str, child: &str, via: &str, order: &str) -> Result<()> {
    let path = format!("/_matrix/client/v3/rooms/{space}/state/m.space.child/{child}");
    owner.put(&path, json!({ "via": [via], "order": order })).await?.ok()?;
    Ok(())
}

fn names(page: &Value) -> Vec<&str> {
    let rooms = page["rooms"].as_array().map(Vec::as_slice).unwrap_or_default();
    rooms.iter().filter_map(|room| room["name"].as_str()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tree_of_rooms_goes_on_on_the_other_server() -> Result<()> {
    let loopback = Loopback::new()?;
    let Pair { alpha, beta, alice, bob } = Pair::start(&loopback).await?;
    let (top, theirs) = (space(&alice, "top").await?, space(&bob, "theirs").await?);
    let open =
        bob.create_room(json!({ "preset": "public_chat", "name": "open", "topic": "tea" })).await?;
    let closed = bob.create_room(json!({ "preset": "private_chat", "name": "closed" })).await?;
    let allow = json!([{ "type": "m.room_membership", "room_id": top }]);
    let rules = json!({ "join_rule": "restricted", "allow": allow });
    let rules = json!([{ "type": "m.room.join_rules", "state_key": "", "content": rules }]);
    let members = bob
        .create_room(json!({ "preset": "private_chat", "name": "members", "initial_state": rules }))
        .await?;
    put_child(&alice, &top, &theirs, beta.name(), "a").await?;
    for (room, order) in [(&open, "a"), (&closed, "b"), (&members, "c")] {
        put_child(&bob, &theirs, room, beta.name(), order).await?;
    }
    // Back to where one came from.
    put_child(&bob, &theirs, &top, alpha.name(), "d").await?;

    let path = format!("/_matrix/client/v1/rooms/{top}/hierarchy");
    let page = alice.get(&path).await?.ok()?;
    assert_eq!(names(&page), ["top", "theirs", "open"], "{page}");
    assert_eq!(page["rooms"][2]["topic"], "tea", "{page}");
    assert_eq!(page["rooms"][1]["children_state"].as_array().map(Vec::len), Some(4), "{page}");

    // Bob's server learns that alice is in the room whose members may know.
    bob.join(&top, &[alpha.name()]).await?.ok()?;
    let page = alice.get(&path).await?.ok()?;
    assert_eq!(names(&page), ["top", "theirs", "open", "members"], "{page}");

    let summary = format!("/_matrix/client/v1/room_summary/{open}?via={}", beta.name());
    let shown = alice.get(&summary).await?.ok()?;
    assert_eq!((&shown["name"], &shown["membership"]), (&json!("open"), &json!("leave")));
    let summary = format!("/_matrix/client/v1/room_summary/{closed}?via={}", beta.name());
    assert_eq!(alice.get(&summary).await?.status, 404);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_user_keeps_about_a_room_follows_an_upgrade_on_the_other_server() -> Result<()> {
    let loopback = Loopback::new()?;
    let Pair { alpha, beta: _beta, alice, bob } = Pair::start(&loopback).await?;
    let old = alice.create_room(json!({ "preset": "public_chat", "room_version": "10" })).await?;
    bob.join(&old, &[alpha.name()]).await?.ok()?;
    let rule = format!("/_matrix/client/v3/pushrules/global/room/{old}");
    bob.put(&rule, json!({ "actions": [] })).await?.ok()?;
    let path = format!("/_matrix/client/v3/rooms/{old}/upgrade");
    let made = alice.post(&path, json!({ "new_version": "12" })).await?.ok()?;
    let new = made["replacement_room"].as_str().context("no replacement")?;
    let tombstone = format!("/_matrix/client/v3/rooms/{old}/state/m.room.tombstone");
    until("the tombstone", PATIENCE, async || {
        let answer = bob.get(&tombstone).await?;
        Ok((answer.text("/replacement_room") == new).then_some(()))
    })
    .await?;
    bob.join(new, &[alpha.name()]).await?.ok()?;
    let rules = bob.get("/_matrix/client/v3/pushrules/global/").await?.ok()?;
    let ids: Vec<&str> = rules["room"]
        .as_array()
        .context("no rules")?
        .iter()
        .filter_map(|rule| rule["rule_id"].as_str())
        .collect();
    assert_eq!(ids, [old.as_str(), new]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn presence_is_told_to_the_other_server() -> Result<()> {
    let loopback = Loopback::new()?;
    let Pair { alpha, beta: _beta, alice, bob } = Pair::start(&loopback).await?;
    let room = alice.create_room(json!({ "preset": "public_chat" })).await?;
    bob.join(&room, &[alpha.name()]).await?.ok()?;
    // So that alice's server knows whom to tell.
    let said = bob.send_text(&room, "hello").await?;
    alice.wait_for_event(&room, &said).await?;
    for (presence, text) in [("online", "at tea"), ("unavailable", "asleep")] {
        let path = format!("/_matrix/client/v3/presence/{}/status", alice.user_id());
        alice.put(&path, json!({ "presence": presence, "status_msg": text })).await?.ok()?;
        until(presence, PATIENCE, async || {
            let synced = bob.sync(None, Duration::ZERO).await?;
            let events = synced.pointer("/presence/events").and_then(Value::as_array);
            let told = events.into_iter().flatten().find(|event| {
                event["sender"] == alice.user_id() && event["content"]["presence"] == presence
            });
            Ok(told.filter(|event| event["content"]["status_msg"] == text).map(|_| ()))
        })
        .await?;
    }
    Ok(())
}
