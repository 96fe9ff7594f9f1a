//! Encryption as people meet it: emoji, recovery keys, key files, and one's own sessions.

use anyhow::{Context, Result};
use serde_json::Value;
use tern_testkit::Tern;

use crate::{
    alone::Alone,
    keyboard::{account, client, close, fill, leader, server_says, to_list},
    people,
};

/// The recovery key on the screen.
fn recovery_key(tern: &Tern) -> Option<String> {
    let text = tern.text();
    let mut rows = text.lines().skip_while(|row| !row.contains("This is your recovery key"));
    let key = rows.nth(2)?.trim_matches(['│', ' ']).to_owned();
    key.contains(' ').then_some(key)
}

async fn write_down(tern: &mut Tern) -> Result<String> {
    tern.wait_for("This is your recovery key").await?;
    let key = recovery_key(tern).with_context(|| tern.picture())?;
    tern.press("Esc")?;
    tern.wait_for("It is not shown again.").await?;
    tern.press("Esc")?;
    tern.wait_gone("This is your recovery key").await?;
    Ok(key)
}

fn emoji(tern: &Tern) -> Vec<String> {
    let text = tern.text();
    let rows = text.lines().skip_while(|row| !row.contains("in this order?")).skip(2);
    let row =
        |row: &str| row.split('│').max_by_key(|part| part.len()).map(|row| row.trim().to_owned());
    rows.filter_map(row).take_while(|row| !row.is_empty()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn two_sessions_verify_by_emoji_and_one_of_them_is_renamed_and_ended() -> Result<()> {
    // A message from before the other session is there.
    let Alone { loopback, ternd, api, tern: mut first } = Alone::having_said("from before").await?;
    to_list(&mut first).await?;

    let mut second = Alone::another(&loopback, "second")?;
    people::ask_to_log_in(&mut second, ternd.name(), "alice", people::PASSWORD).await?;
    second.wait_for("Unlock your messages").await?;
    second.press("Tab")?;
    second.press("v")?;
    first.wait_for("asks to verify this one").await?;
    first.press("Tab")?;
    first.press("a")?;
    for side in [&first, &second] {
        side.wait_for("in this order?").await?;
    }
    let (left, right) = (emoji(&first), emoji(&second));
    assert_eq!(left.len(), 7, "{}", first.picture());
    assert_eq!(left, right);
    for side in [&mut first, &mut second] {
        side.press("Tab")?;
        side.press("m")?;
    }
    for side in [&first, &second] {
        side.wait_for("Verified.").await?;
    }
    // The keys came with it.
    second.press("Alt+0")?;
    second.wait_for("from before").await?;

    // The other session, seen from the first: it is verified, gets a name, and is ended with the password.
    leader(&mut first, "W", "Your sessions").await?;
    first.wait_for("this session").await?;
    first.press("Down")?;
    first.press("Enter")?;
    first.wait_for("End it").await?;
    first.wait_for("✓ verified").await?;
    first.press("n")?;
    first.wait_for("Rename the session").await?;
    first.press("Ctrl+U")?;
    first.type_text("Kitchen")?;
    first.press("Enter")?;
    let renamed = |devices: &Value| devices.to_string().contains("Kitchen");
    server_says(&api, "/_matrix/client/v3/devices", "the new name", renamed).await?;
    first.type_text("Kitchen")?;
    first
        .wait_until("the renamed session", |screen| screen.matches("Kitchen").count() == 2)
        .await?;
    first.press("Enter")?;
    first.wait_for("End it").await?;
    first.press("e")?;
    first.wait_for("Your password").await?;
    first.type_text("not it at all")?;
    first.press("Enter")?;
    first.wait_for("That is not your password.").await?;
    first.press("Enter")?;
    first.wait_for("End it").await?;
    first.press("e")?;
    first.wait_for("Your password").await?;
    first.type_text(people::PASSWORD)?;
    first.press("Enter")?;
    second.wait_for("This session was ended from another device.").await?;
    server_says(&api, "/_matrix/client/v3/devices", "one session less", |devices| {
        !renamed(devices)
    })
    .await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn recovery_keys_are_made_anew_and_keys_go_through_a_file() -> Result<()> {
    let begun = Alone::having_said("kept for later").await?;
    let Alone { loopback, ternd, tern: mut first, .. } = begun;
    to_list(&mut first).await?;

    leader(&mut first, "s", "There is no recovery key yet.").await?;
    first.press("s")?;
    let old = write_down(&mut first).await?;
    leader(&mut first, "s", "The recovery key is set up").await?;
    first.press("n")?;
    first.wait_for("stops working").await?;
    first.press("Enter")?;
    let new = write_down(&mut first).await?;
    assert_ne!(old, new);

    // Keys to a file.
    let file = loopback.folder().join("keys.txt");
    let path = file.to_string_lossy().into_owned();
    leader(&mut first, "s", "Export keys").await?;
    first.press("x")?;
    first.wait_for("Keys to a file").await?;
    fill(&mut first, &[&path, "a long passphrase"])?;
    first.wait_for("The keys are in").await?;
    let written = std::fs::read_to_string(&file)?;
    assert!(written.starts_with("-----BEGIN MEGOLM SESSION DATA-----"));

    // On the next device the file opens what was said; the old recovery key nothing, the new one everything.
    let mut second = Alone::another(&loopback, "second")?;
    people::log_in(&mut second, ternd.name(), "alice", people::PASSWORD).await?;
    second.press("Alt+0")?;
    second.wait_for("can't be read yet").await?;
    to_list(&mut second).await?;
    leader(&mut second, "s", "Import keys").await?;
    second.press("m")?;
    second.wait_for("Keys from a file").await?;
    fill(&mut second, &[&path, "a long passphrase"])?;
    second.wait_for("kept for later").await?;
    leader(&mut second, "s", "has not been given here").await?;
    second.press("g")?;
    second.wait_for("Give your recovery key").await?;
    second.type_text(&old)?;
    second.press("Enter")?;
    second.wait_for("That is not the recovery key").await?;
    second.press("Ctrl+U")?;
    second.type_text(&new)?;
    second.press("Enter")?;
    second.wait_gone("Unlock your messages").await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_locked_client_shows_nothing_until_the_passcode_is_typed() -> Result<()> {
    let begun = Alone::having_said("not for others").await?;
    let Alone { loopback: _loopback, ternd: _ternd, mut tern, .. } = begun;
    tern.press("Alt+L")?;
    tern.wait_for("Choose a passcode.").await?;
    fill(&mut tern, &["sesame", "sesame"])?;
    tern.wait_for("Tern is locked.").await?;
    assert!(!tern.text().contains("not for others"), "{}", tern.picture());
    tern.type_text("open")?;
    tern.press("Enter")?;
    tern.wait_for("That is not it.").await?;

    // A restart opens nothing either.
    tern.kill_9_and_reopen()?;
    tern.wait_for("Tern is locked.").await?;
    let written = String::from_utf8_lossy(&tern.recording()).into_owned();
    assert!(!written.contains("not for others"), "it flashed up");
    tern.type_text("sesame")?;
    tern.press("Enter")?;
    tern.wait_for("not for others").await
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_lost_all_keys_starts_over_and_the_others_are_warned() -> Result<()> {
    let Alone { loopback, ternd, tern: mut alice, .. } = Alone::open().await?;
    account(&ternd, "bob").await?;
    leader(&mut alice, "s", "There is no recovery key yet.").await?;
    alice.press("s")?;
    let lost = write_down(&mut alice).await?;
    let mut bob = client(&loopback, &ternd, "bob").await?;
    people::start_chat(&mut bob, &ternd.user_id("alice")).await?;
    people::say(&mut bob, "are you still there?").await?;
    people::accept_invitation(&mut alice, "bob").await?;
    people::say(&mut alice, "for now").await?;
    bob.wait_for("for now").await?;
    drop(alice);

    // On another machine, with neither the key nor the first device.
    let mut alice = Alone::another(&loopback, "again")?;
    people::ask_to_log_in(&mut alice, ternd.name(), "alice", people::PASSWORD).await?;
    alice.wait_for("Unlock your messages").await?;
    alice.press("Tab")?;
    alice.press("o")?;
    alice.wait_for("Start over with new keys").await?;
    alice.type_text("not her password")?;
    alice.press("Enter")?;
    alice.wait_for("Nothing was changed. That is not your password.").await?;
    leader(&mut alice, "s", "has not been given here").await?;
    alice.press("o")?;
    alice.wait_for("Start over with new keys").await?;
    alice.type_text(people::PASSWORD)?;
    alice.press("Enter")?;
    let new = write_down(&mut alice).await?;
    assert_ne!(lost, new);
    leader(&mut alice, "s", "is verified.").await?;
    close(&mut alice, "This device").await?;

    // Bob is told in the chat, and accepts it.
    bob.wait_for("⚠ other keys than before: alice").await?;
    bob.press("Esc")?;
    bob.wait_for("+ react").await?;
    leader(&mut bob, "i", "About this chat").await?;
    bob.press("p")?;
    bob.wait_for("not the ones you knew").await?;
    bob.press("f")?;
    bob.wait_gone("not the ones you knew").await?;
    bob.wait_gone("⚠ other keys than before").await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_leaves_the_recovery_key_as_it_was() -> Result<()> {
    let begun = Alone::having_said("from before").await?;
    let Alone { loopback, ternd, tern: mut first, .. } = begun;
    to_list(&mut first).await?;
    leader(&mut first, "s", "There is no recovery key yet.").await?;
    first.press("s")?;
    let key = write_down(&mut first).await?;
    leader(&mut first, "s", "The recovery key is set up").await?;
    drop(first);

    let mut second = Alone::another(&loopback, "second")?;
    people::ask_to_log_in(&mut second, ternd.name(), "alice", people::PASSWORD).await?;
    second.wait_for("Unlock your messages").await?;
    second.press("Tab")?;
    second.press("o")?;
    second.wait_for("Start over with new keys").await?;
    second.type_text("not her password")?;
    second.press("Enter")?;
    second.wait_for("Nothing was changed. That is not your password.").await?;
    leader(&mut second, "s", "has not been given here").await?;
    second.press("g")?;
    second.wait_for("Give your recovery key").await?;
    second.type_text(&key)?;
    second.press("Enter")?;
    second.wait_gone("Unlock your messages").await?;
    second.press("Alt+0")?;
    second.wait_for("from before").await
}
