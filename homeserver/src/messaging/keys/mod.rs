//! What end-to-end encryption needs of a server: keys handed out, devices' lists kept fresh, messages from device to device,
//! room keys backed up.
//!
//! The server reads none of it, but checks all of it: what a bad key breaks is another's client. Called by the doors for
//! clients and servers and by sync. Not here: rooms. How a change of a device travels:
//!
//! ```text
//! upload, deletion, rename ─▶ device_list_changes (in its commit) ─▶ announce ─▶ local users' bells, EDUs for other servers
//! ```

mod announce;
mod backup;
mod claim;
mod cross_sign;
mod delta;
mod federation;
mod query;
mod remote;
mod sign;
mod signed_json;
mod to_device;
mod upload;

use ruma::{OwnedServerName, UserId};

pub use announce::{
    announce, catch_up, destinations_sharing_rooms, device_renamed, forget_devices, introduce,
    record_change, users_sharing_rooms,
};
pub use backup::{
    BackupInfo, BackupState, SessionPath, create_backup, delete_backup, delete_backup_keys,
    find_backup, find_backup_keys, put_backup_keys, update_backup,
};
pub use claim::{ClaimedKeys, Claims, claim_keys, federation_claim_keys};
pub use cross_sign::{
    CrossSigningUpload, changes_nothing, needs_authentication, upload_cross_signing,
};
pub use delta::{Delta, changed_users_between, device_list_delta};
pub use federation::{
    federation_devices, federation_query_keys, receive_device_list_update,
    receive_direct_to_device, receive_signing_key_update, resync, resync_stale,
};
pub use query::{QueriedKeys, query_keys};
pub use sign::{SignatureFailure, SignatureFailures, upload_signatures};
pub use to_device::{
    ToDeviceRequest, delete_to_device, has_to_device, send_to_device, to_device_since,
};
pub use upload::{KeyUpload, one_time_key_counts, unused_fallback_types, upload_keys};

use crate::{app::App, storage};

/// Why keys were not taken or given.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// The keys are not what the specification allows; the text says what is wrong.
    #[error("{0}")]
    Invalid(String),
    /// The device keys are no device keys.
    #[error("{0}")]
    Malformed(String),
    /// A signature is missing or does not verify.
    #[error("{0}")]
    BadSignature(String),
    #[error("{0}")]
    TooLarge(String),
    /// No such user, backup or backed-up key.
    #[error("{0}")]
    NotFound(&'static str),
    /// The backup moved on to another version.
    #[error("the key backup has another version now")]
    WrongVersion { current: String },
    /// A server spoke of a user who is not its own.
    #[error("{0}")]
    Forbidden(&'static str),
    /// Another server refused or did not answer.
    #[error("{server}: {reason}")]
    Remote { server: OwnedServerName, reason: String },
    #[error(transparent)]
    Storage(#[from] storage::Error),
}

impl Error {
    fn invalid(text: impl Into<String>) -> Self {
        Self::Invalid(text.into())
    }
}

/// Whether `user_id` is one of this server's.
fn is_local(app: &App, user_id: &UserId) -> bool {
    app.is_ours(user_id.server_name())
}
