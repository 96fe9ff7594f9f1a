//! Logging in with a password, by username, user id or email address.

use matrix_sdk::{Client, HttpError};
use ruma::{
    UserId,
    api::client::uiaa::{EmailUserIdentifier, MatrixUserIdentifier, UserIdentifier},
    api::error::ErrorKind,
};

use super::{
    client,
    errors::{explain, explain_http},
    refused::Refused,
    store::{Store, StoredSession},
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
    http: &reqwest::Client,
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
        // Keys of an earlier session are nobody's to remove; what a failed login left is.
        let cleared = if matches!(old, Ok(None)) { store.wipe() } else { store.set_aside() };
        cleared.map_err(|error| folder(&error))?;
        store.renew();
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

/// Stores the client's session as it is now.
pub(super) fn save(client: &Client, store: &Store) -> Result<(), String> {
    let Some(session) = client.matrix_auth().session() else {
        return Err("The server gave no session. Log in again.".to_owned());
    };
    let (homeserver, stores) = (client.homeserver(), store.stores_name());
    let stored = StoredSession { homeserver, soft_logged_out: false, stores, session };
    store.save(&stored).map_err(|error| folder(&error))
}

fn folder(error: &std::io::Error) -> String {
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
