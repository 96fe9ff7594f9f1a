//! Doors for clients, one a floor (or one a large subject of it).

pub(super) mod account;
pub(super) mod admin;
pub(super) mod auth;
pub(super) mod cross_signing;
pub(super) mod devices;
pub(super) mod directory;
pub(super) mod discovery;
pub(super) mod emails;
pub(super) mod history;
pub(super) mod key_backup;
pub(super) mod keys;
pub(super) mod media;
pub(super) mod messages;
pub(super) mod messaging_errors;
pub(super) mod profile;
pub(super) mod push;
pub(super) mod registration;
pub(super) mod reports;
pub(super) mod rooms;
pub(super) mod sliding_sync;
pub(super) mod socket;
pub(super) mod sync;
pub(super) mod to_device;
