//! `ternd`: the homeserver. Everything is in the library, so that tests run it in-process; here is only the way in.

use std::process::ExitCode;

use clap::Parser;
use tern_homeserver::cli::Cli;

/// The system's keeps what it once gave out, on each thread's own heap: after forty registrations, each with 19 MiB for its password,
/// the process stood at half a gigabyte.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    // Before anything else: both HTTP clients and listeners take the process's one TLS provider.
    if rustls::crypto::aws_lc_rs::default_provider().install_default().is_err() {
        eprintln!("ternd: another TLS provider is installed already");
        return ExitCode::FAILURE;
    }
    match Cli::parse().run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("ternd: {error}");
            ExitCode::FAILURE
        }
    }
}
