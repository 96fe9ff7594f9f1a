//! DNS as discovery needs it: addresses and SRV records, behind a trait so that tests bring their own answers.
//!
//! `localhost` and every name under it are this machine, whatever DNS says (RFC 6761).

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use async_trait::async_trait;
use hickory_resolver::{TokioResolver, proto::rr::RData};

/// How many addresses or targets of one answer are used.
const ANSWERS_MAX: usize = 16;

/// One SRV record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SrvTarget {
    /// Lower is tried first.
    pub priority: u16,
    /// Among targets of one priority, heavier is tried first.
    pub weight: u16,
    pub port: u16,
    /// The name to connect to, without a trailing dot.
    pub host: String,
}

/// A question that DNS could not answer (as opposed to: there is no such record).
#[derive(Debug, Clone, thiserror::Error)]
#[error("DNS look-up of {name} failed: {reason}")]
pub struct DnsError {
    pub name: String,
    pub reason: String,
}

/// Names to addresses.
#[async_trait]
pub trait Dns: fmt::Debug + Send + Sync + 'static {
    /// The addresses of `host`; empty if it has none.
    async fn addresses(&self, host: &str) -> Result<Vec<IpAddr>, DnsError>;

    /// The SRV records of `name`, in the order in which they are to be tried; empty if there are none.
    async fn services(&self, name: &str) -> Result<Vec<SrvTarget>, DnsError>;
}

/// The machine's resolver: hickory with the system's configuration, then the C library for names only that knows.
pub struct SystemDns {
    resolver: Option<TokioResolver>,
}

impl SystemDns {
    /// The resolver the system is configured for; without a configuration there are no SRV records.
    pub fn new() -> Self {
        let resolver = TokioResolver::builder_tokio().and_then(|builder| builder.build());
        if let Err(error) = &resolver {
            tracing::warn!(%error, "no DNS configuration; SRV records will not be seen");
        }
        Self { resolver: resolver.ok() }
    }
}

impl Default for SystemDns {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for SystemDns {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("SystemDns").finish_non_exhaustive()
    }
}

#[async_trait]
impl Dns for SystemDns {
    async fn addresses(&self, host: &str) -> Result<Vec<IpAddr>, DnsError> {
        if is_localhost(host) {
            return Ok(vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()]);
        }
        if let Some(resolver) = &self.resolver
            && let Ok(found) = resolver.lookup_ip(host).await
        {
            let addresses: Vec<IpAddr> = found.iter().take(ANSWERS_MAX).collect();
            if !addresses.is_empty() {
                return Ok(addresses);
            }
        }
        match tokio::net::lookup_host((host, 0)).await {
            Ok(found) => Ok(found.map(|address| address.ip()).take(ANSWERS_MAX).collect()),
            Err(error) => Err(DnsError { name: host.to_owned(), reason: error.to_string() }),
        }
    }

    async fn services(&self, name: &str) -> Result<Vec<SrvTarget>, DnsError> {
        let Some(resolver) = &self.resolver else { return Ok(Vec::new()) };
        if is_localhost(name) {
            return Ok(Vec::new());
        }
        // With the dot the name is complete, so no search domain is tried.
        let found = match resolver.srv_lookup(format!("{name}.")).await {
            Ok(found) => found,
            Err(error) if error.is_no_records_found() => return Ok(Vec::new()),
            Err(error) => {
                return Err(DnsError { name: name.to_owned(), reason: error.to_string() });
            }
        };
        let targets = found.answers().iter().filter_map(|record| match &record.data {
            RData::SRV(srv) => Some(SrvTarget {
                priority: srv.priority,
                weight: srv.weight,
                port: srv.port,
                host: srv.target.to_utf8().trim_end_matches('.').to_owned(),
            }),
            _ => None,
        });
        Ok(in_order(targets.collect()))
    }
}

/// Sorts targets into the order in which they are tried. A target of "." means: no service here (RFC 2782).
pub(crate) fn in_order(mut targets: Vec<SrvTarget>) -> Vec<SrvTarget> {
    targets.retain(|target| !target.host.is_empty());
    targets.sort_by_key(|target| (target.priority, u16::MAX - target.weight));
    targets.truncate(ANSWERS_MAX);
    targets
}

/// Whether `host` is `localhost` or a name under it.
pub fn is_localhost(host: &str) -> bool {
    let host = host.trim_end_matches('.').to_ascii_lowercase();
    host == "localhost" || host.ends_with(".localhost")
}
