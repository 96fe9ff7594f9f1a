//! What one does with messages: answering, changing, deleting, reacting, copying; and what one sees of the others.

use anyhow::{Context, Result};
use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::json;

use crate::{
    garden::{Garden, body, text},
    people,
};

#[tokio::test(flavor = "multi_thread")]
async fn messages_are_answered_edited_deleted_copied_and_reacted_to_by_single_keys() -> Result<()> {
    let mut garden = Garden::open(async |_, _| Ok(())).await?;
    typing_is_seen_both_ways(&mut garden).await?;
    let answer = reply_and_edit(&mut garden).await?;
    seen_and_copied(&mut garden, &answer).await?;
    react_and_delete(&mut garden).await
}

async fn typing_is_seen_both_ways(garden: &mut Garden) -> Result<()> {
    garden.bob_puts(&typing_of(garden), json!({ "typing": true, "timeout": 30_000 })).await?;
    garden.alice.wait_for("bob is typing…").await?;
    garden.bob_puts(&typing_of(garden), json!({ "typing": false })).await?;
    garden.alice.wait_gone("bob is typing…").await?;
    garden.alice.type_text("at noon")?;
    garden.bob_sees_typing().await?;
    garden.press(&["Ctrl+U"])
}

/// Gives the id of the answer.
async fn reply_and_edit(garden: &mut Garden) -> Result<String> {
    let question = garden.bob_says("shall we meet?").await?;
    garden.go_to_messages().await?;
    garden.press(&["r"])?;
    garden.alice.wait_for("↩ bob: shall we meet?").await?;
    people::say(&mut garden.alice, "at seven").await?;
    garden.alice.wait_for("┃ bob: shall we meet?").await?;
    let answer = garden.bob_reads("at seven").await?;
    assert_eq!(text(&answer, "/content/m.relates_to/m.in_reply_to/event_id"), question);

    garden.press(&["Up"])?;
    garden.alice.wait_for("✎ edit: at seven").await?;
    garden.press(&["Ctrl+U"])?;
    garden.alice.type_text("at eight")?;
    garden.press(&["Enter"])?;
    garden.alice.wait_for("edited").await?;
    let answer_id = text(&answer, "/event_id").to_owned();
    let edit = |event: &serde_json::Value| {
        text(event, "/content/m.relates_to/rel_type") == "m.replace"
            && text(event, "/content/m.new_content/body") == "at eight"
    };
    let edit = garden.bob_finds("the edit", edit).await?;
    assert_eq!(text(&edit, "/content/m.relates_to/event_id"), answer_id);
    Ok(answer_id)
}

async fn seen_and_copied(garden: &mut Garden, answer: &str) -> Result<()> {
    let receipt = format!("receipt/m.read/{}", tern_testkit::encode(answer));
    let receipt =
        format!("/_matrix/client/v3/rooms/{}/{receipt}", tern_testkit::encode(&garden.room));
    garden.bob.post(&receipt, json!({})).await?.ok()?;
    people::wait_for_tick(&garden.alice, "at eight", "✓✓").await?;
    garden.go_to_messages().await?;
    garden.press(&["i"])?;
    garden.alice.wait_for("Seen by bob").await?;
    garden.go_to_messages().await?;

    // Through the terminal.
    garden.press(&["y"])?;
    garden.alice.wait_for("Copied.").await?;
    let copied = format!("\x1b]52;c;{}\x07", STANDARD.encode("at eight"));
    let recording = String::from_utf8_lossy(&garden.alice.recording()).into_owned();
    assert!(recording.contains(&copied), "the text is not in the clipboard");
    Ok(())
}

async fn react_and_delete(garden: &mut Garden) -> Result<()> {
    let reaction = garden.bob_says("fine by me").await?;
    garden.press(&["G", "+", "1"])?;
    garden.alice.wait_for("👍 1").await?;
    let is_reaction = |event: &serde_json::Value| {
        text(event, "/content/m.relates_to/rel_type") == "m.annotation"
            && text(event, "/content/m.relates_to/event_id") == reaction
    };
    let event = garden.bob_finds("the reaction", is_reaction).await?;
    assert_eq!(text(&event, "/content/m.relates_to/key"), "👍");

    garden.press(&["Enter"])?;
    people::say(&mut garden.alice, "never mind").await?;
    let regretted = text(&garden.bob_reads("never mind").await?, "/event_id").to_owned();
    garden.go_to_messages().await?;
    garden.press(&["d"])?;
    garden
        .bob_finds("the deletion", |event| {
            text(event, "/event_id") == regretted && body(event).is_empty()
        })
        .await?;
    garden
        .alice
        .wait_until("the message to be deleted", |screen| !right(screen).contains("never mind"))
        .await
}

/// The part of the screen right of the chat list.
fn right(screen: &str) -> String {
    screen.lines().filter_map(|row| row.split_once('│')).map(|(_, row)| row).collect()
}

fn typing_of(garden: &Garden) -> String {
    format!("typing/{}", tern_testkit::encode(garden.bob.user_id()))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_waits_for_the_server_and_a_refused_one_is_tried_again() -> Result<()> {
    let mut garden = Garden::open(async |bob, room| {
        for topic in ["soil", "seeds", "weeds", "harvest"] {
            let path = format!(
                "/_matrix/client/v3/rooms/{}/state/m.room.topic/",
                tern_testkit::encode(room)
            );
            bob.put(&path, json!({ "topic": topic })).await?.ok()?;
        }
        Ok(())
    })
    .await?;
    // Quiet lines are folded into one.
    garden.alice.wait_for("more changes").await?;

    garden.ternd.kill_9()?;
    garden.alice.type_text("patience")?;
    garden.press(&["Enter"])?;
    people::wait_for_tick(&garden.alice, "patience", "◷").await?;
    garden.ternd.restart().await?;
    people::wait_for_tick(&garden.alice, "patience", "✓").await?;

    let levels = |needed: u32| json!({ "users": {}, "events_default": needed });
    let (closed, open) = (levels(50), levels(0));
    garden.bob_puts("state/m.room.power_levels/", closed).await?;
    garden.alice.type_text("may I?")?;
    garden.press(&["Enter"])?;
    people::wait_for_tick(&garden.alice, "may I?", "! not sent").await?;
    garden.bob_puts("state/m.room.power_levels/", open).await?;
    garden.go_to_messages().await?;
    garden.press(&["G", "u"])?;
    people::wait_for_tick(&garden.alice, "may I?", "✓").await?;
    garden.bob_reads("may I?").await.context("what was tried again did not arrive")?;

    // A message without its key says why, and can be asked for again.
    let content = json!({
        "algorithm": "m.megolm.v1.aes-sha2", "ciphertext": "AwgAEnA", "device_id": "NOWHERE",
        "sender_key": "q2mUT9SMdNMK8GGqb3y6ZkkW+vKLCwWZxjZ/WUlMmUI", "session_id": "absent",
    });
    garden.bob.send(&garden.room, "m.room.encrypted", content).await?;
    garden.alice.wait_for("can't be read yet").await?;
    Ok(())
}
