//! HTTP under the client: TLS, connections, the address policy on every one of them. Knows nothing of Matrix.

use std::{
    collections::HashMap,
    fmt,
    io::Cursor,
    net::{IpAddr, SocketAddr},
    sync::{Arc, LazyLock, Mutex, PoisonError},
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use rustls_pki_types::{CertificateDer, pem::PemObject as _};
use url::{Host, Url};

use super::ClientError;
use crate::{
    discovery::{Dns, is_localhost},
    network::{AddressPolicy, Denied},
};

/// Connection pools kept; one for direct connections with HTTP/2, one without, one for each SRV target.
const POOLS_MAX: usize = 256;
const IDLE_CONNECTION: Duration = Duration::from_secs(60);

/// Why bytes did not go over or come back.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TransportError {
    #[error(transparent)]
    Denied(#[from] Denied),
    #[error("no connection: {0}")]
    Connect(String),
    #[error("took too long")]
    Timeout,
    #[error("the connection broke: {0}")]
    Broken(String),
    #[error("the answer is larger than {max_bytes} bytes")]
    TooLarge { max_bytes: usize },
}

/// Which pool of connections a request goes through.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub(crate) struct Way {
    /// Connect to the addresses of this name, whatever the URL's host.
    pub(crate) via: Option<String>,
    /// HTTP/2 has no `Host` header apart from the URL's authority, so a request that needs one stays with HTTP/1.1.
    pub(crate) http1_only: bool,
}

pub(crate) struct Transport {
    tls: rustls::ClientConfig,
    policy: Arc<AddressPolicy>,
    dns: Arc<dyn Dns>,
    user_agent: String,
    connect_timeout: Duration,
    pools: Mutex<HashMap<Way, reqwest::Client>>,
}

impl fmt::Debug for Transport {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Transport").field("policy", &self.policy).finish_non_exhaustive()
    }
}

/// What connections are made with.
pub(crate) struct TransportConfig<'a> {
    pub(crate) policy: &'a AddressPolicy,
    pub(crate) extra_ca_pems: &'a [Vec<u8>],
    pub(crate) user_agent: &'a str,
    pub(crate) connect_timeout: Duration,
}

impl<'a> From<&'a super::ClientConfig> for TransportConfig<'a> {
    fn from(config: &'a super::ClientConfig) -> Self {
        Self {
            policy: &config.policy,
            extra_ca_pems: &config.extra_ca_pems,
            user_agent: &config.user_agent,
            connect_timeout: config.connect_timeout,
        }
    }
}

impl Transport {
    pub(crate) fn new<'a>(
        config: impl Into<TransportConfig<'a>>,
        dns: Arc<dyn Dns>,
    ) -> Result<Self, ClientError> {
        let config = config.into();
        Ok(Self {
            tls: tls_config(config.extra_ca_pems)?,
            policy: Arc::new(config.policy.clone()),
            dns,
            user_agent: config.user_agent.to_owned(),
            connect_timeout: config.connect_timeout,
            pools: Mutex::default(),
        })
    }

    /// Sends `request` and returns with its head; the body is still to be read.
    pub(crate) async fn execute(
        &self,
        way: &Way,
        request: reqwest::Request,
    ) -> Result<reqwest::Response, TransportError> {
        // Names are checked in the resolver, when they have become addresses; an address in the URL never gets there.
        if way.via.is_none()
            && let Some(address) = address_in(request.url())
        {
            self.policy.check(address)?;
        }
        let pool = self.pool(way)?;
        let again = retriable(&request);
        match pool.execute(request).await {
            Ok(response) => Ok(response),
            Err(error) => match (read_error(error), again) {
                // A kept connection that the other side closed while we wrote to it says nothing about the server.
                (TransportError::Broken(_), Some(request)) => {
                    pool.execute(request).await.map_err(read_error)
                }
                (error, _) => Err(error),
            },
        }
    }

    /// Fetches a page by URL, redirects not followed.
    pub(crate) async fn get(
        &self,
        url: Url,
        timeout: Duration,
    ) -> Result<reqwest::Response, TransportError> {
        let mut request = reqwest::Request::new(http::Method::GET, url);
        *request.timeout_mut() = Some(timeout);
        self.execute(&Way::default(), request).await
    }

    /// The body, if it is at most `max_bytes` long after decompression.
    pub(crate) async fn read_capped(
        response: &mut reqwest::Response,
        max_bytes: usize,
    ) -> Result<Bytes, TransportError> {
        let too_large = || TransportError::TooLarge { max_bytes };
        let announced = response.content_length().unwrap_or_default();
        let announced = usize::try_from(announced).map_err(|_| too_large())?;
        if announced > max_bytes {
            return Err(too_large());
        }
        let mut body = BytesMut::with_capacity(announced);
        while let Some(chunk) = response.chunk().await.map_err(read_error)? {
            if body.len() + chunk.len() > max_bytes {
                return Err(too_large());
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body.freeze())
    }

    fn pool(&self, way: &Way) -> Result<reqwest::Client, TransportError> {
        let mut pools = self.pools.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(pool) = pools.get(way) {
            return Ok(pool.clone());
        }
        let mut builder = reqwest::Client::builder()
            .tls_backend_preconfigured(self.tls_for(way))
            .dns_resolver(PolicyResolver {
                dns: Arc::clone(&self.dns),
                policy: Arc::clone(&self.policy),
                via: way.via.clone(),
            })
            // A proxy would make the connections and our policy would see only its address.
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .user_agent(self.user_agent.as_str())
            .connect_timeout(self.connect_timeout)
            .pool_idle_timeout(IDLE_CONNECTION)
            .pool_max_idle_per_host(4)
            .tcp_nodelay(true);
        if way.http1_only {
            builder = builder.http1_only();
        }
        let pool = builder.build().map_err(read_error)?;
        if pools.len() >= POOLS_MAX {
            pools.clear();
        }
        pools.insert(way.clone(), pool.clone());
        Ok(pool)
    }

    fn tls_for(&self, way: &Way) -> rustls::ClientConfig {
        let mut tls = self.tls.clone();
        tls.alpn_protocols = if way.http1_only {
            vec![b"http/1.1".to_vec()]
        } else {
            vec![b"h2".to_vec(), b"http/1.1".to_vec()]
        };
        tls
    }
}

