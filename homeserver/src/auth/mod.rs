//! Who is it: accounts, passwords, email proofs, sessions, tokens, interactive authentication.
//!
//! Not here: what a user keeps (`account`). Called by the doors and by floors that need a [`Requester`].

mod sessions;

use ruma::{OwnedDeviceId, OwnedUserId};

pub use sessions::{Auth, authenticate};

use crate::storage::{self, Id};

/// The verified user and device behind a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Requester {
    pub user_id: OwnedUserId,
    /// The interned user.
    pub user: Id,
    pub device_id: OwnedDeviceId,
    /// The interned device.
    pub device: Id,
}

/// Why a request is not who it says.
#[derive(Debug, thiserror::Error)]
pub enum AuthError {
    /// The token was never given out, or has ended. `soft_logout`: the client may keep its keys and log in again.
    #[error("unknown access token")]
    UnknownToken { soft_logout: bool },
    #[error(transparent)]
    Storage(#[from] storage::Error),
}
