//! Doors for clients, one a floor (or one a large subject of it).

pub(super) mod auth;
pub(super) mod cross_signing;
pub(super) mod devices;
pub(super) mod key_backup;
pub(super) mod keys;
pub(super) mod registration;
pub(super) mod to_device;
