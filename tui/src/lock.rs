//! One `tern` at a time for a data folder: two would write the same stores over each other.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

/// Why the folder is not ours.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    #[error("another tern has {} open: go there, or take another folder with --data DIR", .0.display())]
    InUse(PathBuf),
    #[error("{} can't be locked: {error}", folder.display())]
    File { folder: PathBuf, error: io::Error },
}

/// Holds the folder until it is dropped, or the process ends, however it ends.
#[derive(Debug)]
pub struct DataLock {
    _file: File,
}

impl DataLock {
    /// Takes the folder, which is there.
    pub fn take(data_dir: &Path) -> Result<DataLock, LockError> {
        let failed = |error| LockError::File { folder: data_dir.to_owned(), error };
        let path = data_dir.join("lock");
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(path)
            .map_err(failed)?;
        match file.try_lock() {
            Ok(()) => Ok(DataLock { _file: file }),
            Err(TryLockError::WouldBlock) => Err(LockError::InUse(data_dir.to_owned())),
            Err(TryLockError::Error(error)) => Err(failed(error)),
        }
    }
}
