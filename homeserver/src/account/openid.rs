//! OpenID tokens: by which another service asks this server who somebody is.

use std::time::Duration;

use ruma::OwnedUserId;
use sha2::{Digest, Sha256};

use super::AccountError;
use crate::{
    app::App,
    storage::{self, Id, tokens::TokenHash},
};

/// How long a token can be used.
const LIFETIME: Duration = Duration::from_secs(3_600);

/// A token just made.
#[derive(Clone, PartialEq, Eq)]
pub struct OpenidToken {
    pub token: String,
    pub expires_in: Duration,
}

impl std::fmt::Debug for OpenidToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OpenidToken").field("expires_in", &self.expires_in).finish_non_exhaustive()
    }
}

/// Makes a token for `user`, good for an hour.
pub async fn openid_token(app: &App, user: Id) -> Result<OpenidToken, AccountError> {
    let token = app.random.text::<32>();
    let (hash, now) = (hash(&token), app.clock.now_ms());
    let expires_ms = now + i64::try_from(LIFETIME.as_millis()).unwrap_or(i64::MAX);
    let write = app.db.write(move |txn| {
        Box::pin(async move {
            storage::account_data::insert_openid_token(txn.db(), &hash, user, expires_ms).await?;
            Ok::<_, AccountError>(())
        })
    });
    write.await?;
    Ok(OpenidToken { token, expires_in: LIFETIME })
}

/// Whose token this is. For the federation endpoint `/openid/userinfo`.
pub async fn openid_user(app: &App, token: &str) -> Result<Option<OwnedUserId>, AccountError> {
    let now = app.clock.now_ms();
    let user = storage::account_data::find_openid_token(app.db.read(), &hash(token), now).await?;
    let Some(user) = user else { return Ok(None) };
    let user_id = OwnedUserId::try_from(app.db.user_name(user).await?.as_str());
    Ok(Some(user_id.map_err(|_| storage::Error::Damaged { what: "user ID" })?))
}

fn hash(token: &str) -> TokenHash {
    Sha256::digest(token.as_bytes()).into()
}
