//! The SDK's errors in words a user can act on.

use matrix_sdk::{Error, HttpError};
use ruma::api::error::ErrorKind;

/// What happened and what to do next.
pub(super) fn explain(error: &Error) -> String {
    match error {
        Error::Http(error) => explain_http(error),
        Error::AuthenticationRequired => "You are not logged in. Log in first.".to_owned(),
        Error::NoOlmMachine => "Encryption is not ready yet. Try again in a moment.".to_owned(),
        other => format!("That did not work: {other}. Try again in a moment."),
    }
}

/// The same for an error of one call.
pub(super) fn explain_http(error: &HttpError) -> String {
    if let Some(kind) = error.client_api_error_kind() {
        return explain_kind(kind, words(error));
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

fn explain_kind(kind: &ErrorKind, said: Option<&str>) -> String {
    match kind {
        ErrorKind::Forbidden => told(
            "The server does not allow that.",
            said,
            "Ask somebody who may, or the server's owner.",
        ),
        ErrorKind::LimitExceeded(_) => "Too many tries. Try again in a minute.".to_owned(),
        ErrorKind::NotFound => {
            told("There is no such thing on the server.", said, "Check what you typed.")
        }
        ErrorKind::TooLarge => {
            "That is too large for this server. Send it in smaller parts.".to_owned()
        }
        ErrorKind::UserDeactivated => {
            "That account has been closed. Use another, or register a new one.".to_owned()
        }
        ErrorKind::UnknownToken(_) => "The session has ended. Log in again.".to_owned(),
        ErrorKind::Unrecognized => {
            "This server can't do that. Ask its owner for a newer version.".to_owned()
        }
        _ => told("The server refused.", said, "Try again later."),
    }
}

/// What happened, the server's own words where it has any, and what to do next.
fn told(ours: &str, said: Option<&str>, next: &str) -> String {
    match said {
        Some(said) => format!("{ours} It says: {}. {next}", said.trim_end_matches('.')),
        None => format!("{ours} {next}"),
    }
}

fn words(error: &HttpError) -> Option<&str> {
    match &error.as_client_api_error()?.body {
        ruma::api::error::ErrorBody::Standard(body) if !body.message.is_empty() => {
            Some(&body.message)
        }
        _ => None,
    }
}

/// Every text somebody is stopped with ends in what to do next.
#[cfg(test)]
pub(super) mod tests {
    use matrix_sdk::{Error, HttpError};
    use ruma::api::error::ErrorKind;

    use super::{explain, explain_http, explain_kind};
    use crate::backend::{
        MailStep,
        matrix::{
            client::ClientError,
            registration::{WANTS_EMAIL, WANTS_TOKEN, proof_refused, wrong_code},
            wire::{Refusal, WireError},
        },
    };

    /// How a sentence begins that says what to do.
    const NEXT: [&str; 16] = [
        "Ask ",
        "Check ",
        "Choose ",
        "Close ",
        "Compare ",
        "Fill ",
        "Log in",
        "Look ",
        "Open ",
        "Register ",
        "Send ",
        "Set ",
        "Start ",
        "Try ",
        "Use ",
        "Wait ",
    ];

    pub(crate) fn assert_ends_in_a_next_step(text: &str) {
        let last = text.trim_end_matches('.').rsplit(". ").next().unwrap_or_default();
        let last = last.rsplit("; ").next().unwrap_or_default();
        let told = NEXT.iter().any(|next| last.starts_with(next))
            || last.contains("tried again by itself");
        assert!(told, "{text:?} does not say what to do next");
        assert!(
            text.starts_with(char::is_uppercase) && text.ends_with('.'),
            "{text:?} is no sentence"
        );
    }

    fn refusal(errcode: &str, error: Option<&str>) -> Refusal {
        Refusal {
            status: 400,
            errcode: Some(errcode.to_owned()),
            error: error.map(str::to_owned),
            ..Refusal::default()
        }
    }

    #[test]
    fn every_refusal_on_the_way_in_says_what_to_do_next() {
        let codes = [
            "M_USER_IN_USE",
            "M_INVALID_USERNAME",
            "M_EXCLUSIVE",
            "M_WEAK_PASSWORD",
            "M_THREEPID_IN_USE",
            "M_THREEPID_NOT_FOUND",
            "M_THREEPID_DENIED",
            "M_THREEPID_AUTH_FAILED",
            "M_INVALID_PARAM",
            "M_INVALID_EMAIL",
            "M_USER_DEACTIVATED",
            "M_TOKEN_EXPIRED",
            "M_LIMIT_EXCEEDED",
            "M_FORBIDDEN",
            "M_UNKNOWN",
        ];
        for code in codes {
            for error in
                [None, Some(""), Some("the code is wrong"), Some("Too many, ask for another mail.")]
            {
                let refusal = refusal(code, error);
                assert_ends_in_a_next_step(&refusal.explain());
                assert_ends_in_a_next_step(&wrong_code(&refusal));
                let MailStep::WrongCode { reason } = proof_refused(&refusal) else {
                    panic!("no reason")
                };
                assert_ends_in_a_next_step(&reason);
            }
        }
        for text in [WANTS_EMAIL, WANTS_TOKEN, &WireError::NotMatrix.explain()] {
            assert_ends_in_a_next_step(text);
        }
    }

    #[test]
    fn every_error_of_a_session_says_what_to_do_next() {
        let kinds = [
            ErrorKind::Forbidden,
            ErrorKind::NotFound,
            ErrorKind::TooLarge,
            ErrorKind::UserDeactivated,
            ErrorKind::Unrecognized,
            ErrorKind::GuestAccessForbidden,
            ErrorKind::BadJson,
        ];
        for kind in kinds {
            for said in [None, Some("You may not."), Some("no")] {
                assert_ends_in_a_next_step(&explain_kind(&kind, said));
            }
        }
        let http = HttpError::RefreshToken(matrix_sdk::RefreshTokenError::RefreshTokenRequired);
        assert_ends_in_a_next_step(&explain_http(&http));
        for error in [Error::AuthenticationRequired, Error::NoOlmMachine, Error::InsufficientData] {
            assert_ends_in_a_next_step(&explain(&error));
        }
        let folder = ClientError::Folder(std::io::ErrorKind::PermissionDenied.into());
        assert_ends_in_a_next_step(&folder.to_string());
    }
}
