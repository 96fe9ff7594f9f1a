//! The HTTP client: TLS roots, the extra CA, and names under `localhost` resolved to loopback.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    ops::Deref,
    path::{Path, PathBuf},
    sync::{Arc, OnceLock},
    time::Duration,
};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use rustls_pki_types::{CertificateDer, pem::PemObject};

/// Why there is no HTTP client.
#[derive(Debug, thiserror::Error)]
pub enum HttpSetupError {
    #[error(
        "the certificate file {path} could not be read: {reason}. Give a PEM file with the CA's certificate."
    )]
    ExtraCa { path: String, reason: String },
    #[error("the network client could not be set up: {0}")]
    Client(#[from] reqwest::Error),
}

/// What the client calls itself.
pub(super) const AGENT: &str = concat!("tern/", env!("CARGO_PKG_VERSION"));

/// Installs rustls' aws-lc-rs provider unless the process has one.
pub fn install_crypto_provider() {
    if rustls::crypto::CryptoProvider::get_default().is_none()
        && rustls::crypto::aws_lc_rs::default_provider().install_default().is_err()
    {
        tracing::debug!("another thread installed the TLS provider first");
    }
}

/// A client that trusts the system's roots and the certificates in `extra_ca` (PEM).
pub fn build(extra_ca: Option<&Path>) -> Result<reqwest::Client, HttpSetupError> {
    Ok(builder(extra_ca)?.build()?)
}

fn builder(extra_ca: Option<&Path>) -> Result<reqwest::ClientBuilder, HttpSetupError> {
    let mut builder = reqwest::Client::builder()
        .user_agent(AGENT)
        .connect_timeout(Duration::from_secs(10))
        .dns_resolver(Arc::new(Resolver));
    if let Some(path) = extra_ca {
        builder = builder.tls_certs_merge(certificates(path)?);
    }
    Ok(builder)
}

/// The HTTP clients of a session, as its settings have them. Cheap to clone; use it as the [`reqwest::Client`] it is.
#[derive(Clone)]
pub(super) struct Http {
    client: reqwest::Client,
    extra_ca: Option<PathBuf>,
    socket: bool,
    /// Speaks HTTP/1 only, as an upgrade to another protocol needs it; made when one is wanted.
    upgrading: Arc<OnceLock<reqwest::Client>>,
}

impl Http {
    /// A client as [`build`] makes it; with `socket`, the sync may go over a WebSocket.
    pub(super) fn new(extra_ca: Option<PathBuf>, socket: bool) -> Result<Http, HttpSetupError> {
        let client = build(extra_ca.as_deref())?;
        Ok(Http { client, extra_ca, socket, upgrading: Arc::default() })
    }

    /// Whether the sync may go over a WebSocket.
    pub(super) fn uses_socket(&self) -> bool {
        self.socket
    }

    /// The client that asks for an upgrade to another protocol.
    pub(super) fn for_upgrades(&self) -> Result<&reqwest::Client, HttpSetupError> {
        if let Some(client) = self.upgrading.get() {
            return Ok(client);
        }
        let client = builder(self.extra_ca.as_deref())?.http1_only().build()?;
        Ok(self.upgrading.get_or_init(|| client))
    }
}

impl Deref for Http {
    type Target = reqwest::Client;

    fn deref(&self) -> &reqwest::Client {
        &self.client
    }
}

fn certificates(path: &Path) -> Result<Vec<reqwest::Certificate>, HttpSetupError> {
    let failed =
        |reason: String| HttpSetupError::ExtraCa { path: path.display().to_string(), reason };
    let pem = std::fs::read(path).map_err(|error| failed(error.to_string()))?;
    let mut found = Vec::new();
    for certificate in CertificateDer::pem_slice_iter(&pem) {
        let certificate = certificate.map_err(|error| failed(error.to_string()))?;
        found.push(reqwest::Certificate::from_der(&certificate)?);
    }
    if found.is_empty() {
        return Err(failed("there is no certificate in it".to_owned()));
    }
    Ok(found)
}

/// Whether `host` is this machine: `localhost`, anything under it (RFC 6761 §6.3), or a loopback address.
pub(super) fn is_loopback(host: &str) -> bool {
    let host = host.trim_start_matches('[').trim_end_matches(']').trim_end_matches('.');
    let lower = host.to_ascii_lowercase();
    lower == "localhost"
        || lower.ends_with(".localhost")
        || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// The system's resolver, but for `*.localhost`, which many systems do not resolve.
struct Resolver;

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            if is_loopback(name.as_str()) {
                let here = [IpAddr::from(Ipv4Addr::LOCALHOST), IpAddr::from(Ipv6Addr::LOCALHOST)];
                let addresses: Addrs =
                    Box::new(here.into_iter().map(|address| SocketAddr::new(address, 0)));
                return Ok(addresses);
            }
            let found: Vec<_> = tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            let addresses: Addrs = Box::new(found.into_iter());
            Ok(addresses)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::is_loopback;

    #[test]
    fn names_under_localhost_and_loopback_addresses_are_this_machine() {
        for host in ["localhost", "alpha.localhost", "ALPHA.localhost.", "127.0.0.1", "[::1]"] {
            assert!(is_loopback(host), "{host}");
        }
        for host in ["example.org", "localhost.example.org", "10.0.0.1", "notlocalhost"] {
            assert!(!is_loopback(host), "{host}");
        }
    }
}
