//! Registration tokens: who may register while `registration.mode` is "token". Owner: auth.

use super::{Database, Error, execute, values};

/// A token as it is made.
#[derive(Debug, Clone)]
pub struct NewToken {
    pub token: String,
    /// How many accounts it makes; any number when `None`.
    pub uses_allowed: Option<i64>,
    /// When it ends; never when `None`.
    pub expires_ms: Option<i64>,
}

/// Stores a new token.
pub async fn insert_token(db: &Database, new: NewToken, now_ms: i64) -> Result<(), Error> {
    const INSERT: &str = "INSERT INTO registration_tokens (token, uses_allowed, uses, expires_ms, created_ms) VALUES ($1, $2, 0, $3, $4)";
    let row = values![new.token, new.uses_allowed, new.expires_ms, now_ms];
    db.write(move |txn| Box::pin(async move { execute(txn.db(), INSERT, row).await.map(|_| ()) }))
        .await
}
