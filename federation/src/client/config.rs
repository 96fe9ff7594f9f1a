//! What the client needs to know, each value with its default.

use std::time::Duration;

use ruma::OwnedServerName;

use crate::network::AddressPolicy;

/// What a client needs to know.
#[derive(Debug, Clone)]
pub struct ClientConfig {
    /// Our own name, in which requests are signed.
    pub server_name: OwnedServerName,
    /// Addresses that may be connected to although they are not public.
    pub policy: AddressPolicy,
    /// Certificate authorities to be believed beside the system's, each a PEM file's bytes.
    pub extra_ca_pems: Vec<Vec<u8>>,
    /// Limits of a request that names none of its own.
    pub limits: CallLimits,
    pub connect_timeout: Duration,
    pub user_agent: String,
    /// For tests on loopback only: `http` instead of `https` to destinations whose name is a loopback address or under
    /// `localhost`. Nothing else is ever sent without TLS.
    pub plain_http_to_loopback: bool,
    /// Off: every request ends with [`RequestError::Off`](super::RequestError::Off) before anything leaves.
    pub enabled: bool,
}

/// How long to wait for a whole answer and how large it may be (decompressed).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CallLimits {
    pub timeout: Duration,
    pub response_bytes_max: usize,
}

impl Default for CallLimits {
    fn default() -> Self {
        Self { timeout: Duration::from_secs(30), response_bytes_max: 16 * 1024 * 1024 }
    }
}

impl ClientConfig {
    /// The configuration for `server_name` with every default: public addresses only, the system's authorities.
    pub fn new(server_name: OwnedServerName) -> Self {
        Self {
            server_name,
            policy: AddressPolicy::default(),
            extra_ca_pems: Vec::new(),
            limits: CallLimits::default(),
            connect_timeout: Duration::from_secs(10),
            user_agent: concat!("Tern/", env!("CARGO_PKG_VERSION")).to_owned(),
            plain_http_to_loopback: false,
            enabled: true,
        }
    }
}

/// Why there is no client.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    #[error("an extra certificate authority cannot be used: {0}")]
    Ca(String),
    #[error("TLS cannot be set up: {0}")]
    Tls(String),
}
