//! The operator's first minutes: `ternd init` at a terminal.

use std::fs;

use anyhow::{Result, ensure};
use tern_testkit::{Loopback, Screen, Size, binary};

#[tokio::test(flavor = "multi_thread")]
async fn init_asks_again_after_a_bad_answer_and_keeps_the_good_ones() -> Result<()> {
    let loopback = Loopback::new()?;
    let folder = loopback.folder();
    let mut screen = Screen::open(&binary("ternd")?, &["init"], &[], folder, Size::LARGE)?;
    for (question, answers) in [
        ("server name (the part", ["", "exa mple", "localhost"].as_slice()),
        ("listen for plain HTTP", &["8009", "127.0.0.1:8009"]),
        ("folder for the data", &["kept"]),
        ("who may register", &["everybody", "token"]),
        ("mail: file", &["mail.example.org", ""]),
        ("mail address of the administrator", &["alice", "alice@example.org"]),
    ] {
        for (asked, answer) in answers.iter().enumerate() {
            let asked_again = |text: &str| text.matches(question).count() == asked + 1;
            screen.wait_until(question, asked_again).await?;
            screen.type_text(answer)?;
            screen.press("Enter")?;
        }
    }
    let status = screen.wait_exit().await?;

    ensure!(status.success(), "{}", screen.text());
    let config = fs::read_to_string(folder.join("tern.toml"))?;
    for line in [
        "server_name = \"localhost\"",
        "http = [\"127.0.0.1:8009\"]",
        "mode = \"token\"",
        "transport = \"file\"",
        "base_url = \"http://127.0.0.1:8009\"",
        "email = \"alice@example.org\"",
    ] {
        ensure!(config.lines().any(|found| found == line), "no {line} in\n{config}");
    }
    ensure!(folder.join("kept/signing.key").exists());
    Ok(())
}
