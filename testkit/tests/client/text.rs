//! Text on the screen: in both directions, and with signs that terminals draw in different widths.

use anyhow::Result;
use serde_json::Value;
use tern_testkit::{Loopback, Manners, PATIENCE, Size, Tern, until};

use crate::{
    garden::wait_in_chat,
    invitations::{Pair, pair, text},
    keyboard::{client, select},
};

/// The columns of the line between list and chat, of what is written, and of the end of a row.
const RULE: u16 = 25;
const WRITTEN: u16 = 28;
const LAST: u16 = 79;

async fn cursor_at(tern: &Tern, column: u16) -> Result<()> {
    tern.wait_until(&format!("the cursor in column {column}"), |_| {
        tern.cursor().is_some_and(|(_, at)| at == column)
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn right_to_left_text_is_seen_as_one_writes_it_and_read_on_both_screens() -> Result<()> {
    let loopback = Loopback::new()?;
    let ternd = loopback.ternd("localhost").start().await?;
    let mut pair = pair(&loopback, &ternd, "Garden", "", Size::STANDARD).await?;
    let mut bob = client(&loopback, &ternd, "bob").await?;
    select(&mut bob, "Garden").await?;
    bob.press("Enter")?;
    bob.wait_for("new line").await?;

    // Hebrew with Latin and digits in it, at the right side; the cursor behind the last digit.
    pair.alice.type_text("שלום (abc) 12")?;
    pair.alice.wait_for("12 (abc) םולש").await?;
    let row = pair.alice.row_with("12 (abc) םולש").unwrap_or_default();
    assert_eq!(row.chars().count(), 80, "{}", pair.alice.picture());
    cursor_at(&pair.alice, LAST - 10).await?;
    // To its beginning, one further, and something between the letters.
    pair.alice.press("Home")?;
    cursor_at(&pair.alice, LAST).await?;
    pair.alice.press("Right")?;
    cursor_at(&pair.alice, LAST - 1).await?;
    pair.alice.type_text("ב")?;
    pair.alice.wait_for("12 (abc) םולבש").await?;
    cursor_at(&pair.alice, LAST - 2).await?;
    pair.alice.press("Backspace")?;
    pair.alice.wait_for("12 (abc) םולש").await?;
    pair.alice.type_text("ב")?;
    pair.alice.wait_for("12 (abc) םולבש").await?;
    // A click on the b of the Latin word writes there.
    let (y, _) = pair.alice.cursor().unwrap_or_default();
    pair.alice.click(LAST - 8, y)?;
    cursor_at(&pair.alice, LAST - 8).await?;
    pair.alice.type_text("x👍")?;
    pair.alice.wait_for("12 (ax👍bc) םולבש").await?;
    pair.alice.press("Enter")?;

    let written = "שבלום (ax👍bc) 12";
    pair.wait_for("what she has written", |content| text(content, "/body") == written).await?;
    for side in [&pair.alice, &bob] {
        wait_in_chat(side, "12 (ax👍bc) םולבש").await?;
    }

    // A line of each direction, and Arabic inside Latin.
    pair.alice.type_text("see مرحبا there")?;
    pair.alice.press("Ctrl+J")?;
    pair.alice.type_text("טוב")?;
    pair.alice.wait_for("› see ابحرم there").await?;
    cursor_at(&pair.alice, LAST - 3).await?;
    pair.alice.press("Up")?;
    pair.alice.press("End")?;
    cursor_at(&pair.alice, WRITTEN + 15).await?;
    pair.alice.press("Enter")?;
    let both = "see مرحبا there\nטוב";
    pair.wait_for("both lines", |content: &Value| text(content, "/body") == both).await?;
    for side in [&pair.alice, &bob] {
        wait_in_chat(side, "see ابحرم there").await?;
        wait_in_chat(side, "בוט").await?;
    }
    Ok(())
}

/// A terminal that draws every character of a sign alone.
const APART: Manners = Manners { answers: true, draws: &[] };
/// One that draws a sign of several characters as one.
const WHOLE: Manners = Manners {
    answers: true,
    draws: &[("❤\u{fe0f}", "💗"), ("👩\u{200d}🌾", "🧑"), ("👍🏽", "👌")],
};
/// One in which what is ambiguous is wide: frames, too.
const WIDE: Manners = Manners {
    answers: true,
    draws: &[("α", "ａ"), ("│", "｜"), ("●", "🟢"), ("○", "🟡"), ("…", "。")],
};

/// What bob writes, and how it stands on these terminals.
const SIGNS: [(&str, [&str; 3]); 5] = [
    ("❤\u{fe0f} heart", ["❤\u{fe0f} heart", "💗 heart", "❤\u{fe0f} heart"]),
    ("👩\u{200d}🌾 farm", ["👩\u{200d}🌾 farm", "🧑 farm", "👩\u{200d}🌾 farm"]),
    ("👍🏽 tone", ["👍🏽 tone", "👌 tone", "👍🏽 tone"]),
    ("🇩🇪 flag", ["🇩🇪 flag"; 3]),
    ("α greek", ["α greek", "α greek", "ａ greek"]),
];

#[tokio::test(flavor = "multi_thread")]
async fn the_screen_is_straight_on_terminals_that_draw_signs_in_different_widths() -> Result<()> {
    let loopback = Loopback::new()?;
    let ternd = loopback.ternd("localhost").start().await?;
    let mut pair = pair(&loopback, &ternd, "Garden", "", Size::STANDARD).await?;
    for (sign, _) in SIGNS {
        pair.bob.send_text(&pair.room, sign).await?;
    }
    wait_in_chat(&pair.alice, "greek").await?;
    let terminals =
        [(APART, ["❤\u{fe0f}👍🏽", "5"]), (WHOLE, ["❤\u{fe0f}👍🏽", "4"]), (WIDE, ["ααx", "5"])];
    for (at, (manners, [typed, columns])) in terminals.into_iter().enumerate() {
        pair.alice.press("Ctrl+Q")?;
        pair.alice.wait_exit().await?;
        pair.alice.reopen_on(manners)?;
        for (_, drawn) in SIGNS {
            wait_in_rows(&pair.alice, drawn.get(at).copied().unwrap_or("?")).await?;
        }
        pair.alice.wait_for_any(&["●", "🟢"]).await?;
        // One more moves the others up, each over what another one leaves.
        let more = format!("number {at}");
        pair.bob.send_text(&pair.room, &more).await?;
        wait_in_rows(&pair.alice, &more).await?;
        pair.alice.type_text(typed)?;
        cursor_at(&pair.alice, WRITTEN + columns.parse::<u16>()?).await?;
        is_straight(&pair.alice, at);
        same_when_painted_anew(&mut pair).await?;
        pair.alice.press("Ctrl+U")?;
        cursor_at(&pair.alice, WRITTEN).await?;
    }

    // The doctor says what it is told; who is told nothing goes by the book.
    let said = pair.alice.show(&["doctor"], APART)?;
    said.wait_for("❤\u{fe0f} 1, 👩\u{200d}🌾 4, 👍🏽 4, 🇩🇪 2, α 1 columns").await?;
    let said = pair.alice.show(&["doctor"], Manners::default())?;
    said.wait_for("the terminal doesn't say").await
}

/// Waits until `text` stands right of the list, whatever the line between them is drawn with.
async fn wait_in_rows(tern: &Tern, text: &str) -> Result<()> {
    tern.wait_until(&format!("{text:?} in the chat"), |_| {
        (0..Size::STANDARD.rows).any(|row| tern.part(row, RULE + 1, LAST).contains(text))
    })
    .await
}

fn is_straight(tern: &Tern, at: usize) {
    let rule = if at == 2 { "|" } else { "│" };
    for row in 0..Size::STANDARD.rows - 1 {
        assert_eq!(tern.part(row, RULE, RULE), rule, "row {row}\n{}", tern.picture());
    }
    for (_, drawn) in SIGNS {
        let mut rows = (0..Size::STANDARD.rows).map(|row| tern.part(row, RULE + 1, LAST));
        let drawn = drawn.get(at).copied().unwrap_or("?");
        let there = rows.any(|row| row.contains(drawn));
        assert!(there, "{drawn} is not there\n{}", tern.picture());
    }
    // The time of each group stands at the end of its row.
    let times = (0..Size::STANDARD.rows).filter(|row| {
        let time = tern.part(*row, LAST - 5, LAST - 1);
        time.len() == 5 && time.chars().nth(2) == Some(':')
    });
    assert!(times.count() > SIGNS.len(), "{}", tern.picture());
    for row in tern.text().lines() {
        let asked =
            SIGNS.iter().any(|(sign, _)| row.starts_with(sign.split(' ').next().unwrap_or("?")));
        assert!(!asked, "a question is still there: {}", tern.picture());
    }
}

async fn same_when_painted_anew(pair: &mut Pair) -> Result<()> {
    const CLEAR: &[u8] = b"\x1b[2J";
    // The list goes on meanwhile. What a shorter line leaves behind it is blanks, which after a clearing are not even that.
    let chat = |tern: &Tern| -> Vec<String> {
        let row = |row| tern.part(row, RULE, LAST).trim_end().to_owned();
        (0..Size::STANDARD.rows - 1).map(row).collect()
    };
    let before = chat(&pair.alice);
    let clears = |tern: &Tern| {
        let bytes = tern.recording();
        let whole = bytes.ends_with(b"\x1b[?2026l");
        (bytes.windows(CLEAR.len()).filter(|part| *part == CLEAR).count(), whole)
    };
    let (count, _) = clears(&pair.alice);
    pair.alice.press("Ctrl+L")?;
    until("another painting", PATIENCE, async || {
        let (now, whole) = clears(&pair.alice);
        Ok((now > count && whole).then_some(()))
    })
    .await?;
    assert_eq!(before, chat(&pair.alice), "something was left behind");
    Ok(())
}
