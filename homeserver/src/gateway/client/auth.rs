//! The door of `auth`: logging in and out, who is asking. Spec:
//! <https://spec.matrix.org/v1.19/client-server-api/#client-authentication>.

use axum::{Json, Router, extract::State, http::StatusCode};
use ruma::api::client::{
    account::{change_password, deactivate, whoami},
    session::{get_login_token, get_login_types, login, logout, logout_all, refresh_token},
};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::{
    app::App,
    auth::{self, Auth, AuthError, Identifier, NewSession, Requester, SessionRequest},
    gateway::{ApiError, Interactive, JsonBody, Matrix, MatrixRoutes, Server},
};

pub(in crate::gateway) fn routes() -> Router<Server> {
    Router::new()
        .serve::<whoami::v3::Request, _, _>(who_am_i)
        .serve::<get_login_types::v3::Request, _, _>(get_login_types)
        .serve::<login::v3::Request, _, _>(log_in)
        .serve::<get_login_token::v1::Request, _, _>(get_login_token)
        .serve::<refresh_token::v3::Request, _, _>(refresh)
        .serve::<logout::v3::Request, _, _>(log_out)
        .serve::<logout_all::v3::Request, _, _>(log_out_everywhere)
        .serve::<change_password::v3::Request, _, _>(change_password)
        .serve::<deactivate::v3::Request, _, _>(deactivate)
}

/// `GET /_matrix/client/v3/account/whoami`
async fn who_am_i(
    requester: Requester,
    _request: Matrix<whoami::v3::Request>,
) -> Result<Matrix<whoami::v3::Response>, ApiError> {
    let mut response = whoami::v3::Response::new(requester.user_id, false);
    response.device_id = Some(requester.device_id);
    Ok(Matrix(response))
}

/// `GET /_matrix/client/v3/login`
async fn get_login_types() -> Json<Value> {
    Json(json!({ "flows": [
        { "type": "m.login.password" },
        { "type": "m.login.token", "get_login_token": true },
    ] }))
}

/// The body of a login, old forms too.
#[derive(Deserialize)]
struct LoginBody {
    #[serde(rename = "type")]
    kind: String,
    identifier: Option<Map<String, Value>>,
    user: Option<String>,
    medium: Option<String>,
    address: Option<String>,
    password: Option<String>,
    token: Option<String>,
    device_id: Option<String>,
    initial_device_display_name: Option<String>,
    #[serde(default)]
    refresh_token: bool,
}

impl LoginBody {
    fn identifier(&self) -> Result<Identifier, ApiError> {
        let missing =
            || ApiError::new(StatusCode::BAD_REQUEST, "M_MISSING_PARAM", "the user is missing");
        let Some(identifier) = &self.identifier else {
            return match (self.medium.as_deref(), &self.address, &self.user) {
                (Some("email"), Some(address), _) => Ok(Identifier::Email(address.clone())),
                (Some(_), ..) => Ok(Identifier::Phone),
                (None, _, Some(user)) => Ok(Identifier::User(user.clone())),
                (None, ..) => Err(missing()),
            };
        };
        let text = |name: &str| identifier.get(name).and_then(Value::as_str);
        match text("type") {
            Some("m.id.user") => {
                text("user").map(|user| Identifier::User(user.to_owned())).ok_or_else(missing)
            }
            Some("m.id.thirdparty") if text("medium") == Some("email") => text("address")
                .map(|address| Identifier::Email(address.to_owned()))
                .ok_or_else(missing),
            Some("m.id.thirdparty" | "m.id.phone") => Ok(Identifier::Phone),
            _ => Err(ApiError::new(
                StatusCode::BAD_REQUEST,
                "M_UNKNOWN",
                "this type of identifier is not supported",
            )),
        }
    }
}

