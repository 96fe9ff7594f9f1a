//! Two `ternd` and their users: what crosses between servers, by every way into a room and out of it.

use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::{Value, json};
use tern_testkit::{Api, Loopback, PATIENCE, Ternd, until};
use tokio::sync::mpsc::UnboundedSender;

use crate::{media, people::PASSWORD};

/// Alice on alpha and bob on beta.
pub(crate) struct Pair {
    pub(crate) alpha: Ternd,
    pub(crate) beta: Ternd,
    pub(crate) alice: Api,
    pub(crate) bob: Api,
}

impl Pair {
    pub(crate) async fn start(loopback: &Loopback) -> Result<Self> {
        let alpha = loopback.ternd("alpha.localhost").registration("open").start().await?;
        let beta = loopback.ternd("beta.localhost").registration("open").start().await?;
        let alice = alpha.api().register_openly("alice", PASSWORD).await?;
        let bob = beta.api().register_openly("bob", PASSWORD).await?;
        Ok(Self { alpha, beta, alice, bob })
    }

    /// A room of alice's with these join rules.
    async fn room(&self, join_rules: Value) -> Result<String> {
        let rules =
            json!([{ "type": "m.room.join_rules", "state_key": "", "content": join_rules }]);
        self.alice.create_room(json!({ "preset": "private_chat", "initial_state": rules })).await
    }

    /// Bob's membership as alice's server has it.
    async fn wait_for_standing(&self, room: &str, standing: &str) -> Result<()> {
        let path =
            format!("/_matrix/client/v3/rooms/{room}/state/m.room.member/{}", self.bob.user_id());
        until(&format!("bob's {standing}"), PATIENCE, async || {
            let answer = self.alice.get(&path).await?;
            Ok((answer.text("/membership") == standing).then_some(()))
        })
        .await
    }
}

