//! The client on the fake backend (keys in, requests and screens out), and the real binary in a pty.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "helpers of tests, where a panic is a failure"
)]

mod common;
mod encryption;
mod keys;
mod leaving;
mod screens;
mod terminal;
mod welcome;
