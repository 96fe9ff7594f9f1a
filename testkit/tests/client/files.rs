//! Files: sent with words and progress, stopped, dropped on the terminal; received, gone on with, opened.

use anyhow::{Context, Result};
use rustix::process::Signal;
use serde_json::{Value, json};
use tern_testkit::{Loopback, PATIENCE, Size, Tern, until};

use crate::invitations::{Pair, pair, text};
use crate::people;

#[tokio::test(flavor = "multi_thread")]
async fn files_go_out_with_words_and_come_in_where_they_are_wanted() -> Result<()> {
    let loopback = Loopback::new()?;
    let mut ternd = loopback.ternd("localhost").start().await?;
    let opened = loopback.folder().join("opened");
    let opener = format!("opener = [\"cp\", \"--target-directory={}\"]", opened.display());
    std::fs::create_dir(&opened)?;
    let mut pair = pair(&loopback, &ternd, "Garden", &opener, Size::STANDARD).await?;

    // Dropped on the terminal, which writes its path.
    let photo = loopback.folder().join("a photo.png");
    image::RgbImage::from_pixel(64, 48, image::Rgb([200, 30, 30])).save(&photo)?;
    pair.alice.paste(&format!("'{}'", photo.display()))?;
    pair.alice.wait_for("Send a file").await?;
    pair.alice.type_text("what grows")?;
    pair.alice.press("Enter")?;
    let image = |content: &Value| text(content, "/msgtype") == "m.image";
    let sent = pair.wait_for("the photo", image).await?;
    assert_eq!(text(&sent, "/filename"), "a photo.png", "{sent}");
    assert_eq!(text(&sent, "/body"), "what grows", "{sent}");
    assert_eq!(sent.pointer("/info/w"), Some(&Value::from(64)), "{sent}");
    // What others see of it before it is with them.
    assert_eq!(text(&sent, "/info/xyz.amorgan.blurhash").len(), 28, "{sent}");

    // Large enough to be seen on its way.
    let large = loopback.folder().join("large.bin");
    std::fs::write(&large, vec![7; 3 * 1024 * 1024])?;
    pair.alice.type_text(&format!("/file {}", large.display()))?;
    pair.alice.press("Enter")?;
    pair.alice.wait_for("Send a file").await?;
    // A server that takes nothing for a moment makes it stand still.
    pair.server(Signal::STOP)?;
    pair.alice.press("Enter")?;
    let seen = pair.alice.wait_for(" %").await;
    pair.server(Signal::CONT)?;
    seen?;
    pair.wait_for("the large file", |content| text(content, "/body") == "large.bin").await?;

    // What waits is stopped by deleting it.
    ternd.kill_9()?;
    pair.alice.wait_for("offline").await?;
    pair.alice.type_text(&format!("/file {}", photo.display().to_string().replace(' ', "\\ ")))?;
    pair.alice.press("Enter")?;
    pair.alice.wait_for("Send a file").await?;
    pair.alice.type_text("never mind")?;
    pair.alice.press("Enter")?;
    let waits = |row: &str| row.contains("never mind") && row.contains('◷');
    pair.alice.wait_until("it waits in the chat", |screen| screen.lines().any(waits)).await?;
    pair.alice.press("Esc")?;
    pair.alice.wait_for("reply").await?;
    pair.alice.press("G")?;
    pair.alice.press("d")?;
    pair.alice.wait_for("z keeps it").await?;
    // Until then it may still go out.
    pair.alice
        .wait_until("it to be gone for good", |screen| {
            !screen.contains("never mind") && !screen.contains("z keeps it")
        })
        .await?;
    ternd.restart().await?;

    pair.moved_to(&ternd);
    receive(&mut pair, &loopback).await
}

/// A transfer that gets no answer is stopped.
async fn stopped(pair: &mut Pair) -> Result<()> {
    pair.server(Signal::STOP)?;
    pair.alice.press("s")?;
    pair.alice.wait_for("Save the file").await?;
    pair.alice.press("Enter")?;
    pair.alice.wait_for("↓").await?;
    pair.alice.press("Space")?;
    pair.alice.wait_for("files on their way").await?;
    pair.alice.press("x")?;
    pair.alice.wait_for("Stop").await?;
    pair.alice.press("s")?;
    pair.alice.wait_for(": stopped").await?;
    pair.server(Signal::CONT)
}

