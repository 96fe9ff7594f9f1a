//! The `Authorization: X-Matrix` header: written by `client`, checked here for `inbound`.
//!
//! Spec: server-server API, "Request Authentication".

use bytes::Bytes;
use http::{HeaderMap, header::AUTHORIZATION};
use ruma::{
    ServerName,
    api::federation::authentication::{XMatrix, XMatrixVerificationError},
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
        if value.len() > HEADER_BYTES_MAX {
            problem = AuthorizationError::Malformed("too long".to_owned());
            continue;
        }
        match XMatrix::try_from(value) {
            Ok(claim) => return check_parties(claim, server_name),
            Err(error) => problem = AuthorizationError::Malformed(error.to_string()),
        }
    }
    Err(problem)
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
