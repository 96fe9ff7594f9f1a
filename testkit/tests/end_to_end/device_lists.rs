//! What servers tell each other of their users' devices.

use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::{Value, json};
use tern_testkit::{Asked, HostedRoom, Loopback, PATIENCE, Peer, until};

use crate::people::PASSWORD;

/// What the peer was told by EDUs of this type, oldest first.
fn told(peer: &Peer, edu_type: &str) -> Vec<Value> {
    let sent = peer.asked("/_matrix/federation/v1/send/").into_iter();
    let edus = sent.filter_map(|asked| asked.body.get("edus")?.as_array().cloned()).flatten();
    let of_type = |edu: &Value| edu.get("edu_type").is_some_and(|found| found == edu_type);
    edus.filter(of_type).filter_map(|edu| edu.get("content").cloned()).collect()
}

#[tokio::test]
async fn servers_learn_of_the_devices_of_who_comes_to_them_for_the_first_time() -> Result<()> {
    let loopback = Loopback::new()?;
    let ternd = loopback.ternd("localhost").registration("open").start().await?;
    let alice = ternd.api().register_openly("alice", PASSWORD).await?;
    let peer = Peer::start(&loopback, "gamma.localhost").await?;
    peer.answer("/_matrix/federation/v1/send/", 200, json!({ "pdus": {} }));
    for name in ["first", "second"] {
        let mut room = HostedRoom::make(&peer, name, "11")?;
        let id = room.room_id.clone();
        let join = async { alice.join(&id, &[peer.name()]).await?.ok().map(drop) };
        room.joined_by(&peer, alice.user_id(), join).await?;
        until("word of the device", PATIENCE, async || {
            Ok(told(&peer, "m.device_list_update").pop())
        })
        .await?;
        // Whatever the second join had to tell of devices is under way before this.
        alice.send_text(&id, name).await?;
        until("the message", PATIENCE, async || {
            let sent = peer.asked("/_matrix/federation/v1/send/");
            let arrived = |asked: &Asked| asked.body["pdus"].to_string().contains(&id);
            Ok(sent.iter().any(arrived).then_some(()))
        })
        .await?;
    }
    let devices = told(&peer, "m.device_list_update");
    assert_eq!(devices.len(), 1, "{devices:?}");
    assert_eq!(devices[0]["user_id"], alice.user_id());
    let own = alice.get("/_matrix/client/v3/devices").await?.ok()?;
    assert_eq!(devices[0]["device_id"], own["devices"][0]["device_id"]);
    assert!(devices[0].get("prev_id").is_none_or(|before| *before == json!([])), "{devices:?}");
    Ok(())
}

#[tokio::test]
async fn who_comes_into_a_room_is_named_once_and_again_when_a_device_changes() -> Result<()> {
    let loopback = Loopback::new()?;
    let ternd = loopback.ternd("localhost").registration("open").start().await?;
    let alice = ternd.api().register_openly("alice", PASSWORD).await?;
    let room = alice.create_room(json!({ "preset": "public_chat" })).await?;
    let peer = Peer::start(&loopback, "gamma.localhost").await?;
    for localpart in ["bob", "carol"] {
        peer.join(ternd.name(), &room, localpart).await?;
    }
    let mut since = String::new();
    let mut changed = async || -> Result<Value> {
        let token = Some(since.as_str()).filter(|token| !token.is_empty());
        let synced = alice.sync(token, Duration::ZERO).await?;
        since = synced["next_batch"].as_str().context("no next_batch")?.to_owned();
        Ok(synced["device_lists"]["changed"].clone())
    };
    changed().await?;

    // The first word of bob's devices comes of his join, which alice knows of; carol's device is another than before.
    let update = |localpart: &str, before: Value| {
        let content = json!({ "user_id": peer.user_id(localpart), "device_id": "PHONE", "stream_id": 7, "prev_id": before });
        json!({ "edu_type": "m.device_list_update", "content": content })
    };
    let edus = [update("bob", json!([])), update("carol", json!([6]))];
    peer.send_with(ternd.name(), &[], &edus).await?.ok()?;
    let named = until("word of carol", PATIENCE, async || {
        Ok(Some(changed().await?).filter(Value::is_array))
    });
    assert_eq!(named.await?, json!([peer.user_id("carol")]));
    Ok(())
}
