//! Access token → [`Requester`]: an extractor, so that a handler which needs a user says so in its arguments.

use axum::{
    extract::{FromRequestParts, OptionalFromRequestParts},
    http::{StatusCode, header, request::Parts},
};

use crate::{
    auth::{self, Requester},
    gateway::{ApiError, Server, rate_limit::limit_user},
};

impl FromRequestParts<Server> for Requester {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, server: &Server) -> Result<Self, ApiError> {
        let Some(token) = access_token(parts) else {
            return Err(ApiError::new(
                StatusCode::UNAUTHORIZED,
                "M_MISSING_TOKEN",
                "an access token is needed",
            ));
        };
        let requester = auth::authenticate(&server.app, &server.auth, &token).await?;
        limit_user(parts, requester.user)?;
        Ok(requester)
    }
}

impl OptionalFromRequestParts<Server> for Requester {
    type Rejection = ApiError;

    /// `None` without a token; a wrong token is still refused.
    async fn from_request_parts(
        parts: &mut Parts,
        server: &Server,
    ) -> Result<Option<Self>, ApiError> {
        let Some(token) = access_token(parts) else { return Ok(None) };
        let requester = auth::authenticate(&server.app, &server.auth, &token).await?;
        limit_user(parts, requester.user)?;
        Ok(Some(requester))
    }
}

/// The bearer token, or the deprecated query parameter.
pub(super) fn access_token(parts: &Parts) -> Option<String> {
    if let Some(value) = parts.headers.get(header::AUTHORIZATION) {
        let (scheme, token) = value.to_str().ok()?.split_once(' ')?;
        return (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty())
            .then(|| token.trim().to_owned());
    }
    let query = parts.uri.query()?;
    let (_, token) =
        url::form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "access_token")?;
    (!token.is_empty()).then(|| token.into_owned())
}
