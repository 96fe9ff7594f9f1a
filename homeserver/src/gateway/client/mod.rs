//! Doors for clients, one a floor (or one a large subject of it).

pub(super) mod auth;
pub(super) mod messaging_errors;
pub(super) mod sync;
