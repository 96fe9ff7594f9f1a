//! What the screen showed last, kept encrypted on disk, so that the next start paints before anything else is opened; and
//! beside it, in a small file of its own that is written far more often, what the user has written.
//!
//! `keeper.rs` writes both off the screen's thread. A snapshot that can't be read is no snapshot: everything in it comes again
//! from the backend. What the user has written comes from nowhere else.

use crate::backend::{AccountId, Chat, ChatId, Message, UserId, account_of, split};
use crate::sealed::SealedFile;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::io;
use std::path::Path;

/// Newest messages kept of the last chat.
pub const MESSAGES_MAX: usize = 100;
/// Newest chats kept.
pub const CHATS_MAX: usize = 2000;

/// Who was logged in.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct SavedAccount {
    #[serde(default)]
    pub id: AccountId,
    pub user: UserId,
    pub server: String,
    pub device: String,
}

/// What the screen showed.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Snapshot {
    #[serde(default)]
    pub accounts: Vec<SavedAccount>,
    pub chats: Vec<Chat>,
    pub open: Option<ChatId>,
    pub messages: Vec<Message>,
    /// Text not sent, by chat. Kept in the file of [`Written`].
    #[serde(default, skip_serializing)]
    pub drafts: HashMap<ChatId, String>,
    #[serde(skip)]
    pub outgoing: Vec<Outgoing>,
}

/// What the user has written and the backend does not keep yet.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Written {
    #[serde(default)]
    pub accounts: Vec<SavedAccount>,
    /// Text not sent, by chat.
    pub drafts: HashMap<ChatId, String>,
    pub outgoing: Vec<Outgoing>,
    /// The chat it was written in last.
    #[serde(default)]
    pub open: Option<ChatId>,
}

/// A message on its way from Enter into the backend's queue, which keeps it from there on.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outgoing {
    pub chat: ChatId,
    pub text: String,
    /// When Enter was pressed, milliseconds since the Unix epoch.
    pub at_ms: u64,
    /// It changes a message that this run of the client can't name any more.
    #[serde(default)]
    pub edit: bool,
    /// An earlier run left it behind.
    #[serde(skip)]
    pub left: bool,
}

impl Snapshot {
    /// Leaves out what belongs to other accounts than these; `None` when nothing is left.
    pub fn of(mut self, there: &[AccountId]) -> Option<Snapshot> {
        let of_them = |chat: &str| there.contains(&account_of(chat));
        self.accounts.retain(|account| there.contains(&account.id));
        self.chats.retain(|chat| of_them(&chat.id));
        self.drafts.retain(|chat, _| of_them(chat));
        self.outgoing.retain(|sent| of_them(&sent.chat));
        if self.open.take_if(|open| !of_them(open)).is_some() {
            self.messages.clear();
        }
        (!self.accounts.is_empty()).then_some(self)
    }
}

/// What both files say, however old: before there could be several accounts, they told of one, whose chats were called by their
/// rooms' ids.
trait Kept: for<'de> Deserialize<'de> {
    fn accounts(&mut self) -> &mut Vec<SavedAccount>;

    /// Has every chat id changed.
    fn each_chat(&mut self, change: &dyn Fn(&mut ChatId));
}

impl Kept for Snapshot {
    fn accounts(&mut self) -> &mut Vec<SavedAccount> {
        &mut self.accounts
    }

    fn each_chat(&mut self, change: &dyn Fn(&mut ChatId)) {
        self.open.iter_mut().for_each(change);
        for chat in &mut self.chats {
            change(&mut chat.id);
            chat.spaces.iter_mut().for_each(change);
        }
        rename(&mut self.drafts, change);
    }
}

impl Kept for Written {
    fn accounts(&mut self) -> &mut Vec<SavedAccount> {
        &mut self.accounts
    }

