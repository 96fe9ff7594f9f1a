//! What `ternd` makes of history that it fetches: the state it was said in, and what of it was taken back.

use std::{collections::BTreeMap, slice};

use anyhow::{Context, Result};
use ruma::{CanonicalJsonObject, CanonicalJsonValue};
use serde_json::{Value, json};
use tern_testkit::{Api, Loopback, PATIENCE, Peer, Ternd, until};

use crate::{
    gaps::{self, Scene, text},
    people::PASSWORD,
};

/// Two servers that know nothing of each other, and somebody on each.
struct Neighbours {
    alpha: Ternd,
    beta: Ternd,
    alice: Api,
    bob: Api,
}

async fn neighbours(loopback: &Loopback) -> Result<Neighbours> {
    let alpha = loopback.ternd("alpha.localhost").registration("open").start().await?;
    let beta = loopback.ternd("beta.localhost").registration("open").start().await?;
    let alice = alpha.api().register_openly("alice", PASSWORD).await?;
    let bob = beta.api().register_openly("bob", PASSWORD).await?;
    Ok(Neighbours { alpha, beta, alice, bob })
}

#[tokio::test(flavor = "multi_thread")]
async fn history_stands_on_the_state_it_was_said_in() -> Result<()> {
    let loopback = Loopback::new()?;
    let Neighbours { alpha, beta: _beta, alice, bob } = neighbours(&loopback).await?;
    let carol = alpha.api().register_openly("carol", PASSWORD).await?;
    let room = alice.create_room(json!({ "preset": "public_chat", "topic": "first" })).await?;
    let first = alice.send_text(&room, "under the first topic").await?;
    carol.join(&room, &[]).await?.ok()?;
    let with_carol = alice.send_text(&room, "carol is there").await?;
    let topic = format!("/_matrix/client/v3/rooms/{room}/state/m.room.topic/");
    alice.put(&topic, json!({ "topic": "second" })).await?.ok()?;
    let second = alice.send_text(&room, "under the second topic").await?;
    carol.post(&format!("/_matrix/client/v3/rooms/{room}/leave"), json!({})).await?.ok()?;
    let last = alice.send_text(&room, "carol is gone").await?;

    bob.join(&room, &[alpha.name()]).await?.ok()?;
    bob.messages(&room).await?;

    let mut seen = Vec::new();
    for event in [&first, &with_carol, &second, &last] {
        seen.push(topic_and_standing(&bob, &room, event, carol.user_id()).await?);
    }
    let told =
        |topic: &str, standing: Option<&str>| (topic.to_owned(), standing.map(str::to_owned));
    let expected = [
        told("first", None),
        told("first", Some("join")),
        told("second", Some("join")),
        told("second", Some("leave")),
    ];
    assert_eq!(seen, expected);
    Ok(())
}

