//! The terminal client `tern`.

pub mod backend;
