//! Server name → where to connect, which `Host` to send, which TLS name to expect. `client` asks; nothing is sent here.
//!
//! Spec: server-server API, "Resolving server names". The steps, in order: IP literal, explicit port, `.well-known`
//! (then the same for the delegated name), SRV `_matrix-fed._tcp`, SRV `_matrix._tcp` (deprecated), port 8448.

mod dns;
mod well_known;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, SystemTime},
};

use ruma::{OwnedServerName, ServerName};

pub use self::dns::{Dns, DnsError, SrvTarget, SystemDns, is_localhost};
use crate::{client::transport::Transport, clock::Clock};

const DEFAULT_PORT: u16 = 8448;
const WEB_PORT: u16 = 443;
/// How long an SRV answer (or its absence) is kept here; hickory keeps the record itself for its time to live.
const SRV_CACHE: Duration = Duration::from_secs(300);
/// Names remembered; beyond this the cache starts anew.
const CACHED_NAMES_MAX: usize = 20_000;

/// Where the requests for one server name go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Destination {
    /// The name in the URL and the one the certificate must be for (IPv6 in brackets).
    pub host: String,
    /// What the `Host` header says.
    pub host_header: String,
    /// To be tried one after the other.
    pub routes: Vec<Route>,
}

/// One way to a destination.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// The name whose addresses are connected to, when it is not the destination's own (an SRV target).
    pub via: Option<String>,
    pub port: u16,
}

/// What a server name says by itself, before anything is looked up.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Plain {
    /// An IP literal or a name with a port: complete.
    Complete(Destination),
    /// A name without a port: `.well-known` or SRV may say more.
    Name(String),
}

/// Finds and remembers where servers are.
#[derive(Debug)]
pub(crate) struct Discovery {
    clock: Arc<dyn Clock>,
    dns: Arc<dyn Dns>,
    /// Where web servers are: 443; only tests have theirs elsewhere.
    web_port: u16,
    cache: Mutex<HashMap<OwnedServerName, Cached>>,
}

#[derive(Debug, Clone)]
struct Cached {
    destination: Arc<Destination>,
    until: SystemTime,
}

impl Discovery {
    pub(crate) fn new(dns: Arc<dyn Dns>, clock: Arc<dyn Clock>) -> Self {
        Self { clock, dns, web_port: WEB_PORT, cache: Mutex::default() }
    }

    /// Where `server_name` is. Never fails: without any record it is port 8448 of the name itself.
    pub(crate) async fn find(
        &self,
        transport: &Transport,
        server_name: &ServerName,
    ) -> Arc<Destination> {
        let host = match read_name(server_name) {
            Plain::Complete(destination) => return Arc::new(destination),
            Plain::Name(host) => host,
        };
        let now = self.clock.now();
        if let Some(cached) = self.cached(server_name)
            && cached.until > now
        {
            return cached.destination;
        }

        let delegation = well_known::fetch(transport, &host, self.web_port).await;
        let (destination, keep_for) = match delegation {
            Some(delegation) => match read_name(&delegation.server) {
                Plain::Complete(destination) => (destination, delegation.valid_for),
                Plain::Name(host) => {
                    let (destination, keep_for) = self.by_service(&host).await;
                    (destination, keep_for.min(delegation.valid_for))
                }
            },
            None => {
                let (destination, keep_for) = self.by_service(&host).await;
                (destination, keep_for.min(well_known::CACHE_FAILURE))
            }
        };
        let destination = Arc::new(destination);
        self.remember(
            server_name,
            Cached { destination: Arc::clone(&destination), until: now + keep_for },
        );
        destination
    }

    /// Forgets where `server_name` is, after nothing answered there.
    pub(crate) fn forget(&self, server_name: &ServerName) {
        self.cache.lock().unwrap_or_else(PoisonError::into_inner).remove(server_name);
    }

    /// Steps 3.3 to 3.5, 4 and 5 of the specification: SRV, then the default port.
    async fn by_service(&self, host: &str) -> (Destination, Duration) {
        for service in ["_matrix-fed._tcp", "_matrix._tcp"] {
            match self.dns.services(&format!("{service}.{host}")).await {
                Ok(targets) if !targets.is_empty() => {
                    return (through_services(host, targets), SRV_CACHE);
                }
                Ok(_) => {}
                Err(error) => tracing::debug!(server.host = host, %error, "no SRV answer"),
            }
        }
        (default_port(host), SRV_CACHE.max(well_known::CACHE_FAILURE))
    }

    fn cached(&self, server_name: &ServerName) -> Option<Cached> {
        self.cache.lock().unwrap_or_else(PoisonError::into_inner).get(server_name).cloned()
    }

    fn remember(&self, server_name: &ServerName, cached: Cached) {
        let mut cache = self.cache.lock().unwrap_or_else(PoisonError::into_inner);
        if cache.len() >= CACHED_NAMES_MAX {
            cache.clear();
        }
        cache.insert(server_name.to_owned(), cached);
    }
}

fn read_name(server_name: &ServerName) -> Plain {
    let host = server_name.host();
    match server_name.port() {
        Some(port) => Plain::Complete(direct(host, server_name.as_str(), port)),
        None if server_name.is_ip_literal() => {
            Plain::Complete(direct(host, server_name.as_str(), DEFAULT_PORT))
        }
        None => Plain::Name(host.to_owned()),
    }
}

fn direct(host: &str, host_header: &str, port: u16) -> Destination {
    Destination {
        host: host.to_owned(),
        host_header: host_header.to_owned(),
        routes: vec![Route { via: None, port }],
    }
}

fn default_port(host: &str) -> Destination {
    direct(host, host, DEFAULT_PORT)
}

/// The certificate and the `Host` header stay with the name; only the connection goes to the target.
fn through_services(host: &str, targets: Vec<SrvTarget>) -> Destination {
    let routes = targets
        .into_iter()
        .map(|target| Route { via: Some(target.host), port: target.port })
        .collect();
    Destination { host: host.to_owned(), host_header: host.to_owned(), routes }
}

#[cfg(test)]
mod tests;
