//! Doors for clients, one a floor (or one a large subject of it).

pub(super) mod auth;
pub(super) mod devices;
pub(super) mod discovery;
pub(super) mod media;
pub(super) mod registration;
