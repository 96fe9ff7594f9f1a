//! `/.well-known/matrix/server`: fetched with every cap that a stranger's web server makes necessary, and read.

use std::time::Duration;

use http::{HeaderMap, header};
use ruma::OwnedServerName;
use serde::Deserialize;
use url::Url;

use crate::client::transport::{Transport, TransportError};

/// The whole look-up, redirects included.
const TIMEOUT: Duration = Duration::from_secs(10);
const REDIRECTS_MAX: usize = 10;
const BODY_BYTES_MAX: usize = 50 * 1024;
const CACHE_DEFAULT: Duration = Duration::from_secs(24 * 3600);
const CACHE_MAX: Duration = Duration::from_secs(48 * 3600);
const CACHE_MIN: Duration = Duration::from_secs(300);
/// How long "there is none" is believed.
pub(crate) const CACHE_FAILURE: Duration = Duration::from_secs(3600);

/// Where a name sends us, and for how long to believe it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Delegation {
    pub(crate) server: OwnedServerName,
    pub(crate) valid_for: Duration,
}

#[derive(Deserialize)]
struct Document {
    #[serde(rename = "m.server")]
    server: OwnedServerName,
}

/// The delegation published for `host`, or nothing if there is none that can be used.
pub(crate) async fn fetch(transport: &Transport, host: &str, port: u16) -> Option<Delegation> {
    let url = Url::parse(&format!("https://{host}:{port}/.well-known/matrix/server")).ok()?;
    match tokio::time::timeout(TIMEOUT, follow(transport, url)).await {
        Ok(Ok(delegation)) => delegation,
        Ok(Err(error)) => {
            tracing::debug!(server.host = host, %error, "no .well-known delegation");
            None
        }
        Err(_) => {
            tracing::debug!(server.host = host, "looking for .well-known took too long");
            None
        }
    }
}

async fn follow(transport: &Transport, mut url: Url) -> Result<Option<Delegation>, TransportError> {
    for _ in 0..=REDIRECTS_MAX {
        let mut response = transport.get(url.clone(), TIMEOUT).await?;
        if response.status().is_redirection() {
            match redirect_target(&url, response.headers()) {
                Some(next) => url = next,
                None => return Ok(None),
            }
            continue;
        }
        if response.status() != http::StatusCode::OK {
            return Ok(None);
        }
        let valid_for = cache_time(response.headers());
        let body = Transport::read_capped(&mut response, BODY_BYTES_MAX).await?;
        return Ok(parse(&body).map(|server| Delegation { server, valid_for }));
    }
    Ok(None)
}

/// The next hop of a redirect; only https is followed.
fn redirect_target(from: &Url, headers: &HeaderMap) -> Option<Url> {
    let location = headers.get(header::LOCATION)?.to_str().ok()?;
    let next = from.join(location).ok()?;
    (next.scheme() == "https" && next.has_host()).then_some(next)
}

/// The server name in a document, whatever content type it came with.
pub(crate) fn parse(body: &[u8]) -> Option<OwnedServerName> {
    serde_json::from_slice::<Document>(body).ok().map(|document| document.server)
}

