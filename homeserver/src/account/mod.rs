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
