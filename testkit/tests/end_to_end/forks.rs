//! A room whose branches another server makes: what is built on a resolved state can be read for good.

use std::slice;

use anyhow::{Context, Result};
use reqwest::Method;
use serde_json::{Value, json};
use tern_testkit::{Loopback, Peer, Ternd};

use crate::people::PASSWORD;

#[tokio::test]
async fn an_event_on_a_resolved_state_keeps_it_when_the_room_goes_on_from_another() -> Result<()> {
    let loopback = Loopback::new()?;
    let mut ternd = loopback.ternd("localhost").registration("open").start().await?;
    let alice = ternd.api().register_openly("alice", PASSWORD).await?;
    let peer = Peer::start(&loopback, "gamma.localhost").await?;
    let levels = json!({ "state_default": 0 });
    let create = json!({ "preset": "public_chat", "power_level_content_override": levels });
    let room_id = alice.create_room(create).await?;
    let room = peer.join(ternd.name(), &room_id, "bob").await?;

    let text = |body: &str| json!({ "msgtype": "m.text", "body": body });
    let root = peer.message(&room, text("root"))?;
    let root_id = room.event_id(&root)?;
    let after = |prevs: &[&String], fields: Value| {
        let prevs: Vec<String> = prevs.iter().copied().cloned().collect();
        peer.event_after(&room, &prevs, fields)
    };
    let topic = |topic: &str, at_ms: u64| {
        let content = json!({ "topic": topic });
        let fields = json!({ "type": "m.room.topic", "state_key": "", "content": content,
            "origin_server_ts": at_ms });
        after(&[&root_id], fields)
    };
    let message =
        |body: &str| json!({ "type": "m.room.message", "content": text(body), "depth": 20 });
    let (one, two) = (topic("one", 1_000)?, topic("two", 2_000)?);
    let aside = after(&[&root_id], message("aside"))?;
    // It stands on what the two topics resolve to, which is the room's state at that time, but not on all of the room's ends.
    let ends = [room.event_id(&one)?, room.event_id(&two)?];
    let on_both = after(&[&ends[0], &ends[1]], message("on both"))?;
    let last = topic("three", 3_000)?;
    for event in [&root, &one, &two, &aside, &on_both, &last] {
        peer.send(ternd.name(), slice::from_ref(event)).await?.ok()?;
        alice.wait_for_event(&room_id, &room.event_id(event)?).await?;
    }
    ternd.kill_9()?;
    ternd.restart().await?;

    let asked = room_id.replace('!', "%21").replace(':', "%3A");
    let event_id = room.event_id(&on_both)?.replace('$', "%24");
    let state_ids = format!("/_matrix/federation/v1/state_ids/{asked}?event_id={event_id}");
    let before = peer.request(ternd.name(), Method::GET, &state_ids, None).await?.ok()?;
    let ids = before["pdu_ids"].as_array().map(Vec::as_slice).unwrap_or_default();
    assert!(ids.contains(&json!(ends[1])) && !ids.contains(&json!(ends[0])), "{before}");

    let path = format!("/_matrix/client/v3/rooms/{room_id}");
    let context = format!("{path}/context/{}", room.event_id(&on_both)?);
    let context = alice.get(&context).await?.ok()?;
    assert_eq!(context["event"]["content"]["body"], "on both", "{context}");
    let topic = alice.get(&format!("{path}/state/m.room.topic/")).await?.ok()?;
    assert_eq!(topic["topic"], "three");
    let seen = alice.messages(&room_id).await?;
    assert!(seen.iter().any(|event| event["content"]["body"] == "on both"), "{seen:?}");
    Ok(())
}

/// What `ternd check` says of the states in the database of a stopped server: how many, and how many that nothing stands on.
fn states(ternd: &Ternd) -> Result<(u64, u64)> {
    let said = String::from_utf8(ternd.run(&["check"])?.stdout)?;
    let before = |word: &str| {
        let (count, _) = said.split_once(word)?;
        count.split_whitespace().last()?.parse().ok()
    };
    let idle = before(" states that nothing").unwrap_or_default();
    Ok((before(" states of").with_context(|| said.clone())?, idle))
}

