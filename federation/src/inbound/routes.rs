//! The router: one line for each operation, paths and methods from ruma's metadata.

use std::{future::Future, sync::Arc};

use axum::{
    Router,
    extract::State,
    response::{IntoResponse as _, Response},
    routing::{MethodFilter, on},
};
use http::StatusCode;
use ruma::{
    OwnedServerName,
    api::{
        IncomingRequest, Metadata,
        auth_scheme::NoAuthentication,
        error::ErrorKind,
        federation::{
            authenticated_media::{get_content, get_content_thumbnail},
            authentication::ServerSignatures,
            discovery::get_server_version,
        },
        path_builder::PathBuilder as _,
    },
};

use super::{
    Authenticated, Inbound, InboundTools, Public, Reception, Refusal,
    authenticate::{respond, respond_in_pair},
    keys, transaction,
};
use crate::media::{self, Media};

type Routes = Router<Arc<Reception>>;

/// Everything under `/_matrix/federation` and `/_matrix/key`, answered by `host`.
///
/// The router has no fallback, so that it can be merged; a wrong method on a known path gets 405 `M_UNRECOGNIZED`.
pub fn router(host: Arc<dyn Inbound>, tools: InboundTools) -> Router {
    let reception = Arc::new(Reception { host, tools, transactions: transaction::Seen::default() });
    let mut routes = Router::new();
    routes = keys::routes(routes);
    routes = membership(routes);
    routes = events(routes);
    routes = queries(routes);
    routes = media_routes(routes);
    routes = transaction::routes(routes);
    routes.method_not_allowed_fallback(method_not_allowed).with_state(reception)
}

fn membership(routes: Routes) -> Routes {
    let routes = signed(routes, async |host, origin, r| host.make_join(origin, r).await);
    let routes = signed(routes, async |host, origin, r| host.send_join(origin, r).await);
    let routes = paired(
        routes,
        "/_matrix/federation/v1/send_join/{room_id}/{event_id}",
        async |host, origin, r| host.send_join(origin, r).await,
    );
    let routes = paired(
        routes,
        "/_matrix/federation/v1/send_leave/{room_id}/{event_id}",
        async |host, origin, r| host.send_leave(origin, r).await,
    );
    let routes = signed(routes, async |host, origin, r| host.make_leave(origin, r).await);
    let routes = signed(routes, async |host, origin, r| host.send_leave(origin, r).await);
    let routes = signed(routes, async |host, origin, r| host.make_knock(origin, r).await);
    let routes = signed(routes, async |host, origin, r| host.send_knock(origin, r).await);
    let routes = signed(routes, async |host, origin, r| host.invite_v1(origin, r).await);
    signed(routes, async |host, origin, r| host.invite(origin, r).await)
}

fn events(routes: Routes) -> Routes {
    let routes = signed(routes, async |host, origin, r| host.event(origin, r).await);
    let routes = signed(routes, async |host, origin, r| host.state(origin, r).await);
    let routes = signed(routes, async |host, origin, r| host.state_ids(origin, r).await);
    let routes = signed(routes, async |host, origin, r| host.event_auth(origin, r).await);
    let routes = signed(routes, async |host, origin, r| host.backfill(origin, r).await);
    let routes = signed(routes, async |host, origin, r| host.missing_events(origin, r).await);
    signed(routes, async |host, origin, r| host.timestamp_to_event(origin, r).await)
}

fn queries(routes: Routes) -> Routes {
    let routes = public::<get_server_version::v1::Request, _, _>(routes, async |reception, _| {
        reception.host.version().await
    });
    let routes =
        public(routes, async |reception, request| reception.host.openid_userinfo(request).await);
    let routes = signed(routes, async |host, origin, r| host.profile(origin, r).await);
    let routes = signed(routes, async |host, origin, r| host.directory(origin, r).await);
    let routes = signed(routes, async |host, origin, r| host.user_devices(origin, r).await);
    let routes = signed(routes, async |host, origin, r| host.query_keys(origin, r).await);
    let routes = signed(routes, async |host, origin, r| host.claim_keys(origin, r).await);
    let routes = signed(routes, async |host, origin, r| host.public_rooms(origin, r).await);
    let routes =
        signed(routes, async |host, origin, r| host.public_rooms_filtered(origin, r).await);
    signed(routes, async |host, origin, r| host.hierarchy(origin, r).await)
}

