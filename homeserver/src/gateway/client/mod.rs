//! Doors for clients, one a floor (or one a large subject of it).

pub(super) mod auth;
pub(super) mod devices;
pub(super) mod messaging_errors;
pub(super) mod registration;
pub(super) mod sliding_sync;
pub(super) mod sync;
