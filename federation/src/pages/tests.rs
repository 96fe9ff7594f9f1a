//! Against real listeners: what a page, its redirects and its name's addresses may and may not do.

use std::{
    net::{IpAddr, SocketAddr},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use axum::{
    Router,
    extract::Query,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse as _, Redirect},
    routing::get,
};
use url::Url;

use super::{PageError, PageRules, Pages, is_below};
use crate::{
    discovery::{Dns, DnsError, SrvTarget},
    network::AddressPolicy,
};

const TIMEOUT: Duration = Duration::from_secs(20);

/// Gives one answer after the other; the last for ever.
#[derive(Debug)]
struct Turns(Mutex<Vec<Vec<IpAddr>>>);

impl Turns {
    fn new(answers: &[&[&str]]) -> Arc<Self> {
        let parse = |answer: &&[&str]| answer.iter().map(|ip| ip.parse().unwrap()).collect();
        Arc::new(Self(Mutex::new(answers.iter().map(parse).collect())))
    }
}

#[async_trait]
impl Dns for Turns {
    async fn addresses(&self, _host: &str) -> Result<Vec<IpAddr>, DnsError> {
        let mut answers = self.0.lock().unwrap();
        Ok(if answers.len() > 1 { answers.remove(0) } else { answers[0].clone() })
    }

    async fn services(&self, _name: &str) -> Result<Vec<SrvTarget>, DnsError> {
        Ok(Vec::new())
    }
}

/// A web server on all loopback addresses; returns its port and how many requests it got.
async fn web() -> (u16, Arc<AtomicUsize>) {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = asked.clone();
    let page = move |headers: HeaderMap| async move {
        count.fetch_add(1, Ordering::SeqCst);
        assert!(!headers.contains_key(header::COOKIE));
        let headers = [
            (header::CONTENT_TYPE, "text/html"),
            (header::SET_COOKIE, "a=b"),
            (header::CONNECTION, "close"),
        ];
        (headers, "0123456789").into_response()
    };
    let to = |Query(to): Query<Vec<(String, String)>>| async move {
        Redirect::temporary(&to.into_iter().next().unwrap().1)
    };
    let router = Router::new()
        .route("/page", get(page))
        .route("/to", get(to))
        .route("/gone", get(|| async { StatusCode::GONE }));
    let listener = tokio::net::TcpListener::bind("0.0.0.0:0").await.unwrap();
    let address: SocketAddr = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await });
    (address.port(), asked)
}

/// Rules that open 127.0.0.1 and nothing else beside the public addresses.
fn rules() -> PageRules {
    let policy = AddressPolicy::new(vec!["127.0.0.1/32".parse().unwrap()]);
    PageRules { policy, ..PageRules::default() }
}

fn pages(rules: PageRules, answers: &[&[&str]]) -> Pages {
    Pages::with_dns(rules, Turns::new(answers)).unwrap()
}

async fn open(pages: &Pages, url: String) -> Result<Url, PageError> {
    pages.open(&Url::parse(&url).unwrap(), TIMEOUT).await.map(|page| page.url)
}

#[tokio::test]
async fn a_page_is_read_whole_or_in_part() {
    let (port, _) = web().await;
    let pages = pages(rules(), &[&["127.0.0.1"]]);
    let url = Url::parse(&format!("http://page.example.org:{port}/page#part")).unwrap();
    let mut page = pages.open(&url, TIMEOUT).await.unwrap();
    assert_eq!(page.content_type.as_deref(), Some("text/html"));
    assert_eq!(page.url.fragment(), None);
    assert_eq!(page.read(10).await.unwrap(), "0123456789");
    let mut page = pages.open(&url, TIMEOUT).await.unwrap();
    assert_eq!(page.read(9).await.unwrap_err(), PageError::TooLarge { max_bytes: 9 });
    let mut page = pages.open(&url, TIMEOUT).await.unwrap();
    assert_eq!(page.read_start(4).await.unwrap(), "0123");
    let gone = open(&pages, format!("http://page.example.org:{port}/gone")).await;
    assert_eq!(gone.unwrap_err(), PageError::Status(410));
}

