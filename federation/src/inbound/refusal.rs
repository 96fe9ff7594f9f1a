//! No, and why: the host's and the router's answer in the Matrix error format.

use std::time::Duration;

use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use ruma::{
    RoomVersionId,
    api::error::{
        ErrorKind, IncompatibleRoomVersionErrorData, LimitExceededErrorData, RetryAfter,
        StandardErrorBody,
    },
};

use crate::x_matrix::AuthorizationError;

/// Why a request is not answered: HTTP status, errcode, and a sentence for the other server's log.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{message}")]
pub struct Refusal {
    pub status: StatusCode,
    /// The errcode and its extra fields.
    pub kind: ErrorKind,
    pub message: String,
}

impl Refusal {
    /// Any refusal.
    pub fn new(status: StatusCode, kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { status, kind, message: message.into() }
    }

    /// 403 `M_FORBIDDEN`
    pub fn forbidden(message: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, ErrorKind::Forbidden, message)
    }

    /// 404 `M_NOT_FOUND`
    pub fn not_found(message: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, ErrorKind::NotFound, message)
    }

    /// 401 `M_UNAUTHORIZED`
    pub fn unauthorized(message: impl Into<String>) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, ErrorKind::Unauthorized, message)
    }

    /// 401 `M_UNKNOWN_TOKEN`, for the openid endpoint
    pub fn unknown_token(message: impl Into<String>) -> Self {
        let kind = ErrorKind::UnknownToken(ruma::api::error::UnknownTokenErrorData::new());
        Self::new(StatusCode::UNAUTHORIZED, kind, message)
    }

    /// 400 `M_BAD_JSON`
    pub fn bad_json(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, ErrorKind::BadJson, message)
    }

    /// 400 `M_NOT_JSON`
    pub fn not_json(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, ErrorKind::NotJson, message)
    }

    /// 400 `M_INVALID_PARAM`
    pub fn invalid_param(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, ErrorKind::InvalidParam, message)
    }

    /// 400 `M_INCOMPATIBLE_ROOM_VERSION` with the version of the room
    pub fn incompatible_room_version(room_version: RoomVersionId) -> Self {
        let message = format!("your server does not support room version {room_version}");
        let data = IncompatibleRoomVersionErrorData::new(room_version);
        Self::new(StatusCode::BAD_REQUEST, ErrorKind::IncompatibleRoomVersion(data), message)
    }

    /// 400 `M_UNABLE_TO_AUTHORISE_JOIN`: we can't see whether the user meets the conditions; another server may.
    pub fn unable_to_authorise_join(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, ErrorKind::UnableToAuthorizeJoin, message)
    }

    /// 400 `M_UNABLE_TO_GRANT_JOIN`: none of our users may let the user in.
    pub fn unable_to_grant_join(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, ErrorKind::UnableToGrantJoin, message)
    }

    /// 413 `M_TOO_LARGE`
    pub fn too_large(message: impl Into<String>) -> Self {
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, ErrorKind::TooLarge, message)
    }

    /// 429 `M_LIMIT_EXCEEDED`
    pub fn limit_exceeded(retry_after: Duration) -> Self {
        let mut data = LimitExceededErrorData::new();
        data.retry_after = Some(RetryAfter::Delay(retry_after));
        let kind = ErrorKind::LimitExceeded(data);
        Self::new(StatusCode::TOO_MANY_REQUESTS, kind, "too many requests")
    }

    /// 404 `M_UNRECOGNIZED`: an operation this server does not have
    pub fn unrecognized() -> Self {
        Self::new(StatusCode::NOT_FOUND, ErrorKind::Unrecognized, "no such operation")
    }

    /// 500 `M_UNKNOWN`. The cause belongs in the log, not here.
    pub fn internal() -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, ErrorKind::Unknown, "internal error")
    }
}

impl From<AuthorizationError> for Refusal {
    fn from(error: AuthorizationError) -> Self {
        let message = error.to_string();
        match error {
            AuthorizationError::NotJson => Self::not_json(message),
            AuthorizationError::Missing
            | AuthorizationError::Malformed(_)
            | AuthorizationError::WrongDestination
            | AuthorizationError::FromOurselves
            | AuthorizationError::UnknownKey(_)
            | AuthorizationError::Forged
            | AuthorizationError::Keys(_) => Self::unauthorized(message),
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let retry_after = match &self.kind {
            ErrorKind::LimitExceeded(LimitExceededErrorData {
                retry_after: Some(retry_after),
                ..
            }) => HeaderValue::try_from(retry_after).ok(),
            _ => None,
        };
        let body = StandardErrorBody::new(self.kind, self.message);
        let mut response = (self.status, axum::Json(body)).into_response();
        if let Some(retry_after) = retry_after {
            response.headers_mut().insert(header::RETRY_AFTER, retry_after);
        }
        response
    }
}