    fn each_chat(&mut self, change: &dyn Fn(&mut ChatId)) {
        self.open.iter_mut().for_each(change);
        self.outgoing.iter_mut().for_each(|sent| change(&mut sent.chat));
        rename(&mut self.drafts, change);
    }
}

fn rename(drafts: &mut HashMap<ChatId, String>, change: &dyn Fn(&mut ChatId)) {
    let renamed = drafts.drain().map(|(mut chat, text)| {
        change(&mut chat);
        (chat, text)
    });
    *drafts = renamed.collect();
}

fn read<T: Kept>(bytes: &[u8]) -> Option<T> {
    let mut kept: T = serde_json::from_slice(bytes).ok()?;
    if kept.accounts().is_empty()
        && let Ok(one) = serde_json::from_slice(bytes)
    {
        kept.accounts().push(one);
        kept.each_chat(&|chat| {
            if split(chat).0.is_none() {
                *chat = AccountId::FIRST.chat(chat);
            }
        });
    }
    Some(kept)
}

/// The two files of a data directory.
#[derive(Clone)]
pub struct SnapshotFile {
    screen: SealedFile,
    written: SealedFile,
}

impl SnapshotFile {
    /// `key` is the one of [`crate::keys::store_key`].
    pub fn new(data_dir: &Path, key: [u8; 32]) -> SnapshotFile {
        SnapshotFile {
            screen: SealedFile::new(data_dir.join("screen.snapshot"), key, b"TERNSN01"),
            written: SealedFile::new(data_dir.join("written.drafts"), key, b"TERNWR01"),
        }
    }

    /// What the last run left; `None` when there is nothing or it is not ours.
    pub fn load(&self) -> Option<Snapshot> {
        let screen = self.screen.load().and_then(|open| read::<Snapshot>(&open));
        let Some(written) = self.written.load().and_then(|open| read::<Written>(&open)) else {
            return screen;
        };
        let Written { accounts, drafts, mut outgoing, open } = written;
        for message in &mut outgoing {
            message.left = true;
        }
        let mut screen = screen.unwrap_or_default();
        // What was written last knows best who it was.
        let other = |known: &SavedAccount| {
            accounts.iter().any(|own| own.id == known.id && own.user != known.user)
        };
        let gone: Vec<AccountId> =
            screen.accounts.extract_if(.., |known| other(known)).map(|known| known.id).collect();
        screen.chats.retain(|chat| !gone.contains(&account_of(&chat.id)));
        screen.accounts.retain(|known| accounts.iter().all(|own| own.id != known.id));
        screen.accounts.extend(accounts);
        // The messages are another chat's when this one was opened after the snapshot.
        let messages = if screen.open == open { screen.messages } else { Vec::new() };
        Some(Snapshot { drafts, outgoing, open, messages, ..screen })
    }

    /// Replaces the snapshot: the old one or the new one is there, whatever happens.
    pub fn save(&self, snapshot: &Snapshot) -> io::Result<()> {
        self.screen.save(&serde_json::to_vec(snapshot)?)
    }

    /// Replaces what has been written.
    pub fn save_written(&self, written: &Written) -> io::Result<()> {
        self.written.save(&serde_json::to_vec(written)?)
    }

    /// Removes both. There may be none.
    pub fn forget(&self) -> io::Result<()> {
        self.written.forget().and(self.screen.forget())
    }
}

#[cfg(test)]
mod tests {
    use super::{Outgoing, SavedAccount, Snapshot, SnapshotFile, Written};
    use crate::backend::{AccountId, Chat};
    use serde_json::json;

    fn account(id: u32, user: &str) -> SavedAccount {
        SavedAccount { id: AccountId(id), user: user.to_owned(), ..SavedAccount::default() }
    }

