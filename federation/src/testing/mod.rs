//! For tests of this crate and of its hosts: a clock wound by hand, and the host's three traits in memory.

mod clock;
mod host;
mod outbox;

pub use self::{
    clock::HandWoundClock,
    host::{MemoryHost, Received},
    outbox::{MemoryKeyStore, MemoryOutbox},
};
