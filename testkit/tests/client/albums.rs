//! Several pictures and files at once: asked about once, sent in order, seen together, and each still by itself.

use std::{fs, path::Path};

use anyhow::Result;
use serde_json::Value;
use tern_testkit::{Loopback, PATIENCE, Size, Tern, until};

use crate::invitations::{pair, text};
use crate::people;

/// The rows right of the list.
fn in_chat(screen: &str) -> impl Iterator<Item = &str> {
    screen.lines().filter_map(|row| row.split_once('│')).map(|(_, chat)| chat)
}

/// Rows of the chat in which pictures stand side by side, and how many of them.
fn side_by_side(screen: &str) -> Vec<usize> {
    let pictures = in_chat(screen)
        .map(|row| row.split_whitespace().filter(|part| part.chars().all(|c| c == '▀')).count());
    pictures.filter(|count| *count > 0).collect()
}

fn draw(folder: &Path, name: &str, color: [u8; 3]) -> Result<()> {
    let picture = image::RgbImage::from_pixel(320, 240, image::Rgb(color));
    Ok(picture.save(folder.join(name))?)
}

fn draw_three(folder: &Path) -> Result<()> {
    draw(folder, "roses.png", [200, 30, 30])?;
    draw(folder, "grass.png", [30, 160, 30])?;
    draw(folder, "sky.png", [30, 60, 200])
}

#[tokio::test(flavor = "multi_thread")]
async fn three_pictures_are_sent_with_one_caption_and_seen_side_by_side() -> Result<()> {
    let loopback = Loopback::new()?;
    let ternd = loopback.ternd("localhost").registration("open").start().await?;
    let opened = loopback.subfolder("opened")?;
    let opener = format!("opener = [\"cp\", \"--target-directory={}\"]", opened.display());
    Tern::set(&loopback, "bob", &opener)?;
    let mut alice = Tern::open(&loopback, "alice", Size::STANDARD)?;
    let mut bob = Tern::open(&loopback, "bob", Size::STANDARD)?;
    people::register_without_email(&mut alice, &ternd, "alice").await?;
    people::register_without_email(&mut bob, &ternd, "bob").await?;
    people::start_chat(&mut alice, &ternd.user_id("bob")).await?;
    people::accept_invitation(&mut bob, "alice").await?;
    people::say(&mut alice, "look at this").await?;
    bob.wait_for("look at this").await?;

    // Dropped on the terminal together, which writes all paths in one line.
    let folder = loopback.folder();
    draw_three(folder)?;
    let dropped = ["roses.png", "grass.png", "sky.png"]
        .map(|name| format!("'{}'", folder.join(name).display()));
    alice.paste(&dropped.join(" "))?;
    alice.wait_for("Send 3 files").await?;
    alice.type_text("what grows")?;
    alice.press("Enter")?;

    let rows =
        ["what grows", "[picture 1] roses.png", "[picture 2] grass.png", "[picture 3] sky.png"];
    for person in [&alice, &bob] {
        let together = |screen: &str| {
            let places = rows.map(|row| screen.lines().position(|line| line.contains(row)));
            let in_order = places.iter().all(Option::is_some) && places.is_sorted();
            in_order && side_by_side(screen) == [3; 5]
        };
        person
            .wait_until("three pictures side by side, and below them their rows", together)
            .await?;
    }

    // Each is still a message of its own: bob opens the second.
    bob.press("Esc")?;
    bob.wait_for("r reply").await?;
    bob.press("k")?;
    let chosen = |screen: &str| {
        let marked: Vec<&str> = in_chat(screen).filter(|row| row.starts_with('▌')).collect();
        marked.len() == 1 && marked.iter().all(|row| row.contains("[picture 2]"))
    };
    bob.wait_until("the second chosen", chosen).await?;
    bob.press("o")?;
    let sent = fs::read(folder.join("grass.png"))?;
    until("the program that opens it", PATIENCE, async || {
        Ok(fs::read(opened.join("grass.png")).is_ok_and(|read| read == sent).then_some(()))
    })
    .await?;

    // Alice deletes the third; the others stay together.
    people::wait_for_tick(&alice, "[picture 3]", "✓").await?;
    alice.press("Esc")?;
    alice.wait_for("r reply").await?;
    alice.press("d")?;
    alice.wait_for("z keeps it").await?;
    let two = |screen: &str| {
        side_by_side(screen) == [2; 5]
            && !screen.contains("sky.png")
            && screen.contains("grass.png")
    };
    bob.wait_until("two pictures side by side", two).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_file_stops_no_other_and_an_album_is_stopped_as_a_whole() -> Result<()> {
    let loopback = Loopback::new()?;
    let mut ternd = loopback.ternd("localhost").start().await?;
    let mut pair = pair(&loopback, &ternd, "Garden", "", Size::STANDARD).await?;
    let folder = loopback.folder();
    draw_three(folder)?;
    let path = |name: &str| folder.join(name).display().to_string();

    pair.alice.type_text(&format!(
        "/file {} {} {}",
        path("no.png"),
        path("sky.png"),
        path("roses.png")
    ))?;
    pair.alice.press("Enter")?;
    pair.alice.wait_for("Send 3 files").await?;
    pair.alice.type_text("the others")?;
    pair.alice.press("Enter")?;
    pair.alice.wait_for("no.png can't be read").await?;
    pair.wait_for("the last", |content| text(content, "/body") == "roses.png").await?;
    let sent = pair.messages().await?;
    let said: Vec<String> = sent.iter().map(|content| text(content, "/body")).collect();
    assert_eq!(said, ["the others", "roses.png"], "the words go with the first that is sent");
    let name = |content: &Value| text(content, "/filename");
    assert_eq!(sent.first().map(name).as_deref(), Some("sky.png"));
    pair.alice.wait_for("[picture 2] roses.png").await?;

    // While the server is down all of them wait; marked together they are stopped together.
    pair.alice.type_text("something in between")?;
    pair.alice.press("Enter")?;
    people::wait_for_tick(&pair.alice, "something in between", "✓").await?;
    ternd.kill_9()?;
    pair.alice.wait_for("offline").await?;
    let names = ["grass.png", "sky.png", "roses.png"].map(path).join(" ");
    pair.alice.type_text(&format!("/file {names}"))?;
    pair.alice.press("Enter")?;
    pair.alice.wait_for("Send 3 files").await?;
    pair.alice.press("Enter")?;
    pair.alice.wait_for("0 % of 3 pictures").await?;
    pair.alice.press("Esc")?;
    pair.alice.wait_for("r reply").await?;
    pair.alice.press("V")?;
    pair.alice.wait_for("3 marked").await?;
    pair.alice.press("d")?;
    pair.alice.wait_for("3 messages deleted").await?;
    let gone = |screen: &str| !screen.contains("grass.png") && !screen.contains("of 3 pictures");
    pair.alice.wait_until("all of them gone", gone).await?;
    ternd.restart().await?;
    pair.moved_to(&ternd);
    pair.alice.press("Enter")?;
    people::say(&mut pair.alice, "after all").await?;
    assert_eq!(pair.said().await?.len(), 4, "nothing of the album went out");
    Ok(())
}
