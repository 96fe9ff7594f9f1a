//! Who is it: accounts, passwords, email proofs, sessions, tokens, interactive authentication.
//!
//! Not here: what a user keeps (`account`). Called by the doors and by floors that need a [`Requester`].

mod accounts;
mod devices;
mod email_sessions;
mod emails;
mod error;
mod guesses;
mod interactive;
mod login;
mod mails;
mod passwords;
mod secrets;
mod sessions;

use ruma::{OwnedDeviceId, OwnedUserId};

pub use accounts::{
    Created, NewAccount, change_password, check_username, create_account, deactivate, find_account,
    recover, registration_token_is_valid, set_password,
};
pub use devices::{delete_devices, find_device, list_devices, rename_device};
pub use email_sessions::{EmailRequest, Purpose, Submitted, base_url, request_email, submit_token};
pub use emails::{
    Address, add_email, find_by_email, list_emails, remove_email, set_found_by_email,
};
pub use error::AuthError;
pub use interactive::{
    Challenge, Flow, Operation, Proven, Stage, Submission, confirm_user, give_back,
    password_change_flows, prove, registration_flows,
};
pub use login::{Identifier, log_in_with_password, log_in_with_token, login_token};
pub use passwords::check_password;
pub use sessions::{
    Auth, HeldToken, NewSession, SessionRequest, authenticate, authenticate_to_hold, log_out,
    log_out_everywhere, open_session, refresh,
};

use crate::storage::Id;

/// The verified user and device behind a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Requester {
    pub user_id: OwnedUserId,
    /// The interned user.
    pub user: Id,
    pub device_id: OwnedDeviceId,
    /// The interned device.
    pub device: Id,
}
