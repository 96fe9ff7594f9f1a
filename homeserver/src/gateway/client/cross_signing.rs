//! The door of cross-signing keys, which may want the user's password.

use axum::{Router, extract::State};
use ruma::api::client::keys::upload_signing_keys;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::{
    app::App,
    auth::{self, Auth, Requester},
    gateway::{ApiError, Interactive, Matrix, MatrixRoutes, Server},
    messaging::keys::{self, CrossSigningUpload},
};

pub(in crate::gateway) fn routes() -> Router<Server> {
    Router::new().serve::<upload_signing_keys::v3::Request, _, _>(upload_signing_keys)
}

#[derive(Deserialize)]
struct Body {
    master_key: Option<Map<String, Value>>,
    self_signing_key: Option<Map<String, Value>>,
    user_signing_key: Option<Map<String, Value>>,
}

/// `POST /_matrix/client/v3/keys/device_signing/upload`
async fn upload_signing_keys(
    State(app): State<App>,
    State(auth): State<Auth>,
    requester: Requester,
    request: Interactive<Body>,
) -> Result<Matrix<upload_signing_keys::v3::Response>, ApiError> {
    let text =
        |key: &Option<Map<String, Value>>| key.clone().map(|key| Value::Object(key).to_string());
    let upload = CrossSigningUpload {
        master_key: text(&request.body.master_key),
        self_signing_key: text(&request.body.self_signing_key),
        user_signing_key: text(&request.body.user_signing_key),
    };
    if keys::needs_authentication(&app, requester.user, &upload).await? {
        let operation = request.operation(Some(requester.user));
        auth::confirm_user(&app, &auth, operation, &request.submission).await?;
    }
    keys::upload_cross_signing(&app, &requester, upload).await?;
    Ok(Matrix(upload_signing_keys::v3::Response::new()))
}
