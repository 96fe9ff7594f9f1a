//! From the room engine's errors to Matrix errcodes.

use crate::{gateway::ApiError, messaging::Error};

impl From<Error> for ApiError {
    fn from(error: Error) -> Self {
        let text = error.to_string();
        match error {
            Error::RoomNotFound | Error::EventNotFound => Self::not_found(text),
            Error::Forbidden(_) => Self::forbidden(text),
            Error::Storage(source) => source.into(),
            _ => Self::invalid_param(text),
        }
    }
}