#[tokio::test]
async fn a_resolution_leaves_no_state_behind_when_the_next_comes_after_a_restart() -> Result<()> {
    let loopback = Loopback::new()?;
    let mut ternd = loopback.ternd("localhost").registration("open").start().await?;
    let alice = ternd.api().register_openly("alice", PASSWORD).await?;
    let peer = Peer::start(&loopback, "gamma.localhost").await?;
    let levels = json!({ "state_default": 0 });
    let create = json!({ "preset": "public_chat", "power_level_content_override": levels });
    let room_id = alice.create_room(create).await?;
    let room = peer.join(ternd.name(), &room_id, "bob").await?;
    let root = peer.message(&room, json!({ "msgtype": "m.text", "body": "root" }))?;
    let root_id = room.event_id(&root)?;
    peer.send(ternd.name(), slice::from_ref(&root)).await?.ok()?;
    let mut ends = Vec::new();
    for round in 1_000..1_004 {
        // The first stays a line; each after it is one more branch, and the room stands on what they come to.
        let kind = if round == 1_001 { "org.example.mood" } else { "m.room.topic" };
        let fields = json!({ "type": kind, "state_key": "", "origin_server_ts": round,
            "content": { "topic": format!("of {round}") } });
        let topic = peer.event_after(&room, slice::from_ref(&root_id), fields)?;
        peer.send(ternd.name(), slice::from_ref(&topic)).await?.ok()?;
        alice.wait_for_event(&room_id, &room.event_id(&topic)?).await?;
        ends.push(room.event_id(&topic)?);
        ternd.stop().await?;
        assert_eq!(states(&ternd)?.1, 0, "after {round}");
        ternd.restart().await?;
    }
    // Many that stand on the same branches, which are not all of the room's: one state for all of them.
    let older = ends.get(..2).context("two ends")?;
    let text = |number: u64| json!({ "msgtype": "m.text", "body": format!("message {number}") });
    let message = |number: u64| {
        let fields = json!({ "type": "m.room.message", "content": text(number), "depth": 20 });
        peer.event_after(&room, older, fields)
    };
    ternd.stop().await?;
    let (few, _) = states(&ternd)?;
    ternd.restart().await?;
    for number in 0..10 {
        let event = message(number)?;
        peer.send(ternd.name(), slice::from_ref(&event)).await?.ok()?;
        alice.wait_for_event(&room_id, &room.event_id(&event)?).await?;
    }
    ternd.stop().await?;
    let (many, idle) = states(&ternd)?;
    assert!(many <= few + 2 && idle == 0, "{few} states, then {many}, {idle} of them idle");
    Ok(())
}

#[tokio::test]
async fn an_event_is_behind_what_its_soft_failed_predecessor_follows() -> Result<()> {
    let loopback = Loopback::new()?;
    let ternd = loopback.ternd("localhost").registration("open").start().await?;
    let alice = ternd.api().register_openly("alice", PASSWORD).await?;
    let peer = Peer::start(&loopback, "gamma.localhost").await?;
    let levels = json!({ "state_default": 0 });
    let create = json!({ "preset": "public_chat", "power_level_content_override": levels });
    let room_id = alice.create_room(create).await?;
    let carol = peer.join(ternd.name(), &room_id, "carol").await?;
    let bob = peer.join(ternd.name(), &room_id, "bob").await?;
    let root = peer.message(&bob, json!({ "msgtype": "m.text", "body": "root" }))?;
    peer.send(ternd.name(), slice::from_ref(&root)).await?.ok()?;
    let root_id = bob.event_id(&root)?;
    alice.wait_for_event(&room_id, &root_id).await?;

    let path = format!("/_matrix/client/v3/rooms/{room_id}");
    let kick = json!({ "user_id": carol.user_id });
    alice.post(&format!("{path}/kick"), kick).await?.ok()?;
    // Beside the kick bob sets a topic. Carol, who has not heard of the kick, speaks after it; and bob, who has not either, sets another
    // topic after that, at a time before the first.
    let topic = |topic: &str, at_ms: u64| {
        let content = json!({ "topic": topic });
        json!({ "type": "m.room.topic", "state_key": "", "content": content, "origin_server_ts": at_ms })
    };
    let one = peer.event_after(&bob, &[root_id], topic("one", 5_000))?;
    let text = json!({ "msgtype": "m.text", "body": "still here" });
    let fields = json!({ "type": "m.room.message", "content": text });
    let late = peer.event_after(&carol, &[bob.event_id(&one)?], fields)?;
    let two = peer.event_after(&bob, &[bob.event_id(&late)?], topic("two", 1_000))?;
    for event in [&one, &late, &two] {
        peer.send(ternd.name(), slice::from_ref(event)).await?.ok()?;
    }
    alice.wait_for_event(&room_id, &bob.event_id(&two)?).await?;

    let seen = alice.messages(&room_id).await?;
    assert!(!seen.iter().any(|event| event["content"]["body"] == "still here"), "{seen:?}");
    let topic = alice.get(&format!("{path}/state/m.room.topic/")).await?.ok()?;
    assert_eq!(topic["topic"], "two", "the first topic is no end of the room any more");
    Ok(())
}
