//! The door of mail addresses: asking for mails, typing their codes, the page behind their links, the list of addresses. Spec:
//! <https://spec.matrix.org/v1.19/client-server-api/#adding-account-administrative-contact-information>.

use askama::Template;
use axum::{
    Form, Json, Router,
    extract::State,
    http::{HeaderValue, StatusCode, header},
    response::{Html, IntoResponse, Response},
    routing::{get, post},
};
use ruma::api::client::account::{
    add_3pid, bind_3pid, delete_3pid, get_3pids, request_3pid_management_token_via_email,
    request_3pid_management_token_via_msisdn, request_password_change_token_via_email,
    request_password_change_token_via_msisdn, request_registration_token_via_email,
    request_registration_token_via_msisdn, unbind_3pid,
};
use serde::Deserialize;
use serde_json::{Value, json};
use url::Url;

use crate::{
    app::App,
    auth::{self, Address, Auth, AuthError, EmailRequest, Purpose, Requester, Submitted},
    gateway::{ApiError, Interactive, JsonBody, MatrixRoutes, Query, Server, reached::ReachedAt},
    storage::Id,
};

/// Takes (sid, client_secret, token) as JSON; ruma knows no such operation.
const SUBMIT: &str = "/_matrix/client/unstable/chat.tern/submit_token";
/// The page behind a mailed link.
const CONFIRM: &str = "/_matrix/client/unstable/chat.tern/confirm_email";

pub(in crate::gateway) fn routes() -> Router<Server> {
    Router::new()
        .serve::<request_registration_token_via_email::v3::Request, _, _>(request_registration)
        .serve::<request_password_change_token_via_email::v3::Request, _, _>(request_reset)
        .serve::<request_3pid_management_token_via_email::v3::Request, _, _>(request_addition)
        .serve::<request_registration_token_via_msisdn::v3::Request, _, _>(no_phones)
        .serve::<request_password_change_token_via_msisdn::v3::Request, _, _>(no_phones)
        .serve::<request_3pid_management_token_via_msisdn::v3::Request, _, _>(no_phones)
        .serve::<get_3pids::v3::Request, _, _>(get_3pids)
        .serve::<add_3pid::v3::Request, _, _>(add_3pid)
        .serve::<bind_3pid::v3::Request, _, _>(bind_3pid)
        .serve::<unbind_3pid::v3::Request, _, _>(unbind_3pid)
        .serve::<delete_3pid::v3::Request, _, _>(delete_3pid)
        .limited("/_matrix/client/v3/account/3pid", post(add_3pid_unasked))
        .limited("/_matrix/client/r0/account/3pid", post(add_3pid_unasked))
        .limited(SUBMIT, post(submit_token))
        .limited(CONFIRM, get(confirm_page).post(confirm))
}

/// The body of all requests for a mail. `id_server` and its token may be there; there is no identity server.
#[derive(Deserialize)]
struct RequestTokenBody {
    client_secret: String,
    email: String,
    send_attempt: i64,
    next_link: Option<String>,
}

async fn request_email(
    app: &App,
    ReachedAt(base_url): ReachedAt,
    body: RequestTokenBody,
    purpose: Purpose,
    user: Option<Id>,
) -> Result<Json<Value>, ApiError> {
    let request = EmailRequest {
        purpose,
        client_secret: body.client_secret,
        email: body.email,
        send_attempt: body.send_attempt,
        next_link: body.next_link,
        user,
    };
    let sid = auth::request_email(app, request).await?;
    Ok(Json(json!({ "sid": sid, "submit_url": format!("{base_url}{SUBMIT}") })))
}

/// `POST /_matrix/client/v3/register/email/requestToken`
async fn request_registration(
    State(app): State<App>,
    reached: ReachedAt,
    JsonBody(body): JsonBody<RequestTokenBody>,
) -> Result<Json<Value>, ApiError> {
    request_email(&app, reached, body, Purpose::Register, None).await
}

/// `POST /_matrix/client/v3/account/password/email/requestToken`
async fn request_reset(
    State(app): State<App>,
    reached: ReachedAt,
    JsonBody(body): JsonBody<RequestTokenBody>,
) -> Result<Json<Value>, ApiError> {
    request_email(&app, reached, body, Purpose::Reset, None).await
}

/// `POST /_matrix/client/v3/account/3pid/email/requestToken`
async fn request_addition(
    State(app): State<App>,
    reached: ReachedAt,
    requester: Requester,
    JsonBody(body): JsonBody<RequestTokenBody>,
) -> Result<Json<Value>, ApiError> {
    request_email(&app, reached, body, Purpose::Add, Some(requester.user)).await
}