/// `POST /_matrix/client/v3/login`
async fn log_in(
    State(app): State<App>,
    State(auth): State<Auth>,
    JsonBody(body): JsonBody<LoginBody>,
) -> Result<Json<Value>, ApiError> {
    let missing = |text: &str| ApiError::new(StatusCode::BAD_REQUEST, "M_MISSING_PARAM", text);
    let request = SessionRequest {
        device_id: body.device_id.clone(),
        display_name: body.initial_device_display_name.clone(),
        refresh_token: body.refresh_token,
    };
    let session = match body.kind.as_str() {
        "m.login.password" => {
            let identifier = body.identifier()?;
            let password = body.password.ok_or_else(|| missing("the password is missing"))?;
            auth::log_in_with_password(&app, &auth, &identifier, &password, request).await?
        }
        "m.login.token" => {
            let token = body.token.ok_or_else(|| missing("the token is missing"))?;
            auth::log_in_with_token(&app, &auth, &token, request).await?
        }
        kind => {
            let text = format!("this server has no login of type {kind}");
            return Err(ApiError::new(StatusCode::BAD_REQUEST, "M_UNKNOWN", text));
        }
    };
    let mut answer = session_json(&session);
    if !app.config.client.base_url.is_empty() {
        let base_url = json!({ "m.homeserver": { "base_url": app.config.client.base_url } });
        answer.insert("well_known".to_owned(), base_url);
    }
    Ok(Json(Value::Object(answer)))
}

/// The fields that every answer with a new session has.
pub(super) fn session_json(session: &NewSession) -> Map<String, Value> {
    let mut answer = Map::new();
    answer.insert("user_id".to_owned(), json!(session.user_id));
    answer.insert("home_server".to_owned(), json!(session.user_id.server_name()));
    answer.insert("device_id".to_owned(), json!(session.device_id));
    tokens_json(&mut answer, session);
    answer
}

fn tokens_json(answer: &mut Map<String, Value>, session: &NewSession) {
    answer.insert("access_token".to_owned(), json!(session.access_token));
    if let Some(token) = &session.refresh_token {
        answer.insert("refresh_token".to_owned(), json!(token));
    }
    if let Some(lifetime) = session.expires_in {
        let millis = u64::try_from(lifetime.as_millis()).unwrap_or(u64::MAX);
        answer.insert("expires_in_ms".to_owned(), json!(millis));
    }
}

/// `POST /_matrix/client/v1/login/get_token`
async fn get_login_token(
    State(app): State<App>,
    State(auth): State<Auth>,
    requester: Requester,
    request: Interactive<Map<String, Value>>,
) -> Result<Json<Value>, ApiError> {
    let operation = request.operation(Some(requester.user));
    auth::confirm_user(&app, &auth, operation, &request.submission).await?;
    let (token, lifetime) = auth::login_token(&app, requester.user).await?;
    let millis = u64::try_from(lifetime.as_millis()).unwrap_or(u64::MAX);
    Ok(Json(json!({ "login_token": token, "expires_in_ms": millis })))
}

/// `POST /_matrix/client/v3/refresh`
async fn refresh(
    State(app): State<App>,
    Matrix(request): Matrix<refresh_token::v3::Request>,
) -> Result<Json<Value>, ApiError> {
    let session = auth::refresh(&app, &request.refresh_token).await?;
    let mut answer = Map::new();
    tokens_json(&mut answer, &session);
    Ok(Json(Value::Object(answer)))
}

/// `POST /_matrix/client/v3/logout`
async fn log_out(
    State(app): State<App>,
    State(auth): State<Auth>,
    requester: Requester,
) -> Result<Matrix<logout::v3::Response>, ApiError> {
    let devices = auth::log_out(&app, &auth, &requester).await?;
    super::devices::forget(&app, requester.user, &devices).await?;
    Ok(Matrix(logout::v3::Response::new()))
}

/// `POST /_matrix/client/v3/logout/all`
async fn log_out_everywhere(
    State(app): State<App>,
    State(auth): State<Auth>,
    requester: Requester,
) -> Result<Matrix<logout_all::v3::Response>, ApiError> {
    let devices = auth::log_out_everywhere(&app, &auth, requester.user, None).await?;
    super::devices::forget(&app, requester.user, &devices).await?;
    Ok(Matrix(logout_all::v3::Response::new()))
}

#[derive(Deserialize)]
struct ChangePasswordBody {
    new_password: String,
    #[serde(default = "yes")]
    logout_devices: bool,
}

fn yes() -> bool {
    true
}

