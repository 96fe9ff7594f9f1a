//! The homeserver, floor by floor. A floor may use only those to its left; `tests/tidy.rs` holds it:
//!
//! ```text
//! storage → auth → media → account → messaging → notification → admin → gateway → main
//! ```
//!
//! Foundation, usable by all and knowing no floor: `config`, `clock`, `disk`, `bell`, `stale`, `generations`, `mail`, `random`, `jobs`, and
//! `app`, the struct of
//! tools.

pub mod app;
pub mod bell;
pub mod buckets;
pub mod cli;
pub mod clock;
pub mod config;
pub mod disk;
mod generations;
pub mod jobs;
pub mod mail;
pub mod random;

pub mod storage;

pub mod auth;

pub mod media;

pub mod account;

pub mod messaging;

pub mod notification;

pub mod admin;

pub mod gateway;
pub mod serve;
pub mod stale;
pub mod tasks;
