//! `ternd token`: makes a registration token, also while the server runs.

use std::time::Duration;

use clap::Args;

use super::{CliError, ConfigFile, block_on, print};
use crate::{
    clock::Clock,
    random::Random,
    serve::make_folder,
    storage::{
        self, Database,
        tokens::{RegistrationToken, insert_registration_token},
    },
};

/// Letters and digits that nobody takes for each other.
const ALPHABET: &[u8] = b"abcdefghjkmnpqrstuvwxyz23456789";
/// Characters of a token: about 99 bits.
const LENGTH: usize = 20;

#[derive(Debug, Args)]
pub(super) struct Token {
    #[command(flatten)]
    file: ConfigFile,
    /// How many accounts may be made with it; any number if left out.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i64).range(1..))]
    uses: Option<i64>,
    /// After how many days it ends; never if left out.
    #[arg(long, value_name = "N")]
    days: Option<u32>,
}

pub(super) fn run(options: &Token) -> Result<(), CliError> {
    let config = options.file.load()?;
    make_folder(&config.data_dir)?;
    let token = new_token();
    let lifetime = options.days.map(|days| Duration::from_secs(u64::from(days) * 24 * 3600));
    let now_ms = Clock::default().now_ms();
    let expires_ms = lifetime
        .map(|time| now_ms.saturating_add(i64::try_from(time.as_millis()).unwrap_or(i64::MAX)));
    block_on(async {
        let db =
            Database::open(&config.database.url, &config.data_dir, &config.server_name).await?;
        let row = RegistrationToken {
            token: token.clone(),
            uses_allowed: options.uses,
            uses: 0,
            expires_ms,
        };
        db.write::<_, storage::Error, _>(move |txn| {
            Box::pin(async move { insert_registration_token(txn.db(), &row, now_ms).await })
        })
        .await?;
        db.close().await;
        Ok(())
    })?;
    print(&format!("{token}\n"))
}

fn new_token() -> String {
    Random::default().characters(ALPHABET, LENGTH)
}