/// A copy to be sent once more, for requests that may be repeated.
fn retriable(request: &reqwest::Request) -> Option<reqwest::Request> {
    let may_repeat = matches!(*request.method(), http::Method::GET | http::Method::PUT);
    may_repeat.then(|| request.try_clone()).flatten()
}

fn address_in(url: &Url) -> Option<IpAddr> {
    match url.host()? {
        Host::Ipv4(address) => Some(address.into()),
        Host::Ipv6(address) => Some(address.into()),
        Host::Domain(_) => None,
    }
}

/// Whether the host of a URL is this machine by its very name.
pub(crate) fn is_loopback_host(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    bare.parse::<IpAddr>().map_or_else(|_| is_localhost(host), |address| address.is_loopback())
}

pub(crate) fn read_error(error: reqwest::Error) -> TransportError {
    let mut source: Option<&(dyn std::error::Error + 'static)> = Some(&error);
    let mut reason = String::new();
    while let Some(cause) = source {
        if let Some(denied) = cause.downcast_ref::<Denied>() {
            return TransportError::Denied(*denied);
        }
        source = cause.source();
        if source.is_none() {
            reason = cause.to_string();
        }
    }
    if error.is_connect() {
        TransportError::Connect(reason)
    } else if error.is_timeout() {
        TransportError::Timeout
    } else {
        TransportError::Broken(reason)
    }
}

/// The system's roots (the Mozilla list if the system has none); read once, it takes a while.
static SYSTEM_ROOTS: LazyLock<rustls::RootCertStore> = LazyLock::new(|| {
    let mut roots = rustls::RootCertStore::empty();
    let native = rustls_native_certs::load_native_certs();
    let (added, _) = roots.add_parsable_certificates(native.certs);
    if added == 0 {
        tracing::info!("the system has no root certificates; using the built-in list");
        roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    }
    roots
});

/// The system's roots and the configured ones.
fn tls_config(extra_ca_pems: &[Vec<u8>]) -> Result<rustls::ClientConfig, ClientError> {
    let mut roots = SYSTEM_ROOTS.clone();
    for pem in extra_ca_pems {
        let mut count = 0;
        for certificate in CertificateDer::pem_reader_iter(Cursor::new(pem)) {
            let certificate = certificate.map_err(|error| ClientError::Ca(error.to_string()))?;
            roots.add(certificate).map_err(|error| ClientError::Ca(error.to_string()))?;
            count += 1;
        }
        if count == 0 {
            return Err(ClientError::Ca("no certificate in the file".to_owned()));
        }
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| ClientError::Tls(error.to_string()))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(config)
}

/// Resolves names for connections and lets only addresses through that the policy allows.
struct PolicyResolver {
    dns: Arc<dyn Dns>,
    policy: Arc<AddressPolicy>,
    via: Option<String>,
}

impl Resolve for PolicyResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let dns = Arc::clone(&self.dns);
        let policy = Arc::clone(&self.policy);
        let host = self.via.clone().unwrap_or_else(|| name.as_str().to_owned());
        Box::pin(async move {
            // An SRV target may be an address although it must not be.
            let found = match host.parse::<IpAddr>() {
                Ok(address) => vec![address],
                Err(_) => dns.addresses(&host).await?,
            };
            permitted(&policy, found)
        })
    }
}

fn permitted(
    policy: &AddressPolicy,
    found: Vec<IpAddr>,
) -> Result<Addrs, Box<dyn std::error::Error + Send + Sync>> {
    let mut denied = None;
    let mut allowed = Vec::with_capacity(found.len());
    for address in found {
        match policy.check(address) {
            Ok(()) => allowed.push(SocketAddr::new(address, 0)),
            Err(error) => denied = Some(error),
        }
    }
    match denied {
        Some(denied) if allowed.is_empty() => Err(denied.into()),
        _ => Ok(Box::new(allowed.into_iter())),
    }
}
