//! What this floor says no to.

use std::time::Duration;

use super::Challenge;
use crate::storage;

/// Why somebody is not who they say, or may not do this to an account.
#[derive(Debug, thiserror::Error)]
pub enum AuthError {
    /// The token was never given out, or has ended. `soft_logout`: the client may keep its keys and log in again.
    #[error("this session has ended, log in again")]
    UnknownToken { soft_logout: bool },
    #[error("this account is locked by the administrators of the server")]
    Locked,
    #[error("this account has been deactivated")]
    Deactivated,
    /// No such user, no such password: one answer.
    #[error("the user or the password is wrong")]
    WrongLogin,
    /// A login or refresh token that is unknown, used or expired.
    #[error("the token is unknown, used or expired")]
    WrongLoginToken,
    #[error(
        "usernames are made of a-z, 0-9 and ._=-/+, and the whole user ID has at most 255 bytes"
    )]
    InvalidUsername,
    #[error("this username is taken")]
    UsernameTaken,
    #[error("this username is reserved")]
    UsernameReserved,
    #[error("a password needs at least {min} characters and at most {max}")]
    WeakPassword { min: usize, max: usize },
    #[error("registration is closed on this server")]
    RegistrationClosed,
    #[error("guests can't register on this server")]
    NoGuests,
    #[error("this is not a mail address")]
    InvalidEmail,
    #[error("addresses of this domain can't be used on this server")]
    EmailDenied,
    #[error("this address belongs to another account")]
    EmailInUse,
    #[error("this address is not one of yours")]
    EmailNotFound,
    /// The mail session is unknown, for something else, expired, used up, or its code was wrong.
    #[error("{0}")]
    EmailUnproven(&'static str),
    #[error("this server knows people by email only, not by phone number")]
    NoPhones,
    #[error("{0}")]
    InvalidParam(&'static str),
    /// Too many mails to one address.
    #[error("too many mails to this address, try again later")]
    MailLimit { retry_after: Duration },
    #[error("too many searches by address, try again later")]
    SearchLimit { retry_after: Duration },
    /// Too many wrong passwords for one account.
    #[error("too many wrong passwords for this account, try again later")]
    GuessLimit { retry_after: Duration },
    /// More passwords wait to be checked than the server can.
    #[error("the server is busy, try again")]
    Busy,
    #[error("there is no such device")]
    DeviceNotFound,
    /// Interactive authentication goes on.
    #[error("more authentication is needed")]
    Challenge(Box<Challenge>),
    /// The interactive session is unknown or has expired.
    #[error("this authentication session is unknown or has expired, start again")]
    UnknownInteractiveSession,
    /// The interactive session was begun for something else.
    #[error("this authentication session was begun for another operation")]
    OtherOperation,
    #[error(transparent)]
    Storage(#[from] storage::Error),
}
