//! Why a request brought no answer, in words a caller can act on; the other server's errcode is kept.

use std::time::Duration;

use ruma::api::error::{ErrorKind, LimitExceededErrorData, RetryAfter};

use super::transport::TransportError;
use crate::network::Denied;

/// Why a request brought no answer of its kind.
#[derive(Debug, thiserror::Error)]
pub enum RequestError {
    #[error("federation is switched off on this server")]
    Off,
    #[error("a server does not send requests to itself")]
    OwnName,
    #[error(transparent)]
    Denied(#[from] Denied),
    #[error("no connection: {0}")]
    Connect(String),
    #[error("took too long")]
    Timeout,
    #[error("the connection broke: {0}")]
    Broken(String),
    #[error("the answer is larger than {max_bytes} bytes")]
    TooLarge { max_bytes: usize },
    /// The other server's own error, with its errcode.
    #[error("the other server refused: {0}")]
    Remote(Box<ruma::api::error::Error>),
    #[error("the answer cannot be read: {0}")]
    Malformed(String),
    /// A success that is no JSON: a parked domain, a captive portal, a CDN's page. Nobody took our request.
    #[error("the answer is not from a Matrix server: {0}")]
    NotMatrix(String),
    /// A parameter of the request cannot be sent as it is.
    #[error("the request cannot be made: {0}")]
    Request(String),
}

impl RequestError {
    /// The HTTP status of a remote refusal.
    pub fn status(&self) -> Option<http::StatusCode> {
        match self {
            Self::Remote(error) => Some(error.status_code),
            _ => None,
        }
    }

    /// The Matrix error of a remote refusal.
    pub fn kind(&self) -> Option<&ErrorKind> {
        match self {
            Self::Remote(error) => error.error_kind(),
            _ => None,
        }
    }

    /// How long the other server asked us to wait (429).
    pub fn retry_after(&self) -> Option<Duration> {
        match self.kind()? {
            ErrorKind::LimitExceeded(LimitExceededErrorData {
                retry_after: Some(RetryAfter::Delay(delay)),
                ..
            }) => Some(*delay),
            _ => None,
        }
    }
}

impl From<TransportError> for RequestError {
    fn from(error: TransportError) -> Self {
        match error {
            TransportError::Denied(denied) => Self::Denied(denied),
            TransportError::Connect(reason) => Self::Connect(reason),
            TransportError::Timeout => Self::Timeout,
            TransportError::Broken(reason) => Self::Broken(reason),
            TransportError::TooLarge { max_bytes } => Self::TooLarge { max_bytes },
        }
    }
}