/// `POST /_matrix/client/v3/account/password`
async fn change_password(
    State(app): State<App>,
    State(auth): State<Auth>,
    requester: Option<Requester>,
    request: Interactive<ChangePasswordBody>,
) -> Result<Matrix<change_password::v3::Response>, ApiError> {
    auth::check_password(&request.body.new_password)?;
    let operation = request.operation(requester.as_ref().map(|requester| requester.user));
    let flows = auth::password_change_flows(requester.as_ref());
    let proven = auth::prove(&app, &auth, flows, operation, &request.submission).await?;
    let user = proven.user().ok_or(AuthError::WrongLogin)?;
    let keep = requester.map(|requester| requester.device);
    let log_out = (request.body.logout_devices, keep);
    let password = &request.body.new_password;
    let devices = auth::change_password(&app, &auth, user, password, log_out).await?;
    super::devices::forget(&app, user, &devices).await?;
    Ok(Matrix(change_password::v3::Response::new()))
}

/// `POST /_matrix/client/v3/account/deactivate`
async fn deactivate(
    State(app): State<App>,
    State(auth): State<Auth>,
    requester: Requester,
    request: Interactive<Map<String, Value>>,
) -> Result<Json<Value>, ApiError> {
    let operation = request.operation(Some(requester.user));
    auth::confirm_user(&app, &auth, operation, &request.submission).await?;
    let devices = auth::deactivate(&app, &auth, requester.user).await?;
    super::devices::forget(&app, requester.user, &devices).await?;
    Ok(Json(json!({ "id_server_unbind_result": "success" })))
}

impl From<AuthError> for ApiError {
    fn from(error: AuthError) -> Self {
        let text = error.to_string();
        let bad = |errcode| Self::new(StatusCode::BAD_REQUEST, errcode, &text);
        let unauthorized = |errcode| Self::new(StatusCode::UNAUTHORIZED, errcode, &text);
        match error {
            AuthError::UnknownToken { soft_logout } => {
                unauthorized("M_UNKNOWN_TOKEN").with("soft_logout", soft_logout.into())
            }
            AuthError::Locked => unauthorized("M_USER_LOCKED").with("soft_logout", true.into()),
            AuthError::Deactivated => Self::new(StatusCode::FORBIDDEN, "M_USER_DEACTIVATED", text),
            AuthError::WrongLogin | AuthError::WrongLoginToken | AuthError::RegistrationClosed => {
                Self::forbidden(text)
            }
            AuthError::NoGuests => {
                Self::new(StatusCode::FORBIDDEN, "M_GUEST_ACCESS_FORBIDDEN", text)
            }
            AuthError::InvalidUsername => bad("M_INVALID_USERNAME"),
            AuthError::UsernameTaken => bad("M_USER_IN_USE"),
            AuthError::UsernameReserved => bad("M_EXCLUSIVE"),
            AuthError::WeakPassword { .. } => bad("M_WEAK_PASSWORD"),
            AuthError::InvalidEmail | AuthError::InvalidParam(_) => bad("M_INVALID_PARAM"),
            AuthError::EmailDenied => Self::new(StatusCode::FORBIDDEN, "M_THREEPID_DENIED", text),
            AuthError::EmailInUse => bad("M_THREEPID_IN_USE"),
            AuthError::EmailNotFound => {
                Self::new(StatusCode::NOT_FOUND, "M_THREEPID_NOT_FOUND", text)
            }
            AuthError::EmailUnproven(_) => bad("M_THREEPID_AUTH_FAILED"),
            AuthError::NoPhones => bad("M_THREEPID_MEDIUM_NOT_SUPPORTED"),
            AuthError::MailLimit { retry_after }
            | AuthError::SearchLimit { retry_after }
            | AuthError::GuessLimit { retry_after } => Self::limit_exceeded(retry_after),
            AuthError::Busy => Self::limit_exceeded(std::time::Duration::from_secs(1)),
            AuthError::DeviceNotFound => Self::not_found(text),
            AuthError::Challenge(challenge) => Self::challenge(&challenge),
            AuthError::UnknownInteractiveSession => bad("M_UNKNOWN"),
            AuthError::OtherOperation => Self::forbidden(text),
            AuthError::Storage(source) => source.into(),
        }
    }
}

impl ApiError {
    /// The 401 of interactive authentication. While nothing was refused it carries no errcode worth reading.
    fn challenge(challenge: &auth::Challenge) -> Self {
        let (errcode, text) = match &challenge.refused {
            Some((errcode, text)) => (*errcode, text.clone()),
            None => ("", String::new()),
        };
        let mut error = Self::new(StatusCode::UNAUTHORIZED, errcode, text);
        error.fields = challenge.to_json();
        error.waiting = challenge.waiting;
        error
    }
}