/// `POST …/msisdn/requestToken`: this server knows no phone numbers.
async fn no_phones() -> ApiError {
    AuthError::NoPhones.into()
}

/// `GET /_matrix/client/v3/account/3pid`
async fn get_3pids(State(app): State<App>, requester: Requester) -> Result<Json<Value>, ApiError> {
    let emails = auth::list_emails(&app, requester.user).await?;
    let threepids: Vec<_> = emails
        .iter()
        .map(|email| {
            json!({
                "medium": "email",
                "address": email.address,
                "added_at": email.added_ms,
                "validated_at": email.validated_ms,
            })
        })
        .collect();
    Ok(Json(json!({ "threepids": threepids })))
}

#[derive(Deserialize)]
struct Creds {
    sid: String,
    client_secret: String,
}

/// `POST /_matrix/client/v3/account/3pid/add`
async fn add_3pid(
    State(app): State<App>,
    State(auth): State<Auth>,
    requester: Requester,
    request: Interactive<Creds>,
) -> Result<Json<Value>, ApiError> {
    let operation = request.operation(Some(requester.user));
    auth::confirm_user(&app, &auth, operation, &request.submission).await?;
    let creds = &request.body;
    auth::add_email(&app, requester.user, &creds.sid, &creds.client_secret).await?;
    Ok(Json(json!({})))
}

#[derive(Deserialize)]
struct ThreePidCreds {
    #[serde(alias = "threePidCreds")]
    three_pid_creds: Creds,
}

/// `POST /_matrix/client/v3/account/3pid`, the deprecated form: it, too, asks for the password.
async fn add_3pid_unasked(
    State(app): State<App>,
    State(auth): State<Auth>,
    requester: Requester,
    request: Interactive<ThreePidCreds>,
) -> Result<Json<Value>, ApiError> {
    let operation = request.operation(Some(requester.user));
    auth::confirm_user(&app, &auth, operation, &request.submission).await?;
    let creds = &request.body.three_pid_creds;
    auth::add_email(&app, requester.user, &creds.sid, &creds.client_secret).await?;
    Ok(Json(json!({})))
}

/// `POST /_matrix/client/v3/account/3pid/bind`: there is no identity server to bind at.
async fn bind_3pid(_requester: Requester) -> ApiError {
    ApiError::new(
        StatusCode::FORBIDDEN,
        "M_THREEPID_DENIED",
        "this server works without identity servers",
    )
}

/// `POST /_matrix/client/v3/account/3pid/unbind`
async fn unbind_3pid(_requester: Requester) -> Json<Value> {
    Json(json!({ "id_server_unbind_result": "no-support" }))
}

#[derive(Deserialize)]
struct Delete3pidBody {
    medium: String,
    address: String,
}

/// `POST /_matrix/client/v3/account/3pid/delete`
async fn delete_3pid(
    State(app): State<App>,
    requester: Requester,
    JsonBody(body): JsonBody<Delete3pidBody>,
) -> Result<Json<Value>, ApiError> {
    if body.medium != "email" {
        return Err(AuthError::NoPhones.into());
    }
    let address = Address::parse(&body.address)?;
    auth::remove_email(&app, requester.user, &address).await?;
    Ok(Json(json!({ "id_server_unbind_result": "no-support" })))
}

#[derive(Deserialize)]
struct SubmitBody {
    sid: String,
    client_secret: String,
    token: String,
}

/// `POST /_matrix/client/unstable/chat.tern/submit_token`: the `submit_url` of every mail.
async fn submit_token(
    State(app): State<App>,
    JsonBody(body): JsonBody<SubmitBody>,
) -> Result<Json<Value>, ApiError> {
    auth::submit_token(&app, &body.sid, Some(&body.client_secret), &body.token).await?;
    Ok(Json(json!({ "success": true })))
}

/// The page behind a mailed link.
#[derive(Template)]
#[template(path = "confirm.html")]
struct Page<'a> {
    title: &'a str,
    text: &'a str,
    form: Option<PageForm<'a>>,
    /// Where to go on.
    link: Option<PageLink<'a>>,
    server_name: &'a str,
}

struct PageForm<'a> {
    action: &'a str,
    purpose: &'a str,
    sid: &'a str,
    token: &'a str,
    label: &'a str,
    /// Whether it asks for a new password.
    password: bool,
}

/// A link that the person may follow: a redirect would make this server lead anywhere, and the page's own policy forbids it.
struct PageLink<'a> {
    url: &'a str,
    host: &'a str,
}

