//! Starts real servers, a real mailbox and real clients, for the end-to-end tests and the demo.
//!
//! Everything runs on loopback in folders of its own: [`Loopback`] is where a test begins. Nothing here speaks Matrix for
//! the product; [`Api`] and [`Peer`] are the outside world's voice, so that a test sees what any other client or server sees.

mod cas;
mod certificates;
mod front;
mod hosted;
mod http;
mod loopback;
mod mail;
mod patience;
mod peer;
mod postgres;
mod process;
mod pty;
mod python;
mod registration;
mod relay;
mod search_bytes;
mod small_disk;
mod smtp_sink;
mod strace;
mod svg;
mod synapse;
mod synapse_config;
mod terminal;
mod tern;
mod ternd;
mod tls_listener;
mod trace;

pub use cas::Cas;
pub use certificates::{Authority, ServerCertificate};
pub use hosted::HostedRoom;
pub use http::{Answer, Api, encode};
pub use loopback::{Loopback, free_port};
pub use mail::Mail;
pub use patience::{PATIENCE, until};
pub use peer::{ASKED_BODY, Asked, Peer, PeerRoom, TestKey, event_id};
pub use postgres::{Database, Postgres};
pub use process::{Process, binary};
pub use pty::{Chunk, Screen, Size};
pub use python::{Person, python, python_has};
pub use registration::EmailSession;
pub use relay::{Passed, Relay, Upgrades};
pub use search_bytes::{Finding, Marker};
pub use small_disk::SmallDisk;
pub use smtp_sink::SmtpSink;
pub use strace::{Strace, can_trace};
pub use synapse::{Synapse, SynapseBuilder};
pub use terminal::Manners;
pub use tern::Tern;
pub use ternd::{Ternd, TerndBuilder};
pub use trace::{Call, Trace};
