//! The demo's bot as a process of its own; prints `ready` once it listens.

#[path = "../bot.rs"]
mod bot;

use std::path::PathBuf;

use clap::Parser;

/// Answers every text message in the rooms it is invited to.
#[derive(Parser)]
struct Arguments {
    /// Base URL of the homeserver.
    #[arg(long)]
    server: String,
    /// Its username.
    #[arg(long)]
    user: String,
    /// Its password; better given by the environment, where other users don't see it.
    #[arg(long, env = "TERN_BOT_PASSWORD", hide_env_values = true)]
    password: String,
    /// A PEM file with certificates to trust besides the system's.
    #[arg(long)]
    ca: Option<PathBuf>,
    /// A folder for its keys.
    #[arg(long)]
    data: PathBuf,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let Arguments { server, user, password, ca, data } = Arguments::parse();
    bot::run(bot::Options { server, user, password, ca, data }, || eprintln!("ready")).await
}
