//! A refusal on the way in: why, what to do next, and which field it is about.

use super::wire::{Refusal, WireError};
use crate::backend::About;

/// Why one does not get in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refused {
    pub(super) reason: String,
    pub(super) about: Option<About>,
    /// It may go otherwise in a moment: no connection, too many tries, a server in trouble.
    pub(super) passes: bool,
}

impl Refused {
    /// One that is about a field.
    pub(super) fn about(about: About, reason: impl Into<String>) -> Self {
        Self { reason: reason.into(), about: Some(about), passes: false }
    }
}

/// One that is about no field.
impl From<String> for Refused {
    fn from(reason: String) -> Self {
        Self { reason, about: None, passes: false }
    }
}

impl From<&str> for Refused {
    fn from(reason: &str) -> Self {
        Self::from(reason.to_owned())
    }
}

impl From<&Refusal> for Refused {
    fn from(refusal: &Refusal) -> Self {
        let passes =
            refusal.is("M_LIMIT_EXCEEDED") || refusal.status == 429 || refusal.status >= 500;
        Self { reason: refusal.explain(), about: about(refusal), passes }
    }
}

impl From<&WireError> for Refused {
    fn from(error: &WireError) -> Self {
        match error {
            WireError::Refused(refusal) => Self::from(&**refusal),
            WireError::Unreachable(_) => Self { passes: true, ..Self::from(error.explain()) },
            WireError::NotMatrix => Self::from(error.explain()),
        }
    }
}

fn about(refusal: &Refusal) -> Option<About> {
    Some(match refusal.errcode.as_deref()? {
        "M_USER_IN_USE" | "M_INVALID_USERNAME" | "M_EXCLUSIVE" | "M_USER_DEACTIVATED" => {
            About::User
        }
        "M_WEAK_PASSWORD" => About::Password,
        "M_THREEPID_IN_USE" | "M_THREEPID_NOT_FOUND" | "M_THREEPID_DENIED" | "M_INVALID_EMAIL" => {
            About::Email
        }
        "M_TOKEN_EXPIRED" | "M_THREEPID_AUTH_FAILED" => About::Code,
        _ => return None,
    })
}
