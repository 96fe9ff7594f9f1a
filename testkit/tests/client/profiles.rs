//! Somebody's picture, and what has been shared with them.

use std::io::Cursor;

use anyhow::Result;
use image::{ImageFormat, RgbImage};
use serde_json::json;
use tern_testkit::{Loopback, Size, encode};

use crate::{
    garden::wait_in_chat,
    invitations::pair,
    keyboard::{close, leader},
};

fn png(width: u32, height: u32) -> Result<Vec<u8>> {
    let mut png = Cursor::new(Vec::new());
    RgbImage::from_pixel(width, height, image::Rgb([255, 0, 0]))
        .write_to(&mut png, ImageFormat::Png)?;
    Ok(png.into_inner())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_profile_shows_a_picture_and_a_chat_what_was_shared_in_it() -> Result<()> {
    let loopback = Loopback::new()?;
    let ternd = loopback.ternd("localhost").start().await?;
    let mut pair = pair(&loopback, &ternd, "Garden", "", Size::LARGE).await?;
    let face = pair.bob.upload("image/png", png(200, 100)?).await?;
    let profile = format!("/_matrix/client/v3/profile/{}/avatar_url", encode(pair.bob.user_id()));
    pair.bob.put(&profile, json!({ "avatar_url": face })).await?.ok()?;
    let picture = pair.bob.upload("image/png", png(320, 240)?).await?;
    let info = json!({ "w": 320, "h": 240, "mimetype": "image/png" });
    let content =
        json!({ "msgtype": "m.image", "body": "early.png", "url": picture, "info": info });
    pair.bob.send(&pair.room, "m.room.message", content).await?;
    // So much that the early ones are not on the screen, nor in the first pages of history.
    for n in 0..60 {
        pair.bob.send_text(&pair.room, &format!("number {n}")).await?;
    }
    let file = pair.bob.upload("text/plain", b"words".to_vec()).await?;
    let content = json!({ "msgtype": "m.file", "body": "plan.txt", "url": file });
    pair.bob.send(&pair.room, "m.room.message", content).await?;
    pair.bob.send_text(&pair.room, "it is at https://example.org/plan").await?;
    wait_in_chat(&pair.alice, "example.org/plan").await?;
    let tern = &mut pair.alice;

    // The person: by the list of members.
    tern.press("Esc")?;
    tern.wait_for("+ react").await?;
    leader(tern, "y", "Members of Garden").await?;
    tern.type_text("bob")?;
    tern.wait_for("@bob:").await?;
    tern.press("Enter")?;
    tern.wait_for("Profile").await?;
    tern.press("p")?;
    let rows = |screen: &str| screen.lines().filter(|row| row.contains(&"▀".repeat(14))).count();
    tern.wait_until("seven rows of the face", |screen| rows(screen) == 7).await?;
    tern.press("c")?;
    tern.wait_until("the face to go", |screen| rows(screen) == 0).await?;
    close(tern, "Members of Garden").await?;

    // What was shared, kind by kind; older than what is loaded.
    leader(tern, "S", "Shared: pictures").await?;
    tern.wait_for("bob: Photo: early.png").await?;
    tern.press("Right")?;
    tern.wait_for("Shared: files").await?;
    tern.wait_for("bob: File: plan.txt").await?;
    tern.press("Right")?;
    tern.wait_for("Shared: links").await?;
    tern.wait_for("bob: https://example.org/plan").await?;
    tern.press("Down")?;
    tern.wait_for("That is all there is.").await?;
    tern.press("Left")?;
    tern.wait_for("Shared: files").await?;
    tern.press("Left")?;
    tern.wait_for("bob: Photo: early.png").await?;
    // Enter goes to where it was shared.
    tern.press("Enter")?;
    tern.wait_gone("Shared: pictures").await?;
    tern.wait_until("the picture in the chat", |screen| {
        screen.lines().any(|row| row.contains("│▌") && row.contains("early.png"))
    })
    .await
}
