//! From the room engine's errors to Matrix errcodes, for clients and for servers.

use axum::http::StatusCode;
use ruma::api::error::ErrorKind;
use tern_federation::Refusal;

use crate::{gateway::ApiError, messaging::Error};

impl From<Error> for ApiError {
    fn from(error: Error) -> Self {
        let text = error.to_string();
        let bad = |errcode| Self::new(StatusCode::BAD_REQUEST, errcode, &text);
        match error {
            Error::RoomNotFound | Error::EventNotFound => Self::not_found(text),
            Error::Forbidden(_) => Self::forbidden(text),
            Error::BadEvent(_) => Self::bad_json(text),
            Error::InvalidParam(_) => Self::invalid_param(text),
            Error::TooLarge(_) => Self::too_large(text),
            Error::StillIn => bad("M_UNKNOWN"),
            Error::InviteBlocked => Self::new(StatusCode::FORBIDDEN, "M_INVITE_BLOCKED", text),
            Error::AliasTaken => bad("M_ROOM_IN_USE"),
            Error::BadAlias(_) => bad("M_BAD_ALIAS"),
            Error::UnsupportedRoomVersion(_) => bad("M_UNSUPPORTED_ROOM_VERSION"),
            Error::IncompatibleRoomVersion(version) => {
                bad("M_INCOMPATIBLE_ROOM_VERSION").with("room_version", version.as_str().into())
            }
            Error::UnableToAuthoriseJoin => bad("M_UNABLE_TO_AUTHORISE_JOIN"),
            Error::UnableToGrantJoin => bad("M_UNABLE_TO_GRANT_JOIN"),
            Error::Remote { .. } => Self::new(StatusCode::BAD_GATEWAY, "M_UNKNOWN", text),
            Error::Storage(source) => source.into(),
        }
    }
}

/// The same for another server.
pub(in crate::gateway) fn refusal(error: Error) -> Refusal {
    let text = error.to_string();
    match error {
        Error::RoomNotFound | Error::EventNotFound => Refusal::not_found(text),
        Error::Forbidden(_) => Refusal::forbidden(text),
        Error::BadEvent(_)
        | Error::InvalidParam(_)
        | Error::AliasTaken
        | Error::BadAlias(_)
        | Error::StillIn => Refusal::invalid_param(text),
        Error::InviteBlocked => Refusal::new(StatusCode::FORBIDDEN, ErrorKind::InviteBlocked, text),
        Error::TooLarge(_) => Refusal::too_large(text),
        Error::UnsupportedRoomVersion(_) => {
            Refusal::new(StatusCode::BAD_REQUEST, ErrorKind::UnsupportedRoomVersion, text)
        }
        Error::IncompatibleRoomVersion(version) => Refusal::incompatible_room_version(version),
        Error::UnableToAuthoriseJoin => Refusal::unable_to_authorise_join(text),
        Error::UnableToGrantJoin => Refusal::unable_to_grant_join(text),
        Error::Remote { .. } => Refusal::new(StatusCode::BAD_GATEWAY, ErrorKind::Unknown, text),
        Error::Storage(source) => {
            tracing::error!(%source, "a federation request failed");
            Refusal::internal()
        }
    }
}
