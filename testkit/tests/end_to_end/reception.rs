//! What `ternd` makes of another server's transactions: each event's answer, what waits, what is never believed.

use std::{slice, time::Duration};

use anyhow::Result;
use reqwest::Method;
use serde_json::{Value, json};
use tern_testkit::{Api, HostedRoom, Loopback, PATIENCE, Peer, until};

use crate::people::PASSWORD;

#[tokio::test]
async fn a_clients_event_of_65536_bytes_passes_and_one_of_65537_gets_413() -> Result<()> {
    let loopback = Loopback::new()?;
    let ternd = loopback.ternd("localhost").registration("open").start().await?;
    let alice = ternd.api().register_openly("alice", PASSWORD).await?;
    let room = alice.create_room(json!({ "preset": "public_chat" })).await?;
    let send = async |transaction: &str, length: usize| {
        let path = format!("/_matrix/client/v3/rooms/{room}/send/m.room.message/{transaction}");
        alice.put(&path, json!({ "msgtype": "m.text", "body": "x".repeat(length) })).await
    };

    let peer = Peer::start(&loopback, "gamma.localhost").await?;
    peer.join(ternd.name(), &room, "bob").await?;
    // From here on all depths have two digits.
    for number in 0..10 {
        send(&format!("filler{number}"), 1).await?.ok()?;
    }
    // How large the rest of an event is can only be learned from one.
    let probe = send("probe", 1_000).await?;
    let id = probe.text("/event_id").to_owned();
    let path = format!("/_matrix/federation/v1/event/{}", id.replace('$', "%24"));
    let raw = peer.request(ternd.name(), Method::GET, &path, None).await?.ok()?;
    let rest = serde_json::to_vec(&raw["pdus"][0])?.len() - 1_000;
    let fits = send("fits", 65_536 - rest).await?;
    let bursts = send("bursts", 65_537 - rest).await?;

    assert_eq!(fits.status, 200, "{}", fits.body);
    assert_eq!((bursts.status, bursts.errcode()), (413, "M_TOO_LARGE"), "{}", bursts.body);
    Ok(())
}

#[tokio::test]
async fn every_event_of_a_transaction_gets_its_answer() -> Result<()> {
    let loopback = Loopback::new()?;
    let ternd = loopback.ternd("localhost").registration("open").start().await?;
    let alice = ternd.api().register_openly("alice", PASSWORD).await?;
    let peer = Peer::start(&loopback, "gamma.localhost").await?;
    let room_id = alice.create_room(json!({ "preset": "public_chat" })).await?;
    let room = peer.join(ternd.name(), &room_id, "bob").await?;
    let text = |body: &str| json!({ "msgtype": "m.text", "body": body });

    let good = peer.message(&room, text("good"))?;
    let mut forged = peer.message(&room, text("forged"))?;
    forged.insert("depth".to_owned(), ruma::CanonicalJsonValue::Integer(ruma::int!(77)));
    let large = peer.message_of_bytes(&room, 65_537)?;
    let answer = peer.send(ternd.name(), &[good.clone(), forged.clone(), large.clone()]).await?;
    let answer = answer.ok()?;

    let error = |event| -> Result<String> {
        let told = &answer["pdus"][room.event_id(event)?]["error"];
        Ok(told.as_str().unwrap_or_default().to_owned())
    };
    assert_eq!(answer["pdus"][room.event_id(&good)?], json!({}), "{answer}");
    assert!(error(&forged)?.contains("signature"), "{answer}");
    assert!(error(&large)?.contains("65537"), "{answer}");

    let acl = json!({ "allow": ["*"], "deny": ["gamma.localhost"], "allow_ip_literals": true });
    let path = format!("/_matrix/client/v3/rooms/{room_id}/state/m.room.server_acl/");
    alice.put(&path, acl).await?.ok()?;
    let late = peer.message(&room, text("after the ban of the server"))?;
    let answer = peer.send(ternd.name(), slice::from_ref(&late)).await?.ok()?;
    let told = answer["pdus"][room.event_id(&late)?]["error"].as_str().unwrap_or_default();
    assert!(told.contains("denied"), "{answer}");
    Ok(())
}

/// A room that the peer hosts and alice is in.
async fn hosted(peer: &Peer, alice: &Api, version: &str) -> Result<HostedRoom> {
    let mut room = HostedRoom::make(peer, "hosted", version)?;
    let id = room.room_id.clone();
    let join = async { alice.join(&id, &[peer.name()]).await?.ok().map(drop) };
    room.joined_by(peer, alice.user_id(), join).await?;
    Ok(room)
}

