//! The crate from outside: real HTTP on loopback, hosts in memory, clocks wound by hand.

mod common;
mod inbound;
mod key_ring;
mod sender;
mod signing;
mod tls;
