//! Profiles of local users: fields of any name, 64 KiB in all ([spec]). Display name and avatar are such fields too.
//!
//! Member events of rooms carry name and avatar; a job of `messaging` refreshes them after a change. Another server's user's
//! profile is asked of that server, each time.
//!
//! [spec]: https://spec.matrix.org/v1.19/client-server-api/#profiles

use ruma::{UserId, api::federation::query::get_profile_information};
use serde_json::{Map, Value};

use super::AccountError;
use crate::{
    app::App,
    jobs,
    storage::{self, Id, Txn},
};

const KEY_BYTES_MAX: usize = 255;
const PROFILE_BYTES_MAX: usize = 64 * 1024;
const DISPLAY_NAME_BYTES_MAX: usize = 256;
const AVATAR_URL_BYTES_MAX: usize = 1_000;

/// The interned id of a local user who is not deactivated.
pub async fn find_active(app: &App, user_id: &UserId) -> Result<Option<Id>, storage::Error> {
    let Some(user) = app.db.find_user(user_id.as_str()).await? else { return Ok(None) };
    let account = storage::accounts::find_account(app.db.read(), user).await?;
    Ok(account.filter(|account| !account.deactivated).map(|account| account.user))
}

/// The fields of a user's profile that go into membership events: `displayname`, `avatar_url`.
pub async fn member_profile(
    app: &App,
    user_id: &UserId,
) -> Result<Vec<(String, String)>, storage::Error> {
    let Some(user) = app.db.find_user(user_id.as_str()).await? else { return Ok(Vec::new()) };
    let mut fields = Vec::new();
    for name in ["displayname", "avatar_url"] {
        let value = storage::profiles::find_profile_field(app.db.read(), user, name).await?;
        if let Some(Value::String(value)) = value.as_deref().map(parse).transpose()? {
            fields.push((name.to_owned(), value));
        }
    }
    Ok(fields)
}

/// The whole profile of a user, asked of their server where that is another.
///
/// # Errors
/// [`AccountError::UserNotFound`]; [`AccountError::Remote`] when their server does not answer.
pub async fn profile(app: &App, user_id: &UserId) -> Result<Map<String, Value>, AccountError> {
    if !app.is_ours(user_id.server_name()) {
        return remote_profile(app, user_id, None).await;
    }
    let user = find_active(app, user_id).await?.ok_or(AccountError::UserNotFound)?;
    let fields = storage::profiles::list_profile_fields(app.db.read(), user).await?;
    fields.into_iter().map(|(name, value)| Ok((name, parse(&value)?))).collect()
}

/// One field of a user's profile, asked of their server where that is another.
///
/// # Errors
/// [`AccountError::UserNotFound`], [`AccountError::NotFound`] when the field is not set; [`AccountError::Remote`] when their
/// server does not answer.
pub async fn profile_field(app: &App, user_id: &UserId, name: &str) -> Result<Value, AccountError> {
    if !app.is_ours(user_id.server_name()) {
        let mut fields = remote_profile(app, user_id, Some(name)).await?;
        return fields.remove(name).ok_or(AccountError::NotFound("this profile field"));
    }
    let user = find_active(app, user_id).await?.ok_or(AccountError::UserNotFound)?;
    let value = storage::profiles::find_profile_field(app.db.read(), user, name).await?;
    Ok(parse(&value.ok_or(AccountError::NotFound("this profile field"))?)?)
}

/// Asks another server for a user's profile, or one field of it.
async fn remote_profile(
    app: &App,
    user_id: &UserId,
    field: Option<&str>,
) -> Result<Map<String, Value>, AccountError> {
    let mut request = get_profile_information::v1::Request::new(user_id.to_owned());
    request.field = field.map(Into::into);
    let answer = app.federation.send(user_id.server_name(), request).await;
    let fields = answer.map_err(|error| match error.status().map(|status| status.as_u16()) {
        Some(404) => AccountError::UserNotFound,
        _ => AccountError::Remote { server: user_id.server_name().to_string() },
    })?;
    let fields: Map<String, Value> = fields.into_iter().collect();
    let bytes: usize =
        fields.iter().map(|(name, value)| name.len() + value.to_string().len()).sum();
    // What no server may keep is not passed on.
    if bytes > PROFILE_BYTES_MAX { Ok(Map::new()) } else { Ok(fields) }
}

