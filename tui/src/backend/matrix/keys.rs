//! Room keys from the backup for messages on screen that could not be decrypted.
//!
//! The SDK asks the backup once, when decryption fails; keys that become available later (recovery entered, the other
//! session's upload done a moment afterwards) would leave the message locked until the next start.

use std::{collections::HashSet, sync::Arc};

use matrix_sdk::Room;

use super::{errors::explain, session::Session, sync::Retry};

/// Sessions asked for at once: what fits on a few screens.
const AT_ONCE: usize = 64;
const TRIES: usize = 5;

/// The keys one chat has asked for already.
#[derive(Default)]
pub(super) struct MissingKeys {
    asked: HashSet<String>,
}

impl MissingKeys {
    /// Looks for those of `sessions` that have not been asked for yet.
    pub(super) fn look_for(&mut self, session: &Arc<Session>, room: &Room, sessions: Vec<String>) {
        let new: Vec<_> =
            sessions.into_iter().filter(|id| self.asked.insert(id.clone())).take(AT_ONCE).collect();
        if !new.is_empty() {
            session.spawn(fetch(session.clone(), room.clone(), new));
        }
    }
}

/// Fetches the keys; those the backup has not yet are tried a few times more. What arrives is decrypted by the SDK.
async fn fetch(session: Arc<Session>, room: Room, mut wanted: Vec<String>) {
    let backups = session.client.encryption().backups();
    let mut retry = Retry::default();
    for _ in 0..TRIES {
        if !backups.are_enabled().await {
            return;
        }
        let mut missing = Vec::new();
        for id in wanted {
            if !matches!(backups.download_room_key(room.room_id(), &id).await, Ok(true)) {
                missing.push(id);
            }
        }
        if missing.is_empty() {
            return;
        }
        wanted = missing;
        retry.wait().await;
    }
}

/// Looks in the backup for one key because somebody asks, and says what came of it.
pub(super) async fn look_again(session: &Session, room: &Room, megolm: &str) {
    let backups = session.client.encryption().backups();
    if !backups.are_enabled().await {
        return session.reports.notice(
            "There is no key backup open here. Give the recovery key, or verify with another device.",
        );
    }
    match backups.download_room_key(room.room_id(), megolm).await {
        // What arrived is decrypted by the SDK.
        Ok(true) => {}
        Ok(false) => session.reports.notice(
            "The key of this message is not in the backup. Ask its sender, or try again later.",
        ),
        Err(error) => session.reports.failed(explain(&error)),
    }
}