async fn act(person: &Api, room: &str, verb: &str, body: Value) -> Result<Value> {
    person.post(&format!("/_matrix/client/v3/rooms/{room}/{verb}"), body).await?.ok()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_declined_invitation_is_a_leave_on_both_servers() -> Result<()> {
    let loopback = Loopback::new()?;
    let pair = Pair::start(&loopback).await?;
    let room = pair.room(json!({ "join_rule": "invite" })).await?;
    pair.alice.invite(&room, pair.bob.user_id()).await?;
    assert_eq!(pair.bob.wait_for_invite().await?, room);
    act(&pair.bob, &room, "leave", json!({})).await?;
    pair.wait_for_standing(&room, "leave").await?;
    let synced = pair.bob.sync(None, Duration::ZERO).await?;
    assert!(synced.pointer("/rooms/invite").is_none_or(|rooms| rooms.get(&room).is_none()));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_withdrawn_invitation_is_gone_on_the_other_server() -> Result<()> {
    let loopback = Loopback::new()?;
    let pair = Pair::start(&loopback).await?;
    let room = pair.room(json!({ "join_rule": "invite" })).await?;
    pair.alice.invite(&room, pair.bob.user_id()).await?;
    assert_eq!(pair.bob.wait_for_invite().await?, room);
    act(&pair.alice, &room, "kick", json!({ "user_id": pair.bob.user_id() })).await?;
    until("the invitation to go", PATIENCE, async || {
        let synced = pair.bob.sync(None, Duration::ZERO).await?;
        let invites = synced.pointer("/rooms/invite").and_then(Value::as_object);
        Ok(invites.is_none_or(|rooms| !rooms.contains_key(&room)).then_some(()))
    })
    .await?;
    let join = pair.bob.join(&room, &[pair.alpha.name()]).await?;
    assert_eq!((join.status, join.errcode()), (403, "M_FORBIDDEN"), "{}", join.body);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_knock_reaches_the_other_server_and_is_answered_by_an_invitation() -> Result<()> {
    let loopback = Loopback::new()?;
    let pair = Pair::start(&loopback).await?;
    let room = pair.room(json!({ "join_rule": "knock" })).await?;
    let path =
        format!("/_matrix/client/v3/knock/{room}?via={0}&server_name={0}", pair.alpha.name());
    pair.bob.post(&path, json!({ "reason": "it is raining" })).await?.ok()?;
    pair.wait_for_standing(&room, "knock").await?;
    pair.alice.invite(&room, pair.bob.user_id()).await?;
    assert_eq!(pair.bob.wait_for_invite().await?, room);
    pair.bob.join(&room, &[pair.alpha.name()]).await?.ok()?;
    let said = pair.bob.send_text(&room, "dry at last").await?;
    pair.alice.wait_for_event(&room, &said).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restricted_room_lets_members_of_the_other_room_in_and_nobody_else() -> Result<()> {
    let loopback = Loopback::new()?;
    let pair = Pair::start(&loopback).await?;
    let club = pair.alice.create_room(json!({ "preset": "public_chat" })).await?;
    let allow = json!([{ "type": "m.room_membership", "room_id": club }]);
    let room = pair.room(json!({ "join_rule": "restricted", "allow": allow })).await?;
    let early = pair.bob.join(&room, &[pair.alpha.name()]).await?;
    assert_eq!((early.status, early.errcode()), (403, "M_FORBIDDEN"), "{}", early.body);
    pair.bob.join(&club, &[pair.alpha.name()]).await?.ok()?;
    pair.bob.join(&room, &[pair.alpha.name()]).await?.ok()?;
    pair.wait_for_standing(&room, "join").await?;
    let said = pair.bob.send_text(&room, "let in").await?;
    pair.alice.wait_for_event(&room, &said).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_alias_of_the_other_server_leads_into_its_room() -> Result<()> {
    let loopback = Loopback::new()?;
    let pair = Pair::start(&loopback).await?;
    let room = json!({ "preset": "public_chat", "room_alias_name": "harbour" });
    let room = pair.alice.create_room(room).await?;
    let joined = pair.bob.join(&format!("#harbour:{}", pair.alpha.name()), &[]).await?;
    assert_eq!(joined.text("/room_id"), room, "{}", joined.body);
    let unknown = pair.bob.join(&format!("#nothing:{}", pair.alpha.name()), &[]).await?;
    assert_eq!((unknown.status, unknown.errcode()), (404, "M_NOT_FOUND"), "{}", unknown.body);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn typing_is_seen_from_the_other_server_and_ends() -> Result<()> {
    let loopback = Loopback::new()?;
    let pair = Pair::start(&loopback).await?;
    let room = pair.alice.create_room(json!({ "preset": "public_chat" })).await?;
    pair.bob.join(&room, &[pair.alpha.name()]).await?.ok()?;
    let said = pair.bob.send_text(&room, "here").await?;
    pair.alice.wait_for_event(&room, &said).await?;
    let path = format!("/_matrix/client/v3/rooms/{room}/typing/{}", pair.bob.user_id());
    let types = async |wanted: Value| {
        until("who types", PATIENCE, async || {
            let synced = pair.alice.sync(None, Duration::ZERO).await?;
            let pointer = format!("/rooms/join/{room}/ephemeral/events");
            let events = synced.pointer(&pointer).and_then(Value::as_array).cloned();
            let typing = events.unwrap_or_default();
            let typing = typing.iter().find(|event| event["type"] == "m.typing");
            let ids = typing.map_or(json!([]), |event| event["content"]["user_ids"].clone());
            Ok((ids == wanted).then_some(()))
        })
        .await
    };
    pair.bob.put(&path, json!({ "typing": true, "timeout": 30_000 })).await?.ok()?;
    types(json!([pair.bob.user_id()])).await?;
    pair.bob.put(&path, json!({ "typing": false })).await?.ok()?;
    types(json!([])).await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_sent_while_the_neighbour_was_down_outlives_a_kill_9_and_arrives() -> Result<()> {
    let loopback = Loopback::new()?;
    let mut pair = Pair::start(&loopback).await?;
    let room = pair.alice.create_room(json!({ "preset": "public_chat" })).await?;
    pair.bob.join(&room, &[pair.alpha.name()]).await?.ok()?;
    pair.beta.kill_9()?;
    let late = pair.alice.send_text(&room, "while you were away").await?;
    pair.alpha.kill_9()?;
    pair.beta.restart().await?;
    pair.alpha.restart().await?;
    pair.bob.wait_for_event(&room, &late).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_lets_what_is_owed_be_sent_by_the_next_start() -> Result<()> {
    let loopback = Loopback::new()?;
    let mut pair = Pair::start(&loopback).await?;
    let room = pair.alice.create_room(json!({ "preset": "public_chat" })).await?;
    pair.bob.join(&room, &[pair.alpha.name()]).await?.ok()?;
    pair.beta.kill_9()?;
    let late = pair.alice.send_text(&room, "before the stop").await?;
    // The neighbour is silent and the queue waits: neither may hold up the stop or break it.
    pair.alpha.stop().await?;
    let log = std::fs::read_to_string(pair.alpha.log())?;
    assert!(log.contains("stopped") && !log.contains("ERROR"), "{log}");
    pair.beta.restart().await?;
    pair.alpha.restart().await?;
    pair.bob.wait_for_event(&room, &late).await?;
    Ok(())
}

/// Sends one message after the other until the server is gone, and tells the ids of those that were acknowledged.
async fn say_until_gone(sender: usize, person: Api, room: String, told: UnboundedSender<String>) {
    for number in 0..10_000 {
        let text = format!("{sender} says {number}");
        let Ok(id) = person.send_text(&room, &text).await else { return };
        told.send(id).ok();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_9_under_parallel_sends_loses_nothing_that_was_acknowledged() -> Result<()> {
    let loopback = Loopback::new()?;
    let mut ternd = loopback.ternd("localhost").registration("open").start().await?;
    let alice = ternd.api().register_openly("alice", PASSWORD).await?;
    let room = alice.create_room(json!({ "preset": "public_chat" })).await?;
    let (told, mut heard) = tokio::sync::mpsc::unbounded_channel();
    let senders: Vec<_> = (0..8)
        .map(|sender| {
            let (alice, room, told) = (alice.clone(), room.clone(), told.clone());
            tokio::spawn(say_until_gone(sender, alice, room, told))
        })
        .collect();
    drop(told);
    let mut acknowledged = Vec::new();
    while acknowledged.len() < 60 {
        acknowledged.push(heard.recv().await.context("the senders stopped early")?);
    }
    ternd.kill_9()?;
    for sender in senders {
        sender.await?;
    }
    while let Some(id) = heard.recv().await {
        acknowledged.push(id);
    }
    ternd.restart().await?;

    let seen = alice.messages(&room).await?;
    let is_there = |id: &&String| !seen.iter().any(|event| event["event_id"] == id.as_str());
    let lost: Vec<&String> = acknowledged.iter().filter(is_there).collect();
    assert!(lost.is_empty(), "{} of {} are lost: {lost:?}", lost.len(), acknowledged.len());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn federation_switched_off_answers_nobody_and_asks_nobody() -> Result<()> {
    let loopback = Loopback::new()?;
    let beta = loopback.ternd("beta.localhost").registration("open").start().await?;
    let bob = beta.api().register_openly("bob", PASSWORD).await?;
    let room = bob.create_room(json!({ "preset": "public_chat" })).await?;
    let shut = loopback.ternd("alpha.localhost").registration("open");
    let shut = shut.setting("federation", "enabled = false").start().await?;
    let alice = shut.api().register_openly("alice", PASSWORD).await?;

    let join = alice.join(&room, &[beta.name()]).await?;
    assert_eq!((join.status, join.errcode()), (403, "M_FORBIDDEN"), "{}", join.body);
    assert!(join.error().contains("switched off"), "{}", join.body);
    let own = alice.create_room(json!({ "preset": "public_chat" })).await?;
    let invite = format!("/_matrix/client/v3/rooms/{own}/invite");
    let invite = alice.post(&invite, json!({ "user_id": bob.user_id() })).await?;
    assert!(invite.error().contains("switched off"), "{}", invite.body);
    let inbound = shut.api().get("/_matrix/federation/v1/version").await?;
    assert_eq!((inbound.status, inbound.errcode()), (404, "M_UNRECOGNIZED"), "{}", inbound.body);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_and_its_thumbnail_are_fetched_from_the_other_server() -> Result<()> {
    let loopback = Loopback::new()?;
    let pair = Pair::start(&loopback).await?;
    media::crosses(&pair.alice, &pair.bob).await?;
    media::crosses(&pair.bob, &pair.alice).await
}
