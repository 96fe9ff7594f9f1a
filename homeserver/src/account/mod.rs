//! What is a user's: profile, account data, filters, push rules, pushers.

use ruma::UserId;

use crate::{app::App, storage};

/// The fields of a user's profile that go into membership events: `displayname`, `avatar_url`.
pub async fn member_profile(
    _app: &App,
    _user_id: &UserId,
) -> Result<Vec<(String, String)>, storage::Error> {
    Ok(Vec::new())
}

/// An active local account.
pub async fn find_active(
    _app: &App,
    _user_id: &UserId,
) -> Result<Option<storage::Id>, storage::Error> {
    Ok(None)
}

/// x
pub async fn set_room_account_data(
    _app: &App,
    _user: storage::Id,
    _room: storage::Id,
    _kind: &str,
    _content: serde_json::Value,
) -> Result<(), storage::Error> {
    Ok(())
}
