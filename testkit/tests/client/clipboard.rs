//! Pasting from the clipboard of the desktop, by the program that reads it; and what is said when it gives nothing.

use std::{
    fs,
    io::Cursor,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};
use serde_json::Value;
use tern_testkit::{Loopback, Size};

use crate::invitations::{Pair, pair, text};

/// A desktop whose clipboard is a folder, with the program that reads it.
struct Desktop(PathBuf);

/// As `wl-paste` is asked and answers.
const WL_PASTE: &str = r#"#!/bin/sh
here=$(dirname "$0")
case "$*" in
    --list-types) cat "$here/kinds" ;;
    "--no-newline --type $(cat "$here/kinds")") cat "$here/holds" ;;
    *) echo "No suitable type of content copied" >&2; exit 1 ;;
esac
"#;

impl Desktop {
    fn new(loopback: &Loopback) -> Result<Desktop> {
        let desktop = Desktop(loopback.subfolder("desktop")?);
        desktop.install(WL_PASTE)?;
        Ok(desktop)
    }

    fn install(&self, script: &str) -> Result<()> {
        // Written aside: one that runs can't be written to.
        let (new, program) = (self.0.join("new"), self.0.join("wl-paste"));
        fs::write(&new, script)?;
        fs::set_permissions(&new, fs::Permissions::from_mode(0o755))?;
        Ok(fs::rename(new, program)?)
    }

    fn holds(&self, kind: &str, bytes: &[u8]) -> Result<()> {
        fs::write(self.0.join("kinds"), kind)?;
        Ok(fs::write(self.0.join("holds"), bytes)?)
    }

    /// Alice sits at it.
    async fn open(&self, pair: &mut Pair) -> Result<()> {
        let path = std::env::var("PATH")?;
        let path = format!("{}:{path}", self.0.display());
        again(pair, &[("PATH", &path), ("WAYLAND_DISPLAY", "wayland-1")]).await
    }
}

/// Opens alice's client again in other surroundings.
async fn again(pair: &mut Pair, variables: &[(&str, &str)]) -> Result<()> {
    pair.alice.press("Ctrl+Q")?;
    pair.alice.wait_exit().await?;
    pair.alice.surround(variables);
    pair.alice.reopen()?;
    pair.alice.wait_for("●").await
}

fn png() -> Result<Vec<u8>> {
    let mut png = Cursor::new(Vec::new());
    let picture = image::RgbImage::from_fn(40, 30, |x, y| {
        image::Rgb([u8::try_from(x).unwrap_or(0), u8::try_from(y).unwrap_or(0), 90])
    });
    picture.write_to(&mut png, image::ImageFormat::Png)?;
    Ok(png.into_inner())
}

/// Whether any file below holds `bytes`.
fn is_below(folder: &Path, bytes: &[u8]) -> Result<bool> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let found = match path.is_dir() {
            true => is_below(&path, bytes)?,
            // A file of the store may go while it is looked at.
            false => fs::read(&path)
                .is_ok_and(|read| read.windows(bytes.len()).any(|part| part == bytes)),
        };
        if found {
            return Ok(true);
        }
    }
    Ok(false)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_picture_or_copied_files_are_pasted_and_asked_about_like_dropped_ones() -> Result<()> {
    let loopback = Loopback::new()?;
    let ternd = loopback.ternd("localhost").start().await?;
    let mut pair = pair(&loopback, &ternd, "Garden", "", Size::STANDARD).await?;
    let (desktop, png) = (Desktop::new(&loopback)?, png()?);
    desktop.open(&mut pair).await?;

    desktop.holds("image/png", &png)?;
    pair.alice.press("Ctrl+V")?;
    pair.alice.wait_for("Send a picture").await?;
    pair.alice.wait_for(".png, 40×30").await?;
    pair.alice.type_text("from the desktop")?;
    pair.alice.press("Enter")?;
    let image = |content: &Value| text(content, "/msgtype") == "m.image";
    let sent = pair.wait_for("the picture", image).await?;
    let name = text(&sent, "/filename");
    assert!(name.starts_with("image_20") && name.ends_with(".png"), "{sent}");
    assert_eq!(text(&sent, "/body"), "from the desktop", "{sent}");
    assert_eq!(text(&sent, "/info/mimetype"), "image/png", "{sent}");
    assert_eq!(sent.pointer("/info/w"), Some(&Value::from(40)), "{sent}");
    let url = text(&sent, "/url");
    let media = url.strip_prefix("mxc://").context("no address")?;
    let media = format!("/_matrix/client/v1/media/download/{media}");
    let (status, _, bytes) = pair.bob.download(&media).await?;
    assert_eq!((status, bytes), (200, png.clone()));
    assert!(!is_below(pair.alice.data(), &png)?, "it is on the disk in the clear");

    // Files that were copied in a file manager, by the command this time; the question is answered no.
    let addresses = "file:///tmp/first%20one.png\r\nfile:///tmp/second.pdf\r\n";
    desktop.holds("text/uri-list", addresses.as_bytes())?;
    pair.alice.type_text("/paste")?;
    pair.alice.press("Enter")?;
    pair.alice.wait_for("Send 2 files").await?;
    pair.alice.wait_for("/tmp/first one.png").await?;
    pair.alice.wait_for("/tmp/second.pdf").await?;
    pair.alice.press("Esc")?;
    pair.alice.wait_gone("Send 2 files").await?;
    assert_eq!(pair.messages().await?.len(), 1);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clipboard_that_gives_no_picture_is_told_and_blocks_nothing() -> Result<()> {
    let loopback = Loopback::new()?;
    let ternd = loopback.ternd("localhost").start().await?;
    let mut pair = pair(&loopback, &ternd, "Garden", "", Size::STANDARD).await?;

    // Neither a display nor a program, at the other end of a line.
    again(&mut pair, &[("SSH_CONNECTION", "192.0.2.1 50022 192.0.2.2 22")]).await?;
    pair.alice.press("Ctrl+V")?;
    pair.alice.wait_for("Your clipboard is on another machine: drop the file here").await?;

    let desktop = Desktop::new(&loopback)?;
    desktop.holds("text/plain", b"words")?;
    desktop.open(&mut pair).await?;
    pair.alice.press("Ctrl+V")?;
    pair.alice.wait_for("There is no picture in the clipboard.").await?;
    desktop.holds("image/png", b"words")?;
    pair.alice.press("Ctrl+V")?;
    pair.alice.wait_for("What wl-paste gives is no picture.").await?;

    // One that hangs, with a child that hangs on.
    desktop.install("#!/bin/sh\nsleep 1000\n")?;
    pair.alice.press("Ctrl+V")?;
    pair.alice.wait_for("Reading the clipboard").await?;
    pair.alice.type_text("written meanwhile")?;
    pair.alice.wait_for("written meanwhile").await?;
    pair.alice.wait_for("wl-paste gives no answer.").await?;
    pair.alice.press("Enter")?;
    pair.wait_for("her words", |content| text(content, "/body") == "written meanwhile").await?;
    Ok(())
}
