//! The door of registration. Spec:
//! <https://spec.matrix.org/v1.19/client-server-api/#account-registration>.

use axum::{Json, Router, extract::State};
use ruma::api::client::account::{
    check_registration_token_validity, get_username_availability, register,
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::auth::session_json;
use crate::{
    app::App,
    auth::{self, Auth, AuthError, NewAccount, Proven, SessionRequest},
    gateway::{ApiError, Interactive, Matrix, MatrixRoutes, Query, Server},
};

pub(in crate::gateway) fn routes() -> Router<Server> {
    Router::new()
        .serve::<register::v3::Request, _, _>(register)
        .serve::<get_username_availability::v3::Request, _, _>(username_available)
        .serve::<check_registration_token_validity::v1::Request, _, _>(registration_token_valid)
}

#[derive(Deserialize)]
struct RegisterBody {
    username: Option<String>,
    password: Option<String>,
    device_id: Option<String>,
    initial_device_display_name: Option<String>,
    #[serde(default)]
    inhibit_login: bool,
    #[serde(default)]
    refresh_token: bool,
}

#[derive(Deserialize)]
struct Kind {
    #[serde(default)]
    kind: String,
}

/// `POST /_matrix/client/v3/register`
async fn register(
    State(app): State<App>,
    State(auth): State<Auth>,
    Query(kind): Query<Kind>,
    request: Interactive<RegisterBody>,
) -> Result<Json<Value>, ApiError> {
    match kind.kind.as_str() {
        "" | "user" => {}
        "guest" => return Err(AuthError::NoGuests.into()),
        _ => return Err(ApiError::invalid_param("kind must be user or guest")),
    }
    let flows = auth::registration_flows(&app)?;
    // Said before any proof is asked for, so that nobody reads mails for a name they can't have.
    if let Some(username) = &request.body.username {
        auth::check_username(&app, username, false).await?;
    }
    if let Some(password) = &request.body.password {
        auth::check_password(password)?;
    }
    let operation = request.operation(None);
    let proven = auth::prove(&app, &auth, flows, operation, &request.submission).await?;
    match open_account(&app, &auth, &request.body, &proven).await {
        Ok(answer) => Ok(Json(answer)),
        Err(error) => {
            auth::give_back(&app, &auth, proven);
            Err(error.into())
        }
    }
}

async fn open_account(
    app: &App,
    auth: &Auth,
    body: &RegisterBody,
    proven: &Proven,
) -> Result<Value, AuthError> {
    let account = NewAccount {
        username: body.username.clone(),
        password: body.password.clone(),
        email: proven.email().cloned(),
        registration_token: proven.registration_token().map(ToOwned::to_owned),
        by_admin: false,
    };
    let created = auth::create_account(app, auth, account).await?;
    if body.inhibit_login {
        return Ok(json!({ "user_id": created.user_id, "home_server": app.server_name }));
    }
    let session = SessionRequest {
        device_id: body.device_id.clone(),
        display_name: body.initial_device_display_name.clone(),
        refresh_token: body.refresh_token,
    };
    let session = auth::open_session(app, auth, created.user, session).await?;
    Ok(Value::Object(session_json(&session)))
}

/// `GET /_matrix/client/v3/register/available`
async fn username_available(
    State(app): State<App>,
    Matrix(request): Matrix<get_username_availability::v3::Request>,
) -> Result<Matrix<get_username_availability::v3::Response>, ApiError> {
    auth::check_username(&app, &request.username, false).await?;
    Ok(Matrix(get_username_availability::v3::Response::new(true)))
}

/// `GET /_matrix/client/v1/register/m.login.registration_token/validity`
async fn registration_token_valid(
    State(app): State<App>,
    Matrix(request): Matrix<check_registration_token_validity::v1::Request>,
) -> Result<Matrix<check_registration_token_validity::v1::Response>, ApiError> {
    let valid = auth::registration_token_is_valid(&app, &request.token).await?;
    Ok(Matrix(check_registration_token_validity::v1::Response::new(valid)))
}
