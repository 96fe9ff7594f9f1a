//! The way in over HTTP: decode, call one floor, encode. Rules live on the floors, so that every door has them.
//!
//! `client/` holds a door a floor; `federation.rs` is the door for servers. Only this floor (and `serve`) knows axum.

mod authenticate;
mod body;
mod client;
mod error;
mod matrix;

use axum::{Router, extract::FromRef};

pub use body::{Interactive, JsonBody};
pub use error::ApiError;
pub use matrix::{Matrix, MatrixRoutes};

use crate::{app::App, auth::Auth, messaging::Engine, notification::Sync};

/// What the doors reach: the tools, and the struct of each floor that keeps state.
#[derive(Clone, FromRef)]
pub struct Server {
    pub app: App,
    pub auth: Auth,
    pub engine: Engine,
    pub sync: Sync,
}

/// Every route, with every layer in order.
pub fn router(server: Server) -> Router {
    Router::new()
        .merge(client::auth::routes())
        .merge(client::devices::routes())
        .merge(client::registration::routes())
        .merge(client::sliding_sync::routes())
        .merge(client::sync::routes())
        .fallback(|| async { ApiError::unrecognized() })
        .method_not_allowed_fallback(|| async {
            ApiError::new(
                axum::http::StatusCode::METHOD_NOT_ALLOWED,
                "M_UNRECOGNIZED",
                "unknown method for this endpoint",
            )
        })
        .with_state(server)
}