#[tokio::test]
async fn an_event_whose_auth_event_cannot_be_fetched_now_is_taken_later_and_blocks_nobody()
-> Result<()> {
    let loopback = Loopback::new()?;
    let mut ternd = loopback.ternd("localhost").registration("open").start().await?;
    let alice = ternd.api().register_openly("alice", PASSWORD).await?;
    let peer = Peer::start(&loopback, "gamma.localhost").await?;
    let mut room = hosted(&peer, &alice, "11").await?;
    let after_join = room.clone();

    // New power levels that nobody has seen, and a message that stands on them.
    let levels = json!({ "users": { &room.creator: 100 }, "ban": 60 });
    let levels = room.event(&peer, "m.room.power_levels", Some(""), levels)?;
    let mut with_levels = room.clone();
    with_levels.state[2] = levels.clone();
    let text = |body: &str| json!({ "msgtype": "m.text", "body": body });
    let mut waits = with_levels.clone();
    waits.last = after_join.last.clone();
    let late = waits.event(&peer, "m.room.message", None, text("late"))?;
    let mut other = after_join.clone();
    let prompt = other.event(&peer, "m.room.message", None, text("prompt"))?;
    let down = json!({ "errcode": "M_UNKNOWN", "error": "back in a minute" });
    peer.answer("/_matrix/federation/v1/event/", 502, down.clone());
    peer.answer("/_matrix/federation/v1/event_auth/", 502, down);
    peer.send(ternd.name(), &[late.clone(), prompt.clone()]).await?.ok()?;
    alice.wait_for_event(&room.room_id, &room.event_id(&prompt)?).await?;
    let seen = alice.messages(&room.room_id).await?;
    let late_id = room.event_id(&late)?;
    assert!(!seen.iter().any(|event| event["event_id"] == late_id.as_str()), "{seen:?}");

    // The server itself may end meanwhile, the hard way.
    ternd.kill_9()?;
    ternd.restart().await?;
    let given = json!({ "origin": peer.name(), "origin_server_ts": 1, "pdus": [levels] });
    peer.answer("/_matrix/federation/v1/event/", 200, given);
    alice.wait_for_event(&room.room_id, &late_id).await?;
    Ok(())
}

#[tokio::test]
async fn history_that_breaks_the_rules_is_not_shown_whoever_gives_it() -> Result<()> {
    let loopback = Loopback::new()?;
    let ternd = loopback.ternd("localhost").registration("open").start().await?;
    let alice = ternd.api().register_openly("alice", PASSWORD).await?;
    let peer = Peer::start(&loopback, "gamma.localhost").await?;
    let mut room = HostedRoom::make(&peer, "hosted", "11")?;
    let text = |body: &str| json!({ "msgtype": "m.text", "body": body });
    let honest = room.event(&peer, "m.room.message", None, text("honest"))?;
    // Signed well and by nobody who was ever in the room.
    let mut foreign = room.clone();
    foreign.creator = peer.user_id("stranger");
    let forged = foreign.event(&peer, "m.room.message", None, text("forged"))?;
    room.advance(&forged)?;
    let history = json!({ "origin": peer.name(), "origin_server_ts": 1, "pdus": [forged, honest] });
    peer.answer("/_matrix/federation/v1/backfill/", 200, history);

    let id = room.room_id.clone();
    let join = async { alice.join(&id, &[peer.name()]).await?.ok().map(drop) };
    room.joined_by(&peer, alice.user_id(), join).await?;
    let honest_id = room.event_id(&honest)?;
    alice.wait_for_event(&id, &honest_id).await?;
    let seen = alice.messages(&id).await?;
    let forged_id = room.event_id(&forged)?;
    assert!(!seen.iter().any(|event| event["event_id"] == forged_id.as_str()), "{seen:?}");
    Ok(())
}

