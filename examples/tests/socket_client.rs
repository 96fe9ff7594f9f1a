//! The socket's example client against a real server, over TLS and across a restart.

use std::{
    path::Path,
    process::{Command, Stdio},
};

use anyhow::{Context, Result};
use serde_json::json;
use tern_testkit::{Loopback, PATIENCE};
use tokio::{
    io::{AsyncBufReadExt, BufReader, Lines},
    process::{Child, ChildStdout},
    time::timeout,
};

async fn next_line(lines: &mut Lines<BufReader<ChildStdout>>) -> Result<String> {
    timeout(PATIENCE, lines.next_line()).await??.context("it ended")
}

/// The example as a process, killed when dropped.
fn start(server: &str, ca: &Path) -> Result<(Child, Lines<BufReader<ChildStdout>>)> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_socket"));
    command.args(["--server", server, "--user", "bob", "--ca"]).arg(ca);
    command.env("TERN_PASSWORD", "correct horse battery staple").stdout(Stdio::piped());
    let mut child = tokio::process::Command::from(command).kill_on_drop(true).spawn()?;
    let output = child.stdout.take().context("no output")?;
    Ok((child, BufReader::new(output).lines()))
}

#[tokio::test(flavor = "multi_thread")]
async fn the_example_prints_what_is_said_once_and_survives_a_restart() -> Result<()> {
    let loopback = Loopback::new()?;
    let mut server = loopback.ternd("localhost").registration("open").start().await?;
    let password = "correct horse battery staple";
    let alice = server.api().register_openly("alice", password).await?;
    let bob = server.api().register_openly("bob", password).await?;
    let room_id = alice.create_room(json!({ "preset": "public_chat" })).await?;
    bob.join(&room_id, &[]).await?.ok()?;
    alice.send_text(&room_id, "before it came").await?;
    let (_child, mut lines) = start(&server.url(), loopback.authority().file())?;
    let sender = server.user_id("alice");
    assert_eq!(next_line(&mut lines).await?, format!("{room_id} {sender}: before it came"));
    for text in ["one", "two"] {
        alice.send_text(&room_id, text).await?;
        assert_eq!(next_line(&mut lines).await?, format!("{room_id} {sender}: {text}"));
    }
    server.restart().await?;
    alice.send_text(&room_id, "three").await?;
    assert_eq!(next_line(&mut lines).await?, format!("{room_id} {sender}: three"));
    Ok(())
}
