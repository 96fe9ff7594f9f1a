//! What of a session stays on disk: `session.json` (0600) and the SDK's encrypted stores in a folder that it names.

use std::{
    fs, io,
    io::Write,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use matrix_sdk::authentication::matrix::MatrixSession;
use rand::distr::{Alphanumeric, SampleString};
use serde::{Deserialize, Serialize};
use url::Url;

use crate::backend::AccountId;

/// The folder of the further accounts' folders, which are called by their numbers.
const ACCOUNTS: &str = "accounts";
/// How the folders of databases are called, with a word of their own behind it.
const STORES: &str = "sdk";

fn first_stores() -> String {
    STORES.to_owned()
}

/// Where a session lives. Cheap to clone.
#[derive(Clone)]
pub(super) struct Store(Arc<Inner>);

struct Inner {
    dir: PathBuf,
    key: [u8; 32],
    /// The folder of the stores in use, inside `dir`.
    stores: Mutex<String>,
}

/// A session as it is kept between runs.
#[derive(Serialize, Deserialize)]
pub(super) struct StoredSession {
    pub(super) homeserver: Url,
    /// The server wants a new login; device and keys stay.
    #[serde(default)]
    pub(super) soft_logged_out: bool,
    /// The folder of its stores.
    #[serde(default = "first_stores")]
    pub(super) stores: String,
    pub(super) session: MatrixSession,
}

impl Store {
    pub(super) fn new(dir: PathBuf, key: [u8; 32]) -> Self {
        Self(Arc::new(Inner { dir, key, stores: Mutex::new(first_stores()) }))
    }

    /// The key of the SDK's stores.
    pub(super) fn key(&self) -> &[u8; 32] {
        &self.0.key
    }

    fn stores(&self) -> MutexGuard<'_, String> {
        self.0.stores.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The name of the folder of the SDK's databases.
    pub(super) fn stores_name(&self) -> String {
        self.stores().clone()
    }

    /// The folder of the SDK's databases.
    pub(super) fn sdk_dir(&self) -> PathBuf {
        self.0.dir.join(&*self.stores())
    }

    /// Takes a folder that was never used for the next session. Databases of a client that was dropped close a while later, and
    /// remove their logs by name: under the same name those would be the next client's.
    pub(super) fn renew(&self) {
        let name = Alphanumeric.sample_string(&mut rand::rng(), 8).to_lowercase();
        *self.stores() = format!("{STORES}-{name}");
    }

    /// All folders of databases that are there.
    fn all_stores(&self) -> io::Result<Vec<PathBuf>> {
        let entries = match fs::read_dir(&self.0.dir) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries?,
        };
        let is_stores = |path: &PathBuf| {
            let name = path.file_name().and_then(|name| name.to_str());
            name.and_then(|name| name.strip_prefix(STORES))
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
        };
        Ok(entries.flatten().map(|entry| entry.path()).filter(is_stores).collect())
    }

    fn running_file(&self) -> PathBuf {
        self.sdk_dir().join("running")
    }

    /// Says that a run begins; `true`: the one before did not end, but was cut off.
    pub(super) fn begin_run(&self) -> bool {
        let file = self.running_file();
        let cut_off = file.exists();
        if let Err(error) = fs::write(&file, []) {
            tracing::warn!(%error, "a run that is cut off won't be noticed");
        }
        cut_off
    }

    /// Says that the run ended with everything on disk.
    pub(super) fn end_run(&self) {
        if let Err(error) = fs::remove_file(self.running_file()) {
            tracing::debug!(%error, "the next run will sync anew");
        }
    }

    fn session_file(&self) -> PathBuf {
        session_file(&self.0.dir)
    }

    /// The stored session; `None` when there is none.
    pub(super) fn load(&self) -> io::Result<Option<StoredSession>> {
        match fs::read(self.session_file()) {
            Ok(bytes) => {
                let stored: StoredSession = serde_json::from_slice(&bytes)?;
                if Path::new(&stored.stores).components().count() != 1 {
                    return Err(io::ErrorKind::InvalidData.into());
                }
                self.stores().clone_from(&stored.stores);
                Ok(Some(stored))
            }
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
        for stores in self.all_stores()? {
            gone(fs::remove_dir_all(stores))?;
        }
        Ok(())
    }

    /// Removes the folder if no session is in it, with what a login that failed may have left.
    pub(super) fn clear_away(&self) {
        if matches!(self.load(), Ok(None))
            && let Err(error) = self.wipe().and_then(|()| gone(fs::remove_dir(&self.0.dir)))
        {
            tracing::debug!(%error, "an account's folder is kept");
        }
    }

    /// Moves session, keys and caches into a folder of their own beside.
    pub(super) fn set_aside(&self) -> io::Result<()> {
        let aside = (1..u32::MAX)
            .map(|number| self.0.dir.join(format!("set-aside-{number}")))
            .find(|path| !path.exists())
            .ok_or(io::ErrorKind::AlreadyExists)?;
        create_private_dir(&aside)?;
        for stores in self.all_stores()? {
            let name = stores.file_name().ok_or(io::ErrorKind::InvalidInput)?;
            fs::rename(&stores, aside.join(name))?;
        }
        gone(fs::rename(self.session_file(), aside.join("session.json")))
    }

    /// Makes the folders, readable by their owner only.
    pub(super) fn prepare(&self) -> io::Result<()> {
        create_private_dir(&self.0.dir)?;
        create_private_dir(&self.sdk_dir())
    }
}

/// The folder of an account inside the client's: the first one's is the client's own, as it was when there was but one.
pub(super) fn folder(data_dir: &Path, account: AccountId) -> PathBuf {
    match account {
        AccountId::FIRST => data_dir.to_owned(),
        AccountId(number) => data_dir.join(ACCOUNTS).join(number.to_string()),
    }
}

/// The accounts that have a session in `data_dir`.
pub(super) fn accounts(data_dir: &Path) -> Vec<AccountId> {
    let folders = fs::read_dir(data_dir.join(ACCOUNTS)).into_iter().flatten().flatten();
    let number = |folder: fs::DirEntry| folder.file_name().to_str()?.parse().ok().map(AccountId);
    let further = folders.filter_map(number).filter(|account| *account != AccountId::FIRST);
    let mut accounts: Vec<AccountId> = std::iter::once(AccountId::FIRST).chain(further).collect();
    accounts.retain(|account| session_file(&folder(data_dir, *account)).exists());
    accounts.sort();
    accounts
}

/// Where the session of a data folder is.
pub(super) fn session_file(dir: &Path) -> PathBuf {
    dir.join("session.json")
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
