//! What people do in `tern`, as keys; and how they see that it worked. The one place that knows the words on the screens.

use anyhow::{Context, Result};
use tern_testkit::{Tern, Ternd};

/// The password of everybody here.
pub(crate) const PASSWORD: &str = "correct horse battery staple";

/// From the first-run screen to the chat screen: finds the server, registers by email, types the code from the mail.
pub(crate) async fn register(tern: &mut Tern, ternd: &Ternd, username: &str) -> Result<()> {
    let email = ask_for_mail(tern, ternd.name(), username).await?;
    let code = ternd.wait_for_mail(&email, 0).await?.code()?;
    tern.type_text(&code)?;
    tern.press("Enter")?;
    enter_chats(tern).await
}

/// From the first-run screen to the one that waits for the mail. Gives the address it goes to.
pub(crate) async fn ask_for_mail(tern: &mut Tern, server: &str, username: &str) -> Result<String> {
    find_server(tern, server).await?;
    tern.press("r")?;
    tern.wait_for("Register on").await?;
    let email = format!("{username}@example.org");
    for text in [&email, username] {
        tern.type_text(text)?;
        tern.press("Tab")?;
    }
    tern.type_text(PASSWORD)?;
    tern.press("Enter")?;
    tern.wait_for("Check your mail").await?;
    Ok(email)
}

/// The same on a server that takes anybody, where the form asks for no address.
pub(crate) async fn register_without_email(
    tern: &mut Tern,
    ternd: &Ternd,
    username: &str,
) -> Result<()> {
    ask_to_register_without_email(tern, ternd, username).await?;
    enter_chats(tern).await
}

/// As far as pressing the button.
pub(crate) async fn ask_to_register_without_email(
    tern: &mut Tern,
    ternd: &Ternd,
    username: &str,
) -> Result<()> {
    find_server(tern, ternd.name()).await?;
    fill_registration(tern, username).await
}

/// From the screen of a found server that asks for no address, to having pressed the button.
pub(crate) async fn fill_registration(tern: &mut Tern, username: &str) -> Result<()> {
    tern.press("r")?;
    tern.wait_for("Register on").await?;
    tern.type_text(username)?;
    tern.press("Tab")?;
    tern.type_text(PASSWORD)?;
    tern.press("Enter")?;
    tern.wait_for("A mail goes to it.").await?;
    tern.press("Enter")
}

/// From the first-run screen to the chat screen with an account that exists.
pub(crate) async fn log_in(
    tern: &mut Tern,
    server: &str,
    username: &str,
    password: &str,
) -> Result<()> {
    ask_to_log_in(tern, server, username, password).await?;
    enter_chats(tern).await
}

/// As far as pressing the button.
pub(crate) async fn ask_to_log_in(
    tern: &mut Tern,
    server: &str,
    username: &str,
    password: &str,
) -> Result<()> {
    find_server(tern, server).await?;
    tern.press("l")?;
    tern.wait_for("Log in on").await?;
    tern.type_text(username)?;
    tern.press("Tab")?;
    tern.type_text(password)?;
    tern.press("Enter")
}

pub(crate) async fn find_server(tern: &mut Tern, server: &str) -> Result<()> {
    tern.wait_for("Welcome to Tern").await?;
    tern.type_text(server)?;
    tern.press("Enter")?;
    tern.wait_for("answers.").await
}

/// Puts off the question about a recovery key, which a first login asks; then the list has the focus.
pub(crate) async fn enter_chats(tern: &mut Tern) -> Result<()> {
    tern.wait_for("Later").await?;
    tern.press("Esc")?;
    tern.wait_gone("Later").await
}

/// Takes the offer of a recovery key, which a first login makes; then the list has the focus. Gives the key.
pub(crate) async fn set_up_recovery(tern: &mut Tern) -> Result<String> {
    tern.wait_for("Set it up").await?;
    tern.press("Tab")?;
    tern.press("Enter")?;
    tern.wait_for("This is your recovery key").await?;
    let key = recovery_key(&tern.text()).with_context(|| tern.picture())?;
    // Once is not enough: it is shown this once.
    tern.press("Esc")?;
    tern.wait_for("It is not shown again.").await?;
    tern.press("Esc")?;
    tern.wait_gone("This is your recovery key").await?;
    Ok(key)
}

/// The row of the screen that is the key: groups of four letters and digits.
fn recovery_key(screen: &str) -> Option<String> {
    screen.lines().find_map(|row| {
        let row = row.split('│').find(|part| part.split_whitespace().count() >= 10)?;
        let groups: Vec<&str> = row.split_whitespace().collect();
        groups
            .iter()
            .all(|group| group.len() <= 4 && group.chars().all(char::is_alphanumeric))
            .then(|| groups.join(" "))
    })
}

/// A new direct chat with `user_id`, encrypted as the form has it. Begins in the list and ends in the composer.
pub(crate) async fn start_chat(tern: &mut Tern, user_id: &str) -> Result<()> {
    tern.press("n")?;
    tern.wait_for("New chat").await?;
    tern.type_text(user_id)?;
    tern.press("Enter")?;
    tern.wait_gone("New chat").await?;
    in_composer(tern).await
}

/// Accepts the only invitation, which is from `inviter`. Begins in the list and ends in the composer.
pub(crate) async fn accept_invitation(tern: &mut Tern, inviter: &str) -> Result<()> {
    tern.wait_for(inviter).await?;
    tern.press("Enter")?;
    tern.wait_for("Accept").await?;
    tern.press("Enter")?;
    tern.wait_gone("Accept").await?;
    in_composer(tern).await
}

/// The hint line says what Enter does there.
async fn in_composer(tern: &Tern) -> Result<()> {
    tern.wait_for("new line").await
}

/// Types `text` in the composer, sends it, and waits until the server has it.
pub(crate) async fn say(tern: &mut Tern, text: &str) -> Result<()> {
    tern.type_text(text)?;
    tern.press("Enter")?;
    wait_for_tick(tern, text, "✓").await
}

/// Waits until the row of `text` carries `tick`, `✓` for sent or `✓✓` for read.
pub(crate) async fn wait_for_tick(tern: &Tern, text: &str, tick: &str) -> Result<()> {
    tern.wait_until(&format!("{tick} at {text:?}"), |screen| {
        // Time and tick stand right of the text; left of it is the chat list with ticks of its own.
        screen.lines().any(|row| row.split_once(text).is_some_and(|(_, rest)| rest.contains(tick)))
    })
    .await
    .with_context(|| format!("the message {text:?} did not get its {tick}"))
}
