//! Ways through a long chat: to what a reply answers and back, words, a date, pins, what is unread, threads; and several
//! messages at once.

use anyhow::Result;
use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::json;
use tern_testkit::{PATIENCE, until};

use crate::{
    garden::{Garden, body, text},
    people,
};

/// More than a client loads at once.
const LONG: usize = 120;

#[tokio::test(flavor = "multi_thread")]
async fn a_long_chat_is_crossed_by_replies_words_dates_and_pins() -> Result<()> {
    let mut garden = Garden::open(async |bob, room| {
        let first = bob.send_text(room, "the very first seed").await?;
        for number in 0..LONG {
            bob.send_text(room, &format!("row number {number}")).await?;
        }
        let answer = json!({
            "msgtype": "m.text", "body": "remember that seed?",
            "m.relates_to": { "m.in_reply_to": { "event_id": first } },
        });
        bob.send(room, "m.room.message", answer).await?;
        Ok(())
    })
    .await?;
    garden.alice.wait_for("remember that seed?").await?;
    garden.alice.wait_for("┃ bob: the very first seed").await?;

    // To what it answers, far outside of what is loaded, and back.
    garden.go_to_messages().await?;
    garden.press(&["J"])?;
    garden.alice.wait_for("row number 0").await?;
    garden.alice.wait_for("Further back").await?;
    garden.press(&["Backspace"])?;
    garden.alice.wait_for("remember that seed?").await?;
    garden.alice.wait_gone("Further back").await?;

    words_and_pins(&mut garden).await?;

    // A date: everything was written today, so its first message is the chat's.
    garden.press(&["G", "Space", "d"])?;
    garden.alice.wait_for("Go to a date").await?;
    garden.alice.type_text("2026-1-2")?;
    garden.press(&["Enter"])?;
    garden.alice.wait_for("the very first seed").await?;
    Ok(())
}

