//! What an operator may do to users, and what users tell the operator.
//!
//! Called by the doors. It may use every floor below.

mod reports;
mod users;

pub use reports::{About, report};
pub use users::{account_of, check_admin, is_admin, sessions_of, set_locked, set_suspended};

use crate::{auth::AuthError, storage};

/// What this floor says no to.
#[derive(Debug, thiserror::Error)]
pub enum AdminError {
    #[error("only administrators of this server may do this")]
    NotAdmin,
    #[error("that user is not of this server")]
    NotOurs,
    #[error("there is no such user here")]
    UserNotFound,
    #[error("administrators can be neither locked nor suspended, oneself included")]
    IsAdmin,
    #[error("a reason has at most {max} bytes")]
    ReasonTooLong { max: usize },
    #[error(transparent)]
    Auth(#[from] AuthError),
    #[error(transparent)]
    Storage(#[from] storage::Error),
}
