//! Joins of large rooms that are elsewhere: whole or not at all, whatever happens on the way.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use serde_json::{Value, json};
use tern_testkit::{ASKED_BODY, Api, HostedRoom, Loopback, PATIENCE, Peer, until};

use crate::people::PASSWORD;

/// Members of the room; `TERN_MEMBERS` for a look at larger ones.
fn members() -> usize {
    std::env::var("TERN_MEMBERS").ok().and_then(|count| count.parse().ok()).unwrap_or(5_000)
}

/// How many are joined as alice is told; `None` as long as she is not in the room.
async fn joined_count(alice: &Api, room_id: &str) -> Result<Option<usize>> {
    let path = format!("/_matrix/client/v3/rooms/{room_id}/joined_members");
    let answer = alice.get(&path).await?;
    if answer.status == 403 {
        return Ok(None);
    }
    let joined = answer.ok()?;
    let joined = joined.get("joined").and_then(Value::as_object);
    Ok(Some(joined.context("no members")?.len()))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_room_of_thousands_is_joined_while_others_go_on_talking() -> Result<()> {
    let count = members();
    let loopback = Loopback::new()?;
    let ternd = loopback.ternd("localhost").registration("open").start().await?;
    let alice = ternd.api().register_openly("alice", PASSWORD).await?;
    let bob = ternd.api().register_openly("bob", PASSWORD).await?;
    let talk = bob.create_room(json!({ "preset": "public_chat" })).await?;
    let peer = Peer::start(&loopback, "gamma.localhost").await?;
    let mut room = HostedRoom::make(&peer, "large", "11")?;
    room.add_members(&peer, count)?;
    room.let_in(&peer, room.template(alice.user_id())?)?;

    let started = Instant::now();
    let via = [peer.name()];
    let joining = alice.join(&room.room_id, &via);
    let talking = async {
        // As long as the join lasts, and whatever it stores meanwhile.
        let (mut said, mut slowest) = (0, Duration::ZERO);
        loop {
            let sent = Instant::now();
            bob.send_text(&talk, &format!("message {said}")).await?;
            slowest = slowest.max(sent.elapsed());
            said += 1;
            if joined_count(&alice, &room.room_id).await?.is_some() {
                return anyhow::Ok((said, slowest));
            }
        }
    };
    let (joined, talked) = tokio::join!(joining, talking);
    joined?.ok()?;
    let (said, slowest) = talked?;
    eprintln!(
        "joined a room of {count} in {:?}; of {said} messages meanwhile the slowest took {slowest:?}",
        started.elapsed()
    );

    assert_eq!(joined_count(&alice, &room.room_id).await?, Some(count + 2));
    let said = alice.send_text(&room.room_id, "hello, all of you").await?;
    let sent = until("the message at the peer", PATIENCE, async || {
        let sent = peer.asked("/_matrix/federation/v1/send/");
        let pdus = sent.iter().filter_map(|asked| asked.body["pdus"].as_array()).flatten();
        let mut texts = pdus.filter(|pdu| pdu["content"]["body"] == "hello, all of you");
        Ok(texts.next().cloned())
    });
    assert_eq!(sent.await?["sender"], alice.user_id(), "{said}");
    Ok(())
}

/// How many bytes a process has written so far, to files for the most part. The files themselves say less: the log of the database begins
/// anew, and does not grow then.
fn written(process: u32) -> Result<u64> {
    let counts = std::fs::read_to_string(format!("/proc/{process}/io"))?;
    let count = counts.lines().find_map(|line| line.strip_prefix("wchar: "));
    Ok(count.context("wchar")?.parse()?)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_join_that_a_crash_cut_off_leaves_nothing_to_see_and_is_made_good_by_the_next()
-> Result<()> {
    let count = 2_000;
    let loopback = Loopback::new()?;
    let mut ternd = loopback.ternd("localhost").registration("open").start().await?;
    let alice = ternd.api().register_openly("alice", PASSWORD).await?;
    let peer = Peer::start(&loopback, "gamma.localhost").await?;
    let mut room = HostedRoom::make(&peer, "large", "11")?;
    room.add_members(&peer, count)?;
    room.let_in(&peer, room.template(alice.user_id())?)?;

    let joining = {
        let (alice, id, via) = (alice.clone(), room.room_id.clone(), peer.name().to_owned());
        tokio::spawn(async move { alice.join(&id, &[&via]).await.is_ok() })
    };
    // Once the first pieces are in the database.
    let process = ternd.pid().context("it runs")?;
    let before = written(process)?;
    until("the first of the room's events", PATIENCE, async || {
        let asked = !room.joins(&peer).is_empty();
        Ok((asked && written(process)? > before + 400_000).then_some(()))
    })
    .await?;
    ternd.kill_9()?;
    joining.await?;
    ternd.restart().await?;

    let seen = joined_count(&alice, &room.room_id).await?;
    assert!(seen.is_none() || seen == Some(count + 2), "half a room: {seen:?}");
    // The other server has the first join in the room's state, if it came to that.
    let first = room.joins(&peer).pop().context("no join came")?;
    room.state.push(serde_json::from_value(first)?);
    room.let_in(&peer, room.template(alice.user_id())?)?;
    alice.join(&room.room_id, &[peer.name()]).await?.ok()?;
    assert_eq!(joined_count(&alice, &room.room_id).await?, Some(count + 2));
    let said = alice.send_text(&room.room_id, "here at last").await?;
    alice.wait_for_event(&room.room_id, &said).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn two_who_join_the_same_room_at_once_are_both_in_it() -> Result<()> {
    let loopback = Loopback::new()?;
    let ternd = loopback.ternd("localhost").registration("open").start().await?;
    let alice = ternd.api().register_openly("alice", PASSWORD).await?;
    let bob = ternd.api().register_openly("bob", PASSWORD).await?;
    let peer = Peer::start(&loopback, "gamma.localhost").await?;
    let mut room = HostedRoom::make(&peer, "large", "11")?;
    room.add_members(&peer, 300)?;
    room.let_in(&peer, room.template(alice.user_id())?)?;
    let via = [peer.name()];
    let (one, other) = tokio::join!(alice.join(&room.room_id, &via), bob.join(&room.room_id, &via));
    one?.ok()?;
    other?.ok()?;
    assert_eq!(room.joins(&peer).len(), 1, "the second joined the room that was here by then");
    assert_eq!(joined_count(&bob, &room.room_id).await?, Some(303));
    Ok(())
}

#[tokio::test]
async fn who_comes_back_finds_what_was_said_before_and_the_state_of_today() -> Result<()> {
    let loopback = Loopback::new()?;
    let ternd = loopback.ternd("localhost").registration("open").start().await?;
    let alice = ternd.api().register_openly("alice", PASSWORD).await?;
    let peer = Peer::start(&loopback, "gamma.localhost").await?;
    let mut room = HostedRoom::make(&peer, "hosted", "11")?;
    let id = room.room_id.clone();
    let join = async { alice.join(&id, &[peer.name()]).await?.ok().map(drop) };
    room.joined_by(&peer, alice.user_id(), join).await?;
    let topic = room.event(&peer, "m.room.topic", Some(""), json!({ "topic": "the first" }))?;
    peer.send(ternd.name(), std::slice::from_ref(&topic)).await?.ok()?;
    alice.wait_for_event(&id, &room.event_id(&topic)?).await?;
    alice.post(&format!("/_matrix/client/v3/rooms/{id}/leave"), json!({})).await?.ok()?;

    // The topic is part of the state that the second answer tells, and has its place here already.
    room.state.push(topic.clone());
    room.add_members(&peer, 3)?;
    let nothing = json!({ "origin": peer.name(), "origin_server_ts": 1, "pdus": [] });
    peer.answer("/_matrix/federation/v1/backfill/", 200, nothing);
    let join = async { alice.join(&id, &[peer.name()]).await?.ok().map(drop) };
    room.joined_by(&peer, alice.user_id(), join).await?;
    let seen = alice.messages(&id).await?;
    let topics: Vec<&Value> = seen.iter().filter(|event| event["type"] == "m.room.topic").collect();
    assert_eq!(topics.len(), 1, "it kept its place: {seen:?}");
    assert_eq!(joined_count(&alice, &id).await?, Some(5));
    Ok(())
}

#[tokio::test]
async fn a_join_that_the_answer_tells_as_a_part_of_the_state_is_in_the_timeline_once() -> Result<()>
{
    let loopback = Loopback::new()?;
    let ternd = loopback.ternd("localhost").registration("open").start().await?;
    let alice = ternd.api().register_openly("alice", PASSWORD).await?;
    let peer = Peer::start(&loopback, "gamma.localhost").await?;
    let room = HostedRoom::make(&peer, "hasty", "11")?;
    let id = room.room_id.clone();
    room.let_in(&peer, room.template(alice.user_id())?)?;
    let mut state = serde_json::to_value(&room.state)?;
    state.as_array_mut().context("a list")?.push(ASKED_BODY.into());
    let answer = json!({ "origin": peer.name(), "state": state, "auth_chain": room.state });
    peer.answer(&format!("/_matrix/federation/v2/send_join/{id}/"), 200, answer);

    alice.join(&id, &[peer.name()]).await?.ok()?;
    let said = alice.send_text(&id, "here").await?;
    alice.wait_for_event(&id, &said).await?;

    let seen = alice.messages(&id).await?;
    let kinds: Vec<&str> = seen.iter().filter_map(|event| event["type"].as_str()).collect();
    assert_eq!(kinds, ["m.room.member", "m.room.message"], "{seen:?}");
    assert_eq!(seen[0].pointer("/unsigned/replaces_state"), None, "it came after itself");
    assert_eq!(joined_count(&alice, &id).await?, Some(2));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_join_that_is_asked_for_twice_at_once_is_one_event() -> Result<()> {
    let loopback = Loopback::new()?;
    let ternd = loopback.ternd("localhost").registration("open").start().await?;
    let alice = ternd.api().register_openly("alice", PASSWORD).await?;
    let peer = Peer::start(&loopback, "gamma.localhost").await?;
    let mut room = HostedRoom::make(&peer, "impatient", "11")?;
    room.add_members(&peer, 300)?;
    room.let_in(&peer, room.template(alice.user_id())?)?;
    let via = [peer.name()];
    let (one, other) =
        tokio::join!(alice.join(&room.room_id, &via), alice.join(&room.room_id, &via));
    one?.ok()?;
    other?.ok()?;
    let seen = alice.messages(&room.room_id).await?;
    let joins = seen.iter().filter(|event| event["state_key"] == alice.user_id()).count();
    assert_eq!((room.joins(&peer).len(), joins), (1, 1), "{seen:?}");
    Ok(())
}

#[tokio::test]
async fn a_join_is_not_sent_back_to_the_server_that_made_it() -> Result<()> {
    let loopback = Loopback::new()?;
    let ternd = loopback.ternd("localhost").registration("open").start().await?;
    let alice = ternd.api().register_openly("alice", PASSWORD).await?;
    let room = alice.create_room(json!({ "preset": "public_chat" })).await?;
    let [gamma, delta] = ["gamma.localhost", "delta.localhost"];
    let (gamma, delta) =
        (Peer::start(&loopback, gamma).await?, Peer::start(&loopback, delta).await?);
    gamma.join(ternd.name(), &room, "carol").await?;
    delta.join(ternd.name(), &room, "dave").await?;
    alice.send_text(&room, "the last").await?;

    let told = async |peer: &Peer| {
        until("the message at the peer", PATIENCE, async || {
            let sent = peer.asked("/_matrix/federation/v1/send/");
            let pdus = sent.iter().filter_map(|asked| asked.body["pdus"].as_array()).flatten();
            let pdus: Vec<Value> = pdus.cloned().collect();
            let is_last = |pdu: &Value| pdu["content"]["body"] == "the last";
            Ok(pdus.iter().any(is_last).then_some(pdus))
        })
        .await
    };
    let joins = |pdus: Vec<Value>| -> Vec<Value> {
        let joins = pdus.iter().filter(|pdu| pdu["type"] == "m.room.member");
        joins.map(|pdu| pdu["state_key"].clone()).collect()
    };
    assert_eq!(joins(told(&gamma).await?), [delta.user_id("dave")], "the other server's only");
    assert_eq!(joins(told(&delta).await?), Vec::<Value>::new());
    Ok(())
}
