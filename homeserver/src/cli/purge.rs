//! `ternd purge`: takes a room that nobody here is in out of the database. For a server that does not run.

use clap::Args;

use super::{CliError, ConfigFile, block_on, print, printable};
use crate::{
    serve,
    storage::{
        Database,
        purge::{Purged, purge_room},
    },
};

#[derive(Debug, Args)]
pub(super) struct Purge {
    #[command(flatten)]
    file: ConfigFile,
    /// The room's id, such as !abc:example.org.
    room: String,
}

pub(super) fn run(options: &Purge) -> Result<(), CliError> {
    let config = options.file.load()?;
    let _lock = serve::lock(&config.data_dir)?;
    let purged = block_on(async {
        let db =
            Database::open(&config.database.url, &config.data_dir, &config.server_name).await?;
        let purged = purge_room(&db, &options.room).await?;
        db.close().await;
        Ok(purged)
    })?;
    let room = printable(&options.room);
    match purged {
        Purged::Gone { events } => print(&format!("{room} is gone, and {events} events with it\n")),
        Purged::Unknown => Err(CliError::Usage(format!("there is no room {room} here"))),
        Purged::InUse { users } => Err(CliError::Usage(format!(
            "{users} users of {} are in {room}, invited or knocking: they must leave it first",
            config.server_name
        ))),
    }
}
