//! The crate from outside: real HTTP on loopback, hosts in memory, clocks wound by hand.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "helpers of tests may fail like the tests themselves"
)]

mod common;
mod inbound;
mod key_ring;
mod sender;
mod signing;
mod tls;
