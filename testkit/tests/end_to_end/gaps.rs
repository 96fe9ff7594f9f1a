//! What `ternd` makes of events whose predecessors are missing: whom it asks for what, and what it believes.

use std::slice;

use anyhow::Result;
use reqwest::Method;
use ruma::CanonicalJsonObject;
use serde_json::{Value, json};
use tern_testkit::{Api, HostedRoom, Loopback, Peer, Ternd};

use crate::people::PASSWORD;

pub(crate) struct Scene {
    pub ternd: Ternd,
    pub alice: Api,
    pub peer: Peer,
    pub room: HostedRoom,
}

/// A room that the peer hosts and alice is in.
pub(crate) async fn scene(loopback: &Loopback) -> Result<Scene> {
    let ternd = loopback.ternd("localhost").registration("open").start().await?;
    let alice = ternd.api().register_openly("alice", PASSWORD).await?;
    let peer = Peer::start(loopback, "gamma.localhost").await?;
    let mut room = HostedRoom::make(&peer, "hosted", "11")?;
    let id = room.room_id.clone();
    let join = async { alice.join(&id, &[peer.name()]).await?.ok().map(drop) };
    room.joined_by(&peer, alice.user_id(), join).await?;
    Ok(Scene { ternd, alice, peer, room })
}

pub(crate) fn text(body: &str) -> Value {
    json!({ "msgtype": "m.text", "body": body })
}

fn event_of(peer: &Peer, event: &CanonicalJsonObject) -> Value {
    json!({ "origin": peer.name(), "origin_server_ts": 1, "pdus": [event] })
}

async fn topic(alice: &Api, room_id: &str) -> Result<Value> {
    let path = format!("/_matrix/client/v3/rooms/{room_id}/state/m.room.topic/");
    Ok(alice.get(&path).await?.body.get("topic").cloned().unwrap_or_default())
}

#[tokio::test]
async fn the_state_is_asked_for_at_the_missing_event_which_is_fetched_and_changes_it() -> Result<()>
{
    let loopback = Loopback::new()?;
    let Scene { ternd, alice, peer, mut room } = scene(&loopback).await?;
    let join_id = room.last.clone();
    let hidden = room.event(&peer, "m.room.topic", Some(""), json!({ "topic": "found" }))?;
    let hidden_id = room.event_id(&hidden)?;
    let last = room.event(&peer, "m.room.message", None, text("after it"))?;
    let mut ids = room.auth_events(4)?;
    ids.push(join_id);
    let names = json!({ "pdu_ids": ids, "auth_chain_ids": room.auth_events(4)? });
    peer.answer("/_matrix/federation/v1/state_ids/", 200, names);
    peer.answer(
        &format!("/_matrix/federation/v1/event/{hidden_id}"),
        200,
        event_of(&peer, &hidden),
    );

    peer.send(ternd.name(), slice::from_ref(&last)).await?.ok()?;
    alice.wait_for_event(&room.room_id, &room.event_id(&last)?).await?;
    let asked = peer.asked("/_matrix/federation/v1/state_ids/");
    let at: Vec<&str> = asked.iter().map(|asked| asked.query.as_str()).collect();
    assert_eq!(at, [format!("event_id={hidden_id}")]);
    assert_eq!(topic(&alice, &room.room_id).await?, "found");
    Ok(())
}