async fn words_and_pins(garden: &mut Garden) -> Result<()> {
    garden.press(&["/"])?;
    garden.alice.wait_for("Search in this chat").await?;
    garden.alice.type_text("NUMBER 57")?;
    garden.press(&["Enter"])?;
    garden.alice.wait_for("bob: row number 57").await?;
    garden.press(&["Enter"])?;
    garden.alice.wait_gone("Search in this chat").await?;
    garden.alice.wait_for("row number 58").await?;

    // Pins: this one, and the list of them.
    garden.press(&["p"])?;
    garden.alice.wait_for("not be changed").await?;
    garden
        .bob_puts("state/m.room.power_levels/", json!({ "users": {}, "state_default": 0 }))
        .await?;
    let pinned = garden.bob_finds("row 57", |event| body(event) == "row number 57").await?;
    garden.press(&["p"])?;
    garden.alice.wait_for("📌").await?;
    garden
        .bob_finds("the pin", |event| {
            text(event, "/type") == "m.room.pinned_events"
                && text(event, "/content/pinned/0") == text(&pinned, "/event_id")
        })
        .await?;
    garden.press(&["G", "Space", "P"])?;
    garden.alice.wait_for("Pinned messages").await?;
    garden.alice.wait_for("bob: row number 57").await?;
    garden.press(&["Enter"])?;
    garden.alice.wait_gone("Pinned messages").await?;
    garden.alice.wait_for("row number 56").await?;
    garden.press(&["p"])?;
    garden.alice.wait_gone("📌").await
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_are_quoted_forwarded_threaded_and_taken_back() -> Result<()> {
    let mut garden = Garden::open(async |_, _| Ok(())).await?;
    let shed = garden.bob.create_room(json!({ "preset": "public_chat", "name": "Shed" })).await?;
    let elsewhere = garden.ternd.api().login("alice", people::PASSWORD).await?;
    let elsewhere = garden.ternd.api().session(elsewhere)?;
    elsewhere.join(&shed, &[]).await?.ok()?;
    garden.alice.wait_for("Shed").await?;
    garden.bob_says("Come at eight. Bring bread.").await?;
    let question = garden.bob_says("who else comes?").await?;

    quote_and_thread(&mut garden, &question).await?;

    // A deletion that is taken back, and a message.
    garden.press(&["G", "d"])?;
    garden.alice.wait_for("z keeps it").await?;
    garden.press(&["z"])?;
    garden.alice.wait_for("Kept.").await?;
    garden.press(&["Enter"])?;
    people::say(&mut garden.alice, "to be regretted").await?;
    garden.press(&["Ctrl+Space", "z"])?;
    garden.alice.wait_for("Taken back").await?;
    let deleted = |event: &serde_json::Value| event.pointer("/unsigned/redacted_because").is_some();
    garden.bob_finds("the deletion", deleted).await?;
    garden.press(&["Ctrl+U"])?;
    garden.bob_reads("carol and dave").await?;

    several_to_another_chat(&mut garden, &shed).await?;
    to_what_is_new(&mut garden, &question).await
}

async fn quote_and_thread(garden: &mut Garden, question: &str) -> Result<()> {
    garden.go_to_messages().await?;
    garden.press(&["k", "q"])?;
    garden.alice.wait_for("Quote (Space marks several)").await?;
    garden.press(&["Down", "Enter"])?;
    garden.alice.wait_for("↩ bob: Come at eight.").await?;
    people::say(&mut garden.alice, "white or brown?").await?;
    let quote = garden.bob_finds("the quote", |event| body(event).contains("white")).await?;
    assert_eq!(body(&quote), "> Bring bread.\n\nwhite or brown?");

    // A thread.
    garden.go_to_messages().await?;
    garden.press(&["k", "t"])?;
    garden.alice.wait_for("Thread: ").await?;
    garden.alice.wait_gone("Come at eight").await?;
    people::say(&mut garden.alice, "carol and dave").await?;
    let answer = garden.bob_reads("carol and dave").await?;
    assert_eq!(text(&answer, "/content/m.relates_to/rel_type"), "m.thread");
    assert_eq!(text(&answer, "/content/m.relates_to/event_id"), question);
    garden.press(&["Ctrl+Space", "b"])?;
    garden.alice.wait_for("Come at eight").await?;
    garden.alice.wait_for("1 answer: t opens the thread").await?;
    garden.press(&["Space", "t"])?;
    garden.alice.wait_for(", 1 answer").await?;
    garden.press(&["Enter"])?;
    garden.alice.wait_for("Thread: ").await?;
    garden.press(&["Ctrl+Space", "b"])?;
    garden.alice.wait_gone("Thread: ").await?;
    Ok(())
}

async fn several_to_another_chat(garden: &mut Garden, shed: &str) -> Result<()> {
    garden.go_to_messages().await?;
    garden.press(&["g", "v", "j", "v"])?;
    garden.alice.wait_for("2 marked").await?;
    garden.press(&["f"])?;
    garden.alice.wait_for("Forward 2 messages to").await?;
    garden.alice.type_text("shed")?;
    garden.press(&["Enter"])?;
    garden.alice.wait_for("2 messages forwarded.").await?;
    for forwarded in ["Come at eight. Bring bread.", "who else comes?"] {
        until("the message to be forwarded", PATIENCE, async || {
            Ok(garden.bob.messages(shed).await?.into_iter().find(|event| body(event) == forwarded))
        })
        .await?;
    }

    Ok(())
}

/// What was said meanwhile stands below a line, and is gone to.
async fn to_what_is_new(garden: &mut Garden, question: &str) -> Result<()> {
    open(garden, "shed", "who else comes?").await?;
    for text in ["one", "two", "three"] {
        garden.bob.send_text(&garden.room, &format!("news {text}")).await?;
    }
    let answer = json!({
        "msgtype": "m.text", "body": "and erin",
        "m.relates_to": { "rel_type": "m.thread", "event_id": question, "is_falling_back": true,
            "m.in_reply_to": { "event_id": question } },
    });
    garden.bob.send(&garden.room, "m.room.message", answer).await?;
    garden.alice.wait_for("and erin").await?;
    open(garden, "garden", "news one").await?;
    garden.alice.wait_for("─ 4 new ─").await?;
    // Of them one is in a thread.
    garden.press(&["Ctrl+Space", "t"])?;
    garden.alice.wait_for("2 answers, 1 new").await?;
    garden.press(&["Esc"])?;
    garden.alice.wait_gone("2 answers, 1 new").await?;
    garden.press(&["Ctrl+Space", "U", "y"])?;
    garden.alice.wait_for("Copied.").await?;
    let copied = format!("\x1b]52;c;{}\x07", STANDARD.encode("news one"));
    assert!(String::from_utf8_lossy(&garden.alice.recording()).contains(&copied));
    Ok(())
}

/// Opens a chat by name, and waits for what stands in it.
async fn open(garden: &mut Garden, name: &str, text: &str) -> Result<()> {
    garden.press(&["Ctrl+K"])?;
    garden.alice.wait_for("Find a chat").await?;
    garden.alice.type_text(name)?;
    garden.press(&["Enter"])?;
    garden.alice.wait_gone("Find a chat").await?;
    garden
        .alice
        .wait_until(&format!("{text:?} in the chat"), |screen| {
            screen.lines().filter_map(|row| row.split_once('│')).any(|(_, row)| row.contains(text))
        })
        .await
}
