//! `bench`: the same work for any Matrix homeservers, side by side, and a table of what it cost each.
//!
//! It speaks the client-server API only, so what it measures is what people's clients meet. The load generator shares the
//! machine with the server: it runs on one thread, over plain keep-alive connections, and prints its own cost beside the server's.

mod ceiling;
mod cli;
mod client;
mod commands;
mod figures;
mod machine;
mod matrix;
mod measure;
mod plan;
mod proc;
mod report;
mod scenarios;
mod server;
mod site;
mod tui;

use std::process::ExitCode;

use anyhow::Result;
use clap::Parser;

fn main() -> ExitCode {
    match start() {
        Ok(code) => code,
        Err(error) => {
            report::progress(&format!("error: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn start() -> Result<ExitCode> {
    let cli = cli::Cli::parse();
    rustls::crypto::aws_lc_rs::default_provider().install_default().ok();
    // One thread: the generator never takes more than one core from the server it measures.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(commands::run(cli.command))
}
