//! What a client asks before it knows anyone: versions, .well-known, health.
//! Spec: <https://spec.matrix.org/v1.19/client-server-api/#server-discovery>.

use axum::{
    Router,
    extract::State,
    http::header,
    response::{IntoResponse, Response},
    routing::get,
};
use ruma::api::client::discovery::{discover_homeserver, discover_support, get_supported_versions};
use serde_json::{Value, json};

use crate::{
    app::App,
    config::{Config, EncryptionDefault},
    gateway::{ApiError, Matrix, MatrixRoutes, Server},
    storage::Database,
};

/// The versions of the specification whose client-server API is served.
const VERSIONS: [&str; 20] = [
    "r0.6.1", "v1.1", "v1.2", "v1.3", "v1.4", "v1.5", "v1.6", "v1.7", "v1.8", "v1.9", "v1.10",
    "v1.11", "v1.12", "v1.13", "v1.14", "v1.15", "v1.16", "v1.17", "v1.18", "v1.19",
];

pub(in crate::gateway) fn routes() -> Router<Server> {
    Router::new()
        .serve::<get_supported_versions::Request, _, _>(versions)
        .serve::<discover_homeserver::Request, _, _>(well_known_client)
        .serve::<discover_support::Request, _, _>(well_known_support)
        .route("/.well-known/matrix/server", get(well_known_server))
        .route("/health", get(health))
}

/// `GET /_matrix/client/versions`
async fn versions(
    State(app): State<App>,
    _request: Matrix<get_supported_versions::Request>,
) -> Matrix<get_supported_versions::Response> {
    let versions = VERSIONS.iter().map(|version| (*version).to_owned()).collect();
    let mut response = get_supported_versions::Response::new(versions);
    response.unstable_features = unstable_features(app.config.encryption.default);
    Matrix(response)
}

/// Beside what the versions say. `e2ee_forced` tells clients what this server encrypts when they say nothing.
fn unstable_features(encryption: EncryptionDefault) -> std::collections::BTreeMap<String, bool> {
    let (private, public) = match encryption {
        EncryptionDefault::Private => (true, false),
        EncryptionDefault::All => (true, true),
        EncryptionDefault::Off => (false, false),
    };
    [
        // The notification socket: docs/socket.md.
        ("chat.tern.socket", true),
        ("io.element.e2ee_forced.private", private),
        ("io.element.e2ee_forced.public", public),
        ("io.element.e2ee_forced.trusted_private", private),
        ("org.matrix.e2e_cross_signing", true),
        // MSC4186: sliding sync as deployed, and by the custom of the suffix as accepted, at `/v4/sync`.
        ("org.matrix.simplified_msc3575", true),
        ("org.matrix.simplified_msc3575.stable", true),
        // Its extensions: typing is accepted; to-device, encryption, account data and receipts are proposed.
        ("org.matrix.msc4508.stable", true),
        ("org.matrix.msc4538", true),
        ("org.matrix.msc4543", true),
        ("org.matrix.msc4548", true),
        ("org.matrix.msc4551", true),
        ("org.matrix.msc3916.stable", true),
        ("uk.tcpip.msc4133", true),
        ("uk.tcpip.msc4133.stable", true),
    ]
    .into_iter()
    .map(|(feature, served)| (feature.to_owned(), served))
    .collect()
}

/// `GET /.well-known/matrix/client`
async fn well_known_client(
    State(app): State<App>,
    _request: Matrix<discover_homeserver::Request>,
) -> Matrix<discover_homeserver::Response> {
    let homeserver = discover_homeserver::HomeserverInfo::new(base_url(&app.config));
    Matrix(discover_homeserver::Response::new(homeserver))
}

/// Where clients reach this server.
fn base_url(config: &Config) -> String {
    let configured = config.client.base_url.trim_end_matches('/');
    if configured.is_empty() {
        format!("https://{}", config.server_name)
    } else {
        configured.to_owned()
    }
}

/// `GET /.well-known/matrix/support`
async fn well_known_support(
    State(app): State<App>,
    _request: Matrix<discover_support::Request>,
) -> Result<Matrix<discover_support::Response>, ApiError> {
    let address = &app.config.admin.email;
    if address.is_empty() {
        return Err(ApiError::not_found("this server names no contact"));
    }
    let role = discover_support::ContactRole::Admin;
    let contact = discover_support::Contact::with_email_address(role, address.clone());
    Ok(Matrix(discover_support::Response::with_contacts(vec![contact])))
}

/// `GET /.well-known/matrix/server`, only where the config delegates: otherwise other servers find us by our name.
async fn well_known_server(State(app): State<App>) -> Result<Response, ApiError> {
    let authority = delegated_authority(&app.config)
        .ok_or_else(|| ApiError::not_found("this server delegates to no other name"))?;
    Ok(answer(&json!({ "m.server": authority })))
}

/// `host:port` of the configured base URL.
fn delegated_authority(config: &Config) -> Option<String> {
    let url = url::Url::parse(&config.client.base_url).ok()?;
    // Federation always speaks TLS, so a plain URL delegates nothing.
    (url.scheme() == "https").then_some(())?;
    Some(format!("{}:{}", url.host_str()?, url.port_or_known_default()?))
}

/// `GET /health`: 200 while the database answers. For load balancers; not part of Matrix.
async fn health(State(app): State<App>) -> Result<Response, ApiError> {
    Database::ping(&app.db).await?;
    Ok(answer(&json!({ "status": "ok" })))
}

fn answer(body: &Value) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], body.to_string()).into_response()
}
