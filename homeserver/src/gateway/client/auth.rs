//! The door of `auth`: who is asking. Spec: <https://spec.matrix.org/v1.19/client-server-api/#client-authentication>.

use axum::{Router, extract::State};
use ruma::api::client::account::whoami;

use crate::{
    app::App,
    auth::{AuthError, Requester},
    gateway::{ApiError, Matrix, MatrixRoutes, Server},
};

pub(in crate::gateway) fn routes() -> Router<Server> {
    Router::new().serve::<whoami::v3::Request, _, _>(who_am_i)
}

/// `GET /_matrix/client/v3/account/whoami`
async fn who_am_i(
    State(_app): State<App>,
    requester: Requester,
    _request: Matrix<whoami::v3::Request>,
) -> Result<Matrix<whoami::v3::Response>, ApiError> {
    let mut response = whoami::v3::Response::new(requester.user_id, false);
    response.device_id = Some(requester.device_id);
    Ok(Matrix(response))
}

impl From<AuthError> for ApiError {
    fn from(error: AuthError) -> Self {
        use axum::http::StatusCode;

        match error {
            AuthError::UnknownToken { soft_logout } => {
                let error = Self::new(
                    StatusCode::UNAUTHORIZED,
                    "M_UNKNOWN_TOKEN",
                    "this session has ended, log in again",
                );
                error.with("soft_logout", soft_logout.into())
            }
            AuthError::Storage(source) => source.into(),
        }
    }
}
