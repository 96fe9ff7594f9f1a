//! Real TLS: who is connected to, under which name, and who is not.

use std::{
    net::IpAddr,
    sync::{Arc, Mutex},
};

use axum::{Router, extract::Request, response::Redirect, routing::any};
use http::StatusCode;
use ruma::{OwnedServerName, api::federation::discovery::get_server_version};
use tern_federation::{
    CallLimits, Client, ClientConfig, RequestError, SystemClock,
    discovery::{Dns, DnsError, SrvTarget, SystemDns},
};
use tokio::net::TcpListener;

use crate::common::{loopback, new_key};

/// An authority made for one test.
struct Authority {
    issuer: rcgen::Issuer<'static, rcgen::KeyPair>,
    pem: String,
}

impl Authority {
    fn new() -> Self {
        let key = rcgen::KeyPair::generate().unwrap();
        let mut params = rcgen::CertificateParams::new([]).unwrap();
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let pem = params.self_signed(&key).unwrap().pem();
        Self { issuer: rcgen::Issuer::new(params, key), pem }
    }

    fn server_config(&self, name: &str) -> rustls::ServerConfig {
        let key = rcgen::KeyPair::generate().unwrap();
        let params = rcgen::CertificateParams::new([name.to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(
                vec![certificate.der().clone()],
                rustls_pki_types::PrivateKeyDer::try_from(key.serialize_der()).unwrap(),
            )
            .unwrap();
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        config
    }
}

/// What one TLS server saw: the TLS name, the `Host` (or authority) and the HTTP version of each request.
type Seen = Arc<Mutex<Vec<(String, String, http::Version)>>>;

/// A server that answers everything with `{}` under a certificate for `name`; returns its port.
async fn serve(authority: &Authority, name: &str) -> (u16, Seen) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(authority.server_config(name)));
    let seen = Seen::default();
    let all_seen = Arc::clone(&seen);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let Ok(stream) = acceptor.accept(stream).await else { continue };
            let sni = stream.get_ref().1.server_name().unwrap_or_default().to_owned();
            let seen = Arc::clone(&all_seen);
            let answer = async move |request: Request| {
                let authority = request.uri().authority().map(ToString::to_string);
                let header = request.headers().get("host").map(|host| host.to_str().unwrap());
                let host = authority.unwrap_or_else(|| header.unwrap_or_default().to_owned());
                seen.lock().unwrap().push((sni, host, request.version()));
                "{}"
            };
            let router = Router::new().fallback(any(answer));
            let service = hyper_util::service::TowerToHyperService::new(router);
            tokio::spawn(async move {
                let builder = hyper_util::server::conn::auto::Builder::new(
                    hyper_util::rt::TokioExecutor::new(),
                );
                let stream = hyper_util::rt::TokioIo::new(stream);
                builder.serve_connection(stream, service).await
            });
        }
    });
    (port, seen)
}

fn client(pem: Option<&str>, dns: impl Dns, open_loopback: bool) -> Client {
    let mut config = ClientConfig::new("alpha.example.org".try_into().unwrap());
    if open_loopback {
        config.policy = loopback();
    }
    config.extra_ca_pems = pem.map(|pem| pem.as_bytes().to_vec()).into_iter().collect();
    Client::with_tools(config, Arc::new(new_key()), Arc::new(dns), Arc::new(SystemClock)).unwrap()
}

async fn ask(client: &Client, name: &str) -> Result<(), RequestError> {
    let name: OwnedServerName = name.try_into().unwrap();
    let request = get_server_version::v1::Request::new();
    client.send_unsigned(&name, request, CallLimits::default()).await.map(drop)
}

/// Names and records of a small world.
#[derive(Debug, Default)]
struct FakeDns {
    addresses: Vec<(&'static str, &'static str)>,
    services: Vec<(&'static str, &'static str, u16)>,
}

#[async_trait::async_trait]
impl Dns for FakeDns {
    async fn addresses(&self, host: &str) -> Result<Vec<IpAddr>, DnsError> {
        let found = self.addresses.iter().filter(|(name, _)| *name == host);
        Ok(found.map(|(_, address)| address.parse().unwrap()).collect())
    }

