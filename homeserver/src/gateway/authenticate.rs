//! Access token → [`Requester`]: an extractor, so that a handler which needs a user says so in its arguments.

use axum::{
    extract::{FromRequestParts, MatchedPath, OptionalFromRequestParts},
    http::{Method, StatusCode, header, request::Parts},
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
        // On the heap: a handler may wait for long with the space of what came before it.
        Box::pin(authenticate(parts, server, &token)).await
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
        Ok(Some(Box::pin(authenticate(parts, server, &token)).await?))
    }
}

/// Who the token belongs to, within their limits and in good standing where that is needed.
async fn authenticate(parts: &Parts, server: &Server, token: &str) -> Result<Requester, ApiError> {
    let requester = auth::authenticate(&server.app, &server.auth, token).await?;
    limit_user(parts, requester.user)?;
    let route = parts.extensions.get::<MatchedPath>().map_or("", MatchedPath::as_str);
    if server.auth.is_suspended(requester.user) && is_closed_to_suspended(&parts.method, route) {
        let text = "this account is suspended: it may read, leave rooms and log out only";
        return Err(ApiError::new(StatusCode::FORBIDDEN, "M_USER_SUSPENDED", text));
    }
    Ok(requester)
}

/// Whether a suspended user may not do this: what others would see of them. Reading, keys, verifying devices, redacting, leaving
/// and logging out stay open
/// (<https://spec.matrix.org/v1.19/client-server-api/#account-suspension>).
fn is_closed_to_suspended(method: &Method, route: &str) -> bool {
    const DONE_BY_POST: [&str; 11] = [
        "/createRoom",
        "/join",
        "/join/{room_id_or_alias}",
        "/knock/{room_id_or_alias}",
        "/invite",
        "/kick",
        "/ban",
        "/unban",
        "/upgrade",
        "/upload",
        "/media/v1/create",
    ];
    const DONE_BY_PUT: [&str; 5] = [
        "/rooms/{room_id}/send/",
        "/rooms/{room_id}/state/",
        "/profile/",
        "/directory/",
        "/typing/",
    ];
    // `/keys/upload` and `/keys/…/upload` are not of media.
    let keys = route.contains("/keys/");
    if *method == Method::POST {
        !keys && DONE_BY_POST.iter().any(|end| route.ends_with(end))
    } else {
        (*method == Method::PUT || *method == Method::DELETE)
            && (DONE_BY_PUT.iter().any(|part| route.contains(part)) || route.contains("/upload/"))
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

#[cfg(test)]
mod tests {
    use axum::http::Method;

    use super::is_closed_to_suspended;

    #[test]
    fn a_suspended_user_reads_leaves_and_verifies_and_does_nothing_that_others_see() {
        for (method, route, closed) in [
            (Method::PUT, "/_matrix/client/v3/rooms/{room_id}/send/{event_type}/{txn_id}", true),
            (
                Method::PUT,
                "/_matrix/client/v3/rooms/{room_id}/state/{event_type}/{state_key}",
                true,
            ),
            (Method::POST, "/_matrix/client/v3/join/{room_id_or_alias}", true),
            (Method::POST, "/_matrix/client/v3/createRoom", true),
            (Method::POST, "/_matrix/media/v3/upload", true),
            (Method::PUT, "/_matrix/client/v3/profile/{user_id}/{key_name}", true),
            (Method::GET, "/_matrix/client/v3/profile/{user_id}/{key_name}", false),
            (Method::PUT, "/_matrix/client/v3/rooms/{room_id}/redact/{event_id}/{txn_id}", false),
            (Method::PUT, "/_matrix/client/v3/sendToDevice/{event_type}/{txn_id}", false),
            (Method::POST, "/_matrix/client/v3/rooms/{room_id}/leave", false),
            (Method::POST, "/_matrix/client/v3/keys/upload", false),
            (Method::POST, "/_matrix/client/v3/keys/signatures/upload", false),
            (Method::POST, "/_matrix/client/v3/keys/device_signing/upload", false),
            (Method::POST, "/_matrix/client/v3/logout", false),
            (Method::GET, "/_matrix/client/v3/sync", false),
        ] {
            assert_eq!(is_closed_to_suspended(&method, route), closed, "{method} {route}");
        }
    }
}
