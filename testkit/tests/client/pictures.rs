//! Pictures in the conversation: as half blocks, as kitty's placeholders, and not at all on a slow line.

use std::io::Cursor;

use anyhow::Result;
use image::ImageFormat;
use serde_json::json;
use tern_testkit::{Loopback, Size};

use crate::invitations::pair;

#[tokio::test(flavor = "multi_thread")]
async fn a_picture_is_seen_from_afar_until_it_comes() -> Result<()> {
    let loopback = Loopback::new()?;
    let ternd = loopback.ternd("localhost").start().await?;
    let pair = pair(&loopback, &ternd, "Garden", "", Size::STANDARD).await?;
    // Its id is there, and its bytes are still on their way.
    let reserved = pair.bob.post("/_matrix/media/v1/create", json!({})).await?;
    let uri = reserved.text("/content_uri").to_owned();
    let info = json!({ "w": 320, "h": 240, "mimetype": "image/png",
        "xyz.amorgan.blurhash": "LEHV6nWB2yk8pyo0adR*.7kCMdnj" });
    let content = json!({ "msgtype": "m.image", "body": "late.png", "url": uri, "info": info });
    pair.bob.send(&pair.room, "m.room.message", content).await?;
    let rows = |text: &str| text.lines().filter(|row| row.contains("▀▀▀▀")).count();
    pair.alice.wait_until("twelve rows from afar", |text| rows(text) == 12).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_picture_has_its_room_before_it_comes_and_is_drawn_as_the_terminal_can() -> Result<()> {
    let loopback = Loopback::new()?;
    let ternd = loopback.ternd("localhost").start().await?;
    let mut pair = pair(&loopback, &ternd, "Garden", "", Size::STANDARD).await?;
    let mut png = Cursor::new(Vec::new());
    let red = image::RgbImage::from_pixel(320, 240, image::Rgb([255, 0, 0]));
    red.write_to(&mut png, ImageFormat::Png)?;
    let png = png.into_inner();
    let uri = pair.bob.upload("image/png", png.clone()).await?;
    let content = json!({ "msgtype": "m.image", "body": "red.png", "url": uri,
        "info": { "w": 320, "h": 240, "size": png.len(), "mimetype": "image/png" } });
    pair.bob.send(&pair.room, "m.room.message", content).await?;
    let rows_of = |sign: &str, text: &str| text.lines().filter(|row| row.contains(sign)).count();
    pair.alice.wait_until("twelve rows of half blocks", |text| rows_of("▀▀▀▀", text) == 12).await?;

    // On a slow line there are none, and nothing of them is kept free.
    pair.alice.press("Ctrl+Space")?;
    pair.alice.press("B")?;
    pair.alice.wait_until("no picture", |text| rows_of("▀▀▀▀", text) == 0).await?;
    pair.alice.wait_for("⇅").await?;
    pair.alice.press("Ctrl+Q")?;
    pair.alice.wait_exit().await?;

    // The same on a terminal that draws pixels itself.
    for (images, sign) in
        [("kitty", "\x1b_Ga=T,U=1"), ("sixel", "\x1bPq\""), ("iterm2", "\x1b]1337;File=")]
    {
        tern_testkit::Tern::set(&loopback, "alice", &format!("images = \"{images}\""))?;
        pair.alice.reopen()?;
        let seen = |bytes: &[u8]| bytes.windows(sign.len()).any(|part| part == sign.as_bytes());
        tern_testkit::until(images, tern_testkit::PATIENCE, async || {
            Ok(seen(&pair.alice.recording()).then_some(()))
        })
        .await?;
        pair.alice.press("Ctrl+Q")?;
        pair.alice.wait_exit().await?;
    }
    Ok(())
}
