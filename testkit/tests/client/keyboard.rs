//! What hands do in the list, and what eyes look for.

use anyhow::{Context, Result};
use serde_json::Value;
use tern_testkit::{Api, Loopback, PATIENCE, Size, Tern, Ternd, encode, until};

use crate::people;

/// Somebody with an account on an open server.
pub(crate) async fn account(ternd: &Ternd, name: &str) -> Result<Api> {
    ternd.api().register_openly(name, people::PASSWORD).await
}

/// The client of that account, logged in, with the list in front.
pub(crate) async fn client(loopback: &Loopback, ternd: &Ternd, name: &str) -> Result<Tern> {
    let mut tern = Tern::open(loopback, name, Size::LARGE)?;
    people::log_in(&mut tern, ternd.name(), name, people::PASSWORD).await?;
    Ok(tern)
}

/// Walks the list to the chat of this name.
pub(crate) async fn select(tern: &mut Tern, name: &str) -> Result<()> {
    tern.wait_for(name).await?;
    tern.press("g")?;
    let on_top = |screen: &str| screen.lines().take(2).any(|row| row.starts_with('▌'));
    tern.wait_until("the first row of the list", on_top).await?;
    let wanted = format!("▌{name}");
    for _ in 0..20 {
        let before = selected(tern);
        if before.as_deref().is_some_and(|row| row.contains(&wanted)) {
            return Ok(());
        }
        tern.press("j")?;
        let moved = |screen: &str| mark(screen) != before;
        tern.wait_until("the next row of the list", moved).await?;
    }
    anyhow::bail!("{name} is not in the list\n{}", tern.picture())
}

fn selected(tern: &Tern) -> Option<String> {
    mark(&tern.text())
}

fn mark(screen: &str) -> Option<String> {
    screen.lines().find(|row| row.starts_with('▌')).map(str::to_owned)
}

/// The two rows of a chat in the list, as far as the list reaches.
pub(crate) fn rows_of(screen: &str, name: &str) -> Option<(String, String)> {
    let mut rows = screen.lines().map(|row| row.split('│').next().unwrap_or_default());
    let first = rows.find(|row| row.trim_start_matches('▌').trim_start().starts_with(name))?;
    Some((first.to_owned(), rows.next().unwrap_or_default().to_owned()))
}

/// Waits until the two rows of a chat are such.
pub(crate) async fn wait_row(
    tern: &Tern,
    name: &str,
    what: &str,
    such: impl Fn(&str, &str) -> bool,
) -> Result<()> {
    tern.wait_until(&format!("{name}: {what}"), |screen| {
        rows_of(screen, name).is_some_and(|(first, second)| such(&first, &second))
    })
    .await
}

/// Closes what has this title. Another key right behind Esc would be one key with it.
pub(crate) async fn close(tern: &mut Tern, title: &str) -> Result<()> {
    tern.press("Esc")?;
    tern.wait_gone(title).await
}

/// From the composer to the list. One Esc after the other: two at once are another key.
pub(crate) async fn to_list(tern: &mut Tern) -> Result<()> {
    tern.press("Esc")?;
    tern.wait_for("+ react").await?;
    tern.press("Esc")?;
    tern.wait_for("N new group").await
}

/// Opens the list of members and so on after the leader.
pub(crate) async fn leader(tern: &mut Tern, key: &str, shown: &str) -> Result<()> {
    tern.press("Space")?;
    tern.wait_for("╭ Space ").await?;
    tern.press(key)?;
    tern.wait_for(shown).await
}

/// Fills in a form's fields one after the other and goes on with Enter.
pub(crate) fn fill(tern: &mut Tern, fields: &[&str]) -> Result<()> {
    for (index, text) in fields.iter().enumerate() {
        if index > 0 {
            tern.press("Tab")?;
        }
        tern.type_text(text)?;
    }
    tern.press("Enter")
}

/// Waits until what the server has at `path` is such.
pub(crate) async fn server_says(
    api: &Api,
    path: &str,
    what: &str,
    such: impl Fn(&Value) -> bool,
) -> Result<Value> {
    until(what, PATIENCE, async || {
        let answer = api.get(path).await?;
        Ok(such(&answer.body).then_some(answer.body))
    })
    .await
    .with_context(|| path.to_owned())
}

/// The path of a state event.
pub(crate) fn state(room: &str, kind: &str, key: &str) -> String {
    format!("/_matrix/client/v3/rooms/{}/state/{kind}/{}", encode(room), encode(key))
}
