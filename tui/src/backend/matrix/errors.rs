//! The SDK's errors in words a user can act on.

use matrix_sdk::{Error, HttpError};
use ruma::api::error::ErrorKind;

/// What happened and what to do next.
pub(super) fn explain(error: &Error) -> String {
    match error {
        Error::Http(error) => explain_http(error),
        Error::AuthenticationRequired => "You are not logged in. Log in first.".to_owned(),
        Error::NoOlmMachine => "Encryption is not ready yet. Try again in a moment.".to_owned(),
        other => format!("That did not work: {other}"),
    }
}

/// The same for an error of one call.
pub(super) fn explain_http(error: &HttpError) -> String {
    if let Some(kind) = error.client_api_error_kind() {
        return explain_kind(kind, error);
    }
    match error {
        HttpError::Reqwest(error) if error.is_timeout() => {
            "The server took too long to answer. Try again in a moment.".to_owned()
        }
        HttpError::Reqwest(_) => {
            "The server can't be reached. Check your connection; it is tried again by itself."
                .to_owned()
        }
        HttpError::RefreshToken(_) => "The session could not be renewed. Log in again.".to_owned(),
        HttpError::Cached(inner) => explain_http(inner),
        _ => "The server's answer made no sense. Try again later.".to_owned(),
    }
}

fn explain_kind(kind: &ErrorKind, error: &HttpError) -> String {
    match kind {
        ErrorKind::Forbidden => with_server_words(error, "The server does not allow that."),
        ErrorKind::LimitExceeded(_) => "Too many tries. Try again in a minute.".to_owned(),
        ErrorKind::NotFound => with_server_words(error, "There is no such thing on the server."),
        ErrorKind::TooLarge => "That is too large for this server.".to_owned(),
        ErrorKind::UserDeactivated => "That account has been closed.".to_owned(),
        ErrorKind::UnknownToken(_) => "The session has ended. Log in again.".to_owned(),
        ErrorKind::Unrecognized => "This server can't do that.".to_owned(),
        _ => with_server_words(error, "The server refused."),
    }
}

fn with_server_words(error: &HttpError, ours: &str) -> String {
    let said = error.as_client_api_error().and_then(|error| match &error.body {
        ruma::api::error::ErrorBody::Standard(body) if !body.message.is_empty() => {
            Some(body.message.clone())
        }
        _ => None,
    });
    match said {
        Some(said) => format!("{ours} It says: {said}"),
        None => ours.to_owned(),
    }
}
