//! The address a request comes from: `serve` puts it into the request, rate limits and device lists read it.

use std::{convert::Infallible, net::IpAddr};

use axum::{
    extract::FromRequestParts,
    http::{HeaderMap, request::Parts},
};

/// The client's address; IPv4 in IPv6 form is shown as IPv4.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClientIp(pub IpAddr);

impl<S: Sync> FromRequestParts<S> for ClientIp {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self::of(parts))
    }
}

impl ClientIp {
    /// The address of this request; loopback for one that came over no socket.
    pub fn of(parts: &Parts) -> Self {
        let none = Self(std::net::Ipv4Addr::LOCALHOST.into());
        parts.extensions.get::<Self>().copied().unwrap_or(none)
    }
}

/// The last address in X-Forwarded-For that is not a proxy of ours. Those before it are the client's own claim.
pub fn forwarded_for(headers: &HeaderMap, trusted: impl Fn(IpAddr) -> bool) -> Option<IpAddr> {
    let mut last = None;
    let values: Vec<&str> = headers
        .get_all("x-forwarded-for")
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .collect();
    for value in values.into_iter().rev() {
        let text = value.trim().trim_start_matches('[').trim_end_matches(']');
        let address = text.parse::<IpAddr>().ok()?.to_canonical();
        last = Some(address);
        if !trusted(address) {
            break;
        }
    }
    last
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderMap;

    use super::forwarded_for;

    #[test]
    fn only_what_a_trusted_proxy_added_is_believed() {
        let check = |value: &str, expected: Option<&str>| {
            let mut headers = HeaderMap::new();
            headers.insert("x-forwarded-for", value.parse().unwrap());
            let found = forwarded_for(&headers, |address| address.to_string() == "10.0.0.1");
            assert_eq!(found, expected.map(|text| text.parse().unwrap()), "{value}");
        };
        check("192.0.2.7", Some("192.0.2.7"));
        check("198.51.100.1, 192.0.2.7", Some("192.0.2.7"));
        check("198.51.100.1, 192.0.2.7, 10.0.0.1", Some("192.0.2.7"));
        check("[2001:db8::1]", Some("2001:db8::1"));
        check("::ffff:192.0.2.7", Some("192.0.2.7"));
        check("nonsense", None);
    }
}
