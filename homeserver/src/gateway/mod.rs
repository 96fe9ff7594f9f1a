//! The way in over HTTP: decode, call one floor, encode. Rules live on the floors, so that every door has them.
//!
//! `client/` holds a door a floor; `federation.rs` is the door for servers. Only this floor (and `serve`) knows axum.

mod authenticate;
mod body;
mod client;
mod client_ip;
mod content;
mod error;
mod federation;
mod layers;
mod matrix;
mod rate_limit;
mod reached;

use axum::{Extension, Router, extract::FromRef, http::StatusCode};

pub use body::{Interactive, JsonBody, Path, Query};
pub use client_ip::{ClientIp, forwarded_for};
pub use error::ApiError;
pub use matrix::{Matrix, MatrixAndBody, MatrixRoutes};
pub use reached::Scheme;

use self::rate_limit::RateLimiter;
use crate::{
    app::App,
    auth::Auth,
    jobs::Runner,
    mail,
    media::Media,
    messaging::{self, Engine},
    notification::Sync,
    storage,
};

/// What the doors reach: the tools, and the struct of each floor that keeps state.
#[derive(Clone, FromRef)]
pub struct Server {
    pub app: App,
    pub auth: Auth,
    pub engine: Engine,
    pub media: Media,
    pub sync: Sync,
}

impl Server {
    /// Builds every floor on the tools, and goes on with what an earlier run left unfinished.
    pub async fn start(app: App, media: Media) -> Result<Self, messaging::Error> {
        // First: what is committed from here on, no earlier process has told.
        let sync = Sync::new(app.db.begin_telling().await?);
        let engine = Engine::start(app.clone());
        messaging::reception::resume(&engine).await?;
        app.outbound
            .wake_all()
            .await
            .map_err(|error| storage::Error::Database(error.to_string()))?;
        Ok(Self { app, auth: Auth::default(), engine, media, sync })
    }
}

impl Server {
    /// The runner of every floor's persisted background work.
    pub fn jobs(&self) -> Runner {
        let runner = mail::register_jobs(Runner::new(self.app.clone()));
        messaging::jobs::register_jobs(runner, &self.engine)
    }
}

/// Every route, with every layer in order.
pub fn router(server: Server) -> Router {
    let limiter = RateLimiter::new(&server.app.config.limits, server.app.clock.clone());
    let routes = Router::new()
        .merge(client::admin::routes())
        .merge(client::auth::routes())
        .merge(client::directory::routes())
        .merge(client::discovery::routes())
        .merge(client::history::routes())
        .merge(client::relations::routes())
        .merge(client::messages::routes())
        .merge(client::reports::routes())
        .merge(client::rooms::routes())
        .merge(client::spaces::routes())
        .merge(client::search::routes())
        .merge(client::presence::routes())
        .merge(client::thirdparty::routes())
        .merge(client::media::routes())
        .merge(client::cross_signing::routes())
        .merge(client::key_backup::routes())
        .merge(client::keys::routes())
        .merge(client::to_device::routes())
        .merge(client::devices::routes())
        .merge(client::registration::routes())
        .merge(client::emails::routes())
        .merge(client::account::routes())
        .merge(client::profile::routes())
        .merge(client::push::routes())
        .merge(client::sliding_sync::routes())
        .merge(client::socket::routes())
        .merge(client::sync::routes())
        .fallback(|| async { ApiError::unrecognized() })
        .method_not_allowed_fallback(|| async {
            ApiError::new(
                StatusCode::METHOD_NOT_ALLOWED,
                "M_UNRECOGNIZED",
                "unknown method for this endpoint",
            )
        })
        .layer(Extension(limiter.clone()))
        .with_state(server.clone());
    layers::around(routes.merge(federation::routes(server, limiter)))
}
