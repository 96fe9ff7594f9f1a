//! Reading names and records; connecting is tested from outside with real TLS.

use std::{
    net::IpAddr,
    sync::atomic::{AtomicUsize, Ordering},
};

use async_trait::async_trait;
use axum::{Router, routing::get};

use super::{dns::in_order, *};
use crate::{ClientConfig, clock::SystemClock};

fn complete(host: &str, host_header: &str, port: u16) -> Plain {
    Plain::Complete(direct(host, host_header, port))
}

#[test]
fn a_server_name_says_by_itself_where_it_is_or_that_it_must_be_looked_up() {
    let check = |name: &str, expected: Plain| {
        let name = <&ServerName>::try_from(name).unwrap();
        assert_eq!(read_name(name), expected, "{name}");
    };
    check("192.0.2.1", complete("192.0.2.1", "192.0.2.1", 8448));
    check("192.0.2.1:443", complete("192.0.2.1", "192.0.2.1:443", 443));
    check("[2001:db8::1]", complete("[2001:db8::1]", "[2001:db8::1]", 8448));
    check("[2001:db8::1]:1234", complete("[2001:db8::1]", "[2001:db8::1]:1234", 1234));
    check("example.org:8448", complete("example.org", "example.org:8448", 8448));
    check("localhost:8008", complete("localhost", "localhost:8008", 8008));
    check("example.org", Plain::Name("example.org".to_owned()));
    check("beta.localhost", Plain::Name("beta.localhost".to_owned()));
}

#[test]
fn localhost_and_the_names_under_it_are_this_machine() {
    for name in ["localhost", "LOCALHOST", "localhost.", "beta.localhost", "a.b.Localhost"] {
        assert!(is_localhost(name), "{name}");
    }
    for name in ["localhost.example.org", "notlocalhost", "example.org", ""] {
        assert!(!is_localhost(name), "{name}");
    }
}

#[tokio::test]
async fn localhost_needs_no_dns() {
    let dns = SystemDns::new();
    let expected: [IpAddr; 2] = ["127.0.0.1".parse().unwrap(), "::1".parse().unwrap()];
    assert_eq!(dns.addresses("beta.localhost").await.unwrap(), expected);
    assert_eq!(dns.services("_matrix-fed._tcp.beta.localhost").await.unwrap(), []);
}

fn target(priority: u16, weight: u16, host: &str, port: u16) -> SrvTarget {
    SrvTarget { priority, weight, port, host: host.to_owned() }
}

#[test]
fn services_are_tried_by_priority_then_weight_and_the_root_means_none() {
    let ordered = in_order(vec![
        target(20, 0, "c", 1),
        target(10, 5, "b", 2),
        target(10, 50, "a", 3),
        target(0, 0, "", 0),
    ]);
    let hosts: Vec<&str> = ordered.iter().map(|target| target.host.as_str()).collect();
    assert_eq!(hosts, ["a", "b", "c"]);
}

/// Answers one service name.
#[derive(Debug)]
struct OneService(&'static str);

#[async_trait]
impl Dns for OneService {
    async fn addresses(&self, _host: &str) -> Result<Vec<IpAddr>, DnsError> {
        Ok(Vec::new())
    }

    async fn services(&self, name: &str) -> Result<Vec<SrvTarget>, DnsError> {
        Ok(if name == self.0 { vec![target(0, 0, "node.example.org", 4321)] } else { Vec::new() })
    }
}

#[tokio::test]
async fn a_service_record_moves_the_connection_but_not_the_name() {
    for service in ["_matrix-fed._tcp.example.org", "_matrix._tcp.example.org"] {
        let discovery = Discovery::new(Arc::new(OneService(service)), Arc::new(SystemClock));
        let (found, _) = discovery.by_service("example.org").await;
        let expected = Destination {
            host: "example.org".to_owned(),
            host_header: "example.org".to_owned(),
            routes: vec![Route { via: Some("node.example.org".to_owned()), port: 4321 }],
        };
        assert_eq!(found, expected, "{service}");
    }
    let discovery = Discovery::new(Arc::new(OneService("none")), Arc::new(SystemClock));
    let (found, _) = discovery.by_service("example.org").await;
    assert_eq!(found, direct("example.org", "example.org", 8448));
}

/// A web server with a certificate for `name` that publishes `document`; its port, and a transport that believes it.
async fn web(name: &str, document: &'static str, asked: Arc<AtomicUsize>) -> (u16, Transport) {
    let ca_key = rcgen::KeyPair::generate().unwrap();
    let mut params = rcgen::CertificateParams::new([]).unwrap();
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let pem = params.self_signed(&ca_key).unwrap().pem();
    let issuer = rcgen::Issuer::new(params, ca_key);
    let key = rcgen::KeyPair::generate().unwrap();
    let params = rcgen::CertificateParams::new([name.to_owned()]).unwrap();
    let certificate = params.signed_by(&key, &issuer).unwrap().der().clone();
    let private = rustls_pki_types::PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let tls = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], private)
        .unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(tls));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let answer = async move || {
        asked.fetch_add(1, Ordering::Relaxed);
        document
    };
    let router = Router::new().route("/.well-known/matrix/server", get(answer));
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let Ok(stream) = acceptor.accept(stream).await else { continue };
            let service = hyper_util::service::TowerToHyperService::new(router.clone());
            let executor = hyper_util::rt::TokioExecutor::new();
            let builder = hyper_util::server::conn::auto::Builder::new(executor);
            let stream = hyper_util::rt::TokioIo::new(stream);
            builder.serve_connection(stream, service).await.ok();
        }
    });
    let mut config = ClientConfig::new("alpha.example.org".try_into().unwrap());
    config.policy.allow.push("127.0.0.0/8".parse().unwrap());
    config.extra_ca_pems.push(pem.into_bytes());
    let transport = Transport::new(&config, Arc::new(SystemDns::new())).unwrap();
    (port, transport)
}

#[tokio::test]
async fn a_well_known_document_delegates_to_another_name_and_is_remembered() {
    let cases = [
        (
            r#"{"m.server":"matrix.example.org:4443"}"#,
            direct("matrix.example.org", "matrix.example.org:4443", 4443),
        ),
        (
            r#"{"m.server":"delegated.example.org"}"#,
            Destination {
                host: "delegated.example.org".to_owned(),
                host_header: "delegated.example.org".to_owned(),
                routes: vec![Route { via: Some("node.example.org".to_owned()), port: 4321 }],
            },
        ),
        ("<html>", direct("beta.localhost", "beta.localhost", 8448)),
    ];
    for (document, expected) in cases {
        let asked = Arc::<AtomicUsize>::default();
        let (port, transport) = web("beta.localhost", document, asked.clone()).await;
        let dns = Arc::new(OneService("_matrix-fed._tcp.delegated.example.org"));
        let mut discovery = Discovery::new(dns, Arc::new(SystemClock));
        discovery.web_port = port;
        let name = <&ServerName>::try_from("beta.localhost").unwrap();
        for _ in 0..2 {
            assert_eq!(*discovery.find(&transport, name).await, expected, "{document}");
        }
        assert_eq!(asked.load(Ordering::Relaxed), 1, "{document}: asked once, then remembered");
        discovery.forget(name);
        discovery.find(&transport, name).await;
        assert_eq!(asked.load(Ordering::Relaxed), 2, "{document}");
    }
}