/// Media answers are streams, which ruma's response types can't be.
fn media_routes(routes: Routes) -> Routes {
    let routes = at::<get_content::v1::Request, _>(routes, |filter| {
        on(filter, |State(reception): State<Arc<Reception>>, asked: Authenticated<_>| async move {
            stream(reception.host.media(asked.origin, asked.request).await)
        })
    });
    at::<get_content_thumbnail::v1::Request, _>(routes, |filter| {
        on(filter, |State(reception): State<Arc<Reception>>, asked: Authenticated<_>| async move {
            stream(reception.host.media_thumbnail(asked.origin, asked.request).await)
        })
    })
}

fn stream(answer: Result<Media, Refusal>) -> Response {
    match answer {
        Ok(media) => media::to_response(media),
        Err(refusal) => refusal.into_response(),
    }
}

/// Adds an operation that must be signed.
fn signed<R, F, A>(routes: Routes, answer: F) -> Routes
where
    R: IncomingRequest<Authentication = ServerSignatures> + Send + 'static,
    R::OutgoingResponse: Send,
    F: Fn(Arc<dyn Inbound>, OwnedServerName, R) -> A + Clone + Send + Sync + 'static,
    A: Future<Output = Result<R::OutgoingResponse, Refusal>> + Send,
{
    at::<R, _>(routes, |filter| {
        on(
            filter,
            move |State(reception): State<Arc<Reception>>, asked: Authenticated<R>| async move {
                let host = Arc::clone(&reception.host);
                respond(answer(host, asked.origin, asked.request).await)
            },
        )
    })
}

/// Adds the first version of a signed operation, of which ruma knows the second only: the same request, and the answer in a pair with
/// its status ([spec](https://spec.matrix.org/v1.19/server-server-api/#put_matrixfederationv1send_joinroomideventid)).
fn paired<R, F, A>(routes: Routes, path: &str, answer: F) -> Routes
where
    R: IncomingRequest<Authentication = ServerSignatures> + Send + 'static,
    R::OutgoingResponse: Send,
    F: Fn(Arc<dyn Inbound>, OwnedServerName, R) -> A + Clone + Send + Sync + 'static,
    A: Future<Output = Result<R::OutgoingResponse, Refusal>> + Send,
{
    let handler = move |State(reception): State<Arc<Reception>>, asked: Authenticated<R>| async move {
        let host = Arc::clone(&reception.host);
        respond_in_pair(answer(host, asked.origin, asked.request).await)
    };
    routes.route(path, on(MethodFilter::PUT, handler))
}

/// Adds an operation that anybody may ask for.
pub(super) fn public<R, F, A>(routes: Routes, answer: F) -> Routes
where
    R: IncomingRequest<Authentication = NoAuthentication> + Send + 'static,
    R::OutgoingResponse: Send,
    F: Fn(Arc<Reception>, R) -> A + Clone + Send + Sync + 'static,
    A: Future<Output = Result<R::OutgoingResponse, Refusal>> + Send,
{
    at::<R, _>(routes, |filter| {
        on(
            filter,
            move |State(reception): State<Arc<Reception>>, Public(request): Public<R>| async move {
                respond(answer(reception, request).await)
            },
        )
    })
}

/// Puts a handler at each path of `R`.
pub(super) fn at<R, F>(mut routes: Routes, handler: F) -> Routes
where
    R: Metadata,
    F: FnOnce(MethodFilter) -> axum::routing::MethodRouter<Arc<Reception>>,
{
    // Every method in ruma's federation types is one of the nine that axum knows.
    let filter = MethodFilter::try_from(R::METHOD).unwrap_or(MethodFilter::GET);
    let handler = handler(filter);
    for path in R::PATH_BUILDER.all_paths() {
        routes = routes.route(path, handler.clone());
    }
    routes
}

async fn method_not_allowed() -> Refusal {
    Refusal::new(StatusCode::METHOD_NOT_ALLOWED, ErrorKind::Unrecognized, "no such method here")
}
