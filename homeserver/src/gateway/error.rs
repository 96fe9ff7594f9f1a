//! `ApiError` and the only table from our errors to Matrix errcodes.
//!
//! Floors say what went wrong in their own words; the `From` of each into [`ApiError`] stands in the door next to the
//! handlers that need it. What is not the caller's business is logged here, once, and answered as M_UNKNOWN.

use std::time::Duration;

use axum::{
    Json,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde_json::{Map, Value, json};

use super::rate_limit::Waiting;
use crate::storage;

/// An error as a client or another server sees it ([spec]).
///
/// [spec]: https://spec.matrix.org/v1.19/client-server-api/#standard-error-response
#[derive(Debug)]
pub struct ApiError {
    pub status: StatusCode,
    pub errcode: &'static str,
    pub message: String,
    /// Further top-level fields, `retry_after_ms` for instance.
    pub fields: Map<String, Value>,
    /// The request did nothing but wait; it is not charged as what it waits for.
    pub(super) waiting: bool,
}

impl ApiError {
    pub fn new(status: StatusCode, errcode: &'static str, message: impl ToString) -> Self {
        let message = message.to_string();
        Self { status, errcode, message, fields: Map::new(), waiting: false }
    }

    /// 403 M_FORBIDDEN.
    pub fn forbidden(message: impl ToString) -> Self {
        Self::new(StatusCode::FORBIDDEN, "M_FORBIDDEN", message)
    }

    /// 404 M_NOT_FOUND.
    pub fn not_found(message: impl ToString) -> Self {
        Self::new(StatusCode::NOT_FOUND, "M_NOT_FOUND", message)
    }

    /// 400 M_INVALID_PARAM.
    pub fn invalid_param(message: impl ToString) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "M_INVALID_PARAM", message)
    }

    /// 400 M_BAD_JSON.
    pub fn bad_json(message: impl ToString) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "M_BAD_JSON", message)
    }

    /// 413 M_TOO_LARGE.
    pub fn too_large(message: impl ToString) -> Self {
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "M_TOO_LARGE", message)
    }

    /// 404 M_UNRECOGNIZED, for paths nobody serves.
    pub fn unrecognized() -> Self {
        Self::new(StatusCode::NOT_FOUND, "M_UNRECOGNIZED", "unknown endpoint")
    }

    /// 429 M_LIMIT_EXCEEDED with the time after which to try again.
    pub fn limit_exceeded(retry_after: Duration) -> Self {
        let mut error = Self::new(
            StatusCode::TOO_MANY_REQUESTS,
            "M_LIMIT_EXCEEDED",
            "too many requests, try again later",
        );
        error.fields.insert(
            "retry_after_ms".to_owned(),
            json!(u64::try_from(retry_after.as_millis()).unwrap_or(u64::MAX)),
        );
        error
    }

    /// 500 M_UNKNOWN; the cause goes to the log only.
    pub fn internal(cause: impl std::fmt::Display) -> Self {
        tracing::error!(%cause, "a request failed");
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "M_UNKNOWN",
            "the server could not do this; its log says why",
        )
    }

    /// Adds a top-level field.
    #[must_use]
    pub fn with(mut self, name: &str, value: Value) -> Self {
        self.fields.insert(name.to_owned(), value);
        self
    }
}

impl From<storage::Error> for ApiError {
    fn from(error: storage::Error) -> Self {
        match error {
            storage::Error::DiskFull => {
                tracing::error!("the disk is full: writes fail until there is room");
                // Not M_RESOURCE_LIMIT_EXCEEDED: it must name somebody to ask, and not every config does.
                let text = "the server's disk is full; nothing was lost, try again later";
                Self::new(StatusCode::INSUFFICIENT_STORAGE, "M_UNKNOWN", text)
            }
            storage::Error::Undone => Self::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "M_UNKNOWN",
                format!("{error}; try again"),
            ),
            storage::Error::Stopping => Self::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "M_UNKNOWN",
                "the server is restarting, try again",
            ),
            other => Self::internal(other),
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let retry_after = self.fields.get("retry_after_ms").and_then(Value::as_u64);
        let mut body = self.fields;
        // A 401 of interactive authentication that refuses nothing has no errcode.
        if !self.errcode.is_empty() {
            body.insert("errcode".to_owned(), json!(self.errcode));
            body.insert("error".to_owned(), json!(self.message));
        }
        let mut response = (self.status, Json(Value::Object(body))).into_response();
        if self.waiting {
            response.extensions_mut().insert(Waiting);
        }
        if let Some(millis) = retry_after {
            response
                .headers_mut()
                .insert(header::RETRY_AFTER, HeaderValue::from(millis.div_ceil(1_000)));
        }
        response
    }
}
