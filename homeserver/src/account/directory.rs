//! Finding people of this server: those one shares a room with or who are in a room of the public directory, by the beginning of a
//! name; anybody by a whole user id, or by a whole address whose owner wants to be found.

use serde_json::Value;

use super::{AccountError, profile::fold};
use crate::{
    app::App,
    auth::{self, Address, Auth},
    storage::{self, Id},
};

const LIMIT_MAX: u32 = 50;

/// Somebody found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    pub user_id: String,
    pub display_name: Option<String>,
    pub avatar_url: Option<String>,
}

/// Looks for `term` on behalf of `asker`. The second value says whether there are more.
///
/// # Errors
/// [`auth::AuthError::SearchLimit`] after 20 searches by address in an hour.
pub async fn search_users(
    app: &App,
    auth: &Auth,
    asker: Id,
    term: &str,
    limit: u32,
) -> Result<(Vec<Found>, bool), AccountError> {
    let term = fold(term);
    if !term.starts_with('@')
        && let Ok(address) = Address::parse(&term)
    {
        let found = match auth::find_by_email(app, auth, asker, &address).await? {
            Some(user) => vec![found(app, user).await?],
            None => Vec::new(),
        };
        return Ok((found, false));
    }
    let name = term.trim_start_matches('@');
    let localpart = name.strip_suffix(&format!(":{}", app.server_name));
    let whole = localpart.is_some() && term.starts_with('@');
    let name = localpart.unwrap_or(name);
    if name.is_empty() {
        return Ok((Vec::new(), false));
    }
    let limit = limit.clamp(1, LIMIT_MAX);
    let db = app.db.read();
    // Who knows a whole user id has found them already.
    let exact = if whole { name } else { "" };
    let accounts =
        storage::accounts::list_accounts_by_prefix(db, (name, exact), asker, limit + 1).await?;
    let limited = accounts.len() > limit as usize;
    let mut people = Vec::new();
    for account in accounts.iter().take(limit as usize) {
        people.push(found(app, account.user).await?);
    }
    Ok((people, limited))
}

async fn found(app: &App, user: Id) -> Result<Found, AccountError> {
    let user_id = app.db.user_name(user).await?.to_string();
    let db = app.db.read();
    let mut text = Vec::new();
    for name in ["displayname", "avatar_url"] {
        let json = storage::profiles::find_profile_field(db, user, name).await?;
        let value = json.and_then(|json| serde_json::from_str::<Value>(&json).ok());
        text.push(value.and_then(|value| value.as_str().map(ToOwned::to_owned)));
    }
    let avatar_url = text.pop().flatten();
    Ok(Found { user_id, display_name: text.pop().flatten(), avatar_url })
}