    fn sample() -> Snapshot {
        let chat = Chat {
            id: "0!a:example.org".to_owned(),
            name: "marker-7261".to_owned(),
            ..Chat::default()
        };
        let accounts = vec![account(0, "@alice:example.org")];
        Snapshot { accounts, chats: vec![chat], ..Snapshot::default() }
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

    #[test]
    fn what_was_written_outlives_a_damaged_snapshot_and_is_marked_as_left() {
        let folder = tempfile::tempdir().unwrap();
        let file = SnapshotFile::new(folder.path(), [7; 32]);
        file.save(&sample()).unwrap();
        let message = Outgoing { text: "on its way".to_owned(), ..Outgoing::default() };
        let drafts = [("0!a:example.org".to_owned(), "half a sen".to_owned())].into();
        let accounts = vec![account(0, "@alice:example.org")];
        let written = Written { accounts, drafts, outgoing: vec![message], ..Written::default() };
        file.save_written(&written).unwrap();
        let loaded = file.load().unwrap();
        assert_eq!((loaded.chats.len(), loaded.drafts.len()), (1, 1));
        assert!(loaded.outgoing[0].left);
        std::fs::write(folder.path().join("screen.snapshot"), b"torn").unwrap();
        let loaded = file.load().unwrap();
        assert_eq!((loaded.chats.len(), loaded.drafts), (0, written.drafts));
    }

    #[test]
    fn what_a_client_of_one_account_kept_is_the_first_accounts() {
        let folder = tempfile::tempdir().unwrap();
        let file = SnapshotFile::new(folder.path(), [7; 32]);
        let who = json!({ "user": "@alice:example.org", "server": "example.org", "device": "D" });
        let (mut screen, mut written) = (who.clone(), who);
        let mut chat = serde_json::to_value(Chat::default()).unwrap();
        chat["id"] = json!("!a:example.org");
        screen["chats"] = json!([chat]);
        screen["open"] = json!("!a:example.org");
        screen["messages"] = json!([]);
        written["drafts"] = json!({ "!a:example.org": "half a sen" });
        written["outgoing"] = json!([{ "chat": "!a:example.org", "text": "sent", "at_ms": 1 }]);
        written["open"] = json!("!a:example.org");
        file.screen.save(screen.to_string().as_bytes()).unwrap();
        file.written.save(written.to_string().as_bytes()).unwrap();
        let loaded = file.load().unwrap();
        assert_eq!(loaded.accounts.len(), 1);
        let first = &loaded.accounts[0];
        assert_eq!((first.id, first.user.as_str()), (AccountId::FIRST, "@alice:example.org"));
        assert_eq!(loaded.chats[0].id, "0!a:example.org");
        assert_eq!(loaded.open.as_deref(), Some("0!a:example.org"));
        assert_eq!(loaded.drafts["0!a:example.org"], "half a sen");
        assert_eq!(loaded.outgoing[0].chat, "0!a:example.org");
    }

    #[test]
    fn of_several_accounts_only_those_that_are_there_are_shown() {
        let folder = tempfile::tempdir().unwrap();
        let file = SnapshotFile::new(folder.path(), [7; 32]);
        let mut both = sample();
        both.accounts.push(account(1, "@bob:example.org"));
        both.chats.push(Chat { id: "1!a:example.org".to_owned(), ..Chat::default() });
        both.open = Some("1!a:example.org".to_owned());
        file.save(&both).unwrap();
        let accounts = both.accounts.clone();
        let drafts =
            ["0", "1"].map(|account| (format!("{account}!a:example.org"), "hm".to_owned())).into();
        let open = both.open.clone();
        file.save_written(&Written { accounts, drafts, open, ..Written::default() }).unwrap();
        let all = file.load().unwrap();
        assert_eq!((all.accounts.len(), all.chats.len(), all.drafts.len()), (2, 2, 2));
        let one = all.clone().of(&[AccountId::FIRST]).unwrap();
        assert_eq!((one.accounts, one.chats), (sample().accounts, sample().chats));
        assert_eq!((one.open, one.drafts.len()), (None, 1));
        assert_eq!(all.of(&[]), None);
    }
}