    async fn services(&self, name: &str) -> Result<Vec<SrvTarget>, DnsError> {
        let found = self.services.iter().filter(|(service, ..)| *service == name);
        let target =
            |host: &str, port| SrvTarget { priority: 0, weight: 0, port, host: host.to_owned() };
        Ok(found.map(|(_, host, port)| target(host, *port)).collect())
    }
}

#[tokio::test]
async fn a_server_with_a_certificate_of_a_configured_authority_is_believed() {
    let authority = Authority::new();
    let (port, seen) = serve(&authority, "beta.localhost").await;
    let name = format!("beta.localhost:{port}");

    ask(&client(Some(&authority.pem), SystemDns::new(), true), &name).await.unwrap();

    let seen = seen.lock().unwrap().clone();
    assert_eq!(seen, [("beta.localhost".to_owned(), name, http::Version::HTTP_2)]);
}

#[tokio::test]
async fn a_certificate_of_nobody_we_know_or_for_another_name_is_refused() {
    let authority = Authority::new();
    let (port, seen) = serve(&authority, "beta.localhost").await;
    let (beta, gamma) = (format!("beta.localhost:{port}"), format!("gamma.localhost:{port}"));

    let stranger = ask(&client(None, SystemDns::new(), true), &beta).await.unwrap_err();
    assert!(matches!(stranger, RequestError::Connect(_)), "{stranger}");
    let other_name = client(Some(&authority.pem), SystemDns::new(), true);
    let other_name = ask(&other_name, &gamma).await.unwrap_err();
    assert!(matches!(other_name, RequestError::Connect(_)), "{other_name}");
    assert!(seen.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_service_record_changes_where_we_connect_but_not_whom_we_expect() {
    let authority = Authority::new();
    let (port, seen) = serve(&authority, "beta.example.org").await;
    let dns = FakeDns {
        addresses: vec![("node.example.org", "127.0.0.1")],
        services: vec![
            // The first does not answer.
            ("_matrix-fed._tcp.beta.example.org", "dead.example.org", 1),
            ("_matrix-fed._tcp.beta.example.org", "node.example.org", port),
        ],
    };
    let client = client(Some(&authority.pem), dns, true);

    ask(&client, "beta.example.org").await.unwrap();

    let seen = seen.lock().unwrap().clone();
    let name = "beta.example.org".to_owned();
    assert_eq!(seen, [(name.clone(), name, http::Version::HTTP_11)]);
}

#[tokio::test]
async fn private_addresses_are_denied_however_they_are_written() {
    let dns = FakeDns {
        addresses: vec![
            ("rebound.example.org", "127.0.0.1"),
            ("inside.example.org", "10.1.2.3"),
            ("mapped.example.org", "::ffff:169.254.169.254"),
            ("target.example.org", "192.168.1.1"),
        ],
        services: vec![
            ("_matrix-fed._tcp.service.example.org", "target.example.org", 8448),
            ("_matrix-fed._tcp.literal.example.org", "127.0.0.1", 8448),
        ],
    };
    let client = client(None, dns, false);
    for name in [
        "127.0.0.1:8448",
        "127.0.0.1",
        "[::1]:8448",
        "[::ffff:10.0.0.1]",
        "169.254.169.254:80",
        "rebound.example.org:8448",
        "inside.example.org",
        "mapped.example.org:443",
        "service.example.org",
        "literal.example.org",
    ] {
        let error = ask(&client, name).await.unwrap_err();
        assert!(matches!(error, RequestError::Denied(_)), "{name}: {error}");
    }
}

#[tokio::test]
async fn redirects_of_federation_requests_are_not_followed() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let name = listener.local_addr().unwrap().to_string();
    let target = format!("http://{name}/elsewhere");
    let router = Router::new().fallback(async move || Redirect::temporary(&target));
    tokio::spawn(async move { axum::serve(listener, router).await });
    let mut config = ClientConfig::new("alpha.example.org".try_into().unwrap());
    config.policy = loopback();
    config.plain_http_to_loopback = true;
    let client = Client::new(config, Arc::new(new_key())).unwrap();

    let error = ask(&client, &name).await.unwrap_err();

    assert_eq!(error.status(), Some(StatusCode::TEMPORARY_REDIRECT));
}
