//! Pages of the web that users name, for link previews: plain GETs without cookies, the address policy on every hop.
//!
//! A trust class of its own: neither the networks nor the authorities that federation may use are open to whoever posts a link.

use std::{sync::Arc, time::Duration};

use bytes::{Bytes, BytesMut};
use http::{HeaderValue, header};
use reqwest::Response;
use url::{Host, Url};

use crate::{
    client::{
        ClientError,
        transport::{Transport, TransportConfig, TransportError, Way, read_error},
    },
    discovery::{Dns, SystemDns},
    network::AddressPolicy,
};

/// Pages that only lead on, at most.
const REDIRECTS_MAX: usize = 5;
/// A longer URL is none that people share.
const URL_BYTES_MAX: usize = 2_048;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Some sites show their titles only to who says that it is a program.
const USER_AGENT: &str = concat!("Tern/", env!("CARGO_PKG_VERSION"), " (bot; link preview)");
const ACCEPT: &str = "text/html,application/xhtml+xml;q=0.9,image/*;q=0.8";

/// Which pages may be fetched.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PageRules {
    pub policy: AddressPolicy,
    /// The ports of pages; empty: any. Other ports of this very machine may stand open behind its firewall only.
    pub ports: Vec<u16>,
    /// If not empty, only these hosts and those below them.
    pub allow_hosts: Vec<String>,
    /// Never these hosts and those below them.
    pub deny_hosts: Vec<String>,
}

/// Why there is no page.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PageError {
    /// Nothing that could be a page.
    #[error("only http and https URLs have previews")]
    NoPage,
    /// The rules forbid it; told apart only where the URL itself says so, or names of private networks could be tried out.
    #[error("pages at this address are not fetched")]
    Denied,
    #[error("the page cannot be fetched")]
    Unreachable,
    #[error("the page leads on and on")]
    TooManyRedirects,
    #[error("the page took too long")]
    Timeout,
    /// The page's own answer.
    #[error("the page answered {0}")]
    Status(u16),
    #[error("the page is larger than {max_bytes} bytes")]
    TooLarge { max_bytes: usize },
}

/// Fetches pages. Cheap to share behind an `Arc`.
#[derive(Debug)]
pub struct Pages {
    transport: Transport,
    rules: PageRules,
}

/// A page whose head is there; its body is still to be read.
#[derive(Debug)]
pub struct OpenPage {
    /// Where it was found in the end.
    pub url: Url,
    pub content_type: Option<String>,
    response: Response,
}

impl Pages {
    /// A fetcher on the system's DNS.
    pub fn new(rules: PageRules) -> Result<Self, ClientError> {
        Self::with_dns(rules, Arc::new(SystemDns::new()))
    }

    /// A fetcher on the given DNS.
    pub fn with_dns(rules: PageRules, dns: Arc<dyn Dns>) -> Result<Self, ClientError> {
        let config = TransportConfig {
            policy: &rules.policy,
            extra_ca_pems: &[],
            user_agent: USER_AGENT,
            connect_timeout: CONNECT_TIMEOUT,
        };
        Ok(Self { transport: Transport::new(config, dns)?, rules })
    }

    /// Opens the page at `url`, following redirects. Each of them may take `timeout`, its body included.
    ///
    /// # Errors
    /// [`PageError`]; whether a name leads nowhere or into a private network is the same to the asker.
    pub async fn open(&self, url: &Url, timeout: Duration) -> Result<OpenPage, PageError> {
        let mut url = url.clone();
        for _ in 0..=REDIRECTS_MAX {
            self.check(&url)?;
            url.set_fragment(None);
            let response = self.get(&url, timeout).await?;
            if !response.status().is_redirection() {
                return opened(url, response);
            }
            let location = response.headers().get(header::LOCATION);
            let location = location.and_then(|to| to.to_str().ok()).ok_or(PageError::NoPage)?;
            url = url.join(location).map_err(|_| PageError::NoPage)?;
        }
        Err(PageError::TooManyRedirects)
    }

