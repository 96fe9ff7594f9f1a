//! What of a session stays on disk: `session.json` (0600) and the SDK's encrypted stores under `sdk/`.

use std::{
    fs, io,
    io::Write,
    path::{Path, PathBuf},
    sync::Arc,
};

use matrix_sdk::authentication::matrix::MatrixSession;
use serde::{Deserialize, Serialize};
use url::Url;

/// Where a session lives. Cheap to clone.
#[derive(Clone)]
pub(super) struct Store(Arc<Inner>);

struct Inner {
    dir: PathBuf,
    key: [u8; 32],
}

/// A session as it is kept between runs.
#[derive(Serialize, Deserialize)]
pub(super) struct StoredSession {
    pub(super) homeserver: Url,
    /// The server wants a new login; device and keys stay.
    #[serde(default)]
    pub(super) soft_logged_out: bool,
    pub(super) session: MatrixSession,
}

impl Store {
    pub(super) fn new(dir: PathBuf, key: [u8; 32]) -> Self {
        Self(Arc::new(Inner { dir, key }))
    }

    /// The key of the SDK's stores.
    pub(super) fn key(&self) -> &[u8; 32] {
        &self.0.key
    }

    /// The folder of the SDK's databases.
    pub(super) fn sdk_dir(&self) -> PathBuf {
        self.0.dir.join("sdk")
    }

    fn session_file(&self) -> PathBuf {
        self.0.dir.join("session.json")
    }

    /// The stored session; `None` when there is none.
    pub(super) fn load(&self) -> io::Result<Option<StoredSession>> {
        match fs::read(self.session_file()) {
            Ok(bytes) => Ok(Some(serde_json::from_slice(&bytes)?)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Writes the session next to the old one and renames, so that a crash leaves one of the two whole.
    pub(super) fn save(&self, session: &StoredSession) -> io::Result<()> {
        create_private_dir(&self.0.dir)?;
        let bytes = serde_json::to_vec(session)?;
        let new = self.0.dir.join("session.json.new");
        match fs::remove_file(&new) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut file = open_private(&new)?;
        file.write_all(&bytes)?;
        file.sync_all()?;
        fs::rename(&new, self.session_file())
    }

    pub(super) fn mark_soft_logged_out(&self) -> io::Result<()> {
        let Some(mut stored) = self.load()? else { return Ok(()) };
        stored.soft_logged_out = true;
        self.save(&stored)
    }

    /// Removes session, keys and caches.
    pub(super) fn wipe(&self) -> io::Result<()> {
        gone(fs::remove_file(self.session_file()))?;
        gone(fs::remove_dir_all(self.sdk_dir()))
    }

    /// Makes the folders, readable by their owner only.
    pub(super) fn prepare(&self) -> io::Result<()> {
        create_private_dir(&self.0.dir)?;
        create_private_dir(&self.sdk_dir())
    }
}

fn gone(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

#[cfg(unix)]
fn create_private_dir(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    fs::DirBuilder::new().recursive(true).mode(0o700).create(path)
}

#[cfg(not(unix))]
fn create_private_dir(path: &Path) -> io::Result<()> {
    fs::create_dir_all(path)
}

fn open_private(path: &Path) -> io::Result<fs::File> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600);
    }
    options.open(path)
}
