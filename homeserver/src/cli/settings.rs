//! `ternd config`: the effective settings, after every check. Secrets are hidden.

use super::{CliError, print};
use crate::config::Config;

pub(super) fn run(config: &Config) -> Result<(), CliError> {
    print(&config.to_text().map_err(CliError::Usage)?)
}
