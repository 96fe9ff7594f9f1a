//! Sync filters, kept as the client wrote them.

use ruma::api::client::filter::FilterDefinition;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use super::AccountError;
use crate::{
    app::App,
    storage::{self, Id},
};

const FILTER_BYTES_MAX: usize = 64 * 1024;

/// Keeps a filter and returns its id, the same id for the same filter.
///
/// # Errors
/// [`AccountError::InvalidParam`] when it is no filter, [`AccountError::TooLarge`].
pub async fn keep_filter(
    app: &App,
    user: Id,
    filter: Map<String, Value>,
) -> Result<String, AccountError> {
    let filter = Value::Object(filter);
    let json = filter.to_string();
    if json.len() > FILTER_BYTES_MAX {
        return Err(AccountError::TooLarge { what: "a filter", max_bytes: FILTER_BYTES_MAX });
    }
    serde_json::from_value::<FilterDefinition>(filter)
        .map_err(|error| AccountError::InvalidParam(error.to_string()))?;
    let (id, digest) = (app.db.new_id(), Sha256::digest(json.as_bytes()).into());
    let write = app.db.write(move |txn| {
        Box::pin(async move {
            storage::account_data::insert_filter(txn.db(), user, id, &digest, &json)
                .await
                .map_err(AccountError::from)
        })
    });
    Ok(write.await?.to_string())
}

/// A filter of `user` as it was kept.
///
/// # Errors
/// [`AccountError::NotFound`].
pub async fn filter(app: &App, user: Id, filter_id: &str) -> Result<Value, AccountError> {
    let not_found = || AccountError::NotFound("this filter");
    let id: Id = filter_id.parse().map_err(|_| not_found())?;
    let json = storage::account_data::find_filter(app.db.read(), user, id).await?;
    serde_json::from_str(&json.ok_or_else(not_found)?)
        .map_err(|_| storage::Error::Damaged { what: "filter" }.into())
}
