//! Server-to-server Matrix: what leaves, what comes in, and who it is from.
//!
//! Only this crate knows `X-Matrix`, `.well-known`, SRV records and TLS names. It knows no database and no room: what it
//! needs from its host it asks for by three traits, [`Inbound`] (a neighbour sent us this), [`Outbox`] (what we owe to
//! whom) and [`KeyStore`] (keys that outlive the process).
//!
//! ```text
//! out:  Outbox ─▶ outbound::Sender ─▶ client ─▶ discovery ─▶ network (address policy) ─▶ TLS
//!                                       └ x_matrix ◀ signing
//! in:   axum router ─▶ inbound::Authenticated (x_matrix ◀ key_ring) ─▶ Inbound
//! ```

pub mod client;
pub mod clock;
pub mod discovery;
pub mod inbound;
pub mod key_ring;
pub mod media;
pub mod network;
pub mod outbound;
pub mod pages;
mod parallel;
pub mod signing;
#[cfg(feature = "testing")]
pub mod testing;
pub mod x_matrix;

pub use self::{
    client::{CallLimits, Client, ClientConfig, ClientError, RequestError},
    clock::{Clock, SystemClock},
    inbound::{Authenticated, Inbound, InboundTools, Public, Refusal, Transaction, router},
    key_ring::{
        EventError, KeyError, KeyRing, KeyRingConfig, KeyStore, KeyStoreError, ServerKeys,
        VerifiedEvent,
    },
    media::{Media, MediaBody, MediaContent},
    network::{AddressPolicy, Cidr, Denied},
    outbound::{
        Batch, Cursor, EphemeralKey, Outbox, OutboxError, Owed, Retry, Sender, SenderConfig,
    },
    pages::{OpenPage, PageError, PageRules, Pages},
    parallel::{Interrupted, on_all_cores},
    signing::{SigningError, SigningKey},
};
