//! `ternd check`: whether the database and the files hold together. For a server that does not run.

use super::{CliError, ConfigFile, block_on, print, printable};
use crate::{
    media,
    messaging::{self, check::Checked},
    serve,
};

/// Most faults that are told one by one.
const TOLD_MAX: usize = 100;

pub(super) fn run(file: &ConfigFile) -> Result<(), CliError> {
    let config = file.load()?;
    let _lock = serve::lock(&config.data_dir)?;
    let mut faults: Vec<String> = Vec::new();
    let (checked, files) = block_on(async {
        let (app, files) = serve::open_tools(config).await?;
        let engine = messaging::Engine::start(app.clone());
        let mut fault = |text: String| faults.push(text);
        let rooms = messaging::check::check(&engine, &mut fault).await;
        let rooms = rooms.map_err(serve::ServeError::from)?;
        let files =
            media::check(&app, &files, &mut fault).await.map_err(serve::ServeError::from)?;
        app.db.close().await;
        Ok((rooms, files))
    })?;
    for text in faults.iter().take(TOLD_MAX) {
        print(&format!("{}\n", printable(text)))?;
    }
    let Checked { rooms, events, states, idle_states } = checked;
    if idle_states > 0 {
        print(&format!("{idle_states} states that nothing stands on: they only take room\n"))?;
    }
    let looked = format!("{events} events and {states} states of {rooms} rooms and {files} files");
    match faults.len() {
        0 => print(&format!("{looked} hold together\n")),
        count => Err(CliError::Usage(format!("{count} faults in {looked}"))),
    }
}