/// Sets one field of a local user's profile. An empty display name or avatar removes it, as clients expect.
///
/// # Errors
/// [`AccountError::InvalidParam`], [`AccountError::KeyTooLarge`], [`AccountError::ProfileTooLarge`].
pub async fn set_profile_field(
    app: &App,
    user: Id,
    name: &str,
    value: &Value,
) -> Result<(), AccountError> {
    check_field(name, value)?;
    let cleared = matches!(name, "displayname" | "avatar_url")
        && (value.is_null() || value.as_str() == Some(""));
    if cleared {
        return remove_profile_field(app, user, name).await;
    }
    let (name, json) = (name.to_owned(), value.to_string());
    let search_name = (name == "displayname").then(|| fold(value.as_str().unwrap_or_default()));
    let refresh = Refresh::of(app, user).await?;
    let write = app.db.write(move |txn| {
        Box::pin(async move {
            let db = txn.db();
            storage::profiles::insert_profile_field(db, user, &name, &json).await?;
            let fields = storage::profiles::list_profile_fields(db, user).await?;
            // Quotes, colon and comma count as well.
            let bytes: usize =
                fields.iter().map(|(name, value)| name.len() + value.len() + 4).sum();
            if bytes > PROFILE_BYTES_MAX {
                return Err(AccountError::ProfileTooLarge);
            }
            if let Some(search_name) = search_name {
                storage::accounts::update_search_name(db, user, &search_name).await?;
            }
            Ok(refresh.insert(txn, &name).await?)
        })
    });
    write.await?;
    app.jobs.ring();
    Ok(())
}

/// The job that brings a changed name or avatar into rooms.
struct Refresh {
    id: Id,
    user_id: String,
    at_ms: i64,
}

impl Refresh {
    async fn of(app: &App, user: Id) -> Result<Self, storage::Error> {
        let user_id = app.db.user_name(user).await?.to_string();
        Ok(Self { id: app.db.new_id(), user_id, at_ms: app.clock.now_ms() })
    }

    async fn insert(&self, txn: &Txn, field: &str) -> Result<(), storage::Error> {
        if !matches!(field, "displayname" | "avatar_url") {
            return Ok(());
        }
        let Self { id, user_id, at_ms } = self;
        storage::jobs::insert_job(txn.db(), *id, jobs::REFRESH_PROFILE, user_id, *at_ms).await
    }
}

/// Removes one field of a local user's profile.
pub async fn remove_profile_field(app: &App, user: Id, name: &str) -> Result<(), AccountError> {
    let name = name.to_owned();
    let refresh = Refresh::of(app, user).await?;
    let write = app.db.write(move |txn| {
        Box::pin(async move {
            storage::profiles::delete_profile_field(txn.db(), user, &name).await?;
            if name == "displayname" {
                storage::accounts::update_search_name(txn.db(), user, "").await?;
            }
            Ok::<_, AccountError>(refresh.insert(txn, &name).await?)
        })
    });
    write.await?;
    app.jobs.ring();
    Ok(())
}

fn check_field(name: &str, value: &Value) -> Result<(), AccountError> {
    if name.len() > KEY_BYTES_MAX {
        return Err(AccountError::KeyTooLarge);
    }
    let allowed =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._-".contains(&byte);
    let invalid = |text: &str| Err(AccountError::InvalidParam(text.to_owned()));
    if !name.starts_with(|c: char| c.is_ascii_lowercase()) || !name.bytes().all(allowed) {
        return invalid(
            "a profile field's name is made of a-z, 0-9 and ._- and begins with a letter",
        );
    }
    let text_max = match name {
        "displayname" => DISPLAY_NAME_BYTES_MAX,
        "avatar_url" => AVATAR_URL_BYTES_MAX,
        _ => return Ok(()),
    };
    match value {
        Value::Null => Ok(()),
        Value::String(text) if text.len() > text_max => {
            Err(AccountError::InvalidParam(format!("{name} has at most {text_max} bytes")))
        }
        Value::String(_) => Ok(()),
        _ => invalid("displayname and avatar_url are texts"),
    }
}

/// A name as the user directory compares it.
pub(super) fn fold(name: &str) -> String {
    name.trim().to_lowercase()
}

fn parse(json: &str) -> Result<Value, storage::Error> {
    serde_json::from_str(json).map_err(|_| storage::Error::Damaged { what: "profile field" })
}
