//! The `Authorization: X-Matrix` header: written by `client`, checked here for `inbound`.
//!
//! Spec: server-server API, "Request Authentication".

use bytes::Bytes;
use http::{HeaderMap, header::AUTHORIZATION};
use ruma::{
    OwnedServerName, OwnedServerSigningKeyId, ServerName,
    api::federation::authentication::{XMatrix, XMatrixVerificationError},
    serde::Base64,
};

use crate::key_ring::{KeyError, KeyRing};

/// The longest header we look at; a real one is under 600 bytes.
const HEADER_BYTES_MAX: usize = 4096;

/// Why a request is not believed.
#[derive(Debug, thiserror::Error)]
pub enum AuthorizationError {
    #[error("an X-Matrix Authorization header is needed")]
    Missing,
    #[error("the X-Matrix Authorization header cannot be read: {0}")]
    Malformed(String),
    #[error("the request is signed for another server")]
    WrongDestination,
    /// A server never signs requests to itself.
    #[error("the request claims to be from this server")]
    FromOurselves,
    #[error("the key {0} of the sending server is not known or no longer valid")]
    UnknownKey(String),
    #[error("the signature does not fit the request")]
    Forged,
    #[error("the body is not JSON")]
    NotJson,
    #[error(transparent)]
    Keys(#[from] KeyError),
}

/// Reads the header and checks what can be checked without the body: the fields, and whom it is for.
pub fn read(headers: &HeaderMap, server_name: &ServerName) -> Result<XMatrix, AuthorizationError> {
    let mut problem = AuthorizationError::Missing;
    for value in headers.get_all(AUTHORIZATION) {
        let Some(text) = value.to_str().ok().filter(|text| text.len() <= HEADER_BYTES_MAX) else {
            problem = AuthorizationError::Malformed("it is no short ASCII text".to_owned());
            continue;
        };
        match parse(text) {
            Ok(Some(claim)) => return check_parties(claim, server_name),
            Ok(None) => {}
            Err(reason) => problem = AuthorizationError::Malformed(reason),
        }
    }
    Err(problem)
}

/// The claim in one header value; nothing if it is of another scheme.
///
/// Not ruma's parser, which refuses unquoted values with colons: older servers send those, and the specification asks to
/// take them.
pub fn parse(text: &str) -> Result<Option<XMatrix>, String> {
    let (scheme, mut rest) = text.trim().split_once(' ').unwrap_or((text.trim(), ""));
    if !scheme.eq_ignore_ascii_case("X-Matrix") {
        return Ok(None);
    }
    let (mut origin, mut destination, mut key, mut sig) = (None, None, None, None);
    while let Some((name, value, after)) = next_parameter(rest)? {
        rest = after;
        let place = match name.to_ascii_lowercase().as_str() {
            "origin" => &mut origin,
            "destination" => &mut destination,
            "key" => &mut key,
            "sig" => &mut sig,
            _ => continue,
        };
        if place.replace(value).is_some() {
            return Err(format!("{name} comes twice"));
        }
    }
    let needed = |name: &str, value: Option<String>| value.ok_or(format!("{name} is missing"));
    let server = |value: String| {
        OwnedServerName::try_from(value).map_err(|error| format!("not a server name: {error}"))
    };
    let origin = server(needed("origin", origin)?)?;
    let key = OwnedServerSigningKeyId::try_from(needed("key", key)?)
        .map_err(|error| format!("not a key id: {error}"))?;
    let sig = Base64::parse(needed("sig", sig)?).map_err(|_| "sig is not base64".to_owned())?;
    let destination = destination.map(server).transpose()?;
    let mut claim = XMatrix::new(origin.clone(), origin, key, sig);
    claim.destination = destination;
    Ok(Some(claim))
}

/// The first `name=value` of a comma-separated list, and what follows it.
fn next_parameter(text: &str) -> Result<Option<(&str, String, &str)>, String> {
    let text = text.trim_start_matches([' ', '\t', ',']);
    if text.is_empty() {
        return Ok(None);
    }
    let (name, rest) = text.split_once('=').ok_or("a parameter without value")?;
    let rest = rest.trim_start();
    let Some(quoted) = rest.strip_prefix('"') else {
        let (value, after) = rest.split_once(',').unwrap_or((rest, ""));
        return Ok(Some((name.trim(), value.trim().to_owned(), after)));
    };
    let mut value = String::new();
    let mut characters = quoted.char_indices();
    while let Some((position, character)) = characters.next() {
        match character {
            '"' => {
                let after = quoted.get(position + 1..).unwrap_or_default();
                return Ok(Some((name.trim(), value, after)));
            }
            '\\' => value.extend(characters.next().map(|(_, escaped)| escaped)),
            _ => value.push(character),
        }
    }
    Err("a quote that does not end".to_owned())
}

fn check_parties(claim: XMatrix, server_name: &ServerName) -> Result<XMatrix, AuthorizationError> {
    if claim.destination.as_deref().is_some_and(|destination| destination != server_name) {
        return Err(AuthorizationError::WrongDestination);
    }
    if claim.origin == server_name {
        return Err(AuthorizationError::FromOurselves);
    }
    Ok(claim)
}

/// Checks the signature of a whole request against the origin's keys that are valid now.
pub async fn verify(
    claim: &XMatrix,
    request: &http::Request<Bytes>,
    server_name: &ServerName,
    key_ring: &KeyRing,
) -> Result<(), AuthorizationError> {
    let Some(keys) = key_ring.keys_for_request(&claim.origin, &claim.key).await? else {
        return Err(AuthorizationError::UnknownKey(claim.key.to_string()));
    };
    match claim.verify_request(request, server_name, &keys) {
        Ok(()) => Ok(()),
        Err(XMatrixVerificationError::DestinationMismatch) => {
            Err(AuthorizationError::WrongDestination)
        }
        Err(XMatrixVerificationError::Signature(ruma::signatures::VerificationError::Json(_))) => {
            Err(AuthorizationError::NotJson)
        }
        Err(_) => Err(AuthorizationError::Forged),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_read_quoted_or_not() {
        for text in [
            r#"X-Matrix origin="a.example.org:8448",destination="b.example.org",key="ed25519:k",sig="dGVzdA""#,
            r#"x-matrix  sig=dGVzdA== , KEY=ed25519:k,origin=a.example.org:8448, destination=b.example.org"#,
            r#"X-Matrix origin="a.example\.org:8448",destination="b.example.org",other="a,b=c",key=ed25519:k,sig="dGVzdA","#,
        ] {
            let claim = parse(text).unwrap().unwrap();
            assert_eq!(claim.origin, "a.example.org:8448", "{text}");
            assert_eq!(claim.destination.unwrap(), "b.example.org");
            assert_eq!(claim.key, "ed25519:k");
            assert_eq!(claim.sig.as_bytes(), b"test");
        }
    }

    #[test]
    fn what_ruma_writes_is_read() {
        let written = XMatrix::new(
            "a.example.org:1".try_into().unwrap(),
            "[::1]:8448".try_into().unwrap(),
            "ed25519:a_b".try_into().unwrap(),
            Base64::new(vec![255; 64]),
        );
        let claim = parse(&written.to_string()).unwrap().unwrap();
        assert_eq!(claim.origin, written.origin);
        assert_eq!(claim.destination, written.destination);
        assert_eq!(claim.key, written.key);
        assert_eq!(claim.sig, written.sig);
    }

    #[test]
    fn headers_of_other_schemes_are_nothing_and_broken_ones_are_errors() {
        assert!(parse("Bearer secret").unwrap().is_none());
        assert!(parse("").unwrap().is_none());
        for text in [
            "X-Matrix",
            "X-Matrix origin",
            "X-Matrix origin=a.example.org,key=ed25519:k",
            "X-Matrix origin=a.example.org,origin=b.example.org,key=ed25519:k,sig=dGVzdA",
            "X-Matrix origin=a.example.org,key=ed25519:k,sig=!",
            "X-Matrix origin=a example,key=ed25519:k,sig=dGVzdA",
            r#"X-Matrix origin="a.example.org,key=ed25519:k,sig=dGVzdA"#,
            r#"X-Matrix origin="a.example.org\"#,
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
