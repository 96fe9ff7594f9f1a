//! Files on their way from the server to this machine.

use crate::backend::{ChatId, MessageKey, TransferEnd};

/// One of them, or one that has just arrived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transfer {
    /// Names it towards the backend.
    pub id: u64,
    pub chat: ChatId,
    pub message: MessageKey,
    pub name: String,
    pub done: u64,
    /// Not every server says it.
    pub total: Option<u64>,
    /// A program is to open it when it is there.
    pub open: bool,
    pub end: Option<TransferEnd>,
}

impl Transfer {
    /// How far it is; nothing once it has ended.
    pub fn words(&self) -> Option<String> {
        if self.end.is_some() {
            return None;
        }
        let how_far = match self.total {
            Some(total) if total > 0 => format!("{} %", self.done.saturating_mul(100) / total),
            _ => size_words(self.done),
        };
        Some(format!("↓ {} {how_far}", self.name))
    }

    /// Its line among all of them.
    pub fn line(&self) -> String {
        match &self.end {
            None => self.words().unwrap_or_default(),
            Some(TransferEnd::Saved(path)) => format!("✓ {} is {}", self.name, path.display()),
            Some(TransferEnd::Cancelled) => format!("– {}: stopped", self.name),
            Some(TransferEnd::Failed(reason)) => format!("! {}: {reason}", self.name),
        }
    }
}

/// A number of bytes as people say it.
pub fn size_words(bytes: u64) -> String {
    match bytes {
        0..1024 => format!("{bytes} B"),
        1024..1_048_576 => format!("{} KiB", bytes / 1024),
        _ => format!("{}.{} MiB", bytes / 1_048_576, bytes % 1_048_576 * 10 / 1_048_576),
    }
}
