//! Reading names and records; connecting is tested from outside with real TLS.

use std::net::IpAddr;

use async_trait::async_trait;

use super::{dns::in_order, *};
use crate::clock::SystemClock;

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
