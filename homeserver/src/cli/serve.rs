//! `ternd serve`: logs to standard error, then runs the server.

use std::io::{IsTerminal, stderr};

use tracing_subscriber::EnvFilter;

use super::{CliError, block_on};
use crate::{config::Config, serve};

pub(super) fn run(config: &Config) -> Result<(), CliError> {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| {
        EnvFilter::new("info,sqlx=warn,sea_orm_migration=warn,ruma_state_res=warn")
    });
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(stderr)
        .with_ansi(stderr().is_terminal())
        .init();
    tracing::info!(
        server.name = config.server_name,
        version = env!("CARGO_PKG_VERSION"),
        "ternd starts"
    );
    block_on(async { Ok(serve::run(config.clone()).await?) })
}