#[tokio::test]
async fn a_whole_state_may_leave_out_what_authorises_it_and_is_here_already() -> Result<()> {
    let loopback = Loopback::new()?;
    let Scene { ternd, alice, peer, mut room } = scene(&loopback).await?;
    let join = room.joins(&peer).pop();
    let content = json!({ "users": { &room.creator: 100 }, "ban": 60 });
    let levels = room.event(&peer, "m.room.power_levels", Some(""), content)?;
    peer.send(ternd.name(), slice::from_ref(&levels)).await?.ok()?;
    alice.wait_for_event(&room.room_id, &room.event_id(&levels)?).await?;
    // Authorised by the power levels of before, which the state does not hold any more.
    let topic_event = room.event(&peer, "m.room.topic", Some(""), json!({ "topic": "told" }))?;
    room.event(&peer, "m.room.message", None, text("never given"))?;
    let last = room.event(&peer, "m.room.message", None, text("after it"))?;
    let state = [&room.state[0], &room.state[1], &levels, &room.state[3], &topic_event];
    let mut state = serde_json::to_value(state)?;
    state.as_array_mut().into_iter().for_each(|state| state.extend(join.clone()));
    let whole = json!({ "pdus": state, "auth_chain": [] });
    peer.answer("/_matrix/federation/v1/state/", 200, whole);

    peer.send(ternd.name(), slice::from_ref(&last)).await?.ok()?;
    alice.wait_for_event(&room.room_id, &room.event_id(&last)?).await?;
    assert_eq!(topic(&alice, &room.room_id).await?, "told");
    Ok(())
}

#[tokio::test]
async fn an_event_that_was_a_name_only_is_there_once_it_comes() -> Result<()> {
    let loopback = Loopback::new()?;
    let Scene { ternd, alice, peer, mut room } = scene(&loopback).await?;
    let late = room.event(&peer, "m.room.message", None, text("late"))?;
    let late_id = room.event_id(&late)?;
    let last = room.event(&peer, "m.room.message", None, text("after it"))?;
    let mut state = serde_json::to_value(&room.state)?;
    state.as_array_mut().into_iter().for_each(|state| state.extend(room.joins(&peer)));
    peer.answer("/_matrix/federation/v1/state/", 200, json!({ "pdus": state, "auth_chain": [] }));
    peer.send(ternd.name(), slice::from_ref(&last)).await?.ok()?;
    alice.wait_for_event(&room.room_id, &room.event_id(&last)?).await?;

    peer.send(ternd.name(), slice::from_ref(&late)).await?.ok()?;
    let given = event_of(&peer, &late);
    peer.answer("/_matrix/federation/v1/backfill/", 200, given);
    let seen = tern_testkit::until("the late event", tern_testkit::PATIENCE, async || {
        let seen = alice.messages(&room.room_id).await?;
        Ok(seen.into_iter().find(|event| event["event_id"] == late_id.as_str()))
    });
    assert_eq!(seen.await?["content"]["body"], "late");
    Ok(())
}

#[tokio::test]
async fn an_event_of_another_room_named_as_a_predecessor_keeps_its_place() -> Result<()> {
    let loopback = Loopback::new()?;
    let Scene { mut ternd, alice, peer, mut room } = scene(&loopback).await?;
    let private = alice.create_room(json!({ "preset": "private_chat" })).await?;
    let said = alice.send_text(&private, "not yours to move").await?;
    let whole = json!({ "pdus": room.state, "auth_chain": [] });
    peer.answer("/_matrix/federation/v1/state/", 200, whole);
    let mut after = room.clone();
    after.last = said.clone();
    let evil = after.event(&peer, "m.room.message", None, text("after another room's"))?;
    let good = room.event(&peer, "m.room.message", None, text("good"))?;
    peer.send(ternd.name(), &[evil, good.clone()]).await?.ok()?;
    alice.wait_for_event(&room.room_id, &room.event_id(&good)?).await?;
    ternd.kill_9()?;
    ternd.restart().await?;
    let seen = alice.messages(&private).await?;
    assert!(seen.iter().any(|event| event["event_id"] == said.as_str()), "{seen:?}");
    Ok(())
}

