//! The terminal around the client: settings, keys, themes, the mouse, news, sizes, and the commands that print.

use anyhow::Result;
use tern_testkit::{Loopback, PATIENCE, Size, Tern, until};

use crate::invitations::{Pair, pair};
use crate::people;

const SETTINGS: &str = r#"
preset = "vim"
theme = "light"
time-zone = "+05:30"
clock = 12

[notify]
terminal = "osc777"
command = ["sh", "-c", "cat >> \"$HOME/told\""]

[keys.composer]
"ctrl-s" = "send"
"#;

fn recorded(tern: &Tern, sequence: &str) -> usize {
    let bytes = tern.recording();
    bytes.windows(sequence.len()).filter(|part| *part == sequence.as_bytes()).count()
}

async fn wait_for_bytes(tern: &Tern, sequence: &str) -> Result<()> {
    let seen = async || Ok((recorded(tern, sequence) > 0).then_some(()));
    until(&format!("{sequence:?}"), PATIENCE, seen).await
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_keys_mouse_and_news() -> Result<()> {
    let loopback = Loopback::new()?;
    let ternd = loopback.ternd("localhost").start().await?;
    let mut pair = pair(&loopback, &ternd, "Garden", SETTINGS, Size::STANDARD).await?;

    // A key of her own sends; the time is told by her clock; vim's keys are there.
    pair.alice.type_text("by another key")?;
    pair.alice.press("Ctrl+S")?;
    people::wait_for_tick(&pair.alice, "by another key", "✓").await?;
    let by_her_clock =
        |row: &str| row.contains("by another key") && (row.contains(" am") || row.contains(" pm"));
    assert!(pair.alice.text().lines().any(by_her_clock), "{}", pair.alice.picture());
    pair.alice.press("Esc")?;
    pair.alice.wait_for("reply").await?;
    pair.alice.press(":")?;
    pair.alice.wait_for("Find a chat").await?;
    pair.alice.press("Esc")?;
    pair.alice.wait_gone("Find a chat").await?;
    pair.alice.press("i")?;
    pair.alice.wait_for("new line").await?;
    // The light theme's quiet text is darker than the dark one's.
    assert!(recorded(&pair.alice, "38;5;245m") == 0, "a colour of the dark theme");

    // While the terminal is in front and the chat open, nothing is told of it.
    let before = recorded(&pair.alice, "\x1b]777");
    pair.bob.send_text(&pair.room, "seen at once").await?;
    pair.alice.wait_for("seen at once").await?;
    assert_eq!(recorded(&pair.alice, "\x1b]777"), before);
    pair.alice.type_text("\x1b[O")?;
    pair.bob.send_text(&pair.room, "are you there?").await?;
    wait_for_bytes(&pair.alice, "\x1b]777;notify;Garden;bob: are you there?\x07\x07").await?;
    wait_for_bytes(&pair.alice, "\x1b]0;(1) Tern\x07").await?;
    let told = pair.alice.data().join("told");
    until("the program of hers", PATIENCE, async || {
        let text = std::fs::read_to_string(&told).unwrap_or_default();
        Ok(text.ends_with("Garden\nbob: are you there?\n").then_some(()))
    })
    .await?;
    let before = recorded(&pair.alice, "\x1b]0;Tern\x07");
    pair.alice.type_text("\x1b[I")?;
    until("the title without a count", PATIENCE, async || {
        Ok((recorded(&pair.alice, "\x1b]0;Tern\x07") > before).then_some(()))
    })
    .await?;
    // What was there before is no news after a restart.
    pair.alice.press("Ctrl+Q")?;
    pair.alice.wait_exit().await?;
    pair.bob.send_text(&pair.room, "while she was away").await?;
    pair.alice.reopen()?;
    pair.alice.wait_for("while she was away").await?;
    pair.alice.wait_for("●").await?;
    assert_eq!(recorded(&pair.alice, "\x1b]777"), 0, "old messages are no news");

    by_mouse(&mut pair).await?;
    at_any_size(&mut pair).await
}

async fn by_mouse(pair: &mut Pair) -> Result<()> {
    // The mouse: a click on a message chooses it, one in the composer writes, one on a button presses it.
    let rows: Vec<String> = pair.alice.text().lines().map(str::to_owned).collect();
    let row = rows.iter().rposition(|row| row.contains("seen at once")).unwrap_or_default();
    let row = u16::try_from(row)?;
    pair.alice.click(40, row)?;
    pair.alice.wait_for("reply").await?;
    pair.alice.press("+")?;
    pair.alice.wait_for("1 to 6 choose").await?;
    let buttons = pair.alice.text();
    let (y, line) =
        buttons.lines().enumerate().find(|(_, row)| row.contains("👍")).unwrap_or_default();
    let x = line.split('👍').next().unwrap_or_default().chars().count();
    pair.alice.click(u16::try_from(x)?, u16::try_from(y)?)?;
    pair.alice.wait_gone("1 to 6 choose").await?;
    pair.alice.wait_for("👍 1").await?;
    pair.alice.click(40, 22)?;
    pair.alice.wait_for("new line").await?;
    let lines: String = (0..60).map(|n| format!("row {n}\n")).collect();
    pair.bob.send_text(&pair.room, &lines).await?;
    pair.alice.wait_for("row 59").await?;
    // The wheel goes back to its first row.
    pair.alice.type_text(&"\x1b[<64;41;11M".repeat(30))?;
    pair.alice.wait_for("row 3").await?;
    pair.alice.wait_gone("row 59").await?;
    pair.alice.type_text(&"\x1b[<65;41;11M".repeat(60))?;
    pair.alice.wait_for("row 59").await
}

async fn at_any_size(pair: &mut Pair) -> Result<()> {
    // Sizes that change all the time leave one whole screen.
    for n in 0..30_u16 {
        pair.alice.resize(Size { columns: 40 + n * 3 % 80, rows: 12 + n % 20 })?;
    }
    pair.alice.resize(Size::STANDARD)?;
    pair.alice.type_text("still here")?;
    pair.alice.wait_for("› still here").await?;
    let frames = (recorded(&pair.alice, "\x1b[?2026h"), recorded(&pair.alice, "\x1b[?2026l"));
    assert!(frames.0 > 5 && frames.0 == frames.1, "{frames:?}");

    // Right to left, in the order the eye reads it, at the right side.
    pair.bob.send_text(&pair.room, "שלום (עולם) 123").await?;
    pair.alice.wait_for("123 (םלוע) םולש").await?;
    pair.bob.send_text(&pair.room, "日本語 👩‍👩‍👧 ende").await?;
    pair.alice.wait_for("日本語").await
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_that_print_say_what_is_wrong_and_where_things_are() -> Result<()> {
    let loopback = Loopback::new()?;
    let ternd = loopback.ternd("localhost").start().await?;
    let pair = pair(&loopback, &ternd, "Garden", "", Size::STANDARD).await?;
    let run = |args: &[&str]| pair.alice.run(args);
    let authority = loopback.authority().file().display().to_string();

    let (well, text) = run(&["doctor", "--ca", &authority])?;
    assert!(well, "{text}");
    for words in ["✓ characters", "✓ server", "answers in", "settings", "notifications", "pictures"]
    {
        assert!(text.contains(words), "{words} is not in\n{text}");
    }
    let (well, text) = run(&["doctor"])?;
    assert!(!well && text.contains("! server"), "an unknown authority is found out: {text}");
    let (_, text) = run(&["where"])?;
    assert!(text.contains("config.toml") && text.contains("somebody is logged in"), "{text}");
    let (_, text) = run(&["keys"])?;
    assert!(text.contains("next-chat") && text.contains("Ctrl+N"), "{text}");
    let (_, text) = run(&["completions", "bash"])?;
    assert!(text.contains("complete -F _tern"), "{text}");
    let (_, text) = run(&["man"])?;
    assert!(text.contains(".TH tern"), "{text}");
    let (_, text) = run(&["--version"])?;
    assert!(text.starts_with("tern "), "{text}");

    Tern::set(&loopback, "alice", "mouse = true\n\n[keys.history]\n\"x\" = \"repyl\"\n")?;
    let (well, text) = run(&["doctor", "--ca", &authority])?;
    assert!(!well, "{text}");
    for words in ["config.toml, line 4", "\"x\"", "repyl", "Is reply meant?"] {
        assert!(text.contains(words), "{words} is not in\n{text}");
    }
    Ok(())
}
