//! Nothing that was written is lost: not by kill -9, not by a closed terminal.

use std::time::{Duration, Instant};

use anyhow::Result;
use rustix::process::Signal;
use tern_testkit::{Loopback, PATIENCE, Size, until};

use crate::invitations::pair;
use crate::people;

#[tokio::test(flavor = "multi_thread")]
async fn kill_9_and_a_closed_terminal_lose_no_draft_and_no_message() -> Result<()> {
    let loopback = Loopback::new()?;
    let mut ternd = loopback.ternd("localhost").start().await?;
    let mut pair = pair(&loopback, &ternd, "Garden", "", Size::STANDARD).await?;
    people::say(&mut pair.alice, "the first").await?;

    let kept = pair.alice.data().join("written.drafts");
    pair.alice.type_text("half a sentence")?;
    pair.alice.wait_for("half a sentence").await?;
    // What is written after the last of these was begun holds all that stood there before.
    for _ in 0..2 {
        let before = std::fs::read(&kept).unwrap_or_default();
        pair.alice.type_text(".")?;
        let typed = Instant::now();
        until("the draft on disk", PATIENCE, async || {
            Ok(std::fs::read(&kept).is_ok_and(|now| now != before).then_some(()))
        })
        .await?;
        assert!(typed.elapsed() < Duration::from_secs(2), "kept after {:?}", typed.elapsed());
    }
    pair.alice.kill_9_and_reopen()?;
    pair.alice.wait_for("half a sentence").await?;

    // The terminal is closed in the middle of a word.
    pair.alice.wait_for("●").await?;
    pair.alice.press("Ctrl+U")?;
    pair.alice.type_text("half a sentence and mo")?;
    pair.alice.wait_for("sentence and mo").await?;
    pair.alice.signal(Signal::HUP)?;
    assert!(pair.alice.wait_exit().await?.success());
    pair.alice.reopen()?;
    pair.alice.wait_for("half a sentence and mo").await?;
    pair.alice.press("Ctrl+C")?;

    // Killed right behind Enter, with the server there and without it.
    for n in 0..4 {
        pair.alice.wait_for("›").await?;
        if n == 2 {
            ternd.kill_9()?;
        }
        pair.alice.type_text(&format!("sent and killed {n}"))?;
        pair.alice.wait_for(&format!("› sent and killed {n}")).await?;
        pair.alice.press("Enter")?;
        pair.alice.wait_gone(&format!("› sent and killed {n}")).await?;
        pair.alice.kill_9_and_reopen()?;
        pair.alice.wait_for(&format!("sent and killed {n}")).await?;
        // Where the disk is slow it may still be a draft.
        if pair.alice.row_with(&format!("› sent and killed {n}")).is_some() {
            pair.alice.press("Enter")?;
        }
    }
    ternd.restart().await?;
    for n in 0..4 {
        let text = format!("sent and killed {n}");
        pair.wait_for(&text, |content| content.get("body").is_some_and(|body| *body == text))
            .await?;
    }
    let mut said = pair.said().await?;
    said.sort();
    said.dedup();
    assert_eq!(said.len(), pair.said().await?.len(), "nothing is said twice");
    Ok(())
}
