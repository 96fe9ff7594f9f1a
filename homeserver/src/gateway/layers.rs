//! Every layer around the routes, in order, outermost first: panics, trace, CORS, gzip, body limit.

use std::{
    any::Any,
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant},
};

use axum::{
    Router,
    body::Body,
    extract::{DefaultBodyLimit, MatchedPath, Request},
    http::{Extensions, HeaderMap, HeaderName, HeaderValue, Method, header},
    middleware::{Next, from_fn},
    response::{IntoResponse, Response},
};
use tower_http::{
    catch_panic::CatchPanicLayer,
    compression::{
        CompressionLayer,
        predicate::{Predicate, SizeAbove},
    },
    cors::{Any as AnyOrigin, CorsLayer},
};
use tracing::Instrument;

use super::ApiError;

/// The largest JSON body from a client. Events are at most 64 KiB; key uploads are the largest requests.
const CLIENT_BODY_BYTES_MAX: usize = 2 * 1024 * 1024;
/// Smaller answers don't get smaller by gzip.
const GZIP_BYTES_MIN: u16 = 1024;
/// How long a browser may remember what CORS allows.
const CORS_AGE: Duration = Duration::from_secs(24 * 3600);
/// Requests slower than this are logged though they succeeded. Waiting for sync is meant to be slow.
const SLOW: Duration = Duration::from_secs(10);

/// Wraps the routes.
pub(super) fn around(router: Router) -> Router {
    // In one: each that a router is given by itself costs a waiting request a place on the heap.
    router.layer((
        from_fn(trace),
        CatchPanicLayer::custom(answer_panic),
        cors(),
        gzip(),
        DefaultBodyLimit::max(CLIENT_BODY_BYTES_MAX),
    ))
}

/// JSON only: media are compressed already, and a body that never ends must not wait for a block to fill.
fn gzip() -> CompressionLayer<impl Predicate> {
    let json = |_status, _version, headers: &HeaderMap, _extensions: &Extensions| {
        let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
        content_type.is_some_and(|it| it.starts_with("application/json"))
    };
    CompressionLayer::new().compress_when(SizeAbove::new(GZIP_BYTES_MIN).and(json))
}

/// <https://spec.matrix.org/v1.19/client-server-api/#web-browser-clients>. Requests carry no cookies, so any origin may.
fn cors() -> CorsLayer {
    CorsLayer::new()
        .allow_origin(AnyOrigin)
        .allow_methods([
            Method::GET,
            Method::HEAD,
            Method::POST,
            Method::PUT,
            Method::PATCH,
            Method::DELETE,
            Method::OPTIONS,
        ])
        .allow_headers([
            HeaderName::from_static("x-requested-with"),
            header::CONTENT_TYPE,
            header::AUTHORIZATION,
            header::RANGE,
        ])
        .expose_headers([
            header::RETRY_AFTER,
            header::CONTENT_DISPOSITION,
            header::CONTENT_RANGE,
            header::ACCEPT_RANGES,
        ])
        .max_age(CORS_AGE)
}

/// A panic ends one request, not the server. Its text is in the log; it may hold anything, so nobody else gets it.
fn answer_panic(panic: Box<dyn Any + Send>) -> Response {
    let text = panic
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| panic.downcast_ref::<String>().cloned());
    ApiError::internal(format!("panic: {}", text.unwrap_or_default())).into_response()
}

/// One span a request: its number, method and route. The route is the template, so that neither ids nor tokens nor
/// query strings reach the log.
fn trace(request: Request<Body>, next: Next) -> impl Future<Output = Response> {
    static NUMBER: AtomicU64 = AtomicU64::new(1);

    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let route = request.extensions().get::<MatchedPath>().map_or("unknown", MatchedPath::as_str);
    let span = tracing::info_span!(
        "request",
        number,
        method = %request.method(),
        route,
    );
    let waits = route.ends_with("/sync") || route.ends_with("/events");
    let start = Instant::now();
    // On the heap, so that a request that waits does not stand once in each of the futures around it.
    let answer = Box::pin(next.run(request).instrument(span.clone()));
    async move {
        let mut response = answer.await;
        let duration = start.elapsed();
        let status = response.status().as_u16();
        let duration_ms = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        span.in_scope(|| {
            if duration > SLOW && !waits {
                tracing::warn!(status, duration_ms, "slow");
            } else {
                tracing::debug!(status, duration_ms, "answered");
            }
        });
        if let Ok(value) = HeaderValue::try_from(number.to_string()) {
            response.headers_mut().insert("x-request-id", value);
        }
        response
    }
}