/// How long a document may be kept, from its `Cache-Control`; between 5 minutes and 48 hours, 24 hours if unsaid.
pub(crate) fn cache_time(headers: &HeaderMap) -> Duration {
    let Some(control) = headers.get(header::CACHE_CONTROL).and_then(|value| value.to_str().ok())
    else {
        return CACHE_DEFAULT;
    };
    for directive in control.split(',') {
        let directive = directive.trim().to_ascii_lowercase();
        if directive == "no-store" || directive == "no-cache" {
            return CACHE_MIN;
        }
        if let Some(seconds) = directive.strip_prefix("max-age=") {
            return match seconds.trim_matches('"').parse() {
                Ok(seconds) => Duration::from_secs(seconds).clamp(CACHE_MIN, CACHE_MAX),
                Err(_) => CACHE_DEFAULT,
            };
        }
    }
    CACHE_DEFAULT
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use axum::{Router, response::Redirect, routing::get};

    use super::*;
    use crate::{ClientConfig, client::transport::Transport, discovery::SystemDns};

    /// A transport that may connect to 127.0.0.1 and a web server there.
    async fn web(router: Router) -> (Transport, Url) {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await });
        let mut config = ClientConfig::new("example.org".try_into().unwrap());
        config.policy.allow.push("127.0.0.1".parse().unwrap());
        let transport = Transport::new(&config, Arc::new(SystemDns::new())).unwrap();
        (transport, Url::parse(&url).unwrap())
    }

    #[tokio::test]
    async fn a_document_is_fetched() {
        let document = r#"{"m.server":"matrix.example.org:443"}"#;
        let (transport, url) = web(Router::new().route("/", get(document))).await;
        let delegation = follow(&transport, url).await.unwrap().unwrap();
        assert_eq!(delegation.server, "matrix.example.org:443");
        assert_eq!(delegation.valid_for, CACHE_DEFAULT);
    }

    #[tokio::test]
    async fn a_redirect_to_a_private_address_is_not_followed() {
        for target in ["https://10.0.0.1/", "https://[::1]/", "https://127.0.0.2/"] {
            let redirect = async move || Redirect::temporary(target);
            let (transport, url) = web(Router::new().route("/", get(redirect))).await;
            let error = follow(&transport, url).await.unwrap_err();
            assert!(matches!(error, TransportError::Denied(_)), "{target}: {error}");
        }
    }

    #[tokio::test]
    async fn a_document_that_is_too_large_is_not_read() {
        let (transport, url) = web(Router::new().route("/", get("x".repeat(60_000)))).await;
        let error = follow(&transport, url).await.unwrap_err();
        assert!(matches!(error, TransportError::TooLarge { max_bytes: BODY_BYTES_MAX }));
    }

    fn headers(control: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(header::CACHE_CONTROL, http::HeaderValue::from_static(control))])
    }

    #[test]
    fn the_delegated_name_is_read_and_nonsense_is_nothing() {
        let check = |body: &str, expected: Option<&str>| {
            let name = parse(body.as_bytes());
            assert_eq!(name.as_deref().map(ruma::ServerName::as_str), expected, "{body}");
        };
        check(r#"{"m.server":"matrix.example.org:443"}"#, Some("matrix.example.org:443"));
        check(r#"{"m.server":"example.org","other":1}"#, Some("example.org"));
        check(r#"{"m.server":"[::1]:8448"}"#, Some("[::1]:8448"));
        check(r#"{"m.server":""}"#, None);
        check(r#"{"m.server":"https://example.org"}"#, None);
        check(r#"{"m.server":5}"#, None);
        check("[]", None);
        check("<html>", None);
    }

    #[test]
    fn cache_times_are_kept_within_bounds() {
        let hours = |hours: u64| Duration::from_secs(hours * 3600);
        assert_eq!(cache_time(&HeaderMap::new()), hours(24));
        assert_eq!(cache_time(&headers("max-age=7200")), hours(2));
        assert_eq!(cache_time(&headers("public, Max-Age=999999999")), hours(48));
        assert_eq!(cache_time(&headers("max-age=0")), CACHE_MIN);
        assert_eq!(cache_time(&headers("no-store")), CACHE_MIN);
        assert_eq!(cache_time(&headers("max-age=soon")), hours(24));
    }

    #[test]
    fn redirects_lead_only_to_https() {
        let from = Url::parse("https://example.org/.well-known/matrix/server").unwrap();
        let check = |location: &'static str, expected: Option<&str>| {
            let headers = HeaderMap::from_iter([(
                header::LOCATION,
                http::HeaderValue::from_static(location),
            )]);
            let target = redirect_target(&from, &headers);
            assert_eq!(target.as_ref().map(Url::as_str), expected, "{location}");
        };
        check("/other", Some("https://example.org/other"));
        check("https://matrix.example.org/x", Some("https://matrix.example.org/x"));
        check("http://example.org/x", None);
        check("file:///etc/passwd", None);
        check("//192.0.2.1/x", Some("https://192.0.2.1/x"));
    }
}
