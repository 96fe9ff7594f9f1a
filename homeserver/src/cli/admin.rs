//! `ternd admin`: makes a user an administrator of the server, or takes that back.

use clap::Args;

use super::{CliError, ConfigFile, block_on, print};
use crate::storage::{
    self, Database,
    accounts::{Mark, find_account_by_localpart, update_mark},
};

#[derive(Debug, Args)]
pub(super) struct Admin {
    #[command(flatten)]
    file: ConfigFile,
    /// The user: alice or @alice:example.org.
    user: String,
    /// No administrator any more.
    #[arg(long)]
    remove: bool,
}

pub(super) fn run(options: &Admin) -> Result<(), CliError> {
    let config = options.file.load()?;
    let user = options.user.trim_start_matches('@');
    let localpart = match user.split_once(':') {
        Some((localpart, server)) if server == config.server_name => localpart,
        Some(_) => {
            let text = format!("{} is not of {}", options.user, config.server_name);
            return Err(CliError::Usage(text));
        }
        None => user,
    };
    let (localpart, set) = (localpart.to_lowercase(), !options.remove);
    let wanted = localpart.clone();
    let found = block_on(async {
        let db =
            Database::open(&config.database.url, &config.data_dir, &config.server_name).await?;
        let write = db.write::<_, storage::Error, _>(move |txn| {
            Box::pin(async move {
                let account = find_account_by_localpart(txn.db(), &wanted).await?;
                match account.filter(|account| !account.deactivated) {
                    Some(account) => update_mark(txn.db(), account.user, Mark::Admin, set).await,
                    None => Ok(false),
                }
            })
        });
        let found = write.await?;
        db.close().await;
        Ok(found)
    })?;
    if !found {
        return Err(CliError::Usage(format!("there is no user {localpart} here")));
    }
    let is = if set { "is now" } else { "is no longer" };
    print(&format!("@{localpart}:{} {is} an administrator\n", config.server_name))
}