#[tokio::test]
async fn a_name_that_leads_into_a_private_network_is_unreachable() {
    let (port, asked) = web().await;
    for address in ["127.0.0.2", "::1", "10.0.0.1", "169.254.169.254", "::ffff:127.0.0.2"] {
        let pages = pages(rules(), &[&[address]]);
        let opened = open(&pages, format!("http://page.example.org:{port}/page")).await;
        assert_eq!(opened.unwrap_err(), PageError::Unreachable, "{address}");
    }
    assert_eq!(asked.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn an_address_in_the_url_is_checked_however_it_is_written() {
    let (port, asked) = web().await;
    let pages = pages(rules(), &[&["127.0.0.1"]]);
    for host in
        ["127.0.0.2", "127.2", "2130706434", "0x7f000002", "0177.0.0.2", "[::ffff:127.0.0.2]", "0"]
    {
        let opened = open(&pages, format!("http://{host}:{port}/page")).await;
        assert_eq!(opened.unwrap_err(), PageError::Denied, "{host}");
    }
    assert_eq!(asked.load(Ordering::SeqCst), 0);
    open(&pages, format!("http://127.0.0.1:{port}/page")).await.unwrap();
}

#[tokio::test]
async fn a_name_whose_address_changes_is_checked_again() {
    let (port, asked) = web().await;
    let pages = pages(rules(), &[&["127.0.0.1"], &["127.0.0.2"]]);
    let url = format!("http://page.example.org:{port}/page");
    open(&pages, url.clone()).await.unwrap();
    assert_eq!(open(&pages, url).await.unwrap_err(), PageError::Unreachable);
    assert_eq!(asked.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn redirects_are_followed_and_each_is_checked() {
    let (port, asked) = web().await;
    let pages = pages(rules(), &[&["127.0.0.1"]]);
    let here = format!("http://page.example.org:{port}");
    let found = open(&pages, format!("{here}/to?a=/page")).await.unwrap();
    assert_eq!(found.path(), "/page");
    for (to, expected) in [
        (format!("http://127.0.0.2:{port}/page"), PageError::Denied),
        (format!("http://[::1]:{port}/page"), PageError::Denied),
        ("file:///etc/passwd".to_owned(), PageError::NoPage),
        ("gopher://page.example.org/".to_owned(), PageError::NoPage),
        (format!("http://alice:secret@page.example.org:{port}/page"), PageError::NoPage),
    ] {
        let opened = open(&pages, format!("{here}/to?a={to}")).await;
        assert_eq!(opened.unwrap_err(), expected, "{to}");
    }
    assert_eq!(asked.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_redirect_that_never_ends_is_ended() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let asked = Arc::new(AtomicUsize::new(0));
    let count = asked.clone();
    let on = get(move || async move {
        count.fetch_add(1, Ordering::SeqCst);
        Redirect::temporary("/on")
    });
    tokio::spawn(async move { axum::serve(listener, Router::new().route("/on", on)).await });
    let pages = pages(rules(), &[&["127.0.0.1"]]);
    let opened = open(&pages, format!("http://page.example.org:{port}/on")).await;
    assert_eq!(opened.unwrap_err(), PageError::TooManyRedirects);
    assert_eq!(asked.load(Ordering::SeqCst), 6);
}

#[tokio::test]
async fn hosts_and_ports_that_the_operator_closed_are_not_asked() {
    let (port, asked) = web().await;
    let check = async |rules: PageRules, expected: Result<(), PageError>| {
        let pages = pages(rules, &[&["127.0.0.1"]]);
        let opened = open(&pages, format!("http://www.Example.org.:{port}/page")).await;
        assert_eq!(opened.map(|_| ()), expected);
    };
    let hosts = |host: &str| vec![host.to_owned()];
    check(PageRules { ports: vec![80, 443], ..rules() }, Err(PageError::Denied)).await;
    check(PageRules { deny_hosts: hosts("example.org"), ..rules() }, Err(PageError::Denied)).await;
    check(PageRules { allow_hosts: hosts("example.com"), ..rules() }, Err(PageError::Denied)).await;
    assert_eq!(asked.load(Ordering::SeqCst), 0);
    check(PageRules { ports: vec![port], ..rules() }, Ok(())).await;
    check(PageRules { allow_hosts: hosts("example.org"), ..rules() }, Ok(())).await;
}

#[test]
fn a_host_is_below_a_domain_by_whole_labels() {
    for host in ["example.org", "EXAMPLE.org", "a.example.org", "a.b.example.org"] {
        assert!(is_below(host, "example.org"), "{host}");
    }
    for host in ["badexample.org", "example.org.net", "org", "", "é.org"] {
        assert!(!is_below(host, "example.org"), "{host}");
    }
    assert!(!is_below("example.org", ""));
}
