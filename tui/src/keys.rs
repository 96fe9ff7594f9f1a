//! The 32-byte key that opens everything the client keeps on disk: `store.key` in the data directory, readable by its owner
//! only. The snapshot and the backend's stores are opened with it.

use std::fs::{self, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The file can't be read or written.
    #[error("{}: {error}", path.display())]
    File { path: PathBuf, error: io::Error },
    /// The file is there and is not a key. It is left alone: the stores can be opened with the right one only.
    #[error("{} is damaged: it should hold 32 bytes; restore it, or move the whole folder away to start anew", .0.display())]
    Damaged(PathBuf),
}

/// The key of `data_dir`, made (with the folder) at the first start.
pub fn store_key(data_dir: &Path) -> Result<[u8; 32], KeyError> {
    let path = data_dir.join("store.key");
    let failed = |error| KeyError::File { path: path.clone(), error };
    fs::DirBuilder::new().recursive(true).mode(0o700).create(data_dir).map_err(failed)?;
    match fs::File::open(&path) {
        Ok(mut file) => {
            file.set_permissions(fs::Permissions::from_mode(0o600)).map_err(failed)?;
            let mut bytes = Vec::new();
            Read::by_ref(&mut file).take(33).read_to_end(&mut bytes).map_err(failed)?;
            bytes.try_into().map_err(|_| KeyError::Damaged(path.clone()))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let key: [u8; 32] = rand::random();
            let mut file = OpenOptions::new()
                .write(true)
                .create_new(true)
                .mode(0o600)
                .open(&path)
                .map_err(failed)?;
            file.write_all(&key).and_then(|()| file.sync_all()).map_err(failed)?;
            Ok(key)
        }
        Err(error) => Err(failed(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::{KeyError, store_key};
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_key_is_made_once_and_for_the_owner_only() {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("deep/data");
        let key = store_key(&data).unwrap();
        assert_eq!(store_key(&data).unwrap(), key);
        let mode = std::fs::metadata(data.join("store.key")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn a_damaged_key_is_not_replaced() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("store.key"), b"short").unwrap();
        assert!(matches!(store_key(folder.path()), Err(KeyError::Damaged(_))));
    }
}
