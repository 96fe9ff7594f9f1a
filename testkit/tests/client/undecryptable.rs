//! Messages that can't be read yet: they say why and what to do, and become readable by themselves when that is done.

use anyhow::Result;
use tern_testkit::{Loopback, Size, Tern};

use crate::people;

#[tokio::test(flavor = "multi_thread")]
async fn a_message_without_its_key_says_what_to_do_and_heals_when_it_is_done() -> Result<()> {
    let loopback = Loopback::new()?;
    let ternd = loopback.ternd("localhost").registration("open").start().await?;
    let mut first = Tern::open(&loopback, "first", Size::STANDARD)?;
    people::ask_to_register_without_email(&mut first, &ternd, "alice").await?;
    let key = people::set_up_recovery(&mut first).await?;
    first.press("N")?;
    first.wait_for("New group").await?;
    first.type_text("Diary")?;
    for key in ["Enter", "Enter"] {
        first.press(key)?;
    }
    first.wait_gone("New group").await?;
    first.wait_for("new line").await?;
    people::say(&mut first, "dear diary").await?;

    let mut second = Tern::open(&loopback, "second", Size::LARGE)?;
    people::ask_to_log_in(&mut second, ternd.name(), "alice", people::PASSWORD).await?;
    second.wait_for("Unlock your messages").await?;
    second.press("Esc")?;
    second.wait_gone("Unlock your messages").await?;
    second.wait_for("Diary").await?;
    second.press("Enter")?;
    second.wait_for("🔒 can't be read yet").await?;
    second.wait_for("Sent before this session existed").await?;
    // Asking again helps nothing before the key is there, and says nothing wrong.
    second.press("Esc")?;
    second.wait_for("r reply").await?;
    for key in ["G", "u"] {
        second.press(key)?;
    }
    second.wait_for("🔒 can't be read yet").await?;
    for key in ["Space", "s"] {
        second.press(key)?;
    }
    second.wait_for("Give the key").await?;
    second.press("g")?;
    second.wait_for("Unlock your messages").await?;
    second.type_text(&key)?;
    second.press("Enter")?;
    second.wait_for("dear diary").await?;
    second.wait_gone("🔒 can't be read yet").await
}