#[tokio::test]
async fn a_receipt_for_an_event_that_comes_later_counts_once_it_is_there_and_hides_none_before()
-> Result<()> {
    let loopback = Loopback::new()?;
    let ternd = loopback.ternd("localhost").registration("open").start().await?;
    let alice = ternd.api().register_openly("alice", PASSWORD).await?;
    let peer = Peer::start(&loopback, "gamma.localhost").await?;
    let room_id = alice.create_room(json!({ "preset": "public_chat" })).await?;
    let mut room = peer.join(ternd.name(), &room_id, "bob").await?;
    let text = |body: &str| json!({ "msgtype": "m.text", "body": body });
    let first = peer.message(&room, text("first"))?;
    let first_id = room.event_id(&first)?;
    room.advance(&first)?;
    let second = peer.message(&room, text("second"))?;
    let second_id = room.event_id(&second)?;
    let receipt = |event: &str, at: u64| {
        let read = json!({ room.user_id.as_str(): { "event_ids": [event], "data": { "ts": at } } });
        json!({ "edu_type": "m.receipt", "content": { &room_id: { "m.read": read } } })
    };

    // In one transaction: the receipt is looked at after the event.
    peer.send_with(ternd.name(), slice::from_ref(&first), &[receipt(&first_id, 1)]).await?.ok()?;
    wait_for_receipt(&alice, &room_id, &first_id).await?;
    peer.send_with(ternd.name(), &[], &[receipt(&second_id, 2)]).await?.ok()?;
    let mark = alice.send_text(&room_id, "the receipt has come").await?;
    alice.wait_for_event(&room_id, &mark).await?;
    wait_for_receipt(&alice, &room_id, &first_id).await?;
    peer.send(ternd.name(), slice::from_ref(&second)).await?.ok()?;
    wait_for_receipt(&alice, &room_id, &second_id).await
}

/// Waits until alice is shown one receipt of the peer in the room, at `event_id`.
async fn wait_for_receipt(alice: &Api, room_id: &str, event_id: &str) -> Result<()> {
    until(&format!("the receipt at {event_id}"), PATIENCE, async || {
        let synced = alice.sync(None, Duration::ZERO).await?;
        let path = format!("/rooms/join/{room_id}/ephemeral/events");
        let events = synced.pointer(&path).and_then(Value::as_array).cloned().unwrap_or_default();
        let receipts: Vec<_> = events.iter().filter(|event| event["type"] == "m.receipt").collect();
        let at = |event: &&&Value| event["content"].get(event_id).is_some();
        Ok(receipts.iter().any(|event| at(&event)).then_some(()))
    })
    .await
}

#[tokio::test]
async fn typing_and_receipts_of_a_denied_server_are_not_shown() -> Result<()> {
    let loopback = Loopback::new()?;
    let ternd = loopback.ternd("localhost").registration("open").start().await?;
    let alice = ternd.api().register_openly("alice", PASSWORD).await?;
    let peer = Peer::start(&loopback, "gamma.localhost").await?;
    let room_id = alice.create_room(json!({ "preset": "public_chat" })).await?;
    let room = peer.join(ternd.name(), &room_id, "bob").await?;
    let typing = |typing: bool| {
        let content = json!({ "room_id": room_id, "user_id": room.user_id, "typing": typing });
        json!({ "edu_type": "m.typing", "content": content })
    };
    let types = async || -> Result<Value> {
        let synced = alice.sync(None, Duration::ZERO).await?;
        let path = format!("/rooms/join/{room_id}/ephemeral/events");
        let events = synced.pointer(&path).and_then(Value::as_array).cloned().unwrap_or_default();
        let typing = events.into_iter().find(|event| event["type"] == "m.typing");
        Ok(typing.map(|event| event["content"]["user_ids"].clone()).unwrap_or(json!([])))
    };
    let wait = async |wanted: Value| {
        until("who types", PATIENCE, async || Ok((types().await? == wanted).then_some(()))).await
    };

    peer.send_with(ternd.name(), &[], &[typing(true)]).await?.ok()?;
    wait(json!([room.user_id])).await?;
    peer.send_with(ternd.name(), &[], &[typing(false)]).await?.ok()?;
    wait(json!([])).await?;
    let path = format!("/_matrix/client/v3/rooms/{room_id}/state/m.room.server_acl/");
    let acl = json!({ "allow": ["*"], "deny": ["gamma.localhost"] });
    alice.put(&path, acl).await?.ok()?;
    peer.send_with(ternd.name(), &[], &[typing(true)]).await?.ok()?;
    // Another room that the ACL says nothing of: what comes after is seen, so this was looked at before.
    let open = alice.create_room(json!({ "preset": "public_chat" })).await?;
    let other = peer.join(ternd.name(), &open, "bob").await?;
    let last = peer.message(&other, json!({ "msgtype": "m.text", "body": "last" }))?;
    peer.send(ternd.name(), slice::from_ref(&last)).await?.ok()?;
    alice.wait_for_event(&open, &other.event_id(&last)?).await?;
    assert_eq!(types().await?, json!([]));
    Ok(())
}
