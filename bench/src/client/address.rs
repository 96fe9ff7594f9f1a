//! Where a server is, and how to open a connection there: plain or by TLS.

use std::{net::SocketAddr, path::Path, sync::Arc};

use anyhow::{Context, Result};
use bytes::Bytes;
use http_body_util::Full;
use hyper::{
    client::conn::http1::{SendRequest, handshake},
    header::HeaderValue,
    rt::{Read, Write},
};
use hyper_util::rt::TokioIo;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::{CertificateDer, ServerName, pem::PemObject};
use tokio::net::{TcpStream, lookup_host};
use tokio_rustls::TlsConnector;
use url::Url;

use super::Stream;

/// Which certificates are believed.
#[derive(Clone)]
pub(crate) struct Trust(TlsConnector);

impl Trust {
    /// The system's authorities and those in the PEM file `more`.
    pub(crate) fn new(more: Option<&Path>) -> Result<Self> {
        let mut roots = RootCertStore::empty();
        // A machine without any is fine as long as nothing here speaks TLS.
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        if let Some(file) = more {
            let read = || format!("cannot read certificates from {}", file.display());
            for certificate in CertificateDer::pem_file_iter(file).with_context(read)? {
                roots.add(certificate.with_context(read)?)?;
            }
        }
        let config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
        Ok(Self(TlsConnector::from(Arc::new(config))))
    }
}

/// A server's address, resolved once.
pub(crate) struct Address {
    host: HeaderValue,
    socket: SocketAddr,
    tls: Option<(TlsConnector, ServerName<'static>)>,
}

impl std::fmt::Debug for Address {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_tuple("Address").field(&self.socket).finish()
    }
}

impl Address {
    /// The server at `url`, whose path does not count.
    pub(crate) async fn of(url: &str, trust: &Trust) -> Result<Arc<Self>> {
        let parsed = Url::parse(url).with_context(|| format!("{url} is no URL"))?;
        let host = parsed.host_str().with_context(|| format!("{url} names no host"))?.to_owned();
        let port = parsed.port_or_known_default().context("no port")?;
        let socket = lookup_host((host.trim_matches(['[', ']']), port)).await?.next();
        let socket = socket.with_context(|| format!("{host} has no address"))?;
        let tls = match parsed.scheme() {
            "https" => {
                let name = ServerName::try_from(host.trim_matches(['[', ']']).to_owned())?;
                Some((trust.0.clone(), name))
            }
            _ => None,
        };
        let host = HeaderValue::try_from(format!("{host}:{port}"))?;
        Ok(Arc::new(Self { host, socket, tls }))
    }

    pub(crate) fn host(&self) -> &HeaderValue {
        &self.host
    }

    /// A new connection for HTTP.
    pub(crate) async fn connect(&self) -> Result<SendRequest<Full<Bytes>>> {
        speak(TokioIo::new(self.stream().await?)).await
    }

    /// A new connection.
    pub(crate) async fn stream(&self) -> Result<Box<dyn Stream>> {
        let stream = TcpStream::connect(self.socket)
            .await
            .with_context(|| format!("cannot connect to {}", self.socket))?;
        stream.set_nodelay(true)?;
        Ok(match &self.tls {
            None => Box::new(stream),
            Some((tls, name)) => Box::new(tls.connect(name.clone(), stream).await?),
        })
    }
}

async fn speak<S>(stream: S) -> Result<SendRequest<Full<Bytes>>>
where
    S: Read + Write + Unpin + Send + 'static,
{
    let (sender, connection) = handshake(stream).await?;
    // It ends with the sender; what goes wrong on it, the sender reports.
    tokio::spawn(async move { connection.await.ok() });
    Ok(sender)
}
