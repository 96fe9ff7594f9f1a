//! What is a user's: profile, account data, tags, filters, push rules, pushers, OpenID tokens; finding people.
//!
//! Not here: who a user is (`auth`), and what other servers' users are (the doors ask those servers). All of it is about local
//! users.

mod data;
mod directory;
mod filters;
mod follow;
mod openid;
mod profile;
mod push_rules;
mod pushers;
mod wishes;

pub use data::{
    LIST_MAX, account_data, list_account_data_since, list_room_account_data, room_tags,
    set_account_data, set_room_account_data, set_tag,
};
pub use directory::{Found, search_users};
pub use filters::{filter, keep_filter};
pub use follow::follow_upgrade;
pub use openid::{OpenidToken, openid_token, openid_user};
pub use profile::{
    find_active, member_profile, profile, profile_field, remove_profile_field, set_profile_field,
};
pub use push_rules::{add_rule, push_rules, remove_rule, set_rule_actions, set_rule_enabled};
pub use pushers::{list_pushers, remove_pusher, set_pusher};
pub use wishes::{Outcome, Wishes, judge_by_defaults, wishes};

use crate::{auth::AuthError, storage};

/// Why something would not be kept.
#[derive(Debug, thiserror::Error)]
pub enum AccountError {
    #[error("there is no such user here")]
    UserNotFound,
    #[error("{0} not found")]
    NotFound(&'static str),
    #[error("{0}")]
    InvalidParam(String),
    /// Data that only the server writes.
    #[error("{0} can't be set this way")]
    ServerManaged(String),
    #[error("a profile field's name has at most 255 bytes")]
    KeyTooLarge,
    #[error("a profile has at most 64 KiB")]
    ProfileTooLarge,
    #[error("{what} has at most {max_bytes} bytes")]
    TooLarge { what: &'static str, max_bytes: usize },
    #[error("{server} does not answer: try again later")]
    Remote { server: String },
    #[error(transparent)]
    Auth(#[from] AuthError),
    #[error(transparent)]
    Storage(#[from] storage::Error),
}
