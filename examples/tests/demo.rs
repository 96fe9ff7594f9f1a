//! `cargo demo` as somebody in a terminal meets it.

use std::{fs, path::Path, process::Command};

use anyhow::{Context as _, Result};
use tempfile::TempDir;
use tern_testkit::{PATIENCE, Screen, Size, until};

/// The demo in a terminal; everything it keeps is below `folder`.
fn start(folder: &Path) -> Result<Screen> {
    // It builds the programs with the cargo of this run: nothing to do, where cargo finds what it found before.
    let mut envs: Vec<(String, String)> = std::env::vars().collect();
    envs.push(("TMPDIR".to_owned(), folder.display().to_string()));
    let envs: Vec<(&str, &str)> = envs.iter().map(|(key, value)| (&**key, &**value)).collect();
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    Screen::open(Path::new(env!("CARGO_BIN_EXE_demo")), &[], &envs, &workspace, Size::LARGE)
}

/// Processes whose command line names `folder`, as all that the demo starts do.
fn processes_of(folder: &Path) -> Vec<String> {
    let folder = folder.display().to_string();
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let lines = entries.filter_map(|entry| fs::read(entry.path().join("cmdline")).ok());
    let lines = lines.map(|line| String::from_utf8_lossy(&line).replace('\0', " "));
    lines.filter(|line| line.contains(&folder)).collect()
}

fn assert_nothing_is_left(folder: &Path) -> Result<()> {
    assert_eq!(processes_of(folder), Vec::<String>::new());
    let files: Vec<_> = fs::read_dir(folder)?.flatten().map(|entry| entry.path()).collect();
    assert!(files.is_empty(), "left lying about: {files:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_demo_opens_as_alice_where_typing_and_enter_sends_and_leaves_nothing() -> Result<()> {
    let folder = TempDir::new()?;
    let mut screen = start(folder.path())?;
    screen.wait_for("Enter send").await?;
    assert!(processes_of(folder.path()).len() >= 4, "two servers, bob and the client run");
    screen.type_text("does it rain over there?")?;
    screen.press("Enter")?;
    screen.wait_for("You said: does it rain over there?").await?;
    screen.wait_for("✓✓").await?;
    assert!(!screen.text().contains('⚠'), "{}", screen.picture());
    screen.press("Ctrl+Q")?;
    screen.wait_for("That was Tern.").await?;
    assert!(screen.wait_exit().await?.success());
    assert_nothing_is_left(folder.path())
}

#[tokio::test(flavor = "multi_thread")]
async fn ctrl_c_stops_the_demo_and_leaves_nothing() -> Result<()> {
    let folder = TempDir::new()?;
    let mut screen = start(folder.path())?;
    screen.wait_for("bob registered by mail").await?;
    screen.press("Ctrl+C")?;
    screen.wait_for("Stopped.").await?;
    assert!(screen.wait_exit().await?.success());
    assert_nothing_is_left(folder.path())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_polite_kill_and_a_closed_terminal_stop_the_demo_and_leave_nothing() -> Result<()> {
    for signal in ["-TERM", "-HUP"] {
        let folder = TempDir::new()?;
        let mut screen = start(folder.path())?;
        screen.wait_for("bob registered by mail").await?;
        let pid = screen.pid().context("the demo runs")?.to_string();
        // A terminal that is closed tells everybody in it; the demo is the leader of its session.
        let whom = if signal == "-HUP" { format!("-{pid}") } else { pid };
        assert!(Command::new("kill").args([signal, "--", &whom]).status()?.success());
        screen.wait_exit().await?;
        until("the end of all it started", PATIENCE, async || {
            Ok(processes_of(folder.path()).is_empty().then_some(()))
        })
        .await?;
        assert_nothing_is_left(folder.path())?;
    }
    Ok(())
}
