//! What the screen showed last, kept encrypted on disk, so that the next start paints before anything else is opened.
//!
//! `app.rs` writes it a while after changes and at exit. A snapshot that can't be read is no snapshot: everything in it
//! (drafts aside) comes again from the backend.

use crate::backend::{Chat, ChatId, Message, UserId};
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{Key, XChaCha20Poly1305, XNonce};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// First bytes of the file, authenticated with the rest. Another layout gets another number.
const MAGIC: &[u8; 8] = b"TERNSN01";
const NONCE_BYTES: usize = 24;
/// Newest messages kept of the last chat.
pub const MESSAGES_MAX: usize = 100;
/// Newest chats kept.
pub const CHATS_MAX: usize = 2000;

/// What the screen showed.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Snapshot {
    pub user: UserId,
    pub server: String,
    pub device: String,
    pub chats: Vec<Chat>,
    pub open: Option<ChatId>,
    pub messages: Vec<Message>,
    /// Text not sent, by chat.
    pub drafts: HashMap<ChatId, String>,
}

/// The snapshot file of a data directory.
#[derive(Clone)]
pub struct SnapshotFile {
    path: PathBuf,
    key: [u8; 32],
}

impl SnapshotFile {
    /// `key` is the one of [`crate::keys::store_key`].
    pub fn new(data_dir: &Path, key: [u8; 32]) -> SnapshotFile {
        SnapshotFile { path: data_dir.join("screen.snapshot"), key }
    }

    fn cipher(&self) -> XChaCha20Poly1305 {
        XChaCha20Poly1305::new(Key::from_slice(&self.key))
    }

    /// The last snapshot; `None` when there is none or it is not ours.
    pub fn load(&self) -> Option<Snapshot> {
        let file = fs::read(&self.path).ok()?;
        let rest = file.strip_prefix(MAGIC)?;
        let (nonce, sealed) = rest.split_at_checked(NONCE_BYTES)?;
        let open = self
            .cipher()
            .decrypt(XNonce::from_slice(nonce), Payload { msg: sealed, aad: MAGIC })
            .ok()?;
        serde_json::from_slice(&open).ok()
    }

    /// Replaces the snapshot: the old one or the new one is there, whatever happens.
    pub fn save(&self, snapshot: &Snapshot) -> io::Result<()> {
        let nonce: [u8; NONCE_BYTES] = rand::random();
        let open = serde_json::to_vec(snapshot)?;
        let sealed =
            self.cipher().encrypt(XNonce::from_slice(&nonce), Payload { msg: &open, aad: MAGIC });
        let sealed = sealed.map_err(|_| io::Error::other("the snapshot can't be encrypted"))?;
        let beside = self.path.with_extension("new");
        let mut file =
            OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&beside)?;
        file.write_all(MAGIC)?;
        file.write_all(&nonce)?;
        file.write_all(&sealed)?;
        file.sync_all()?;
        fs::rename(beside, &self.path)
    }

    /// Removes it. There may be none.
    pub fn forget(&self) -> io::Result<()> {
        match fs::remove_file(&self.path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Snapshot, SnapshotFile};
    use crate::backend::Chat;

    fn sample() -> Snapshot {
        let chat = Chat {
            id: "!a:example.org".to_owned(),
            name: "marker-7261".to_owned(),
            ..Chat::default()
        };
        Snapshot { user: "@alice:example.org".to_owned(), chats: vec![chat], ..Snapshot::default() }
    }

    #[test]
    fn what_is_saved_is_loaded_and_not_readable_on_disk() {
        let folder = tempfile::tempdir().unwrap();
        let file = SnapshotFile::new(folder.path(), [7; 32]);
        assert_eq!(file.load(), None);
        file.save(&sample()).unwrap();
        assert_eq!(file.load(), Some(sample()));
        let bytes = std::fs::read(folder.path().join("screen.snapshot")).unwrap();
        assert!(!bytes.windows(6).any(|window| window == b"marker"));
        file.forget().unwrap();
        file.forget().unwrap();
        assert_eq!(file.load(), None);
    }

    #[test]
    fn another_key_or_a_changed_byte_gives_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let file = SnapshotFile::new(folder.path(), [7; 32]);
        file.save(&sample()).unwrap();
        assert_eq!(SnapshotFile::new(folder.path(), [8; 32]).load(), None);
        let path = folder.path().join("screen.snapshot");
        let bytes = std::fs::read(&path).unwrap();
        for at in [0, 9, 40, bytes.len() - 1] {
            let mut changed = bytes.clone();
            changed[at] ^= 1;
            std::fs::write(&path, changed).unwrap();
            assert_eq!(file.load(), None, "byte {at}");
        }
    }
}