impl Page<'_> {
    fn answer(&self, status: StatusCode) -> Response {
        let body = match self.render() {
            Ok(body) => body,
            Err(error) => return ApiError::internal(error).into_response(),
        };
        let mut response = (status, Html(body)).into_response();
        let headers = response.headers_mut();
        let policy = "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'";
        headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(policy));
        headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        headers.insert(header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
        response
    }
}

#[derive(Deserialize)]
struct Link {
    #[serde(default)]
    purpose: String,
    sid: String,
    token: String,
    new_password: Option<String>,
}

/// `GET /_matrix/client/unstable/chat.tern/confirm_email`: changes nothing, for scanners follow links. Its button posts.
async fn confirm_page(State(app): State<App>, Query(link): Query<Link>) -> Response {
    question(&app, &link, None).answer(StatusCode::OK)
}

/// The page that asks to press its button; `problem`: why it asks again.
fn question<'a>(app: &'a App, link: &'a Link, problem: Option<&'a str>) -> Page<'a> {
    let (title, text, label) = match link.purpose.as_str() {
        "register" => {
            ("Confirm your address", "You are making an account with this address.", "Confirm")
        }
        "reset" => (
            "Set a new password",
            "Your app is waiting to set a new password for your account.",
            "Allow",
        ),
        "add" => ("Confirm your address", "This address is being added to an account.", "Confirm"),
        "recover" => (
            "Set a new password",
            "Choose a new password for your account. All its devices will be logged out.",
            "Set the password",
        ),
        _ => (
            "This wasn't you?",
            "All devices of your account will be logged out. Set a new password afterwards.",
            "End all sessions",
        ),
    };
    let form = PageForm {
        action: CONFIRM,
        purpose: &link.purpose,
        sid: &link.sid,
        token: &link.token,
        label,
        password: link.purpose == "recover",
    };
    let text = problem.unwrap_or(text);
    Page { title, text, form: Some(form), link: None, server_name: app.server_name.as_str() }
}

/// `POST /_matrix/client/unstable/chat.tern/confirm_email`: the page's button.
async fn confirm(
    State(app): State<App>,
    State(auth): State<Auth>,
    Form(link): Form<Link>,
) -> Result<Response, ApiError> {
    let server_name = app.server_name.as_str();
    if let Some(password) = &link.new_password {
        return set_password(&app, &auth, &link, password).await;
    }
    let submitted = match auth::submit_token(&app, &link.sid, None, &link.token).await {
        Ok(submitted) => submitted,
        Err(AuthError::EmailUnproven(text)) => return Ok(refusal(&app, text)),
        Err(error) => return Err(error.into()),
    };
    if let Some(user) = submitted.alarmed {
        let devices = auth::log_out_everywhere(&app, &auth, user, None).await?;
        super::devices::forget(&app, user, &devices).await?;
    }
    Ok(after(&submitted, server_name))
}

/// The button of the page that asks for a new password.
async fn set_password(
    app: &App,
    auth: &Auth,
    link: &Link,
    password: &str,
) -> Result<Response, ApiError> {
    match auth::recover(app, auth, (&link.sid, &link.token), password).await {
        Ok((user, devices)) => super::devices::forget(app, user, &devices).await?,
        Err(AuthError::EmailUnproven(text)) => return Ok(refusal(app, text)),
        Err(error @ AuthError::WeakPassword { .. }) => {
            let text = error.to_string();
            return Ok(question(app, link, Some(&text)).answer(StatusCode::BAD_REQUEST));
        }
        Err(error) => return Err(error.into()),
    }
    let text = "You can log in with it now, in your app.";
    let server_name = app.server_name.as_str();
    let page = Page { title: "The password is set", text, form: None, link: None, server_name };
    Ok(page.answer(StatusCode::OK))
}

fn refusal(app: &App, text: &str) -> Response {
    let server_name = app.server_name.as_str();
    Page { title: "That did not work", text, form: None, link: None, server_name }
        .answer(StatusCode::BAD_REQUEST)
}

/// What a confirmed link shows.
fn after(submitted: &Submitted, server_name: &str) -> Response {
    let (title, text) = match submitted.purpose {
        Purpose::Alarm => ("All sessions have ended", "Set a new password now, in your app."),
        Purpose::Register | Purpose::Reset | Purpose::Add | Purpose::Recover => {
            ("Confirmed", "Go back to your app and go on there. You can close this page.")
        }
    };
    let next = submitted.next_link.as_deref().and_then(|link| Url::parse(link).ok());
    let next = next.filter(|url| matches!(url.scheme(), "http" | "https"));
    let link = next.as_ref().and_then(|url| {
        let host = url.host_str()?;
        Some(PageLink { url: url.as_str(), host })
    });
    Page { title, text, form: None, link, server_name }.answer(StatusCode::OK)
}
