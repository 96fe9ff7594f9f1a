//! Whether a user takes invitations ([spec]).
//!
//! [spec]: https://spec.matrix.org/v1.19/client-server-api/#invite-permission

use ruma::UserId;
use serde_json::Value;

use super::{Engine, Error};
use crate::storage::account_data;

/// Refuses an invitation that its target, a user of this server, does not want. Their own always pass.
///
/// # Errors
/// [`Error::InviteBlocked`].
pub(super) async fn check(engine: &Engine, target: &UserId, sender: &UserId) -> Result<(), Error> {
    const TYPE: &str = "m.invite_permission_config";
    let db = &engine.app().db;
    let Some(user) = db.find_user(target.as_str()).await? else { return Ok(()) };
    let content = account_data::find_account_data(db.read(), user, "", TYPE).await?;
    let content = content.and_then(|content| serde_json::from_str::<Value>(&content).ok());
    let action = content.as_ref().and_then(|content| content.get("default_action")?.as_str());
    if action == Some("block") && target != sender { Err(Error::InviteBlocked) } else { Ok(()) }
}
