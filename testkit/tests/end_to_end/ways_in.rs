//! Ways in besides registering: a forgotten password, an address instead of a name, a second device with the recovery key.

use anyhow::Result;
use tern_testkit::{Loopback, Size, Tern};

use crate::people;

const NEW_PASSWORD: &str = "another horse, another battery";

#[tokio::test(flavor = "multi_thread")]
async fn a_forgotten_password_is_reset_by_mail_and_the_address_logs_in() -> Result<()> {
    let loopback = Loopback::new()?;
    let ternd = loopback.ternd("localhost").start().await?;
    let email = "alice@example.org";
    ternd.register_by_email("alice", email, people::PASSWORD).await?;
    let mails = ternd.mails()?.len();
    let mut alice = Tern::open(&loopback, "alice", Size::STANDARD)?;

    people::find_server(&mut alice, ternd.name()).await?;
    alice.press("l")?;
    alice.wait_for("Log in on").await?;
    for key in ["Tab", "Tab", "Tab", "Enter"] {
        alice.press(key)?;
    }
    alice.wait_for("Mail me").await?;
    alice.type_text(email)?;
    alice.press("Enter")?;
    alice.wait_for("a code was mailed to").await?;
    let code = ternd.wait_for_mail(email, mails).await?.code()?;
    for text in [code.as_str(), NEW_PASSWORD] {
        alice.type_text(text)?;
        alice.press("Enter")?;
    }
    alice.wait_for("The new password is set.").await?;
    // The form has the address already.
    alice.wait_for(email).await?;
    alice.type_text(NEW_PASSWORD)?;
    alice.press("Enter")?;
    people::enter_chats(&mut alice).await?;

    let old = ternd.api().login("alice", people::PASSWORD).await?;
    assert_eq!(old.status, 403, "the old password is no more: {}", old.body);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recovery_key_is_made_on_the_screen_and_unlocks_the_next_device() -> Result<()> {
    let loopback = Loopback::new()?;
    let ternd = loopback.ternd("localhost").registration("open").start().await?;
    let mut first = Tern::open(&loopback, "first", Size::STANDARD)?;
    people::ask_to_register_without_email(&mut first, &ternd, "alice").await?;
    let key = people::set_up_recovery(&mut first).await?;

    let mut second = Tern::open(&loopback, "second", Size::STANDARD)?;
    people::ask_to_log_in(&mut second, ternd.name(), "alice", people::PASSWORD).await?;
    second.wait_for("Unlock your messages").await?;
    second.type_text("EsTb not this one")?;
    second.press("Enter")?;
    second.wait_for("That is not the recovery key").await?;
    second.press("Ctrl+U")?;
    second.type_text(&key)?;
    second.press("Enter")?;
    second.wait_gone("Unlock your messages").await?;
    second.press("Space")?;
    second.press("s")?;
    second.wait_for("is verified").await?;
    second.wait_for("keys are backed up").await
}
