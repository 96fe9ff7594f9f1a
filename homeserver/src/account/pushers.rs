//! Pushers: where a user's notifications are sent besides sync. Sending them is `notification`'s.

use serde_json::{Map, Value};

use super::AccountError;
use crate::{
    app::App,
    auth::Requester,
    storage::{self, Id},
};

/// Most pushers of a user.
const PUSHERS_MAX: usize = 50;

/// The pushers of `user` as their clients set them.
pub async fn list_pushers(app: &App, user: Id) -> Result<Vec<Value>, AccountError> {
    let pushers = storage::account_data::list_pushers(app.db.read(), user).await?;
    let damaged = || AccountError::from(storage::Error::Damaged { what: "pusher" });
    pushers.iter().map(|json| serde_json::from_str(json).map_err(|_| damaged())).collect()
}

/// Sets a pusher of the requester's device, which takes it along when it is logged out. Unless `append`, other users lose theirs of
/// the same app and key.
///
/// # Errors
/// [`AccountError::InvalidParam`] when a field is missing, too long or of the wrong type.
pub async fn set_pusher(
    app: &App,
    requester: &Requester,
    mut pusher: Map<String, Value>,
) -> Result<(), AccountError> {
    let append = pusher.remove("append").and_then(|append| append.as_bool()).unwrap_or_default();
    let text = |name: &str, max: usize| match pusher.get(name).and_then(Value::as_str) {
        Some(text) if text.len() <= max => Ok(text.to_owned()),
        _ => {
            Err(AccountError::InvalidParam(format!("{name} must be a text of at most {max} bytes")))
        }
    };
    let (app_id, pushkey) = (text("app_id", 64)?, text("pushkey", 512)?);
    for name in ["kind", "app_display_name", "device_display_name", "lang"] {
        text(name, 255)?;
    }
    let data = pusher.get("data").and_then(Value::as_object);
    let url = data.and_then(|data| data.get("url")).and_then(Value::as_str);
    let valid = url.and_then(|url| url::Url::parse(url).ok()).is_some_and(|url| {
        matches!(url.scheme(), "http" | "https") && url.path() == "/_matrix/push/v1/notify"
    });
    if pusher.get("kind").and_then(Value::as_str) == Some("http") && !valid {
        let text = "data.url must be an http(s) URL that ends in /_matrix/push/v1/notify";
        return Err(AccountError::InvalidParam(text.to_owned()));
    }
    if list_pushers(app, requester.user).await?.len() >= PUSHERS_MAX {
        return Err(AccountError::InvalidParam(format!("there are at most {PUSHERS_MAX} pushers")));
    }
    let json = Value::Object(pusher).to_string();
    let owner = (requester.user, requester.device);
    let write = app.db.write(move |txn| {
        Box::pin(async move {
            let name = (app_id.as_str(), pushkey.as_str());
            storage::account_data::insert_pusher(txn.db(), owner, name, &json, append).await?;
            Ok::<_, AccountError>(())
        })
    });
    write.await
}

/// Removes a pusher of `user`; one that is not there is no error.
pub async fn remove_pusher(
    app: &App,
    user: Id,
    app_id: &str,
    pushkey: &str,
) -> Result<(), AccountError> {
    let (app_id, pushkey) = (app_id.to_owned(), pushkey.to_owned());
    let write = app.db.write(move |txn| {
        Box::pin(async move {
            storage::account_data::delete_pusher(txn.db(), user, &app_id, &pushkey).await?;
            Ok::<_, AccountError>(())
        })
    });
    write.await
}
