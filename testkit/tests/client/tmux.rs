//! The client inside tmux: drawn right, attached again at another size, and what was written survives tmux's end.

use std::io::Cursor;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use anyhow::{Context, Result};
use image::ImageFormat;
use serde_json::json;
use tern_testkit::{Loopback, PATIENCE, Size, until};

use crate::invitations::pair;

/// A tmux of its own, which ends with the test.
struct Tmux {
    socket: PathBuf,
}

impl Tmux {
    fn run(&self, args: &[&str]) -> Result<Output> {
        let mut command = Command::new("tmux");
        command.arg("-S").arg(&self.socket).args(["-f", "/dev/null"]).args(args);
        Ok(command
            .env("LANG", "C.UTF-8")
            .env("TERM", "xterm-256color")
            .env_remove("TMUX")
            .output()?)
    }

    fn screen(&self) -> Result<String> {
        let shown = self.run(&["capture-pane", "-p", "-t", "tern"])?;
        Ok(String::from_utf8_lossy(&shown.stdout).into_owned())
    }

    async fn wait_for(&self, text: &str) -> Result<()> {
        let seen = until(text, PATIENCE, async || Ok(self.screen()?.contains(text).then_some(())));
        seen.await.with_context(|| self.screen().unwrap_or_default())
    }
}

impl Drop for Tmux {
    fn drop(&mut self) {
        self.run(&["kill-server"]).ok();
    }
}

fn is_there(program: &str) -> bool {
    Command::new(program).arg("-V").output().is_ok_and(|output| output.status.success())
}

#[tokio::test(flavor = "multi_thread")]
async fn inside_tmux_it_is_drawn_again_at_every_size_and_survives_its_end() -> Result<()> {
    if !is_there("tmux") {
        eprintln!("tmux is not installed here: nothing shown");
        return Ok(());
    }
    let loopback = Loopback::new()?;
    let ternd = loopback.ternd("localhost").start().await?;
    let mut pair = pair(&loopback, &ternd, "Garden", "", Size::STANDARD).await?;
    pair.alice.press("Ctrl+Q")?;
    pair.alice.wait_exit().await?;

    let tmux = Tmux { socket: loopback.folder().join("tmux") };
    let text = |path: &Path| path.display().to_string();
    let command = format!(
        "HOME={data} {tern} --data {data} --ca {authority}",
        data = text(pair.alice.data()),
        tern = text(&tern_testkit::binary("tern")?),
        authority = text(loopback.authority().file()),
    );
    tmux.run(&["new-session", "-d", "-s", "tern", "-x", "100", "-y", "30", &command])?;
    tmux.wait_for("›").await?;
    pair.bob.send_text(&pair.room, "日本語 into tmux").await?;
    tmux.wait_for("日本語 into tmux").await?;
    // A picture is cells there, too.
    let mut png = Cursor::new(Vec::new());
    let red = image::RgbImage::from_pixel(160, 80, image::Rgb([255, 0, 0]));
    red.write_to(&mut png, ImageFormat::Png)?;
    let uri = pair.bob.upload("image/png", png.into_inner()).await?;
    let info = json!({ "w": 160, "h": 80, "mimetype": "image/png" });
    let content = json!({ "msgtype": "m.image", "body": "red.png", "url": uri, "info": info });
    pair.bob.send(&pair.room, "m.room.message", content).await?;
    tmux.wait_for(&"▀".repeat(20)).await?;
    for (columns, rows) in [("60", "15"), ("120", "35"), ("80", "24")] {
        tmux.run(&["resize-window", "-t", "tern", "-x", columns, "-y", rows])?;
    }
    tmux.run(&["send-keys", "-t", "tern", "-l", "written in tmux"])?;
    tmux.wait_for("› written in tmux").await?;
    tmux.wait_for("Garden").await?;
    // The terminal is gone from one moment to the next.
    tmux.run(&["kill-server"])?;
    let reopened = until("the folder to be free again", PATIENCE, async || {
        pair.alice.reopen()?;
        let free = pair.alice.wait_for_any(&["written in tmux", "another tern has"]).await?;
        Ok((free == 0).then_some(()))
    });
    reopened.await.with_context(|| pair.alice.picture())
}
