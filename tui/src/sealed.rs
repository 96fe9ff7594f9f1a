//! Files in the data folder that are encrypted with the store key and replaced whole: the snapshot and what has been written.

use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{Key, XChaCha20Poly1305, XNonce};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;

const NONCE_BYTES: usize = 24;

/// One such file.
#[derive(Clone)]
pub struct SealedFile {
    path: PathBuf,
    key: [u8; 32],
    /// First bytes of the file, authenticated with the rest. Another layout gets other ones.
    magic: &'static [u8; 8],
}

impl SealedFile {
    /// `key` is the one of [`crate::keys::store_key`].
    pub fn new(path: PathBuf, key: [u8; 32], magic: &'static [u8; 8]) -> SealedFile {
        SealedFile { path, key, magic }
    }

    fn cipher(&self) -> XChaCha20Poly1305 {
        XChaCha20Poly1305::new(Key::from_slice(&self.key))
    }

    /// What is in it; `None` when there is none or it is not ours.
    pub fn load(&self) -> Option<Vec<u8>> {
        let file = fs::read(&self.path).ok()?;
        let rest = file.strip_prefix(self.magic)?;
        let (nonce, sealed) = rest.split_at_checked(NONCE_BYTES)?;
        let payload = Payload { msg: sealed, aad: self.magic };
        self.cipher().decrypt(XNonce::from_slice(nonce), payload).ok()
    }

    /// Replaces it: what was there or what is new is there, whatever happens.
    pub fn save(&self, open: &[u8]) -> io::Result<()> {
        let nonce: [u8; NONCE_BYTES] = rand::random();
        let payload = Payload { msg: open, aad: self.magic };
        let sealed = self.cipher().encrypt(XNonce::from_slice(&nonce), payload);
        let sealed = sealed.map_err(|_| io::Error::other("it can't be encrypted"))?;
        let beside = self.path.with_extension("new");
        let mut file =
            OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&beside)?;
        file.write_all(self.magic)?;
        file.write_all(&nonce)?;
        file.write_all(&sealed)?;
        file.sync_all()?;
        fs::rename(beside, &self.path)?;
        // The name, too, must be there after a power cut.
        match self.path.parent() {
            Some(folder) => File::open(folder)?.sync_all(),
            None => Ok(()),
        }
    }

    /// Removes it. There may be none.
    pub fn forget(&self) -> io::Result<()> {
        match fs::remove_file(&self.path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }
}
