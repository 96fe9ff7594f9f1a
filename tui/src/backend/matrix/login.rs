//! Logging in with a password, by username, user id or email address; or with the token that a browser brought.

use matrix_sdk::{
    Client, HttpError, SessionMeta, authentication::matrix::MatrixSession, store::RoomLoadSettings,
};
use ruma::{
    UserId,
    api::client::uiaa::{EmailUserIdentifier, MatrixUserIdentifier, UserIdentifier},
    api::error::ErrorKind,
};
use serde_json::json;

use super::{
    client,
    errors::{explain, explain_http},
    http::Http,
    refused::Refused,
    store::{Store, StoredSession},
    wire::{self, WireError},
};
use crate::backend::{About, Secret};

/// What a new session is called in the user's session list.
fn device_name() -> String {
    format!("Tern on {}", std::env::consts::OS)
}

fn identifier(user: &str) -> UserIdentifier {
    if !user.starts_with('@') && user.contains('@') {
        UserIdentifier::Email(EmailUserIdentifier::new(user.to_owned()))
    } else {
        UserIdentifier::Matrix(MatrixUserIdentifier::new(user.to_owned()))
    }
}

/// Whether `typed` names `user`: then the old device and its keys are taken up again.
fn names(typed: &str, user: &UserId) -> bool {
    typed == user.as_str() || typed == user.localpart()
}

/// A logged-in client, its session stored. The error is a reason with what to do next.
pub(super) async fn log_in(
    http: &Http,
    store: &Store,
    homeserver: &url::Url,
    user: &str,
    password: &Secret,
) -> Result<Client, Refused> {
    let user = user.trim();
    let old = store.load();
    let resumed = match &old {
        Ok(Some(old)) if old.soft_logged_out && old.homeserver == *homeserver => {
            let owner = &old.session.meta.user_id;
            if user.contains('@') && !user.starts_with('@') {
                // Whose address it is shows only after the login, which then is one of another device.
                return Err(Refused::about(
                    About::User,
                    format!(
                        "The keys here are those of {owner}. Log in with that id; another's moves them aside."
                    ),
                ));
            }
            names(user, owner).then_some(old)
        }
        _ => None,
    };
    if resumed.is_none() {
        make_room(store, matches!(old, Ok(None)))?;
    }
    let client = client::build(http, store, homeserver).await.map_err(|error| error.to_string())?;
    let mut login = client
        .matrix_auth()
        .login_identifier(identifier(user), &password.0)
        .initial_device_display_name(&device_name())
        .request_refresh_token();
    if let Some(old) = resumed {
        login = login.device_id(old.session.meta.device_id.as_str());
    }
    login.send().await.map_err(|error| refused(&error))?;
    save(&client, store)?;
    Ok(client)
}

/// Clears the place of what an earlier session left. Its keys are nobody's to remove; what a failed login left (`nothing`) is.
fn make_room(store: &Store, nothing: bool) -> Result<(), String> {
    let cleared = if nothing { store.wipe() } else { store.set_aside() };
    cleared.map_err(|error| folder(&error))?;
    store.renew();
    Ok(())
}

/// The same as [`log_in`] with the token that a browser brought. Whose it is shows only when the server has taken it, so the SDK and
/// its stores come after that.
pub(super) async fn log_in_by_token(
    http: &Http,
    store: &Store,
    homeserver: &url::Url,
    token: &Secret,
) -> Result<Client, Refused> {
    let old = store.load();
    let resumed = match &old {
        Ok(Some(old)) if old.soft_logged_out && old.homeserver == *homeserver => {
            Some(&old.session.meta)
        }
        _ => None,
    };
    let mut body = json!({
        "type": "m.login.token", "token": token.0, "refresh_token": true,
        "initial_device_display_name": device_name(),
    });
    if let (Some(old), Some(fields)) = (resumed, body.as_object_mut()) {
        fields.insert("device_id".to_owned(), old.device_id.to_string().into());
    }
    let url = wire::endpoint(homeserver, "/_matrix/client/v3/login");
    let answer = wire::post(http, url, &body).await.map_err(|error| token_refused(&error))?;
    let session: MatrixSession =
        serde_json::from_value(answer).map_err(|_| Refused::from(&WireError::NotMatrix))?;
    let same = |old: &SessionMeta| *old == session.meta;
    if !resumed.is_some_and(same) {
        make_room(store, matches!(old, Ok(None)))?;
    }
    let client = client::build(http, store, homeserver).await.map_err(|error| error.to_string())?;
    let restored = client.matrix_auth().restore_session(session, RoomLoadSettings::default()).await;
    restored.map_err(|error| explain(&error))?;
    save(&client, store)?;
    Ok(client)
}

fn token_refused(error: &WireError) -> Refused {
    match error {
        // A closed account is one too, and is told as such.
        WireError::Refused(refusal)
            if matches!(refusal.status, 401 | 403) && !refusal.is("M_USER_DEACTIVATED") =>
        {
            Refused::about(
                About::LoginToken,
                "The server does not take that login: each counts once, for a short time. Open the address above and log in again.",
            )
        }
        error => error.into(),
    }
}

/// Stores the client's session as it is now.
pub(super) fn save(client: &Client, store: &Store) -> Result<(), String> {
    let Some(session) = client.matrix_auth().session() else {
        return Err("The server gave no session. Log in again.".to_owned());
    };
    let (homeserver, stores) = (client.homeserver(), store.stores_name());
    let stored = StoredSession { homeserver, soft_logged_out: false, stores, session };
    store.save(&stored).map_err(|error| folder(&error))
}

pub(super) fn folder(error: &std::io::Error) -> String {
    format!("The data folder can't be written: {error}. Check its permissions and the free space.")
}

fn refused(error: &matrix_sdk::Error) -> Refused {
    match error {
        matrix_sdk::Error::Http(http) => refused_http(http),
        other => explain(other).into(),
    }
}

fn refused_http(error: &HttpError) -> Refused {
    match error.client_api_error_kind() {
        Some(ErrorKind::Forbidden) => Refused::about(
            About::Password,
            "Wrong username or password. Try again, or reset the password by email.",
        ),
        Some(ErrorKind::UserDeactivated) => Refused::about(About::User, explain_http(error)),
        _ => explain_http(error).into(),
    }
}
