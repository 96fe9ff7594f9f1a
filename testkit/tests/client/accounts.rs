//! Two accounts in one client: alice on one server and alice2 on another, their chats in one list.

use anyhow::{Context, Result};
use serde_json::{Value, json};
use tern_testkit::{Api, Loopback, PATIENCE, Size, Tern, Ternd, until};

use crate::{
    garden::{body, text, wait_in_chat},
    people,
};

const WIDE: Size = Size { columns: 110, rows: 30 };

/// Bob on a server, with a room there that he asks somebody into.
struct Host {
    ternd: Ternd,
    bob: Api,
    room: String,
}

impl Host {
    async fn new(loopback: &Loopback, server: &str, room: &str) -> Result<Host> {
        let ternd = loopback.ternd(server).registration("open").start().await?;
        let bob = ternd.api().register_openly("bob", people::PASSWORD).await?;
        let room = bob.create_room(json!({ "preset": "public_chat", "name": room })).await?;
        Ok(Host { ternd, bob, room })
    }

    /// Waits until bob can read `message`, and gives who sent it.
    async fn sender_of(&self, message: &str, alice: &Tern) -> Result<String> {
        let found: Value = until(&format!("{message:?} at bob"), PATIENCE, async || {
            let said = self.bob.messages(&self.room).await?;
            Ok(said.into_iter().find(|event| body(event) == message))
        })
        .await
        .with_context(|| alice.picture())?;
        Ok(text(&found, "/sender").to_owned())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_accounts_on_two_servers_share_one_list_and_each_goes_on_without_the_other()
-> Result<()> {
    let loopback = Loopback::new()?;
    let alpha = Host::new(&loopback, "alpha.localhost", "Garden").await?;
    let beta = Host::new(&loopback, "beta.localhost", "Shed").await?;
    let mut tern = Tern::open(&loopback, "alice", WIDE)?;
    people::register_without_email(&mut tern, &alpha.ternd, "alice").await?;
    alpha.bob.invite(&alpha.room, &alpha.ternd.user_id("alice")).await?;
    people::accept_invitation(&mut tern, "invited by bob").await?;
    people::say(&mut tern, "alone here").await?;
    assert!(!tern.text().contains("Garden · alice"), "one account needs no mark: {}", tern.text());
    tern.type_text("a draft in the garden")?;

    add_second(&mut tern, &beta).await?;
    both_write_and_hear(&mut tern, &alpha, &beta).await?;
    same_room_in_both(&mut tern, &alpha, &beta).await?;
    kill_and_choose(&mut tern).await?;
    refused_when_here_already(&mut tern, &alpha).await?;
    one_logs_out(&mut tern, &alpha, &beta).await
}

/// Leaves the way to another account once, then goes it, and accepts bob's invitation there.
async fn add_second(tern: &mut Tern, beta: &Host) -> Result<()> {
    tern.press("Ctrl+Space")?;
    tern.press("@")?;
    tern.wait_for("Add an account").await?;
    tern.press("Esc")?;
    tern.wait_for("› a draft in the garden").await?;

    tern.press("Ctrl+Space")?;
    tern.press("@")?;
    tern.wait_for("Add an account").await?;
    tern.type_text(beta.ternd.name())?;
    tern.press("Enter")?;
    tern.wait_for("answers.").await?;
    people::fill_registration(tern, "alice2").await?;
    tern.wait_for("Keep your messages · alice2").await?;
    tern.press("Esc")?;
    tern.wait_gone("Keep your messages").await?;
    tern.wait_for("Garden · alice").await?;

    beta.bob.invite(&beta.room, &beta.ternd.user_id("alice2")).await?;
    tern.wait_for("Shed · alice2").await?;
    open(tern, "shed").await?;
    tern.wait_for("Accept").await?;
    tern.press("Enter")?;
    // Until it has been joined, the other account's chat is still the open one.
    wait_in_chat(tern, "Shed · alice2").await
}

/// Opens a chat by what the finder is given.
async fn open(tern: &mut Tern, name: &str) -> Result<()> {
    tern.press("Ctrl+K")?;
    tern.wait_for("Find a chat").await?;
    tern.type_text(name)?;
    tern.press("Enter")?;
    tern.wait_gone("Find a chat").await
}

async fn both_write_and_hear(tern: &mut Tern, alpha: &Host, beta: &Host) -> Result<()> {
    people::say(tern, "out of the shed").await?;
    let sender = beta.sender_of("out of the shed", tern).await?;
    assert_eq!(sender, beta.ternd.user_id("alice2"));
    tern.type_text("a draft in the shed")?;

    // What comes in the other account is told of in the list, and read when it is gone to.
    alpha.bob.send_text(&alpha.room, "to the garden").await?;
    tern.wait_for("bob: to the garden").await?;
    open(tern, "garden").await?;
    wait_in_chat(tern, "to the garden").await?;
    tern.wait_for("› a draft in the garden").await?;
    tern.press("Ctrl+U")?;
    people::say(tern, "out of the garden").await?;
    let sender = alpha.sender_of("out of the garden", tern).await?;
    assert_eq!(sender, alpha.ternd.user_id("alice"));

    beta.bob.send_text(&beta.room, "to the shed").await?;
    tern.wait_for("bob: to the shed").await?;
    // The profile is that of the account whose chat is open.
    tern.press("Ctrl+Space")?;
    tern.press("p")?;
    tern.wait_for(&format!("@alice:{}", alpha.ternd.name())).await?;
    tern.press("Esc")?;
    tern.wait_gone("not verified").await
}

/// Alice2 comes into the garden, too: a chat of its own, where alice is somebody else.
async fn same_room_in_both(tern: &mut Tern, alpha: &Host, beta: &Host) -> Result<()> {
    alpha.bob.invite(&alpha.room, &beta.ternd.user_id("alice2")).await?;
    tern.wait_for("Garden · alice2").await?;
    open(tern, "garden").await?;
    tern.wait_for("Accept").await?;
    tern.press("Enter")?;
    wait_in_chat(tern, "Garden · alice2").await?;
    people::say(tern, "the other alice").await?;
    let sender = alpha.sender_of("the other alice", tern).await?;
    assert_eq!(sender, beta.ternd.user_id("alice2"));
    // In one row it is one's own, in the other somebody's.
    tern.wait_for("You: the other alice").await?;
    tern.wait_for("alice2: the other alice").await
}

/// Killed and opened again, both are there with what was written in them; one of them is shown alone.
async fn kill_and_choose(tern: &mut Tern) -> Result<()> {
    tern.type_text("a draft of alice2")?;
    let kept = tern.data().join("written.drafts");
    for _ in 0..2 {
        let before = std::fs::read(&kept).unwrap_or_default();
        tern.type_text(".")?;
        until("the draft on disk", PATIENCE, async || {
            Ok(std::fs::read(&kept).is_ok_and(|now| now != before).then_some(()))
        })
        .await?;
    }
    tern.kill_9_and_reopen()?;
    tern.wait_for("› a draft of alice2..").await?;
    tern.wait_for("●").await?;
    open(tern, "shed").await?;
    tern.wait_for("› a draft in the shed").await?;

    tern.press("Ctrl+Space")?;
    tern.press("A")?;
    tern.wait_for("All accounts").await?;
    tern.press("j")?;
    tern.press("Enter")?;
    tern.wait_for("‹ @alice:").await?;
    tern.wait_gone("Shed").await?;
    tern.wait_for("Garden").await?;
    tern.press("Space")?;
    tern.press("A")?;
    tern.wait_for("All accounts").await?;
    tern.press("k")?;
    tern.press("Enter")?;
    tern.wait_for("Shed · alice2").await
}

async fn refused_when_here_already(tern: &mut Tern, alpha: &Host) -> Result<()> {
    tern.press("Space")?;
    tern.press("@")?;
    tern.wait_for("Add an account").await?;
    tern.type_text(alpha.ternd.name())?;
    tern.press("Enter")?;
    tern.wait_for("answers.").await?;
    tern.press("l")?;
    tern.wait_for("Log in on").await?;
    tern.type_text("alice")?;
    tern.press("Tab")?;
    tern.type_text(people::PASSWORD)?;
    tern.press("Enter")?;
    tern.wait_for("That account is here already").await?;
    // Back by one screen after another.
    tern.press("Esc")?;
    tern.wait_for("answers.").await?;
    tern.press("Esc")?;
    tern.wait_for("Add an account").await?;
    tern.press("Esc")?;
    tern.wait_for("Shed · alice2").await
}

/// Alice2 leaves with all that is hers; alice goes on, also after another start.
async fn one_logs_out(tern: &mut Tern, alpha: &Host, beta: &Host) -> Result<()> {
    let second = tern.data().join("accounts/1");
    assert!(second.join("session.json").exists());
    open(tern, "shed").await?;
    wait_in_chat(tern, "Shed · alice2").await?;
    tern.press("Ctrl+Space")?;
    tern.press("O")?;
    tern.wait_for("its keys and messages").await?;
    tern.wait_for("@alice2:").await?;
    tern.press("l")?;
    tern.wait_for("is logged out.").await?;
    tern.wait_gone("Shed").await?;
    until("alice2's folder to be gone", PATIENCE, async || Ok((!second.exists()).then_some(())))
        .await?;
    let said = beta.ternd.api().login("alice2", people::PASSWORD).await?;
    let again = beta.ternd.api().session(said)?;
    let devices = again.get("/_matrix/client/v3/devices").await?.ok()?;
    let devices = devices.pointer("/devices").and_then(Value::as_array).map_or(0, Vec::len);
    assert_eq!(devices, 1, "the session in the client is ended on the server");

    for round in ["one more", "and another"] {
        open(tern, "garden").await?;
        wait_in_chat(tern, "Garden").await?;
        people::say(tern, round).await?;
        assert_eq!(alpha.sender_of(round, tern).await?, alpha.ternd.user_id("alice"));
        assert!(!tern.text().contains("Garden · alice"), "one account again: {}", tern.text());
        wait_in_chat(tern, "out of the garden").await?;
        tern.kill_9_and_reopen()?;
        tern.wait_for("●").await?;
    }
    Ok(())
}
