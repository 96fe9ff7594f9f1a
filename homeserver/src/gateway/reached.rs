//! How a client reached this server: `serve` puts the scheme into the request, the answer of a mail request leads back the same
//! way.
//!
//! Never for what is mailed: whoever asks for a mail would choose where its link leads.

use std::convert::Infallible;

use axum::{
    extract::FromRequestParts,
    http::{HeaderMap, header, request::Parts, uri::Authority},
};

use crate::{auth, gateway::Server};

/// The scheme of a request as its client saw it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    Http,
    Https,
    /// A proxy stands between and does not say, or is not one of ours.
    Unknown,
}

impl Scheme {
    /// The scheme of a request that came over TLS or not, by a trusted proxy or not.
    pub fn of(headers: &HeaderMap, tls: bool, trusted_proxy: bool) -> Self {
        let said = headers.get_all("x-forwarded-proto").iter().next_back();
        let said = said.and_then(|value| value.to_str().ok());
        let said = said.and_then(|value| value.rsplit(',').next()).map(str::trim);
        let through_proxy = ["x-forwarded-for", "x-forwarded-proto", "forwarded", "via"]
            .iter()
            .any(|name| headers.contains_key(*name));
        match said {
            Some("http") if trusted_proxy => Self::Http,
            Some("https") if trusted_proxy => Self::Https,
            _ if tls => Self::Https,
            // A proxy that the config does not name may well speak TLS to its clients.
            _ if trusted_proxy || through_proxy => Self::Unknown,
            _ => Self::Http,
        }
    }
}

/// Where the client of this request reaches this server, without a slash at the end: as configured, else as it just did.
pub(super) struct ReachedAt(pub(super) String);

impl FromRequestParts<Server> for ReachedAt {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, server: &Server) -> Result<Self, Infallible> {
        let configured = || auth::base_url(&server.app);
        if !server.app.config.client.base_url.is_empty() {
            return Ok(Self(configured()));
        }
        let scheme = match parts.extensions.get::<Scheme>() {
            Some(Scheme::Http) => "http",
            Some(Scheme::Https) => "https",
            Some(Scheme::Unknown) | None => return Ok(Self(configured())),
        };
        Ok(Self(match authority(parts) {
            Some(authority) => format!("{scheme}://{authority}"),
            None => configured(),
        }))
    }
}

/// The host and port that the client asked for.
fn authority(parts: &Parts) -> Option<Authority> {
    let authority = match parts.uri.authority() {
        Some(authority) => authority.clone(),
        None => parts.headers.get(header::HOST)?.to_str().ok()?.parse().ok()?,
    };
    (!authority.host().is_empty() && !authority.as_str().contains('@')).then_some(authority)
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderMap;

    use super::Scheme;

    #[test]
    fn only_a_trusted_proxy_says_how_its_client_came() {
        let check = |proto: Option<&str>, tls: bool, trusted: bool, expected: Scheme| {
            let mut headers = HeaderMap::new();
            if let Some(proto) = proto {
                headers.insert("x-forwarded-proto", proto.parse().unwrap());
            }
            let found = Scheme::of(&headers, tls, trusted);
            assert_eq!(found, expected, "{proto:?} tls: {tls} trusted: {trusted}");
        };
        check(None, false, false, Scheme::Http);
        check(None, true, false, Scheme::Https);
        check(Some("https"), false, true, Scheme::Https);
        check(Some("http"), true, true, Scheme::Http);
        check(Some("http, https"), false, true, Scheme::Https);
        check(None, false, true, Scheme::Unknown);
        check(Some("https"), false, false, Scheme::Unknown);
        check(Some("http"), true, false, Scheme::Https);
        check(Some("gopher"), false, true, Scheme::Unknown);
    }
}
