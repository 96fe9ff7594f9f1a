//! The passcode of the lock screen: a key sealed with it in the data folder, so that a restart asks for it too.
//!
//! It keeps others off the screen, not off the disk: whoever can read the folder can read the key of the stores in it.

use matrix_sdk_store_encryption::StoreCipher;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// The passcode file of a data folder.
#[derive(Debug, Clone)]
pub struct Passcode {
    path: PathBuf,
}

impl Passcode {
    pub fn new(data_dir: &Path) -> Passcode {
        Passcode { path: data_dir.join("passcode") }
    }

    /// Whether one is set.
    pub fn is_set(&self) -> bool {
        self.path.exists()
    }

    /// Sets it; the old one is forgotten.
    pub fn set(&self, passcode: &str) -> io::Result<()> {
        // Deriving a key from it is slow on purpose: whoever gets at the file can't try many.
        let sealed = StoreCipher::new().and_then(|key| key.export(passcode));
        let sealed = sealed.map_err(|error| io::Error::other(error.to_string()))?;
        let beside = self.path.with_extension("new");
        let mut file =
            OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&beside)?;
        file.write_all(&sealed)?;
        file.sync_all()?;
        fs::rename(beside, &self.path)
    }

    /// Whether it is this one. A file that can't be read opens nothing.
    pub fn is(&self, passcode: &str) -> bool {
        fs::read(&self.path).is_ok_and(|sealed| StoreCipher::import(passcode, &sealed).is_ok())
    }

    /// Forgets it. There may be none.
    pub fn forget(&self) -> io::Result<()> {
        match fs::remove_file(&self.path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Passcode;

    #[test]
    fn only_the_passcode_that_was_set_opens_and_it_is_not_on_the_disk() {
        let folder = tempfile::tempdir().unwrap();
        let passcode = Passcode::new(folder.path());
        assert!(!passcode.is_set() && !passcode.is(""));
        passcode.set("open sesame").unwrap();
        assert!(passcode.is_set() && passcode.is("open sesame"));
        assert!(!passcode.is("open") && !passcode.is(""));
        let kept = std::fs::read(folder.path().join("passcode")).unwrap();
        assert!(!kept.windows(6).any(|window| window == b"sesame"));
        passcode.forget().unwrap();
        assert!(!passcode.is_set() && !passcode.is("open sesame"));
    }
}
