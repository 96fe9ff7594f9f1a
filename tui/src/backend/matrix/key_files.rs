//! Message keys to a file and from one, in the format that all clients read.

use std::path::{Path, PathBuf};

use super::session::Session;
use crate::backend::Secret;

/// `~` is the home folder, as in a shell.
fn whole(path: &Path) -> PathBuf {
    let home = std::env::var_os("HOME");
    match (path.strip_prefix("~"), home) {
        (Ok(rest), Some(home)) => Path::new(&home).join(rest),
        _ => path.to_owned(),
    }
}

pub(super) async fn export(session: &Session, path: PathBuf, passphrase: &Secret) {
    let path = whole(&path);
    let shown = path.display().to_string();
    if path.exists() {
        return session.reports.failed(format!("{shown} is there already. Choose another name."));
    }
    match session.client.encryption().export_room_keys(path, &passphrase.0, |_| true).await {
        Ok(()) => session.reports.notice(format!("The keys are in {shown}.")),
        Err(error) => {
            tracing::debug!(%error, "keys could not be written");
            session.reports.failed(format!("{shown} could not be written. Check the path."));
        }
    }
}

pub(super) async fn import(session: &Session, path: PathBuf, passphrase: &Secret) {
    let path = whole(&path);
    let shown = path.display().to_string();
    match session.client.encryption().import_room_keys(path, &passphrase.0).await {
        Ok(result) => {
            let count = result.imported_count;
            session.reports.notice(format!("{count} new keys of {}.", result.total_count));
        }
        Err(error) => {
            tracing::debug!(%error, "keys could not be read");
            session
                .reports
                .failed(format!("{shown} could not be read. Check the path and the passphrase."));
        }
    }
}
