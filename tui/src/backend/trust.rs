//! How far a session and others are trusted.

use super::UserId;
use std::sync::Arc;

/// The state of this session's encryption.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Encryption {
    /// This device is signed by its user's cross-signing key.
    pub verified: bool,
    /// Secret storage and key backup.
    pub recovery: Recovery,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recovery {
    Unknown,
    /// Never set up: offer it.
    Disabled,
    /// Never set up, and another device holds the keys: this one must be verified with it first.
    Elsewhere,
    /// Set up elsewhere and not opened here: ask for the key.
    Incomplete,
    Enabled,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verification {
    /// Somebody asks to verify.
    Requested {
        by: UserId,
        own: bool,
    },
    /// Asked; waiting for the other side.
    Waiting,
    /// The other side can scan this; emoji are the other way.
    Code(Code),
    /// The other side says that it has scanned the code: did it, the user is asked.
    Scanned,
    /// Compare these: (emoji, its name).
    Emoji(Vec<(String, String)>),
    /// This side confirmed; waiting for the other.
    Confirmed,
    Done,
    Cancelled {
        reason: String,
    },
}

/// A QR code: rows of squares, without the light zone around them.
#[derive(Clone, PartialEq, Eq)]
pub struct Code {
    /// Squares in a row, and rows.
    pub side: usize,
    /// Which are dark, row by row.
    pub dark: Arc<[bool]>,
}

impl Code {
    /// Whether the square is dark; all around the code none is.
    pub fn is_dark(&self, x: usize, y: usize) -> bool {
        x < self.side && self.dark.get(y * self.side + x) == Some(&true)
    }
}

/// What it says is as good as a key while the verification lasts.
impl std::fmt::Debug for Code {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Code(…)")
    }
}
