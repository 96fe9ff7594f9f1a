//! `cargo demo`: two homeservers that have never met, alice at one and a bot called bob at the other, and the real client opened
//! as alice in their encrypted chat. Nothing is left running or lying about when it ends.

#![expect(clippy::print_stdout, reason = "it talks to who started it")]

mod alice;
mod programs;

use std::{
    io::{IsTerminal as _, Write as _, stdin, stdout},
    process::Command,
};

use alice::Alice;
use anyhow::{Context as _, Result, ensure};
use tern_testkit::{Database, Loopback, PATIENCE, Process, Ternd, binary, until};
use tern_tui::{backend::matrix::http, sanitize};
use tokio::signal::unix::{SignalKind, signal};

/// Both people's: nobody else reaches servers on loopback that live for a demo.
const PASSWORD: &str = "a password for the demo";

#[tokio::main]
async fn main() -> Result<()> {
    programs::build()?;
    http::install_crypto_provider();
    // What the demo started ends with it, by being dropped: on an error and on Ctrl-C too.
    tokio::select! {
        ended = demo() => ended,
        told = told_to_stop() => {
            told?;
            // Nobody may be there to read it.
            writeln!(stdout(), "\nStopped.").ok();
            Ok(())
        }
    }
}

/// Ctrl-C, a polite kill, or a terminal that is closed.
async fn told_to_stop() -> Result<()> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hang_up = signal(SignalKind::hangup())?;
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
        _ = hang_up.recv() => {}
    }
    Ok(())
}

async fn demo() -> Result<()> {
    let loopback = Loopback::new()?;
    let town = Town::build(&loopback).await?;
    let mut alice = Alice::register(&loopback, &town.alpha, PASSWORD).await?;
    say("alice registered by mail as", alice.user());
    let recovery_key = alice.set_up_recovery().await?;
    let bob = town.beta.user_id("bob");
    let chat = alice.start_chat(&bob).await?;
    let greeting = alice.wait_for_message_of(&bob).await?;
    say("bob came into their encrypted chat and said", &greeting);
    if stdin().is_terminal() && stdout().is_terminal() {
        alice.close().await?;
        println!("\nalice's recovery key, for a second device: {}", recovery_key.0);
        println!("tern opens. Type and press Enter; `?` in the list shows the keys, Ctrl+Q quits.");
        open_tern(&loopback, &chat).await?;
        println!("That was Tern. To run a server of your own: README.md, \"Run your own server\".");
    } else {
        println!("(This is no terminal: alice says one thing, and the demo ends.)");
        let question = "does it rain over there?";
        println!("alice: {question}");
        println!("bob:   {}", sanitize::line(&alice.ask_in(&chat, &bob, question).await?));
        alice.close().await?;
    }
    Ok(())
}

fn say(what: &str, value: &str) {
    println!("  {what} {}", sanitize::line(value));
}

/// The two servers, and bob at one of them.
struct Town {
    alpha: Ternd,
    beta: Ternd,
    _bob: Process,
}

impl Town {
    async fn build(loopback: &Loopback) -> Result<Self> {
        println!("Starting two homeservers:");
        let ternd = |host| loopback.ternd(host).database(Database::from_env()).start();
        let (alpha, beta) = tokio::try_join!(ternd("alpha.localhost"), ternd("beta.localhost"))?;
        say("alpha at", &alpha.url());
        say("beta at", &beta.url());
        beta.register_by_email("bob", "bob@example.org", PASSWORD).await?;
        say("bob registered by mail as", &beta.user_id("bob"));
        let bob = start_bot(loopback, &beta).await?;
        Ok(Self { alpha, beta, _bob: bob })
    }
}

async fn start_bot(loopback: &Loopback, beta: &Ternd) -> Result<Process> {
    let mut command = Command::new(binary("bot")?);
    command.args(["--server", &beta.url(), "--user", "bob", "--ca"]);
    command.arg(loopback.authority().file()).arg("--data").arg(loopback.subfolder("bob")?);
    command.env("TERN_BOT_PASSWORD", PASSWORD);
    let log = loopback.folder().join("bob.log");
    let mut bob = Process::spawn("bob", &command, &log)?;
    let ready = until("bob", PATIENCE, async || {
        ensure!(bob.exited()?.is_none(), "bob ended\n{}", bob.log_tail(20));
        Ok(bob.log_tail(20).lines().any(|line| line == "ready").then_some(()))
    });
    ready.await?;
    Ok(bob)
}

/// Runs the client in this terminal until it is left.
async fn open_tern(loopback: &Loopback, chat: &str) -> Result<()> {
    let mut command = tokio::process::Command::new(binary("tern")?);
    command.arg("--data").arg(loopback.subfolder(alice::FOLDER)?);
    command.arg("--ca").arg(loopback.authority().file()).args(["--open", chat]);
    let status = command.kill_on_drop(true).status().await.context("tern does not start")?;
    ensure!(status.success(), "tern ended with {status}");
    Ok(())
}
