//! `Matrix<T>`: a ruma request in, a ruma response out; and routes whose paths come from ruma, never typed by hand.

use axum::{
    Router,
    body::{Body, Bytes},
    extract::{FromRequest, RawPathParams, Request},
    handler::Handler,
    http::{Method, StatusCode, request::Parts},
    middleware::from_fn,
    response::{IntoResponse, Response},
    routing::{MethodFilter, MethodRouter, on},
};
use ruma::api::{
    IncomingRequest, OutgoingResponse,
    error::{DeserializationError, FromHttpRequestError},
    path_builder::PathBuilder,
};

use super::{
    ApiError, Server,
    rate_limit::{Class, limit},
};

/// A typed Matrix request or response.
pub struct Matrix<T>(pub T);

/// A typed request, and its body as it came: for what clients may add to it.
pub struct MatrixAndBody<T>(pub T, pub Bytes);

impl<T: IncomingRequest> FromRequest<Server> for Matrix<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, server: &Server) -> Result<Self, ApiError> {
        // On the heap: a handler may wait for long with the space of what came before it.
        let decoded = Box::pin(MatrixAndBody::from_request(request, server));
        decoded.await.map(|request| Self(request.0))
    }
}

impl<T: IncomingRequest> FromRequest<Server> for MatrixAndBody<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, server: &Server) -> Result<Self, ApiError> {
        let (mut parts, body) = request.into_parts();
        let arguments = path_arguments(&mut parts, server).await?;
        let request = Request::from_parts(parts, body);
        let (parts, body) = request.into_parts();
        let bytes = Bytes::from_request(Request::from_parts(parts.clone(), body), server)
            .await
            .map_err(|rejection| match rejection.status() {
                StatusCode::PAYLOAD_TOO_LARGE => {
                    ApiError::too_large("the request body is too large")
                }
                _ => ApiError::new(
                    StatusCode::BAD_REQUEST,
                    "M_NOT_JSON",
                    "the request body could not be read",
                ),
            })?;
        // Clients send POST without a body where every field is optional.
        let empty = bytes.is_empty() && parts.method != Method::GET;
        let bytes = if empty { Bytes::from_static(b"{}") } else { bytes };
        let request = http::Request::from_parts(parts, bytes.clone());
        let request = T::try_from_http_request(request, &arguments).map_err(refusal)?;
        Ok(Self(request, bytes))
    }
}

/// The path's variables in order, percent-decoded.
async fn path_arguments(parts: &mut Parts, server: &Server) -> Result<Vec<String>, ApiError> {
    use axum::extract::FromRequestParts;

    let params = RawPathParams::from_request_parts(parts, server)
        .await
        .map_err(|_| ApiError::invalid_param("the path is not valid UTF-8 when decoded"))?;
    Ok(params.iter().map(|(_, value)| value.to_owned()).collect())
}

/// What a malformed request is told: M_NOT_JSON for what is no JSON, M_BAD_JSON for the wrong JSON, M_MISSING_PARAM or
/// M_INVALID_PARAM for path and query.
fn refusal(error: FromHttpRequestError) -> ApiError {
    let text = error.to_string();
    match error {
        FromHttpRequestError::Deserialization(DeserializationError::Json(json)) => {
            if json.is_syntax() || json.is_eof() {
                ApiError::new(StatusCode::BAD_REQUEST, "M_NOT_JSON", json)
            } else if json.to_string().starts_with("missing field") {
                ApiError::new(StatusCode::BAD_REQUEST, "M_MISSING_PARAM", json)
            } else {
                ApiError::bad_json(json)
            }
        }
        _ if text.contains("missing field") => {
            ApiError::new(StatusCode::BAD_REQUEST, "M_MISSING_PARAM", text)
        }
        _ => ApiError::invalid_param(text),
    }
}

impl<T: OutgoingResponse> IntoResponse for Matrix<T> {
    fn into_response(self) -> Response {
        match self.0.try_into_http_response::<Vec<u8>>() {
            Ok(response) => response.map(Body::from),
            Err(error) => ApiError::internal(error).into_response(),
        }
    }
}

/// Adds routes by ruma request type.
pub trait MatrixRoutes {
    /// Serves `R` by `handler` at every path that the specification ever gave it, with a rate limit where it allows 429.
    #[must_use]
    fn serve<R: IncomingRequest, H: Handler<T, Server>, T: 'static>(self, handler: H) -> Self;

    /// Serves a path that ruma does not know, with the rate limit of its class.
    #[must_use]
    fn limited(self, path: &str, method: MethodRouter<Server>) -> Self;
}

impl MatrixRoutes for Router<Server> {
    fn serve<R: IncomingRequest, H: Handler<T, Server>, T: 'static>(self, handler: H) -> Self {
        let filter = MethodFilter::try_from(R::METHOD).unwrap_or(MethodFilter::GET);
        R::PATH_BUILDER.all_paths().fold(self, |router, path| {
            let mut method: MethodRouter<Server> = on(filter, handler.clone());
            if R::RATE_LIMITED {
                let class = Class::of(path);
                method = method.layer(from_fn(move |request, next| limit(class, request, next)));
            }
            // An empty state key may be left out, with its slash or without.
            let router = match path.strip_suffix("/{state_key}") {
                Some(short) => {
                    router.route(short, method.clone()).route(&format!("{short}/"), method.clone())
                }
                None => router,
            };
            router.route(path, method)
        })
    }

    fn limited(self, path: &str, method: MethodRouter<Server>) -> Self {
        let class = Class::of(path);
        self.route(path, method.layer(from_fn(move |request, next| limit(class, request, next))))
    }
}