#[tokio::test]
async fn a_room_with_200_ends_is_drawn_together_and_nobody_is_shown_how() -> Result<()> {
    let loopback = Loopback::new()?;
    let ternd = loopback.ternd("localhost").registration("open").start().await?;
    let alice = ternd.api().register_openly("alice", PASSWORD).await?;
    let peer = Peer::start(&loopback, "gamma.localhost").await?;
    let room_id = alice.create_room(json!({ "preset": "public_chat" })).await?;
    let room = peer.join(ternd.name(), &room_id, "bob").await?;
    let root = peer.message(&room, text("root"))?;
    let root_id = room.event_id(&root)?;
    let mut ends = vec![root];
    for number in 0..200 {
        let fields = json!({ "type": "m.room.message", "content": text(&format!("end {number}")) });
        ends.push(peer.event_after(&room, slice::from_ref(&root_id), fields)?);
    }
    for transaction in ends.chunks(50) {
        peer.send(ternd.name(), transaction).await?.ok()?;
    }
    let mut ids = Vec::new();
    for end in &ends {
        ids.push(room.event_id(end)?);
    }
    alice.wait_for_event(&room_id, ids.last().map(String::as_str).unwrap_or_default()).await?;
    let said = alice.send_text(&room_id, "after all of it").await?;
    alice.wait_for_event(&room_id, &said).await?;

    // As the other server sees it: few prev events, and below them everything.
    let mut open = vec![said.clone()];
    let mut seen = std::collections::BTreeSet::new();
    let mut dummies = 0;
    while let Some(id) = open.pop() {
        if !seen.insert(id.clone()) || id == root_id {
            continue;
        }
        let path = format!("/_matrix/federation/v1/event/{}", id.replace('$', "%24"));
        let event = peer.request(ternd.name(), Method::GET, &path, None).await?.ok()?;
        let event = &event["pdus"][0];
        let prevs = event["prev_events"].as_array().cloned().unwrap_or_default();
        assert!(prevs.len() <= 20, "{event}");
        dummies += usize::from(event["type"] == "org.matrix.dummy_event");
        open.extend(prevs.iter().filter_map(|prev| prev.as_str().map(ToOwned::to_owned)));
    }
    for id in ids {
        assert!(seen.contains(&id), "an end was left behind");
    }
    assert!(dummies > 0, "200 ends take more than one event");
    let shown = alice.messages(&room_id).await?;
    assert!(!shown.iter().any(|event| event["type"] == "org.matrix.dummy_event"), "{shown:?}");
    Ok(())
}

#[tokio::test]
async fn a_date_before_our_join_leads_to_an_event_that_another_server_names() -> Result<()> {
    let loopback = Loopback::new()?;
    let ternd = loopback.ternd("localhost").registration("open").start().await?;
    let alice = ternd.api().register_openly("alice", PASSWORD).await?;
    let peer = Peer::start(&loopback, "gamma.localhost").await?;
    let mut room = HostedRoom::make(&peer, "hosted", "11")?;
    let id = room.room_id.clone();
    // A minute before the room's other events.
    let created = serde_json::to_value(room.state[0].get("origin_server_ts"))?;
    let at = created.as_u64().unwrap_or_default() - 60_000;
    let old = json!({
        "type": "m.room.message", "room_id": id, "sender": room.creator, "content": text("long ago"),
        "origin_server_ts": at, "depth": room.depth + 1, "prev_events": [&room.last],
        "auth_events": room.auth_events(3)?,
    });
    let old = peer.sign_event(&room.version, old)?;
    room.advance(&old)?;
    let old_id = room.event_id(&old)?;
    let join = async { alice.join(&id, &[peer.name()]).await?.ok().map(drop) };
    room.joined_by(&peer, alice.user_id(), join).await?;
    let named = json!({ "event_id": old_id, "origin_server_ts": at });
    peer.answer("/_matrix/federation/v1/timestamp_to_event/", 200, named);
    peer.answer("/_matrix/federation/v1/backfill/", 200, event_of(&peer, &old));
    for direction in ["f", "b"] {
        let path =
            format!("/_matrix/client/v1/rooms/{id}/timestamp_to_event?ts={at}&dir={direction}");
        let found = alice.get(&path).await?.ok()?;
        assert_eq!(found["event_id"], old_id.as_str(), "{direction}: {found}");
    }
    let event =
        alice.get(&format!("/_matrix/client/v3/rooms/{id}/context/{old_id}")).await?.ok()?;
    assert_eq!(event["event"]["content"]["body"], "long ago", "{event}");
    Ok(())
}
