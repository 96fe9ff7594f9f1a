//! The same conversation with Synapse on one side: alice on `ternd`, bob on Synapse, both in `tern`.

use anyhow::Result;
use serde_json::json;
use tern_testkit::{Loopback, Marker, Size, Synapse, Tern};

use crate::{media, people};

fn synapse_is_here() -> bool {
    let here = Synapse::available();
    if !here {
        eprintln!("matrix-synapse is not installed here: nothing shown");
    }
    here
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_on_ternd_and_one_on_synapse_talk_encrypted() -> Result<()> {
    if !synapse_is_here() {
        return Ok(());
    }
    let loopback = Loopback::new()?;
    // Synapse asks the system's resolver, which need not know names below localhost.
    let mut ternd = loopback.ternd("localhost").start().await?;
    let mut synapse = loopback.synapse().await?;
    eprintln!("Synapse {}", Synapse::version()?);
    synapse.register("bob", people::PASSWORD).await?;
    let mut alice = Tern::open(&loopback, "alice", Size::STANDARD)?;
    let mut bob = Tern::open(&loopback, "bob", Size::STANDARD)?;
    let [question, answer, late, later] =
        ["question", "answer", "late", "later"].map(Marker::random);

    people::register(&mut alice, &ternd, "alice").await?;
    people::log_in(&mut bob, synapse.name(), "bob", people::PASSWORD).await?;
    people::start_chat(&mut alice, &synapse.user_id("bob")).await?;
    people::accept_invitation(&mut bob, "alice").await?;
    people::say(&mut alice, question.text()).await?;
    bob.wait_for(question.text()).await?;
    people::wait_for_tick(&alice, question.text(), "✓✓").await?;
    people::say(&mut bob, answer.text()).await?;
    alice.wait_for(answer.text()).await?;
    people::wait_for_tick(&bob, answer.text(), "✓✓").await?;

    // Each side in turn is down while the other speaks.
    ternd.kill_9()?;
    people::say(&mut bob, late.text()).await?;
    ternd.restart().await?;
    alice.wait_for(late.text()).await?;
    synapse.kill_9()?;
    people::say(&mut alice, later.text()).await?;
    synapse.restart().await?;
    bob.wait_for(later.text()).await?;

    // Whoever comes back finds the conversation as it was.
    let markers = [&question, &answer, &late, &later];
    alice.kill_9_and_reopen()?;
    bob.kill_9_and_reopen()?;
    for marker in markers {
        alice.wait_for(marker.text()).await?;
        bob.wait_for(marker.text()).await?;
    }

    for marker in markers {
        let mut found = ternd.find(marker)?;
        found.extend(marker.find_below(synapse.folder())?);
        found.extend(alice.find(marker)?);
        found.extend(bob.find(marker)?);
        assert!(found.is_empty(), "what was said stands in the clear: {found:?}");
    }
    Ok(())
}

/// Without `ternd`: `tern` is a client for any server, and its part of a failure above can be told from the servers'.
#[tokio::test(flavor = "multi_thread")]
async fn two_people_on_synapse_talk_encrypted_in_tern() -> Result<()> {
    if !synapse_is_here() {
        return Ok(());
    }
    let loopback = Loopback::new()?;
    let synapse = loopback.synapse().await?;
    let mut clients = Vec::new();
    for name in ["alice", "bob"] {
        synapse.register(name, people::PASSWORD).await?;
        let mut tern = Tern::open(&loopback, name, Size::STANDARD)?;
        people::log_in(&mut tern, synapse.name(), name, people::PASSWORD).await?;
        clients.push(tern);
    }
    let [alice, bob] = clients.as_mut_slice() else { unreachable!("two names") };
    let [question, answer] = ["question", "answer"].map(Marker::random);

    people::start_chat(alice, &synapse.user_id("bob")).await?;
    people::accept_invitation(bob, "alice").await?;
    people::say(alice, question.text()).await?;
    bob.wait_for(question.text()).await?;
    people::wait_for_tick(alice, question.text(), "✓✓").await?;
    people::say(bob, answer.text()).await?;
    alice.wait_for(answer.text()).await?;

    for marker in [&question, &answer] {
        let mut found = marker.find_below(synapse.folder())?;
        found.extend(alice.find(marker)?);
        found.extend(bob.find(marker)?);
        assert!(found.is_empty(), "what was said stands in the clear: {found:?}");
    }
    Ok(())
}

#[tokio::test]
async fn rooms_joins_messages_and_profiles_cross_between_ternd_and_synapse() -> Result<()> {
    if !synapse_is_here() {
        return Ok(());
    }
    let loopback = Loopback::new()?;
    let ternd = loopback.ternd("localhost").registration("open").start().await?;
    let synapse = loopback.synapse().await?;
    let alice = ternd.api().register_openly("alice", people::PASSWORD).await?;
    let bob = synapse.register("bob", people::PASSWORD).await?;
    let name = json!({ "displayname": "Alice" });
    let path = format!("/_matrix/client/v3/profile/{}/displayname", alice.user_id());
    alice.put(&path, name.clone()).await?.ok()?;
    assert_eq!(bob.get(&path).await?.ok()?, name);

    for (host, guest, server) in [(&alice, &bob, ternd.name()), (&bob, &alice, synapse.name())] {
        // A public room is joined by its id, a private one by invitation.
        let public = host.create_room(json!({ "preset": "public_chat" })).await?;
        assert_eq!(guest.join(&public, &[server]).await?.status, 200);
        let private = host.create_room(json!({ "preset": "private_chat" })).await?;
        host.invite(&private, guest.user_id()).await?;
        assert_eq!(guest.wait_for_invite().await?, private);
        assert_eq!(guest.join(&private, &[server]).await?.status, 200);

        for room in [&public, &private] {
            let there = host.send_text(room, "hello over there").await?;
            guest.wait_for_event(room, &there).await?;
            let back = guest.send_text(room, "hello back").await?;
            host.wait_for_event(room, &back).await?;
        }
    }
    Ok(())
}

#[tokio::test]
async fn files_cross_between_ternd_and_synapse_both_ways() -> Result<()> {
    if !synapse_is_here() {
        return Ok(());
    }
    let loopback = Loopback::new()?;
    let ternd = loopback.ternd("localhost").registration("open").start().await?;
    let synapse = loopback.synapse().await?;
    let alice = ternd.api().register_openly("alice", people::PASSWORD).await?;
    let bob = synapse.register("bob", people::PASSWORD).await?;
    media::crosses(&alice, &bob).await?;
    media::crosses(&bob, &alice).await
}

#[tokio::test]
async fn rooms_of_every_version_from_3_made_on_synapse_are_joined_and_spoken_in() -> Result<()> {
    if !synapse_is_here() {
        return Ok(());
    }
    let loopback = Loopback::new()?;
    let ternd = loopback.ternd("localhost").registration("open").start().await?;
    let synapse = loopback.synapse().await?;
    let alice = ternd.api().register_openly("alice", people::PASSWORD).await?;
    let bob = synapse.register("bob", people::PASSWORD).await?;
    for version in 3..=12 {
        let room = json!({ "preset": "public_chat", "room_version": version.to_string() });
        let room = bob.create_room(room).await?;
        let joined = alice.join(&room, &[synapse.name()]).await?;
        assert_eq!(joined.status, 200, "version {version}: {}", joined.body);
        let there = alice.send_text(&room, "hello").await?;
        bob.wait_for_event(&room, &there).await?;
        let back = bob.send_text(&room, "hello back").await?;
        alice.wait_for_event(&room, &back).await?;
    }
    Ok(())
}
