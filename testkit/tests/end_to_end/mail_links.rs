//! Mails whose link is opened instead of a code being typed: `tern` goes on by itself.

use anyhow::Result;
use tern_testkit::{Loopback, Size, SmtpSink, Synapse, Tern};

use crate::people;

#[tokio::test(flavor = "multi_thread")]
async fn the_link_in_a_mail_of_synapse_is_opened_and_tern_goes_on_without_a_key() -> Result<()> {
    if !Synapse::available() {
        eprintln!("matrix-synapse is not installed here: nothing shown");
        return Ok(());
    }
    let loopback = Loopback::new()?;
    let sink = SmtpSink::start().await?;
    let synapse = loopback.synapse_with_mail(&sink).await?;
    let mut alice = Tern::open(&loopback, "alice", Size::STANDARD)?;

    let email = people::ask_for_mail(&mut alice, synapse.name(), "alice").await?;
    alice.wait_for("Open the link").await?;
    // Asked for too early, it says so.
    alice.press("Enter")?;
    alice.wait_for("Not confirmed yet").await?;
    loopback.open_link(&sink.wait_for_mail(&email, 0).await?.link()?).await?;

    people::enter_chats(&mut alice).await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_link_works_on_the_screen_that_asks_for_the_code_as_well() -> Result<()> {
    let loopback = Loopback::new()?;
    let ternd = loopback.ternd("localhost").with_rate_limits().start().await?;
    let mut alice = Tern::open(&loopback, "alice", Size::STANDARD)?;

    let email = people::ask_for_mail(&mut alice, ternd.name(), "alice").await?;
    alice.wait_for("A code was mailed").await?;
    loopback.open_link(&ternd.wait_for_mail(&email, 0).await?.link()?).await?;

    people::enter_chats(&mut alice).await
}