    /// What can be said of a URL before its name is an address.
    fn check(&self, url: &Url) -> Result<(), PageError> {
        if !matches!(url.scheme(), "http" | "https") || url.as_str().len() > URL_BYTES_MAX {
            return Err(PageError::NoPage);
        }
        // Whose name and password would they be?
        if !url.username().is_empty() || url.password().is_some() {
            return Err(PageError::NoPage);
        }
        let port = url.port_or_known_default().ok_or(PageError::NoPage)?;
        if !self.rules.ports.is_empty() && !self.rules.ports.contains(&port) {
            return Err(PageError::Denied);
        }
        let host = url.host_str().ok_or(PageError::NoPage)?.trim_end_matches('.');
        let listed = |list: &[String]| list.iter().any(|listed| is_below(host, listed));
        let allow = &self.rules.allow_hosts;
        if listed(&self.rules.deny_hosts) || !(allow.is_empty() || listed(allow)) {
            return Err(PageError::Denied);
        }
        Ok(())
    }

    async fn get(&self, url: &Url, timeout: Duration) -> Result<Response, PageError> {
        let mut request = reqwest::Request::new(http::Method::GET, url.clone());
        *request.timeout_mut() = Some(timeout);
        request.headers_mut().insert(header::ACCEPT, HeaderValue::from_static(ACCEPT));
        let named = matches!(url.host(), Some(Host::Domain(_)));
        self.transport.execute(&Way::default(), request).await.map_err(|error| match error {
            TransportError::Denied(_) if !named => PageError::Denied,
            TransportError::Timeout => PageError::Timeout,
            _ => PageError::Unreachable,
        })
    }
}

impl OpenPage {
    /// The whole body.
    ///
    /// # Errors
    /// [`PageError::TooLarge`] beyond `max_bytes`, decompressed; and when the connection breaks.
    pub async fn read(&mut self, max_bytes: usize) -> Result<Bytes, PageError> {
        Transport::read_capped(&mut self.response, max_bytes).await.map_err(broken)
    }

    /// The body's first `max_bytes`, or all of it if it is shorter. What follows is never asked for.
    ///
    /// # Errors
    /// When the connection breaks before anything came.
    pub async fn read_start(&mut self, max_bytes: usize) -> Result<Bytes, PageError> {
        let mut start = BytesMut::new();
        while start.len() < max_bytes {
            match self.response.chunk().await.map_err(read_error) {
                Ok(Some(chunk)) => start.extend_from_slice(&chunk),
                Ok(None) => break,
                Err(error) if start.is_empty() => return Err(broken(error)),
                // The title stands at the beginning; a page that breaks off or drips has shown it by now.
                Err(_) => break,
            }
        }
        start.truncate(max_bytes);
        Ok(start.freeze())
    }
}

fn opened(url: Url, response: Response) -> Result<OpenPage, PageError> {
    if !response.status().is_success() {
        return Err(PageError::Status(response.status().as_u16()));
    }
    let content_type = response.headers().get(header::CONTENT_TYPE);
    let content_type = content_type.and_then(|text| text.to_str().ok()).map(str::to_owned);
    Ok(OpenPage { url, content_type, response })
}

fn broken(error: TransportError) -> PageError {
    match error {
        TransportError::Timeout => PageError::Timeout,
        TransportError::TooLarge { max_bytes } => PageError::TooLarge { max_bytes },
        _ => PageError::Unreachable,
    }
}

/// Whether `host` is `domain` or a name below it.
fn is_below(host: &str, domain: &str) -> bool {
    let domain = domain.trim_end_matches('.');
    let (Some(start), false) = (host.len().checked_sub(domain.len()), domain.is_empty()) else {
        return false;
    };
    let (Some(before), Some(end)) = (host.get(..start), host.get(start..)) else { return false };
    end.eq_ignore_ascii_case(domain) && (before.is_empty() || before.ends_with('.'))
}

#[cfg(test)]
mod tests;