async fn receive(pair: &mut Pair, loopback: &Loopback) -> Result<()> {
    let opened = loopback.folder().join("opened");
    // What bob sends is saved where alice says; the first half is here from an earlier try.
    let bytes: Vec<u8> = (0..200_000_u32).map(|n| u8::try_from(n % 251).unwrap_or(0)).collect();
    let uri = pair.bob.upload("application/octet-stream", bytes.clone()).await?;
    let content = json!({ "msgtype": "m.file", "body": "../notes.bin", "url": uri,
        "info": { "size": bytes.len() } });
    pair.bob.send(&pair.room, "m.room.message", content).await?;
    pair.alice.wait_for("notes.bin").await?;
    let target = loopback.folder().join("saved.bin");
    let media: String = uri.rsplit('/').next().context("no media id")?.to_owned();
    let media: String = media.chars().filter(char::is_ascii_alphanumeric).take(24).collect();
    let part = loopback.folder().join(format!(".saved.bin.{media}.part"));
    std::fs::write(&part, vec![0; 100_000])?;
    pair.alice.press("G")?;
    pair.alice.press("s")?;
    pair.alice.wait_for("Save the file").await?;
    // The name from the network is one part of the path that is offered.
    pair.alice.wait_for("Downloads/_notes.bin").await?;
    pair.alice.press("Ctrl+U")?;
    pair.alice.type_text(&target.display().to_string())?;
    pair.alice.press("Enter")?;
    pair.alice.wait_for("Saved as").await?;
    let saved = std::fs::read(&target)?;
    let (kept, rest) = saved.split_at(100_000);
    assert!(kept.iter().all(|byte| *byte == 0), "it began anew");
    assert!(
        saved.len() == bytes.len() && bytes.ends_with(rest) && !part.exists(),
        "the rest is what was sent"
    );

    stopped(pair).await?;
    // Opened with a program of hers.
    pair.alice.press("o")?;
    until("the program", PATIENCE, async || {
        let copied = std::fs::read(opened.join("notes.bin"))
            .or_else(|_| std::fs::read(opened.join("saved.bin")));
        Ok(copied.is_ok_and(|copied| copied.len() == bytes.len()).then_some(()))
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_encrypted_file_arrives_whole() -> Result<()> {
    let loopback = Loopback::new()?;
    let ternd = loopback.ternd("localhost").registration("open").start().await?;
    let mut alice = Tern::open(&loopback, "alice", Size::STANDARD)?;
    let mut bob = Tern::open(&loopback, "bob", Size::STANDARD)?;
    people::register_without_email(&mut alice, &ternd, "alice").await?;
    people::register_without_email(&mut bob, &ternd, "bob").await?;
    people::start_chat(&mut alice, &ternd.user_id("bob")).await?;
    people::accept_invitation(&mut bob, "alice").await?;
    people::say(&mut alice, "here it is").await?;
    bob.wait_for("here it is").await?;

    let file = loopback.folder().join("secret.txt");
    let secret = "what nobody else may read\n".repeat(1_000);
    std::fs::write(&file, &secret)?;
    alice.type_text(&format!("/file {}", file.display()))?;
    alice.press("Enter")?;
    alice.wait_for("Send a file").await?;
    alice.press("Enter")?;
    bob.wait_for("[file] secret.txt").await?;
    let target = loopback.folder().join("received.txt");
    bob.press("Esc")?;
    bob.wait_for("reply").await?;
    bob.press("s")?;
    bob.wait_for("Save the file").await?;
    bob.press("Ctrl+U")?;
    bob.type_text(&target.display().to_string())?;
    bob.press("Enter")?;
    bob.wait_for("Saved as").await?;
    assert_eq!(std::fs::read_to_string(&target)?, secret);
    Ok(())
}
