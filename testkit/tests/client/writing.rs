//! Writing: words on offer, commands, another editor, long texts, taking back.

use anyhow::Result;
use serde_json::Value;
use tern_testkit::{Loopback, PATIENCE, Size, until};

use crate::invitations::{pair, text};
use crate::people;

/// An editor that adds a line and is done.
const EDITOR: &str =
    r#"editor = ["sh", "-c", "printf 'and a line of the editor' >> \"$1\"", "sh"]"#;

#[tokio::test(flavor = "multi_thread")]
async fn words_are_offered_and_become_mentions_emoji_links_and_commands() -> Result<()> {
    let loopback = Loopback::new()?;
    let ternd = loopback.ternd("localhost").start().await?;
    let mut pair = pair(&loopback, &ternd, "Garden", EDITOR, Size::STANDARD).await?;
    let bob = ternd.user_id("bob");

    pair.alice.type_text("hi @bo")?;
    pair.alice.wait_for("Tab takes it").await?;
    pair.alice.press("Tab")?;
    pair.alice.wait_for(&format!("hi {bob}")).await?;
    pair.alice.type_text("see :tada")?;
    pair.alice.wait_for(":tada:").await?;
    pair.alice.press("Enter")?;
    pair.alice.wait_for("see 🎉").await?;
    pair.alice.type_text("in #gar")?;
    pair.alice.wait_for("#garden:").await?;
    pair.alice.press("Tab")?;
    pair.alice.wait_gone("Tab takes it").await?;
    pair.alice.press("Enter")?;
    let said =
        pair.wait_for("the mention", |content| text(content, "/body").contains("🎉")).await?;
    assert!(text(&said, "/body").starts_with("hi bob see 🎉"), "{said}");
    assert_eq!(said.pointer("/m.mentions/user_ids/0"), Some(&Value::from(bob.clone())), "{said}");
    let html = text(&said, "/formatted_body");
    assert!(html.contains("matrix.to/#/%40bob%3A") && html.contains(">bob</a>"), "{html}");
    assert!(html.contains("matrix.to/#/%23garden%3A"), "{html}");

    // What is left as typed stays so, and Enter sends.
    pair.alice.type_text("at :smi")?;
    pair.alice.wait_for("Tab takes it").await?;
    pair.alice.press("Esc")?;
    pair.alice.wait_gone("Tab takes it").await?;
    pair.alice.press("Enter")?;
    pair.wait_for("the word as typed", |content| text(content, "/body") == "at :smi").await?;

    pair.alice.type_text("/me waves")?;
    pair.alice.press("Enter")?;
    let emote = |content: &Value| text(content, "/msgtype") == "m.emote";
    assert_eq!(text(&pair.wait_for("an emote", emote).await?, "/body"), "waves");
    pair.alice.type_text("/nonsense")?;
    pair.alice.press("Enter")?;
    pair.alice.wait_for("There is no command /nonsense").await?;
    pair.alice.press("Ctrl+C")?;
    pair.alice.type_text("/next-th")?;
    pair.alice.wait_for("/next-theme").await?;
    pair.alice.press("Enter")?;
    pair.alice.wait_for("Theme: light").await?;

    // The editor gets what is there and gives back what it made of it.
    pair.alice.type_text("from here ")?;
    pair.alice.press("Ctrl+G")?;
    pair.alice.wait_for("from here and a line of the editor").await?;
    pair.alice.press("Enter")?;
    let edited = "from here and a line of the editor";
    pair.wait_for("the edited message", |content| text(content, "/body") == edited).await?;

    // The finder finds emoji, too.
    pair.alice.press("Ctrl+Space")?;
    pair.alice.press(";")?;
    pair.alice.type_text("crab")?;
    pair.alice.wait_for("🦀").await?;
    pair.alice.press("Enter")?;
    pair.alice.wait_for("› 🦀").await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn long_texts_are_asked_about_and_what_was_sent_is_taken_back() -> Result<()> {
    let loopback = Loopback::new()?;
    let ternd = loopback.ternd("localhost").start().await?;
    let mut pair = pair(&loopback, &ternd, "Garden", "", Size::STANDARD).await?;
    let lines = |n: usize| (0..n).map(|n| format!("line {n}\n")).collect::<String>();

    pair.alice.paste(&lines(12))?;
    pair.alice.wait_for("12 lines").await?;
    pair.alice.press("c")?;
    pair.alice.wait_for("line 11").await?;
    pair.alice.press("Enter")?;
    let code = |content: &Value| text(content, "/formatted_body").contains("<pre>");
    pair.wait_for("the paste as code", code).await?;

    pair.alice.paste(&lines(20))?;
    pair.alice.wait_for("20 lines").await?;
    pair.alice.press("f")?;
    let file = |content: &Value| text(content, "/msgtype") == "m.file";
    assert_eq!(text(&pair.wait_for("the paste as a file", file).await?, "/body"), "message.txt");

    // More than an event holds: it goes in parts, whole words each.
    pair.alice.paste(&"many words ".repeat(2_000))?;
    pair.alice.wait_for("22000 characters").await?;
    pair.alice.press("t")?;
    pair.alice.wait_gone("22000 characters").await?;
    pair.alice.press("Enter")?;
    pair.alice.wait_for("Too long").await?;
    pair.alice.press("p")?;
    pair.alice.wait_gone("Too long").await?;
    let part = |content: &Value| text(content, "/body").starts_with("many words");
    pair.wait_for("a part", part).await?;

    people::say(&mut pair.alice, "too soon").await?;
    pair.alice.press("Ctrl+Space")?;
    pair.alice.press("z")?;
    pair.alice.wait_for("› too soon").await?;
    until("it to be gone for bob, too", PATIENCE, async || {
        Ok((!pair.said().await?.contains(&"too soon".to_owned())).then_some(()))
    })
    .await
}
