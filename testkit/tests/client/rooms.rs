//! Groups, channels and the directory, and the people in them.

use anyhow::Result;
use serde_json::{Value, json};
use tern_testkit::{Api, Loopback, PATIENCE, Tern, Ternd, encode, until};

use crate::{
    keyboard::{
        account, client, close, fill, leader, rows_of, select, server_says, state, to_list,
        wait_row,
    },
    people,
};

async fn membership(bob: &Api, room: &str, user: &str, wanted: &str) -> Result<()> {
    let path = state(room, "m.room.member", user);
    let is = |body: &Value| body.get("membership").and_then(Value::as_str) == Some(wanted);
    server_says(bob, &path, &format!("{user} to be {wanted}"), is).await?;
    Ok(())
}

/// Chooses somebody in the list of members.
async fn choose(tern: &mut Tern, name: &str, shown: &str) -> Result<()> {
    tern.wait_for(&format!("@{name}:")).await?;
    tern.type_text(name)?;
    tern.wait_for(&format!("› {name}")).await?;
    tern.press("Enter")?;
    tern.wait_for(shown).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_is_run_from_the_keyboard() -> Result<()> {
    let loopback = Loopback::new()?;
    let ternd = loopback.ternd("localhost").registration("open").start().await?;
    account(&ternd, "alice").await?;
    let (bob, carol) = (account(&ternd, "bob").await?, account(&ternd, "carol").await?);
    let mut tern = client(&loopback, &ternd, "alice").await?;

    tern.press("N")?;
    tern.wait_for("New group").await?;
    fill(&mut tern, &["Garden", &format!("{} {}", bob.user_id(), carol.user_id())])?;
    tern.wait_for("new line").await?;
    let room = bob.wait_for_invite().await?;
    for guest in [&bob, &carol] {
        guest.join(&room, &[]).await?.ok()?;
    }
    to_list(&mut tern).await?;
    // A window has the name that the chat has when it opens.
    tern.wait_for("Garden").await?;

    // Members with their roles; bob becomes a moderator.
    leader(&mut tern, "y", "Members of Garden").await?;
    tern.wait_until("everybody joined", |screen| {
        let joined = |name| screen.lines().any(|row| row.contains(name) && row.contains("member"));
        screen.contains("@alice:") && joined("@bob:") && joined("@carol:")
    })
    .await?;
    choose(&mut tern, "bob", "Role").await?;
    tern.press("o")?;
    tern.wait_for("becomes:").await?;
    tern.press("m")?;
    tern.wait_for("moderator").await?;
    let levels = state(&room, "m.room.power_levels", "");
    let pointer = format!("/users/{}", bob.user_id());
    server_says(&bob, &levels, "bob a moderator", |levels| {
        levels.pointer(&pointer).and_then(Value::as_i64) == Some(50)
    })
    .await?;

    // Carol is banned, and let back.
    tern.press("Ctrl+U")?;
    choose(&mut tern, "carol", "Ban").await?;
    tern.press("b")?;
    membership(&bob, &room, carol.user_id(), "ban").await?;
    tern.wait_for("banned").await?;
    tern.press("Enter")?;
    tern.wait_for("Unban").await?;
    tern.press("u")?;
    membership(&bob, &room, carol.user_id(), "leave").await?;
    tern.wait_gone("banned").await?;
    close(&mut tern, "Members of Garden").await?;

    rights(&mut tern, &bob, &levels).await?;

    // Whoever asks to be let in is let in.
    let alice = ternd.api().session(ternd.api().login("alice", people::PASSWORD).await?)?;
    alice
        .put(&state(&room, "m.room.join_rules", ""), json!({ "join_rule": "knock" }))
        .await?
        .ok()?;
    let knock = format!("/_matrix/client/v3/knock/{}", encode(&room));
    carol.post(&knock, json!({ "reason": "it's me" })).await?.ok()?;
    leader(&mut tern, "y", "asks to be let in").await?;
    choose(&mut tern, "carol", "Let in").await?;
    tern.press("i")?;
    membership(&bob, &room, carol.user_id(), "invite").await?;
    close(&mut tern, "Members of Garden").await?;

    // Bob is removed; name and topic change.
    leader(&mut tern, "y", "Members of Garden").await?;
    choose(&mut tern, "bob", "Remove").await?;
    tern.press("r")?;
    membership(&alice, &room, bob.user_id(), "leave").await?;
    close(&mut tern, "Members of Garden").await?;
    leader(&mut tern, "N", "Name and topic").await?;
    tern.type_text("s")?;
    tern.press("Tab")?;
    tern.type_text("what grows")?;
    tern.press("Enter")?;
    wait_row(&tern, "Gardens", "another name", |_, _| true).await?;
    tern.wait_for("what grows").await
}

/// Who may do what is changed, and shown changed.
async fn rights(tern: &mut Tern, bob: &Api, levels: &str) -> Result<()> {
    // Who may do what.
    leader(tern, "Y", "Who may do what in Garden").await?;
    tern.wait_for("write messages").await?;
    tern.press("Enter")?;
    tern.wait_for("Who may write messages?").await?;
    tern.press("m")?;
    server_says(bob, levels, "only moderators writing", |levels| {
        levels.get("events_default").and_then(Value::as_i64) == Some(50)
    })
    .await?;
    tern.wait_until("moderators at the right", |screen| {
        screen.lines().any(|row| row.contains("write messages") && row.contains("moderators"))
    })
    .await?;
    close(tern, "Who may do what in Garden").await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn channels_and_public_rooms_are_made_found_and_joined() -> Result<()> {
    let loopback = Loopback::new()?;
    let ternd: Ternd = loopback.ternd("localhost").registration("open").start().await?;
    account(&ternd, "alice").await?;
    let bob = account(&ternd, "bob").await?;
    let harbour = bob
        .create_room(json!({ "name": "Harbour", "topic": "boats", "preset": "public_chat",
            "visibility": "public", "room_alias_name": "harbour" }))
        .await?;
    let mut tern = client(&loopback, &ternd, "alice").await?;

    // The directory; a room of it is joined, and spoken in.
    leader(&mut tern, "D", "Public rooms").await?;
    tern.type_text("harb")?;
    tern.wait_for("#harbour:").await?;
    tern.press("Enter")?;
    tern.wait_for("Join").await?;
    tern.press("j")?;
    tern.wait_for("new line").await?;
    people::say(&mut tern, "ahoy").await?;
    until("alice's word", PATIENCE, async || {
        let said = bob.messages(&harbour).await?;
        Ok(said.iter().any(|event| event.to_string().contains("ahoy")).then_some(()))
    })
    .await?;
    to_list(&mut tern).await?;

    // A channel: others find and read it, and can't write.
    leader(&mut tern, "C", "New channel").await?;
    for text in ["News", "what is new"] {
        tern.type_text(text)?;
        tern.press("Tab")?;
    }
    tern.press("Space")?;
    tern.press("Enter")?;
    tern.wait_for("new line").await?;
    people::say(&mut tern, "first news").await?;
    let listed = "/_matrix/client/v3/publicRooms";
    let has_news = |rooms: &Value| rooms.to_string().contains("\"News\"");
    let rooms = server_says(&bob, listed, "the channel in the directory", has_news).await?;
    let rooms = rooms.get("chunk").and_then(Value::as_array).cloned().unwrap_or_default();
    let news = rooms.iter().find(|room| room.get("name") == Some(&json!("News")));
    let news = news.and_then(|room| room.get("room_id")?.as_str()).unwrap_or_default();
    bob.join(news, &[]).await?.ok()?;
    assert!(bob.send_text(news, "me too").await.is_err(), "only the channel's makers write");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn spaces_keep_chats_together_and_whoever_knocks_or_declines_is_told() -> Result<()> {
    let loopback = Loopback::new()?;
    let ternd: Ternd = loopback.ternd("localhost").registration("open").start().await?;
    account(&ternd, "alice").await?;
    let bob = account(&ternd, "bob").await?;
    let mut tern = client(&loopback, &ternd, "alice").await?;

    // A direct chat and a group, and a space with the group in it: a tab of the list.
    tern.press("n")?;
    tern.wait_for("New chat").await?;
    tern.type_text(bob.user_id())?;
    tern.press("Enter")?;
    tern.press("Enter")?;
    let direct = bob.wait_for_invite().await?;
    bob.join(&direct, &[]).await?.ok()?;
    tern.wait_for("new line").await?;
    to_list(&mut tern).await?;
    tern.press("N")?;
    tern.wait_for("New group").await?;
    fill(&mut tern, &["Boats", ""])?;
    tern.wait_for("Boats 🔒").await?;
    tern.wait_for("new line").await?;
    to_list(&mut tern).await?;
    leader(&mut tern, "G", "New space").await?;
    tern.type_text("Family")?;
    tern.press("Enter")?;
    tern.wait_for("‹ Family ›").await?;
    tern.press("<")?;
    tern.press("<")?;
    tern.press("<")?;
    tern.press("<")?;
    tern.wait_gone("‹ ").await?;
    select(&mut tern, "Boats").await?;
    leader(&mut tern, "+", "Add to a space").await?;
    tern.press("Enter")?;
    tern.wait_gone("Add to a space").await?;
    for tab in ["Unread", "People", "Groups", "Family"] {
        tern.press(">")?;
        tern.wait_for(&format!("‹ {tab} ›")).await?;
    }
    tern.wait_until("only what is in it", |screen| {
        rows_of(screen, "Boats").is_some() && rows_of(screen, "bob").is_none()
    })
    .await?;
    for _ in 0..4 {
        tern.press("<")?;
    }
    tern.wait_gone("‹ ").await?;
    invitation_declined(&mut tern, &ternd, &bob).await?;
    knocked(&mut tern, &ternd, &bob).await
}

/// The inviter learns of it.
async fn invitation_declined(tern: &mut Tern, ternd: &Ternd, bob: &Api) -> Result<()> {
    let auction = bob.create_room(json!({ "name": "Auction", "preset": "private_chat" })).await?;
    let alice = ternd.user_id("alice");
    bob.invite(&auction, &alice).await?;
    select(tern, "Auction").await?;
    tern.press("Enter")?;
    tern.wait_for("invites you to Auction").await?;
    tern.press("d")?;
    membership(bob, &auction, &alice, "leave").await?;
    tern.wait_until("no Auction", |screen| rows_of(screen, "Auction").is_none()).await
}

/// Alice knocks, takes it back, knocks again and is let in.
async fn knocked(tern: &mut Tern, ternd: &Ternd, bob: &Api) -> Result<()> {
    let alice = ternd.user_id("alice");
    let club = bob
        .create_room(json!({ "name": "Club", "preset": "public_chat", "room_alias_name": "club",
            "initial_state": [{ "type": "m.room.join_rules", "state_key": "",
                "content": { "join_rule": "knock" } }] }))
        .await?;
    for again in [false, true] {
        tern.press("a")?;
        tern.wait_for("Join").await?;
        tern.type_text(&format!("#club:{}", ternd.name()))?;
        tern.press("Tab")?;
        tern.press("k")?;
        tern.wait_for("has to let you in").await?;
        tern.type_text("it's alice")?;
        tern.press("Enter")?;
        membership(bob, &club, &alice, "knock").await?;
        if !again {
            select(tern, "Club").await?;
            tern.press("Enter")?;
            tern.wait_for("You asked to be let into Club").await?;
            tern.press("t")?;
            membership(bob, &club, &alice, "leave").await?;
            tern.wait_until("no Club", |screen| rows_of(screen, "Club").is_none()).await?;
        }
    }
    bob.invite(&club, &alice).await?;
    wait_row(tern, "Club", "an invitation", |_, second| second.contains("invited by")).await?;
    select(tern, "Club").await?;
    tern.press("Enter")?;
    tern.wait_for("invites you to Club").await?;
    tern.press("a")?;
    tern.wait_for("new line").await?;
    membership(bob, &club, &alice, "join").await
}
