//! The client on the fake backend (keys in, requests and screens out), and the real binary in a pty.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "helpers of tests, where a panic is a failure"
)]

mod accounts;
mod albums;
mod bidi;
mod common;
mod encryption;
mod keys;
mod leaving;
mod links;
mod profiles;
mod screens;
mod sso;
mod terminal;
mod ways;
mod welcome;
mod writing;