/// The topic, and where a user stood, when an event was sent.
async fn topic_and_standing(
    person: &Api,
    room: &str,
    event: &str,
    user_id: &str,
) -> Result<(String, Option<String>)> {
    let path = format!("/_matrix/client/v3/rooms/{room}/context/{event}?limit=0");
    let context = person.get(&path).await?.ok()?;
    let state = context.get("state").and_then(Value::as_array).context("a state")?;
    let content = |kind: &str, state_key: &str| {
        let mut state = state.iter();
        state.find(|event| event["type"] == kind && event["state_key"] == state_key)
    };
    let topic =
        content("m.room.topic", "").and_then(|event| event.pointer("/content/topic")?.as_str());
    let standing = content("m.room.member", user_id);
    let standing = standing.and_then(|event| event.pointer("/content/membership")?.as_str());
    Ok((topic.context("a topic")?.to_owned(), standing.map(str::to_owned)))
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_taken_back_while_one_was_away_is_taken_back() -> Result<()> {
    let loopback = Loopback::new()?;
    let Neighbours { alpha, beta: _beta, alice, bob } = neighbours(&loopback).await?;
    let room = alice.create_room(json!({ "preset": "public_chat" })).await?;
    bob.join(&room, &[alpha.name()]).await?.ok()?;
    let secret = alice.send_text(&room, "a secret").await?;
    bob.wait_for_event(&room, &secret).await?;
    bob.post(&format!("/_matrix/client/v3/rooms/{room}/leave"), json!({})).await?.ok()?;
    let redact = format!("/_matrix/client/v3/rooms/{room}/redact/{secret}/1");
    alice.put(&redact, json!({})).await?.ok()?;
    alice.send_text(&room, "nothing happened").await?;

    bob.join(&room, &[alpha.name()]).await?.ok()?;

    assert_eq!(body(&bob.messages(&room).await?, &secret)?, None);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_forwards_step_over_nothing() -> Result<()> {
    let loopback = Loopback::new()?;
    let Neighbours { alpha, beta: _beta, alice, bob } = neighbours(&loopback).await?;
    let room = alice.create_room(json!({ "preset": "public_chat" })).await?;
    let mut said = vec![alice.send_text(&room, "before anybody came").await?];
    bob.join(&room, &[alpha.name()]).await?.ok()?;
    said.push(bob.send_text(&room, "here").await?);
    bob.post(&format!("/_matrix/client/v3/rooms/{room}/leave"), json!({})).await?.ok()?;
    // More than two answers to a backfill hold.
    for number in 0..220 {
        said.push(alice.send_text(&room, &format!("while away {number}")).await?);
    }
    bob.join(&room, &[alpha.name()]).await?.ok()?;
    said.push(bob.send_text(&room, "back").await?);

    let (mut seen, mut from) = (Vec::new(), String::new());
    for _ in 0..said.len() {
        let path = format!("/_matrix/client/v3/rooms/{room}/messages?dir=f&limit=20{from}");
        let page = bob.get(&path).await?.ok()?;
        let chunk = page.get("chunk").and_then(Value::as_array).context("a chunk")?;
        let messages = chunk.iter().filter(|event| event["type"] == "m.room.message");
        seen.extend(messages.filter_map(|event| Some(event["event_id"].as_str()?.to_owned())));
        match page.get("end").and_then(Value::as_str) {
            Some(end) => from = format!("&from={end}"),
            None => break,
        }
    }

    assert_eq!(seen, said);
    Ok(())
}

/// What a message says.
fn body(seen: &[Value], event_id: &str) -> Result<Option<String>> {
    let event = seen.iter().find(|event| event["event_id"] == event_id).context("no such event")?;
    Ok(event.pointer("/content/body").and_then(Value::as_str).map(str::to_owned))
}

fn transaction(peer: &Peer, events: &[&CanonicalJsonObject]) -> Value {
    json!({ "origin": peer.name(), "origin_server_ts": 1, "pdus": events })
}

/// As [`gaps::scene`]; the peer tells the room's state as it was when alice came.
async fn scene(loopback: &Loopback) -> Result<Scene> {
    let scene = gaps::scene(loopback).await?;
    let Scene { peer, room, .. } = &scene;
    let mut state = serde_json::to_value(&room.state)?;
    state.as_array_mut().into_iter().for_each(|state| state.extend(room.joins(peer)));
    peer.answer("/_matrix/federation/v1/state/", 200, json!({ "pdus": state, "auth_chain": [] }));
    Ok(scene)
}

const BACKFILL: &str = "/_matrix/federation/v1/backfill/";

#[tokio::test]
async fn a_redaction_that_comes_before_its_target_waits_for_it() -> Result<()> {
    let loopback = Loopback::new()?;
    let Scene { ternd, alice, peer, mut room } = scene(&loopback).await?;
    let id = room.room_id.clone();
    let secret = room.event(&peer, "m.room.message", None, text("a secret"))?;
    let secret_id = room.event_id(&secret)?;
    let redaction = room.event(&peer, "m.room.redaction", None, json!({ "redacts": secret_id }))?;
    peer.send(ternd.name(), slice::from_ref(&redaction)).await?.ok()?;
    alice.wait_for_event(&id, &room.event_id(&redaction)?).await?;

    peer.answer(BACKFILL, 200, transaction(&peer, &[&secret]));
    let seen = until("the target", PATIENCE, async || {
        let seen = alice.messages(&id).await?;
        Ok(seen.iter().any(|event| event["event_id"] == secret_id.as_str()).then_some(seen))
    });

    assert_eq!(body(&seen.await?, &secret_id)?, None);
    Ok(())
}

#[tokio::test]
async fn a_prev_event_that_is_not_given_beside_one_that_is_leaves_a_gap() -> Result<()> {
    let loopback = Loopback::new()?;
    let Scene { ternd, alice, peer, mut room } = scene(&loopback).await?;
    let id = room.room_id.clone();
    let mut fork = room.clone();
    let given = room.event(&peer, "m.room.message", None, text("given"))?;
    let hidden = fork.event(&peer, "m.room.topic", Some(""), json!({ "topic": "hidden" }))?;
    let (given_id, hidden_id) = (room.event_id(&given)?, room.event_id(&hidden)?);
    let last = json!({
        "type": "m.room.message", "room_id": id, "sender": room.creator, "content": text("after both"),
        "origin_server_ts": given["origin_server_ts"], "depth": room.depth + 1,
        "prev_events": [&given_id, &hidden_id], "auth_events": room.auth_events(3)?,
    });
    let last = peer.sign_event(&room.version, last)?;
    let path = format!("/_matrix/federation/v1/event/{given_id}");
    peer.answer(&path, 200, transaction(&peer, &[&given]));

    peer.send(ternd.name(), slice::from_ref(&last)).await?.ok()?;
    alice.wait_for_event(&id, &room.event_id(&last)?).await?;
    alice.messages(&id).await?;

    let asked = peer.asked(BACKFILL);
    let query: String = asked.iter().map(|asked| asked.query.as_str()).collect();
    for missing in [&given_id, &hidden_id] {
        let name = missing.trim_start_matches('$');
        assert!(query.contains(name), "{missing} is not in {query}");
    }
    Ok(())
}

#[tokio::test]
async fn a_lie_about_the_state_below_the_power_levels_silences_nobody() -> Result<()> {
    let loopback = Loopback::new()?;
    let Scene { mut ternd, alice, peer, mut room } = scene(&loopback).await?;
    let id = room.room_id.clone();
    let levels = room.state.get(2).context("the power levels")?.clone();
    let levels_id = room.event_id(&levels)?;
    let ids = room.auth_events(1)?;
    let names = json!({ "pdu_ids": ids, "auth_chain_ids": ids });
    peer.answer("/_matrix/federation/v1/state_ids/", 200, names);
    let create = json!({ "pdus": room.state.get(..1), "auth_chain": [] });
    peer.answer("/_matrix/federation/v1/state/", 200, create);
    let given = transaction(&peer, &[&levels]);
    peer.answer(&format!("/_matrix/federation/v1/event/{levels_id}"), 200, given.clone());
    peer.answer(BACKFILL, 200, given);

    let fork = json!({
        "type": "m.room.message", "room_id": id, "sender": room.creator, "content": text("a fork"),
        "origin_server_ts": levels["origin_server_ts"], "depth": 4,
        "prev_events": [&levels_id], "auth_events": room.auth_events(3)?,
    });
    let fork = peer.sign_event(&room.version, fork)?;
    peer.send(ternd.name(), slice::from_ref(&fork)).await?.ok()?;
    let good = room.event(&peer, "m.room.message", None, text("good"))?;
    peer.send(ternd.name(), slice::from_ref(&good)).await?.ok()?;
    alice.wait_for_event(&id, &room.event_id(&good)?).await?;
    alice.messages(&id).await?;
    // What was kept counts, not what is at hand.
    ternd.kill_9()?;
    ternd.restart().await?;

    alice.send_text(&id, "still here").await?;
    Ok(())
}

#[tokio::test]
async fn history_goes_on_below_an_event_that_nobody_believes() -> Result<()> {
    let loopback = Loopback::new()?;
    let Scene { ternd, alice, peer, mut room } = scene(&loopback).await?;
    let old = room.event(&peer, "m.room.message", None, text("old"))?;
    let mut forged = room.event(&peer, "m.room.message", None, text("forged"))?;
    forged.insert("signatures".to_owned(), CanonicalJsonValue::Object(BTreeMap::new()));
    let new = room.event(&peer, "m.room.message", None, text("new"))?;
    let live = room.event(&peer, "m.room.message", None, text("live"))?;
    peer.answer(BACKFILL, 200, transaction(&peer, &[&new, &forged, &old]));
    peer.send(ternd.name(), slice::from_ref(&live)).await?.ok()?;
    alice.wait_for_event(&room.room_id, &room.event_id(&live)?).await?;

    let seen = alice.messages(&room.room_id).await?;

    let said: Vec<&str> =
        seen.iter().filter_map(|event| event["content"]["body"].as_str()).collect();
    for (body, is_there) in [("old", true), ("forged", false), ("new", true), ("live", true)] {
        assert_eq!(said.contains(&body), is_there, "{body}: {said:?}");
    }
    Ok(())
}

#[tokio::test]
async fn the_branch_that_an_answer_leaves_out_comes_with_the_next() -> Result<()> {
    let loopback = Loopback::new()?;
    let Scene { ternd, alice, peer, mut room } = scene(&loopback).await?;
    let mut fork = room.clone();
    let one = room.event(&peer, "m.room.message", None, text("one branch"))?;
    let other = fork.event(&peer, "m.room.message", None, text("other branch"))?;
    let both = json!({
        "type": "m.room.message", "room_id": room.room_id, "sender": room.creator,
        "content": text("both"), "origin_server_ts": one["origin_server_ts"], "depth": room.depth + 1,
        "prev_events": [room.event_id(&one)?, room.event_id(&other)?], "auth_events": room.auth_events(3)?,
    });
    let both = peer.sign_event(&room.version, both)?;
    room.advance(&both)?;
    let live = room.event(&peer, "m.room.message", None, text("live"))?;
    peer.answer(BACKFILL, 200, transaction(&peer, &[&both, &one]));
    peer.send(ternd.name(), slice::from_ref(&live)).await?.ok()?;
    alice.wait_for_event(&room.room_id, &room.event_id(&live)?).await?;
    alice.messages(&room.room_id).await?;
    peer.answer(BACKFILL, 200, transaction(&peer, &[&other]));

    let seen = alice.messages(&room.room_id).await?;

    let said: Vec<&str> =
        seen.iter().filter_map(|event| event["content"]["body"].as_str()).collect();
    for body in ["one branch", "other branch", "both", "live"] {
        assert!(said.contains(&body), "{body} is not in {said:?}");
    }
    Ok(())
}
