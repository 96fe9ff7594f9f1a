//! What others write with marks, code, links and hidden parts, as it comes out of a terminal.

use anyhow::Result;
use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::json;

use crate::{
    garden::{Garden, body, text},
    people,
};

const HTML: &str = "<p>Read <a href=\"https://example.org/manual?a=1&amp;b=2\">the manual</a>, \
    <strong>please</strong>:</p><ol><li>water it</li><li>wait</li></ol><blockquote>it grows</blockquote>\
    <pre><code class=\"language-rust\">let sun = \"bright\";\n</code></pre>\
    <table><tr><th>plant</th><th>water</th></tr><tr><td>oak</td><td>little</td></tr></table>\
    <p>Area <span data-mx-maths=\"\\pi r^2\">pr2</span></p><p>It is <span data-mx-spoiler=\"who\">the gardener</span>.</p>\
    <a href=\"javascript:alert(1)\">bait</a>&#27;]52;c;aGFjaw==&#7;";

#[tokio::test(flavor = "multi_thread")]
async fn formatted_text_is_shown_as_it_was_meant_and_does_nothing_else() -> Result<()> {
    let mut garden = Garden::open(async |_, _| Ok(())).await?;
    let content = json!({
        "msgtype": "m.text", "body": "Read the manual, please", "format": "org.matrix.custom.html",
        "formatted_body": HTML,
    });
    garden.bob.send(&garden.room, "m.room.message", content).await?;
    let alice = &garden.alice;
    alice.wait_for("Read the manual, please:").await?;
    for row in ["1. water it", "2. wait", "▎ it grows", "│ let sun = \"bright\";"] {
        alice.wait_for(row).await?;
    }
    alice.wait_for("plant │ water").await?;
    alice.wait_for("──────┼──────").await?;
    alice.wait_for("Area \\pi r^2").await?;
    // What gives something away is hidden until it is asked for.
    alice.wait_for("It is (who) ▒▒▒ ▒▒▒▒▒▒▒▒.").await?;
    assert!(!alice.text().contains("the gardener"));
    garden.go_to_messages().await?;
    garden.press(&["x"])?;
    garden.alice.wait_for("It is (who) the gardener.").await?;

    // The terminal is told where the link leads, and of no other.
    let recording = String::from_utf8_lossy(&garden.alice.recording()).into_owned();
    assert!(recording.contains(";https://example.org/manual?a=1&b=2\x1b\\"), "no hyperlink");
    assert!(!recording.contains("javascript:"), "a link that runs something");
    assert!(!recording.contains("\x1b]52;c;aGFjaw=="), "the clipboard was written by a message");
    assert!(recording.contains("\x1b[1m"), "nothing is bold");

    // Without a browser at hand the link goes to the clipboard.
    garden.press(&["o"])?;
    garden.alice.wait_for("Link copied: https://example.org/manual?a=1&b=2").await?;
    let copied = format!("\x1b]52;c;{}\x07", STANDARD.encode("https://example.org/manual?a=1&b=2"));
    assert!(String::from_utf8_lossy(&garden.alice.recording()).contains(&copied));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_typed_as_markdown_arrives_formatted() -> Result<()> {
    let mut garden = Garden::open(async |_, _| Ok(())).await?;
    garden.alice.type_text("**two** rows of `beans`, see https://example.org")?;
    garden.alice.press("Enter")?;
    garden.alice.wait_for("two rows of beans").await?;
    let said = garden.bob_finds("it", |event| body(event).contains("rows of")).await?;
    let formatted = text(&said, "/content/formatted_body");
    for part in ["<strong>two</strong>", "<code>beans</code>"] {
        assert!(formatted.contains(part), "{part} is not in {said}");
    }
    // What has nothing in it is plain.
    people::say(&mut garden.alice, "nothing but words").await?;
    let plain = garden.bob_reads("nothing but words").await?;
    assert_eq!(text(&plain, "/content/formatted_body"), "", "{plain}");
    Ok(())
}
